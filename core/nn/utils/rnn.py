"""Sequences of different lengths, as `torch.nn.utils.rnn`.

PyTorch packs such sequences step by step into one long tensor without gaps. Here a `PackedSequence` holds them padded, with
their lengths, and makes PyTorch's form when it is asked for: so a recurrent layer can be recorded for lengths that are only known
at run time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

from ...creation import arange, full
from ...creation import tensor as make_tensor
from ...errors import ArgumentError, ShapeError
from ...ops.elementwise import lt, where
from ...ops.reduction import argsort
from ...ops.shape import cat, reshape, stack, unbind, unsqueeze
from ...sizes import same, size_max
from ...state import STATE
from ...tensor import Tensor


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return where each index stands in a permutation.

    >>> import frazil as fz
    >>> fz.nn.utils.rnn.invert_permutation(fz.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else argsort(permutation)


def _valid(lengths: Tensor, time: Any) -> Tensor:
    """Which steps belong to a sequence: bool [time, batch]."""
    return lt(unsqueeze(arange(time, device=lengths.device), 1), unsqueeze(lengths, 0))


def _masked(padded: Tensor, lengths: Tensor, value: float) -> Tensor:
    """[time, batch, ...] with `value` behind the end of each sequence."""
    valid = _valid(lengths.to(padded.device), padded.shape[0])
    filling = full((), value, dtype=padded.dtype, device=padded.device)
    return where(reshape(valid, shape=(*padded.shape[:2], *[1] * (padded.ndim - 2))), padded, filling)


@final
class PackedSequence:
    """A batch of sequences of different lengths; made by `pack_sequence` and `pack_padded_sequence`, taken by recurrent layers.

    Its fields, in this order, are PyTorch's: `data` [total steps, ...] has the first step of all sequences from the longest to
    the shortest, then the second step of all that have one, and so on; `batch_sizes` says how many have each step;
    `sorted_indices` says which sequence comes where (None: they were sorted already), `unsorted_indices` is its inverse.

    >>> import frazil as fz
    >>> packed = fz.nn.utils.rnn.pack_sequence([fz.tensor([1, 2]), fz.tensor([3, 4, 5])], enforce_sorted=False)
    >>> packed.data, packed.batch_sizes
    (tensor([3, 1, 4, 2, 5]), tensor([2, 2, 1]))
    """

    def __init__(
        self,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> None:
        if isinstance(data, (tuple, list)) and batch_sizes is None:
            data, batch_sizes, *_ = data
        if batch_sizes is None:
            raise ArgumentError("PackedSequence: batch_sizes is missing; use pack_sequence or pack_padded_sequence")
        places = batch_sizes.unsqueeze(1) > arange(batch_sizes[0], device=batch_sizes.device)  # [time, batch], the longest first
        positions = reshape(places.reshape(-1).cumsum(0) - 1, shape=tuple(places.shape)).clamp(min=0)
        lengths = places.sum(0)
        padded = _masked(data[positions.to(data.device)], lengths, 0)
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        elif sorted_indices is None:
            sorted_indices = invert_permutation(unsorted_indices)
        if unsorted_indices is not None:
            padded = padded.index_select(1, unsorted_indices.to(data.device))
            lengths = lengths[unsorted_indices.to(lengths.device)]
        self._set(padded, lengths, sorted_indices is not None, True, sorted_indices)

    def _set(self, padded: Tensor, lengths: Tensor, sorts: bool, zeroed: bool, order: Tensor | None) -> None:
        self._padded = padded  # [time, batch, ...], the sequences in the user's order
        self._lengths = lengths
        self._sorts = sorts
        self._zeroed = zeroed  # whether there are zeros behind the ends
        self._order = order

    @classmethod
    def _of(cls, padded: Tensor, lengths: Tensor, sorts: bool, zeroed: bool = False) -> PackedSequence:
        self = cls.__new__(cls)
        self._set(padded, lengths, sorts, zeroed, None)
        return self

    def _map(self, function: Callable[[Tensor], Tensor], zeroed: bool | None = None) -> PackedSequence:
        """The same sequences with other values."""
        result = PackedSequence._of(
            function(self._padded), self._lengths, self._sorts, self._zeroed if zeroed is None else zeroed
        )
        result._order = self._order
        return result

    # --- PyTorch's form

    @property
    def sorted_indices(self) -> Tensor | None:
        """Return which sequence comes where in `data`, the longest first; None where they were sorted already."""
        if self._sorts and self._order is None:
            self._order = argsort(self._lengths, descending=True).to(self._padded.device)
        return self._order

    @property
    def unsorted_indices(self) -> Tensor | None:
        """The inverse of `sorted_indices`."""
        return invert_permutation(self.sorted_indices)

    @property
    def batch_sizes(self) -> Tensor:
        """Return how many sequences have each step."""
        return _valid(self._lengths, self._padded.shape[0]).sum(1)

    @property
    def data(self) -> Tensor:
        """The steps of all sequences without gaps: [total steps, ...]."""
        padded, lengths, order = self._padded, self._lengths.to(self._padded.device), self.sorted_indices
        if order is not None:
            padded, lengths = padded.index_select(1, order), lengths[order]
        return padded[_valid(lengths, padded.shape[0])]

    _fields = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")

    def __iter__(self) -> Iterator[Tensor | None]:
        return (getattr(self, name) for name in self._fields)

    def __getitem__(self, index: int) -> Tensor | None:
        return getattr(self, self._fields[index])

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"PackedSequence({', '.join(f'{name}={getattr(self, name)}' for name in self._fields)})"

    # --- as a tensor

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """As `Tensor.to`."""
        return self._map(lambda t: t.to(*args, **kwargs))

    def cpu(self) -> PackedSequence:
        """On the CPU."""
        return self._map(lambda t: t.cpu())

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """On a CUDA device."""
        return self._map(lambda t: t.cuda(*args, **kwargs))

    def double(self) -> PackedSequence:
        """As float64."""
        return self._map(lambda t: t.double())

    def float(self) -> PackedSequence:
        """As float32."""
        return self._map(lambda t: t.float())

    def half(self) -> PackedSequence:
        """As float16."""
        return self._map(lambda t: t.half())

    def bfloat16(self) -> PackedSequence:
        """As bfloat16."""
        return self._map(lambda t: t.bfloat16())

    def long(self) -> PackedSequence:
        """As int64."""
        return self._map(lambda t: t.long())

    def int(self) -> PackedSequence:
        """As int32."""
        return self._map(lambda t: t.int())

    def pin_memory(self) -> PackedSequence:
        """This, since memory is never pinned."""
        return self

    def is_pinned(self) -> bool:
        """Return whether the memory is pinned: never."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Return whether it is on a CUDA device."""
        return self._padded.is_cuda


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Sequences from a padded tensor.

    Args:
        input: [time, batch, ...], or [batch, time, ...] if `batch_first`; what is behind the end of a sequence does not matter.
        lengths: of each sequence, at least 1 and at most `time`.
        enforce_sorted: demand that the longest comes first. Not checked while recording, where lengths have no numbers yet.

    >>> import frazil as fz
    >>> packed = fz.nn.utils.rnn.pack_padded_sequence(fz.ones(3, 2, 4), [3, 1])
    >>> packed.data.shape, packed.batch_sizes
    (frazil.Size([4, 4]), tensor([2, 1, 1]))
    """
    if input.ndim < 2:
        raise ShapeError(f"pack_padded_sequence: input must have a time and a batch dimension, given {list(input.shape)}")
    padded = input.transpose(0, 1) if batch_first else input
    lengths = lengths if isinstance(lengths, Tensor) else make_tensor(list(lengths))
    time, batch = padded.shape[:2]
    if lengths.ndim != 1 or lengths.shape[0] != batch:
        raise ShapeError(
            f"pack_padded_sequence: expected len(lengths) to be equal to the batch size {batch}, given {list(lengths.shape)}"
        )
    if STATE.recorder is None:
        numbers = lengths.tolist()
        if not numbers or min(numbers) <= 0:
            raise ArgumentError(f"pack_padded_sequence: every length has to be greater than 0, given {numbers}")
        if max(numbers) > time:
            raise ArgumentError(f"pack_padded_sequence: input has {time} steps, but lengths are {numbers}")
        if enforce_sorted and any(a < b for a, b in itertools.pairwise(numbers)):
            raise ArgumentError(
                f"pack_padded_sequence: lengths must be in decreasing order when enforce_sorted is True, given {numbers}; pass "
                "enforce_sorted=False for any order"
            )
        padded = padded[: max(numbers)]
    elif (isinstance(batch, int) or batch.hint is not None) and batch == 0:  # the numbers are not known, that there are some is
        raise ArgumentError("pack_padded_sequence: every length has to be greater than 0, given []")
    return PackedSequence._of(padded, lengths, not enforce_sorted)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`: a padded tensor, and the length of each sequence.

    Args:
        total_length: pad to this many steps (default: as many as the longest has). In an exported model, give the number of steps
            of its input: then the result has a size that is known from the input.

    >>> import frazil as fz
    >>> packed = fz.nn.utils.rnn.pack_sequence([fz.tensor([1, 2, 3]), fz.tensor([4])])
    >>> fz.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """
    padded, lengths = sequence._padded, sequence._lengths
    time = padded.shape[0]
    if not sequence._zeroed or padding_value != 0:
        padded = _masked(padded, lengths, padding_value)
    if total_length is None and STATE.recorder is not None:
        padded = padded[arange(time, device=lengths.device) < lengths.max()]
    elif total_length is not None and not same(total_length, time):
        if total_length < time:
            raise ArgumentError(
                "pad_packed_sequence: expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {time}"
            )
        padded = _lengthened(padded, total_length, padding_value)
    return padded.transpose(0, 1) if batch_first else padded, lengths


