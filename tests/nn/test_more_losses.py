"""Losses and poolings by their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import frazil as fz

F = fz.nn.functional


def likelihood(probabilities, target, blank):
    """The probability of all ways to spell the target, one after another."""
    total = 0.0
    steps, classes = probabilities.shape
    for way in itertools.product(range(classes), repeat=steps):
        shown = [c for i, c in enumerate(way) if c != blank and (i == 0 or way[i - 1] != c)]
        if shown == list(target):
            total += math.prod(probabilities[t, c] for t, c in enumerate(way))
    return total


def test_ctc_is_the_sum_over_all_ways():
    rng = np.random.default_rng(0)
    for blank, target in ((0, (1, 2)), (2, (1, 1)), (1, ()), (0, (1,)), (0, (2, 2))):
        logits = rng.standard_normal((4, 3))
        log_probs = F.log_softmax(fz.tensor(logits), -1)
        right = likelihood(log_probs.exp().numpy(), target, blank)
        found = F.ctc_loss(log_probs, fz.tensor(target, dtype=fz.int64), (4,), (len(target),), blank, "none")
        assert found.item() == pytest.approx(-math.log(right), rel=1e-12)


def test_ctc_of_samples_of_different_lengths_and_of_targets_that_do_not_fit():
    rng = np.random.default_rng(0)
    log_probs = F.log_softmax(fz.tensor(rng.standard_normal((5, 3, 4))), -1).requires_grad_()
    targets, inputs, lengths = fz.tensor([[1, 2, 3], [2, 2, 0], [1, 1, 1]]), (5, 4, 3), (3, 2, 3)
    losses = F.ctc_loss(log_probs, targets, inputs, lengths, reduction="none")
    alone = F.ctc_loss(log_probs[:4, 1], targets[1, :2], (4,), (2,), reduction="none")
    fz.testing.assert_close(losses[1], alone)
    assert losses[2].item() == math.inf  # three times the same needs five steps
    joined = F.ctc_loss(log_probs, fz.tensor([1, 2, 3, 2, 2, 1, 1, 1]), inputs, lengths, reduction="none")
    fz.testing.assert_close(joined, losses)
    zeroed = F.ctc_loss(log_probs, targets, inputs, lengths, reduction="mean", zero_infinity=True)
    fz.testing.assert_close(zeroed, (losses[0] / 3 + losses[1] / 2) / 3)
    zeroed.backward()
    assert (log_probs.grad[:, 2] == 0).all() and log_probs.grad.isfinite().all()
    for wrong in ({"blank": 4}, {"input_lengths": (6, 4, 3)}, {"target_lengths": (3, 2)}):
        with pytest.raises(RuntimeError, match="ctc_loss"):
            F.ctc_loss(**{"log_probs": log_probs, "targets": targets, "input_lengths": inputs, "target_lengths": lengths} | wrong)


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_of_nan_is_nan_where_it_is_read(zero_infinity):
    x = np.random.default_rng(0).normal(size=(6, 2, 4))
    x[1, 0, 2] = x[5, 1, 0] = math.nan  # of the second sample beyond its last step
    given = fz.tensor(x, requires_grad=True)
    losses = F.ctc_loss(
        F.log_softmax(given, -1), fz.tensor([[1, 2], [1, 1]]), (6, 5), (2, 2), reduction="none", zero_infinity=zero_infinity
    )
    losses.sum().backward()
    assert losses.isnan().tolist() == [True, False]
    assert given.grad[:, 0].isnan().all() and given.grad[:5, 1].isfinite().all()


def test_ctc_through_log_softmax_has_the_gradient_of_differences():
    logits = fz.tensor(np.random.default_rng(0).standard_normal((4, 2, 3)), requires_grad=True)
    loss = lambda x: F.ctc_loss(F.log_softmax(x, -1), fz.tensor([[1, 2], [1, 1]]), (4, 3), (2, 2))
    assert fz.autograd.gradcheck(loss, (logits,))


def test_multilabel_margin_by_its_definition():
    x = np.random.default_rng(0).standard_normal((3, 4))
    targets = [[3, 0, -1, 1], [-1, 1, 2, 0], [0, 1, 2, 3]]
    right = []
    for row, listed in zip(x, targets, strict=True):
        wanted = listed[: listed.index(-1)] if -1 in listed else listed
        others = [i for i in range(4) if i not in wanted]
        right.append(sum(max(0, 1 - row[j] + row[i]) for j in wanted for i in others) / 4)
    found = fz.nn.MultiLabelMarginLoss(reduction="none")(fz.tensor(x), fz.tensor(targets))
    fz.testing.assert_close(found, fz.tensor(right, dtype=fz.float64))
    with pytest.raises(RuntimeError, match="one shape"):
        F.multilabel_margin_loss(fz.ones(3), fz.tensor([0]))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_unpool_puts_maxima_back(n):
    x = fz.randn(2, 3, *(5,) * n)
    pool, unpool = getattr(fz.nn, f"MaxPool{n}d")(2, return_indices=True), getattr(fz.nn, f"MaxUnpool{n}d")(2)
    y, places = pool(x)
    back = unpool(y, places, output_size=x.shape)
    assert back.shape == x.shape
    fz.testing.assert_close(pool(back.clamp(min=-100))[0].clamp(min=0), y.clamp(min=0))
    assert ((back == x) | (back == 0)).all() and (back != 0).sum() == y.numel()
    fz.testing.assert_close(unpool(y, places % 4 if n == 1 else places * 0)[0].shape[1:], (4,) * n)
    with pytest.raises(RuntimeError, match="output_size"):
        unpool(y, places, output_size=(9,) * n)
    with pytest.raises(RuntimeError, match="indices are 0"):
        unpool(y, places + 1000)
