"""`Distribution`: the base class of the distributions."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..creation import as_tensor
from ..dtypes import finfo, get_default_dtype
from ..errors import ArgumentError
from ..ops.elementwise import clamp
from ..ops.shape import broadcast_tensors
from ..tensor import Size, Tensor


class Distribution:
    """Base class: a batch (`batch_shape`) of distributions over values of shape `event_shape`.

    A subclass defines some of `rsample`, `sample`, `log_prob`, `entropy`, `mean`, `variance`. `validate_args=False` leaves out
    the checks of parameters and values, which read numbers.
    """

    has_rsample = False
    #: The parameters, as they are printed.
    _parameters: tuple[str, ...] = ()
    _validate_args = True

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args

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

    def _missing(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {name}")

    def _check_parameter(self, name: str, allowed: Any, meaning: str) -> None:
        """Raise unless `allowed`, a bool tensor about the parameter `name`, is true everywhere."""
        if self._validate_args and not allowed._dev.recording and not allowed.all():
            raise ValueError(f"{type(self).__name__}: parameter {name} must be {meaning}, given {getattr(self, name)}")

    def _check_value(self, allowed: Any, meaning: str) -> None:
        """Raise unless `allowed`, a bool tensor about the values of a call, is true everywhere."""
        if self._validate_args and not allowed._dev.recording and not allowed.all():
            raise ValueError(f"{type(self).__name__}: the value must be {meaning}; validate_args=False leaves out this check")

    def __repr__(self) -> str:
        shown = []
        for name in self._parameters:
            value = getattr(self, name)
            one = isinstance(value, Tensor) and value.ndim == 0 and not value._dev.recording
            shown.append(f"{name}: {value.item() if one else value.shape if isinstance(value, Tensor) else value}")
        return f"{type(self).__name__}({', '.join(shown)})"


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
