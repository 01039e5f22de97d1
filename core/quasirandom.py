"""Numbers that fill a cube evenly: `torch.quasirandom`. SciPy, which keeps the same table of directions, draws them."""

from __future__ import annotations

from typing import Any

from . import dtypes
from .creation import tensor
from .errors import ArgumentError
from .random import randint
from .spelling import tell_names as _tell_names
from .state import STATE
from .tensor import Tensor

_BITS = 30


class SobolEngine:
    """Points of the Sobol sequence in the cube from 0 to 1, as PyTorch draws them, but for how they are scrambled.

    Args:
        dimension: of the cube, from 1 to 21201.
        scramble: whether the digits are mixed at random, which keeps the points even.
        seed: of that; without it one is drawn from the default generator.

    ArgumentError for other dimensions, ImportError without SciPy, RecordError where points are drawn in a recording.

    >>> import frazil as fz
    >>> fz.quasirandom.SobolEngine(2).draw(3)
    tensor([[0.0000, 0.0000],
            [0.5000, 0.5000],
            [0.7500, 0.2500]])
    """

    MAXBIT = _BITS
    MAXDIM = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        if not 1 <= dimension <= self.MAXDIM:
            raise ArgumentError(
                f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}], given dimension={dimension}"
            )
        try:
            from scipy.stats import qmc
        except ImportError:
            raise ImportError("SobolEngine draws with SciPy: pip install scipy") from None
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        mix = int(randint(2**31, ())) if scramble and seed is None else seed
        self._sobol = qmc.Sobol(dimension, scramble=scramble, bits=_BITS, rng=mix)

    @property
    def num_generated(self) -> int:
        """The number of points that have been drawn or passed over."""
        return self._sobol.num_generated

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next `n` points, [n, dimension], of the default dtype or `dtype`; written to `out`, where that is given.

        >>> import frazil as fz
        >>> fz.quasirandom.SobolEngine(1).draw(4, dtype=fz.float64)[:, 0]
        tensor([0.0000, 0.5000, 0.7500, 0.2500], dtype=frazil.float64)
        """
        if STATE.recorder is not None:
            STATE.recorder.fail("SobolEngine.draw: a recording would keep these points for ever. Draw them outside, as an input")
        # SciPy warns of numbers that are no powers of two, which PyTorch draws in silence.
        points = tensor(_silently(self._sobol.random, n), dtype=dtype or dtypes.get_default_dtype())
        if out is None:
            return points
        return out.resize_(points.shape).copy_(points)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next 2**m points. ValueError where all points so far would not be a power of two, which makes them even.

        >>> import frazil as fz
        >>> fz.quasirandom.SobolEngine(3).draw_base2(2).shape
        frazil.Size([4, 3])
        """
        total = self.num_generated + 2**m
        if total & (total - 1):
            raise ArgumentError(
                "The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: n={self.num_generated}+2**{m}={total}. "
                "If you still want to do this, please use 'SobolEngine.draw()' instead."
            )
        return self.draw(2**m, out, dtype)

    def reset(self) -> SobolEngine:
        """Begin again, with the same points.

        >>> import frazil as fz
        >>> engine = fz.quasirandom.SobolEngine(1).fast_forward(2)
        >>> engine.draw(1), engine.reset().draw(1)
        (tensor([[0.7500]]), tensor([[0.]]))
        """
        self._sobol.reset()
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Pass over `n` points.

        >>> import frazil as fz
        >>> fz.quasirandom.SobolEngine(1).fast_forward(1).draw(1)
        tensor([[0.5000]])
        """
        self._sobol.fast_forward(n)
        return self

    def __repr__(self) -> str:
        more = ["scramble=True"] * self.scramble + [f"seed={self.seed}"] * (self.seed is not None)
        return f"SobolEngine({', '.join([f'dimension={self.dimension}', *more])})"


def _silently(draw: Any, n: int) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return draw(n)


_tell_names(__name__)
