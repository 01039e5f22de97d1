"""A recorded program runs by a plan that is prepared once, with the results, gradients and writes of the original."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.errors import ArgumentError


def test_a_plan_runs_without_the_dispatcher_and_with_gradients():
    model = fz.nn.Sequential(fz.nn.Linear(3, 4), fz.nn.GELU(), fz.nn.Linear(4, 2))
    program = fz.jit.trace(model, (fz.ones(5, 3),))
    for n in (5, 2, 5, 0):
        x = fz.rand(n, 3)
        with fz.no_grad():
            assert fz.allclose(program(x), model(x), atol=1e-6)
        program(x).sum().backward()
        found = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        model(x).sum().backward()
        assert all(fz.allclose(p.grad, g, atol=1e-6) for p, g in zip(model.parameters(), found, strict=True))
        model.zero_grad()


def test_a_result_that_is_a_view_of_an_argument_is_one():
    program = fz.jit.trace(lambda x: x.t(), (fz.ones(2, 3),))
    x = fz.zeros(2, 3)
    with fz.no_grad():
        program(x)[0, 0] = 4.0
    assert x[0, 0].item() == 4.0


def test_results_that_share_memory_share_it():
    program = fz.jit.trace(lambda x: ((y := x * 2), y[0]), (fz.ones(2, 3),))
    y, row = program(fz.ones(2, 3))
    row.zero_()
    assert y.tolist() == [[0.0] * 3, [2.0] * 3]


@pytest.mark.parametrize("grad", [False, True])
def test_control_flow(grad):
    @fz.jit.script
    def program(x):
        total = fz.zeros(())
        rows = []
        for i in range(x.shape[0]):
            if x[i] > 0:
                total = total + x[i] * i
            rows.append(total * 2)
        while total > 10:
            total = total / 2
        return total, fz.stack(rows)

    recorded = fz.jit.trace(program, (fz.ones(3),))
    for values in ([1.0, 2.0, 3.0], [-1.0, 5.0], [9.0, 8.0, 7.0, -6.0]):
        results = []
        for f in (program, recorded):
            x = fz.tensor(values, requires_grad=grad)
            total, rows = f(x)
            if grad:
                (total + rows.sum()).backward()
            results.append((total.item(), rows.tolist(), x.grad.tolist() if grad else None))
        assert str(results[0]) == str(results[1])


def test_sizes_that_only_the_data_tell():
    recorded = fz.jit.trace(lambda x: x[x > 0].sum() / x[x > 0].shape[0], (fz.tensor([1.0, 2.0]),))
    assert recorded(fz.tensor([-1.0, 3.0, 5.0])).item() == 4.0


def test_wrong_arguments_are_refused_each_time():
    program = fz.jit.trace(lambda x: x + 1, (fz.ones(3),))
    program(fz.ones(2))
    for wrong in (fz.ones(2, 2), fz.ones(3, dtype=fz.int64)):
        with pytest.raises(ArgumentError):
            program(wrong)


def test_a_training_step_keeps_no_tape():
    layer = fz.nn.Linear(2, 1)
    optimizer = fz.optim.SGD(layer.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (layer(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    program = fz.jit.trace(step, (fz.ones(4, 2),))
    before = layer.weight.detach().clone()
    losses = [program(fz.ones(4, 2)) for _ in range(3)]
    assert not losses[0].requires_grad and losses[2].item() < losses[0].item()
    assert not fz.allclose(layer.weight, before)
