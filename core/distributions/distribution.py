"""`Distribution`: the base class of the distributions."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, Self

from ..autograd.modes import no_grad
from ..creation import as_tensor
from ..dtypes import finfo, get_default_dtype
from ..errors import ArgumentError, ShapeError
from ..ops.common import has_numbers
from ..ops.elementwise import clamp
from ..ops.shape import broadcast_tensors
from ..random import rand
from ..sizes import broadcast_shapes
from ..state import STATE
from ..tensor import Size, Tensor
from .constraints import Constraint, dependent, is_dependent


class Distribution:
    """Base class: a batch (`batch_shape`) of distributions over values of shape `event_shape`.

    A subclass defines some of `rsample`, `sample`, `log_prob`, `entropy`, `mean`, `variance`. `validate_args=False` leaves out
    the checks of parameters and values, which read numbers.
    """

    has_rsample = False
    has_enumerate_support = False
    #: What each parameter may be.
    arg_constraints: Mapping[str, Constraint] = {}
    #: The parameters, as they are printed, where not all of `arg_constraints` are.
    _parameters: tuple[str, ...] | None = None
    _validate_args = True

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Set whether distributions check their parameters and values, unless told otherwise."""
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape over which the parameters range."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise self._missing("mean")

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        raise self._missing("mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise self._missing("variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return dependent

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """Return the same distribution with a larger batch: parameters are broadcast to `batch_shape`, without a copy."""
        new = copy.copy(self)
        wide, batch = tuple(batch_shape), len(self._batch_shape)
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor):
                setattr(new, name, value.expand(*wide, *value.shape[batch:]))
            elif isinstance(value, Distribution):
                setattr(new, name, value.expand((*wide, *value.batch_shape[batch:])))
        new._batch_shape = Size(wide)
        return new

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """The object that `expand` of a subclass in PyTorch's style fills in; `cls` is the class that defines that `expand`."""
        if _instance is not None:
            return _instance
        if type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"{type(self).__name__} has an __init__ of its own, so {cls.__name__}.expand cannot make one; define it too"
            )
        return object.__new__(type(self))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first dimension."""
        raise self._missing("enumerate_support")

    def sample_n(self, n: int) -> Tensor:
        """Return `sample((n,))`."""
        return self.sample((n,))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape `sample_shape + batch_shape + event_shape`, without gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values as a differentiable function of the parameters."""
        raise self._missing("rsample")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density (or probability) at `value`."""
        raise self._missing("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        raise self._missing("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        raise self._missing("icdf")

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        raise self._missing("entropy")

    def perplexity(self) -> Tensor:
        """`exp(entropy())`."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Any = ()) -> tuple[Any, ...]:
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def _uniform(self, shape: Any) -> Tensor:
        """Uniform numbers above 0 and below 1, where the parameters are."""
        like = next(value for value in self.__dict__.values() if isinstance(value, Tensor)).detach()
        kept = finfo(like.dtype)
        with no_grad():
            return rand(shape, dtype=like.dtype, device=like.device).clamp(min=kept.tiny, max=1 - kept.eps)

    def _missing(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {name}")

    def _given_parameter(self, name: str) -> Any:
        """The parameter, or None where another one was given instead of it."""
        return self.__dict__.get(name)

    def _check_parameters(self) -> None:
        """Raise unless every parameter that was given is what `arg_constraints` say."""
        for name, constraint in self.arg_constraints.items():
            given = self._given_parameter(name)
            if not isinstance(given, Tensor) or not may_check(given) or is_dependent(constraint):
                continue
            if not constraint.check(given.detach()).all():
                raise ValueError(f"{type(self).__name__}: parameter {name} must be {constraint.meaning}, given {given}")

    def _check_value(self, value: Tensor) -> None:
        """Raise unless all values of a call are of the support."""
        if not self._validate_args or not may_check(value):
            return
        lead, event = len(value.shape) - len(self._event_shape), tuple(self._event_shape)
        if lead < 0 or tuple(value.shape[lead:]) != event:
            raise ShapeError(f"{type(self).__name__}: one value has the shape {list(event)}, given values {list(value.shape)}")
        try:
            broadcast_shapes(value.shape[:lead], self._batch_shape)
        except (RuntimeError, ValueError):
            raise ShapeError(
                f"{type(self).__name__}: values of shape {list(value.shape)} do not broadcast with the batch "
                f"{list(self._batch_shape)}"
            ) from None
        support = self.support
        if not is_dependent(support) and not support.check(value.detach()).all():
            raise ValueError(
                f"{type(self).__name__}: the value must be {support.meaning}; validate_args=False leaves out this check"
            )

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints if self._parameters is None else self._parameters:
            value = self._given_parameter(name)
            if value is None:
                continue
            one = isinstance(value, Tensor) and value.ndim == 0 and has_numbers(value)
            shown.append(f"{name}: {value.item() if one else value.shape if isinstance(value, Tensor) else value}")
        return f"{type(self).__name__}({', '.join(shown)})"


def may_check(x: Tensor) -> bool:
    """Return whether the values of a tensor may be checked: they are there, and no recording would keep the check."""
    return has_numbers(x) and STATE.recorder is None


def broadcast_all(*values: Any) -> list[Tensor]:
    """Numbers and tensors as tensors of one shape; numbers take dtype and device of the first tensor."""
    first = next((value for value in values if isinstance(value, Tensor)), None)
    dtype, device = (get_default_dtype(), None) if first is None else (first.dtype, first.device)
    made = [value if isinstance(value, Tensor) else as_tensor(value, dtype=dtype, device=device) for value in values]
    return list(broadcast_tensors(*made))


def probs_or_logits(kind: type, probs: Any, logits: Any) -> Any:
    """The one of the two that is given."""
    if (probs is None) == (logits is None):
        raise ArgumentError(f"{kind.__name__}: give either probs or logits, given {'neither' if probs is None else 'both'}")
    return logits if probs is None else probs


def clamp_probs(probs: Tensor) -> Tensor:
    """Away from 0 and 1, where the logarithm has no gradient."""
    eps = finfo(probs.dtype).eps
    return clamp(probs, min=eps, max=1 - eps)


HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
