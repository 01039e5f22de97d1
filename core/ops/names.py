"""Second names: what PyTorch and NumPy also call the same thing."""

from __future__ import annotations

from ..table import FUNCTIONS, METHODS, OPS

#: Second name -> name.
SECOND_NAMES = {
    "absolute": "abs",
    "negative": "neg",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "fix": "trunc",
    "clip": "clamp",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "moveaxis": "movedim",
    "ger": "outer",
    "trapz": "trapezoid",
}
#: Functions that are no methods.
_FUNCTIONS_ONLY = {"trapz"}

for _second, _first in SECOND_NAMES.items():
    FUNCTIONS[_second] = FUNCTIONS[_first] if _first in FUNCTIONS else OPS[_first].call
    if _second not in _FUNCTIONS_ONLY:
        METHODS[_second] = METHODS[_first]
    if _first + "_" in METHODS:
        METHODS[_second + "_"] = METHODS[_first + "_"]
