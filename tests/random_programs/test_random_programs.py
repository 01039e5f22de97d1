"""A hundred programs that nobody wrote. `python -m tests.random_programs` runs as many as wanted and reduces what fails."""

from __future__ import annotations

import concurrent.futures

import pytest

from .generator import EXAMPLE, Program, Statement, generate
from .ways import SIZES, Check, differs, eager

#: Programs of one test: enough to make the overhead of a test small, few enough to find the failing one quickly.
EACH = 10


def check(seeds: range, ways: list[str], *, gradient: bool = False, wide: bool = False) -> None:
    agreed = 0
    for seed in seeds:
        program = generate(seed, gradient=gradient, wide=wide)
        found = Check(program, ways)
        assert not found.faults, f"seed {seed}: {found.faults[0]}\n{program.text.partition('def forward')[2]}"
        agreed += any(outcome.kind == "agree" for outcome in found.outcomes)
    assert agreed >= len(seeds) // 2, "most programs must be compared, not refused"


@pytest.mark.parametrize("first", range(0, 80, EACH))
def test_a_recording_and_its_file_compute_what_the_program_computes(first: int) -> None:
    check(range(first, first + EACH), ["replay", "file"])


@pytest.mark.parametrize("first", range(0, 40, EACH))
def test_gradients_are_recorded_and_exported(first: int) -> None:
    check(range(first, first + EACH), ["replay", "file"], gradient=True)


@pytest.mark.parametrize("gradient", [False, True])
def test_wide_programs_are_recorded_and_exported(gradient: bool) -> None:
    check(range(EACH), ["replay", "file"], gradient=gradient, wide=True)


@pytest.mark.parity
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("first", range(0, 40, EACH))
def test_wide_programs_compute_what_they_compute_in_pytorch(first: int, gradient: bool) -> None:
    check(range(first, first + EACH), ["torch"], gradient=gradient, wide=True)


@pytest.mark.parity
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("first", range(0, 100, EACH))
def test_programs_compute_what_they_compute_in_pytorch(first: int, gradient: bool) -> None:
    check(range(first, first + EACH), ["torch"], gradient=gradient)


@pytest.mark.slow
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("first", range(1000, 1400, EACH))
def test_more_of_them(first: int, gradient: bool) -> None:
    check(range(first, first + EACH), ["replay", "file", "threads"], gradient=gradient)


@pytest.mark.slow
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("first", range(1000, 1100, EACH))
def test_more_wide_ones(first: int, gradient: bool) -> None:
    check(range(first, first + EACH), ["replay", "file", "threads"], gradient=gradient, wide=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "gradient"), [*((n, False) for n in range(3000, 3200, EACH)), *((n, True) for n in range(3000, 3100, EACH))]
)
def test_programs_compiled_compute_what_they_compute_eagerly(first: int, gradient: bool) -> None:
    check(range(first, first + EACH), ["compiled_numpy", "compiled_onnxruntime"], gradient=gradient)


def test_rounding_excuses_only_results_that_it_changes() -> None:
    """The least of numbers near -1, whose tanh is the same to the last digit of float32, or nearly."""
    lines = ["v1 = x.pow(3).tanh()", "v2 = v1.argmin(-1)", "v3 = v1 * 2"]
    check = Check(Program(900933, [Statement(line) for line in lines], ["v2", "v3"]), [])
    at = SIZES.index({"b": 5, "t": 9})
    assert check._moved_by_rounding(at, "float32") == {0}
    assert check._moved_by_rounding(at, "float64") == set()
    places, values, *rest = check.expected[at]
    check._judge("file", at, [1 - places, values, *rest], check.expected[at])
    check._judge("file", at, [places, values * 1.01, *rest], check.expected[at])
    check._judge("file", at, [1 - places, values * 1.01, *rest], check.expected[at])
    check._judge("torch", at, [1 - places, values, *rest], check.expected[at], 1e-7, "float64")
    assert [outcome.kind for outcome in check.outcomes] == ["agree", "unstable", "disagree", "disagree", "disagree"]


def test_rounding_excuses_hardly_any_program() -> None:
    moved = 0
    for seed in range(20):
        check = Check(generate(seed), [])
        moved += any(check._moved_by_rounding(i, "float32") for i in check.expected)
    assert moved <= 1


@pytest.mark.parametrize("gradient", [False, True])
def test_programs_in_four_threads_compute_what_they_compute_alone(gradient: bool) -> None:
    programs = [generate(seed, gradient=gradient) for seed in range(2000, 2020)]

    def results(index: int) -> object:
        try:
            return eager(programs[index], EXAMPLE)
        except Exception as error:  # the same in both runs
            return type(error)

    alone = [results(i) for i in range(len(programs))]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(results, range(len(programs))))
    for index, (a, b) in enumerate(zip(together, alone, strict=True)):
        same = a is b if isinstance(a, type) else differs(a, b, 0.0) is None
        assert same, f"seed {programs[index].seed}: {programs[index].text.partition('def forward')[2]}"
