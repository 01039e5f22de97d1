"""How tensors look as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes

if TYPE_CHECKING:
    from .tensor import Tensor

_options: dict[str, Any] = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
_PROFILES = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, np.inf, 3, 80)}


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print: digits, from how many elements on they are shortened, how many remain at the edges, line width.

    >>> import frazil as fz
    >>> fz.set_printoptions(precision=2); fz.tensor([1 / 3])
    tensor([0.33])
    >>> fz.set_printoptions(profile="default")
    """
    if profile is not None:
        names = ("precision", "threshold", "edgeitems", "linewidth")
        _options.update(zip(names, _PROFILES[profile], strict=True), sci_mode=None)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth, "sci_mode": sci_mode}
    _options.update({k: v for k, v in given.items() if v is not None})


def _formatter(array: np.ndarray) -> Any:
    """One format for all elements, by PyTorch's rule: whole numbers as `1.`, wide ranges in scientific notation."""
    if array.dtype.kind == "b":
        width = max((len(str(bool(v))) for v in array.flat), default=0)
        return lambda v: str(bool(v)).rjust(width)
    if array.dtype.kind in "iu":
        width = max((len(str(int(v))) for v in array.flat), default=0)
        return lambda v: str(int(v)).rjust(width)
    if array.dtype.kind == "c":
        real, imaginary = _formatter(array.real), _formatter(np.abs(array.imag))
        return lambda v: f"{real(v.real)}{'-' if v.imag < 0 else '+'}{imaginary(abs(v.imag)).strip()}j"
    digits = _options["precision"]
    finite = np.abs(array[np.isfinite(array) & (array != 0)].astype(np.float64))
    if not finite.size:
        text = lambda v: f"{v:.0f}." if np.isfinite(v) else str(float(v))
    else:
        low, high = finite.min(), finite.max()
        whole = bool((finite == np.ceil(finite)).all())
        scientific = _options["sci_mode"]
        if scientific is None:
            scientific = high > 1e8 or (not whole and (high / low > 1000 or low < 1e-4))
        if scientific:
            text = lambda v: f"{v:.{digits}e}"
        elif whole:
            text = lambda v: f"{v:.0f}." if np.isfinite(v) else str(float(v))
        else:
            text = lambda v: f"{v:.{digits}f}"
    width = max((len(text(float(v))) for v in array.flat), default=0)
    return lambda v: text(float(v)).rjust(width)