def _lengthened(x: Tensor, length: Any, value: float, side: str = "right") -> Tensor:
    """`x` with this many steps along dimension 0."""
    missing = length - x.shape[0]
    if same(missing, 0):
        return x
    more = full((missing, *x.shape[1:]), value, dtype=x.dtype, device=x.device)
    return cat([x, more] if side == "right" else [more, x], dim=0)


def pad_sequence(
    sequences: Tensor | Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Stack tensors [length, ...] of different lengths into [longest, batch, ...], or [batch, longest, ...] if `batch_first`.

    >>> import frazil as fz
    >>> fz.nn.utils.rnn.pad_sequence([fz.tensor([1, 2, 3]), fz.tensor([4])], batch_first=True, padding_value=-1)
    tensor([[ 1,  2,  3],
            [ 4, -1, -1]])
    """
    if not isinstance(sequences, (list, tuple, Tensor)):
        raise ArgumentError(f"pad_sequence: expected a list or tuple of tensors, given a {type(sequences).__name__}")
    if padding_side not in ("left", "right"):
        raise ArgumentError(f"pad_sequence: padding_side is 'right' or 'left', given {padding_side!r}")
    rows = list(sequences)
    if not rows:
        raise ArgumentError("pad_sequence: expected at least one tensor, given none")
    longest = size_max(*(row.shape[0] for row in rows))
    return stack([_lengthened(row, longest, padding_value, padding_side) for row in rows], 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The inverse of `pad_sequence`.

    >>> import frazil as fz
    >>> fz.nn.utils.rnn.unpad_sequence(fz.tensor([[1, 2], [3, 0]]), fz.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    rows = unbind(padded_sequences, 0 if batch_first else 1)
    return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors [length, ...] of different lengths; `enforce_sorted` as in `pack_padded_sequence`.

    >>> import frazil as fz
    >>> fz.nn.utils.rnn.pack_sequence([fz.tensor([1, 2, 3]), fz.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """
    lengths = make_tensor([sequence.shape[0] for sequence in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of `pack_sequence`.

    >>> import frazil as fz
    >>> packed = fz.nn.utils.rnn.pack_sequence([fz.tensor([1, 2, 3]), fz.tensor([4])])
    >>> fz.nn.utils.rnn.unpack_sequence(packed)
    [tensor([1, 2, 3]), tensor([4])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
