"""Running a scripted program in four ways: as Python, rewritten, recorded, and in onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np

import frazil as fz
from frazil.exporters.onnx.running import open_session, run_session
from frazil.pytree import flatten

WAYS = ("rewritten", "recorded", "onnxruntime")


def leaves(result: Any) -> list[np.ndarray]:
    """The numbers of a result, with lists of tensors as they are."""
    return [leaf.detach().numpy() if isinstance(leaf, fz.Tensor) else np.asarray(leaf) for leaf in flatten(result)[0]]


def copied(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(arg.clone() if isinstance(arg, fz.Tensor) else arg for arg in args)


def rewritten_of(fn: Any) -> Any:
    """The rewritten form as a function that runs without a recording."""
    return fn.forward.rewritten if isinstance(fn, fz.nn.Module) else fn.rewritten


def differences(fn: Any, inputs: list[tuple[Any, ...]]) -> list[str]:
    """Where one of the ways gives something else than Python does."""
    recorded = fz.jit.trace(fn, inputs[0])
    report = fz.onnx.export(recorded, inputs[0], verify=False)
    session = open_session(report.model_bytes)
    names = [value.name for value in recorded.graph.inputs]
    found = []
    for args in inputs:
        expected = leaves(fn(*copied(args)))
        feeds = dict(zip(names, [a.numpy() for a in args if isinstance(a, fz.Tensor)], strict=True))
        ways = {
            "rewritten": lambda args=args: leaves(rewritten_of(fn)(*copied(args))),
            "recorded": lambda args=args: leaves(recorded(*copied(args))),
            "onnxruntime": lambda feeds=feeds: list(run_session(session, feeds).values()),
        }
        for way, run in ways.items():
            given = run()
            if len(given) != len(expected):
                found.append(f"{way}: {len(given)} results instead of {len(expected)}")
            for i, (a, b) in enumerate(zip(expected, given, strict=False)):
                if a.shape != b.shape or not np.allclose(a, b, rtol=2e-4, atol=1e-5):
                    found.append(f"{way}: result {i} is {b.tolist()} instead of {a.tolist()}")
    return found