def _body(array: np.ndarray, indent: int) -> str:
    edge = _options["edgeitems"]
    shorten = array.size > _options["threshold"]
    shown = array
    if shorten:
        for axis, n in enumerate(array.shape):
            if n > 2 * edge:
                shown = np.take(shown, [*range(edge), *range(n - edge, n)], axis)
    one = _formatter(shown)
    if not array.shape:
        return one(array.item()).strip() if array.dtype.kind != "f" else one(array.item())

    def rows(part: np.ndarray, depth: int) -> str:
        n = part.shape[0]
        cut = shorten and n > 2 * edge
        picks = [*range(edge), None, *range(n - edge, n)] if cut else list(range(n))
        if part.ndim == 1:
            words = ["..." if i is None else one(part[i]) for i in picks]
            per_line = max((_options["linewidth"] - indent - depth) // (max(map(len, words), default=1) + 2), 1)
            lines = [", ".join(words[k : k + per_line]) for k in range(0, len(words), per_line)] or [""]
            return "[" + (",\n" + " " * (indent + depth + 1)).join(lines) + "]"
        parts = ["..." if i is None else rows(part[i], depth + 1) for i in picks]
        return "[" + ("," + "\n" * (part.ndim - 1) + " " * (indent + depth + 1)).join(parts) + "]"

    return rows(array, 0)


def tensor_text(t: Tensor) -> str:
    """`tensor([1., 2.], requires_grad=True)`."""
    if t._dev.recording:
        return f"<{t.dtype.name}{list(t.shape)} in a recording>"
    if t._dev.depth and t._a.batched:
        return f"<{t.dtype.name}{list(t.shape)} of each of {t._dev.level.size} samples: {t._a.value!r}>"
    if t.is_meta:
        return _described(t, "...", [f"device='{t._dev}'", f"size={tuple(t._a.shape)}"], default_only=True)
    array = dtypes.in_numpy(t._dev.to_host(t._a))
    notes = []
    if array.size == 0:
        body = "[]"
        if array.shape != (0,):
            notes.append(f"size={tuple(array.shape)}")
    else:
        body = _body(array, len("tensor("))
    after = [] if t._dev.type == "cpu" else [f"device='{t._dev}'"]
    return _described(t, body, notes, after, default_only=array.size == 0)


def _described(t: Tensor, body: str, notes: list[str], after: Sequence[str] = (), *, default_only: bool) -> str:
    """What is to be said of a tensor beside its numbers; of its dtype nothing where they, if there are any, tell it."""
    default = dtypes.get_default_dtype()
    told = (dtypes.complex128 if default is dtypes.float64 else dtypes.complex64, dtypes.int64, dtypes.bool_)
    if t.dtype is not default and (default_only or t.dtype not in told):
        notes.append(f"dtype={t.dtype}")
    notes += after
    if t._node is not None:
        notes.append(f"grad_fn={t._node!r}")
    elif t._rg:
        notes.append("requires_grad=True")
    return f"tensor({', '.join([body, *notes])})"


def sparse_text(t: Any) -> str:
    """A sparse tensor as PyTorch prints it: its indices and values, and what is to be said of the whole."""
    e = t._a
    if e.values._dev.recording or e.values._dev.depth:
        return f"<{t.layout} {t.dtype.name}{list(e.shape)} of {e.values!r}>"
    parts = {"indices": e.indices} if e.crow is None else {"crow_indices": e.crow, "col_indices": e.indices[1]}
    lines = []
    for name, part in (parts | {"values": e.values}).items():
        array = dtypes.in_numpy(part._dev.to_host(part._a))
        body = _body(array, len(f"tensor({name}=tensor(")) if array.size else f"[], size={tuple(array.shape)}"
        lines.append(f"{name}=tensor({body})")
    notes = [] if t.device.type == "cpu" else [f"device='{t.device}'"]
    notes += [f"size={tuple(e.shape)}", f"nnz={len(e.values)}"]
    if t.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
        notes.append(f"dtype={t.dtype}")
    notes.append(f"layout={t.layout}")
    if t.requires_grad:
        notes.append("requires_grad=True" if t.is_leaf else f"grad_fn={t.grad_fn!r}")
    text, indent = "tensor(" + ",\n       ".join(lines), " " * 7
    # What is to be said of the coordinate format begins a line of its own.
    line = _options["linewidth"] if e.crow is None else len(text) - text.rfind("\n") + 1
    for note in notes:
        fits = line + len(note) + 2 <= _options["linewidth"]
        text += f", {note}" if fits else f",\n{indent}{note}"
        line = (line + 2 if fits else len(indent)) + len(note)
    return text + ")"


#: Rows and columns that a notebook shows of a tensor; of more, the first and last halves of them.
_HTML_ROWS, _HTML_COLUMNS = 20, 12


def tensor_html(t: Tensor) -> str:
    """A tensor in a notebook: a table of numbers for one or two dimensions, text for others, and its dtype, shape and device.

    >>> import frazil as fz
    >>> "<td>2</td>" in fz.tensor([[1, 2]])._repr_html_()
    True
    """
    from html import escape

    text = tensor_text(t)
    caption = f"{t.dtype.name}[{', '.join(map(str, t.shape))}] on {t._dev}" + (", requires_grad" if t._rg else "")
    if t._dev.recording or t._dev.depth or t.is_meta or len(t.shape) not in (1, 2) or 0 in t.shape:
        return f"<pre>{escape(text)}</pre><small>{escape(caption)}</small>"
    array = dtypes.in_numpy(t._dev.to_host(t._a))
    rows = array[None] if array.ndim == 1 else array
    body = []
    for r in _shown(rows.shape[0], _HTML_ROWS):
        cells = [
            "&hellip;" if r is None or c is None else escape(_cell(rows[r, c])) for c in _shown(rows.shape[1], _HTML_COLUMNS)
        ]
        body.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(body)}</table><small>{escape(caption)}</small>"


def _shown(count: int, most: int) -> list[int | None]:
    if count <= most:
        return list(range(count))
    return [*range(most // 2), None, *range(count - most // 2, count)]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if value.dtype.kind == "f" else str(value)
