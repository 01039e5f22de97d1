"""Constraints: which values a parameter or a sample may have, as `torch.distributions.constraints`."""

from __future__ import annotations

from typing import Any

from ..linalg import eigvalsh
from ..ops.common import has_numbers
from ..ops.elementwise import where
from ..ops.shape import cat as cat_tensors
from ..ops.shape import stack as stack_tensors
from ..tensor import Tensor

__all__ = [
    "Constraint",
    "boolean",
    "cat",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "stack",
    "symmetric",
    "unit_interval",
]


class Constraint:
    """A set of values. `check(value)` says of every event of a tensor whether it is in it; `meaning` says it in words.

    >>> import frazil as fz
    >>> c = fz.distributions.constraints
    >>> c.positive.check(fz.tensor([1.0, -1.0]))
    tensor([ True, False])
    >>> c.simplex.check(fz.tensor([[0.5, 0.5], [0.5, 0.6]])), c.simplex.event_dim
    (tensor([ True, False]), 1)
    """

    is_discrete = False
    #: How many of the last dimensions make one event.
    event_dim = 0
    meaning = "allowed"

    def check(self, value: Tensor) -> Any:
        """Return a bool tensor: whether each event of `value` is in the set."""
        raise NotImplementedError(f"{type(self).__name__} must define check(value)")

    def __repr__(self) -> str:
        return type(self).__name__.removeprefix("_") + "()"


class _Dependent(Constraint):
    """A set that depends on other values: a property of the distribution says which."""

    def check(self, value: Tensor) -> Any:
        raise ValueError("a dependent constraint is checked by its distribution: ask the distribution for its support")


class dependent_property(property, _Dependent):
    """A property of a distribution's own that says which set its values are in: `support`, where it depends on parameters.

    >>> import frazil as fz
    >>> c = fz.distributions.constraints
    >>> class Below(fz.distributions.Distribution):
    ...     high = 2.0
    ...     @c.dependent_property(is_discrete=False, event_dim=0)
    ...     def support(self): return c.less_than(self.high)
    >>> c.is_dependent(Below.support), Below.support.event_dim
    (True, 0)
    """

    def __init__(self, fn: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        super().__init__(fn)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, fn: Any) -> dependent_property:
        """Return the property of this function: it was used as a decorator with arguments."""
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


class _Boolean(Constraint):
    is_discrete, meaning = True, "0 or 1"

    def check(self, value: Tensor) -> Any:
        return (value == 0) | (value == 1)


class _OneHot(Constraint):
    is_discrete, event_dim, meaning = True, 1, "a vector with one 1 and zeros"

    def check(self, value: Tensor) -> Any:
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _Bounded(Constraint):
    """Numbers between two bounds; each is None (no bound), or a number or tensor, which is in the set or not."""

    lower_bound: Any = None
    upper_bound: Any = None
    _open_below = _open_above = False

    @property
    def meaning(self) -> str:  # type: ignore[override]
        """The set in words."""
        kind = "whole numbers " if self.is_discrete else ""
        if self.lower_bound is not None and self.upper_bound is not None and not (self._open_below or self._open_above):
            return f"{kind}from {_shown(self.lower_bound)} to {_shown(self.upper_bound)}"
        low = "" if self.lower_bound is None else f"{'above' if self._open_below else 'at least'} {_shown(self.lower_bound)}"
        high = "" if self.upper_bound is None else f"{'below' if self._open_above else 'at most'} {_shown(self.upper_bound)}"
        return kind + " and ".join(part for part in (low, high) if part)

    def check(self, value: Tensor) -> Any:
        inside = value == value
        if self.is_discrete:
            inside = inside & (value % 1 == 0)
        if self.lower_bound is not None:
            inside = inside & (value > self.lower_bound if self._open_below else value >= self.lower_bound)
        if self.upper_bound is not None:
            inside = inside & (value < self.upper_bound if self._open_above else value <= self.upper_bound)
        return inside

    def __repr__(self) -> str:
        bounds = [(name, getattr(self, name)) for name in ("lower_bound", "upper_bound")]
        given = ", ".join(f"{name}={bound}" for name, bound in bounds if bound is not None)
        return f"{type(self).__name__.removeprefix('_')}({given})"


