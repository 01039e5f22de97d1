"""Optimisers and schedules take the same steps as PyTorch's and keep the same state."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"betas": (0.5, 0.6), "eps": 0.1, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"betas": (0.0, 0.9)}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.5, "centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"maximize": True, "eps": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"betas": (0.5, 0.6), "weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "momentum_decay": 0.1}),
    ("RAdam", {}),
    ("RAdam", {"betas": (0.8, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"weight_decay": 0.1}),
]


def _two(parity: Any, dtype: str = "float32") -> tuple[list[Any], list[Any]]:
    """The same parameters twice: a matrix, a vector, a scalar, and one that never gets a gradient."""
    arrays = [
        parity.floats(3, 4, dtype=dtype),
        parity.floats(5, dtype=dtype),
        parity.floats(dtype=dtype),
        parity.floats(2, dtype=dtype),
    ]
    ours = [fz.nn.Parameter(fz.tensor(a.copy())) for a in arrays]
    return ours, [torch.nn.Parameter(torch.tensor(a.copy())) for a in arrays]


def _set_gradients(parity: Any, ours: list[Any], theirs: list[Any]) -> None:
    for p, q in zip(ours[:3], theirs[:3], strict=True):
        p.grad, q.grad = parity.pair(parity.floats(*p.shape, dtype=str(p.dtype).removeprefix("frazil.")))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[f"{n}-{o}" for n, o in OPTIMIZERS])
def test_steps_and_state_are_torchs(parity: Any, name: str, options: dict[str, Any], dtype: str) -> None:
    ours, theirs = _two(parity, dtype)
    a = getattr(fz.optim, name)(ours, lr=0.1, **options)
    b = getattr(torch.optim, name)(theirs, lr=0.1, **options)
    # float32 step counters limit what float64 can agree on, except where the counter is not used
    tolerance = 2e-5 if dtype == "float32" else 1e-6
    for step in range(12):
        _set_gradients(parity, ours, theirs)
        a.step()
        b.step()
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            parity.same(p, q, rtol=tolerance, atol=tolerance, what=f"parameter {i} after step {step}")
    mine, other = a.state_dict(), b.state_dict()
    assert mine["param_groups"] == other["param_groups"]
    assert list(mine["state"]) == list(other["state"])
    for number, state in other["state"].items():
        assert list(mine["state"][number]) == list(state)
        for key, value in state.items():
            parity.same(mine["state"][number][key], value, rtol=tolerance, atol=tolerance, what=f"state {key} of {number}")


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_float64_steps_agree_to_the_last_digits(parity: Any, name: str) -> None:
    ours, theirs = _two(parity, "float64")
    a, b = getattr(fz.optim, name)(ours, lr=0.01), getattr(torch.optim, name)(theirs, lr=0.01)
    for _ in range(10):
        _set_gradients(parity, ours, theirs)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        parity.same(p, q, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "NAdam"])
def test_large_parameters_are_updated_in_blocks_as_small_ones(parity: Any, name: str) -> None:
    array, grad = parity.floats(300, 257), parity.floats(300, 257)
    p, q = fz.nn.Parameter(fz.tensor(array.copy())), torch.nn.Parameter(torch.tensor(array.copy()))
    options: dict[str, Any] = {"momentum": 0.9} if name == "SGD" else {}
    a, b = getattr(fz.optim, name)([p], lr=0.1, **options), getattr(torch.optim, name)([q], lr=0.1, **options)
    for _ in range(3):
        p.grad, q.grad = parity.pair(grad)
        a.step()
        b.step()
    parity.same(p, q, rtol=1e-4, atol=1e-5)


def test_groups_with_options_of_their_own(parity: Any) -> None:
    ours, theirs = _two(parity)

    def groups(params: list[Any]) -> list[dict[str, Any]]:
        return [{"params": params[:2], "lr": 0.5}, {"params": params[2:], "momentum": 0.5}]

    a, b = fz.optim.SGD(groups(ours), lr=0.1, momentum=0.9), torch.optim.SGD(groups(theirs), lr=0.1, momentum=0.9)
    assert repr(a) == repr(b)
    for _ in range(3):
        _set_gradients(parity, ours, theirs)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        parity.same(p, q)


def test_a_torch_state_dict_can_be_loaded(parity: Any) -> None:
    ours, theirs = _two(parity)
    a, b = fz.optim.Adam(ours, lr=0.1), torch.optim.Adam(theirs, lr=0.1)
    for _ in range(3):
        _set_gradients(parity, ours, theirs)
        b.step()
    state = b.state_dict()
    state["state"] = {n: {k: fz.tensor(v.numpy().copy()) for k, v in s.items()} for n, s in state["state"].items()}
    a.load_state_dict(state)
    for p, q in zip(ours, theirs, strict=True):
        p.data.copy_(fz.tensor(q.detach().numpy().copy()))
    _set_gradients(parity, ours, theirs)
    a.step()
    b.step()
    for p, q in zip(ours, theirs, strict=True):
        parity.same(p, q)


def test_gradient_clipping(parity: Any) -> None:
    for norm_type in (2.0, 1.0, 3.0, math.inf):
        ours, theirs = _two(parity)
        _set_gradients(parity, ours, theirs)
        total = fz.nn.utils.clip_grad_norm_(ours, 0.7, norm_type)
        parity.same(total, torch.nn.utils.clip_grad_norm_(theirs, 0.7, norm_type), what=f"norm {norm_type}")
        for p, q in zip(ours, theirs, strict=True):
            parity.same(p.grad, q.grad, what=f"norm {norm_type}")
    ours, theirs = _two(parity)
    _set_gradients(parity, ours, theirs)
    fz.nn.utils.clip_grad_value_(ours, 0.5)
    torch.nn.utils.clip_grad_value_(theirs, 0.5)
    for p, q in zip(ours, theirs, strict=True):
        parity.same(p.grad, q.grad)


# ------------------------------------------------------------------------------------------------------------------ schedules

SCHEDULES: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("LambdaLR", lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch)),
    ("LambdaLR of groups", lambda s, o: s.LambdaLR(o, [lambda epoch: 0.9**epoch, lambda epoch: 1 / (epoch + 1)])),
    ("MultiplicativeLR", lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9)),
    ("StepLR", lambda s, o: s.StepLR(o, 3, gamma=0.5)),
    ("MultiStepLR", lambda s, o: s.MultiStepLR(o, [8, 2, 5, 5], gamma=0.3)),
    ("ConstantLR", lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=4)),
    ("LinearLR", lambda s, o: s.LinearLR(o, start_factor=0.2, end_factor=0.9, total_iters=7)),
    ("ExponentialLR", lambda s, o: s.ExponentialLR(o, 0.8)),
    ("PolynomialLR", lambda s, o: s.PolynomialLR(o, total_iters=9, power=2.0)),
    ("CosineAnnealingLR", lambda s, o: s.CosineAnnealingLR(o, T_max=6, eta_min=0.01)),
    ("CosineAnnealingWarmRestarts", lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=0.01)),
    ("OneCycleLR", lambda s, o: s.OneCycleLR(o, max_lr=1.0, total_steps=20)),
    (
        "OneCycleLR in three phases",
        lambda s, o: s.OneCycleLR(o, max_lr=[1.0, 2.0], epochs=4, steps_per_epoch=5, three_phase=True, anneal_strategy="linear"),
    ),
    ("CyclicLR", lambda s, o: s.CyclicLR(o, base_lr=0.1, max_lr=1.0, step_size_up=3, step_size_down=2)),
    ("CyclicLR triangular2", lambda s, o: s.CyclicLR(o, 0.1, 1.0, step_size_up=2, mode="triangular2")),
    ("CyclicLR exp_range", lambda s, o: s.CyclicLR(o, 0.1, 1.0, step_size_up=2, mode="exp_range", gamma=0.9)),
    (
        "SequentialLR",
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 6), s.StepLR(o, 2)], milestones=[4, 9]
        ),
    ),
    ("ChainedScheduler", lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)], o)),
]


def _scheduled(parity: Any, name: str = "SGD") -> tuple[Any, Any]:
    ours, theirs = _two(parity)
    options: dict[str, Any] = {"momentum": 0.9} if name == "SGD" else {}

    def groups(params: list[Any]) -> list[dict[str, Any]]:
        return [{"params": params[:2]}, {"params": params[2:], "lr": 0.5}]

    return (
        getattr(fz.optim, name)(groups(ours), lr=0.1, **options),
        getattr(torch.optim, name)(groups(theirs), lr=0.1, **options),
    )


def _options(optimizer: Any) -> list[Any]:
    """Learning rates and momenta, which is all that schedules change."""
    values = []
    for group in optimizer.param_groups:
        values += [group["lr"], *(group[key] for key in ("momentum",) if key in group), *group.get("betas", ())]
    return values


def _quietly(step: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's own deprecation of step(epoch), used by its SequentialLR
        step()


@pytest.mark.parametrize(("name", "make"), SCHEDULES, ids=[name for name, _ in SCHEDULES])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_schedule_sets_torchs_rates(parity: Any, name: str, make: Callable[[Any, Any], Any], optimizer: str) -> None:
    a, b = _scheduled(parity, optimizer)
    ours = make(fz.optim.lr_scheduler, a)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = make(torch.optim.lr_scheduler, b)
    for epoch in range(18):
        assert _options(a) == pytest.approx(_options(b), rel=1e-9), f"{name}: epoch {epoch}"
        assert [float(rate) for rate in ours.get_last_lr()] == pytest.approx(theirs.get_last_lr(), rel=1e-9), epoch
        a.step()
        b.step()
        ours.step()
        _quietly(theirs.step)
    assert _described(ours.state_dict()) == _described(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert [float(rate) for rate in ours.get_last_lr()] == pytest.approx(theirs.get_last_lr(), rel=1e-9)


def _described(state: dict[str, Any]) -> dict[str, Any]:
    """Keys and types of a state."""
    parts = {key: [_described(part) for part in value] for key, value in state.items() if key == "_schedulers"}
    return {key: type(value).__name__ for key, value in state.items()} | parts


def test_a_schedule_of_a_programs_own_asks_what_pytorchs_ask(parity: Any) -> None:
    """As those that were copied from PyTorch do: a warning where `get_lr` is called from outside, a form for any epoch."""

    def make(base: Any) -> Any:
        class Warmup(base):
            def get_lr(self):
                if not self._get_lr_called_within_step:
                    warnings.warn("please use get_last_lr()", UserWarning, stacklevel=2)
                return [rate * min(1.0, (self.last_epoch + 1) / 4) for rate in self.base_lrs]

            def _get_closed_form_lr(self):
                return [-rate for rate in self.base_lrs]

        return Warmup

    a, b = _scheduled(parity)
    pairs = [make(fz.optim.lr_scheduler._LRScheduler)(a), make(torch.optim.lr_scheduler._LRScheduler)(b)]
    for _ in range(5):
        for optimizer, schedule in zip((a, b), pairs, strict=True):
            optimizer.step()
            schedule.step()
        assert _options(a) == pytest.approx(_options(b))
    with pytest.warns(UserWarning, match="please use"):
        pairs[0].get_lr()
    for schedule in pairs:
        _quietly(lambda schedule=schedule: schedule.step(7))
    assert _options(a) == pytest.approx(_options(b)) and pairs[0].get_last_lr() == [-0.1, -0.5]


@pytest.mark.parametrize("name", ["StepLR", "LinearLR", "ExponentialLR", "PolynomialLR"])
def test_groups_that_come_after_a_schedule_was_made(parity: Any, name: str) -> None:
    """Layers are unfrozen later; a schedule that counts epochs leaves their rate, one that measures lowers it."""
    a, b = _scheduled(parity)
    options = {"StepLR": {"step_size": 1}, "ExponentialLR": {"gamma": 0.5}}.get(name, {})
    rates = []
    for library, optimizer in ((fz, a), (torch, b)):
        schedules = library.optim.lr_scheduler
        counted, measured = getattr(schedules, name)(optimizer, **options), schedules.ReduceLROnPlateau(optimizer, patience=0)
        optimizer.add_param_group({"params": [library.ones(2, requires_grad=True)], "lr": 0.25})
        for value in (1.0, 2.0):
            optimizer.step()
            measured.step(value)
        rates.append(measured.get_last_lr())
        try:
            counted.step()
        except ValueError:
            rates.append("refused")
        rates.append([group["lr"] for group in optimizer.param_groups])
    half = len(rates) // 2
    assert [pytest.approx(rate) for rate in rates[:half]] == rates[half:]


@pytest.mark.parametrize(("name", "make"), SCHEDULES, ids=[name for name, _ in SCHEDULES])
def test_a_schedule_continues_from_its_state(parity: Any, name: str, make: Callable[[Any, Any], Any]) -> None:
    a, _ = _scheduled(parity)
    ours = make(fz.optim.lr_scheduler, a)
    for _ in range(5):
        a.step()
        ours.step()
    b, _ = _scheduled(parity)
    copy = make(fz.optim.lr_scheduler, b)
    b.load_state_dict(a.state_dict())
    copy.load_state_dict(ours.state_dict())
    for epoch in range(8):
        for optimizer, scheduler in ((a, ours), (b, copy)):
            optimizer.step()
            scheduler.step()
        assert _options(a) == _options(b), epoch


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "max", "factor": 0.5, "patience": 1},
        {"patience": 0, "threshold_mode": "abs", "threshold": 0.05, "cooldown": 2, "min_lr": 0.02},
    ],
    ids=str,
)
def test_reduce_on_plateau(parity: Any, options: dict[str, Any]) -> None:
    a, b = _scheduled(parity)
    ours = fz.optim.lr_scheduler.ReduceLROnPlateau(a, **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(b, **options)
    values = [1.0, 0.9, 0.9, 0.91, 0.89999, 0.95, 0.5, 0.5, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
    for i, value in enumerate(values):
        ours.step(value)
        theirs.step(value)
        assert _options(a) == pytest.approx(_options(b)), i
        assert (ours.best, ours.num_bad_epochs, ours.cooldown_counter) == (
            theirs.best, theirs.num_bad_epochs, theirs.cooldown_counter,
        ), i  # fmt: skip


def test_every_optimizer_and_schedule_is_compared() -> None:
    optimizers = {n for n in dir(fz.optim) if isinstance(getattr(fz.optim, n), type) and n != "Optimizer"}
    elsewhere = {"LBFGS", "ASGD", "Rprop", "Adafactor", "Muon"}  # below, test_more_names.py, tests/optim/test_more.py
    elsewhere |= {"SparseAdam"}  # test_optim_db.py, as all others
    assert optimizers == {name for name, _ in OPTIMIZERS} | elsewhere
    schedules = set(fz.optim.lr_scheduler.__all__) - {"LRScheduler", "ReduceLROnPlateau"}
    assert schedules == {name.split(" ")[0] for name, _ in SCHEDULES}


def test_warm_restarts_at_a_fraction_of_an_epoch(parity: Any) -> None:
    a, b = _scheduled(parity)
    ours = fz.optim.lr_scheduler.CosineAnnealingWarmRestarts(a, T_0=2, T_mult=3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(b, T_0=2, T_mult=3)
    for epoch in np.linspace(0, 20, 41):
        ours.step(float(epoch))
        theirs.step(float(epoch))
        assert _options(a) == pytest.approx(_options(b), rel=1e-9), epoch


@pytest.mark.parametrize("options", [{"lr": 0.1}, {"lr": 0.1, "history_size": 3}, {}, {"history_size": 3, "max_eval": 7}])
def test_lbfgs_calls_the_closure_at_the_same_points(parity, options):
    """A curved valley and a small network; the options without a learning rate search along the line."""
    if "lr" not in options:
        options = {"line_search_fn": "strong_wolfe", **options}
    arrays = [parity.floats(4, 3, dtype="float64"), parity.floats(3, dtype="float64"), parity.floats(dtype="float64")]
    x, y = parity.floats(20, 4, dtype="float64"), parity.floats(20, 3, dtype="float64")

    def losses(library: Any) -> tuple[list[float], dict[str, Any]]:
        w, b, s = params = [library.tensor(a.copy(), requires_grad=True) for a in arrays]
        optimizer = library.optim.LBFGS(params, max_iter=8, **options)
        seen = []

        def closure() -> Any:
            optimizer.zero_grad()
            loss = ((library.tanh(library.tensor(x) @ w + b) * s - library.tensor(y)) ** 2).mean()
            loss = loss + (1 - b).pow(2).sum() + 10 * (w[1] - w[0] ** 2).pow(2).sum()
            loss.backward()
            seen.append(loss.item())
            return loss

        for _ in range(3):
            optimizer.step(closure)
        state = optimizer.state_dict()["state"][0]
        restored = library.optim.LBFGS(params, max_iter=8, **options)
        restored.load_state_dict(optimizer.state_dict())
        optimizer = restored
        optimizer.step(closure)
        return seen, {name: state[name] for name in ("func_evals", "n_iter", "t")}

    (ours, our_state), (theirs, their_state) = losses(fz), losses(torch)
    assert our_state["t"] == pytest.approx(float(their_state.pop("t"))) and our_state.items() >= their_state.items()
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    assert ours[-1] < ours[0]
