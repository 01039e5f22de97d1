"""Attention whose scores a function changes, as `torch.nn.attention.flex_attention`, computed by its definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, final

from ...creation import arange
from ...dtypes import int32
from ...errors import ArgumentError, ShapeError
from ...ops.elementwise import where
from ...ops.reduction import logsumexp
from ...spelling import tell_names as _tell_names
from ...tensor import Tensor

#: (batch, head, row of query, row of key) -> whether they see one another.
MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
#: (score, batch, head, row of query, row of key) -> score.
ScoreMod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


#: Options of PyTorch's kernels, which programs name.
FlexKernelOptions = dict[str, Any]


class AuxRequest(NamedTuple):
    """A choice of what `flex_attention` returns beside its result."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """Results that an `AuxRequest` asked for, each [B, H, L], and None for the rest."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


def _places(batches: Any, heads: Any, rows: Any, columns: Any, device: Any) -> list[Tensor]:
    """The four indices of every score, each along its own dimension: they broadcast to [batches, heads, rows, columns]."""
    return [
        arange(n, dtype=int32, device=device).reshape([-1 if i == own else 1 for i in range(4)])
        for own, n in enumerate((batches, heads, rows, columns))
    ]


#: PyTorch's size of blocks, which programs import; masks are not stored in blocks here.
_DEFAULT_SPARSE_BLOCK_SIZE = 128


@final
class BlockMask:
    """A mask: the rows of the key that each row of the query sees. It is what `create_block_mask` makes."""

    def __init__(self, mask_mod: MaskMod, shape: tuple[Any, ...]) -> None:
        self.mask_mod = mask_mod
        self.shape = shape

    def dense(self, batches: Any, heads: Any, rows: Any, columns: Any, device: Any) -> Tensor:
        """Return the mask as a bool tensor that broadcasts to [batches, heads, rows, columns]."""
        return self.mask_mod(*_places(batches, heads, rows, columns, device))

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape})"


def create_block_mask(
    mask_mod: MaskMod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: Any = _DEFAULT_SPARSE_BLOCK_SIZE,
) -> BlockMask:
    """A mask for `flex_attention` from a function of four index tensors. B and H may be None: the same for all.

    >>> import frazil as fz
    >>> from frazil.nn.attention.flex_attention import create_block_mask
    >>> create_block_mask(lambda b, h, q, k: q >= k, None, None, 4, 4)
    BlockMask(shape=(1, 1, 4, 4))
    """
    return BlockMask(mask_mod, (B or 1, H or 1, Q_LEN, KV_LEN))


def create_mask(mask_mod: MaskMod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None) -> Tensor:
    """The bool tensor [B, H, Q_LEN, KV_LEN] that a function of four index tensors gives.

    >>> import frazil as fz
    >>> from frazil.nn.attention.flex_attention import create_mask
    >>> create_mask(lambda b, h, q, k: q >= k, None, None, 2, 2)
    tensor([[[[ True, False],
              [ True,  True]]]])
    """
    shape = (B or 1, H or 1, Q_LEN, KV_LEN)
    return BlockMask(mask_mod, shape).dense(*shape, device).expand(*shape)


def and_masks(*mask_mods: MaskMod) -> MaskMod:
    """The function of a mask that lets through what all of them let through.

    >>> import frazil as fz
    >>> from frazil.nn.attention.flex_attention import and_masks, create_mask
    >>> near = and_masks(lambda b, h, q, k: q >= k, lambda b, h, q, k: q - k < 2)
    >>> create_mask(near, None, None, 3, 3).sum()
    tensor(5)
    """

    def both(*places: Tensor) -> Tensor:
        first, *rest = [mask(*places) for mask in mask_mods]
        for mask in rest:
            first = first & mask
        return first

    return both


def or_masks(*mask_mods: MaskMod) -> MaskMod:
    """The function of a mask that lets through what one of them lets through.

    >>> import frazil as fz
    >>> from frazil.nn.attention.flex_attention import create_mask, or_masks
    >>> create_mask(or_masks(lambda b, h, q, k: q > k, lambda b, h, q, k: q < k), None, None, 3, 3).sum()
    tensor(6)
    """

    def either(*places: Tensor) -> Tensor:
        first, *rest = [mask(*places) for mask in mask_mods]
        for mask in rest:
            first = first | mask
        return first

    return either


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """The function of a mask that hides nothing.

    >>> import frazil as fz
    >>> from frazil.nn.attention.flex_attention import create_mask, noop_mask
    >>> bool(create_mask(noop_mask, None, None, 2, 2).all())
    True
    """
    return (token_q == token_q) & (token_kv == token_kv)


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: ScoreMod | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """softmax(score_mod(query @ key.T * scale, b, h, q, kv)) @ value: query [B, H, L, E], key [B, H, S, E], value [B, H, S, D].

    Args:
        score_mod: gives each score from the score and four index tensors; they broadcast to [B, H, L, S].
        block_mask: which rows see one another; a row that sees none is zero.
        scale: 1 / sqrt(E) if not given.
        enable_gqa: query may have a multiple of the heads of key and value.
        return_lse: return also the logarithm of what the weights were divided by, [B, H, L].
        kernel_options: accepted for PyTorch's sake.
        return_aux: return also an `AuxOutput` with that logarithm, or the largest scores.

    >>> import frazil as fz
    >>> from frazil.nn.attention.flex_attention import flex_attention
    >>> x = fz.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    >>> flex_attention(x, x, x, lambda score, b, h, q, k: fz.where(q >= k, score, -fz.inf))
    tensor([[[[1.0000, 0.0000],
              [0.3302, 0.6698]]]])
    """
    if not query.ndim == key.ndim == value.ndim == 4:
        raise ShapeError(f"flex_attention: expected 4 dimensions, given {query.ndim}, {key.ndim} and {value.ndim}")
    if key.shape[1] != query.shape[1]:
        if not enable_gqa or query.shape[1] % key.shape[1]:
            raise ArgumentError(
                f"flex_attention: query has {query.shape[1]} heads, key has {key.shape[1]}; with enable_gqa=True query may have "
                "a multiple of those of key"
            )
        times = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    places = _places(query.shape[0], query.shape[1], query.shape[2], key.shape[2], query.device)
    if score_mod is not None:
        scores = score_mod(scores, *places)
    if block_mask is not None:
        scores = where(block_mask.mask_mod(*places), scores, -math.inf)
    seen = logsumexp(scores, dim=-1, keepdim=True)
    weights = where(seen == -math.inf, 0.0, (scores - where(seen == -math.inf, 0.0, seen)).exp())
    out = weights.to(query.dtype) @ value
    if return_aux is not None:
        if return_lse:
            raise ValueError("flex_attention: return_lse is the older form of return_aux=AuxRequest(lse=True); give one of them")
        largest = scores.amax(-1) if return_aux.max_scores else None
        return out, AuxOutput(seen.squeeze(-1) if return_aux.lse else None, largest)
    return (out, seen.squeeze(-1)) if return_lse else out


_tell_names(__name__)