def _shown(bound: Any) -> str:
    if not isinstance(bound, Tensor):
        return str(bound)
    return str(bound.item()) if bound.numel() == 1 and has_numbers(bound) else "its bound"


class _GreaterThan(_Bounded):
    """Numbers above `lower_bound`.

    >>> import frazil as fz
    >>> fz.distributions.constraints.greater_than(1.0).check(fz.tensor([1.0, 2.0]))
    tensor([False,  True])
    """

    _open_below = True

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound


class _GreaterThanEq(_Bounded):
    """Numbers of at least `lower_bound`.

    >>> import frazil as fz
    >>> fz.distributions.constraints.greater_than_eq(1.0).check(fz.tensor([1.0, 0.5]))
    tensor([ True, False])
    """

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound


class _LessThan(_Bounded):
    """Numbers below `upper_bound`.

    >>> import frazil as fz
    >>> fz.distributions.constraints.less_than(1.0).check(fz.tensor([1.0, 0.5]))
    tensor([False,  True])
    """

    _open_above = True

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound


class _Interval(_Bounded):
    """Numbers between two bounds, which are in it.

    >>> import frazil as fz
    >>> fz.distributions.constraints.interval(0.0, 1.0).check(fz.tensor([1.0, 1.5]))
    tensor([ True, False])
    """

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


class _HalfOpenInterval(_Bounded):
    """Numbers between two bounds, of which the upper one is not in it.

    >>> import frazil as fz
    >>> fz.distributions.constraints.half_open_interval(0.0, 1.0).check(fz.tensor([0.0, 1.0]))
    tensor([ True, False])
    """

    _open_above = True

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


class _IntegerInterval(_Bounded):
    """Whole numbers between two bounds, which are in it.

    >>> import frazil as fz
    >>> fz.distributions.constraints.integer_interval(0, 3).check(fz.tensor([3.0, 2.5]))
    tensor([ True, False])
    """

    is_discrete = True

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


class _IntegerGreaterThan(_Bounded):
    """Whole numbers of at least `lower_bound`."""

    is_discrete = True

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound


class _Real(_Bounded):
    """Numbers that are not NaN."""

    meaning = "numbers, not nan"


class _Simplex(Constraint):
    event_dim, meaning = 1, "vectors of at least 0 that sum to 1"

    def check(self, value: Tensor) -> Any:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Multinomial(Constraint):
    is_discrete, event_dim = True, 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound
        self.meaning = f"vectors of counts that sum to {upper_bound}"

    def check(self, value: Tensor) -> Any:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class _Matrix(Constraint):
    event_dim = 2


class _LowerTriangular(_Matrix):
    meaning = "lower triangular"

    def check(self, value: Tensor) -> Any:
        return (value.tril() == value).all(-1).all(-1)


class _LowerCholesky(_Matrix):
    meaning = "lower triangular, with a positive diagonal"

    def check(self, value: Tensor) -> Any:
        return lower_triangular.check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_Matrix):
    meaning = "lower triangular, with a positive diagonal and rows of length 1"

    def check(self, value: Tensor) -> Any:
        rows = ((value * value).sum(-1).sqrt() - 1).abs() < 1e-4
        return lower_cholesky.check(value) & rows.all(-1)


class _Square(_Matrix):
    meaning = "square"

    def check(self, value: Tensor) -> Any:
        return (value == value).all(-1).all(-1) | (value.shape[-1] == value.shape[-2])


class _Symmetric(_Matrix):
    meaning = "symmetric"

    def check(self, value: Tensor) -> Any:
        return ((value - value.mT).abs() <= 1e-6 + 1e-5 * value.mT.abs()).all(-1).all(-1)


class _PositiveDefinite(_Matrix):
    meaning = "symmetric and positive definite"

    def check(self, value: Tensor) -> Any:
        looks_right = symmetric.check(value)
        tried = where(looks_right.unsqueeze(-1).unsqueeze(-1), value, 0.0)
        return looks_right & (eigvalsh(tried) > 0).all(-1)


class _PositiveSemidefinite(_Matrix):
    meaning = "symmetric and positive semidefinite"

    def check(self, value: Tensor) -> Any:
        looks_right = symmetric.check(value)
        tried = where(looks_right.unsqueeze(-1).unsqueeze(-1), value, 0.0)
        return looks_right & (eigvalsh(tried) >= 0).all(-1)


