"""A training step in onnxruntime is the step in Python: the same losses, weights and states, many steps long, and resumed."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn, optim
from frazil.errors import ArgumentError
from frazil.nn import functional as F
from frazil.optim import lr_scheduler
from frazil.optim.options import Option

BATCH, STEPS = 4, 20

RNG = np.random.default_rng(0)


def floats(*shape: int) -> fz.Tensor:
    return fz.tensor(RNG.standard_normal(shape).astype(np.float32))


def integers(below: int, *shape: int) -> fz.Tensor:
    return fz.tensor(RNG.integers(0, below, shape))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4))


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(24, 4),
    )


class CharLSTM(nn.Module):
    """Reads letters, and foretells one at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        y, _ = self.lstm(self.embedding(x))
        return self.head(y[:, -1])


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        # No bias: the loss does not depend on that of the keys, so its gradient is rounding, which Adam makes as large as any.
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Any) -> Any:
        b, t, c = x.shape
        q, k, v = (part.reshape(b, t, 2, c // 2).transpose(1, 2) for part in self.qkv(self.ln1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    """A small decoder whose embedding is its head too."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(7, 8), nn.Embedding(6, 8)
        self.blocks = nn.Sequential(Block(8), Block(8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 7, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: Any) -> Any:
        y = self.tokens(x) + self.places(fz.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(y)))[:, -1]


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], fz.Tensor]]] = {
    "MLP": (mlp, lambda: floats(BATCH, 3)),
    "ConvNet": (conv_net, lambda: floats(BATCH, 1, 8, 8)),
    "LSTM": (CharLSTM, lambda: integers(7, BATCH, 5)),
    "GPT": (GPT, lambda: integers(7, BATCH, 6)),
}
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=1e-3),
    "AdamW": lambda parameters: optim.AdamW(parameters, lr=3e-3),
}


class Training:
    """A model, its optimiser and its schedule, as a program has them."""

    def __init__(self, model: str, optimizer: str) -> None:
        fz.manual_seed(1)
        make, self.draw = MODELS[model]
        self.model = make()
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.scheduler = lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=STEPS)

    def step(self, x: Any, y: Any) -> Any:
        loss = F.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return loss

    def batches(self, count: int) -> list[tuple[fz.Tensor, fz.Tensor]]:
        return [(self.draw(), integers(4, BATCH)) for _ in range(count)]

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random_state": fz.default_generator.get_state().view(fz.int64),  # as a file holds it
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        if "random_state" in state:
            fz.default_generator.set_state(state["random_state"])


def arrays(state: Any, name: str = "") -> dict[str, np.ndarray]:
    """All numbers of nested state, by their place in it."""
    if isinstance(state, dict):
        return {k: v for key, value in state.items() for k, v in arrays(value, f"{name}.{key}").items()}
    if isinstance(state, (list, tuple)):
        return {k: v for i, value in enumerate(state) for k, v in arrays(value, f"{name}.{i}").items()}
    if isinstance(state, fz.Tensor):
        return {name: state.detach().numpy().copy()}
    return {name: np.asarray(state)} if isinstance(state, (int, float)) and not isinstance(state, bool) else {}


