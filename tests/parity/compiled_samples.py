"""PyTorch's samples of its operators as compiled functions: they give what the eager call gives, or are refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import frazil as fz

from .torch_samples import RANDOM, described, find, flat, in_numpys_dtype, samples_of, to_frazil, torch

#: How many samples of an operator and dtype are compiled, and of which dtypes.
COMPILED, COMPILED_DTYPES = 3, ("float32", "int64", "bool", "complex64")


def compiled_problems(info: Any) -> Iterator[str]:
    """What a compiled call does unlike the eager one in the samples of an entry; a refusal begins with "refused"."""
    ours = find(info.name)
    for name in COMPILED_DTYPES:
        try:
            samples = samples_of(info, getattr(torch, name), False) if getattr(torch, name) in info.dtypes else []
        except Exception:  # PyTorch's own helper cannot make them here
            continue
        for sample in samples[:: max(1, len(samples) // COMPILED)]:
            try:
                arguments = to_frazil([sample.input, list(sample.args), sample.kwargs], [])
                given = list(_tensors_of(arguments))
                eager = _on_copies(ours, arguments)(*given)
            except Exception:  # it is refused eagerly, too, or frazil's types cannot say it
                continue
            if any(isinstance(x, fz.Tensor) for x in flat(eager)):
                found = _compiled_unlike(_on_copies(ours, arguments), given, eager, values=info.name not in RANDOM)
                if found:
                    yield f"{found.split(': ')[0]}: {info.name}({described(sample)}): {found.partition(': ')[2]}"


def _compiled_unlike(function: Any, given: list[Any], eager: Any, *, values: bool) -> str | None:
    compiled = fz.compile(function, engine="numpy", fullgraph=True)
    try:
        for _ in range(2):  # the second time by the recording's prepared calls
            for a, b in zip(flat(compiled(*given)), flat(eager), strict=True):
                if isinstance(b, fz.Tensor) and (a.dtype is not b.dtype or a.shape != b.shape):
                    return f"differs: {a.dtype}{list(a.shape)} for {b.dtype}{list(b.shape)}"
                if not isinstance(b, fz.Tensor) and a != b:
                    return f"differs: {a!r} for {b!r}"
                if values and isinstance(b, fz.Tensor):
                    x, y = (in_numpys_dtype(t.detach().to_dense()).numpy() for t in (a, b))
                    if not np.allclose(x, y, rtol=1e-5, atol=1e-6, equal_nan=True):
                        return f"differs: {x.ravel()[:4]} for {y.ravel()[:4]}"
    except fz.errors.RecordError as error:
        return f"refused: {' '.join(str(error).split())[:200]}"
    except Exception as error:
        return f"fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return None


def _tensors_of(value: Any) -> Iterator[Any]:
    if isinstance(value, fz.Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors_of(part)


def _on_copies(function: Any, arguments: Any) -> Any:
    """The call as a function of its tensors alone, which it does not write to."""

    def filled(value: Any, tensors: Iterator[Any]) -> Any:
        if isinstance(value, fz.Tensor):
            return next(tensors).clone()
        if isinstance(value, (tuple, list)):
            return type(value)([filled(v, tensors) for v in value])
        return {k: filled(v, tensors) for k, v in value.items()} if isinstance(value, dict) else value

    def call(*tensors: Any) -> Any:
        first, rest, named = filled(arguments, iter(tensors))
        return function(first, *rest, **named)

    return call
