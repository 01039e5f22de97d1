"""PyTorch's own samples of its operators (`op_db`), run through frazil. `python -m tests.parity.torch_samples` prints figures."""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytest.importorskip("expecttest", reason="PyTorch's samples need expecttest: pip install expecttest")

# Importing the samples would freeze torch's switches for the whole process, and test_programs.py has a program that sets them.
with mock.patch.object(torch.backends, "disable_global_flags"):
    from torch.testing._internal.common_methods_invocations import op_db

#: How many samples of an operator and dtype are run: evenly spread over the first `OF`.
SAMPLES, OF = 10, 120
DTYPES = ("float32", "int64", "bool", "float16", "uint8", "complex64", "bfloat16")
GRADIENTS_OF = ("float64", "complex128")
TOLERANCES = {"float64": 1e-6, "float32": 1e-3, "float16": 2e-2, "complex128": 1e-6, "complex64": 1e-3}

#: Their results are random, or of uninitialised memory: only shapes and dtypes are compared.
RANDOM = {
    "bernoulli",
    "cauchy",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "exponential",
    "geometric",
    "multinomial",
}
RANDOM |= {
    "log_normal",
    "new_empty",
    "new_empty_strided",
    "normal",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
}
RANDOM |= {"uniform", "nn.functional.rrelu", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d"}
RANDOM |= {"nn.functional.alpha_dropout", "nn.functional.fractional_max_pool2d"}
RANDOM |= {"nn.functional.fractional_max_pool3d", "nn.functional.scaled_dot_product_attention", "svd_lowrank", "pca_lowrank"}
#: Vectors of a basis that is not unique: their signs are the library's own.
NOT_UNIQUE = {"linalg.svd", "linalg.eigh", "svd", "linalg.eig"}
#: Entries whose first argument is not the function's first.
REORDERED: dict[str, Any] = {
    "einsum": lambda f: lambda tensors, equation: f(equation, *tensors),
    "where": lambda f: lambda x, condition, other: f(condition, x, other),
    "svd_lowrank": lambda f: lambda a, b, **options: f(a @ b.mT, **options),
    "pca_lowrank": lambda f: lambda a, b, **options: f(a @ b.mT, **options),
    "zero_": lambda f: lambda x: f(x.clone()),  # as PyTorch's entry does it: the samples are leaves
    "nn.functional.embedding_bag": lambda f: lambda weight, positions, **options: f(positions, weight, **options),
    "nn.functional.embedding": lambda f: lambda weight, positions, **options: f(positions, weight, **options),
}
#: Positions among equals are the library's own.
TIES = {"sort", "argsort", "topk", "kthvalue", "mode"}


class NotHere(Exception):
    """A sample that frazil's types cannot say: another layout, a complex number."""


def public_names() -> list[str]:
    """The names of `op_db` that a program can write: no private ones, none of PyTorch's internals."""
    return sorted({info.name for info in op_db if not _internal(info.name)})


#: Names of PyTorch's inside, which neither `torch` nor a tensor has.
INSIDE = {"slice", "native_dropout_backward", "max_pool2d_with_indices_backward"}


def _internal(name: str) -> bool:
    return (
        (name.startswith("_") and not name.startswith("__"))
        or name.startswith(("torch.ops.", "jiterator", "masked."))
        or "._" in name
        or name in INSIDE
    )


def infos(name: str) -> list[Any]:
    """The entries of `op_db` under that name."""
    return [
        info
        for info in op_db
        if info.name == name and (name in REORDERED or not info.variant_test_name or info.op.__name__ != "<lambda>")
    ]


def find(name: str) -> Any:
    """frazil's function or method of that name; None where it has none."""
    for holder in (fz, fz.Tensor):
        found: Any = holder
        for part in name.split("."):
            found = getattr(found, part, None)
        if isinstance(found, property):
            return found.fget
        if found is not None and not isinstance(found, fz.dtype):
            return REORDERED.get(name, lambda f: f)(found)
    return None if hasattr(torch, name) else getattr(fz.Tensor, f"{name}_", None)  # `cauchy` is the name of `cauchy_` there


def in_numpys_dtype(t: Any) -> Any:
    """A tensor of either library in a dtype that NumPy has."""
    return t.float() if str(t.dtype).endswith("bfloat16") else t


def to_frazil(value: Any, tensors: list[Any]) -> Any:
    """An argument of PyTorch as frazil's; the tensors among them are noted as (theirs, ours)."""
    if isinstance(value, torch.Tensor):
        if value.dtype is torch.complex32 or value.layout is not torch.strided or value.is_quantized:
            raise NotHere(value.dtype)
        ours = fz.tensor(in_numpys_dtype(value.detach()).resolve_conj().resolve_neg().numpy())
        if value.dtype is torch.bfloat16:
            ours = ours.bfloat16()
        if value.requires_grad:
            ours.requires_grad_()
        tensors.append((value, ours))
        return ours
    if isinstance(value, torch.dtype):
        return getattr(fz, str(value).removeprefix("torch."))
    if isinstance(value, torch.Size):
        return fz.Size(value)
    if isinstance(value, (tuple, list)):
        return type(value)([to_frazil(v, tensors) for v in value])
    if isinstance(value, dict):
        return {k: to_frazil(v, tensors) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(*[to_frazil(v, tensors) for v in (value.start, value.stop, value.step)])
    if isinstance(value, torch.memory_format):
        return getattr(fz, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.nn.Module):  # the samples make them without arguments
        return getattr(fz.nn, type(value).__name__)()
    if isinstance(value, (torch.layout, torch.Generator)):
        raise NotHere(value)
    return value


def _in_memory(theirs: Any) -> Any:
    """A tensor as a part of a memory like PyTorch's."""
    memory = fz.tensor(in_numpys_dtype(torch.empty(0, dtype=theirs.dtype).set_(theirs.untyped_storage())).numpy())
    if theirs.dtype is torch.bfloat16:
        memory = memory.bfloat16()
    return memory.as_strided(theirs.size(), theirs.stride(), theirs.storage_offset())


def differences(
    ours: Any, theirs: Any, *, values: bool = True, factor: float = 1.0, ties: bool = False, at: str = ""
) -> Iterator[str]:
    """In what two results differ: structure, dtype, shape, values."""
    if isinstance(theirs, torch.Tensor):
        if not isinstance(ours, fz.Tensor):
            yield f"{at}: a {type(ours).__name__} for a tensor"
        elif str(ours.dtype).removeprefix("frazil.") != str(theirs.dtype).removeprefix("torch."):
            yield f"{at}: {ours.dtype} for {theirs.dtype}"
        elif tuple(ours.shape) != tuple(theirs.shape):
            yield f"{at}: {list(ours.shape)} for {list(theirs.shape)}"
        elif str(ours.layout).removeprefix("frazil.") != str(theirs.layout).removeprefix("torch."):
            yield f"{at}: {ours.layout} for {theirs.layout}"
        elif values and theirs.dtype is torch.bfloat16:
            yield from differences(ours.float(), theirs.float(), factor=20 * factor, at=at)
        elif values and not (ties and theirs.dtype is torch.int64):
            a, b = (
                in_numpys_dtype(ours.detach().to_dense()).numpy(),
                in_numpys_dtype(theirs.detach().to_dense()).numpy(force=True),
            )
            tolerance = TOLERANCES.get(str(b.dtype), 0) * factor
            with np.errstate(all="ignore"):
                if a.dtype.kind in "fc":
                    largest = np.abs(b[np.isfinite(b)]).max(initial=0)
                    size = max(float(largest), 0.1) if b.dtype == np.float16 else 0.1
                    near = np.isclose(a, b, rtol=tolerance, atol=tolerance * size, equal_nan=True)
                else:
                    near = a == b
            if not np.all(near):
                first = tuple(np.argwhere(~near)[0])
                yield f"{at}{list(map(int, first))}: {a[first]} for {b[first]} ({(~near).sum()} of {near.size})"
    elif isinstance(theirs, (tuple, list)):
        if not isinstance(ours, (tuple, list)) or len(ours) != len(theirs):
            yield f"{at}: {type(ours).__name__} for {len(theirs)} results"
        else:
            for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                yield from differences(a, b, values=values, factor=factor, ties=ties, at=f"{at}.{i}")
            fields = [f for f in getattr(type(theirs), "__match_args__", ()) or dir(theirs) if not f.startswith(("_", "n_"))]
            for field in set(fields) - {"count", "index"}:
                if isinstance(getattr(theirs, field, None), torch.Tensor) and not hasattr(ours, field):
                    yield f"{at}: results have no name {field!r}"
    elif isinstance(theirs, float) and isinstance(ours, float):
        if values and not math.isclose(ours, theirs, rel_tol=1e-6 * factor) and theirs == theirs:
            yield f"{at}: {ours!r} for {theirs!r}"
    elif isinstance(theirs, (bool, int, float, str)) and ours != theirs and theirs == theirs:
        yield f"{at}: {ours!r} for {theirs!r}"


def _spread(samples: Any) -> list[Any]:
    found = list(itertools.islice(samples, OF))
    return found[:: max(1, len(found) // SAMPLES)][: SAMPLES + 2]


def described(sample: Any) -> str:
    text = f"{_short(sample.input)}, " + ", ".join(map(_short, sample.args))
    return text + "".join(f", {k}={_short(v)}" for k, v in sample.kwargs.items())


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_short, value))})"
    return repr(value)


