"""Edges of the calls in edge_calls.py: PyTorch and frazil both refuse, or both give the same.

`python -m tests.parity.edges WORD` prints the differences of the calls with that word.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz

from .edge_calls import lines

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0]


class Layers:
    """Layers of a library by name, all with the weights that PyTorch draws first."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __getattr__(self, name: str) -> Any:
        def make(*args: Any, **options: Any) -> Any:
            torch.manual_seed(0)
            layer = getattr(torch.nn, name)(*args, **options)
            if self.library is torch:
                return layer
            own = getattr(fz.nn, name)(*args, **options)
            own.load_state_dict({key: fz.tensor(value.numpy()) for key, value in layer.state_dict().items()})
            return own

        return make


NAMES = {library: {"T": library, "F": library.nn.functional, "M": Layers(library)} for library in (fz, torch)}


def parsed(line: str) -> tuple[str, list[tuple[tuple[int, ...], str]]]:
    """The expression of a line, and shape and kind of its tensors."""
    call, given = line.rsplit(" | ", 1)
    tensors = []
    for text in given.split(";"):
        shape, kind = re.fullmatch(r"([\d ]*)([a-z]?)", text.strip()).groups()
        tensors.append((tuple(map(int, shape.split())), kind or "f"))
    return call, tensors


def array(shape: tuple[int, ...], kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "b":
        return rng.random(shape) < 0.5
    if kind == "s":
        return np.linspace(-1, 1, shape[0], dtype=np.float32) if shape else np.float32(0.5)
    if kind == "i":
        return np.asarray(rng.integers(0, 2, shape))
    low = {"p": 0.2, "u": 0.05}.get(kind, -1.5)
    return np.asarray(rng.uniform(low, {"u": 0.95}.get(kind, 1.5), shape)).astype(np.float32)


def edges(tensors: list[tuple[tuple[int, ...], str]]) -> Iterator[tuple[str, list[np.ndarray], str]]:
    """What is done to the tensors, their arrays, and how they lie in memory."""
    base = [array(shape, kind, i) for i, (shape, kind) in enumerate(tensors)]
    yield "as given", base, ""
    sizes = sorted({n for shape, _ in tensors for n in shape})
    for n in sizes:  # what has that size everywhere has none
        yield (
            f"{n} -> 0",
            [array(tuple(0 if m == n else m for m in shape), kind, i) for i, (shape, kind) in enumerate(tensors)],
            "",
        )
    for i, (shape, kind) in enumerate(tensors):
        for d in range(len(shape)):
            changed = (*shape[:d], 0, *shape[d + 1 :])
            yield f"size 0 at {i}.{d}", [*base[:i], array(changed, kind, i), *base[i + 1 :]], ""
        yield f"0-d at {i}", [*base[:i], array((), kind, i), *base[i + 1 :]], ""
    yield "0-d", [array((), kind, i) for i, (_, kind) in enumerate(tensors)], ""
    for layout in ("transposed", "stepped", "expanded"):
        yield layout, base, layout
    floats = [i for i, (_, kind) in enumerate(tensors) if kind in "fpu"]
    for dtype in ("int64", "bool", "float16", "uint8"):
        for some in {tuple(floats), *((i,) for i in floats)} if floats else {(0,)}:
            changed_arrays = list(base)
            for i in some:
                a = np.abs(base[i]) if dtype == "uint8" else base[i]
                changed_arrays[i] = (a * (2 if dtype != "float16" else 1)).astype(dtype)
            yield f"{dtype} at {some}", changed_arrays, ""
    for i in floats:
        special = base[i].copy()
        special.reshape(-1)[: len(SPECIAL)] = SPECIAL[: special.size]
        yield f"special at {i}", [*base[:i], special, *base[i + 1 :]], ""
        yield f"zeros at {i}", [*base[:i], np.zeros_like(base[i]), *base[i + 1 :]], ""
    if len(floats) > 1:
        yield "all zeros", [np.zeros_like(a) if i in floats else a for i, a in enumerate(base)], ""
        equal = {a.shape for i, a in enumerate(base) if i in floats}
        if len(equal) == 1:
            yield "all equal", [base[floats[0]] if i in floats else a for i, a in enumerate(base)], ""


def laid_out(library: Any, a: np.ndarray, layout: str) -> Any:
    """A tensor that lies otherwise in memory."""
    if layout == "transposed" and a.ndim > 1:
        return library.tensor(np.ascontiguousarray(a.swapaxes(0, -1))).transpose(0, -1)
    if layout == "stepped" and a.ndim:
        return library.tensor(np.repeat(a, 2, -1))[..., ::2]
    if layout == "expanded" and a.ndim:
        return library.tensor(np.ascontiguousarray(a[:1])).expand(*a.shape)
    return library.tensor(a)


def outcome(library: Any, call: Any, arrays: list[np.ndarray], layout: str, tracked: bool) -> tuple[Any, list[Any], Any]:
    """The result, the gradients of the floating tensors, and what was raised."""
    library.manual_seed(0)
    tensors = [laid_out(library, a, layout) for a in arrays]
    for x in tensors:
        x.requires_grad_(tracked and x.dtype in (library.float32, library.float16))
    try:
        result = eval(call, {**NAMES[library], **dict(zip("xyzw", tensors, strict=False))})
    except Exception as error:
        return None, [], error
    wanted = [x for x in tensors if x.requires_grad]
    total: Any = 0.0
    for r in leaves(result):
        if getattr(r, "requires_grad", False):
            total = total + (r.double() * library.tensor(np.cos(np.arange(r.numel()))).reshape(tuple(r.shape))).sum()
    if not wanted or not result_is_tensor(result):
        return result, [], None
    try:
        found = [None] * len(wanted) if type(total) is float else library.autograd.grad(total, wanted, allow_unused=True)
    except Exception as error:
        return result, [], error
    return result, [library.zeros_like(x) if g is None else g for x, g in zip(wanted, found, strict=True)], None


def result_is_tensor(result: Any) -> bool:
    return any(hasattr(r, "requires_grad") for r in leaves(result))


def leaves(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def host(value: Any) -> Any:
    return value.detach().clone().numpy() if hasattr(value, "detach") else value


def difference(ours: Any, theirs: Any, *, half: bool = False, gradient: bool = False) -> str:
    """In what two values differ; empty where they do not. Gradients that are NaN in PyTorch (0 times infinity) count as equal."""
    if len(leaves(ours)) != len(leaves(theirs)):
        return f"{len(leaves(ours))} results for {len(leaves(theirs))}"
    for a, b in zip(map(host, leaves(ours)), map(host, leaves(theirs)), strict=True):
        if not isinstance(b, np.ndarray):
            if not (a == b or (a != a and b != b)) and not (isinstance(b, float) and abs(a - b) < 1e-4):
                return f"{a!r} for {b!r}".replace("\n", " ")
        elif not isinstance(a, np.ndarray) or a.dtype != b.dtype:
            return f"{getattr(a, 'dtype', a)} for {b.dtype}"
        elif a.shape != b.shape:
            return f"shape {a.shape} for {b.shape}"
        else:
            error = 2e-2 if half or b.dtype == np.float16 else 1e-4
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=0)) if b.dtype.kind == "f" else 0
            near = np.isclose(a, b, rtol=error, atol=max(scale, 0.1) * error, equal_nan=True)
            if gradient:
                near |= np.isnan(b)
            if not near.all():
                return f"{a.tolist()} for {b.tolist()}"[:300]
    return ""


