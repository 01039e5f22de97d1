"""erf and erfc of float64 as ONNX local functions: onnxruntime's Erf has no such kernel (1.32.0, 2026-11-30)."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import onnx
import onnx_ir as ir

from frazil.ops.error_functions import ERF_NEAR, ERFC_FAR, ERFC_MIDDLE

from .philox import DOMAIN, is_own

# Three fractions of polynomials, side by side: the Scan is Horner's scheme, over their coefficients. Above 28 erfc is 0.
# What the square of x loses by rounding is multiplied on: x is cut in two by 2**27 + 1 (G. W. Veltkamp), whose parts have squares
# without rounding. Where loses the sign of a zero, so that of erf comes last.
_TEXT = """
<domain: "{domain}", opset_import: ["": {opset}]>
{name} (x) => (y)
{{
    one = Constant <value = double {{1.0}}> ()
    minus = Constant <value = double {{-1.0}}> ()
    two = Constant <value = double {{2.0}}> ()
    end = Constant <value = double {{8.0}}> ()
    most = Constant <value = double {{28.0}}> ()
    cut = Constant <value = double {{134217729.0}}> ()
    flat = Constant <value = int64[1] {{-1}}> ()
    inside = Constant <value = int64[2] {{0, 1}}> ()
    numbers = Constant <value = double[{degree}, 3, 2, 1] {{{coefficients}}}> ()
    none = Constant <value = double[3, 2, 1] {{0.0, 0.0, 0.0, 0.0, 0.0, 0.0}}> ()

    row = Reshape (x, flat)
    size = Abs (row)
    below = Min (row, one)
    near = Max (below, minus)
    near_square = Mul (near, near)
    above = Max (size, one)
    large = Min (above, most)
    middle = Min (large, end)
    far = Max (large, end)
    near_place = Unsqueeze (near_square, inside)
    middle_place = Unsqueeze (middle, inside)
    far_place = Unsqueeze (far, inside)
    places = Concat <axis = 0> (near_place, middle_place, far_place)
    start = Mul (places, none)
    found = Scan <num_scan_inputs = 1, body = horner (
        double[3, 2, n] so_far, double[3, 2, 1] coefficient
    ) => (
        double[3, 2, n] next
    ) {{
        higher = Mul (so_far, places)
        next = Add (higher, coefficient)
    }}> (start, numbers)
    over, under = Split <axis = 1, num_outputs = 2> (found)
    fractions = Div (over, under)
    near_fraction, middle_fraction, far_fraction = Split <axis = 0, num_outputs = 3> (fractions)

    is_far = Greater (large, end)
    fraction = Where (is_far, far_fraction, middle_fraction)
    wide = Mul (large, cut)
    rest = Sub (wide, large)
    upper = Sub (wide, rest)
    square = Mul (large, large)
    upper_square = Mul (upper, upper)
    upper_lost = Sub (upper_square, square)
    lower = Sub (large, upper)
    twice = Add (large, upper)
    lower_lost = Mul (lower, twice)
    lost = Add (upper_lost, lower_lost)
    falling = Neg (square)
    bell = Exp (falling)
    kept = Sub (one, lost)
    exact_bell = Mul (bell, kept)
    tail = Mul (exact_bell, fraction)

    is_near = Less (size, one)
{end}
    there = Shape (x)
    y = Reshape <allowzero = 1> (result, there)
}}
"""

_ENDS = {
    "erf": """
    away = Sub (one, tail)
    share = Where (is_near, near_fraction, away)
    result = Mul (near, share)
""",
    "erfc": """
    zero = Constant <value = double {0.0}> ()
    is_negative = Less (row, zero)
    near_erf = Mul (near, near_fraction)
    rest_of_near = Sub (one, near_erf)
    opposite = Sub (two, tail)
    away = Where (is_negative, opposite, tail)
    result = Where (is_near, rest_of_near, away)
""",
}


@lru_cache
def error_function(name: str, opset: int = 21) -> ir.Function:
    """The function `frazil.erf` or `frazil.erfc`, of float64 of any shape.

    The function object is shared: do not change it.
    """
    degree = max(len(numbers) for pair in (ERF_NEAR, ERFC_MIDDLE, ERFC_FAR) for numbers in pair)
    table = np.array([[(*[0.0] * (degree - len(row)), *row) for row in pair] for pair in (ERF_NEAR, ERFC_MIDDLE, ERFC_FAR)])
    text = _TEXT.format(
        domain=DOMAIN,
        opset=opset,
        name=name,
        degree=degree,
        coefficients=", ".join(map(repr, table.transpose(2, 0, 1).ravel().tolist())),
        end=_ENDS[name],
    )
    return ir.serde.deserialize_function(onnx.parser.parse_function(text))


def is_error_function(function: ir.Function) -> bool:
    """Return whether a function of a file is one that is written here."""
    return any(is_own(function, name, partial(error_function, name)) for name in _ENDS)
