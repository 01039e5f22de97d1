"""Transforms from all real numbers to what a constraint allows: for parameters that an optimiser may move anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import constraints
from .constraints import Constraint
from .transforms import (
    AffineTransform,
    CatTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SigmoidTransform,
    SoftmaxTransform,
    StackTransform,
    StickBreakingTransform,
    Transform,
    identity_transform,
)


def _bounded(constraint: Any) -> Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if low is None and high is None:
        return identity_transform
    if high is None:
        rising = [ExpTransform()] if isinstance(low, (int, float)) and low == 0 else [ExpTransform(), AffineTransform(low, 1.0)]
        return rising[0] if len(rising) == 1 else ComposeTransform(rising)
    if low is None:
        return ComposeTransform([ExpTransform(), AffineTransform(high, -1.0)])
    if isinstance(low, (int, float)) and (low, high) == (0, 1):
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


Factory = Callable[[Any], Transform]


class ConstraintRegistry:
    """Transforms by the class of a constraint: calling it with a constraint gives the transform that leads there from all real
    numbers; NotImplementedError where none is known.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.biject_to(d.constraints.positive)(fz.tensor(0.0))
    tensor(1.)
    """

    def __init__(self) -> None:
        self._factories: dict[type[Constraint], Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Take `factory`, which makes a transform of a constraint, for constraints of this class, or of the class of this one.
        Without a factory it is a decorator. Returns the factory.

        >>> import frazil as fz
        >>> d = fz.distributions
        >>> class Even(d.constraints.Constraint):
        ...     pass
        >>> @d.transform_to.register(Even)
        ... def to_even(constraint):
        ...     return d.transforms.AffineTransform(0.0, 2.0)
        >>> d.transform_to(Even())(fz.tensor(3.0))
        tensor(6.)
        """
        if factory is None:
            return lambda given: self.register(constraint, given)
        kind = type(constraint) if isinstance(constraint, Constraint) else constraint
        if not (isinstance(kind, type) and issubclass(kind, Constraint)):
            raise TypeError(f"register: expected a class of constraints or one of them, given {constraint!r}")
        self._factories[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        factory = self._factories.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"no transform leads from real numbers to {constraint!r}")
        return factory(constraint)


#: Bijections.
biject_to = ConstraintRegistry()
#: Transforms that need not have an inverse: to a simplex a softmax, not a stick.
transform_to = ConstraintRegistry()

_BOUNDED = (
    type(constraints.real),
    constraints.greater_than,
    constraints.greater_than_eq,
    constraints.less_than,
    constraints.interval,
    constraints.half_open_interval,
)

_OF_MATRICES: dict[type[Constraint], type[Transform]] = {
    type(constraints.lower_cholesky): LowerCholeskyTransform,
    type(constraints.positive_definite): PositiveDefiniteTransform,
    type(constraints.positive_semidefinite): PositiveDefiniteTransform,
    type(constraints.corr_cholesky): CorrCholeskyTransform,
}


def _register(way: ConstraintRegistry, simplex: type[Transform]) -> None:
    for bounded in _BOUNDED:
        way.register(bounded, _bounded)
    way.register(constraints.simplex, lambda constraint: simplex())
    way.register(constraints.independent, lambda c: IndependentTransform(way(c.base_constraint), c.reinterpreted_batch_ndims))
    way.register(constraints.cat, lambda c: CatTransform([way(part) for part in c.cseq], c.dim, c.lengths))
    way.register(constraints.stack, lambda c: StackTransform([way(part) for part in c.cseq], c.dim))
    for kind in _OF_MATRICES:
        way.register(kind, lambda constraint: _OF_MATRICES[type(constraint)]())


_register(biject_to, StickBreakingTransform)
_register(transform_to, SoftmaxTransform)
