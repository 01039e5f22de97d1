"""Every engine gives what eager code gives, and `auto` takes one that does."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import compiled, nn
from frazil.compiled import choice, engines, remembered
from frazil.compiled.apart import Apart, Whole, last_steps
from frazil.nn import functional as F
from frazil.plugins import MANAGER, EngineRecord, hookimpl
from frazil.recorder.graph import Graph

from ..random_programs.generator import arguments, generate
from ..random_programs.ways import SIZES, differs, function_of
from .test_compile import OPTIMIZERS, trained

ENGINES = ("numpy", "onnxruntime")

#: The bias before a BatchNorm has a gradient of rounding errors, which AdamW would make as large as any other without an `eps`.
STEADY = {"momentum": OPTIMIZERS["momentum"], "adamw": lambda p: fz.optim.AdamW(p, lr=0.01, eps=1e-3)}


def check_training(engine: str, optimizer: Any, device: str = "cpu", steps: int = 20) -> None:
    """A compiled training step leaves the losses, weights, statistics, gradients and optimiser state of the eager one."""
    losses, state, _ = trained(optimizer, False, steps, device=device)
    found, other, step = trained(optimizer, True, steps, engine, device)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    for a, b in zip(other, state, strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-4, atol=2e-5)
    (recording,) = fz.compile.explain(step).recordings
    assert recording.engine == engine


@pytest.mark.parametrize("name", STEADY)
def test_a_training_step_in_onnxruntime_leaves_the_weights_of_the_eager_one(name: str) -> None:
    check_training("onnxruntime", STEADY[name])


def check(seeds: range, engine: str) -> None:
    """Random programs and gradients of them, compiled, at three sizes, twice each."""
    for seed in seeds:
        program = generate(seed, gradient=bool(seed % 2))
        eager, other = program.model(fz, "float32"), program.model(fz, "float32")
        f, g = function_of(program, eager, fz), fz.compile(function_of(program, other, fz), engine=engine)
        for sizes in (*SIZES[:3], SIZES[0]):
            outcomes: list[Any] = []
            for run, model in ((f, eager), (g, other)):
                given = [fz.tensor(array) for array in arguments(sizes, program.seed)]
                try:
                    outcomes.append([t.detach().numpy() for t in (*run(*given), *given[:2], model.mean, model.count)])
                except Exception as error:
                    outcomes.append(type(error))
            if isinstance(outcomes[0], type):
                # What nobody reads is not computed when compiled, and an index in it that is out of range not noticed.
                unread = issubclass(outcomes[0], IndexError) and isinstance(outcomes[1], list)
                problem = None if unread or outcomes[0] is outcomes[1] else repr(outcomes)
            else:
                problem = differs(outcomes[1], outcomes[0], 1e-4)
            assert problem is None, f"seed {seed} at {sizes}: {problem}\n{program.text.partition('def forward')[2]}"


@pytest.mark.parametrize("engine", ENGINES)
def test_programs_that_nobody_wrote(engine: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(range(6000, 6004), engine)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [*ENGINES, "auto"])
@pytest.mark.parametrize("first", range(6100, 6160, 10))
def test_more_of_them(engine: str, first: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(range(first, first + 10), engine)


def test_onnxruntime_says_what_frazil_says_and_takes_any_layout() -> None:
    f = fz.compile(lambda x, i: x[i] @ fz.ones(3, 2), engine="onnxruntime")
    x = fz.arange(12).float().reshape(3, 4).t()
    for _ in range(3):
        assert f(x, fz.tensor([0, 2])).tolist() == [[12.0, 12.0], [18.0, 18.0]]
    with pytest.raises(IndexError):
        f(x, fz.tensor([0, 7]))


class Wrong(engines.Engine):
    """Gives other numbers, quickly."""

    name = "wrong"
    off = 1.0

    def refuses(self, graph: Graph, device: Any) -> str | None:
        return "no loops" if any(node.subgraphs for node in graph.nodes) else None

    def prepare(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> engines.Run:
        run = engines.open_engine("numpy").prepare(graph, device, donated)

        def wrong(arrays: Sequence[Any]) -> list[Any]:
            return [array + self.off for array in run(arrays)]

        return wrong


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Plugin:
        @hookimpl
        def frazil_engines(self) -> list[EngineRecord]:
            return [
                EngineRecord("wrong", lambda: Wrong),
                EngineRecord("absent", lambda: Wrong, ("no_such_module",), "pip install absent"),
            ]

    offered = Plugin()
    MANAGER.plugins()
    MANAGER._pluggy.register(offered, name="engines-of-a-test")
    monkeypatch.setitem(MANAGER._distributions, "engines-of-a-test", "test 1")
    monkeypatch.setattr(engines, "_OPENED", dict(engines._OPENED))
    with fz.config(compile__remember=False):
        yield
    MANAGER._pluggy.unregister(offered)


@pytest.mark.usefixtures("plugin")
def test_engines_come_from_plugins_and_auto_leaves_out_those_that_compute_something_else() -> None:
    x = fz.randn(64, 64)
    f = fz.compile(lambda x: (x @ x).softmax(-1), engine="wrong")
    np.testing.assert_allclose(f(x).numpy(), (x @ x).softmax(-1).numpy() + 1, rtol=1e-6)
    with fz.no_grad():
        g = fz.compile(nn.Sequential(nn.Linear(64, 512), nn.GELU(), nn.Linear(512, 64)))
        a = g(x)
        np.testing.assert_allclose(a.numpy(), g._orig_mod(x).numpy(), rtol=1e-4, atol=1e-5)
    (recording,) = fz.compile.explain(g).recordings
    assert "differs by 1" in recording.refused["wrong"]
    assert recording.engine in recording.times
    assert set(recording.times) >= set(ENGINES)
    with pytest.raises(fz.errors.ArgumentError, match="known but not installed: pip install absent"):
        fz.compile(lambda x: x, engine="absent")
    assert "absent" not in engines.names()
    assert "wrong" in engines.names()


@pytest.mark.usefixtures("plugin")
def test_engines_may_differ_by_as_much_as_a_rounding_of_the_inputs_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(fn: Any, off: float) -> str | None:
        monkeypatch.setattr(Wrong, "off", off)
        monkeypatch.setattr("frazil.compiled.choice.QUICK", 0.0)  # seconds: however fast this machine is
        f = fz.compile(fn)
        f(fz.linspace(0.1, 0.9, 64 * 64).reshape(64, 64))
        (recording,) = fz.compile.explain(f).recordings
        return recording.refused.get("wrong")

    def far_out(x: fz.Tensor) -> fz.Tensor:  # a last digit of x decides on 0.001 of the result
        return (x * 1e4).sin()

    assert refused(far_out, 0.002) is None
    assert "differs by 1" in str(refused(far_out, 1.0))
    assert "differs by 0.004" in str(refused(lambda x: (x @ x).softmax(-1), 0.004))


def test_an_engine_that_is_wrong_beside_numbers_that_are_large_is_refused() -> None:
    """What a part may be off by is said by its own rows and columns."""
    large, small = np.full((3, 4), 1e6, np.float32), np.ones((3, 4), np.float32)
    for parts in ([large, small], [small, large], [large.ravel(), small.ravel()]):
        for axis in range(parts[0].ndim):
            expected = np.concatenate(parts, axis)
            off = np.concatenate([part * (1.01 if part[..., 0].max() == 1 else 1) for part in parts], axis).astype(np.float32)
            assert choice.differs([expected * np.float32(1 + 1e-6)], [expected]) is None
            assert choice.differs([off], [expected]) is not None
            moved = np.where(expected > 1, 1e5, 1e-6)
            assert choice.differs([off], [expected], [choice.around(moved)]) is not None
    assert choice.around(np.array(3.0)) == 3


def test_inputs_are_moved_by_their_last_digit_whole_numbers_not_at_all() -> None:
    device = fz.device("cpu")
    x = np.array([0.5, -1.25, 3.0, 0.0, -2.0, np.inf, -np.inf, np.nan, 1e30, 0.1], np.float32)
    moved = [choice.nudged(x, device, seed) for seed in range(8)]
    whole = np.array([2, 3, 4, 5, 6, 7, 8])
    for m in moved:
        np.testing.assert_array_equal(m[whole], x[whole])
        np.testing.assert_allclose(m, x, rtol=(choice.DIGITS + 1) * 1.2e-7)
        assert (m != x)[[0, 1, 9]].any()
    assert any((m != moved[0])[[0, 1, 9]].any() for m in moved)
    np.testing.assert_array_equal(choice.nudged(x, device, 1), moved[1])
    there = [0, 1, 9]
    np.testing.assert_allclose(moved[0][there] - x[there], x[there] - moved[1][there], atol=2e-7)  # one way, and the other
    counts = np.arange(3)
    assert choice.nudged(counts, device, 0) is counts


@pytest.mark.usefixtures("plugin")
def test_a_graph_that_an_engine_refuses_is_run_by_the_kernels() -> None:
    @fz.compile(engine="wrong")
    @fz.jit.script
    def f(x: fz.Tensor) -> fz.Tensor:
        while x.sum() < 10:
            x = x * 2
        return x + 1

    with pytest.warns(UserWarning, match="engine 'wrong' does not take f: no loops; engine 'numpy' runs it"):
        assert f(fz.ones(2)).tolist() == [9.0, 9.0]


def test_small_programs_are_not_worth_asking_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frazil.compiled.choice.QUICK", 1.0)  # seconds, whatever else this machine does
    f = fz.compile(lambda x: x + 1)
    f(fz.ones(2))
    (recording,) = compiled.explain(f).recordings
    assert (recording.engine, recording.times) == ("numpy", {})
    assert F.relu(f(fz.ones(1))).item() == 2.0


@pytest.mark.parametrize("engine", ENGINES)
def test_results_that_are_views_are_views_of_what_they_were_and_an_engine_computes_the_rest(engine: str) -> None:
    def f(x: fz.Tensor) -> tuple[fz.Tensor, ...]:
        y = x * 2 + 1
        return y, y.reshape(-1), y[1:].t(), x[0], x.unsqueeze(0).detach(), (x + 3).expand(2, *x.shape)

    g = fz.compile(f, engine=engine)
    for n in (3, 5, 3):
        x = fz.randn(n, 4)
        for a, b in zip(g(x), f(x), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
        y, flat, turned, row, whole, _ = g(x)
        y.zero_()
        x.fill_(7)
        assert not flat.any()
        assert not turned.any()
        assert (row == 7).all()
        assert (whole == 7).all()
    (recording,) = compiled.explain(g).recordings
    assert recording.engine == engine


@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_of_nothing_but_views_is_compiled_too(engine: str) -> None:
    g = fz.compile(lambda x: (x.diagonal(dim1=1, dim2=2), x.diagonal(dim1=1, dim2=2)[::2]), engine=engine)
    for n in (2, 3, 1):
        x = fz.randn(n, 5, 4)
        whole, half = g(x)
        x.fill_(7)
        assert (whole.shape, half.shape) == ((n, 4), ((n + 1) // 2, 4))
        assert (whole == 7).all()
        assert (half == 7).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_sizes_that_the_data_decide_inside_are_computed(engine: str) -> None:
    def f(x: fz.Tensor) -> tuple[fz.Tensor, fz.Tensor]:
        return fz.nonzero(x > 0).sum(), x[x > 0].sum() * 2

    g = fz.compile(f, engine=engine)
    for n in (2, 2, 5):
        x = fz.randn(n, 4)
        for a, b in zip(g(x), f(x), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


def test_a_view_of_what_is_written_has_the_new_numbers_and_one_of_before_the_old_ones() -> None:
    def f(x: fz.Tensor) -> tuple[fz.Tensor, fz.Tensor]:
        before = x.clone()[0]
        x.mul_(2)
        return before, x[0]

    g = fz.compile(f, engine="numpy")
    for _ in range(3):
        x, y = fz.ones(2, 3), fz.ones(2, 3)
        for a, b in zip(g(x), f(y), strict=True):
            assert a.tolist() == b.tolist()
        assert x.tolist() == y.tolist()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "frazil" / "engines"


def choose() -> Any:
    """The recording of a program that is worth a second engine, by `auto`."""
    f = fz.compile(lambda x: (x @ x).softmax(-1).sum())
    x = fz.ones(128, 128)
    assert f(x).item() == pytest.approx(128.0)
    (recording,) = compiled.explain(f).recordings
    return recording


def test_what_auto_chose_is_remembered_and_files_that_say_something_else_are_not_believed(cache: Path) -> None:
    first = choose()
    (file,) = cache.iterdir()
    assert not first.remembered
    assert json.loads(file.read_text())["engine"] == first.engine
    file.write_text(json.dumps({"engine": "onnxruntime", "seconds": {"onnxruntime": 0.25}}))
    again = choose()
    assert (again.engine, again.remembered, again.times) == ("onnxruntime", True, {"onnxruntime": 0.25})
    assert "remembered: onnxruntime 250000 us" in str(compiled.Explanation("f", [again], [], [], 0))
    for text in ("", "[]", "{", '{"engine": 3, "seconds": {}}', '{"engine": "nobody", "seconds": {}}', '{"engine": "numpy"}'):
        file.write_text(text)
        assert not choose().remembered, text
    file.unlink()
    with fz.config(compile__remember=False):
        assert not choose().remembered
    assert not list(cache.iterdir())


def test_a_choice_does_not_hold_for_another_program_other_sizes_or_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(fn: Any, n: int) -> str:
        x = fz.ones(n, n)
        return remembered.key_of(fz.jit.trace(fn, x).graph, x.device, [x.numpy()])

    def same_elsewhere(x: fz.Tensor) -> fz.Tensor:

        return x + 1  # on another line

    def same(x: fz.Tensor) -> fz.Tensor:
        return x + 1

    same_elsewhere.__name__ = "same"
    first = key(same, 3)
    assert key(same_elsewhere, 3) == first
    assert len({first, key(same, 4), key(lambda x: x + 2, 3)}) == 3
    monkeypatch.setattr(remembered, "_machine", lambda: ("another",))
    assert key(same, 3) != first


def check_numbers_from_outside(engine: str, device: str = "cpu") -> None:
    """A rate and a number that the program reads are the same in the calls in which engines look, and others later."""
    scale, w = fz.tensor(1.0, device=device), fz.zeros(3, device=device, requires_grad=True)
    opt = fz.optim.SGD([w], lr=1.0)

    def step(x: fz.Tensor) -> fz.Tensor:
        opt.zero_grad()
        ((w * x) * scale).sum().backward()
        opt.step()
        return w.detach() * 1.0 + scale

    f, x = fz.compile(step, engine=engine, fullgraph=True), fz.ones(3, device=device)
    at = 0.0
    for i in range(8):
        rate, factor = 2.0 ** (i // 4), 3.0 ** (i // 2)
        opt.param_groups[0]["lr"] = rate
        scale.fill_(factor)
        at -= rate * factor
        assert f(x).tolist() == [at + factor] * 3
        assert w.tolist() == [at] * 3
    assert [recording.engine for recording in fz.compile.explain(f).recordings] == [engine]


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_from_outside_are_those_of_the_call(engine: str) -> None:
    check_numbers_from_outside(engine)


def _stepping(read_afterwards: bool) -> tuple[list[np.ndarray], Any, list[nn.Parameter]]:
    """Losses of steps in onnxruntime, the recording, the parameters; BatchNorm's statistics are written by the engine."""
    fz.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 2))
    opt = fz.optim.Adam(model.parameters(), lr=0.1)

    def step(x: fz.Tensor) -> fz.Tensor:
        opt.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        opt.step()
        with fz.no_grad():
            return loss + model[0].weight.sum() if read_afterwards else loss

    f = fz.compile(step, engine="onnxruntime", fullgraph=True)
    losses = [f(fz.randn(5, 3)).detach().numpy() for _ in range(4)]
    (recording,) = fz.compile.explain(f).recordings
    return losses, recording, list(model.parameters())


