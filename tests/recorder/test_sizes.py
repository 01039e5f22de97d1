"""Symbolic sizes: the normal form is exact, decisions are sound, nothing becomes a number unnoticed."""

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import sizes
from frazil.errors import RecordError, ShapeError
from frazil.sizes import (
    Symbol,
    SymBool,
    SymFloat,
    SymInt,
    bounds,
    broadcast_shapes,
    compare,
    decide,
    evaluate,
    is_static,
    prod,
    same,
    size_max,
    size_min,
    substitute,
    unmatched,
    wrapped,
)


class Recorder:
    """A recording that only notes what it is told."""

    joined = None

    def __init__(self):
        self.guards = []

    def guard(self, condition):
        if condition.hint is not None:
            self.guards.append((condition.describe(), condition.hint))
        return condition.hint

    def fail(self, message):
        raise RecordError(message)


@pytest.fixture
def recorder():
    recorder = Recorder()
    with sizes.recording(recorder):
        yield recorder


@pytest.fixture
def b():
    return Symbol("b", hint=2, text="x.shape[0]").size


@pytest.fixture
def t():
    return Symbol("t", hint=7, text="x.shape[1]").size


def test_equal_expressions_are_one_object(b, t):
    assert (b + 1) * t is t * b + t
    assert (b - t) + t is b
    assert hash(b + t) == hash(t + b)
    assert b - b == 0 and isinstance(b - b, int)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda b, t: (4 * b) // 4, lambda b, t: b),
        (lambda b, t: (b * 12) % 4, lambda b, t: 0),
        (lambda b, t: (b + 2 - 3) // 1 + 1, lambda b, t: b),
        (lambda b, t: (b * t * 3) // b, lambda b, t: 3 * t),
        (lambda b, t: (b * (t + 1) * 8) // ((t + 1) * 8), lambda b, t: b),
        (lambda b, t: (b * t) % t, lambda b, t: 0),
        (lambda b, t: (b // 2) // 3, lambda b, t: b // 6),
        (lambda b, t: (2 * b + 1) // 2, lambda b, t: b),
        (lambda b, t: (6 * b) // 4, lambda b, t: b + b // 2),
        (lambda b, t: b % 1, lambda b, t: 0),
        (lambda b, t: (b % 4) // 4, lambda b, t: 0),
        (lambda b, t: size_max(b - 1, 0) + size_min(b, 1), lambda b, t: b),
        (lambda b, t: size_min(b, t) + size_max(b, t), lambda b, t: b + t),
        (lambda b, t: size_min(b, b + 3), lambda b, t: b),
        (lambda b, t: size_max(b, 0), lambda b, t: b),
        (lambda b, t: abs(b), lambda b, t: b),
        (lambda b, t: math.ceil(b / 2), lambda b, t: -(-b // 2)),
        (lambda b, t: math.floor(b / 2), lambda b, t: b // 2),
        (lambda b, t: b**2 - b * b, lambda b, t: 0),
        (lambda b, t: prod([b, 3, t]), lambda b, t: 3 * (t * b)),
    ],
)
def test_exact_simplification(expression, expected, b, t):
    assert same(expression(b, t), expected(b, t))


def test_random_expressions_agree_with_python_and_stay_in_their_bounds():
    """The normal form of an expression has the value that Python computes, for every value of the symbols."""
    rng = random.Random(0)
    symbols = [Symbol(name) for name in "abc"]
    operations = ["+", "-", "*", "//", "%", "min", "max"]

    def build(depth):
        if depth == 0:
            pick = rng.randrange(5)
            if pick < 3:
                return symbols[pick].size, lambda env, pick=pick: env[pick]
            constant = rng.randint(-3, 5)
            return constant, lambda env: constant
        operation = rng.choice(operations)
        (x, fx), (y, fy) = build(depth - 1), build(depth - 1)
        if operation in ("//", "%"):
            divisor = rng.choice([1, 2, 3, 4, 6, -2])
            return (x // divisor, lambda e: fx(e) // divisor) if operation == "//" else (x % divisor, lambda e: fx(e) % divisor)
        if operation in ("min", "max"):
            symbolic, plain = (size_min, min) if operation == "min" else (size_max, max)
            return symbolic(x, y), lambda e: plain(fx(e), fy(e))
        apply = {"+": lambda p, q: p + q, "-": lambda p, q: p - q, "*": lambda p, q: p * q}[operation]
        return apply(x, y), lambda e: apply(fx(e), fy(e))

    for _ in range(400):
        expression, reference = build(rng.randint(1, 4))
        low, high = bounds(expression)
        for _ in range(5):
            numbers = [rng.choice([0, 1, 2, 3, 7, 12]) for _ in symbols]
            value = evaluate(expression, dict(zip(symbols, numbers, strict=True)))
            assert value == reference(numbers), (expression, numbers)
            assert (low is None or low <= value) and (high is None or value <= high), (expression, numbers, low, high)


def test_divisions_by_sizes_agree_with_python():
    rng = random.Random(1)
    symbols = [Symbol(name, minimum=1) for name in "abc"]

    def product(names):
        factor = rng.randint(1, 6)
        return lambda values: factor * math.prod([values[i] for i in names])

    for _ in range(300):
        shared = rng.choices(range(3), k=rng.randint(0, 2))
        top = [product([*shared, *rng.choices(range(3), k=rng.randint(0, 2))]) for _ in range(rng.randint(1, 2))]
        bottom = product([*shared, *rng.choices(range(3), k=rng.randint(0, 1))])
        values = [rng.randint(1, 9) for _ in symbols]
        expressions = [s.size for s in symbols]
        for apply in (lambda x, y: x // y, lambda x, y: x % y):
            found = apply(sum(f(expressions) for f in top), bottom(expressions))
            assert evaluate(found, dict(zip(symbols, values, strict=True))) == apply(sum(f(values) for f in top), bottom(values))


def test_rounding_agrees_with_python():
    n = Symbol("n")
    whole = [math.floor, math.ceil, math.trunc, round]
    numbers = [
        n.size / 2,
        n.size / 3,
        n.size * 0.5,
        n.size * 1.5 - 2,
        0.25 * n.size,
        (n.size - 7) / 4,
        -n.size / 2,
        3 - n.size * 0.5,
    ]
    for function in whole:
        for number in numbers:
            rounded = function(number)
            for value in range(20):
                assert evaluate(rounded, {n: value}) == function(evaluate(number, {n: value})), (function, number, value)


def test_positions_agree_with_slices():
    n, k = Symbol("n"), Symbol("k")
    items = list(range(11))
    for position in (-k.size, k.size - 3, 1 - k.size, n.size - k.size, k.size - n.size, k.size // 2):
        start = size_min(size_max(wrapped(position, n.size), 0), n.size)
        for length, value in itertools.product(range(len(items)), range(12)):
            numbers = {n: length, k: value}
            assert items[:length][evaluate(start, numbers) :] == items[:length][evaluate(position, numbers) :], (
                position,
                numbers,
            )


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (lambda b, t: t == 4 * (t // 4), "x.shape[1] % 4 == 0"),
        (lambda b, t: t - t // 2 == t // 2, "x.shape[1] % 2 == 0"),
        (lambda b, t: t == size_min(t, b), "x.shape[0] >= x.shape[1]"),
        (lambda b, t: size_min(t, 1) == 1, "x.shape[1] >= 1"),
        (lambda b, t: size_max(t - 3, 0) != 0, "x.shape[1] > 3"),
    ],
)
def test_equations_read_as_a_reader_would_write_them(condition, text, b, t):
    assert condition(b, t).describe() == text


@pytest.mark.parametrize(
    ("known", "asked", "answer"),
    [
        (lambda b, t: t % 4 == 0, lambda b, t: 2 * (t // 4) == t // 2, True),
        (lambda b, t: t % 4 == 0, lambda b, t: t % 2 == 0, True),
        (lambda b, t: t % 2 == 0, lambda b, t: t % 4 == 0, None),
        (lambda b, t: t % 2 == 0, lambda b, t: t == 2 * (t // 2) + 1, False),
    ],
)
def test_multiples_are_facts(known, asked, answer, b, t):
    condition = asked(b, t)
    assert (condition if isinstance(condition, bool) else decide(condition, [known(b, t)])) is answer


@pytest.mark.parametrize(
    ("before", "after", "rest"),
    [
        (lambda b, t: (b, t, 12), lambda b, t: (b * t, 3, 4), lambda b, t: ([], [])),
        (lambda b, t: (b, t, 8), lambda b, t: (t, b, 2, 4), lambda b, t: ([b, t], [t, b])),
        (lambda b, t: (b, t), lambda b, t: (b, 2, t // 2), lambda b, t: ([t], [2, t // 2])),
        (lambda b, t: (b, t + t % 2), lambda b, t: (b, 2, (t + t % 2) // 2), lambda b, t: ([], [])),
    ],
)
def test_dimensions_that_surely_hold_equally_many(before, after, rest, b, t):
    found = unmatched(before(b, t), after(b, t))
    assert all(same(x, y) for x, y in zip(found, rest(b, t), strict=True))


def test_looking_a_size_up_pins_it(recorder, b):
    assert {2: "two", 3: "three"}[b] == "two"
    assert b in {2, 4}
    assert recorder.guards[0] == ("x.shape[0] == 2", True)


def test_a_size_in_a_text_is_its_name(recorder, b):
    assert f"{b} rows, {b:3d}, {b / 2:.1f}" == "b rows, b, b/2"
    assert recorder.guards == []


def test_what_holds_for_all_sizes_needs_no_recording(b, t):
    assert (b >= 0) is True
    assert (b == -1) is False
    assert (b + 1 > b) is True
    assert (b != 1 * b) is False
    assert (size_min(b, 5) <= b) is True
    assert (b - b // 2 >= 0) is True
    assert (b < float("inf")) is True
    assert (b == 2.5) is False
    assert (b == "b") is False


def test_a_decision_on_a_size_becomes_a_guard(recorder, b, t):
    assert b * 2 > 3
    assert b != t
    assert recorder.guards == [("2*x.shape[0] > 3", True), ("x.shape[0] != x.shape[1]", True)]


def test_using_a_size_as_a_number_pins_it(recorder, b):
    assert list(range(b)) == [0, 1]
    assert int(b + 1) == 3
    assert math.sqrt(b * 8) == 4.0
    assert recorder.guards == [("x.shape[0] == 2", True), ("x.shape[0] + 1 == 3", True), ("x.shape[0] == 2", True)]


def test_truth_of_a_size(recorder, b):
    assert b
    assert recorder.guards == [("x.shape[0] != 0", True)]


def test_data_dependent_sizes_are_refused_with_a_cure(recorder):
    unknown = Symbol("u0", text="nonzero(mask).shape[0]").size
    with pytest.raises(RecordError, match=r"decides on nonzero\(mask\).shape\[0\] > 3.*fz.jit.script"):
        bool(unknown > 3)
    with pytest.raises(RecordError, match="is not known while recording, but a number is needed"):
        range(unknown)
    assert (unknown >= 0) is True
    assert recorder.guards == []


def test_data_dependent_sizes_are_counted_per_recording(recorder):
    assert [str(sizes.unbacked("nonzero")) for _ in range(3)] == ["u0", "u1", "u2"]
    with sizes.recording(Recorder()):
        assert str(sizes.unbacked("nonzero")) == "u0"


def test_a_size_outside_of_its_recording_is_no_number(b):
    with pytest.raises(RecordError, match="outside of the recording"):
        int(b)


def test_facts_answer_later_questions(b, t):
    facts = [SymBool(">", b, 3), SymBool("!=", b, t)]
    assert decide(b >= 1, facts) is True
    assert decide(b == 2, facts) is False
    assert decide(t == b, facts) is False
    assert decide(b > 9, facts) is None
    assert decide(SymBool("==", t, 5), [*facts, SymBool("==", t + 2, 7)]) is True


def test_equations_are_used_in_later_questions(b, t):
    """Once t is 8, t // 4 is 2."""
    facts = [SymBool("==", t, 8)]
    assert decide(SymBool("==", 6 * b, 3 * b * (t // 4)), facts) is True
    assert decide(SymBool("==", b, t), facts) is None
    assert decide(SymBool(">", b, 7), [*facts, SymBool("==", b, t)]) is True


def test_limits_of_a_symbol_decide():
    n = Symbol("n", minimum=2, maximum=8).size
    assert (n > 1) is True
    assert (n * n <= 64) is True
    assert decide(SymBool(">", n, 5)) is None


def test_comparison_with_fractions(b):
    assert repr(b < 2.5) == "b < 3"
    assert repr(b >= 2.5) == "b >= 3"
    assert repr(b > 2.5) == "b > 2"
    assert repr(b <= 2.0) == "b <= 2"


def test_floats_of_sizes(recorder, b, t):
    scale = 1 / b
    assert isinstance(scale, SymFloat) and scale.hint == 0.5
    assert evaluate(3.0 * scale + t, {next(iter(b.symbols)): 4, next(iter(t.symbols)): 1}) == 1.75
    assert recorder.guards == []
    assert float(scale) == 0.5
    assert recorder.guards == [("x.shape[0] == 2", True)]
    assert bool(b / 4 < 1)
    assert recorder.guards[1:] == [("x.shape[0]/4 < 1", True)]


def test_printing(b, t):
    assert str(b) == "b"
    assert str(2 * b * t - 3) == "2*b*t - 3"
    assert str((b + 1) // 2) == "(b + 1)//2"
    assert str(size_min(b, 5)) == "min(b, 5)"
    assert str(size_max(b - 1, 0)) == "max(0, b - 1)"
    assert str((b + t) % 3 * b) == "b*((b + t) % 3)"
    assert (2 * b).describe() == "2*x.shape[0]"
    assert str(t**2) == "t**2"
    assert repr(compare(">", b, t)) == "b > t"


def test_broadcasting(recorder, b, t):
    assert broadcast_shapes((3, 1), (1, 4), (4,)) == (3, 4)
    assert same(broadcast_shapes((b, 1), (1, t)), (b, t))
    assert same(broadcast_shapes((b, t), (b, t)), (b, t))
    assert recorder.guards == []
    assert same(broadcast_shapes((b, t), (b, 7)), (b, 7))
    assert recorder.guards == [("x.shape[1] == 7", True)]


def test_a_dimension_that_stretched_is_pinned_to_one(recorder, t):
    one = Symbol("one", hint=1).size
    assert same(broadcast_shapes((one,), (t,)), (t,))
    assert recorder.guards == [("one == 1", True)]


def test_broadcasting_that_fails(recorder, b, t):
    with pytest.raises(
        ShapeError, match=r"size of tensor a \(3\) must match the size of tensor b \(4\) at non-singleton dimension 1"
    ):
        broadcast_shapes((2, 3), (4,))
    with pytest.raises(ShapeError, match=r"tensor a \(x.shape\[0\] = 2\) must match"):
        broadcast_shapes((b,), (t,))


def test_substitution_and_static(b, t):
    sb = next(iter(b.symbols))
    assert same(substitute((b + t, [b]), {sb: t}), (2 * t, [t]))
    assert is_static((1, (2, 3.0))) and not is_static((1, (b, 2)))
    with pytest.raises(KeyError):
        evaluate(b + t, {sb: 1})


def test_sizes_are_not_ints(b):
    assert not isinstance(b, int)
    assert isinstance(b, SymInt)


def test_division_by_zero(b):
    with pytest.raises(ZeroDivisionError):
        b // 0
    with pytest.raises(ZeroDivisionError):
        b % 0


def test_the_smaller_of_two_sizes_is_at_most_either(b):
    smaller = size_min(b, 64)
    assert bounds(smaller) == (0, 64)
    assert size_min(smaller, 64) is smaller
    assert size_max(smaller - 64, 0) == 0


def test_equations_are_told_as_a_reader_would_write_them(b, t):
    conditions = (2 * b - 2 * t == 0, 3 * b != 6, b + 1 - t == 0)
    assert [repr(condition) for condition in conditions] == ["b == t", "b != 2", "b + 1 == t"]
    assert (2 * b - 2 * t == 1) is False


@pytest.mark.parametrize("pool", ["adaptive_avg_pool2d", "adaptive_max_pool2d"])
def test_gradients_of_pools_to_a_grid_are_right_at_every_size(pool):
    def gradient(x):
        leaf = x.detach().requires_grad_()
        y = getattr(fz.nn.functional, pool)(leaf, (3, 2))
        return fz.autograd.grad((y * fz.arange(6.0).reshape(3, 2)).sum(), leaf)[0]

    recorded = fz.jit.trace(gradient, (fz.rand(2, 3, 7, 5),))
    for h, w in ((7, 5), (8, 8), (2, 9), (3, 2), (1, 1)):
        x = (fz.rand(2, 3, h, w) * 3).floor()  # several are the largest: the first has the gradient
        fz.testing.assert_close(recorded(x), gradient(x))


#: Python's arithmetic on a size n: what stays a size, and what pins the size to its number.
STAYS = [
    "n // 2.0", "n / 2 // 1.5", "n % 2.5", "(n / 2) % 2", "n / 4 % 1.5", "divmod(n / 2, 3)[0]", "divmod(n, 2.5)[1]", "7.5 // n",
    "7.5 % n", "abs(n / 2 - 3)", "+(n / 2)", "2.0 ** n", "2 ** (n / 4)", "n & 3", "3 & n", "n >> 1", "n << 1", "~n",
    "n.real + n.imag", "n.numerator / n.denominator", "n.conjugate()",
]  # fmt: skip
PINS = [
    "n * 0.1 // 0.3", "n * 0.1 % 0.3", "abs(n * 0.1 - 3)", "(n * 0.1).is_integer()", "2 ** n", "n & 5", "n | 1", "1 ^ n",
    "1 << n", "99 >> n", "n.bit_length()", "np.log2(n)", "np.log(n / 2)",
]  # fmt: skip
DECIDES = ["(n > 5) + 1", "2 - (n > 5)", "(n > 5) * 2.0", "(n > 5) & True", "(n > 5) ^ True", "(n / 2).is_integer()"]


@pytest.mark.parametrize("expression", [*STAYS, *PINS, *DECIDES])
def test_arithmetic_on_sizes_is_pythons_or_is_refused(expression: str) -> None:
    def program(x: Any) -> Any:
        return x * 0 + eval(expression, {"n": x.shape[0], "np": np})

    recorded = fz.jit.trace(program, (fz.ones(4),), dynamic_shapes={"x": {0: "n"}})
    taken = 0
    for n in (4, 5, 6, 11):
        x, expected = fz.ones(n), program(fz.ones(n))
        try:
            found = recorded(x)
        except RecordError:
            continue
        taken += 1
        assert found.dtype is expected.dtype
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)
    assert taken == 4 if expression in STAYS else 1 <= taken < 4
