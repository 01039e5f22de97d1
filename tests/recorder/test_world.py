"""A recording leaves nothing of its own in Python, and caches of a module do not fix sizes."""

from __future__ import annotations

import inspect
import threading
import time

import pytest

import frazil as fz
from frazil import state
from frazil.errors import RecordError
from frazil.recorder.world import Reached, World

TABLES: dict[object, object] = {}


class Rotary(fz.nn.Module):
    """Caches in every place where models do."""

    def __init__(self):
        super().__init__()
        self.cache = {}
        self.length, self.cos = 0, None
        self.lists = {"seen": []}

    def forward(self, x):
        n = x.shape[0]
        if n > self.length:
            self.length, self.cos = n, fz.arange(n).float().cos()
        key = (n, x.shape[1])
        if self.cache.get(key) is None:
            self.cache[key] = fz.arange(n * x.shape[1]).float().reshape(n, -1)
        if n not in TABLES:
            TABLES[n] = fz.ones(n)
        self.lists["seen"].append(n)
        return x * self.cos[:n, None] + self.cache[key] + TABLES[n][:, None]


def test_a_module_that_caches_by_size_exports_for_all_sizes_and_still_runs():
    TABLES.clear()
    module = Rotary().eval()
    report = fz.onnx.export(module, (fz.ones(4, 3),))
    assert (module.length, module.cos, module.cache, module.lists, TABLES) == (0, None, {}, {"seen": []}, {})
    for shape in ((4, 3), (7, 2)):
        x = fz.rand(*shape)
        assert fz.allclose(fz.tensor(report.run(x)[0]), module(x), atol=1e-6)


def test_what_python_values_a_program_keeps_stays():
    seen = []
    fz.jit.trace(lambda x: seen.append(1) or x, fz.ones(2))
    assert seen == [1]


class Masked(fz.nn.Module):
    """The idiom of word-language models."""

    def __init__(self, mask=None):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        if self.mask is None or self.mask.size(0) != len(x):
            self.mask = fz.tril(fz.ones(len(x), len(x)))
        return x @ x.t() + self.mask


def test_a_mask_made_anew_when_the_length_changes():
    module = Masked().eval()
    report = fz.onnx.export(module, (fz.ones(4, 3),))
    assert module.mask is None
    assert fz.allclose(fz.tensor(report.run(fz.ones(6, 3))[0]), module(fz.ones(6, 3)))


def test_a_warm_mask_of_another_length():
    module = Masked(fz.ones(5, 5)).eval()
    fz.onnx.export(module, (fz.ones(4, 3),))
    assert module.mask.shape == (5, 5)


def test_an_attribute_made_of_the_input_is_still_refused():
    class Keeps(fz.nn.Module):
        last = None

        def forward(self, x):
            y = x if self.last is None else x + self.last
            self.last = x * 2
            return y

    with pytest.raises(RecordError, match=r"Keeps\.last"):
        fz.jit.trace(Keeps(), (fz.ones(2),))


def test_a_thread_that_runs_eagerly_does_not_notice_a_recording():
    started, go_on, wrong = threading.Event(), threading.Event(), []

    def program(x):
        started.set()
        assert go_on.wait(20)
        return x + len(x)

    def eager():
        started.wait(20)
        layer = fz.nn.Linear(2, 2)
        for _ in range(20):
            y = layer(fz.ones(3, 2))
            y.sum().backward()
            if y._dev.recording or len([1, 2]) != 2 or max(3, 4) != 4 or fz.jit.is_tracing():
                wrong.append(y)
        go_on.set()

    thread = threading.Thread(target=eager)
    thread.start()
    recorded = fz.jit.trace(program, (fz.ones(3),))
    thread.join()
    assert not wrong and recorded(fz.ones(4)).tolist() == [5.0] * 4


def test_recordings_in_several_threads():
    found = {}

    def work(k):
        recorded = fz.jit.trace(lambda x: (x * k)[: x.shape[0] - 1], (fz.ones(4),))
        found[k] = recorded(fz.ones(k + 2)).tolist()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [float(k)] * (k + 1) for k in range(1, 6)}


def test_objects_that_all_know_each_other_are_looked_at_once():
    class Neighbour:
        def __init__(self):
            self.known = []

    village = [Neighbour() for _ in range(30)]
    for neighbour in village:
        neighbour.known = village
        for k, other in enumerate(village):
            setattr(neighbour, f"friend{k}", other)

    def program(x):
        village[7].friend3.last = x * 2
        return x + len(village)

    started = time.monotonic()
    assert fz.jit.trace(program, (fz.ones(3),))(fz.ones(2)).tolist() == [31.0] * 2
    assert time.monotonic() - started < 10 and not hasattr(village[3], "last")


def calling(function):
    return lambda *args: function(*args)


def test_what_frazil_shares_between_threads_is_not_put_back():
    """A recording looks through frazil's own functions into the program's, and not at the counts that those look at."""
    functions = [getattr(space, name) for space in (fz, fz.nn.functional, fz.linalg) for name in dir(space)]
    for function in filter(inspect.isfunction, functions):
        found = [Reached(calling(function)), World(function, [])]
        state.count(state.RECORDINGS, 1)
        try:
            with found[0].again():
                found[1].put_back()
                assert state.RECORDINGS == [1], function.__name__
        finally:
            state.count(state.RECORDINGS, -1)


def test_large_data_of_a_module_is_looked_at_only_where_its_code_mentions_it():
    space = {"fz": fz, "__name__": "of_a_user", "data": [[i] for i in range(2000)], "kept": {str(i): [] for i in range(2000)}}
    code = """
class Model(fz.nn.Module):
    @property
    def first(self):
        return kept["0"]

    def forward(self, x):
        self.first.append(x * 2)
        return x + 1
"""
    exec(code, space)
    model = space["Model"]()
    world = World(model.forward, [model])
    assert id(space["kept"]["0"]) in world._before
    assert id(space["data"]) not in world._before and id(space["data"][0]) not in world._before
    fz.jit.trace(model, fz.ones(2))
    assert space["kept"]["0"] == []


def test_numbers_in_a_long_list_are_not_looked_at_one_by_one(monkeypatch):
    looked = []
    real = World._remember_value
    monkeypatch.setattr(World, "_remember_value", lambda self, value, depth: looked.append(value) or real(self, value, depth))
    numbers = [*range(3000), list]

    def program(x):
        return x * len(numbers)

    World(program, [])
    assert any(value is numbers for value in looked)
    before = len(looked)
    numbers.pop()
    World(program, [])
    assert len(looked) - before < 3000 < before
