"""The stream of random words: what it is, that it can be entered anywhere, and that all ways to it agree."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.numpy import random as kernels
from frazil.backends.numpy import threads
from frazil.ops.random import int63_words, normal_words, uniform_words
from frazil.table import OPS

SEEDS = [0, 1, -3, 2**40 + 5, 2**63 - 1, -(2**63)]
COUNTERS = [0, 6, 2**32 - 1, 2**40]
MASK = 2**64 - 1


def philox(seed: int, counter: int) -> list[int]:
    """A block of Philox4x64-10 from its definition, as eight words of 32 bits."""
    x = [counter + 1 & MASK, 0, 0, 0]
    key = [seed & MASK, 0]
    for _ in range(10):
        a, b = x[0] * 0xD2E7470EE14C6C93, x[2] * 0xCA5A826395121157
        x = [b >> 64 ^ x[1] ^ key[0], b & MASK, a >> 64 ^ x[3] ^ key[1], a & MASK]
        key = [key[0] + 0x9E3779B97F4A7C15 & MASK, key[1] + 0xBB67AE8584CAA73B & MASK]
    return [half for word in x for half in (word & 0xFFFFFFFF, word >> 32)]


def state(seed: int, counter: int) -> fz.Tensor:
    return fz.tensor([seed, counter])


def call(name: str, seed: int, counter: int, **attrs: Any) -> np.ndarray:
    return OPS[name].call(state(seed, counter), **attrs).numpy()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("counter", COUNTERS)
def test_words_are_those_of_the_definition(seed: int, counter: int) -> None:
    expected = [word for i in range(3) for word in philox(seed, counter + i)]
    for n in (0, 1, 7, 8, 9, 21, 24):
        bits = call("random_bits", seed, counter, n=n)
        assert bits.dtype == np.int64 and bits.tolist() == expected[:n]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("counter", COUNTERS)
def test_uniform_numbers_are_those_of_numpys_generator(seed: int, counter: int) -> None:
    for dtype in (fz.float32, fz.float64):
        bit_generator = np.random.Philox(
            key=np.array([seed & MASK, 0], np.uint64), counter=np.array([counter, 0, 0, 0], np.uint64)
        )
        expected = np.random.Generator(bit_generator).random(1001, dtype=dtype.name)  # type: ignore[arg-type]
        np.testing.assert_array_equal(call("random_uniform", seed, counter, shape=(7, 143), dtype=dtype).reshape(-1), expected)


@pytest.mark.parametrize("dtype", [fz.float16, fz.float32, fz.float64], ids=str)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 9, 8 * kernels.CHUNK - 1, 8 * kernels.CHUNK + 3])
def test_kernels_give_what_the_bodies_give(n: int, dtype: fz.dtype) -> None:
    """The bodies are what other backends and the exporter follow."""
    for name, attrs in (
        ("random_uniform", {"shape": (n,), "dtype": dtype}),
        ("random_normal", {"shape": (n,), "dtype": dtype}),
        ("random_int63", {"shape": (n,)}),
        ("random_permutation", {"n": n}),
    ):
        given = call(name, 12, 34, **attrs)
        body = OPS[name].body
        assert body is not None
        expected = body(state(12, 34), **attrs).numpy()
        assert given.dtype == expected.dtype
        np.testing.assert_array_equal(given, expected, err_msg=name)


def test_work_split_over_threads_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 300_001
    calls = {
        "random_bits": {"n": n},
        "random_uniform": {"shape": (n,), "dtype": fz.float32},
        "random_normal": {"shape": (n,), "dtype": fz.float64},
    }
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda count: None)
    results = []
    for count in (1, 3):
        monkeypatch.setattr(threads.one_blas_thread, "_get", lambda count=count: count)
        results.append({name: call(name, 5, 6, **attrs) for name, attrs in calls.items()})
    for name in calls:
        np.testing.assert_array_equal(results[0][name], results[1][name])


def test_uniform_numbers_never_reach_one() -> None:
    largest = np.array([2**64 - 1], np.uint64)
    for convert, dtype, bits in (
        (kernels._uniform16, np.float16, 11),
        (kernels._uniform32, np.float32, 24),
        (kernels._uniform64, np.float64, 53),
    ):
        out = np.empty(1, dtype)
        convert(largest.copy(), out)
        assert out[0] == 1 - 2.0**-bits


def test_extreme_words_give_finite_normal_numbers() -> None:
    """Also where a logarithm of 0 or a cosine of a right angle would be."""
    for convert, dtype in ((kernels._normal32, np.float32), (kernels._normal64, np.float64)):
        for word in (0, 2**64 - 1, 2**62, 2**63, 2**63 + 2**62):
            out = np.empty(2, dtype)
            convert(np.full(2, word, np.uint64), out)
            assert np.isfinite(out).all() and (out != 0).all()


# ------------------------------------------------------------------------------------------------------------------- generator


def test_a_draw_takes_whole_blocks_in_order() -> None:
    """Drawing 10 and then 6 gives the first words of blocks 0-1 and of block 2."""
    generator = fz.Generator().manual_seed(9)
    first, second = fz.rand(10, generator=generator), fz.rand(6, generator=generator)
    words = np.array([word for i in range(3) for word in philox(9, i)])
    np.testing.assert_array_equal(first.numpy(), ((words[:10] >> 8) * 2.0**-24).astype(np.float32))
    np.testing.assert_array_equal(second.numpy(), ((words[16:22] >> 8) * 2.0**-24).astype(np.float32))
    assert generator.state.tolist() == [9, 3]


def test_the_stream_can_be_entered_anywhere() -> None:
    everything = fz.rand(800, generator=fz.Generator().manual_seed(3))
    later = fz.Generator().set_state(fz.tensor([3, 60]))
    np.testing.assert_array_equal(fz.rand(320, generator=later).numpy(), everything[480:].numpy())


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda g: fz.rand(3, 5, generator=g), uniform_words(15, fz.float32)),
        (lambda g: fz.rand(15, dtype=fz.float64, generator=g), uniform_words(15, fz.float64)),
        (lambda g: fz.rand(0, generator=g), 0),
        (lambda g: fz.randn(15, generator=g), normal_words(15, fz.float32)),
        (lambda g: fz.randn(15, dtype=fz.float64, generator=g), normal_words(15, fz.float64)),
        (lambda g: fz.randint(0, 9, (15,), generator=g), int63_words(15)),
        (lambda g: fz.randperm(15, generator=g), int63_words(15)),
        (lambda g: fz.bernoulli(fz.full((15,), 0.5), generator=g), 15),
        (lambda g: fz.empty(15).exponential_(generator=g), 15),
    ],
)
def test_the_counter_moves_by_the_blocks_drawn(draw: Any, words: int) -> None:
    generator = fz.Generator().manual_seed(1)
    draw(generator)
    assert generator.state.tolist() == [1, -(-words // 8)]


def test_threads_that_share_a_generator_never_draw_the_same_block() -> None:
    generator = fz.Generator().manual_seed(4)
    drawn: list[np.ndarray] = []

    def work() -> None:
        for _ in range(50):
            drawn.append(fz.rand(8, generator=generator).numpy())

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    alone = fz.rand(200, 8, generator=fz.Generator().manual_seed(4)).numpy()
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, alone))
