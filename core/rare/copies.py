"""`view_copy`, `t_copy`, ...: what the functions that give views show, in memory of its own."""

from __future__ import annotations

from typing import Any

from ..define import by_name
from ..late import FUNCTIONS_OF
from ..ops.elementwise import clone
from ..ops.indexing import getitem
from ..sizes import checked_dim
from ..spelling import tell_keywords
from ..table import FUNCTIONS, METHODS, OPS
from ..tensor import Tensor

#: Views that are no methods of a tensor.
_FUNCTIONS: dict[str, Any] = {
    "alias": lambda input: input,
    "slice": lambda input, dim=0, start=None, end=None, step=1: getitem(
        input, (*[slice(None)] * checked_dim("slice_copy", dim, input.ndim), slice(start, end, step))
    ),
}


def _copied(name: str) -> Any:
    view = _FUNCTIONS.get(name) or getattr(Tensor, name, None) or OPS[name].call

    def copied(input: Tensor, *args: Any, **options: Any) -> Any:
        found = view(input, *args, **options)
        return tuple(map(clone, found)) if isinstance(found, tuple) else clone(found)

    def call(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
        if out is None:
            return copied(input, *args, **options)
        return by_name(copied, name + "_copy", out=True)(
            input, *args, out=tuple(out) if isinstance(out, list) else out, **options
        )

    call.__name__ = call.__qualname__ = name + "_copy"
    call.__doc__ = f"A copy of what `{name}` gives, in memory of its own."
    return tell_keywords(call, name + "_copy")


for _name in FUNCTIONS_OF["copies"].split():
    FUNCTIONS[_name] = _copied(_name.removesuffix("_copy"))
METHODS["narrow_copy"] = FUNCTIONS["narrow_copy"]
