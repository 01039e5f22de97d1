"""ASGD, Rprop, Adafactor and Muon, and averages of weights: by what their definitions say."""

from __future__ import annotations

import math

import pytest

import frazil as fz

optim = fz.optim


def trained(make, start, grads):
    """The parameter after each of the gradients."""
    w = fz.tensor(start, dtype=fz.float64, requires_grad=True)
    optimizer = make([w])
    found = []
    for g in grads:
        w.grad = fz.tensor(g, dtype=fz.float64)
        optimizer.step()
        found.append(w.tolist())
    return found, optimizer.state[w]


def test_rprop_takes_steps_by_signs():
    found, _ = trained(lambda p: optim.Rprop(p, lr=0.1), [0.0], [[5.0], [3.0], [-1.0], [-7.0]])
    assert [w for (w,) in found] == pytest.approx([-0.1, -0.22, -0.22, -0.16])  # grows, shrinks without a step, goes back


def test_asgd_averages_from_t0_on():
    found, state = trained(lambda p: optim.ASGD(p, lr=0.5, lambd=0.0, t0=1), [1.0], [[1.0], [1.0], [1.0]])
    assert found == [[0.5], [0.0], [-0.5]]
    # the first two steps copy, and from then on `ax` is a mean
    assert state["ax"].item() == pytest.approx(-0.5) and state["mu"].item() == 0.5


def test_adafactor_of_a_matrix_keeps_rows_and_columns_and_normalises():
    found, state = trained(lambda p: optim.Adafactor(p, lr=0.1), [[1.0, 1.0], [1.0, 1.0]], [[[2.0, 2.0], [2.0, 2.0]]])
    assert found[0] == [[pytest.approx(0.9)] * 2] * 2
    assert state["row_var"].shape == (2, 1) and state["col_var"].shape == (1, 2) and "variance" not in state
    _, state = trained(lambda p: optim.Adafactor(p), [1.0], [[2.0]])
    assert state["variance"].tolist() == [4.0]


def test_muon_steps_by_a_nearly_orthogonal_matrix():
    start = [[0.0, 0.0], [0.0, 0.0]]
    found, _ = trained(lambda p: optim.Muon(p, lr=1.0, weight_decay=0.0), start, [[[3.0, 0.0], [0.0, -2.0]]])
    sizes = fz.linalg.svdvals(fz.tensor(found[0]))
    assert ((sizes > 0.6) & (sizes < 1.3)).all() and found[0][0][0] < 0 < found[0][1][1]
    with pytest.raises(ValueError, match="2D"):
        optim.Muon([fz.ones(3, requires_grad=True)])


@pytest.mark.parametrize("make", [optim.ASGD, optim.Rprop, optim.Adafactor, optim.Muon])
def test_their_state_goes_on_after_loading(make):
    def step(w, optimizer):
        w.grad = w.detach() * 2 + 1
        optimizer.step()

    w = fz.ones(2, 3, requires_grad=True)
    optimizer = make([w], lr=0.1)
    step(w, optimizer)
    other = w.detach().clone().requires_grad_()
    copied = make([other], lr=0.1)
    copied.load_state_dict(optimizer.state_dict())
    for _ in range(3):
        step(w, optimizer)
        step(other, copied)
    fz.testing.assert_close(other.detach(), w.detach())


def test_averaged_model_and_moving_average():
    model = fz.nn.Linear(1, 1, bias=False)
    mean = optim.swa_utils.AveragedModel(model)
    moving = optim.swa_utils.AveragedModel(model, avg_fn=optim.swa_utils.get_ema_avg_fn(0.9))
    for value in (1.0, 2.0, 6.0):
        fz.nn.init.constant_(model.weight, value)
        mean.update_parameters(model)
        moving.update_parameters(model)
    assert mean.module.weight.item() == pytest.approx(3.0) and mean.n_averaged.item() == 3
    assert moving.module.weight.item() == pytest.approx(0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 6)
    assert mean(fz.ones(1, 1)).item() == pytest.approx(3.0)
    assert model.weight.item() == 6.0


def test_update_bn_averages_the_statistics_of_all_batches():
    model = fz.nn.Sequential(fz.nn.BatchNorm1d(1, momentum=0.7)).eval()
    optim.swa_utils.update_bn([(fz.full((4, 1), float(v)), None) for v in (1, 2, 6)], model)
    assert model[0].running_mean.item() == pytest.approx(3.0)
    assert model[0].momentum == 0.7 and not model.training


def test_swalr_anneals_to_its_rate():
    optimizer = optim.SGD([fz.ones(1, requires_grad=True)], lr=1.0)
    scheduler = optim.swa_utils.SWALR(optimizer, swa_lr=0.2, anneal_epochs=4)
    found = []
    for _ in range(6):
        optimizer.step()
        scheduler.step()
        found.append(scheduler.get_last_lr()[0])
    right = [0.2 + 0.8 * (1 + math.cos(math.pi * min(t, 4) / 4)) / 2 for t in range(1, 7)]
    assert found == pytest.approx(right)


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop", "LBFGS"]
)
def test_complex_parameters_are_pairs_of_real_ones(name):
    start, goal = fz.tensor([[1 + 2j, -3j], [0.5, -1 - 1j]]), fz.tensor([[2 - 1j, 1j], [1j, 0.25]])
    w, pairs = start.clone().requires_grad_(), fz.view_as_real(start).clone().requires_grad_()
    optimizers = [getattr(optim, name)([p], lr=0.1) for p in (w, pairs)]

    def closure(p):
        def compute():
            p.grad = None
            apart = (fz.view_as_real(p) if p.is_complex() else p) - fz.view_as_real(goal)
            loss = (apart**2).sum() + 0.3 * apart.prod(-1).sum()
            loss.backward()
            return loss

        return compute

    for _ in range(4):
        for optimizer, p in zip(optimizers, (w, pairs), strict=True):
            optimizer.step(closure(p))
    fz.testing.assert_close(fz.view_as_real(w.detach()), pairs.detach())
    again = getattr(optim, name)([w.detach().clone().requires_grad_()], lr=0.1)
    again.load_state_dict(optimizers[0].state_dict())


@pytest.mark.parametrize("name", ["Adafactor", "Muon"])
def test_complex_parameters_are_refused_where_they_have_no_meaning(name):
    w = fz.ones(2, 2, dtype=fz.complex64).requires_grad_()
    w.grad = fz.ones(2, 2, dtype=fz.complex64)
    with pytest.raises(fz.errors.DTypeError, match=f"{name}: complex parameters are not supported"):
        getattr(optim, name)([w]).step()
