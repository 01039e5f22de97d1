"""Batch dimensions that count as one event."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..tensor import Tensor
from .constraints import Constraint, independent
from .distribution import Distribution


class Independent(Distribution):
    """The last `reinterpreted_batch_ndims` batch dimensions of a distribution become event dimensions: densities are
    multiplied over them.

    >>> import frazil as fz
    >>> d = fz.distributions.Independent(fz.distributions.Normal(fz.zeros(2, 3), 1.0), 1)
    >>> d.batch_shape, d.event_shape, d.log_prob(fz.zeros(3)).shape
    (frazil.Size([2]), frazil.Size([3]), frazil.Size([2]))
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        batch, event = tuple(base_distribution.batch_shape), tuple(base_distribution.event_shape)
        if not 0 <= reinterpreted_batch_ndims <= len(batch):
            raise ShapeError(
                f"Independent: reinterpreted_batch_ndims must be from 0 to {len(batch)}, the number of batch dimensions of "
                f"{base_distribution!r}; given {reinterpreted_batch_ndims}"
            )
        kept = len(batch) - reinterpreted_batch_ndims
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        self.has_enumerate_support = reinterpreted_batch_ndims == 0 and base_distribution.has_enumerate_support
        self.has_rsample = base_distribution.has_rsample
        super().__init__(batch[:kept], batch[kept:] + event, validate_args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist!r}, {self.reinterpreted_batch_ndims})"

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        """Return that of the base."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """Return that of the base."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """Return that of the base."""
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """As the base."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """As the base."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum of the logarithms over the event dimensions."""
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        """The sum of the entropies over the event dimensions."""
        return self.summed(self.base_dist.entropy())

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of the base, where each batch dimension is still one."""
        if self.reinterpreted_batch_ndims:
            raise NotImplementedError("Independent: the values of several distributions together are not listed")
        return self.base_dist.enumerate_support(expand)

    def summed(self, x: Tensor) -> Tensor:
        """`x`, one number for each distribution of the base, summed over the event dimensions."""
        return x.sum(tuple(range(-self.reinterpreted_batch_ndims, 0))) if self.reinterpreted_batch_ndims else x
