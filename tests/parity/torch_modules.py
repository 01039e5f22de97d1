"""PyTorch's own samples of its layers (`module_db`), run through frazil. `python -m tests.parity.torch_modules` prints
figures."""

from __future__ import annotations

import copy
import dataclasses
import io
import sys
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import frazil as fz

from .torch_samples import differences, flat, torch, weighted_sums
from .torch_samples import to_frazil as tensors_to_frazil

with mock.patch.object(torch.backends, "disable_global_flags"):
    from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

DTYPES = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128")
#: Dtypes whose sums are rounded in another order: gradients are compared in the others.
ROUGH = ("float16", "bfloat16")
#: Built by PyTorch's samples and passed to constructors: their own arguments are noted.
PARTS = ("TransformerEncoderLayer", "TransformerDecoderLayer")


def names() -> list[str]:
    """The layers of `module_db`, each once."""
    return [info.name.removeprefix("nn.") for info in module_db]


def find(name: str) -> Any:
    """frazil's layer of that name, None where it has none."""
    return getattr(fz.nn, name, None)


def info_of(name: str) -> Any:
    return next(info for info in module_db if info.name == f"nn.{name}")


def dtypes(info: Any) -> list[str]:
    return [name for name in DTYPES if getattr(torch, name) in info.dtypes]


def _to_frazil(value: Any, tensors: list[Any]) -> Any:
    if isinstance(value, torch.nn.Module):
        args, kwargs = value.made_from
        return getattr(fz.nn, type(value).__name__)(*_to_frazil(args, tensors), **_to_frazil(kwargs, tensors))
    if callable(value) and hasattr(fz.nn.functional, getattr(value, "__name__", "")):
        return getattr(fz.nn.functional, value.__name__)
    if isinstance(value, (tuple, list)):
        return type(value)([_to_frazil(v, tensors) for v in value])
    if isinstance(value, dict):
        return {k: _to_frazil(v, tensors) for k, v in value.items()}
    known = [ours for theirs, ours in tensors if theirs is value]
    if known:
        return known[0]
    if isinstance(value, torch.nn.LinearCrossEntropyOptions):
        return fz.nn.LinearCrossEntropyOptions(**dataclasses.asdict(value))
    if isinstance(value, complex):
        return value
    if value is torch.bfloat16:
        return fz.bfloat16
    if isinstance(value, torch.Tensor) and value.dtype is torch.bfloat16:
        ours = fz.tensor(value.detach().float().numpy()).to(fz.bfloat16).requires_grad_(value.requires_grad)
        tensors.append((value, ours))
        return ours
    if isinstance(value, torch.Tensor) and value.is_complex():
        ours = fz.tensor(value.detach().resolve_conj().numpy()).requires_grad_(value.requires_grad)
        tensors.append((value, ours))
        return ours
    return tensors_to_frazil(value, tensors)


def _noting(cls: Any) -> Any:
    def make(*args: Any, **kwargs: Any) -> Any:
        made = cls(*args, **kwargs)
        object.__setattr__(made, "made_from", (args, kwargs))
        return made

    return make


def samples(info: Any, dtype: str, training: bool, *, errors: bool = False) -> list[Any]:
    """The samples of a layer: of its use, or of its misuse."""
    torch.manual_seed(0)
    function = info.module_error_inputs_func if errors else info.module_inputs_func
    if function is None:
        return []
    with mock.patch.multiple(torch.nn, **{part: _noting(getattr(torch.nn, part)) for part in PARTS}):
        return function(info, device="cpu", dtype=getattr(torch, dtype), requires_grad=not errors, training=training)


def _made(info: Any, constructor: Any, dtype: str) -> tuple[Any, Any]:
    """(PyTorch's layer, frazil's), in the dtype, with PyTorch's weights."""
    theirs = info.module_cls(*constructor.args, **constructor.kwargs).to(getattr(torch, dtype))
    args, kwargs = _to_frazil([list(constructor.args), constructor.kwargs], [])
    ours = find(info.name.removeprefix("nn."))(*args, **kwargs).to(getattr(fz, dtype))
    return theirs, ours


def _load(ours: Any, theirs: Any) -> Iterator[str]:
    state = theirs.state_dict()
    if list(ours.state_dict()) != list(state):
        yield f": state dict has {list(ours.state_dict())} for {list(state)}"
    else:
        ours.load_state_dict(_to_frazil(dict(state), []))
        for (key, a), b in zip(ours.state_dict().items(), state.values(), strict=True):
            yield from differences(a, b, at=f" {key}")
    if repr(ours).replace("frazil.", "") != repr(theirs).replace("torch.", ""):
        yield f": repr {ours!r} for {theirs!r}"
    if {n for n, _ in ours.named_parameters()} != {n for n, _ in theirs.named_parameters()}:
        yield ": other parameters"


