"""Distributions of classes."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..creation import arange, eye
from ..dtypes import finfo
from ..errors import ShapeError
from ..nn.functional import one_hot
from ..ops.shape import broadcast_tensors
from ..random import multinomial
from ..tensor import Tensor
from .constraints import Constraint, independent, integer_interval, real, simplex
from .constraints import one_hot as one_hot_vector
from .distribution import Distribution, clamp_probs, probs_or_logits


class Categorical(Distribution):
    """Classes 0 to k - 1 with probabilities `probs` (scaled to sum to 1) or `softmax(logits)`, over the last dimension.

    >>> import frazil as fz
    >>> d = fz.distributions.Categorical(probs=fz.tensor([[1.0, 3.0], [0.0, 2.0]]))
    >>> d.log_prob(fz.tensor([0, 1])).exp(), d.sample((5,)).shape
    (tensor([0.2500, 1.0000]), frazil.Size([5, 2]))
    """

    has_enumerate_support = True
    arg_constraints = {"probs": simplex, "logits": independent(real, 1)}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = probs_or_logits(type(self), probs, logits)
        if given.ndim < 1:
            raise ShapeError("Categorical: probs and logits need at least one dimension, that of the classes; given a number")
        self._parameters = ("logits",) if probs is None else ("probs",)
        if probs is None:
            self.logits = given - given.logsumexp(dim=-1, keepdim=True)
            self.probs = self.logits.softmax(-1)
        else:
            self.probs = given / given.sum(-1, keepdim=True)
            self.logits = clamp_probs(self.probs).log()
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> Any:
        """The shape of `probs`."""
        return self.probs.shape

    @property
    def mode(self) -> Tensor:
        """The most likely class."""
        return self.probs.argmax(-1)

    @property
    def mean(self) -> Tensor:
        """Not a number: classes have no order."""
        return self.probs.sum(-1) * float("nan")

    @property
    def variance(self) -> Tensor:
        """Not a number: classes have no order."""
        return self.mean

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Classes (int64) of shape `sample_shape + batch_shape`."""
        count = 1
        for size in sample_shape:
            count = count * size
        with no_grad():
            drawn = multinomial(self.probs.detach().reshape(-1, self._num_events), count, True)
        return drawn.t().reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of the classes `value`."""
        self._check_value(value)
        index, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return -(self.logits.clamp(min=finfo(self.logits.dtype).min) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All classes, along a new first dimension."""
        values = arange(self._num_events, device=self.probs.device).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values


class OneHotCategorical(Distribution):
    """As `Categorical`, but its values are vectors with a 1 at the class.

    >>> import frazil as fz
    >>> fz.distributions.OneHotCategorical(logits=fz.tensor([0.0, 50.0, 0.0])).sample()
    tensor([0., 1., 0.])
    """

    has_enumerate_support = True
    arg_constraints = {"probs": simplex, "logits": independent(real, 1)}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits, validate_args=False)
        self._parameters = self._categorical._parameters
        self.probs, self.logits = self._categorical.probs, self._categorical.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:], validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return one_hot_vector

    @property
    def mean(self) -> Tensor:
        """`probs`"""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The vector of the most likely class."""
        return one_hot(self._categorical.mode, self._categorical._num_events).to(self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        """`probs * (1 - probs)`"""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Vectors of shape `sample_shape + batch_shape + (k,)`."""
        return one_hot(self._categorical.sample(sample_shape), self._categorical._num_events).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of the vectors `value`."""
        self._check_value(value)
        return self._categorical.log_prob(value.argmax(-1))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All vectors, along a new first dimension."""
        k = self._event_shape[0]
        values = eye(k, dtype=self.probs.dtype, device=self.probs.device).reshape(k, *[1] * len(self._batch_shape), k)
        return values.expand(k, *self._batch_shape, k) if expand else values

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self._categorical.entropy()


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """As `OneHotCategorical`, with samples that pass their gradient to `probs` as they are (Bengio et al., 2013).

    >>> import frazil as fz
    >>> p = fz.tensor([0.0, 1.0], requires_grad=True)
    >>> fz.distributions.OneHotCategoricalStraightThrough(p).rsample()
    tensor([0., 1.], grad_fn=<AddBackward0>)
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """A vector with a 1 at the class, whose gradient is that of `probs`."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
