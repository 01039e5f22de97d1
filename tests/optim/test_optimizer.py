"""Optimisers: groups, state, hooks, errors. That their steps are right is tests/parity/test_optim.py."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import optim
from frazil.ops import optim as steps

ALL = [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.Adadelta, optim.Adamax, optim.NAdam, optim.RAdam]


def parameter(*values: float) -> Any:
    return fz.tensor(values or (1.0, -2.0), requires_grad=True)


def descend(optimizer: Any, param: Any, times: int = 1) -> list[float]:
    losses = []
    for _ in range(times):
        optimizer.zero_grad()
        loss = (param * param).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", ALL)
def test_every_optimizer_goes_downhill(kind: Any) -> None:
    w = parameter()
    losses = descend(kind([w], lr=0.05), w, 30)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ALL)
def test_a_learning_rate_may_be_a_tensor(kind: Any) -> None:
    results = []
    for lr in (0.05, fz.tensor(0.05)):
        w = parameter()
        optimizer = kind([w], lr=lr)
        descend(optimizer, w, 3)
        assert isinstance(optimizer.param_groups[0]["lr"], fz.Tensor) == isinstance(lr, fz.Tensor)
        results.append(w.tolist())
    assert results[0] == pytest.approx(results[1], rel=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_state_survives_a_round_trip(kind: Any) -> None:
    a, b = parameter(), parameter()
    first = kind([a], lr=0.05)
    descend(first, a, 4)
    second = kind([b], lr=0.7)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    with fz.no_grad():
        b.copy_(a)
    descend(first, a, 3)
    descend(second, b, 3)
    assert a.tolist() == b.tolist()
    assert second.param_groups[0]["lr"] == 0.05


def test_step_counters_are_float_tensors_that_stay_so() -> None:
    w = parameter().to(fz.float64).detach().requires_grad_()
    optimizer = optim.Adam([w])
    descend(optimizer, w, 2)
    step = optimizer.state[w]["step"]
    assert (step.dtype, step.ndim, step.item()) == (fz.float32, 0, 2)
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.state[w]["step"].dtype is fz.float32
    assert optimizer.state[w]["exp_avg"].dtype is fz.float64


def test_loading_copies_what_it_is_given() -> None:
    w = parameter()
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    descend(optimizer, w)
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    descend(optimizer, w)
    assert state["state"][0]["momentum_buffer"].tolist() == [2.0, -4.0]


def test_parameters_without_gradient_are_left_alone() -> None:
    used, unused = parameter(), parameter()
    optimizer = optim.Adam([used, unused], lr=0.1, weight_decay=0.5)
    descend(optimizer, used)
    assert unused.tolist() == [1.0, -2.0]
    assert unused not in optimizer.state


def test_a_closure_computes_the_loss_with_gradients() -> None:
    w = parameter()
    optimizer = optim.SGD([w], lr=0.5)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with fz.no_grad():
        assert optimizer.step(closure).item() == 5.0
    assert w.tolist() == [0, 0]


def test_gradients_are_forgotten_or_zeroed() -> None:
    w = parameter()
    optimizer = optim.SGD([w], lr=0.5)
    (w * w).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert w.grad is None


def test_groups_have_options_and_names() -> None:
    a, b, c = parameter(), parameter(), parameter()
    optimizer = optim.SGD([{"params": [("a", a)], "lr": 0.5}, {"params": [("b", b)]}], lr=0.1)
    optimizer.add_param_group({"params": [("c", c)], "momentum": 0.9})
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1, 0.1]
    assert optimizer.param_groups[2]["param_names"] == ["c"]
    assert [group["params"] for group in optimizer.state_dict()["param_groups"]] == [[0], [1], [2]]
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", a), b])
    with pytest.raises(ValueError, match="cannot add param group without names"):
        optimizer.add_param_group({"params": [parameter()]})


def test_a_state_dict_is_made_and_read_past_hooks() -> None:
    optimizer = optim.SGD([parameter()], lr=0.5)
    calls: list[Any] = []
    optimizer.register_state_dict_pre_hook(lambda opt: calls.append("make"))
    optimizer.register_state_dict_post_hook(lambda opt, state: {**state, "more": 1})
    optimizer.register_load_state_dict_pre_hook(lambda opt, state: calls.append(state.pop("more")))
    optimizer.register_load_state_dict_post_hook(lambda opt: calls.append("read"))
    optimizer.register_state_dict_pre_hook(lambda opt: calls.append("first"), prepend=True)
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["first", "make", 1, "read"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [(kind, {}) for kind in [*ALL, optim.ASGD, optim.Rprop]]
    + [(optim.SGD, {"momentum": 0.9}), (optim.Adam, {"amsgrad": True}), (optim.RMSprop, {"centered": True, "momentum": 0.9})],
)
def test_differentiable_steps_are_part_of_a_graph(kind: Any, options: dict[str, Any]) -> None:
    def trained(start: Any, lr: Any) -> Any:
        w = start.clone()
        optimizer = (
            kind([w], lr=lr, weight_decay=0.1, differentiable=True, **options)
            if kind is not optim.Rprop
            else kind([w], lr=lr, differentiable=True)
        )
        with fz.enable_grad():
            for _ in range(2):
                at = w.clone() if w.requires_grad else w.clone().requires_grad_()
                (w.grad,) = fz.autograd.grad((at.sin() * at).sum(), at, create_graph=True)
                optimizer.step()
        return w

    start = fz.tensor([0.5, -1.2], dtype=fz.float64, requires_grad=True)
    lr = fz.tensor(0.1, dtype=fz.float64, requires_grad=True)
    assert fz.autograd.gradcheck(trained, (start, lr), eps=1e-4, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", [*ALL, optim.ASGD, optim.Rprop, optim.LBFGS])
def test_a_complex_parameter_steps_as_its_parts(kind: Any) -> None:
    whole = fz.tensor([1.0 + 2.0j, -0.5 + 0.1j], requires_grad=True)
    parts = fz.tensor([[1.0, 2.0], [-0.5, 0.1]], requires_grad=True)
    optimizers = [kind([w], lr=0.1) for w in (whole, parts)]
    for _ in range(3):
        for w, optimizer in zip((whole, parts), optimizers, strict=True):

            def closure(w: Any = w, optimizer: Any = optimizer) -> Any:
                optimizer.zero_grad()
                loss = (w.abs() ** 2).sum() if w is whole else (w * w).sum()
                loss.backward()
                return loss

            optimizer.step(closure)
    np.testing.assert_allclose(fz.view_as_real(whole.detach()).numpy(), parts.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_hooks_run_around_a_step() -> None:
    w = parameter()
    optimizer = optim.SGD([w], lr=0.5)
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: calls.append("before"))
    handle = optimizer.register_step_post_hook(lambda opt, args, kwargs: calls.append("after"))
    descend(optimizer, w)
    handle.remove()
    descend(optimizer, w)
    assert calls == ["before", "after", "before"]


def test_an_optimizer_of_ones_own() -> None:
    class Signs(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @fz.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for param in group["params"]:
                    param.sub_(param.grad.sign() * group["lr"])

    w = parameter()
    optimizer = Signs([w], lr=0.25)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    descend(optimizer, w)
    scheduler.step()  # does not warn: the step was counted
    assert w.tolist() == [0.75, -1.75]
    with pytest.raises(NotImplementedError, match=r"must define _update\(group\) or override step"):
        optim.Optimizer([w], {}).step()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "empty parameter list"),
        (lambda: optim.SGD(parameter()), TypeError, "should be an iterable of Tensors or dicts, but got Tensor"),
        (lambda: optim.SGD([3]), TypeError, "can only optimize Tensors, but one of the params is int"),
        (lambda: optim.SGD([{"params": {parameter()}}]), TypeError, "ordered collections"),
        (lambda: optim.SGD([parameter() * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: optim.SGD([parameter()], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.SGD([parameter()], lr=fz.ones(2)), ValueError, "Tensor lr must be 1-element"),
        (lambda: optim.SGD([parameter()], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.SGD([parameter()], nesterov=True), ValueError, "Nesterov momentum requires a momentum"),
        (lambda: optim.Adam([parameter()], betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1: 1.0"),
        (lambda: optim.Adam([parameter()], eps=-1.0), ValueError, "Invalid eps value"),
        (lambda: optim.Adadelta([parameter()], rho=1.5), ValueError, "Invalid rho value: 1.5"),
    ],
)
def test_misuse_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_parameter_belongs_to_one_group() -> None:
    w = parameter()
    with pytest.raises(ValueError, match="appear in more than one parameter group"):
        optim.SGD([{"params": [w]}, {"params": [w]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([w, w])
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optim.SGD([w]).add_param_group([w])  # type: ignore[arg-type]


def test_a_state_dict_of_another_shape_is_refused() -> None:
    one, two = optim.SGD([parameter()]), optim.SGD([parameter(), parameter()])
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        one.load_state_dict(two.state_dict())
    groups = optim.SGD([{"params": [parameter()]}, {"params": [parameter()]}])
    with pytest.raises(ValueError, match="different number of parameter groups: it has 2, the optimizer 1"):
        one.load_state_dict(groups.state_dict())


def test_repr_lists_the_options() -> None:
    assert repr(optim.Adagrad([parameter()])).splitlines()[:4] == [
        "Adagrad (",
        "Parameter Group 0",
        "    differentiable: False",
        "    eps: 1e-10",
    ]


# ----------------------------------------------------------------------------------------------------- the fused kernels


def scheduled(step: Any) -> Any:
    """The step of Adam of which these numbers are tensors."""

    def with_tensors(*tensors: Any, given: tuple[float | None, ...], **options: Any) -> Any:
        found = [None if number is None else fz.tensor(number, dtype=tensors[0].dtype) for number in given]
        return step(*tensors, *found, numbers=(0.8, 0.98, 1e-8, 0.1), **options)

    return with_tensors


SCHEDULED = scheduled(steps.scheduled_adam_step), scheduled(steps.scheduled_adam_step_), 3, True

STEPS: list[tuple[Any, Any, int, bool, dict[str, Any]]] = [
    (steps.sgd_step, steps.sgd_step_, 1, False, {}),
    (steps.sgd_step, steps.sgd_step_, 1, False, {"weight_decay": 0.1, "maximize": True}),
    (steps.sgd_momentum_step, steps.sgd_momentum_step_, 2, False, {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    (steps.sgd_momentum_step, steps.sgd_momentum_step_, 2, False, {"momentum": 0.9, "nesterov": True, "maximize": True}),
    (steps.adam_step, steps.adam_step_, 3, True, {}),
    (steps.adam_step, steps.adam_step_, 3, True, {"weight_decay": 0.1, "beta1": 0.0, "maximize": True}),
    (steps.adam_step, steps.adam_step_, 3, True, {"weight_decay": 0.1, "decoupled": True}),
    (*SCHEDULED, {"given": (0.9,)}),
    (*SCHEDULED, {"given": (None, 0.99, None, 0.2), "maximize": True}),
    (*SCHEDULED, {"given": (0.9, 0.99, 1e-7, 0.1), "decoupled": True}),
    (steps.amsgrad_step, steps.amsgrad_step_, 4, True, {"eps": 0.1}),
]


@pytest.mark.parametrize(("functional", "in_place", "buffers", "counts", "options"), STEPS)
@pytest.mark.parametrize("shape", [(), (3, 4), (250, 300), (0,)], ids=str)
@pytest.mark.parametrize("dtype", [fz.float32, fz.float64], ids=str)
def test_a_fused_kernel_computes_the_functional_form(
    functional: Any, in_place: Any, buffers: int, counts: bool, options: dict[str, Any], shape: Any, dtype: Any
) -> None:
    rng = np.random.default_rng(0)

    def fresh(low: float) -> Any:
        return fz.tensor(rng.uniform(low, 1.0, shape)).to(dtype)

    written = [fresh(-1.0), *(fresh(0.0) for _ in range(buffers - 1))]
    written += [fz.tensor(3.0)] if counts else []
    grad, lr = fresh(-1.0), 0.1
    expected = functional(*written, grad, lr, **options)
    expected = expected if isinstance(expected, tuple) else (expected,)
    places = [t.numpy() for t in written]
    in_place(*written, grad, lr, **options)
    tolerance = 2e-5 if dtype is fz.float32 else 1e-12
    for value, target, place in zip(expected, written, places, strict=True):
        assert value.dtype is target.dtype and value.shape == target.shape
        np.testing.assert_allclose(target.numpy(), value.numpy(), rtol=tolerance, atol=tolerance * 1e-2)
        assert np.shares_memory(place, target.numpy()) or target.numel() == 0


def test_a_parameter_that_is_not_contiguous_is_updated_in_its_memory() -> None:
    base = fz.ones(4, 6)
    w = base.t().detach().requires_grad_()
    w.grad = fz.ones(6, 4)
    for kind in (optim.SGD, optim.Adam):
        kind([w], lr=0.5).step()
    np.testing.assert_allclose(base.numpy(), 0.0, atol=1e-6)


def test_a_step_is_a_write_that_backward_notices() -> None:
    w = parameter()
    loss = (w * w).sum()
    w.grad = fz.ones(2)
    optim.Adam([w]).step()
    with pytest.raises(RuntimeError, match="modified in place"):
        loss.backward()


def test_sparse_adam_leaves_rows_alone_that_have_no_gradient() -> None:
    table = fz.nn.Embedding(5, 2, sparse=True)
    optimizer = optim.SparseAdam(table.parameters(), lr=0.1)
    dense = table.weight.detach().clone().requires_grad_()
    adam = optim.Adam([dense], lr=0.1)
    for _ in range(3):  # the rows that are always in use step as with Adam
        for optim_, loss in ((optimizer, (table(fz.tensor([0, 3, 3])) ** 2).sum()), (adam, (dense[[0, 3, 3]] ** 2).sum())):
            optim_.zero_grad()
            loss.backward()
            optim_.step()
    fz.testing.assert_close(table.weight, dense)
    table(fz.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="Adam does not support sparse gradients"):
        optim.Adam(table.parameters()).step()
    with pytest.raises(RuntimeError, match="does not support dense gradients"):
        dense.grad = fz.ones(5, 2)
        optim.SparseAdam([dense]).step()
    with pytest.raises(RuntimeError, match="weight_decay is not compatible"):
        optim.SGD(table.parameters(), weight_decay=0.1).step()


def test_gradient_descent_follows_sparse_gradients() -> None:
    for kind in (optim.SGD, optim.Adagrad):
        table = fz.nn.Embedding(5, 2, sparse=True)
        dense = table.weight.detach().clone().requires_grad_()
        for params, loss in ((table.parameters(), table(fz.tensor([0, 3])).sum()), ([dense], dense[[0, 3]].sum())):
            optimizer = kind(params, lr=0.1)  # type: ignore[operator]
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        fz.testing.assert_close(table.weight, dense)