def _again(ours: Any) -> Any:
    """The layer after a copy in memory and its state after a file: whatever is compared has gone through both."""
    stored = io.BytesIO()
    fz.save(ours.state_dict(), stored)
    stored.seek(0)
    copied = copy.deepcopy(ours)
    with fz.no_grad():
        for value in copied.state_dict().values():
            value.zero_()
    copied.load_state_dict(fz.load(stored))
    return copied


def case(info: Any, sample: Any, dtype: str, training: bool) -> Iterator[str]:
    """In what a layer differs in one sample: state, text, results, buffers, gradients."""
    theirs, ours = _made(info, sample.constructor_input, dtype)
    tensors: list[Any] = []
    forward = sample.forward_input
    args, kwargs = _to_frazil([list(forward.args), forward.kwargs], tensors)
    theirs.train(training), ours.train(training)
    if info.is_lazy:
        theirs(*copy.deepcopy(forward.args), **copy.deepcopy(forward.kwargs)), ours(*args, **kwargs)
    yield from _load(ours, theirs)
    ours = _again(ours)
    expected, result = theirs(*forward.args, **forward.kwargs), ours(*args, **kwargs)
    yield from differences(result, expected, at=" result")
    for name, buffer in theirs.named_buffers():
        yield from differences(ours.get_buffer(name), buffer, at=f" {name}")
    if dtype in ROUGH:
        return
    pairs = [(b, a) for b, a in tensors if b.requires_grad]
    pairs += [(b, ours.get_parameter(name)) for name, b in theirs.named_parameters()]
    yield from weighted_gradients(result, expected, pairs)


def weighted_gradients(ours: Any, theirs: Any, pairs: list[Any]) -> Iterator[str]:
    total, their_total = weighted_sums(flat(ours), flat(theirs))
    if not their_total or not pairs:
        return
    theirs_of = torch.autograd.grad(sum(their_total), [b for b, _ in pairs], allow_unused=True)
    ours_of = fz.autograd.grad(sum(total), [a for _, a in pairs], allow_unused=True)
    for i, (a, b) in enumerate(zip(ours_of, theirs_of, strict=True)):
        if (a is None) != (b is None):
            yield f" gradient {i}: {'none' if a is None else 'one'}"
        elif b is not None:
            yield from differences(a, b, factor=10, at=f" gradient {i}")


def error_case(info: Any, sample: Any, dtype: str) -> Iterator[str]:
    """Whether what PyTorch refuses is refused."""
    misuse = sample.module_error_input
    try:
        args, kwargs = _to_frazil([list(misuse.constructor_input.args), misuse.constructor_input.kwargs], [])
        ours = find(info.name.removeprefix("nn."))(*args, **kwargs).to(getattr(fz, dtype))
        if sample.error_on is ModuleErrorEnum.CONSTRUCTION_ERROR:
            yield f": made, where PyTorch says {sample.error_regex}"
            return
        args, kwargs = _to_frazil([list(misuse.forward_input.args), misuse.forward_input.kwargs], [])
        ours(*args, **kwargs)
        yield f": computed, where PyTorch says {sample.error_regex}"
    except sample.error_type:
        pass
    except Exception as error:
        yield f": {type(error).__name__} for {sample.error_type.__name__}"


def _said(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_said, value))})"
    return type(value).__name__ if isinstance(value, torch.nn.Module) else repr(value)


def _call(inputs: Any) -> str:
    return ", ".join([*map(_said, inputs.args), *(f"{k}={_said(v)}" for k, v in inputs.kwargs.items())])


def cases(name: str) -> Iterator[tuple[str, str]]:
    """(what was tried, the first difference or "") of every sample of a layer."""
    info = info_of(name)
    for dtype in dtypes(info):
        for training in (True, False):
            for sample in samples(info, dtype, training):
                said = f"{name}({_call(sample.constructor_input)})({_call(sample.forward_input)}) {dtype} train={training}"
                try:
                    yield said, next(case(info, sample, dtype, training), "")
                except Exception as error:
                    yield said, f": {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        for sample in samples(info, dtype, True, errors=True):
            inputs = sample.module_error_input
            said = f"{name}({_call(inputs.constructor_input)}) {dtype}"
            if inputs.forward_input is not None:
                said = f"{name}({_call(inputs.constructor_input)})({_call(inputs.forward_input)}) {dtype}"
            yield said, next(error_case(info, sample, dtype), "")


def main() -> None:
    """Print what is missing, what is wrong and the figures."""
    warnings.simplefilter("ignore")
    there = [name for name in names() if find(name) is not None]
    print("missing:", *(name for name in names() if name not in there))
    right, tried, good = 0, 0, 0
    for name in sys.argv[1:] or there:
        found = list(cases(name))
        wrong = [said + problem for said, problem in found if problem]
        right, tried, good = right + (not wrong), tried + len(found), good + len(found) - len(wrong)
        for problem in wrong[: 20 if sys.argv[1:] else 4]:
            print(f"{len(wrong):3} of {len(found):3}", problem[:400], flush=True)
    print(f"{len(names())} layers, {len(there)} there, {right} right; {tried} cases, {good} right")


if __name__ == "__main__":
    main()
