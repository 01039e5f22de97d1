"""Losses, optimisers and computed weights beside PyTorch's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch")
prune = pytest.importorskip("torch.nn.utils.prune")
pytestmark = pytest.mark.parity


def close(a, b, **options):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), **({"rtol": 1e-8, "atol": 1e-9} | options))


def test_ctc_loss_and_its_gradient():
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((7, 4, 5)), rng.integers(1, 5, (4, 3))
    reductions = ("none", "mean", "sum")
    for reduction, zero, joined, impossible in itertools.product(reductions, (False, True), (False, True), (False, True)):
        steps = np.array([7, 6, 5, 1 if impossible else 7])
        counts = np.array([3, 2, 0, 3 if impossible else 1])
        given = np.concatenate([row[:n] for row, n in zip(targets, counts, strict=True)]) if joined else targets
        t, z = torch.tensor(logits, requires_grad=True), fz.tensor(logits, requires_grad=True)
        options = {"reduction": reduction, "zero_infinity": zero}
        right = torch.nn.functional.ctc_loss(t.log_softmax(2), *map(torch.tensor, (given, steps, counts)), **options)
        found = fz.nn.functional.ctc_loss(z.log_softmax(2), *map(fz.tensor, (given, steps, counts)), **options)
        close(found, right)
        if zero or not impossible:
            found.sum().backward()
            right.sum().backward()
            close(z.grad, t.grad)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ASGD", {}),
        ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 3, "weight_decay": 0.1}),
        ("Rprop", {}),
        ("Rprop", {"lr": 0.5, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2)}),
        ("Adafactor", {}),
        ("Adafactor", {"lr": 0.5, "weight_decay": 0.1, "eps": (1e-10, 1e-2), "d": 2.0, "beta2_decay": -0.5}),
    ],
)
def test_optimisers_have_the_losses_of_pytorchs(name, options):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape) for shape in ((3, 4), (4,), (2, 3, 2))]

    def losses(library):
        params = [library.tensor(w).requires_grad_() for w in start]
        optimizer, found = getattr(library.optim, name)(params, **options), []
        for i in range(20):
            optimizer.zero_grad()
            loss = sum(((p - 0.3 * (i % 3)) ** 2 * (j + 1)).sum() + p.sin().sum() for j, p in enumerate(params))
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    np.testing.assert_allclose(losses(fz), losses(torch), rtol=1e-6)


def test_pruning_and_parametrisations_have_the_state_of_pytorchs():
    theirs, mine = torch.nn.Linear(5, 4), fz.nn.Linear(5, 4)
    mine.load_state_dict({k: fz.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    for library, layer in ((prune, theirs), (fz.nn.utils.prune, mine)):
        for amount in (0.3, 2, 0.5):
            library.l1_unstructured(layer, "weight", amount)
        library.ln_structured(layer, "weight", 1, 2, 0)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        close(mine.state_dict()[name], value)
    for kind in ("weight_norm", "spectral_norm"):
        theirs = getattr(torch.nn.utils.parametrizations, kind)(torch.nn.Linear(3, 2))
        mine = getattr(fz.nn.utils.parametrizations, kind)(fz.nn.Linear(3, 2))
        assert list(mine.state_dict()) == list(theirs.state_dict())
        mine.load_state_dict({k: fz.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
        assert repr(mine) == repr(theirs)
        for _ in range(2):
            close(mine.weight, theirs.weight, rtol=1e-5, atol=1e-6)
