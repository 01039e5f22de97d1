"""Compiled programs do what eager ones do."""

from __future__ import annotations

import copy
import pickle
import re
import threading
import time
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.errors import ArgumentError, RecordError
from frazil.nn import functional as F


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    """Nothing here runs eagerly without a test that says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def recorded(fn: Any) -> int:
    return len(fz.compile.explain(fn).recordings)


def equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a.detach().numpy(), b.detach().numpy(), equal_nan=True))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.25)
        self.out = nn.Linear(4 * 16, 3)
        self.scale = 1.0

    def forward(self, x: fz.Tensor) -> fz.Tensor:
        h = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.out(self.drop(h.flatten(1))) * self.scale


def trained(
    optimizer: Any, compiled: bool, steps: int = 20, engine: str = "numpy", device: str = "cpu"
) -> tuple[list[float], list[np.ndarray], Any]:
    """Losses, all state, and the step, after some steps from one seed; the batch changes its size."""
    fz.manual_seed(0)
    model = Net().to(device)
    opt = optimizer(model.parameters())

    def step(x: fz.Tensor, y: fz.Tensor) -> fz.Tensor:
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        return loss

    run = fz.compile(step, engine=engine, fullgraph=True) if compiled else step
    losses = []
    for i in range(steps):
        n = 4 if i % 3 else 6
        losses.append(float(run(fz.randn(n, 1, 8, 8).to(device), fz.randint(0, 3, (n,)).to(device))))
    state = [*model.parameters(), *model.buffers(), *[p.grad for p in model.parameters()]]
    state += [v for slots in opt.state.values() for v in slots.values()]
    return losses, [t.detach().cpu().numpy() for t in (*state, fz.default_generator.get_state())], run


OPTIMIZERS = {
    "sgd": lambda p: fz.optim.SGD(p, lr=0.1),
    "momentum": lambda p: fz.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
    "adamw": lambda p: fz.optim.AdamW(p, lr=0.01),
    "amsgrad": lambda p: fz.optim.Adam(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: fz.optim.RMSprop(p, lr=0.01, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_compiled_training_step_leaves_the_weights_of_the_eager_one(name: str) -> None:
    losses, state, _ = trained(OPTIMIZERS[name], False)
    found, compiled, step = trained(OPTIMIZERS[name], True)
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    for a, b in zip(compiled, state, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    assert recorded(step) == 1
    assert fz.compile.explain(step).calls == 20
    assert fz.compile.explain(step).eager_calls == (name != "sgd"), "the call that makes the optimiser's state"


def test_functions_give_what_they_give_eagerly_at_all_sizes() -> None:
    def f(x: fz.Tensor, k: int = 2, *, scale: float = 1.0) -> dict[str, Any]:
        return {"a": (x.softmax(-1) * scale, x.sum(0)), "n": x.shape[0] * k, "s": "ice", "none": None, "twice": [x * 2] * 2}

    g = fz.compile(f, engine="numpy")
    for shape in ((3, 4), (1, 4), (5, 2)):
        x = fz.randn(*shape)
        a, b = f(x, scale=2.0), g(x, scale=2.0)
        assert equal(a["a"][0], b["a"][0])
        assert equal(a["a"][1], b["a"][1])
        assert (b["n"], b["s"], b["none"]) == (a["n"], "ice", None)
        assert equal(a["twice"][1], b["twice"][1])
    assert recorded(g) == 1
    assert g(x, 3)["n"] == 15
    assert recorded(g) == 2


def test_a_module_is_the_module_in_everything_but_its_calls() -> None:
    net = Net()
    c = fz.compile(net, engine="numpy")
    assert isinstance(c, nn.Module)
    assert list(c.state_dict()) == list(net.state_dict())
    assert [id(p) for p in c.parameters()] == [id(p) for p in net.parameters()]
    assert c.conv is net.conv
    assert repr(c) == repr(net)
    c.scale = 3.0
    assert net.scale == 3.0
    c.eval()
    assert not net.training
    assert not net.norm.training
    x = fz.randn(2, 1, 8, 8)
    with fz.no_grad():
        assert equal(c(x), net(x))
    assert list(nn.Sequential(c).state_dict()) == [f"0.{key}" for key in net.state_dict()]
    c.load_state_dict({key: value * 0 for key, value in net.state_dict().items()})
    with fz.no_grad():
        assert equal(c(x), net(x))
    again = copy.deepcopy(c)
    assert again.conv is not net.conv
    with fz.no_grad():
        assert equal(again(x), net(x))
    assert type(pickle.loads(pickle.dumps(fz.compile(nn.Linear(2, 2), engine="numpy")))) is type(c)


def test_gradients_go_through_a_compiled_module() -> None:
    fz.manual_seed(1)
    net = Net()
    other = copy.deepcopy(net)
    c = fz.compile(net, engine="numpy")
    for n in (2, 3, 5):
        x = fz.randn(n, 1, 8, 8)
        xs = [x.clone().requires_grad_() for _ in range(2)]
        state = fz.get_rng_state()
        a = c(xs[0])
        fz.set_rng_state(state)
        b = other(xs[1])
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)
        (a * a).sum().backward()
        (b * b).sum().backward()
        for p, q in [*zip(net.parameters(), other.parameters(), strict=True), xs]:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-5)
    assert equal(net.norm.running_mean, other.norm.running_mean)
    assert recorded(c) == 1


def test_gradients_of_gradients_go_through() -> None:
    f = fz.compile(lambda x: (x**3).sum(), engine="numpy")
    x = fz.tensor([1.0, 2.0], requires_grad=True)
    (g,) = fz.autograd.grad(f(x), x, create_graph=True)
    (h,) = fz.autograd.grad(g.sum(), x)
    assert h.tolist() == [6.0, 12.0]


def test_training_and_evaluation_are_recorded_once_each() -> None:
    net = Net()
    c = fz.compile(net, engine="numpy")
    x = fz.randn(2, 1, 8, 8)
    with fz.no_grad():
        for _ in range(3):
            c.train()
            c(x)
            c.eval()
            assert equal(c(x), net(x))
    assert recorded(c) == 2
    assert "training went from True to False" in str(fz.compile.explain(c))


SCALE = 2.0


class Config:
    power = 2

    def __init__(self) -> None:
        self.shift = 1.0
        self.seen: list[int] = []
        self.table = {"a": 1.0}


def test_what_a_program_reads_of_python_is_looked_at_in_every_call() -> None:
    global SCALE
    config = Config()
    array = np.ones(2, np.float32)
    factors = [1.0, 2.0]

    def f(x: fz.Tensor) -> fz.Tensor:
        y = x**config.power * SCALE + config.shift
        return y * fz.tensor(array).sum() + sum(factors) + config.table["a"]

    c = fz.compile(f, engine="numpy")
    x = fz.tensor([1.0, 2.0])

    def check() -> None:
        assert equal(c(x), f(x))

    check()
    before = recorded(c)
    config.seen.append(3)  # nobody reads that
    check()
    assert recorded(c) == before
    config.shift = 5.0
    check()
    SCALE = 3.0
    check()
    array[0] = 7.0
    check()
    factors[1] = 4.0
    check()
    config.table["a"] = 9.0
    check()
    Config.power = 3
    check()
    assert recorded(c) == before + 6
    text = str(fz.compile.explain(c))
    for cause in (
        "config.shift went from 1.0 to 5.0",
        "SCALE went from 2.0 to 3.0",
        "factors[1] went from 2.0 to 4.0",
        "the array array",
    ):
        assert cause in text
    SCALE, Config.power = 2.0, 2


def test_what_has_changed_of_a_parameter_is_told_by_its_name() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    x, w = fz.ones(4, 2), fz.ones(3)

    def loss(x: fz.Tensor) -> fz.Tensor:
        y = (model(x) * w).sum()
        y.backward()
        return y.detach()

    c = fz.compile(loss, engine="numpy")
    c(x)
    c(x)
    causes = [
        r"the gradient of parameter [01]\.(weight|bias) is there before the call",  # of one of those that have none at first
        "requires_grad of parameter 0.bias is False now",
        "requires_grad of a tensor from outside is True now",
        "buffer 1.running_mean has another shape, dtype or device",
    ]
    model[0].bias.requires_grad_(False)
    c(x)
    w.requires_grad_(True)
    c(x)
    model[1].running_mean.data = model[1].running_mean.double()
    c(x)
    text = str(fz.compile.explain(c))
    assert [cause for cause in causes if not re.search(f"because {cause}", text)] == []


def test_after_eight_recordings_the_rest_runs_eagerly_and_the_warning_names_what_changes() -> None:
    f = fz.compile(lambda x, n: x * n, engine="numpy")
    x = fz.ones(2)
    for n in range(8):
        f(x, n)
    with pytest.warns(UserWarning, match="argument 1 went from 7 to 8"):
        assert f(x, 8).tolist() == [8.0, 8.0]
    assert f(x, 9).tolist() == [9.0, 9.0]
    assert f(x, 3).tolist() == [3.0, 3.0]
    assert recorded(f) == 8
    sizes = fz.compile(lambda x: x * 2, engine="numpy", dynamic=False)
    for n in range(8):
        sizes(fz.ones(n))
    with pytest.warns(UserWarning, match=r"x.shape\[0\] is 8, recorded was"):
        assert sizes(fz.ones(8)).shape[0] == 8


def test_a_decision_on_sizes_makes_a_second_recording() -> None:
    f = fz.compile(lambda x: x * 2 if x.shape[0] > 3 else -x, engine="numpy")
    for n in (2, 5, 3, 4, 7, 1):
        assert f(fz.ones(n))[0].item() == (2.0 if n > 3 else -1.0)
    assert recorded(f) == 2


def test_what_cannot_be_recorded_runs_eagerly_after_one_warning() -> None:
    def decide(x: fz.Tensor) -> fz.Tensor:
        return x * 2 if x.sum() > 0 else -x

    f = fz.compile(decide)
    with pytest.warns(UserWarning, match=r"(?s)compile: decide cannot be recorded, and runs eagerly.*return x \* 2 if"):
        assert f(fz.ones(2)).tolist() == [2.0, 2.0]
    assert f(-fz.ones(2)).tolist() == [1.0, 1.0]
    assert "bool()" in fz.compile.explain(f).eager[0]
    whole = fz.compile(decide, fullgraph=True)
    for _ in range(2):
        with pytest.raises(RecordError, match="fullgraph=True"):
            whole(fz.ones(2))


def test_side_effects_are_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    log: list[int] = []
    calls = {"n": 0}

    def f(x: fz.Tensor) -> fz.Tensor:
        log.append(1)
        return x + 1

    def g(x: fz.Tensor) -> fz.Tensor:
        calls["n"] += 1
        return x + 1

    def h(x: fz.Tensor) -> fz.Tensor:
        return x + np.random.rand()

    def p(x: fz.Tensor) -> fz.Tensor:
        print("ice")
        return x + 1

    def t(x: fz.Tensor) -> fz.Tensor:
        return x * (time.time() > 0)

    lines = {f: "def f", g: "def g", h: "def h", p: r'print\("ice"\)', t: r"return x \* \(time"}
    for fn, line in lines.items():
        compiled = fz.compile(fn)
        with pytest.warns(UserWarning, match=rf"(?s)a recording would .*\n  at test_compile.py:\d+ in {fn.__name__}: {line}"):
            compiled(fz.ones(2))
        compiled(fz.ones(2))
        compiled(fz.ones(2))
    assert (len(log), calls["n"]) == (3, 3)
    assert capsys.readouterr().out == "ice\n" * 3


def test_a_table_that_the_first_call_makes_is_there_for_the_next() -> None:
    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tables: dict[str, fz.Tensor] = {}

        def forward(self, x: fz.Tensor) -> fz.Tensor:
            if "t" not in self.tables:
                self.tables["t"] = fz.arange(4).float()
            return x * self.tables["t"]

    net = Cached()
    c = fz.compile(net, engine="numpy", fullgraph=True)
    x = fz.randn(3, 4)
    for _ in range(3):
        assert equal(c(x), x * fz.arange(4))
    assert list(net.tables) == ["t"]
    assert recorded(c) == 1


def test_state_is_seen_by_eager_code_at_once_and_the_other_way_round() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", fz.zeros(()))
            self.last: Any = None

        def forward(self, x: fz.Tensor) -> fz.Tensor:
            self.count += 1
            self.last = x * 2
            return x * self.count

    net = Counter()
    seen = net.count.detach()
    c = fz.compile(net, engine="numpy")
    for i in range(1, 4):
        assert c(fz.ones(2)).tolist() == [float(i)] * 2
        assert net.count.item() == seen.item() == i
    assert net.last.tolist() == [2.0, 2.0]
    net.count.zero_()
    assert c(fz.ones(1)).item() == 1.0
    net.count = fz.tensor(10.0)
    assert c(fz.ones(1)).item() == 11.0


def test_arguments_that_are_written_to_are_changed() -> None:
    def f(x: fz.Tensor) -> fz.Tensor:
        x[0] = 7.0
        return x

    c = fz.compile(f, engine="numpy")
    for _ in range(2):
        x = fz.zeros(3)
        y = c(x)
        assert y is x
        assert x.tolist() == [7.0, 0.0, 0.0]
    shared = fz.compile(lambda a, b: (a.add_(1), b * 2)[1], engine="numpy")
    x = fz.zeros(2)
    shared(fz.zeros(2), fz.zeros(2))
    assert shared(x, x).tolist() == [2.0, 2.0]


def test_results_share_memory_where_they_do_eagerly() -> None:
    f = fz.compile(lambda x: (x.t(), x, x[0]), engine="numpy")
    for _ in range(2):
        x = fz.zeros(2, 3)
        t, same, row = f(x)
        assert same is x
        x[0, 1] = 5.0
        assert t[1, 0].item() == row[1].item() == 5.0
    g = fz.compile(lambda x: (x + 1, x + 1, x.clone()), engine="numpy")
    for _ in range(3):
        a, b, c = g(x := fz.zeros(2))
        a[0] = 9.0
        c[0] = 4.0
        assert b.tolist() == [1.0, 1.0]
        assert x.tolist() == [0.0, 0.0]
    h = fz.compile(lambda x: fz.zeros(2), engine="numpy")
    for _ in range(3):
        z = h(fz.ones(1))
        assert z.tolist() == [0.0, 0.0]
        z += 1


def test_random_numbers_are_those_of_the_eager_program() -> None:
    def f(x: fz.Tensor) -> fz.Tensor:
        return F.dropout(x, 0.5) + fz.rand(4)

    c = fz.compile(f, engine="numpy")
    x = fz.ones(3, 4)
    fz.manual_seed(3)
    expected = [f(x) for _ in range(4)]
    fz.manual_seed(3)
    found = [c(x) for _ in range(4)]
    assert all(map(equal, expected, found))
    fz.manual_seed(3)
    assert equal(c(x), expected[0])


def test_accumulated_gradients_and_gradients_left_at_none() -> None:
    w = fz.tensor([1.0, 2.0], requires_grad=True)

    def accumulate(x: fz.Tensor) -> None:
        (w * x).sum().backward()

    c = fz.compile(accumulate, engine="numpy")
    x = fz.tensor([1.0, 3.0])
    for i in range(1, 4):
        c(x)
        assert w.grad.tolist() == [1.0 * i, 3.0 * i]
    w.grad = None
    c(x)
    assert w.grad.tolist() == [1.0, 3.0]
    opt = fz.optim.SGD([w], lr=1.0)

    def step(x: fz.Tensor) -> fz.Tensor:
        loss = (w * x).sum()
        loss.backward()
        opt.step()
        opt.zero_grad()
        return loss

    s = fz.compile(step, engine="numpy")
    w.grad = None
    for _ in range(3):
        s(x)
        assert w.grad is None
    assert w.tolist() == [-2.0, -7.0]
    assert recorded(s) == 1


def test_learning_rates_and_schedules_change_without_another_recording() -> None:
    def run(compiled: bool, inside: bool) -> tuple[list[float], Any]:
        w = fz.tensor([1.0, 2.0], requires_grad=True)
        opt = fz.optim.SGD([w], lr=0.5, momentum=0.5)
        schedule = fz.optim.lr_scheduler.StepLR(opt, 2, 0.5)

        def step(x: fz.Tensor) -> fz.Tensor:
            opt.zero_grad()
            loss = ((w * x) ** 2).sum()
            loss.backward()
            opt.step()
            if inside:
                schedule.step()
            return loss

        f = fz.compile(step, engine="numpy") if compiled else step
        for _ in range(8):
            f(fz.ones(2))
            if not inside:
                schedule.step()
        return [*w.tolist(), opt.param_groups[0]["lr"], schedule.last_epoch], f

    for inside in (False, True):
        expected, _ = run(False, inside)
        found, f = run(True, inside)
        assert found == expected
        assert recorded(f) == 1


def test_loading_a_state_dict_goes_on_from_there() -> None:
    model = nn.Linear(2, 1)
    opt = fz.optim.Adam(model.parameters(), lr=0.1)

    def step(x: fz.Tensor) -> fz.Tensor:
        opt.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        opt.step()
        return loss

    c = fz.compile(step, engine="numpy")
    x = fz.randn(4, 2)
    for _ in range(3):
        c(x)
    kept = copy.deepcopy((model.state_dict(), opt.state_dict()))
    first = [float(c(x)) for _ in range(3)]
    model.load_state_dict(kept[0])
    opt.load_state_dict(kept[1])
    assert [float(c(x)) for _ in range(3)] == first
    model.weight.requires_grad_(False)
    before = model.weight.clone()
    c(x)
    assert equal(model.weight, before)


def test_hooks_run_in_the_recording_and_new_ones_are_seen() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    c = fz.compile(net, engine="numpy")
    x = fz.randn(3, 2)
    with fz.no_grad():
        assert equal(c(x), net(x))
        handle = net[0].register_forward_hook(lambda m, a, out: out * 2)
        assert equal(c(x), net(x))
        handle.remove()
        assert equal(c(x), net(x))


def test_errors_are_those_of_the_program() -> None:
    def f(x: fz.Tensor) -> fz.Tensor:
        if x.shape[0] == 3:
            raise ValueError("three")
        return x @ fz.ones(2, 2)

    c = fz.compile(f, engine="numpy")
    with pytest.raises(ValueError, match="three"):
        c(fz.ones(3, 2))
    assert c(fz.ones(4, 2)).shape == (4, 2)
    with pytest.raises(ValueError, match="three"):
        c(fz.ones(3, 2))
    with pytest.raises(fz.errors.ShapeError):
        c(fz.ones(4, 5))
    assert c(fz.ones(4, 2)).shape == (4, 2)
    index = fz.compile(lambda x, i: x[i], engine="numpy")
    assert index(fz.ones(3), fz.tensor([1])).tolist() == [1.0]
    with pytest.raises(IndexError):
        index(fz.ones(3), fz.tensor([5]))


def test_threads_share_a_compiled_function() -> None:
    c = fz.compile(lambda x: (x @ x).softmax(-1).sum(0), engine="numpy")
    wrong = []

    def work(seed: int) -> None:
        x = fz.tensor(np.random.default_rng(seed).normal(size=(3 + seed % 3,) * 2).astype(np.float32))
        for _ in range(10):
            if not equal(c(x), (x @ x).softmax(-1).sum(0)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_it_decorates_functions_and_methods() -> None:
    @fz.compile(engine="numpy", mode="reduce-overhead", backend="inductor", dynamic=None)
    def double(x: fz.Tensor) -> fz.Tensor:
        """Twice."""
        return x * 2

    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    assert double(fz.ones(1)).item() == 2.0

    class Layer(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        @fz.compile(engine="numpy")
        def forward(self, x: fz.Tensor) -> fz.Tensor:
            return x * self.factor

    for factor in (2.0, 3.0):
        layer = Layer(factor)
        assert layer(fz.ones(1)).item() == layer(fz.ones(1)).item() == factor
    assert fz.compile(double) is double
    assert fz.compile(len, disable=True) is len
    program = fz.jit.trace(lambda x: double(x) + 1, fz.ones(2))
    assert program(fz.ones(1)).item() == 3.0


def test_what_is_asked_for_wrongly_is_told() -> None:
    with pytest.raises(ArgumentError, match="no engine 'nunpy'; did you mean 'numpy'"):
        fz.compile(lambda x: x, engine="nunpy")
    with pytest.raises(ArgumentError, match="there is no engine 'indctor'"):
        fz.compile(lambda x: x, backend="indctor")
    with pytest.raises(ArgumentError, match="expected a function or a Module, given a int"):
        fz.compile(3)


@pytest.mark.parametrize("act", [fz.tanh, F.relu, F.gelu, F.dropout, fz.Tensor.sigmoid], ids=lambda act: str(act.__name__))
def test_functions_of_frazil_that_a_program_keeps_are_not_looked_into(act: Any) -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = act

        def forward(self, x: fz.Tensor) -> fz.Tensor:
            return self.act(x) + 1

    layer, x = Layer(), fz.arange(3.0)
    compiled = fz.compile(layer, engine="numpy", fullgraph=True)
    fz.manual_seed(0)
    found = compiled(x)
    fz.manual_seed(0)
    assert equal(found, layer(x))
    layer.act = fz.neg
    assert equal(compiled(x), 1 - x), "another function is recorded again"


class _Late:
    """A library that is imported when something of it is asked for, and is not there."""

    def __getattr__(self, name: str) -> Any:
        raise ImportError(f"install what has {name}")


settings = ModuleType("settings")
exec("scale = 3.0\ndef times(x): return x * scale", vars(settings))
settings.missing = _Late()  # type: ignore[attr-defined]


def test_a_module_is_read_by_any_name_but_what_python_keeps_in_it() -> None:
    @fz.compile(engine="numpy")
    def program(x: Any, name: str = "scale") -> Any:
        return settings.times(x) * getattr(settings, name)

    assert equal(program(fz.ones(2)), fz.full((2,), 9.0)) and recorded(program) == 1
    settings.scale = 2.0  # type: ignore[attr-defined]
    assert equal(program(fz.ones(2)), fz.full((2,), 4.0)) and recorded(program) == 2
