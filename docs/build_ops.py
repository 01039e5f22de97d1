"""Writes ops.md from the op table: python docs/build_ops.py"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import frazil as fz
from frazil.late import load_all
from frazil.plugins import exporter
from frazil.table import FUNCTIONS, OPS, Op

PAGE = Path(__file__).with_name("ops.md")

HEAD = """\
# Operations

Made from the op table by `python docs/build_ops.py`; `frazil ops` prints the same with what each backend does.

- **Kind.** A *primitive* has a kernel in every backend and a rule for the result's shape and dtype; a *composite* is made of ops.
- **Gradient.** Whether gradients flow: by the op's own vjp, or through its body.
- **ONNX.** *own*: written for it; *body*: exported through its body; *-*: cannot be exported.
- Ops in *italics* are what public functions are made of and have no public name of their own.
"""


def page() -> str:
    """The text of ops.md."""
    exporter("onnx")  # brings the lowerings
    load_all()
    parts = [HEAD, _counts()]
    for module, ops in groupby(sorted(OPS.values(), key=_module), key=_module):
        parts.append(f"## {module}\n\n" + _table(["op", "", "kind", "gradient", "ONNX"], map(_op_row, ops)))
    parts.append("# Functions\n\nCompositions of these ops. They leave no trace of their own on tape or graph.\n")
    for module, functions in groupby(sorted(FUNCTIONS.items(), key=_module_of_item), key=_module_of_item):
        parts.append(f"## {module}\n\n" + _table(["function", ""], ([_call(n, f), _summary(f)] for n, f in functions)))
    return "\n".join(parts)


def _module(entry: Any) -> str:
    name: str = (entry.fn if isinstance(entry, Op) else entry).__module__
    return name.rpartition(".")[2]


def _module_of_item(item: tuple[str, Any]) -> str:
    return _module(item[1])


def _counts() -> str:
    counts = Counter(op.kind for op in OPS.values()) + Counter(_onnx(op) for op in OPS.values())
    return (
        f"{len(OPS)} ops: {counts['primitive']} primitives, {counts['composite']} composites. ONNX: {counts['own']} have a form "
        f"of their own, {counts['body']} go through their body, {counts['-']} have none. {len(FUNCTIONS)} functions.\n"
    )


def _op_row(op: Op) -> list[str]:
    call = _call(op.name, op.fn)
    return [call if op.public else f"*{call}*", _summary(op.fn), op.kind, "yes" if _differentiable(op) else "-", _onnx(op)]


def _onnx(op: Op) -> str:
    from frazil.exporters.onnx.lowerings import LOWERINGS

    return "own" if op.name in LOWERINGS else "body" if op.kind == "composite" else "-"


def _differentiable(op: Op) -> bool:
    """By its vjp; for a composite without one, by trying."""
    if not op.through_body:
        return op.differentiable
    sample = next((sample for sample in op.samples if sample.args), None)
    if sample is None:
        return False
    tensors = [None if array is None else fz.tensor(array) for array in sample.arrays()]
    inputs = [t.requires_grad_() for t in tensors if t is not None and t.dtype.is_floating_point]
    result = op.call(*tensors, **sample.attrs)
    return bool(inputs) and any(t.requires_grad for t in (result if isinstance(result, tuple) else (result,)))


def _call(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return f"`{name}{signature.replace(parameters=bare, return_annotation=signature.empty)}`"


def _summary(function: Any) -> str:
    return (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")


def _table(columns: list[str], rows: Iterable[list[str]]) -> str:
    return "".join(_lines(columns, rows))


def _lines(columns: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for cells in (columns, ["---"] * len(columns), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