def test_steps_of_optimisers_are_apart_and_in_place_unless_something_reads_what_they_write() -> None:
    expected, _, parameters = _stepping(False)
    found, recording, others = _stepping(True)
    apart = Apart(recording.graph, recording.device, recording.donated, [])
    assert apart.head is recording.graph and apart.whole(recording.runner) is recording.runner
    count = len(last_steps(recording.graph, recording.device, recording.donated))
    assert count == len(parameters) - 1  # the one whose new numbers are read stays with the engine
    head = Apart(
        recording.graph, recording.device, recording.donated, last_steps(recording.graph, recording.device, recording.donated)
    ).head
    assert [node.op_name for node in head.nodes].count("adam_step") == 1
    weight = others[0].detach().numpy().sum()
    np.testing.assert_allclose(found[-1] - weight, expected[-1], rtol=1e-4, atol=1e-5)
    for a, b in zip(parameters, others, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("momentum", "op"), [(0.0, "sgd_step"), (0.9, "sgd_momentum_step")])
def test_engines_say_which_steps_of_optimisers_they_do_themselves(engine: str, momentum: float, op: str) -> None:
    layer, x = nn.Linear(3, 3), fz.randn(4, 3)
    opt = fz.optim.SGD(layer.parameters(), lr=0.1, momentum=momentum)

    @fz.compile(engine=engine)
    def step() -> fz.Tensor:
        opt.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        opt.step()
        return loss

    losses = [step().item() for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    (recording,) = fz.compile.explain(step).recordings
    assert isinstance(recording.runner, Whole) is (engine != "numpy" and op not in engines.open_engine(engine).own_steps)
    assert engines.open_engine("onnxruntime").own_steps == {"sgd_step"}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_parts_of_a_step_are_timed_and_nothing_is_changed_by_that(engine: str) -> None:
    layer, x = nn.Linear(3, 3), fz.randn(4, 3)
    opt = fz.optim.Adam(layer.parameters(), lr=0.1)

    def step(x: fz.Tensor) -> fz.Tensor:
        opt.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        opt.step()
        return loss

    f = fz.compile(step, engine=engine)
    f(x)
    f(x)
    found = fz.compile.explain(f, x)
    assert opt.state[layer.weight]["step"].item() == 3
    (recording,) = found.recordings
    assert {part.engine for part in recording.parts} == {engine, "numpy"}
    assert all(part.seconds > 0 for part in recording.parts)
    named = {part.operation for part in recording.parts if part.engine == engine}
    assert "linear" in named if engine == "numpy" else named == {""}
    assert "adam_step" in {part.operation for part in recording.parts if part.engine == "numpy"}
    assert f"part: {engine}, " in str(found)