class _Parts(Constraint):
    """Several constraints, each for a part of a tensor along one dimension."""

    def __init__(self, cseq: Any, dim: int) -> None:
        self.cseq, self.dim = list(cseq), dim
        if not all(isinstance(part, Constraint) for part in self.cseq):
            raise TypeError("cat and stack of constraints: expected a sequence of constraints")
        self.is_discrete = any(part.is_discrete for part in self.cseq)
        self.meaning = "each part " + ", ".join(part.meaning for part in self.cseq)


class _Cat(_Parts):
    """Constraints for parts of a tensor along `dim`, of these lengths (default: one each).

    >>> import frazil as fz
    >>> c = fz.distributions.constraints
    >>> c.cat([c.positive, c.real], lengths=[1, 2]).check(fz.tensor([-1.0, -1.0, 2.0]))
    tensor([False,  True,  True])
    """

    def __init__(self, cseq: Any, dim: int = 0, lengths: Any = None) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        self.event_dim = max(part.event_dim for part in self.cseq)
        if len(self.lengths) != len(self.cseq):
            raise ValueError(f"cat of {len(self.cseq)} constraints: expected as many lengths, given {self.lengths}")

    def check(self, value: Tensor) -> Any:
        parts = value.split(self.lengths, self.dim)
        return cat_tensors([part.check(values) for part, values in zip(self.cseq, parts, strict=True)], self.dim)


class _Stack(_Parts):
    """Constraints for the slices of a tensor along `dim`.

    >>> import frazil as fz
    >>> c = fz.distributions.constraints
    >>> c.stack([c.positive, c.real], dim=-1).check(fz.tensor([[1.0, -1.0], [-1.0, 1.0]]))
    tensor([[ True,  True],
            [False,  True]])
    """

    def __init__(self, cseq: Any, dim: int = 0) -> None:
        super().__init__(cseq, dim)
        events = max(part.event_dim for part in self.cseq)
        self.event_dim = events + (dim + events < 0)  # counted from the back, the dimension may be one of the event's

    def check(self, value: Tensor) -> Any:
        slices = value.unbind(self.dim)
        return stack_tensors([part.check(values) for part, values in zip(self.cseq, slices, strict=True)], self.dim)


class _IndependentConstraint(Constraint):
    """The last dimensions of a constraint's events count as one event."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete, self.meaning = base_constraint.is_discrete, base_constraint.meaning
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Any:
        inside = self.base_constraint.check(value)
        for _ in range(self.reinterpreted_batch_ndims):
            inside = inside.all(-1)
        return inside

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('_')}({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


dependent: Constraint = _Dependent()
boolean: Constraint = _Boolean()
one_hot: Constraint = _OneHot()
real: Constraint = _Real()
real_vector: Constraint = _IndependentConstraint(real, 1)
positive: Constraint = _GreaterThan(0.0)
nonnegative: Constraint = _GreaterThanEq(0.0)
unit_interval: Constraint = _Interval(0.0, 1.0)
nonnegative_integer: Constraint = _IntegerGreaterThan(0)
positive_integer: Constraint = _IntegerGreaterThan(1)
simplex: Constraint = _Simplex()
lower_triangular: Constraint = _LowerTriangular()
lower_cholesky: Constraint = _LowerCholesky()
corr_cholesky: Constraint = _CorrCholesky()
square: Constraint = _Square()
symmetric: Constraint = _Symmetric()
positive_definite: Constraint = _PositiveDefinite()
positive_semidefinite: Constraint = _PositiveSemidefinite()
multinomial = _Multinomial
cat = _Cat
stack = _Stack
independent = _IndependentConstraint
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
interval = _Interval
half_open_interval = _HalfOpenInterval
integer_interval = _IntegerInterval


def is_dependent(constraint: Any) -> bool:
    """Return whether only a distribution can check this constraint.

    >>> import frazil as fz
    >>> c = fz.distributions.constraints
    >>> c.is_dependent(c.dependent), c.is_dependent(c.real)
    (True, False)
    """
    return isinstance(constraint, _Dependent)
