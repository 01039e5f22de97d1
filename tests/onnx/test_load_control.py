"""Files with If, Loop and Scan that somebody else wrote: they are trained as the same program in Python is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import frazil as fz

_HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
#: Name -> the file. The weights are w, u and b; the result is y.
FILES = {
    "If": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[n, 3] y) {
            total = ReduceSum <keepdims = 0> (x)
            zero = Constant <value = float {0}> ()
            flag = Greater (total, zero)
            h = If (flag) <
                then_branch = yes () => (float[n, 3] p) { p0 = MatMul (x, w)  p = Tanh (p0) },
                else_branch = no () => (float[n, 3] q) { q0 = MatMul (x, u)  q1 = Mul (q0, q0)  q = Sub (q1, b) }
            >
            y = Add (h, b)
        }""",
    "If in If, one branch without weights": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[n, 3] y) {
            total = ReduceSum <keepdims = 0> (x)
            zero = Constant <value = float {0}> ()
            ten = Constant <value = float {10}> ()
            flag = Greater (total, zero)
            h = MatMul (x, w)
            y = If (flag) <
                then_branch = yes () => (float[n, 3] p) {
                    much = Greater (total, ten)
                    p = If (much) <
                        then_branch = more () => (float[n, 3] r) { r = Identity (x) },
                        else_branch = less () => (float[n, 3] s) { s0 = MatMul (h, u)  s = Add (s0, h) }
                    >
                },
                else_branch = no () => (float[n, 3] q) { q = Mul (h, b) }
            >
        }""",
    "Loop with a limit and rows": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[n, 3] y, float[k, n, 3] rows) {
            limit = Constant <value = int64 {4}> ()
            y, rows = Loop (limit, , x) <body = round (
                int64 i, bool go, float[n, 3] h
            ) => (bool on, float[n, 3] next, float[n, 3] row) {
                on = Identity (go)
                a = MatMul (h, w)
                c = Add (a, b)
                next = Tanh (c)
                row = MatMul (next, u)
            }>
        }""",
    "Loop that the numbers end": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[n, 3] y) {
            limit = Constant <value = int64 {50}> ()
            bound = Constant <value = float {9}> ()
            begin = Constant <value = bool {1}> ()
            y = Loop (limit, begin, x) <body = round (int64 i, bool go, float[n, 3] h) => (bool on, float[n, 3] next) {
                a = MatMul (h, w)
                turn = Cast <to = 1> (i)
                c = Mul (b, turn)
                d = Add (a, c)
                next = Add (h, d)
                size = ReduceSumSquare <keepdims = 0> (next)
                on = Less (size, bound)
            }>
        }""",
    "Scan": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[3] y, float[n, 3] rows) {
            y, rows = Scan <num_scan_inputs = 1, body = round (float[3] h, float[3] e) => (float[3] next, float[3] row) {
                a = MatMul (e, w)
                c = MatMul (h, u)
                d = Add (a, c)
                next = Tanh (d)
                row = Mul (next, next)
            }> (b, x)
        }""",
    "Scan backwards": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[3] y, float[n, 3] rows) {
            y, rows = Scan <num_scan_inputs = 2, scan_input_directions = [1, 1], scan_output_directions = [1],
                            body = round (float[3] h, float[3] e, float[3] f) => (float[3] next, float[3] row) {
                a = MatMul (e, w)
                c = MatMul (h, u)
                d = Add (a, c)
                g = Sigmoid (d)
                next = Mul (g, f)
                row = Identity (next)
            }> (b, x, x)
        }""",
    "If in Loop": """
        agraph (float[n, 3] x, float[3, 3] w, float[3, 3] u, float[3] b) => (float[n, 3] y) {
            limit = Constant <value = int64 {3}> ()
            zero = Constant <value = float {0}> ()
            y = Loop (limit, , x) <body = round (int64 i, bool go, float[n, 3] h) => (bool on, float[n, 3] next) {
                on = Identity (go)
                total = ReduceSum <keepdims = 0> (h)
                flag = Greater (total, zero)
                next = If (flag) <
                    then_branch = yes () => (float[n, 3] p) { p0 = MatMul (h, w)  p = Sub (p0, b) },
                    else_branch = no () => (float[n, 3] q) { q0 = MatMul (h, u)  q = Add (q0, b) }
                >
            }>
        }""",
}


def _loop(x: Any, w: Any, u: Any, b: Any) -> Any:
    rows = []
    for _ in range(4):
        x = fz.tanh(x @ w + b)
        rows.append(x @ u)
    return x, fz.stack(rows)


def _until(x: Any, w: Any, u: Any, b: Any) -> Any:
    for i in range(50):
        x = x + (x @ w + b * float(i))
        if (x * x).sum().item() >= 9:
            break
    return x


def _scan(x: Any, w: Any, u: Any, b: Any) -> Any:
    rows = []
    for e in x:
        b = fz.tanh(e @ w + b @ u)
        rows.append(b * b)
    return b, fz.stack(rows)


def _backwards(x: Any, w: Any, u: Any, b: Any) -> Any:
    rows = []
    for e in x.flip(0):
        b = fz.sigmoid(e @ w + b @ u) * e
        rows.append(b)
    return b, fz.stack(rows).flip(0)


def _nested(x: Any, w: Any, u: Any, b: Any) -> Any:
    total = x.sum().item()
    if total > 0:
        return x if total > 10 else x @ w @ u + x @ w
    return x @ w * b


def _alternating(x: Any, w: Any, u: Any, b: Any) -> Any:
    for _ in range(3):
        x = x @ w - b if x.sum().item() > 0 else x @ u + b
    return x


PROGRAMS: dict[str, Callable[..., Any]] = {
    "If": lambda x, w, u, b: (fz.tanh(x @ w) if x.sum().item() > 0 else (x @ u) ** 2 - b) + b,
    "If in If, one branch without weights": _nested,
    "Loop with a limit and rows": _loop,
    "Loop that the numbers end": _until,
    "Scan": _scan,
    "Scan backwards": _backwards,
    "If in Loop": _alternating,
}


def _weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: 0.4 * rng.standard_normal(shape).astype(np.float32) for name, shape in (("w", (3, 3)), ("u", (3, 3)), ("b", 3))}


def _file(name: str) -> onnx.ModelProto:
    """The file, its weights as initialisers."""
    proto = onnx.parser.parse_model(_HEAD + FILES[name])
    del proto.graph.input[1:]
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(array, key) for key, array in _weights().items())
    onnx.checker.check_model(proto)
    return proto


def _inputs() -> list[np.ndarray]:
    """For each way that the programs may go."""
    x = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    return [x - x.mean() + shift for shift in (-0.3, 0.3, 1.5)]


def _loss(found: Any) -> Any:
    return sum((part * part).mean() + part.sum() * 0.1 for part in (found if isinstance(found, tuple) else (found,)))


@pytest.mark.parametrize("name", FILES)
def test_values_are_onnxruntimes_and_gradients_those_of_the_program(name: str) -> None:
    proto = _file(name)
    loaded = fz.onnx.load(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    for array in _inputs():
        own = {key: fz.tensor(w).requires_grad_() for key, w in _weights().items()}
        x, theirs = fz.tensor(array).requires_grad_(), fz.tensor(array).requires_grad_()
        found, expected = loaded(x), PROGRAMS[name](theirs, **own)
        for ours, other in zip(found if isinstance(found, tuple) else (found,), session.run(None, {"x": array}), strict=True):
            np.testing.assert_allclose(ours.detach().numpy(), other, rtol=1e-5, atol=1e-6)
        loaded.zero_grad()
        _loss(found).backward()
        _loss(expected).backward()
        for ours, other in [(x, theirs), *((getattr(loaded, key), t) for key, t in own.items())]:
            missing = ours.grad is None or other.grad is None
            pair = [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in (ours, other)]
            np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-6)
            assert not missing or not pair[0].any()


@pytest.mark.parametrize("name", FILES)
def test_they_are_fine_tuned_as_the_program(name: str) -> None:
    loaded = fz.onnx.load(_file(name))
    own = {key: fz.nn.Parameter(fz.tensor(w)) for key, w in _weights().items()}
    batches = [fz.tensor(array) for array in _inputs()[:2]]
    losses: list[list[float]] = []
    for run, parameters in ((loaded, list(loaded.parameters())), (lambda x: PROGRAMS[name](x, **own), list(own.values()))):
        optimizer = fz.optim.Adam(parameters, lr=0.01)
        losses.append([])
        for _ in range(20):
            loss = sum(_loss(run(x)) for x in batches)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("name", ["If", "Loop with a limit and rows", "Scan", "Scan backwards", "If in Loop"])
def test_their_gradients_are_recorded(name: str) -> None:
    loaded = fz.onnx.load(_file(name))

    def gradients(x: fz.Tensor) -> Any:
        leaf = x.detach().requires_grad_()
        return fz.autograd.grad(_loss(loaded(leaf)), [leaf])[0]

    first, *others = [fz.tensor(array) for array in _inputs()]
    program = fz.jit.trace(gradients, first)
    for x in (first, *others):
        np.testing.assert_allclose(program(x).numpy(), gradients(x).numpy(), rtol=1e-5, atol=1e-6)