def samples_of(info: Any, dtype: Any, requires_grad: bool) -> list[Any]:
    torch.manual_seed(0)
    np.random.seed(0)
    return _spread(info.sample_inputs("cpu", dtype, requires_grad=requires_grad))


def _call(info: Any, sample: Any, ours: Any) -> tuple[Any, Any, list[Any]] | None:
    """PyTorch's result, a function of no argument for frazil's, and the tensors; None where PyTorch itself refuses."""
    tensors: list[Any] = []
    try:
        arguments = to_frazil([sample.input, list(sample.args)], tensors)
        if info.name == "as_strided" and not sample.input.requires_grad:  # it sees what lies around the tensor, too
            arguments[0] = _in_memory(sample.input)
        named = to_frazil(sample.kwargs, tensors)
    except NotHere:
        return None
    try:
        theirs = info.op(sample.input, *sample.args, **sample.kwargs)
    except Exception:  # a dtype or size that PyTorch lists but refuses here
        return None
    return theirs, lambda: ours(arguments[0], *arguments[1], **named), tensors


def problems(info: Any, *, gradients: bool) -> Iterator[str]:
    """What frazil does unlike PyTorch in the samples of an entry."""
    ours = find(info.name)
    dtypes = GRADIENTS_OF if gradients else DTYPES
    unsure = info.name in NOT_UNIQUE
    ties = info.name in TIES
    for name in dtypes:
        dtype = getattr(torch, name)
        if dtype not in info.dtypes or (gradients and not info.supports_autograd):
            continue
        try:
            samples = samples_of(info, dtype, gradients)
        except Exception:  # PyTorch's own helper cannot make them here (no SciPy, no GPU)
            continue
        for sample in samples:
            call = _call(info, sample, ours)
            if call is None:
                continue
            theirs, run, tensors = call
            said = f"{info.name}({described(sample)})"
            try:
                result = run()
                if not gradients:
                    values = info.name not in RANDOM and not unsure
                    found = list(differences(result, theirs, values=values, ties=ties))
                    if found and name in ("bfloat16", "float16") and values and _is_nearer(info, sample, result, theirs):
                        found = []
                elif info.name in RANDOM or unsure:
                    found = []
                else:
                    found = list(_gradients(info, sample, result, theirs, tensors))
            except Exception as error:
                found = [f": {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"]
            if found:
                yield f"{said}{found[0]}"


