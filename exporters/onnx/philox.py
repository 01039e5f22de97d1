"""The stream of random words as one ONNX local function, made of integer operators that every runtime has."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import onnx
import onnx_ir as ir

DOMAIN = "frazil"

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_LOW = 0xFFFFFFFF

# Philox4x64-10 as core/random.py uses it. x holds words 0 and 2 of a block of four 64-bit words, y words 1 and 3, one column
# per block. A round multiplies x by two constants and keeps both halves of the 128-bit products, the upper half from products of
# 32-bit digits. ONNX multiplies and adds uint64 modulo 2**64. The rounds are a Scan over their keys: a Loop that makes the next
# key takes a twentieth to a tenth longer (onnxruntime 1.32.0, 2026-11-30).
_TEXT = """
<domain: "{domain}", opset_import: ["": {opset}]>
random_bits (state, n) => (bits)
{{
    zero = Constant <value = int64 {{0}}> ()
    one = Constant <value = int64 {{1}}> ()
    seven = Constant <value = int64 {{7}}> ()
    eight = Constant <value = int64 {{8}}> ()
    first = Constant <value = int64[1] {{0}}> ()
    second = Constant <value = int64[1] {{1}}> ()
    flat = Constant <value = int64[1] {{-1}}> ()
    swap = Constant <value = int64[2] {{1, 0}}> ()
    low = Constant <value = uint64 {{{low}}}> ()
    half = Constant <value = uint64 {{32}}> ()
    multiplier_low = Constant <value = uint64[2, 1] {{{multiplier_low}}}> ()
    multiplier_high = Constant <value = uint64[2, 1] {{{multiplier_high}}}> ()
    weyl_low = Constant <value = uint64[2, 1] {{{weyl_low}}}> ()
    weyl_high = Constant <value = uint64[2, 1] {{{weyl_high}}}> ()
    multiplier_upper = BitShift <direction = "LEFT"> (multiplier_high, half)
    multiplier = Add (multiplier_upper, multiplier_low)
    weyl_upper = BitShift <direction = "LEFT"> (weyl_high, half)
    weyl = Add (weyl_upper, weyl_low)

    seed, counter = Split <num_outputs = 2> (state)
    seed_row = Unsqueeze (seed, first)
    below = Constant <value = int64[4] {{0, 0, 1, 0}}> ()
    key_signed = Pad (seed_row, below)
    key = Cast <to = {uint64}> (key_signed)
    n_up = Add (n, seven)
    blocks = Div (n_up, eight)
    index = Range (zero, blocks, one)
    start = Add (counter, one)
    block = Add (index, start)
    block_row = Unsqueeze (block, first)
    x_signed = Pad (block_row, below)
    x = Cast <to = {uint64}> (x_signed)
    y = Sub (x, x)

    rounds = Constant <value = uint64[10, 1, 1] {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}> ()
    moved = Mul (rounds, weyl)
    keys = Add (moved, key)
    x_done, y_done = Scan <num_scan_inputs = 1, body = round (
        uint64[2, ?] x_in, uint64[2, ?] y_in, uint64[2, 1] key_in
    ) => (
        uint64[2, ?] x_out, uint64[2, ?] y_out
    ) {{
        x_low = BitwiseAnd (x_in, low)
        x_high = BitShift <direction = "RIGHT"> (x_in, half)
        low_low = Mul (x_low, multiplier_low)
        high_low = Mul (x_high, multiplier_low)
        low_high = Mul (x_low, multiplier_high)
        high_high = Mul (x_high, multiplier_high)
        carry = BitShift <direction = "RIGHT"> (low_low, half)
        middle = Add (high_low, carry)
        middle_low = BitwiseAnd (middle, low)
        middle_high = BitShift <direction = "RIGHT"> (middle, half)
        second_middle = Add (low_high, middle_low)
        second_high = BitShift <direction = "RIGHT"> (second_middle, half)
        upper_part = Add (high_high, middle_high)
        upper = Add (upper_part, second_high)
        lower = Mul (x_in, multiplier)
        upper_swapped = Gather <axis = 0> (upper, swap)
        mixed = BitwiseXor (upper_swapped, y_in)
        x_out = BitwiseXor (mixed, key_in)
        y_out = Gather <axis = 0> (lower, swap)
    }}> (x, y, keys)

    x_words = Unsqueeze (x_done, second)
    y_words = Unsqueeze (y_done, second)
    x_low_words = BitwiseAnd (x_words, low)
    x_high_words = BitShift <direction = "RIGHT"> (x_words, half)
    y_low_words = BitwiseAnd (y_words, low)
    y_high_words = BitShift <direction = "RIGHT"> (y_words, half)
    words = Concat <axis = 1> (x_low_words, x_high_words, y_low_words, y_high_words)
    words_signed = Cast <to = {int64}> (words)
    by_block = Transpose <perm = [2, 0, 1]> (words_signed)
    in_order = Reshape (by_block, flat)
    wanted = Unsqueeze (n, first)
    bits = Slice (in_order, first, wanted)
}}
"""


def is_own(function: ir.Function, name: str, write: Callable[[int], ir.Function]) -> bool:
    """Return whether a function of a file is the one of this name that is written for files of its opset."""
    if (function.domain, function.name) != (DOMAIN, name):
        return False
    try:
        own = write(function.opset_imports.get("", 0))
    except onnx.parser.ParseError:
        return False
    contents = lambda f: [node.SerializeToString(deterministic=True) for node in ir.serde.serialize_function(f).node]
    return contents(function) == contents(own)


def is_random_bits(function: ir.Function) -> bool:
    """Return whether a function of a file is the one that is written here."""
    return is_own(function, "random_bits", random_bits)


@lru_cache
def random_bits(opset: int = 21) -> ir.Function:
    """The function `frazil.random_bits(state: int64[2], n: int64) -> int64[n]`: n words of 32 bits, those that eager mode draws.

    The function object is shared: do not change it.
    """
    text = _TEXT.format(
        domain=DOMAIN,
        opset=opset,
        uint64=int(ir.DataType.UINT64),
        int64=int(ir.DataType.INT64),
        low=_LOW,
        multiplier_low="{}, {}".format(*(m & _LOW for m in _MULTIPLIERS)),
        multiplier_high="{}, {}".format(*(m >> 32 for m in _MULTIPLIERS)),
        weyl_low="{}, {}".format(*(w & _LOW for w in _WEYL)),
        weyl_high="{}, {}".format(*(w >> 32 for w in _WEYL)),
    )
    return ir.serde.deserialize_function(onnx.parser.parse_function(text))
