"""Operators that a program writes: `torch.library`, in both libraries by the same lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError, AutogradError

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity


def by_decorators(t: Any) -> Any:
    """`custom_op` with a formula, keyword-only arguments and defaults."""
    Tensor = t.Tensor

    def body(x: Tensor, y: Tensor, by: float = 2.0, *, shift: int = 1) -> Tensor:
        return x * y * by + shift

    body.__annotations__ |= {"x": Tensor, "y": Tensor, "by": float, "shift": int, "return": Tensor}
    op = t.library.custom_op("tests::blend", body, mutates_args=())

    @op.register_fake
    def _(x, y, by=2.0, *, shift=1):
        return t.empty_like(x)

    def setup(ctx, inputs, output, keyword_only_inputs=None):
        x, y, ctx.by = inputs
        ctx.save_for_backward(x, y)

    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y * ctx.by, g * x * ctx.by, None

    op.register_autograd(backward, setup_context=setup)
    return lambda x, y: t.ops.tests.blend(x, y, by=3.0, shift=2) + t.ops.tests.blend.default(x, y)


def by_schema(t: Any) -> Any:
    """`define`, `impl` and `register_autograd` by name."""
    t.library.define("tests::power", "(Tensor x, Tensor y, int[] n=[1, 2], *, float by=1.5) -> Tensor")
    t.library.impl("tests::power", "cpu", lambda x, y, n=(1, 2), by=1.5: (x * y) ** n[1] * by)

    @t.library.register_fake("tests::power")
    def _(x, y, n=(1, 2), by=1.5):
        return t.empty_like(x)

    def setup(ctx, inputs, output, keyword_only_inputs=None):
        ctx.save_for_backward(*inputs[:2])
        ctx.n, ctx.by = inputs[2], keyword_only_inputs["by"]

    def backward(ctx, g):
        x, y = ctx.saved_tensors
        slope = g * ctx.by * ctx.n[1] * (x * y) ** (ctx.n[1] - 1)
        return slope * y, slope * x, None

    t.library.register_autograd("tests::power", backward, setup_context=setup)
    return lambda x, y: t.ops.tests.power(x, y, [1, 3]) + t.ops.tests.power(x, y, by=2.0)


def by_library(t: Any) -> Any:
    """A `Library` with a composite, which the tape sees, and a kernel below an autograd key."""
    library = t.library.Library("tests_of_library", "DEF")
    library.define("mixed(Tensor x, Tensor y) -> Tensor")
    library.impl("mixed", lambda x, y: (x * y).sin(), "CompositeImplicitAutograd")
    library.define("cube(Tensor x) -> Tensor")
    library.impl("cube", lambda x: x**3, "CPU")

    class Cube(t.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            with t._C._AutoDispatchBelowAutograd():
                return t.ops.tests_of_library.cube(x)

        @staticmethod
        def backward(ctx, g):
            return 3 * g * ctx.saved_tensors[0] ** 2

    library.impl("cube", Cube.apply, "Autograd")
    t._kept = library  # an operator of PyTorch's goes with its Library
    return lambda x, y: t.ops.tests_of_library.mixed(x, y) + t.ops.tests_of_library.cube(x)


def of_lists(t: Any) -> Any:
    """A list of tensors, whose gradients are a list."""
    Tensor = t.Tensor

    def body(xs, n):
        return (xs[0] * xs[1] * n).clone()

    body.__annotations__ |= {"xs": list[Tensor], "n": int, "return": Tensor}
    op = t.library.custom_op("tests::product", body, mutates_args=())

    def setup(ctx, inputs, output):
        ctx.xs, ctx.n = inputs

    op.register_autograd(lambda ctx, g: ([g * ctx.xs[1] * ctx.n, g * ctx.xs[0] * ctx.n], None), setup_context=setup)
    return lambda x, y: op([x, y], 3)


@pytest.mark.parametrize("made", [by_decorators, by_schema, by_library, of_lists], ids=lambda f: f.__name__)
def test_operators_and_their_gradients_are_those_of_pytorch(made: Any) -> None:
    data = np.linspace(-1, 2, 12).reshape(2, 2, 3)
    found = []
    for t in (fz, torch):
        operator = made(t)
        x, y = (t.tensor(d, requires_grad=True) for d in data)
        result = operator(x, y)
        (result * t.tensor(data[0])).sum().backward()
        with t.no_grad():
            quiet = operator(x, y)
        found.append([result.detach().numpy(), x.grad.numpy(), y.grad.numpy(), quiet.numpy()])
        assert not quiet.requires_grad
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_operators_are_recorded_as_what_they_compute() -> None:
    operator = by_decorators(fz)
    x = fz.randn(3, 4)
    report = fz.onnx.export(lambda x: operator(x, x + 1), (x,), None, verify=True)
    np.testing.assert_allclose(report(x + 1)[0], operator(x + 1, x + 2), rtol=1e-5, atol=1e-6)


def test_without_a_formula_kernel_or_namespace_the_error_says_so() -> None:
    fz.library.define("tests::lonely", "(Tensor x) -> Tensor")
    with pytest.raises(NotImplementedError, match="tests::lonely: no kernel for cpu"):
        fz.ops.tests.lonely(fz.ones(1))
    fz.library.impl("tests::lonely", "cpu", lambda x: x + 1)
    y = fz.ops.tests.lonely(fz.ones(1, requires_grad=True))
    with pytest.raises(AutogradError, match="register_autograd"):
        y.sum().backward()
    with pytest.raises(AttributeError, match="did you mean 'lonely'"):
        fz.ops.tests.lonley
    with pytest.raises(ArgumentError, match="frazil's own"):
        fz.library.define("relu::x", "(Tensor x) -> Tensor")
    with pytest.raises(ArgumentError, match="namespace::name"):
        fz.library.define("x", "(Tensor x) -> Tensor")
