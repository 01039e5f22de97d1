"""Calls that are handed to modes, to subclasses of `Tensor` and to what stands for tensors: who is asked, as in PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import overrides

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

LIBRARIES = pytest.mark.parametrize("xp", [fz, torch], ids=["frazil", "torch"])

#: Programs of tensors `x` and `y`, and the names of the functions that a mode is asked about.
CALLS = {
    "x + 1": ["add"],
    "1 + x": ["add"],
    "x.relu()": ["relu"],
    "xp.relu(x)": ["relu"],
    "xp.add(x, y, alpha=2)": ["add"],
    "x @ y": ["matmul"],
    "-x": ["neg"],
    "x[0]": ["__getitem__"],
    "x == y": ["__eq__"],
    "xp.ones(2)": ["ones"],
    "xp.tensor([1.0])": ["tensor"],
    "xp.cat([x, y])": ["cat"],
    "xp.nn.functional.relu(x)": ["relu"],
    "xp.nn.functional.layer_norm(x, (2,))": ["layer_norm"],
    "xp.nn.functional.gelu(x + y)": ["add", "gelu"],
    "layer(x)": ["linear"],
    "x.sum().backward()": ["sum", "backward"],
    "x.sum().mean().clone()": ["sum", "mean", "clone"],
}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Nobody is asked any more: the process goes on with other tests."""
    yield
    if overrides._noticed[0]:
        overrides._noticed[0] = False
        overrides._count(-1)


