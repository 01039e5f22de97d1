"""Generators and the functions that draw from them, as PyTorch programs use them."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError, AutogradError, DTypeError, ShapeError


def equal(a: fz.Tensor, b: fz.Tensor) -> bool:
    return a.dtype is b.dtype and np.array_equal(a.numpy(), b.numpy())


def seeded(seed: int = 0) -> fz.Generator:
    return fz.Generator().manual_seed(seed)


def test_a_seed_fixes_all_that_follows() -> None:
    def draws() -> list[fz.Tensor]:
        fz.manual_seed(7)
        return [fz.rand(3), fz.randn(2, 2), fz.randint(10, (4,)), fz.randperm(5), fz.empty(3).normal_()]

    assert all(equal(a, b) for a, b in zip(draws(), draws(), strict=True))
    fz.manual_seed(8)
    assert not equal(fz.rand(3), draws()[0])


def test_seeds_cover_64_bits() -> None:
    assert fz.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
    assert equal(fz.rand(4, generator=seeded(-1)), fz.rand(4, generator=seeded(2**64 - 1)))
    assert seeded(2**63).state.tolist() == [-(2**63), 0]
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(ArgumentError, match="manual_seed: a seed is an integer from -2\\*\\*63 to 2\\*\\*64 - 1, given"):
            fz.manual_seed(seed)


def test_a_new_generator_has_a_fixed_seed_and_the_default_one_has_not() -> None:
    assert fz.Generator().initial_seed() == fz.Generator().initial_seed() == 67280421310721
    first, second = fz.random.seed(), fz.random.seed()
    assert first != second == fz.initial_seed() == fz.default_generator.initial_seed()


def test_a_state_brings_a_generator_back() -> None:
    generator = seeded(5)
    fz.randn(3, generator=generator)
    before = generator.get_state()
    first = fz.rand(4, generator=generator)
    assert before.view(fz.int64).tolist() == [5, 1]  # a copy: drawing did not change it
    assert before.dtype is fz.uint8 and before.is_cpu  # as PyTorch's, which programs convert to a ByteTensor
    assert equal(first, fz.rand(4, generator=generator.set_state(before)))
    fz.set_rng_state(before)
    assert equal(first, fz.rand(4)) and fz.initial_seed() == 5
    for wrong in (fz.zeros(2), fz.tensor([1]), [1, 2]):
        with pytest.raises(ArgumentError, match="set_state: expected the tensor of a get_state"):
            generator.set_state(wrong)  # type: ignore[arg-type]


def test_seeding_keeps_the_state_tensor() -> None:
    """A recording finds the state by its identity."""
    generator = seeded(1)
    state = generator.state
    generator.manual_seed(2)
    generator.set_state(fz.tensor([3, 4]))
    assert generator.state is state and state.tolist() == [3, 4]


def test_fork_rng_leaves_no_trace() -> None:
    fz.manual_seed(11)
    expected = fz.rand(3)
    for raised in (False, True):
        fz.manual_seed(11)
        try:
            with fz.random.fork_rng():
                fz.randn(100)
                if raised:
                    raise KeyError
        except KeyError:
            pass
        assert equal(fz.rand(3), expected)
    fz.manual_seed(11)
    with fz.random.fork_rng(enabled=False):
        fz.rand(8)
    assert not equal(fz.rand(3), expected)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), fz.Generator.clone_state])
def test_a_copied_generator_goes_its_own_way(duplicate: Any) -> None:
    generator = seeded(3)
    fz.rand(5, generator=generator)
    other = duplicate(generator)
    assert other.initial_seed() == 3
    first = fz.rand(5, generator=other)
    assert equal(first, fz.rand(5, generator=generator))


# ----------------------------------------------------------------------------------------------------------------- functions


def test_shapes_dtypes_and_flags() -> None:
    assert fz.rand(2, 3).shape == fz.rand((2, 3)).shape == fz.rand([2, 3]).shape == fz.rand(fz.zeros(2, 3).shape).shape == (2, 3)
    assert fz.rand().shape == () and fz.randn(()).shape == ()
    assert fz.rand(2).dtype is fz.float32 and fz.rand(2, dtype=fz.float64).dtype is fz.float64
    assert fz.randn(3, dtype=fz.float16).dtype is fz.float16
    assert fz.randint(5, (2,)).dtype is fz.int64 and fz.randint(1, 5, (2,), dtype=fz.float32).dtype is fz.float32
    assert fz.randint(high=5, size=(2,)).shape == fz.randint(low=1, high=5, size=(2,)).shape == (2,)
    assert fz.randperm(3, dtype=fz.int32).dtype is fz.int32 and fz.randperm(0).shape == (0,)
    assert fz.rand(2, requires_grad=True).requires_grad and not fz.randn(2).requires_grad
    x = fz.zeros(2, 3, dtype=fz.float64)
    assert fz.rand_like(x).dtype is fz.randn_like(x).dtype is fz.float64 and fz.randint_like(x, 5).dtype is fz.float64
    assert fz.rand_like(x, dtype=fz.float32).dtype is fz.float32 and fz.randint_like(x, 2, 5).shape == (2, 3)
    out = fz.zeros(4)
    assert fz.rand(4, out=out) is out and bool((out > 0).all())
    fz.set_default_dtype(fz.float64)
    try:
        assert fz.rand(1).dtype is fz.randn(1).dtype is fz.float64
    finally:
        fz.set_default_dtype(fz.float32)


def test_integers_cover_their_range() -> None:
    drawn = fz.randint(-3, 3, (1000,), generator=seeded())
    assert sorted(set(drawn.tolist())) == [-3, -2, -1, 0, 1, 2]
    wide = fz.randint(-(2**62), 2**62 - 1, (1000,), generator=seeded())
    assert wide.min().item() < -(2**61) and wide.max().item() > 2**61
    with pytest.raises(ArgumentError, match="randint: expected low < high within int64, given low=3 and high=3"):
        fz.randint(3, 3, (1,))
    with pytest.raises(ArgumentError, match="holds more than 2\\*\\*63 - 1 integers"):
        fz.randint(-(2**63), 2**63 - 1, (1,))
    with pytest.raises(ArgumentError, match="randint: expected \\(high, size\\) or"):
        fz.randint(3)


def test_permutations_are_permutations() -> None:
    for n in (0, 1, 2, 17, 1000):
        assert sorted(fz.randperm(n, generator=seeded(n)).tolist()) == list(range(n))


def test_equal_keys_of_a_permutation_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from frazil.backends.numpy import random as kernels

    keys = np.repeat([5, 3], 40)
    monkeypatch.setattr(kernels, "random_int63", lambda state, *, shape: keys)
    assert kernels.random_permutation(np.array([0, 0]), n=80).tolist() == [*range(40, 80), *range(40)]


def test_fillers_write_into_the_tensor_and_its_base() -> None:
    base = fz.zeros(4, 3)
    row = base[1]
    assert row.uniform_(1, 2) is row
    assert bool((base[1] >= 1).all()) and bool((base[0] == 0).all())
    version = base._version
    base.normal_()
    assert base._version > version
    x = fz.zeros(100)
    assert bool(((x.uniform_(-1.0, to=-0.5) >= -1) & (x < -0.5)).all())
    assert set(x.bernoulli_(0.5).tolist()) == {0.0, 1.0}
    assert set(x.random_(3).tolist()) == {0.0, 1.0, 2.0} and set(x.random_(2, 4).tolist()) == {2.0, 3.0}
    assert bool((x.exponential_() > -1e-9).all()) and bool((x.log_normal_() > 0).all()) and bool((x.geometric_(0.5) >= 1).all())
    whole = fz.zeros(100, dtype=fz.int8).random_()
    assert whole.min().item() >= 0 and whole.max().item() > 100
    assert set(fz.zeros(50, dtype=fz.bool).random_().tolist()) == {True, False}
    assert set(fz.zeros(50, dtype=fz.int64).bernoulli_(0.3).tolist()) == {0, 1}
    assert equal(fz.empty(3).normal_(2.0, 3.0, generator=seeded(1)), fz.randn(3, generator=seeded(1)) * 3.0 + 2.0)


def test_a_leaf_that_requires_grad_is_not_filled_while_gradients_are_recorded() -> None:
    x = fz.zeros(3, requires_grad=True)
    with pytest.raises(AutogradError, match="uniform_"):
        x.uniform_()
    with fz.no_grad():
        x.uniform_(1, 2)
    assert x.requires_grad and x.min().item() >= 1


def test_normal_takes_numbers_and_tensors() -> None:
    g = seeded
    unit = fz.randn(3, generator=g())
    mean, std = fz.tensor([1.0, 2.0, 3.0]), fz.tensor([0.1, 0.2, 0.3])
    assert equal(fz.normal(mean, std, generator=g()), unit * std + mean)
    assert equal(fz.normal(mean, 2.0, generator=g()), unit * 2.0 + mean)
    assert equal(fz.normal(0.0, std, generator=g()), unit * std)
    assert equal(fz.normal(1.0, 2.0, (3,), generator=g()), unit * 2.0 + 1.0)
    assert fz.normal(fz.zeros(2, 1), fz.ones(3)).shape == (2, 3)
    assert not fz.normal(mean.requires_grad_(), std).requires_grad
    with pytest.raises(ArgumentError, match="normal: std must not be negative"):
        fz.normal(0.0, -1.0, (2,))


def test_multinomial_draws_indices() -> None:
    weights = fz.tensor([[0.0, 1.0, 3.0, 0.0], [2.0, 2.0, 0.0, 1.0]])
    with_replacement = fz.multinomial(weights, 500, replacement=True, generator=seeded())
    assert with_replacement.dtype is fz.int64 and with_replacement.shape == (2, 500)
    assert set(with_replacement[0].tolist()) == {1, 2} and set(with_replacement[1].tolist()) == {0, 1, 3}
    assert sorted(fz.multinomial(fz.ones(5), 5).tolist()) == [0, 1, 2, 3, 4]
    assert set(fz.multinomial(weights, 2)[0].tolist()) == {1, 2}
    for call, message in (
        (lambda: fz.multinomial(fz.ones(3), 4), "cannot draw 4 samples from 3 without replacement"),
        (lambda: fz.multinomial(weights, 3), "every row needs at least 3 weights above 0"),
        (lambda: fz.multinomial(fz.tensor([1.0, -1.0]), 1), "finite and not negative"),
        (lambda: fz.multinomial(fz.tensor([1.0, float("nan")]), 1), "finite and not negative"),
        (lambda: fz.multinomial(fz.zeros(3), 1, True), "every row needs at least 1 weights above 0"),
        (lambda: fz.multinomial(fz.ones(3), 0), "cannot draw 0 samples"),
    ):
        with pytest.raises(ArgumentError, match=f"multinomial: .*{message}"):
            call()
    with pytest.raises(ShapeError, match="multinomial: weights must have 1 or 2 dimensions"):
        fz.multinomial(fz.ones(1, 2, 3), 1)


def test_mistakes_are_named() -> None:
    for call, error, message in (
        (lambda: fz.rand(2, dtype=fz.int64), DTypeError, "rand: the result must have a floating dtype, asked for int64"),
        (lambda: fz.rand(-1), ShapeError, "rand: sizes are not negative"),
        (lambda: fz.randn(2.5), ArgumentError, "randn: sizes are integers"),
        (
            lambda: fz.bernoulli(fz.tensor([0.5, 1.5])),
            ArgumentError,
            "bernoulli: probabilities lie between 0 and 1, given 0.5 to 1.5",
        ),
        (lambda: fz.bernoulli(fz.tensor([1])), DTypeError, "bernoulli: probabilities must be floating"),
        (lambda: fz.zeros(2).bernoulli_(2.0), ArgumentError, "bernoulli_: p is a probability, given 2.0"),
        (lambda: fz.zeros(2).uniform_(1, 0), ArgumentError, "uniform_: expected from <= to, given 1 and 0"),
        (lambda: fz.zeros(2, dtype=fz.int64).normal_(), DTypeError, "normal_: the result must have a floating dtype"),
        (lambda: fz.zeros(2).exponential_(0.0), ArgumentError, "exponential_: lambd must be positive"),
        (lambda: fz.dropout(fz.ones(2), 1.5), ArgumentError, "dropout: p is a probability, given 1.5"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_dropout_keeps_the_mean_and_passes_the_gradient_of_what_it_keeps() -> None:
    x = fz.ones(1000, requires_grad=True)
    y = fz.dropout(x, 0.25, generator=seeded())
    assert set(np.unique(y.detach().numpy())) == {np.float32(0), np.float32(1 / 0.75)} and abs(y.mean().item() - 1) < 0.05
    y.sum().backward()
    assert x.grad is not None and equal(x.grad, y.detach())
    assert fz.dropout(x, 0.5, train=False) is x
    assert fz.dropout(x, 1.0).sum().item() == 0


@pytest.mark.parity
def test_functions_take_what_pytorchs_take() -> None:
    """The keyword arguments of PyTorch's documented signatures (the first line of its docstrings)."""
    import torch

    names = "rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal".split()
    for name in names:
        signature = next(line for line in (getattr(torch, name).__doc__ or "").splitlines() if line.startswith(f"{name}("))
        keywords = set(re.findall(r"(\w+)[=:]", signature)) - {"Tensor", "Optional"}
        missing = keywords - set(inspect.signature(getattr(fz, name)).parameters)
        assert "generator" in keywords and not missing, (name, missing)
