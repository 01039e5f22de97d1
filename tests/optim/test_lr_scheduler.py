"""Schedules: order of calls, tensors as rates, state. That the rates are right is tests/parity/test_optim.py."""

from __future__ import annotations

from typing import Any

import pytest

import frazil as fz
from frazil.optim import SGD
from frazil.optim import lr_scheduler as schedules


def optimizer(lr: Any = 1.0, **options: Any) -> SGD:
    return SGD([fz.zeros(1, requires_grad=True)], lr=lr, **options)


def test_a_schedule_before_the_first_step_warns() -> None:
    scheduler = schedules.StepLR(optimizer(), 1)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        scheduler.step()


def test_a_rate_that_is_a_tensor_is_changed_in_place() -> None:
    rate = fz.tensor(1.0)
    opt = optimizer(rate)
    scheduler = schedules.ExponentialLR(opt, 0.5)
    opt.step()
    scheduler.step()
    assert opt.param_groups[0]["lr"] is rate
    assert float(rate) == 0.5
    assert float(scheduler.base_lrs[0]) == 1.0
    plateau = schedules.ReduceLROnPlateau(opt, patience=0)
    plateau.step(1.0)
    plateau.step(fz.tensor(2.0))
    assert opt.param_groups[0]["lr"] is rate and float(rate) == pytest.approx(0.05)


def test_a_callable_object_is_saved_by_its_attributes() -> None:
    class Scale:
        def __init__(self, by: float) -> None:
            self.by = by

        def __call__(self, epoch: int) -> float:
            return self.by**epoch

    scheduler = schedules.LambdaLR(optimizer(), Scale(0.5))
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"by": 0.5}]
    other = schedules.LambdaLR(optimizer(), Scale(0.9))
    other.load_state_dict(state)
    assert other.lr_lambdas[0].by == 0.5


def test_resuming_needs_the_initial_rates() -> None:
    with pytest.raises(KeyError, match="initial_lr"):
        schedules.StepLR(optimizer(), 2, last_epoch=3)
    opt = optimizer()
    opt.param_groups[0]["initial_lr"] = 1.0
    assert schedules.StepLR(opt, 2, gamma=0.5, last_epoch=3).last_epoch == 4


def test_a_schedule_can_jump_to_an_epoch() -> None:
    opt = optimizer()
    scheduler = schedules.StepLR(opt, 2, gamma=0.5)
    opt.step()
    scheduler.step(4)
    assert scheduler.get_last_lr() == [0.25]


def test_beta1_is_the_momentum_of_adam() -> None:
    opt = fz.optim.Adam([fz.zeros(1, requires_grad=True)])
    schedules.OneCycleLR(opt, max_lr=1.0, total_steps=10)
    assert opt.param_groups[0]["betas"] == (0.95, 0.999)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: schedules.StepLR("sgd", 1), TypeError, "str is not an Optimizer"),
        (lambda o: schedules.ReduceLROnPlateau("sgd"), TypeError, "str is not an Optimizer"),
        (lambda o: schedules.LambdaLR(o, [abs, abs]), ValueError, "expected 1 values for lr_lambda, got 2"),
        (lambda o: schedules.ConstantLR(o, factor=2.0), ValueError, "factor must be above 0 and at most 1"),
        (lambda o: schedules.LinearLR(o, start_factor=0.0), ValueError, "start_factor must be above 0"),
        (lambda o: schedules.LinearLR(o, end_factor=2.0), ValueError, "end_factor must be between 0 and 1"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 0), ValueError, "positive integer T_0"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 1, 0), ValueError, "integer T_mult >= 1"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 1).step(-1), ValueError, "non-negative epoch"),
        (lambda o: schedules.OneCycleLR(o, 1.0), ValueError, "either total_steps OR"),
        (lambda o: schedules.OneCycleLR(o, 1.0, total_steps=0), ValueError, "positive integer total_steps"),
        (lambda o: schedules.OneCycleLR(o, 1.0, 5, pct_start=2.0), ValueError, "between 0 and 1 pct_start"),
        (lambda o: schedules.OneCycleLR(o, 1.0, 5, anneal_strategy="x"), ValueError, "'cos' or 'linear'"),
        (lambda o: schedules.OneCycleLR(fz.optim.Adagrad(o.param_groups[0]["params"]), 1.0, 5), ValueError, "support momentum"),
        (lambda o: schedules.CyclicLR(o, 0.1, 1.0, mode="x"), ValueError, "mode is invalid"),
        (lambda o: schedules.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be < 1.0"),
        (lambda o: schedules.ReduceLROnPlateau(o, mode="x"), ValueError, "mode x is unknown"),
        (lambda o: schedules.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold mode x is unknown"),
        (lambda o: schedules.SequentialLR(o, [schedules.StepLR(o, 1)], [1]), ValueError, "one more than the number of milestone"),
        (lambda o: schedules.ChainedScheduler([]), ValueError, "at least one scheduler"),
        (lambda o: schedules.ChainedScheduler([schedules.StepLR(optimizer(), 1)], o), ValueError, "index 0 has another"),
        (lambda o: schedules.LRScheduler(o), NotImplementedError, "must define get_lr"),
    ],
)  # fmt: skip
def test_misuse_is_explained(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(optimizer(momentum=0.9))


def test_one_cycle_ends() -> None:
    opt = optimizer(momentum=0.9)
    scheduler = schedules.OneCycleLR(opt, 1.0, total_steps=2)
    opt.step()
    scheduler.step()
    scheduler.step()
    with pytest.raises(ValueError, match=r"Tried to step 3 times. The specified number of total steps is 2"):
        scheduler.step()


def test_parts_of_a_sequence_take_no_epoch() -> None:
    opt = optimizer()
    parts = [schedules.StepLR(opt, 1), schedules.StepLR(opt, 1)]
    with pytest.raises(ValueError, match="takes no epoch"):
        schedules.SequentialLR(opt, parts, [1]).step(3)
    with pytest.raises(ValueError, match="takes no epoch"):
        schedules.ChainedScheduler(parts).step(3)


def test_a_given_scale_function_decides() -> None:
    opt = optimizer(momentum=0.9)
    scheduler = schedules.CyclicLR(opt, 0.0, 1.0, step_size_up=1, scale_fn=lambda cycle: 0.5, cycle_momentum=False)
    opt.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.5]


def test_schedules_that_step_together_may_be_the_first_of_a_sequence() -> None:
    opt = fz.optim.SGD([fz.zeros(1, requires_grad=True)], lr=1.0)
    together = schedules.ChainedScheduler([schedules.StepLR(opt, 1, 0.5), schedules.ExponentialLR(opt, 0.5)])
    schedule = schedules.SequentialLR(opt, [together, schedules.StepLR(opt, 1, 0.1)], [2])
    rates = schedule.get_last_lr()
    for _ in range(3):
        opt.step()
        schedule.step()
        rates += schedule.get_last_lr()
    assert rates == pytest.approx([1.0, 0.25, 1.0, 0.1])