def recorder(xp: Any) -> Any:
    class Names(xp.overrides.TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func.__name__ != "__get__":  # attributes
                self.names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    return Names()


@LIBRARIES
@pytest.mark.parametrize("line", CALLS)
def test_a_mode_is_asked_about_the_calls_of_a_program(xp, line):
    names = {"xp": xp, "x": xp.ones(2, 2, requires_grad=True), "y": xp.ones(2, 2), "layer": xp.nn.Linear(2, 2)}
    with recorder(xp) as mode:
        eval(line, names)
    assert mode.names == CALLS[line]
    eval(line, names)
    assert mode.names == CALLS[line]


@LIBRARIES
def test_modes_change_calls_and_the_outer_is_asked_last(xp):
    class Times(xp.overrides.TorchFunctionMode):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found = func(*args, **(kwargs or {}))
            return found * self.factor + 1 if func in (xp.relu, xp.Tensor.relu) else found

    x = xp.ones(2)
    with Times(10), Times(3):
        assert xp.relu(x).tolist() == [34.0, 34.0]
        assert x.relu().tolist() == [34.0, 34.0]
        assert x.tanh().tolist() == x.tanh().tolist()
    assert xp.relu(x).tolist() == [1.0, 1.0]


def test_functions_are_themselves_again_when_no_mode_is_on():
    before = fz.relu, fz.Tensor.relu, vars(fz.Tensor)["__add__"], fz.nn.functional.linear
    with recorder(fz):
        assert fz.relu == before[0] and hash(fz.relu) == hash(before[0])
        assert {before[0]: "table"}[fz.relu] == "table"
    assert fz.relu is before[0] and fz.nn.functional.linear is before[3] and vars(fz.Tensor)["__add__"] is before[2]


SUBCLASS = """
x + 1; 1 + x; x * p; p * x; xp.relu(x); x[0]; x.sum(); xp.cat([x, y]); xp.cat([y, x]); x.clone(); x.detach(); x.split(1)[0]
x.max(0).values; x.mT; x.data; y + x; xp.as_tensor(x); xp.zeros_like(x); x.new_zeros(2); xp.tensor(x); x.requires_grad_(False)
x.float(); x.reshape(-1); x.view(4); xp.nn.functional.linear(y, x); xp.nn.functional.softmax(x, 0); x.add_(1); y.mul(x); x @ y
xp.stack([x, x]).sum(0); xp.where(x > 0, x, y); x.unbind()[1]; xp.linalg.inv(x + xp.eye(2)); p + 1; xp.ones(2); x.softmax(0)
""".replace("\n", ";")


@pytest.mark.parametrize("line", [part.strip() for part in SUBCLASS.split(";") if part.strip()])
def test_results_of_a_subclass_are_of_the_subclass(line):
    found = []
    for xp in (fz, torch):

        class Named(xp.Tensor):  # type: ignore[name-defined, misc]
            pass

        x = xp.ones(2, 2).as_subclass(Named)
        names = {"xp": xp, "x": x, "y": xp.full((2, 2), 2.0), "p": xp.nn.Parameter(xp.ones(2, 2))}
        result = eval(line, names)
        found.append((type(result).__name__, result.detach().tolist(), result.requires_grad))
    assert found[0] == found[1]


@LIBRARIES
def test_a_subclass_carries_what_it_knows(xp):
    class Noted(xp.Tensor):
        @staticmethod
        def __new__(cls, data: Any, note: str = "") -> Any:
            return super().__new__(cls, data)

        def __init__(self, data: Any, note: str = "") -> None:
            self.note = note

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = super().__torch_function__(func, types, args, kwargs or {})
            if isinstance(result, cls):
                result.note = next((a.note for a in args if isinstance(a, cls)), "")
            return result

    x = Noted([1.0, 2.0], "a note")
    assert (x * 2 + 1).note == "a note" and repr(x) == "Noted([1., 2.])"
    assert (x * 2).tolist() == [2.0, 4.0]
    w = xp.ones(2, requires_grad=True)
    (x * w).sum().backward()
    assert w.grad.tolist() == [1.0, 2.0]


@LIBRARIES
def test_a_subclass_may_want_not_to_be_asked(xp):
    """Parameters on a manifold: their class makes them with arguments of its own, and results are tensors."""

    class Held(xp.Tensor):
        __torch_function__ = importlib.import_module(f"{xp.__name__}._C")._disabled_torch_function_impl

        def __new__(cls, data: Any, place: str = "", requires_grad: bool = True) -> Any:
            made = xp.Tensor._make_subclass(cls, data, requires_grad)
            made.place = place
            return made

        def moved(self, by: float) -> Any:
            return self.copy_(self + by)

    class HeldParameter(Held, xp.nn.Parameter):
        def __new__(cls, data: Any, place: str = "", requires_grad: bool = True) -> Any:
            return Held.__new__(cls, data, place=place, requires_grad=requires_grad)

    w = HeldParameter(xp.ones(2), place="a sphere")
    (w * 3).sum().backward()
    assert not xp.overrides.has_torch_function((w,)) and type(w * 2) is xp.Tensor and w.grad.tolist() == [3.0, 3.0]
    layer = xp.nn.Module()
    layer.w = w
    xp.optim.SGD(layer.parameters(), lr=0.5).step()
    with xp.no_grad():
        w.moved(1.0)
    assert isinstance(layer.w, HeldParameter) and layer.w.tolist() == [0.5, 0.5] and layer.w.place == "a sphere"


@LIBRARIES
def test_an_object_that_stands_for_a_tensor_takes_the_calls(xp):
    handled: dict[Any, Any] = {}

    class Diagonal:
        def __init__(self, n: int, value: float) -> None:
            self.n, self.value = n, value

        def tensor(self) -> Any:
            return self.value * xp.eye(self.n)

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func not in handled:
                return NotImplemented
            return handled[func](*args, **(kwargs or {}))

    handled[xp.mean] = lambda x: x.value / x.n
    handled[xp.add] = lambda x, y: Diagonal(x.n, x.value + y.value)
    handled[xp.nn.functional.linear] = lambda x, weight, bias=None: x @ weight.tensor().T
    d = Diagonal(4, 2.0)
    assert xp.mean(d) == 0.5
    assert xp.add(d, d).value == 4.0
    assert np.allclose(xp.nn.functional.linear(xp.ones(1, 4), d).tolist(), 2.0)
    with pytest.raises(TypeError, match="no implementation found|NotImplemented"):
        xp.mul(d, 2)


def test_other_threads_are_not_asked():
    import threading

    with recorder(fz) as mode:
        worker = threading.Thread(target=lambda: fz.relu(fz.ones(2)))
        worker.start()
        worker.join()
    assert mode.names == []


class Own(fz.Tensor):
    """A subclass, as programs write them."""


#: Calls that frazil answers, and that PyTorch does, of a tensor of each.
MIXED = {
    "frazil": [
        lambda ours, theirs: ours + theirs,
        lambda ours, theirs: theirs + ours,
        lambda ours, theirs: ours == theirs,
        lambda ours, theirs: theirs == ours,
        lambda ours, theirs: fz.matmul(ours, theirs),
        lambda ours, theirs: fz.cat([ours, theirs]),
        lambda ours, theirs: fz.nn.Linear(2, 2)(theirs),
    ],
    "torch": [
        lambda ours, theirs: torch.matmul(theirs, ours),
        lambda ours, theirs: torch.relu(ours),
        lambda ours, theirs: torch.nn.functional.relu(ours),
    ],
}


@pytest.mark.parametrize("kind", [fz.Tensor, fz.nn.Parameter, Own])
def test_tensors_of_both_libraries_do_not_mix_and_an_error_says_so(kind: type[fz.Tensor]) -> None:
    """Each asked the other to take the call, without an end."""
    ours = fz.ones(2).as_subclass(kind)
    for theirs in (torch.ones(2), torch.nn.Parameter(torch.ones(2))):
        for call in MIXED["frazil"]:
            with pytest.raises(fz.errors.ArgumentError, match=r"given a torch\.(Tensor|Parameter); make a tensor with fz.tensor"):
                call(ours, theirs)
        for call in MIXED["torch"]:
            with pytest.raises(TypeError, match="__torch_function__"):
                call(ours, theirs)
