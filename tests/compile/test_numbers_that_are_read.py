"""What a compiled program reads the numbers of is looked at in every call: stale ones would give another program's results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import frazil as fz
from frazil import nn


class _Queue(nn.Module):
    """A ring of the newest rows, as of contrastive learning."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", fz.zeros(6))
        self.register_buffer("at", fz.zeros(1, dtype=fz.int64))

    def forward(self, x: Any) -> Any:
        at = int(self.at)
        self.rows[at : at + 2] = x
        self.at[0] = (at + 2) % 6
        return self.rows * (at + 1)


def test_a_pointer_that_the_program_moves_is_read_anew() -> None:
    eager, compiled = _Queue(), _Queue()
    fast = fz.compile(compiled, engine="numpy")
    for i in range(7):
        assert fz.equal(fast(fz.ones(2) * i), eager(fz.ones(2) * i)) and fz.equal(compiled.at, eager.at)
    report = fz.compile.explain(fast)
    assert report.causes == ["the program reads the numbers of buffer at, which have changed"] * 2


@pytest.mark.parametrize("read", [float, lambda t: t.item(), lambda t: t.tolist(), lambda t: float(t.numpy())])
def test_a_number_that_is_changed_between_calls_is_read_anew(read: Callable[[Any], Any]) -> None:
    scale = fz.tensor(1.0)
    fast = fz.compile(lambda x: x * read(scale), engine="numpy", fullgraph=True)
    for value in (1.0, 3.0, 3.0, 1.0):
        scale.fill_(value)
        assert fz.equal(fast(fz.ones(2)), fz.ones(2) * read(scale))
    assert len(fz.compile.explain(fast).causes) == 1  # both are kept


#: Steps of optimisers that programs write themselves: the parameter, its gradient, the learning rate.
_STEPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add_": lambda p, g, lr: p.add_(g, alpha=-lr),
    "sub_": lambda p, g, lr: p.sub_(g, alpha=lr),
    "add": lambda p, g, lr: p.copy_(fz.add(p, g, alpha=-lr)),
    "rsub": lambda p, g, lr: p.add_(fz.rsub(g, p, alpha=lr)),
    "addcdiv_": lambda p, g, lr: p.addcdiv_(g, g.abs() + 1, value=-lr),
    "addcmul_": lambda p, g, lr: p.addcmul_(g, g, value=-lr),
    "addmm_": lambda p, g, lr: p.addmm_(g, g, beta=1 - lr, alpha=lr),
    "addmv_": lambda p, g, lr: p[0].addmv_(g, g[0], alpha=lr),
    "baddbmm": lambda p, g, lr: p.copy_(fz.baddbmm(p[None], g[None], g[None], alpha=lr)[0]),
    "addr_": lambda p, g, lr: p.addr_(g[0], g[1], alpha=-lr),
    "index_add_": lambda p, g, lr: p.index_add_(0, fz.tensor([0]), g[:1], alpha=-lr),
    "foreach add": lambda p, g, lr: fz._foreach_add_([p], [g], alpha=-lr),
    "foreach addcdiv": lambda p, g, lr: fz._foreach_addcdiv_([p], [g], [g.abs() + 1], value=-lr),
    "foreach addcmul": lambda p, g, lr: fz._foreach_addcmul_([p], [g], [g], -lr),
    "soft threshold": lambda p, g, lr: p.copy_(p.sign() * (p.abs() - lr).clamp(min=0)),
}