_HALVES = (torch.bfloat16, torch.float16)


def _widened(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype in _HALVES else value.clone()
    if isinstance(value, (tuple, list)):
        return type(value)([_widened(v) for v in value])
    if isinstance(value, dict):
        return {k: _widened(v) for k, v in value.items()}
    return torch.float32 if value in _HALVES else value


def _is_nearer(info: Any, sample: Any, ours: Any, theirs: Any) -> bool:
    """Whether frazil's results are at least as near as PyTorch's to those of float32."""
    exact = info.op(_widened(sample.input), *_widened(list(sample.args)), **_widened(sample.kwargs))
    for a, b, c in zip(flat(ours), flat(theirs), flat(exact), strict=True):
        if not isinstance(c, torch.Tensor) or not c.is_floating_point() or not c.numel():
            continue
        if tuple(a.shape) != tuple(c.shape) or str(a.dtype) != f"frazil.{str(b.dtype).removeprefix('torch.')}":
            return False
        errors = [
            torch.nan_to_num((torch.as_tensor(in_numpys_dtype(x.detach()).numpy()) - c.detach()).abs(), math.inf) for x in (a, b)
        ]
        if errors[0].max() > errors[1].max():
            return False
    return True


def flat(results: Any) -> list[Any]:
    """The single results, out of their tuples."""
    return [results] if not isinstance(results, (tuple, list)) else [x for part in results for x in flat(part)]


def weighted_sums(ours: list[Any], theirs: list[Any]) -> tuple[list[Any], list[Any]]:
    """Numbers to differentiate: the results that have gradients, each summed with the same weights in both."""
    total, their_total = [], []
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, torch.Tensor) and b.requires_grad:
            weight = np.cos(np.arange(b.numel())).reshape(tuple(b.shape))
            b, a = (b.real + b.imag, a.real + a.imag) if b.is_complex() else (b, a)
            their_total.append((b.double() * torch.tensor(weight)).sum())
            if getattr(a, "requires_grad", False):  # else its gradient counts as 0, as that of a sign may be
                total.append((a.double() * fz.tensor(weight)).sum())
    return total, their_total


