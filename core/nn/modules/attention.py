"""Attention with several heads, and positions."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..functional.attention import attend
from ..module import Module
from ..parameter import Parameter
from .common import DeviceLike, DTypeLike, new_parameter
from .linear import NonDynamicallyQuantizableLinear


class MultiheadAttention(Module):
    """Attention in several heads, each in its own projection. Source: https://arxiv.org/abs/1706.03762.

    Inputs are [L, N, E], [N, L, E] with `batch_first`, or [L, E]. Bool masks are True where a key is not seen. The weights are
    `in_proj_weight` [3 * embed_dim, embed_dim] (queries, keys, values), or three of them where `kdim` or `vdim` differ.

    >>> import frazil as fz
    >>> attention = fz.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = fz.ones(3, 5, 8)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    (frazil.Size([3, 5, 8]), frazil.Size([3, 5, 5]))
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ArgumentError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        if embed_dim % num_heads:
            raise AssertionError(f"embed_dim must be divisible by num_heads: given {embed_dim} and {num_heads}")
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn

        def parameter(name: str, wanted: bool, *shape: int) -> None:
            self.register_parameter(name, new_parameter(*shape, device=device, dtype=dtype) if wanted else None)

        joint = self._qkv_same_embed_dim
        parameter("q_proj_weight", not joint, embed_dim, embed_dim)
        parameter("k_proj_weight", not joint, embed_dim, self.kdim)
        parameter("v_proj_weight", not joint, embed_dim, self.vdim)
        parameter("in_proj_weight", joint, 3 * embed_dim, embed_dim)
        parameter("in_proj_bias", bias, 3 * embed_dim)
        parameter("bias_k", add_bias_kv, 1, 1, embed_dim)
        parameter("bias_v", add_bias_kv, 1, 1, embed_dim)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for more in (self.bias_k, self.bias_v):
            if more is not None:
                init.xavier_normal_(more)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(result, weights): weights [N, L, S], with `average_attn_weights=False` [N, heads, L, S], None unless `need_weights`.

        Args:
            key_padding_mask: [N, S], True (or -inf, to be added) for keys that nobody sees.
            attn_mask: [L, S] or [N * heads, L, S], True (or -inf) where a row does not see a key.
            is_causal: a hint that `attn_mask` is causal, which saves looking at it.

        A row that sees no key gives zeros before the last projection; where `need_weights` asks for its weights, they are NaN.
        """
        if query.is_nested:
            return query.attended(self, key, value, need_weights)  # type: ignore[attr-defined]
        joint: Any = self.in_proj_weight
        return attend(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            joint if self._qkv_same_embed_dim else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight),
            self.in_proj_bias,
            (self.bias_k, self.bias_v),
            self.add_zero_attn,
            self.dropout if self.training else 0.0,
            (self.out_proj.weight, self.out_proj.bias),
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            batch_first=self.batch_first,
        )


class SinusoidalPositions(Module):
    """Adds the sines and cosines of positions to x [..., length, width]. It has no parameters, and no largest length.

    >>> import frazil as fz
    >>> fz.nn.SinusoidalPositions(4)(fz.zeros(1, 2, 4))
    tensor([[[0.0000, 1.0000, 0.0000, 1.0000],
             [0.8415, 0.5403, 0.0100, 0.9999]]])
    """

    def __init__(self, width: int, base: float = 10000.0) -> None:
        super().__init__()
        self.width = width
        self.base = base

    def forward(self, input: Tensor, offset: Any = 0) -> Tensor:
        """`offset` is the position of the first row."""
        positions = F.sinusoidal_positions(
            input.shape[-2], self.width, base=self.base, offset=offset, dtype=input.dtype, device=input.device
        )
        return input + positions

    def extra_repr(self) -> str:
        return f"{self.width}, base={self.base}"


class RotaryPositions(Module):
    """Turns queries or keys [..., length, width] by their positions (`functional.rotary_embedding`).

    >>> import frazil as fz
    >>> fz.nn.RotaryPositions(2)(fz.tensor([[1.0, 0.0], [1.0, 0.0]]))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """

    def __init__(self, width: int, base: float = 10000.0, interleaved: bool = False) -> None:
        super().__init__()
        self.width = width
        self.base = base
        self.interleaved = interleaved

    def forward(self, input: Tensor, offset: Any = 0) -> Tensor:
        """`offset` is the position of the first row."""
        cos, sin = F.rotary_positions(
            input.shape[-2], self.width, base=self.base, offset=offset, dtype=input.dtype, device=input.device
        )
        return F.rotary_embedding(input, cos, sin, interleaved=self.interleaved)

    def extra_repr(self) -> str:
        return f"{self.width}, base={self.base}, interleaved={self.interleaved}"
