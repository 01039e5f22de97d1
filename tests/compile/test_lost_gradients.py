"""Parameters that `forward` itself writes to (constraints, renormalised rows) get the gradients that they get eagerly."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import frazil as fz
from frazil import nn


def clamped(w: Any) -> None:
    with fz.no_grad():
        w.clamp_(-1, 1)


def data_clamped(w: Any) -> None:
    w.data.clamp_(-1, 1)


def copied(w: Any) -> None:
    with fz.no_grad():
        w.copy_(w * 0.5)


def replaced(w: Any) -> None:
    w.data = fz.renorm(w.data[None], 2, 0, 1.0)[0]


def element(w: Any) -> None:
    with fz.no_grad():
        w[0] = 7.0


class Constrained(nn.Module):
    def __init__(self, write: Callable[[Any], None]) -> None:
        super().__init__()
        self.w, self.write = nn.Parameter(fz.tensor([2.0, -3.0])), write

    def forward(self, x: Any) -> Any:
        self.write(self.w)
        both = fz.stack([self.w * x, self.w.exp()]).unbind()
        return both[0].sum() + both[1].prod()


@pytest.mark.parametrize("write", [clamped, data_clamped, copied, replaced, element], ids=lambda f: f.__name__)
def test_parameters_that_forward_writes_to_get_gradients(write: Callable[[Any], None]) -> None:
    plain, model, x = Constrained(write), Constrained(write), fz.tensor([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it runs eagerly
        compiled = fz.compile(model)
        for _ in range(3):
            plain(x).backward()
            compiled(x).backward()
    fz.testing.assert_close(model.w, plain.w)
    fz.testing.assert_close(model.w.grad, plain.w.grad)


def assert_recorded_alike(plain: nn.Module, model: nn.Module, x: Any) -> None:
    """Without gradients the model is compiled, which warns of nothing, and gives what the plain one gives, call by call."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = fz.compile(model)
        with fz.no_grad():
            for _ in range(3):
                fz.testing.assert_close(compiled(x), plain(x))


def test_without_gradients_they_are_recorded_and_change() -> None:
    plain, model = Constrained(copied), Constrained(copied)
    assert_recorded_alike(plain, model, fz.tensor([1.0, 2.0]))
    fz.testing.assert_close(model.w, plain.w)


@pytest.mark.parametrize("make", [lambda: nn.Embedding(6, 3, max_norm=1.0), lambda: nn.Embedding(6, 3, 0, 0.5, 1.0)])
def test_embeddings_with_max_norm_are_recorded_without_gradients(make: Callable[[], Any]) -> None:
    plain, model = make(), make()
    model.load_state_dict(plain.state_dict())
    assert_recorded_alike(plain, model, fz.tensor([[1, 3, 3], [5, 0, 1]]))
    fz.testing.assert_close(model.weight, plain.weight)


def test_a_step_that_keeps_its_graph_is_recorded() -> None:
    """Its loss could be differentiated again only before the weights change."""
    model = nn.Linear(3, 1)
    optimizer = fz.optim.SGD(model.parameters(), lr=0.1)

    def kept(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward(retain_graph=True)
        optimizer.step()
        return loss

    def by_hand(x: Any) -> Any:
        loss = model(x).square().mean()
        grads = fz.autograd.grad(loss, list(model.parameters()), create_graph=True)
        with fz.no_grad():
            for parameter, grad in zip(model.parameters(), grads, strict=True):
                parameter -= 0.1 * grad
        return loss

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in (kept, by_hand):
            compiled = fz.compile(step)
            first, *_, last = [compiled(fz.ones(2, 3)).item() for _ in range(4)]
            assert last < first