def _trained(step: Callable[[Any, Any, Any], Any], wrapped: Callable[[Any], Any]) -> tuple[Any, Any]:
    class Own(fz.optim.Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {"lr": 0.1})

        @fz.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    step(p, p.grad, group["lr"])

    model = nn.Linear(2, 2, bias=False)
    nn.init.constant_(model.weight, 0.5)
    optimizer = Own(model.parameters())

    def train(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    call = wrapped(train)
    for i in range(4):
        optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
        call(fz.tensor([[1.0, -0.5], [0.3, 2.0]]))
    return model.weight, call


@pytest.mark.parametrize("name", _STEPS)
def test_steps_of_own_optimisers_take_any_learning_rate_in_one_recording(name: str) -> None:
    expected, train = _trained(_STEPS[name], lambda train: train)
    found, fast = _trained(_STEPS[name], lambda train: fz.compile(train, engine="numpy", fullgraph=True))
    fz.testing.assert_close(found, expected)
    assert fast.recordings == 1
    assert fz.onnx.export_step(train, (fz.ones(3, 2),)).steps.count == 4


def test_a_learning_rate_that_is_read_as_a_number_is_read_anew() -> None:
    step = lambda p, g, lr: p.add_(g, alpha=-float(lr))
    expected, _ = _trained(step, lambda train: train)
    found, fast = _trained(step, lambda train: fz.compile(train, engine="numpy"))
    fz.testing.assert_close(found, expected)
    assert fz.compile.explain(fast).causes[0] == "the program reads the numbers of a learning rate, which have changed"


def _kl_of_binomials(p: Any, q: Any) -> Any:
    binomial = fz.distributions.Binomial
    return fz.distributions.kl_divergence(binomial(fz.ones(3) * 4, p), binomial(3, q))


@pytest.mark.parametrize(
    "program",
    [lambda x, var: nn.functional.gaussian_nll_loss(x, x * 2, var), _kl_of_binomials, lambda x, y: fz.poisson(x) * 0 + y],
)
def test_checks_of_values_are_made_by_eager_programs_alone(program: Callable[..., Any]) -> None:
    x, y = fz.tensor([0.2, 0.5, 0.7]), fz.tensor([0.3, 0.4, 0.9])
    fz.testing.assert_close(fz.compile(program, engine="numpy", fullgraph=True)(x, y), program(x, y))
    fz.onnx.export(program, (x, y), training=True, verify="samples")


def test_checks_of_values_are_left_out_where_a_loss_is_mapped() -> None:
    loss = lambda x, var: nn.functional.gaussian_nll_loss(x, x * 2, var)
    x, var = fz.randn(2, 3), fz.rand(2, 3) + 0.1
    fz.testing.assert_close(fz.vmap(loss)(x, var), fz.stack([loss(x[0], var[0]), loss(x[1], var[1])]))
    with pytest.raises(ValueError, match="negative"):
        loss(x, -var)


class _Decaying(fz.optim.SGD):
    """Counts its steps in an attribute of its own."""

    taken = 0

    def step(self, closure: Any = None) -> Any:
        self.taken += 1
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.div_(self.taken)
        return super().step(closure)


class _Around(fz.optim.Optimizer):
    """Halves the weights after every second step of another one, as Lookahead does with slow weights."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.taken = inner, 0
        self.param_groups, self.state, self.defaults = inner.param_groups, inner.state, inner.defaults

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> None:
        self.inner.step(closure)
        self.taken += 1
        for group in self.param_groups:
            for p in group["params"] if self.taken % 2 == 0 else ():
                p.data.mul_(0.5)


@pytest.mark.filterwarnings("ignore:compile. train cannot be recorded")
@pytest.mark.parametrize("make", [lambda ps: _Decaying(ps, lr=0.1), lambda ps: _Around(fz.optim.SGD(ps, lr=0.1))])
def test_attributes_of_own_optimisers_are_seen(make: Callable[[Any], Any]) -> None:
    weights = []
    for wrapped in (lambda f: f, fz.compile(engine="numpy")):
        model = nn.Linear(2, 2)
        nn.init.constant_(model.weight, 0.5)
        nn.init.zeros_(model.bias)
        optimizer = make(model.parameters())

        def train(x: Any, model: Any = model, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            model(x).square().sum().backward()
            optimizer.step()

        call = wrapped(train)
        for _ in range(5):
            call(fz.tensor([[1.0, -0.5]]))
        weights.append(model.weight)
    fz.testing.assert_close(*weights)
