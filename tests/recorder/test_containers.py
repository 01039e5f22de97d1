"""Containers of a program's own are arguments and results of recordings, once it is said how they are taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import frazil as fz
from frazil.errors import ArgumentError
from frazil.utils._pytree import register_pytree_node


@dataclass
class Output:
    logits: fz.Tensor
    cache: list[fz.Tensor]


register_pytree_node(Output, lambda value: ([value.logits, value.cache], None), lambda items, context: Output(*items))


def program(given: Output) -> Output:
    return Output(given.logits * 2, [c + given.logits.sum() for c in given.cache])


def _given(n: int) -> Output:
    return Output(fz.arange(n, dtype=fz.float32), [fz.ones(2), fz.zeros(3)])


def test_traced_compiled_and_exported() -> None:
    expected = program(_given(5))
    traced = fz.jit.trace(program, _given(3))
    compiled = fz.compile(program, fullgraph=True)
    for run in (traced, compiled, compiled):
        found = run(_given(5))
        assert type(found) is Output
        assert fz.equal(found.logits, expected.logits)
        assert all(fz.equal(a, b) for a, b in zip(found.cache, expected.cache, strict=True))
    report = fz.onnx.export(program, (_given(3),))
    assert len(report.inputs) == len(report.outputs) == 3


def test_a_type_is_registered_once() -> None:
    for kind in (Output, dict):
        with pytest.raises(ArgumentError, match="taken apart already"):
            register_pytree_node(kind, _never, _never)


def _never(*given: Any) -> Any:
    raise AssertionError