def _gradients(info: Any, sample: Any, ours: Any, theirs: Any, tensors: list[Any]) -> Iterator[str]:
    process = sample.output_process_fn_grad or (lambda x: x)
    try:
        theirs = process(theirs)
        ours = process(ours)
    except Exception:
        pass
    total, their_total = weighted_sums(flat(ours), flat(theirs))
    if not their_total:
        return
    leaves = [(b, a) for b, a in tensors if b.requires_grad and b.is_leaf]
    theirs_of = torch.autograd.grad(sum(their_total), [b for b, _ in leaves], allow_unused=True)
    ours_of = fz.autograd.grad(sum(total), [a for _, a in leaves], allow_unused=True) if total else [None] * len(leaves)
    for i, (a, b) in enumerate(zip(ours_of, theirs_of, strict=True)):
        a = fz.zeros_like(leaves[i][1]) if a is None else a
        b = torch.zeros_like(leaves[i][0]) if b is None else b
        yield from differences(a, b, factor=10, at=f" gradient {i}")


def main() -> None:
    """Print what is missing, what is wrong, and figures. `NAME ...`: of these names; `2/5`: of every fifth from the second."""
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:]
    names = public_names()
    if len(chosen) == 1 and "/" in chosen[0]:
        first, step = map(int, chosen[0].split("/"))
        names = names[first - 1 :: step]
    elif chosen:
        names = [n for n in names if n in chosen]
    there = [n for n in names if find(n) is not None]
    print("missing:", " ".join(n for n in names if n not in there))
    right = {False: 0, True: 0}
    for name in there:
        for gradients in (False, True):
            found = [p for info in infos(name) for p in problems(info, gradients=gradients)]
            right[gradients] += not found
            for problem in found[: 12 if chosen == [name] else 3]:
                print("gradient" if gradients else "forward ", f"{len(found):3}", problem[:300], flush=True)
    every = len({info.name for info in op_db})
    print(f"{every} names in op_db, {len(public_names())} of them public; of {len(names)} looked at:")
    for what, n in (("there", len(there)), ("right values, shapes and dtypes", right[False]), ("right gradients", right[True])):
        print(f"{n:4} {what} ({100 * n / len(names):.1f} %)")


if __name__ == "__main__":
    main()
