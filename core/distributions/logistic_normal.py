"""Vectors that sum to 1, made of normal ones."""

from __future__ import annotations

from typing import Any

from .constraints import positive, real
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import StickBreakingTransform


class LogisticNormal(TransformedDistribution):
    """Vectors of k + 1 that sum to 1, by breaking a stick at k normal numbers.

    >>> import frazil as fz
    >>> d = fz.distributions.LogisticNormal(fz.zeros(2), fz.ones(2))
    >>> d.sample().shape, d.event_shape
    (frazil.Size([3]), frazil.Size([3]))
    """

    arg_constraints = {"loc": real, "scale": positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args)
        if not base.batch_shape:
            base = base.expand((1,))
        super().__init__(base, StickBreakingTransform(), validate_args)

    @property
    def loc(self) -> Any:
        """Return the means of the normal numbers."""
        return self.base_dist.base_dist.loc  # type: ignore[attr-defined]

    @property
    def scale(self) -> Any:
        """Return their standard deviations."""
        return self.base_dist.base_dist.scale  # type: ignore[attr-defined]