def assert_same(found: Any, expected: Any, rtol: float = 1e-4) -> None:
    """Of every tensor the largest difference is small next to its largest element; whole numbers are the same."""
    found, expected = arrays(found), arrays(expected)
    assert found.keys() == expected.keys()
    for name, b in expected.items():
        a = found[name]
        if b.dtype.kind != "f":
            assert np.array_equal(a, b), name
        else:
            assert np.abs(a - b).max() <= rtol * np.abs(b).max(), name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_many_steps_are_those_of_python(model: str, optimizer: str, tmp_path: Path) -> None:
    """Clipping, a schedule, running statistics, dropout, tied weights; and nothing changes by the export."""
    training = Training(model, optimizer)
    batches = training.batches(STEPS)
    before = arrays(training.state())
    shapes = {"x": {0: "batch"}, "y": {0: "batch"}}
    report = fz.onnx.export_step(training.step, batches[0], tmp_path / "step.onnx", dynamic_shapes=shapes, verify="samples")
    after = arrays(training.state())
    assert before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)
    assert report.steps.count == 4 and report.steps.difference < 1e-4
    assert report.inputs.count("optimizer.step: float32[]") == (optimizer == "AdamW") and ".step:" not in "".join(
        line for line in report.inputs if not line.startswith("optimizer.step")
    )
    session = fz.onnx.TrainingSession(tmp_path / "step.onnx")
    ours = [float(session.step(*batch)) for batch in batches]
    theirs = [training.step(*batch).item() for batch in batches]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    state = training.state()
    if model != "ConvNet":
        del state["random_state"]
    found = session.state_dict()
    assert_same(
        {name: found[name] for name in state if name != "scheduler"}, {k: v for k, v in state.items() if k != "scheduler"}
    )
    assert found["scheduler"]["last_epoch"] == STEPS


def exported(step: Any, args: Any, path: Path, **options: Any) -> tuple[Any, Any]:
    """The report and a session."""
    options = {"verify": "samples", "dynamic_shapes": None, **options}
    return fz.onnx.export_step(step, args, path / "step.onnx", **options), fz.onnx.TrainingSession(path / "step.onnx")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_checkpoints_move_both_ways(optimizer: str, tmp_path: Path) -> None:
    """Half of the steps in one world, half in the other: as if nobody had moved."""
    training = Training("ConvNet", optimizer)
    batches = training.batches(10)
    _, session = exported(training.step, batches[0], tmp_path)
    start = training.state()
    start = {name: fz.load(_saved(start[name], tmp_path / name)) for name in start}
    for batch in batches:
        training.step(*batch)
    whole = arrays(training.state())

    there = Training("ConvNet", optimizer)  # Python first, then onnxruntime
    there.load(start)
    for batch in batches[:5]:
        there.step(*batch)
    session.load_state_dict(there.state())
    for batch in batches[5:]:
        session.step(*batch)
    back = Training("ConvNet", optimizer)
    back.load(session.state_dict())
    assert_same({"model": back.model.state_dict()}, _part(whole, ".model"))
    assert_same({"optimizer": back.optimizer.state_dict()}, _part(whole, ".optimizer"))

    session.load_state_dict(start)  # onnxruntime first, then Python
    for batch in batches[:5]:
        session.step(*batch)
    session.save(tmp_path / "half.safetensors")
    again = fz.onnx.TrainingSession(tmp_path / "step.onnx", tmp_path / "half.safetensors")
    back.load(again.state_dict())
    for batch in batches[5:]:
        back.step(*batch)
    assert_same({"model": back.model.state_dict()}, _part(whole, ".model"))
    assert_same(back.scheduler.get_last_lr(), training.scheduler.get_last_lr(), 1e-6)
    assert np.array_equal(fz.default_generator.get_state().view(fz.int64).numpy(), whole[".random_state"])


def _saved(state: Any, path: Path) -> Path:
    fz.save(state, path)
    return path


