"""Transforms from all real numbers to what a constraint allows: for parameters that an optimiser may move anywhere."""

from __future__ import annotations

from typing import Any

from . import constraints
from .constraints import Constraint
from .transforms import (
    AffineTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SigmoidTransform,
    SoftmaxTransform,
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


_MATRICES: dict[Constraint, type[Transform]] = {
    constraints.lower_cholesky: LowerCholeskyTransform,
    constraints.positive_definite: PositiveDefiniteTransform,
    constraints.corr_cholesky: CorrCholeskyTransform,
}


def _found(constraint: Constraint, simplex: type[Transform], way: Any) -> Transform:
    if isinstance(constraint, constraints.independent):
        return IndependentTransform(way(constraint.base_constraint), constraint.reinterpreted_batch_ndims)
    if constraint is constraints.simplex:
        return simplex()
    if constraint in _MATRICES:
        return _MATRICES[constraint]()
    if hasattr(constraint, "lower_bound") and not constraint.is_discrete:
        return _bounded(constraint)
    raise NotImplementedError(f"no transform leads from real numbers to {constraint!r}")


def biject_to(constraint: Constraint) -> Transform:
    """Return a bijection from real numbers to what the constraint allows.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.biject_to(d.constraints.positive)(fz.tensor(0.0))
    tensor(1.)
    """
    return _found(constraint, StickBreakingTransform, biject_to)


def transform_to(constraint: Constraint) -> Transform:
    """Return a transform from real numbers to what the constraint allows, which need not have an inverse: a softmax, not a stick.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.transform_to(d.constraints.simplex)(fz.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return _found(constraint, SoftmaxTransform, transform_to)
