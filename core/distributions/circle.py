"""The normal distribution's kin on a circle."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..dtypes import float64
from ..ops.bessel import i0e, i1e
from ..ops.elementwise import cast, log, where
from ..random import uniform64
from ..tensor import Tensor
from ..transfer import where_float64_is
from .constraints import Constraint, positive, real
from .distribution import Distribution, broadcast_all

#: Tries per number. Less than 35 in 100 are refused at the worst concentration, so all are once in 1e14 numbers.
_TRIES = 32


class VonMises(Distribution):
    """Angles from -pi to pi around `loc`, with density proportional to `exp(concentration * cos(x - loc))`.

    >>> import frazil as fz
    >>> d = fz.distributions.VonMises(0.0, 1.0)
    >>> d.log_prob(fz.tensor(0.0))
    tensor(-1.0738)
    """

    arg_constraints = {"loc": real, "concentration": positive}

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real

    @property
    def mean(self) -> Tensor:
        """The mean direction, `loc`"""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The circular variance, 1 - I1(concentration) / I0(concentration)."""
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Angles, by Best and Fisher's method (1979), with as many tries as hardly ever are all refused."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            k: Any = where_float64_is(self.concentration.detach()).to(float64).expand(shape)
            tau = 1 + (1 + 4 * k**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * k)
            # For a small concentration by its Taylor polynomial, where the differences have no digits.
            r = where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))
            u: Any = where_float64_is(uniform64("VonMises", (3, _TRIES, *shape), self.loc.device, None))
            z = (math.pi * u[0]).cos()
            f = (1 + r * z) / (r + z)
            c = k * (r - f)
            accepted = (c * (2 - c) - u[1] > 0) | (log(c / (1 - u[1])) + 1 - c >= 0)
            chosen: Any = f[_TRIES - 1]
            for i in reversed(range(_TRIES - 1)):
                chosen = where(accepted[i], f[i], chosen)
            cosine, side = (cast(x, dtype=self.loc.dtype).to(self.loc.device) for x in (chosen, where(u[2, 0] < 0.5, -1.0, 1.0)))
            turned = side * cosine.clamp(min=-1, max=1).acos() + self.loc
            return (turned + math.pi) % (2 * math.pi) - math.pi

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        k = self.concentration
        return k * ((value - self.loc).cos() - 1) - math.log(2 * math.pi) - i0e(k).log()
