"""Distributions of transformed values."""

from __future__ import annotations

from typing import Any, Self

from ..autograd.modes import no_grad
from ..errors import ArgumentError
from ..tensor import Tensor
from .constraints import Constraint, independent
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform, summed


class TransformedDistribution(Distribution):
    """The distribution of what transforms make of a base distribution's values, by a change of variables.

    >>> import frazil as fz
    >>> D = fz.distributions
    >>> d = D.TransformedDistribution(D.Normal(0.0, 1.0), [D.ExpTransform()])
    >>> d.log_prob(fz.tensor(1.0)), d.cdf(fz.tensor(1.0))
    (tensor(-0.9189), tensor(0.5000))
    """

    def __init__(self, base_distribution: Distribution, transforms: Any, validate_args: bool | None = None) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ArgumentError(f"TransformedDistribution: transforms are a Transform or a list of them, given {transforms!r}")
        whole = ComposeTransform(self.transforms)
        base_shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        shape = tuple(whole.forward_shape(base_shape))
        needed = tuple(whole.inverse_shape(shape))
        event = max(whole.domain.event_dim, len(base_distribution.event_shape))
        if needed != base_shape:
            base_distribution = base_distribution.expand(needed[: len(needed) - len(base_distribution.event_shape)])
        missing = event - len(base_distribution.event_shape)
        self.base_dist = Independent(base_distribution, missing) if missing > 0 else base_distribution
        after = whole.codomain.event_dim + max(0, event - whole.domain.event_dim)
        cut = len(shape) - after
        self.has_rsample = base_distribution.has_rsample
        super().__init__(shape[:cut], shape[cut:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """Return the same with a larger batch."""
        new = super().expand(batch_shape)
        whole = ComposeTransform(self.transforms)
        shape = tuple(whole.inverse_shape((*batch_shape, *self._event_shape)))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return new

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        more = len(self._event_shape) - found.event_dim
        return independent(found, more) if more > 0 else found

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Transformed values of the base, without gradient."""
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Transformed values of the base."""
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        dims, y = len(self._event_shape), value
        total: Any = 0.0
        for transform in reversed(self.transforms):
            x = transform._inv_call(y)
            dims += transform.domain.event_dim - transform.codomain.event_dim
            total = total - summed(transform.log_abs_det_jacobian(x, y), dims - transform.domain.event_dim)
            y = x
        return total + summed(self.base_dist.log_prob(y), dims - len(self.base_dist.event_shape))

    def _monotone(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        sign = self._monotone()
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return _turned(self.base_dist.cdf(value), sign)

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self._forward(self.base_dist.icdf(_turned(value, self._monotone())))


def _turned(probability: Tensor, sign: Any) -> Tensor:
    """1 - probability where the sign is negative."""
    if isinstance(sign, int) and sign == 1:
        return probability
    return sign * (probability - 0.5) + 0.5
