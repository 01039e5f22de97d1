"""`int` and `float` of a size stay sizes in the modules of the program, as PyTorch programs write them: `int(n / 4)`."""

# ruff: noqa: UP018

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

import frazil as fz

#: What programs write with `x` of shape [8, 6], each a tensor that follows the size of the batch.
SPELLINGS = {
    "int of a quotient": lambda x: x.view(int(x.shape[0] / (4 * 4 / 2 / 2)), -1),
    "int of a product": lambda x: x[: int(x.shape[0] * 0.5)],
    "int of a size": lambda x: x.reshape(int(x.shape[0]) * 2, -1),
    "int of all": lambda x: x.reshape(*[int(y) for y in x.size()], 1),
    "mapped": lambda x: x.expand(3, *map(int, x.shape)),
    "float of a size": lambda x: x.sum(0) / float(x.shape[0]),
    "int of a float": lambda x: x[: int(float(x.shape[0]) / 2)],
    "a default": lambda x: x[: int(x.shape[0] or 1)],
    "an instance": lambda x: x * (2 if isinstance(int(x.shape[0]), int) and isinstance(x.shape[0], int) else 3),
    "no instance": lambda x: x * (2 if isinstance(x.shape[0], float) or isinstance(1.0, int) else 3),
    "text and numbers": lambda x: x * int("3") + float("2.5") + int("11", 2) + int() + float(),
    "a subclass": lambda x: x * (2 if issubclass(bool, int) else 3),
}


#: What a module does more with `int` than call it: there it stays what it is, in all of the module.
MORE = {
    "types compared": "x * (2 if type(k) == int and type(k) in (int, float) else 3)",
    "types in a dict": "x * {int: 2, float: 3}[type(k)]",
    "a dtype": "x * fz.ones(6, dtype=int)",
    "a factory": "x + defaultdict(int)['no']",
    "a method": "x + int.from_bytes(bytes([1]), 'big')",
    "by another name": "x * (2 if (lambda T: type(k) is T)(int) else 5)",
    "from the left": "x * (2 if int is type(k) else 5)",
    "in a generator": "x * (2 if any(type(k) is t for t in (int, float)) else 5)",
    "its identity": "x * (id(int) % 1000)",
    "its name": "x * len(int.__name__)",
    "a class of its own": "x * int(type('A', (int,), {})(3))",
}


@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("wrapped", ["", "@(lambda g: functools.wraps(g)(lambda *a: g(*a)))", "@fz.no_grad()"])
def test_a_module_that_does_more_with_int_keeps_it(name: str, wrapped: str) -> None:
    head = "import functools\nfrom collections import defaultdict\nimport frazil as fz\nk = 3\n"
    made = _module("more_with_int", f"{head}{wrapped}\ndef f(x):\n    return {MORE[name]}\n")
    x = fz.ones(8, 6)
    fz.testing.assert_close(fz.jit.trace(lambda x: made.f(x) * int(x.shape[0] / 4), x)(x), made.f(x) * 2)


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_recording_follows_the_size(name: str) -> None:
    program = fz.jit.trace(SPELLINGS[name], fz.ones(8, 6), dynamic_shapes=({0: "n"},))
    assert not any("== 8" in str(guard) for guard in program.graph.guards)
    for n in (8, 4, 16, 12):
        x = fz.arange(n * 6.0).reshape(n, 6)
        fz.testing.assert_close(program(x), SPELLINGS[name](x))


def test_the_names_are_as_they_were_afterwards() -> None:
    with pytest.raises(ZeroDivisionError):
        fz.jit.trace(lambda x: int(x.shape[0]) * x / (1 // 0), fz.ones(2))
    assert "int" not in globals() and "float" not in globals()


def _module(name: str, source: str) -> Any:
    made = sys.modules[name] = types.ModuleType(name)
    exec(source, made.__dict__)
    return made


def test_functions_of_other_files_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    helper = _module("helper_of_windows", "def windows(x):\n    return x.view(int(x.shape[0] / 4), -1)\n")
    monkeypatch.setitem(globals(), "windows", helper.windows)
    program = fz.jit.trace(lambda x: windows(x), fz.ones(8, 3), dynamic_shapes=({0: "n"},))  # type: ignore[name-defined]  # noqa: F821
    assert program(fz.ones(4, 3)).shape == (1, 12)
    assert "int" not in vars(helper)


def test_a_module_with_an_int_of_its_own_keeps_it() -> None:
    own = _module("own_int", "def int(x):\n    return 3\n\ndef f(x):\n    return x * int(x.shape[0])\n")
    fz.testing.assert_close(fz.jit.trace(own.f, fz.ones(8))(fz.ones(8)), fz.full((8,), 3.0))
    assert own.int(1) == 3


def test_recordings_in_one_another_leave_nothing() -> None:
    def outer(x: Any) -> Any:
        fz.jit.trace(lambda y: y * int(y.shape[0] / 2), fz.ones(4))
        assert "int" in globals()  # the outer one goes on
        return x * int(x.shape[0] / 2)

    assert fz.jit.trace(outer, fz.ones(8))(fz.ones(8)).tolist() == [4.0] * 8
    assert "int" not in globals()
