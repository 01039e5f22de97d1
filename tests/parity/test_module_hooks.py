"""Hooks of all modules, and their own beside them, are called as PyTorch calls them: in its order, with its arguments."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
pytestmark = pytest.mark.parity


def shown(value: Any) -> Any:
    if isinstance(value, (fz.Tensor, torch.Tensor)):
        return [round(x, 4) for x in np.asarray(value.detach().tolist()).ravel().tolist()]
    return [shown(item) for item in value] if isinstance(value, (tuple, list)) else value


def both(program: Any) -> None:
    found = []
    for library in (torch, fz):
        log: list[Any] = []
        module = importlib.import_module(f"{library.__name__}.nn.modules.module")
        program(library, module, lambda *what, log=log: log.append([shown(part) for part in what]))
        found.append(log)
    assert found[0] == found[1] and found[0]


def two(library: Any) -> Any:
    class Scale(library.nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.weight = library.nn.Parameter(library.tensor([by, -by]))

        def forward(self, x: Any, shift: float = 0.0) -> Any:
            return x * self.weight + shift

    class Two(library.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = Scale(2.0), Scale(3.0)

        def forward(self, x: Any) -> Any:
            return self.b(self.a(x), shift=1.0)

    return Two()


def name(module: Any) -> str:
    return type(module).__name__


def test_forward_hooks() -> None:
    def program(library, module, log):
        net = two(library)
        handles = [
            net.a.register_forward_pre_hook(lambda m, args: log("own pre", name(m), args)),
            module.register_module_forward_pre_hook(lambda m, args: log("pre", name(m), args)),
            module.register_module_forward_hook(lambda m, args, y: log("after", name(m), args, y)),
            module.register_module_forward_hook(
                lambda m, args, kw, y: log("with", name(m), args, kw.get("shift"), y), with_kwargs=True
            ),
            net.b.register_forward_hook(lambda m, args, y: y + 1),
            module.register_module_forward_hook(lambda m, args, y: y * 10 if name(m) == "Two" else None),
        ]
        log(net(library.ones(2)))
        for handle in handles:
            handle.remove()
            log(net(library.ones(2)))

    both(program)


def test_arguments_are_replaced() -> None:
    def program(library, module, log):
        net = two(library)
        with (
            module.register_module_forward_pre_hook(lambda m, args: args[0] + 1),
            module.register_module_forward_pre_hook(lambda m, args: (args[0] * 2,)),
        ):
            log(net(library.ones(2)))
        log(net(library.ones(2)))

    both(program)


def test_hooks_that_are_always_called() -> None:
    def program(library, module, log):
        class Broken(library.nn.Module):
            def forward(self, x):
                raise ValueError("broken")

        handles = [
            module.register_module_forward_hook(lambda m, args, y: log("always", name(m), y), always_call=True),
            module.register_module_forward_hook(lambda m, args, y: log("never", name(m))),
        ]
        net = library.nn.Sequential(Broken())
        with pytest.raises(ValueError, match="broken"):
            net(library.ones(2))
        for handle in handles:
            handle.remove()

    both(program)


def test_backward_hooks() -> None:
    def program(library, module, log):
        net = two(library)
        handles = [
            net.b.register_full_backward_hook(lambda m, into, out: log("own", name(m), into, out)),
            net.b.register_full_backward_pre_hook(lambda m, out: log("own pre", name(m), out)),
            module.register_module_full_backward_pre_hook(lambda m, out: log("pre", name(m), out)),
            module.register_module_full_backward_hook(lambda m, into, out: log("after", name(m), into, out)),
        ]
        x = library.ones(2, requires_grad=True)
        net(x).sum().backward()
        log(x.grad, net.a.weight.grad)
        for handle in handles:
            handle.remove()
        net(x).sum().backward()
        log(x.grad)

    both(program)


def test_gradients_are_replaced() -> None:
    def program(library, module, log):
        net = two(library)
        x = library.ones(2, requires_grad=True)
        with (
            module.register_module_full_backward_hook(lambda m, into, out: (into[0] * 2,)),
            module.register_module_full_backward_pre_hook(lambda m, out: (out[0] + 1,)),
        ):
            net(x).sum().backward()
        log(x.grad, net.a.weight.grad, net.b.weight.grad)

    both(program)


def test_registration_hooks() -> None:
    def program(library, module, log):
        kinds = ("parameter", "buffer", "module")
        handles = [
            getattr(module, f"register_module_{kind}_registration_hook")(
                lambda m, key, value, kind=kind: log(kind, name(m), key, name(value))
            )
            for kind in kinds
        ]
        net = library.nn.Sequential(library.nn.Linear(2, 2), library.nn.BatchNorm1d(2))
        net.extra = library.nn.ReLU()
        net.extra = None
        net.register_parameter("none", None)
        net.none = library.nn.Parameter(library.ones(1))
        net.none = None
        net.register_buffer("table", library.ones(2))
        net.table = library.zeros(2)
        net.table = None
        net.add_module("late", library.nn.Tanh())
        net.plain = library.ones(1)
        for handle in handles:
            handle.remove()
        library.nn.Linear(2, 2)
        with module.register_module_parameter_registration_hook(
            lambda m, key, value: library.nn.Parameter(library.zeros_like(value)) if key == "bias" else None
        ):
            net.bias = library.nn.Parameter(library.ones(2))
            log(net.bias)
        with module.register_module_module_registration_hook(lambda m, key, value: library.nn.Identity()):
            log(name(library.nn.Sequential(library.nn.ReLU())[0]))
        with module.register_module_buffer_registration_hook(lambda m, key, value: value + 1 if key == "running_mean" else None):
            log(library.nn.BatchNorm1d(2).running_mean)

    both(program)


def test_hooks_of_all_optimizers() -> None:
    def program(library, module, log):
        where = importlib.import_module(f"{library.__name__}.optim.optimizer")
        weight = library.nn.Parameter(library.ones(2))
        optimizer = library.optim.SGD([weight], lr=0.5)
        weight.grad = library.ones(2)
        handles = [
            optimizer.register_step_pre_hook(lambda o, args, kwargs: log("own pre", name(o), len(args), weight)),
            optimizer.register_step_post_hook(lambda o, args, kwargs: log("own post", name(o), len(args), weight)),
            where.register_optimizer_step_pre_hook(lambda o, args, kwargs: log("pre", name(o), args[0] is o, weight)),
            where.register_optimizer_step_post_hook(lambda o, args, kwargs: log("post", name(o), args[0] is o, weight)),
        ]
        handles.append(optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: library.zeros(())), {})))
        for handle in handles:
            log(optimizer.step())
            handle.remove()
        log(optimizer.step(), weight)

    both(program)
