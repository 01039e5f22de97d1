"""`utils.benchmark`: the figures and texts of measurements are PyTorch's; a clock of one's own makes times that are known."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
pytestmark = pytest.mark.parity

OURS = importlib.import_module("frazil.utils.benchmark")
THEIRS = importlib.import_module("torch.utils.benchmark")

TIMES = {
    "one": [3.2e-5],
    "few": [1.0e-3, 1.2e-3, 1.1e-3],
    "steady": [2.0e-6, 2.001e-6, 2.002e-6, 1.999e-6, 2.0e-6],
    "wide": [1e-3, 2e-3, 3e-3, 4e-3, 9e-3],
    "spread": [1.0, 1.05, 1.1, 1.15, 1.2, 1.3],
    "slow": [12.0, 12.5, 11.0, 30.0],
    "nano": [5e-8] * 4,
}


def measured(library: Any, times: list[float], number: int = 10, **labels: Any) -> Any:
    task = library.TaskSpec(stmt="f(x)", setup="pass", **labels)
    return library.Measurement(number_per_run=number, raw_times=[t * number for t in times], task_spec=task)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    "labels", [{}, {"label": "sum", "sub_label": "n=3", "description": "fast", "num_threads": 2}], ids=["plain", "named"]
)
def test_figures_and_text(name: str, labels: dict[str, Any]) -> None:
    ours, theirs = (measured(library, TIMES[name], **labels) for library in (OURS, THEIRS))
    for figure in ("median", "mean", "iqr", "significant_figures", "has_warnings", "title", "as_row_name", "num_threads", "stmt"):
        assert (
            getattr(ours, figure) == pytest.approx(getattr(theirs, figure)) if figure != "title" else ours.title == theirs.title
        )
    assert repr(ours).splitlines()[1:] == repr(theirs).splitlines()[1:]
    with pytest.raises(AttributeError):
        ours.no_such


def test_merging() -> None:
    for library in (OURS, THEIRS):
        parts = [measured(library, [1.0, 2.0], n, sub_label=label) for n, label in ((1, "a"), (4, "b"), (2, "a"))]
        a, b = library.Measurement.merge(parts)
        assert (a.times, a.number_per_run, b.times) == ([1.0, 2.0, 1.0, 2.0], 1, [1.0, 2.0])


CASES = [
    ("steady", {"label": "sum", "sub_label": "n=1", "description": "op"}),
    ("few", {"label": "sum", "sub_label": "n=1", "description": "a loop"}),
    ("wide", {"label": "sum", "sub_label": "n=1000", "description": "op"}),
    ("spread", {"label": "sum", "sub_label": "n=1000", "description": "a loop"}),
    ("one", {"label": "sum", "sub_label": "n=1", "description": "op", "num_threads": 4}),
    ("nano", {"label": "product", "sub_label": "n=1", "description": "op"}),
    ("steady", {"label": "product", "sub_label": "another", "description": "op"}),
]


#: Of several versions of a program.
ENVIRONMENTS = [(name, labels | {"env": env}) for env in ("before", "after") for name, labels in CASES]


@pytest.mark.parametrize("cases", [CASES, ENVIRONMENTS], ids=["one", "environments"])
@pytest.mark.parametrize("change", ["", "trim_significant_figures", "highlight_warnings"])
def test_tables(change: str, cases: Any) -> None:
    texts = []
    for library in (OURS, THEIRS):
        table = library.Compare([measured(library, TIMES[name], **labels) for name, labels in cases])
        if change:
            getattr(table, change)()
        texts.append([line.rstrip() for line in str(table).rstrip().splitlines()])
    assert texts[0] == texts[1]


def test_units() -> None:
    for t in (3e-10, 5e-9, 1e-6, 9.9e-4, 1e-3, 0.5, 1.0, 70.0):
        assert OURS.select_unit(t) == THEIRS.select_unit(t)
    assert [OURS.trim_sigfig(x, n) for x, n in ((3.14159, 2), (123456.0, 3), (0.00123, 1))] == pytest.approx(
        [3.1, 123000.0, 0.001]
    )
    assert OURS.unit_to_english("us") == THEIRS.unit_to_english("us")


class Clock:
    """A clock that goes on by what the statement asks for."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


def test_what_is_measured_is_the_statement() -> None:
    for library in (OURS, THEIRS):
        clock = Clock()
        options = {"globals": {"clock": clock}, "timer": clock, "setup": "clock.spend(100)", "label": "x"}
        timer = library.Timer("clock.spend(0.25)", **options)
        once = timer.timeit(8)
        assert (once.number_per_run, once.times) == (8, [0.25])
        seen: list[Any] = []
        several = timer.blocked_autorange(lambda n, t, seen=seen: seen.append((n, t)), min_run_time=2.0)
        assert several.median == 0.25 and sum(several.raw_times) >= 2.0
        assert seen == [(several.number_per_run, t) for t in several.raw_times]
        adaptive = timer.adaptive_autorange(min_run_time=0.5, max_run_time=50.0)
        assert adaptive.median == 0.25 and len(adaptive.times) >= 4
        with pytest.raises(NotImplementedError):
            timer.autorange()


def test_statements_of_several_lines() -> None:
    for library in (OURS, THEIRS):
        seen: list[int] = []
        library.Timer(
            """
            for i in range(2):
                seen.append(i)
        """,
            globals={"seen": seen},
        ).timeit(1)
        assert seen[:4] == [0, 1, 0, 1]


def test_devices_are_waited_for_and_mistakes_told() -> None:
    assert OURS.timer() <= OURS.timer()
    assert OURS.Timer("x @ x", globals={"x": fz.ones(3, 3)}).blocked_autorange(min_run_time=0.001).median > 0
    with pytest.raises(fz.errors.ArgumentError, match="Timer: statements are Python"):
        OURS.Timer("x", language="c++")
    with pytest.raises(fz.errors.ArgumentError, match=r"stmt is a text, given a function.*globals"):
        OURS.Timer(lambda: None)
    with pytest.raises(NotImplementedError, match="does not count instructions"):
        OURS.Timer("x").collect_callgrind()
    with pytest.raises(ValueError, match="Expected an instance of `Measurement`"):
        OURS.Compare([1])
