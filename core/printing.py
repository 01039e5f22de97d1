"""How tensors look as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes

if TYPE_CHECKING:
    from .tensor import Tensor


class PrintOptions:
    """Ways in which tensors print; see `set_printoptions`."""

    precision, threshold, edgeitems, linewidth = 4, 1000.0, 3, 80
    sci_mode: bool | None = None


PRINT_OPTS = PrintOptions()
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
        o = PRINT_OPTS
        (o.precision, o.threshold, o.edgeitems, o.linewidth), o.sci_mode = _PROFILES[profile], None
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth, "sci_mode": sci_mode}
    for name, value in given.items():
        if value is not None:
            setattr(PRINT_OPTS, name, value)


def _formatter(array: np.ndarray) -> tuple[Callable[[Any], str], int]:
    """One format for all elements, and its width, by PyTorch's rule: whole numbers as `1.`, wide ranges in scientific notation.
    The width is that of the finite numbers that are not 0; others may be wider."""
    if array.dtype.kind in "biu":
        plain = bool if array.dtype.kind == "b" else int
        width = max((len(str(plain(v))) for v in array.flat), default=0)
        return lambda v: str(plain(v)).rjust(width), width
    if array.dtype.kind == "c":
        (real, left), (imaginary, right) = _formatter(array.real), _formatter(array.imag)

        def both(v: Any) -> str:
            part = imaginary(v.imag).lstrip()
            return f"{real(v.real)}{'' if part[0] in '+-' else '+'}{part}j"

        return both, left + right + 1
    digits, scientific = PRINT_OPTS.precision, PRINT_OPTS.sci_mode
    finite = array[np.isfinite(array) & (array != 0)].astype(np.float64)
    whole = bool((finite == np.ceil(finite)).all())
    if scientific is None and finite.size:
        low, high = np.abs(finite).min(), np.abs(finite).max()
        scientific = high > 1e8 or high / low > 1000 or (not whole and low < 1e-4)

    def text(v: float) -> str:
        if scientific:
            return f"{v:.{digits}e}"
        if whole:
            return f"{v:.0f}." if np.isfinite(v) else f"{v:.0f}"
        return f"{v:.{digits}f}"

    width = max((len(text(float(v))) for v in finite), default=1)
    return lambda v: text(float(v)).rjust(width), width


def _body(array: np.ndarray, indent: int) -> str:
    edge = PRINT_OPTS.edgeitems
    shorten = array.size > PRINT_OPTS.threshold
    shown = array
    if shorten:
        for axis, n in enumerate(array.shape):
            if n > 2 * edge:
                shown = np.take(shown, [*range(edge), *range(n - edge, n)], axis)
    one, width = _formatter(shown)
    if not array.shape:
        return one(array.item()).strip() if array.dtype.kind != "f" else one(array.item())

    def rows(part: np.ndarray, depth: int) -> str:
        n = part.shape[0]
        cut = shorten and n > 2 * edge
        picks = [*range(edge), None, *range(n - edge, n)] if cut else list(range(n))
        if part.ndim == 1:
            words = [" ..." if i is None else one(part[i]) for i in picks]
            per_line = max((PRINT_OPTS.linewidth - indent - depth) // (width + 2), 1)
            lines = [", ".join(words[k : k + per_line]) for k in range(0, len(words), per_line)] or [""]
            return "[" + (",\n" + " " * (indent + depth + 1)).join(lines) + "]"
        parts = ["..." if i is None else rows(part[i], depth + 1) for i in picks]
        return "[" + ("," + "\n" * (part.ndim - 1) + " " * (indent + depth + 1)).join(parts) + "]"

    return rows(array, 0)


def numbers_text(t: Tensor, indent: int) -> str:
    """The numbers alone, `[1., 2.]`, for a text that is indented so far."""
    array = dtypes.in_numpy(t._dev.to_host(t._a))
    return _body(array, indent) if array.size else "[]"


def _with_notes(text: str, notes: list[str], indent: int, line: int) -> str:
    """The text and what is to be said of it; a note that does not fit on the last line, of that length, begins another."""
    for note in notes:
        fits = line + len(note) + 2 <= PRINT_OPTS.linewidth
        text += f", {note}" if fits else ",\n" + " " * indent + note
        line = (line + 2 if fits else indent) + len(note)
    return text + ")"


def _last_line(text: str) -> int:
    return len(text) - text.rfind("\n") + 1


def tensor_text(t: Tensor) -> str:
    """`tensor([1., 2.], requires_grad=True)`."""
    if t._dev.recording:
        return f"<{t.dtype.name}{list(t.shape)} in a recording>"
    if t._dev.depth and t._a.batched:
        return f"<{t.dtype.name}{list(t.shape)} of each of {t._dev.level.size} samples: {t._a.value!r}>"
    if t.is_meta:
        return _described(t, "...", [f"device='{t._dev}'", f"size={tuple(t._a.shape)}"], default_only=True)
    array = dtypes.in_numpy(t._dev.to_host(t._a))
    notes = [] if t._dev.type == "cpu" else [f"device='{t._dev}'"]
    if array.size == 0:
        body = "[]"
        if array.shape != (0,):
            notes.append(f"size={tuple(array.shape)}")
    else:
        body = _body(array, len(_name(t)) + 1)
    return _described(t, body, notes, default_only=array.size == 0)


def _described(t: Tensor, body: str, notes: list[str], *, default_only: bool) -> str:
    """What is to be said of a tensor beside its numbers; of its dtype nothing where they, if there are any, tell it."""
    default = dtypes.get_default_dtype()
    told = (dtypes.complex128 if default is dtypes.float64 else dtypes.complex64, dtypes.int64, dtypes.bool_)
    if t.dtype is not default and (default_only or t.dtype not in told):
        notes.append(f"dtype={t.dtype}")
    if t._node is not None:
        notes.append(f"grad_fn=<{t._node.short_name()}>")
    elif t._rg:
        notes.append("requires_grad=True")
    text = f"{_name(t)}({body}"
    return _with_notes(text, notes, len(_name(t)) + 1, _last_line(text))


def _name(t: Tensor) -> str:
    """What a tensor is called: by the class, where a program has made a subclass."""
    return "tensor" if type(t).__module__.partition(".")[0] == "frazil" else type(t).__name__


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
        notes.append("requires_grad=True" if t.is_leaf else f"grad_fn=<{t.grad_fn.short_name()}>")
    text = "tensor(" + ",\n       ".join(lines)
    # What is to be said of the coordinate format begins a line of its own.
    return _with_notes(text, notes, 7, PRINT_OPTS.linewidth if e.crow is None else _last_line(text))


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
