"""The adaptive softmax: frequent classes at the head, rare ones in clusters of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...creation import zeros
from ...errors import ArgumentError, ShapeError
from ...ops.common import at_hand
from ...ops.elementwise import where
from ...ops.shape import cat
from ...tensor import Tensor
from .. import functional as F
from ..module import Module
from .common import DeviceLike, DTypeLike
from .container import ModuleList, Sequential
from .linear import Linear


class _Result(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probability of the target among very many classes, sorted by how often they occur, and the mean loss.

    The classes below `cutoffs[0]` are scored by the head, those between two cutoffs by a cluster whose own layer is narrower by
    `div_value` from one to the next. Source: Grave et al., https://arxiv.org/abs/1609.04309.

    >>> import frazil as fz
    >>> layer = fz.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[5, 10])
    >>> output, loss = layer(fz.ones(3, 8), fz.tensor([1, 7, 19]))
    >>> output.shape, layer.log_prob(fz.ones(3, 8)).shape, layer.predict(fz.ones(3, 8)).shape
    (frazil.Size([3]), frazil.Size([3, 20]), frazil.Size([3]))
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        given = list(cutoffs)
        if not given:
            raise ArgumentError("AdaptiveLogSoftmaxWithLoss: cutoffs should be a sequence of length larger than 0")
        if given != sorted({int(c) for c in given}) or given[0] <= 0 or given[-1] > n_classes - 1:
            raise ArgumentError(
                "AdaptiveLogSoftmaxWithLoss: cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                f"order, where each value is between 1 and n_classes-1, given {given} for {n_classes} classes"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*given, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = given[0]
        self.n_clusters = len(given)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(self._clusters()):
            width = int(in_features // div_value ** (i + 1))
            inner = Linear(in_features, width, bias=False, device=device, dtype=dtype)
            self.tail.append(Sequential(inner, Linear(width, high - low, bias=False, device=device, dtype=dtype)))

    def _clusters(self) -> list[tuple[int, int]]:
        return list(zip(self.cutoffs, self.cutoffs[1:], strict=False))

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> _Result:
        if (input.ndim, target.ndim) not in ((2, 1), (1, 0)):
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss: expected an input [N, features] with a target [N], or [features] with a single "
                f"class, given {list(input.shape)} and {list(target.shape)}"
            )
        if not target.ndim:
            output, loss = self(input.unsqueeze(0), target.unsqueeze(0))
            return _Result(output.squeeze(0), loss)
        if input.shape[0] != target.shape[0]:
            raise ShapeError(
                "AdaptiveLogSoftmaxWithLoss: Input and target should have the same size in the batch dimension, given "
                f"{list(input.shape)} and {list(target.shape)}"
            )
        known = at_hand(target)
        if known is not None and known.size and not 0 <= known.min() <= known.max() < self.n_classes:
            raise ArgumentError(
                f"AdaptiveLogSoftmaxWithLoss: Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{known.min()}, {known.max()}] were found"
            )
        output = zeros(target.shape[0], dtype=input.dtype, device=input.device)
        at = target
        for i, (low, high) in enumerate(self._clusters()):
            inside = (target >= low) & (target < high)
            at = where(inside, self.shortlist_size + i, at)
            rows = inside.nonzero().squeeze(1)
            scores = F.log_softmax(self.tail[i](input.index_select(0, rows)), dim=1)
            found = scores.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
            output = output.index_add(0, rows, found)
        output = output + F.log_softmax(self.head(input), dim=1).gather(1, at.unsqueeze(1)).squeeze(1)
        return _Result(output, -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes [N, n_classes] for `input` [N, features]."""
        head = F.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, layer in enumerate(self.tail):
            parts.append(F.log_softmax(layer(input), dim=1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return cat(parts, dim=1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable class for each row of `input` [N, features]."""
        return self.log_prob(input).argmax(dim=1)