def _part(state: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    return {name[1:]: fz.tensor(array) for name, array in state.items() if name.startswith(prefix + ".")}


def test_the_file_is_tried_as_every_file_is() -> None:
    """By default at other sizes too, also none, and on numbers of every class."""
    training = Training("ConvNet", "AdamW")
    batch = {"x": {0: "batch"}, "y": {0: "batch"}}
    report = fz.onnx.export_step(training.step, training.batches(1)[0], dynamic_shapes=batch)
    assert report.checks.covered.startswith("covered: 4 sizes") and "NaN" in report.checks.covered


def test_frozen_layers_stay_frozen(tmp_path: Path) -> None:
    """Their weights are inputs that no step writes; unused parameters are kept for the checkpoint."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    model.unused = nn.Linear(1, 1)
    model.forward = lambda x: model[2](model[1](model[0](x)))  # type: ignore[method-assign]
    model[0].requires_grad_(False)
    optimizer = optim.AdamW(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model.forward(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    x = floats(5, 3)
    report, session = exported(step, x, tmp_path)
    assert "model.0.weight: float32[4, 3]" in report.inputs and "optimizer.0.weight.exp_avg" not in " ".join(report.inputs)
    before = {name: array.copy() for name, array in session.state.items()}
    for _ in range(3):
        session.step(x)
        step(x)
    assert np.array_equal(session.state["model.0.weight"], before["model.0.weight"])
    assert not np.array_equal(session.state["model.2.weight"], before["model.2.weight"])
    assert_same(session.state_dict()["model"], model.state_dict())
    assert_same(session.state_dict()["optimizer"], optimizer.state_dict())


def test_accumulation_within_a_step_and_over_calls(tmp_path: Path) -> None:
    """Gradients that are added up from call to call are state of the file."""
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def of_parts(x: Any) -> Any:
        optimizer.zero_grad()
        for part in x.chunk(2):
            loss = model(part).square().mean() / 2
            loss.backward()
        optimizer.step()
        return loss

    x = floats(6, 3)
    report, session = exported(of_parts, x, tmp_path)
    assert "grad" not in " ".join(report.inputs)
    found = [session.step(x) for _ in range(5)]
    np.testing.assert_allclose(found, [of_parts(x).item() for _ in range(5)], rtol=1e-5)
    optimizer.zero_grad()

    def collect(x: Any) -> Any:
        loss = model(x).square().mean()
        loss.backward()
        return loss

    report, session = exported(collect, x, tmp_path)
    assert "model.0.weight.grad: float32[8, 3]" in report.inputs and model[0].weight.grad is None
    for _ in range(3):
        session.step(x)
        collect(x)
    assert_same(fz.tensor(session.state["model.0.weight.grad"]), model[0].weight.grad)


def test_accumulation_by_a_counter(tmp_path: Path) -> None:
    """Every second call updates: a scripted decision on a tensor, with the gradients in the state."""
    model, count = mlp(), fz.tensor(0)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @fz.jit.script
    def step(x: Any) -> Any:
        loss = model(x).square().mean() / 2
        loss.backward()
        count.add_(1)
        if count % 2 == 0:
            optimizer.step()
            for parameter in model.parameters():
                parameter.grad.zero_()
        return loss

    x = floats(4, 3)
    report, session = exported(step, x, tmp_path)
    assert {"count", "model.0.weight.grad"} <= set(report.states)
    found = [session.step(x) for _ in range(7)]
    assert found[0] == found[1] != found[2]
    np.testing.assert_allclose(found, [step(x).item() for _ in range(7)], rtol=1e-5)


OPTIONS: dict[str, list[dict[str, Any]]] = {
    "RMSprop": [{"momentum": 0.9, "centered": True}],
    "Adam": [{"amsgrad": True}, {"weight_decay": 0.1}],
    "SGD": [{"momentum": 0.9, "nesterov": True, "maximize": True}],
    "Adafactor": [{"weight_decay": 0.1}],
}
# LBFGS asks for the loss again as often as it needs to, and sparse gradients have other sizes in every step.
EVERY = sorted(
    name
    for name, kind in vars(optim).items()
    if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and name not in ("Optimizer", "LBFGS", "SparseAdam")
)


@pytest.mark.parametrize(("name", "options"), [(name, options) for name in EVERY for options in [{}, *OPTIONS.get(name, [])]])
def test_every_optimiser(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """From the middle of a training too, with what of the optimiser's options needs state."""
    model = mlp()
    parameters = [p for p in model.parameters() if p.ndim == 2 or name != "Muon"]
    optimizer = getattr(optim, name)(parameters, **options)

    def step(x: Any) -> Any:
        model.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    x = floats(4, 3)
    for _ in range(2):
        _, session = exported(step, x, tmp_path)
        found = [session.step(x) for _ in range(3)]
        np.testing.assert_allclose(found, [step(x).item() for _ in range(3)], rtol=1e-5)
        assert_same(session.state_dict()["optimizer"], optimizer.state_dict())
        assert set(session.state_dict()) <= {"model", "optimizer", "random_state"}


class Lion(optim.Optimizer):
    """Somebody's own optimiser: state made at the first step, bound anew at every one, counted in Python."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    def _update(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state["count"] = 0
                state["average"] = fz.zeros_like(p)
            state["count"] += 1
            state["average"] = 0.9 * state["average"] + 0.1 * p.grad
            p.sub_(state["average"].sign() * group["lr"] / state["count"])


def test_optimisers_of_users_and_groups_with_rates(tmp_path: Path) -> None:
    """State made lazily is found whoever makes it; every group has its rate."""
    model = mlp()
    optimizer = Lion([{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters()}], lr=0.01)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    x = floats(2, 3)
    report, session = exported(step, x, tmp_path)
    assert {"optimizer.groups.0.lr", "optimizer.groups.1.lr", "optimizer.2.bias.average"} <= set(report.states)
    assert not optimizer.state
    found = [session.step(x) for _ in range(6)]
    np.testing.assert_allclose(found, [step(x).item() for _ in range(6)], rtol=1e-5)


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: min(1.0, (epoch + 1) / 4)),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=9, cycle_momentum=False),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingLR(o, 5)], [3]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ExponentialLR(o, 0.9), lr_scheduler.ConstantLR(o, 0.5, 2)]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_those_of_the_schedule(name: str, tmp_path: Path) -> None:
    """Also from the middle of it on; beyond the table there is an error, not a rate."""
    w = fz.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.05)
    scheduler = SCHEDULES[name](optimizer)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    x = fz.ones(2)
    step(x)
    _, session = exported(step, x, tmp_path, schedule_steps=6)
    for _ in range(6):
        session.step(x)
        step(x)
        assert float(session.state["optimizer.lr"]) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        np.testing.assert_allclose(session.state["w"], w.detach().numpy(), rtol=1e-5)
    with pytest.raises(Exception, match="idx|indices|bounds"):
        session.step(x)
    with pytest.raises(fz.errors.ArgumentError, match="knows the schedule from epoch"):
        session.state["scheduler.last_epoch"] = 0


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_the_optimiser_of_a_schedule_alone_has_a_name_of_its_own(tmp_path: Path) -> None:
    w = fz.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.05)
    schedule = lr_scheduler.StepLR(optim.SGD([fz.zeros(1, requires_grad=True)], lr=0.5), 2)

    def step(x: Any) -> Any:
        schedule.step()
        optimizer.zero_grad()
        loss = (w * x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    report, session = exported(step, fz.ones(2), tmp_path)
    assert "optimizer.lr" in report.states and "optimizer_1.lr" in session.state
    np.testing.assert_allclose([session.step(fz.ones(2)) for _ in range(3)], [step(fz.ones(2)).item() for _ in range(3)])


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_what_a_schedule_sets_beside_the_rate_is_state(name: str, tmp_path: Path) -> None:
    """`OneCycleLR` cycles the momentum, or the first of the betas; a state goes from eager objects to the file and back."""
    options = {"SGD": {"momentum": 0.9}, "AdamW": {"betas": (0.9, 0.99)}, "RMSprop": {"momentum": 0.9}}[name]
    called = "betas.0" if name == "AdamW" else "momentum"
    net = nn.Linear(3, 2)
    groups = [{"params": [net.weight], "weight_decay": 0.01}, {"params": [net.bias]}]
    optimizer = getattr(optim, name)(groups, lr=0.05, **options)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    def held() -> float:
        return float(Option.named(optimizer.param_groups[1], called).held())

    x = floats(4, 3)
    step(x)
    report, session = exported(step, x, tmp_path, schedule_steps=12)
    assert {f"optimizer.groups.{i}.{option}" for i in range(2) for option in ("lr", called)} <= set(report.states)
    for _ in range(4):
        np.testing.assert_allclose(session.step(x), step(x).item(), rtol=1e-5)
        assert float(session.state[f"optimizer.groups.1.{called}"]) == pytest.approx(held(), rel=1e-6)
    session.load_state_dict({"optimizer": optimizer.state_dict(), "net": net.state_dict(), "scheduler": scheduler.state_dict()})
    found = session.state_dict()
    for key, value in optimizer.state_dict()["param_groups"][1].items():
        if not isinstance(value, (float, tuple)):
            continue
        assert found["optimizer"]["param_groups"][1][key] == pytest.approx(value, rel=1e-6), key
    before = [session.step(x) for _ in range(3)]
    net.load_state_dict(found["net"])
    optimizer.load_state_dict(found["optimizer"])
    scheduler.load_state_dict(found["scheduler"])
    np.testing.assert_allclose([step(x).item() for _ in range(3)], before, rtol=1e-5)


def test_what_cannot_be_one_step_is_refused(tmp_path: Path) -> None:
    """Each with what to do; nothing is written, nothing has changed."""
    w = fz.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.05, momentum=0.9, dampening=0.5)
    counts = [0]

    def plain(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (w * x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    def counting(x: Any) -> Any:
        counts[0] += 1
        return plain(x) * counts[0]

    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)

    def watched(x: Any) -> Any:
        loss = plain(x)
        plateau.step(loss)
        return loss

    idle = optim.SGD([fz.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    cycle = lr_scheduler.CyclicLR(idle, 0.1, 0.2, step_size_up=4, base_momentum=0.0)

    def cycled(x: Any) -> Any:
        cycle.step()
        return plain(x)

    x = fz.ones(2)
    path = tmp_path / "step.onnx"
    for step, message in ((watched, "ReduceLROnPlateau"), (cycled, "sets momentum to 0")):
        with pytest.raises(fz.onnx.ExportError, match=message):
            fz.onnx.export_step(step, x, path)
    with pytest.raises(fz.onnx.VerificationError, match="first call is special"):
        fz.onnx.export_step(plain, x, path)  # with dampening, the first gradient counts more
    plain(x)
    fz.onnx.export_step(plain, x, path, verify="samples")
    path.unlink()
    before = w.detach().numpy().copy()
    with pytest.raises(fz.onnx.VerificationError):
        fz.onnx.export_step(counting, x, path, verify="samples")
    assert counts == [0] and not path.exists() and np.array_equal(before, w.detach().numpy())


def test_sessions_say_what_does_not_fit(tmp_path: Path) -> None:
    """Other names, shapes, options; and files that are no steps."""
    training = Training("MLP", "AdamW")
    batch = training.batches(1)[0]
    _, session = exported(training.step, batch, tmp_path)
    before = session.state["model.0.weight"]
    with pytest.raises(fz.errors.ArgumentError, match="takes 2 arrays"):
        session.step(batch[0])
    with pytest.raises(fz.errors.ArgumentError, match="did you mean 'model.0.weight'"):
        session.state["model.0.weights"] = 0
    with pytest.raises(fz.errors.ArgumentError, match="is float32"):
        session.load_state_dict({"model.0.bias": np.ones(8, np.float32), "model.0.weight": np.zeros(3, np.float32)})
    with pytest.raises(fz.errors.ArgumentError, match="eps=0.1"):
        session.load_state_dict({"optimizer": optim.AdamW(training.model.parameters(), eps=0.1).state_dict()})
    training.step(*batch)
    apart = training.optimizer.state_dict()
    apart["state"] = {number: {**slots, "step": fz.tensor(float(number))} for number, slots in apart["state"].items()}
    with pytest.raises(fz.errors.ArgumentError, match="one counter 'optimizer.step'"):
        session.load_state_dict({"optimizer": apart})
    with pytest.raises(fz.errors.ArgumentError, match="lacks '2.bias'"):
        session.load_state_dict({"model": mlp()[:1].state_dict()})
    assert np.array_equal(session.state["model.0.weight"], before)
    fz.onnx.export(mlp(), floats(1, 3), tmp_path / "other.onnx", verify=False)
    with pytest.raises(fz.errors.ArgumentError, match="not a file of"):
        fz.onnx.TrainingSession(tmp_path / "other.onnx")


def test_the_page_is_true(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/training.md, typed from top to bottom."""
    monkeypatch.chdir(tmp_path)
    page = (root / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", page, re.MULTILINE | re.DOTALL)
    namespace: dict[str, object] = {"__name__": "training_page"}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "training.md", "exec"), namespace)
        assert doctest.OutputChecker().check_output(expected, printed.getvalue(), doctest.ELLIPSIS), printed.getvalue()
    assert len(blocks) >= 3


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("started", [False, True])
def test_scaled_losses_leave_out_steps_whose_gradients_are_not_finite(name: str, started: bool, tmp_path: Path) -> None:
    """The file decides for itself, and so does a compiled step; the scale is state."""

    def make() -> tuple[Callable[[Any], Any], Any, Any]:
        fz.manual_seed(0)
        model = mlp()
        optimizer = getattr(optim, name)(model.parameters(), **({"momentum": 0.9} if name == "SGD" else {}))
        scaler = fz.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            return loss

        return step, optimizer, scaler

    good, bad = floats(4, 3), fz.full((4, 3), float("inf"))
    step, optimizer, scaler = make()
    compiled_step, of_compiled, scaler_of_compiled = make()
    compiled = fz.compile(compiled_step, engine="numpy", fullgraph=True)
    if started:
        step(good)
        compiled_step(good)
    _, session = exported(step, good, tmp_path)
    scales = []
    for x in (good, bad, good, good, good, bad, bad, good):
        expected = step(x).item()
        np.testing.assert_allclose(session.step(x), expected, rtol=1e-5)
        np.testing.assert_allclose(compiled(x).item(), expected, rtol=1e-5)
        assert_same(session.state_dict()["optimizer"], optimizer.state_dict())
        assert_same(of_compiled.state_dict(), optimizer.state_dict())
        assert session.state_dict()["scaler"]["scale"] == scaler.get_scale() == scaler_of_compiled.get_scale()
        scales.append(scaler.get_scale())
    assert session.state_dict()["scaler"] == scaler.state_dict()
    session.load_state_dict({"scaler": {**scaler.state_dict(), "scale": 32.0}})
    assert session.state["scaler.scale"] == 32
    with pytest.raises(ArgumentError, match=r"scaler has growth_interval=2000; the file computes with 2: export it again"):
        session.load_state_dict({"scaler": fz.amp.GradScaler("cpu").state_dict()})
    assert scales == ([16, 8, 8, 16, 16, 8, 4, 4] if started else [8, 4, 4, 8, 8, 4, 2, 2])


def test_an_average_of_the_weights_is_state(tmp_path: Path) -> None:
    """Its first call copies; the file knows by the count whether it is the first."""
    model = mlp()
    averaged = optim.swa_utils.AveragedModel(model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.5))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(model)
        return loss

    x = floats(4, 3)
    _, session = exported(step, x, tmp_path)
    for _ in range(3):
        session.step(x)
        step(x)
        np.testing.assert_allclose(session.state["averaged.module.0.weight"], averaged.module[0].weight.detach(), rtol=1e-5)
    assert session.state["averaged.n_averaged"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_roundings_of_gradients_are_no_faults(seed: int) -> None:
    """The gradient of a bias before a BatchNorm is nothing but roundings, and some runs in float64 hit one element of it."""
    fz.manual_seed(seed)
    layers = nn.Conv2d(3, 16, 3, padding=1, groups=1), nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 16, 3, groups=16)
    model = nn.Sequential(*layers, nn.BatchNorm2d(16), nn.Mish(), nn.Conv2d(16, 4, 1), nn.AdaptiveAvgPool2d(1))
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    report = fz.onnx.export_step(step, (fz.randn(3, 3, 16, 16),))
    assert report.steps.count and "tiny" in report.checks.covered