#: What PyTorch says where only its kernel for this dtype, its derivative or its layout is missing: having it is no fault.
WELCOME = re.compile(
    "not implemented for '(Half|Byte)'|not differentiable with respect|derivative for|Autograd not support dtype|"
    "view size is not compatible"
)


def problems(line: str) -> Iterator[str]:
    """What a call does at its edges unlike PyTorch."""
    call, tensors = parsed(line)
    code = compile(call, call, "eval")
    for what, arrays, layout in edges(tensors):
        tracked = True
        theirs, their_gradients, their_error = outcome(torch, code, arrays, layout, tracked)
        if their_error is not None and (theirs is not None or WELCOME.search(str(their_error))):
            tracked = False
            theirs, their_gradients, their_error = outcome(torch, code, arrays, layout, tracked)
        ours, gradients, error = outcome(fz, code, arrays, layout, tracked)
        said = str(error).splitlines()[0] if str(error) else ""
        if error is not None and not isinstance(error, fz.errors.FrazilError):
            yield f"{what}: raw {type(error).__name__}: {said}"
        elif error is not None and their_error is None:
            yield f"{what}: refused{'' if ours is None else ' in backward'}: {said}"
        elif error is None and their_error is not None:
            if not WELCOME.search(str(their_error)):
                yield f"{what}: accepted, where PyTorch says {str(their_error).splitlines()[0]!r}"
        elif error is None:
            half = any(a.dtype == np.float16 for a in arrays)
            if found := difference(ours, theirs, half=half):
                yield f"{what}: {found}"
            elif found := difference(gradients, their_gradients, half=half, gradient=True):
                yield f"{what}: gradient {found}"


def main() -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    count = 0
    for line in lines():
        if any(word in line for word in sys.argv[1:]) or not sys.argv[1:]:
            for found in problems(line):
                count += 1
                print(f"{line.split(' | ')[0]}  {found}", flush=True)
    print(count)


if __name__ == "__main__":
    main()
