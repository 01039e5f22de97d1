"""Times of statements, as `torch.utils.benchmark`: `Timer`, `Measurement`, and tables of them by `Compare`.

Devices are waited for before the clock is read, so what is measured is their work and not how fast it was handed to them.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import statistics
import time
import timeit as _timeit
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from ..device import in_use
from ..errors import ArgumentError
from ..spelling import tell_names as _tell_names
from ..tuning import get_num_threads, set_num_threads
from ..warn import without_effect

__all__ = ["Compare", "Language", "Measurement", "TaskSpec", "Timer", "ordered_unique", "select_unit", "timer", "trim_sigfig"]
__all__ += ["set_torch_threads", "unit_to_english"]

#: Shares of the median above which the spread between the quartiles is told of.
_WARN, _GROSS = 0.1, 0.25
#: What a figure can be trusted for at best.
_MOST_FIGURES, _LEAST_CONFIDENCE = 5, 25e-9
_UNITS = (("ns", 1e-9, "nanosecond"), ("us", 1e-6, "microsecond"), ("ms", 1e-3, "millisecond"), ("s", 1.0, "second"))


class Language(enum.Enum):
    """The languages of statements; here Python."""

    PYTHON = 0
    CPP = 1


def timer() -> float:
    """Return the time in seconds once all devices that are in use have done what they were asked for.

    >>> from frazil.utils.benchmark import timer
    >>> timer() <= timer()
    True
    """
    for device in in_use():
        if device.type != "cpu":
            device.backend.synchronize(device.number)
    return time.perf_counter()


@contextmanager
def set_torch_threads(n: int) -> Iterator[None]:
    """Let `fz.get_num_threads` say `n` in the body of the `with`; how many threads compute is decided when Python starts."""
    before = get_num_threads()
    try:
        set_num_threads(n)
        yield
    finally:
        set_num_threads(before)


def select_unit(t: float) -> tuple[str, float]:
    """Return the unit in which a time of `t` seconds is read well, and how many seconds it has.

    >>> from frazil.utils.benchmark import select_unit
    >>> select_unit(3e-5)
    ('us', 1e-06)
    """
    power = int(math.log10(t) // 3) if t > 0 else 0
    unit, scale, _ = _UNITS[power + 3 if -3 <= power < 0 else 3]
    return unit, scale


def unit_to_english(u: str) -> str:
    """Return the word for a unit: "us" is a microsecond."""
    return next(word for unit, _, word in _UNITS if unit == u)


def trim_sigfig(x: float, n: int) -> float:
    """Return `x` with `n` significant figures.

    >>> from frazil.utils.benchmark import trim_sigfig
    >>> trim_sigfig(3.14159, 2)
    3.1
    """
    return float(f"{x:.{n - 1}e}") if x else x


def ordered_unique(elements: Iterable[Any]) -> list[Any]:
    """Return each element once, in the order in which they came.

    >>> from frazil.utils.benchmark import ordered_unique
    >>> ordered_unique("banana")
    ['b', 'a', 'n']
    """
    return list(dict.fromkeys(elements))


@dataclasses.dataclass(init=True, repr=False, eq=True, frozen=True)
class TaskSpec:
    """The task that was measured: the statement, and the labels it goes by in tables."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The name above a measurement."""
        name = self.label or (self.stmt if "\n" not in self.stmt else f"stmt:\n{_indented(self.stmt)}")
        return f"{name}{': ' + self.sub_label if self.sub_label else ''}"

    def setup_str(self) -> str:
        """Return the setup as text, nothing where there is none."""
        if not self.setup or self.setup == "pass":
            return ""
        return f"setup:\n{_indented(self.setup)}" if "\n" in self.setup else f"setup: {self.setup}"

    def summarize(self) -> str:
        """Return the title, the description and the setup, in lines."""
        return "\n".join(part for part in (self.title, self.description or "", self.setup_str()) if part)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


@dataclasses.dataclass(init=True, repr=False)
class Measurement:
    """The times of a statement. `times` are seconds per run; of them `median`, `mean` and `iqr`, between the quartiles.

    What its `task_spec` has, it has as well: `label`, `stmt`, `num_threads`.
    """

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in TaskSpec.__dataclass_fields__:
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute {name!r}")

    @property
    def times(self) -> list[float]:
        """The seconds per run of each block of runs."""
        return [t / self.number_per_run for t in self.raw_times]

    def _quantile(self, q: float) -> float:
        ordered = sorted(self.times)
        place = q * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    @property
    def median(self) -> float:
        """The median of the times."""
        return self._quantile(0.5)

    @property
    def mean(self) -> float:
        """The mean of the times."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The time between the quartiles."""
        return self._quantile(0.75) - self._quantile(0.25)

    @property
    def significant_figures(self) -> int:
        """The number of figures of the median that are to be trusted, by the spread of the times between the quartiles."""
        ordered = sorted(self.times)
        inner = ordered[len(ordered) // 4 : math.ceil(3 * len(ordered) / 4)]
        confidence = max(1.645 * statistics.pstdev(inner) / math.sqrt(len(inner)), _LEAST_CONFIDENCE)
        return min(max(math.floor(math.log10(self.median / confidence)), 1), _MOST_FIGURES)

    def meets_confidence(self, threshold: float = _WARN) -> bool:
        """Return whether the time between the quartiles is less than this share of the median."""
        return self.iqr / self.median < threshold

    @property
    def has_warnings(self) -> bool:
        """Return whether the times differ so much that the text of the measurement says so."""
        return not self.meets_confidence()

    @property
    def title(self) -> str:
        """The title of the task."""
        return self.task_spec.title

    @property
    def as_row_name(self) -> str:
        """The name of its row in a table."""
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        count, (unit, scale) = len(self.times), select_unit(self.median)
        lines = [object.__repr__(self), self.task_spec.summarize()]
        lines.append(f"  {'Median: ' if count > 1 else ''}{self.median / scale:.2f} {unit}")
        if count >= 4:
            low, high = self._quantile(0.25) / scale, self._quantile(0.75) / scale
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        runs = f"{self.number_per_run} runs {'per measurement,' if count > 1 else ','}"
        lines.append(f"  {_several(count, 'measurement')}, {runs} {_several(self.num_threads, 'thread')}")
        if self.has_warnings:
            why = (
                "could indicate system fluctuation"
                if self.meets_confidence(_GROSS)
                else "suggests significant environmental influence"
            )
            share = self.iqr / self.median * 100
            lines.append(f"  WARNING: Interquartile range is {share:.1f}% of the median measurement.\n           This {why}.")
        return "\n".join(lines)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Return one measurement per task, of the times of all that are of it."""
        groups: dict[TaskSpec, list[float]] = {}
        for m in measurements:
            groups.setdefault(m.task_spec, []).extend(m.times)
        return [Measurement(1, times, task) for task, times in groups.items()]


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


class Timer:
    """A statement whose time is measured, as `timeit.Timer`, with a warm-up and devices waited for.

    Args:
        stmt: the statement, as text; it is run in `globals` after `setup`.
        setup, global_setup: statements that are run before.
        timer: a function that gives the time in seconds.
        globals: the names that the statement knows.
        label, sub_label, description, env: what it is called in tables: of the table, the row, the column.
        num_threads: what tables sort by; how many threads compute is decided when Python starts (OMP_NUM_THREADS).
        language: Python.

    >>> import frazil as fz
    >>> from frazil.utils import benchmark
    >>> measured = benchmark.Timer("x + x", globals={"x": fz.ones(10)}, label="add").timeit(100)
    >>> measured.number_per_run, measured.median > 0
    (100, True)
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Language | str = Language.PYTHON,
    ) -> None:
        if language not in (Language.PYTHON, "py", "python"):
            raise ArgumentError(f"Timer: statements are Python, given language={language!r}")
        if not isinstance(stmt, str):
            raise ArgumentError(f"Timer: stmt is a text, given a {type(stmt).__name__}; pass functions in globals={{...}}")
        if num_threads != 1:
            without_effect("Timer(num_threads=)", "set the environment variable OMP_NUM_THREADS before Python starts")
        stmt, setup = (_dedented(text) for text in (stmt, setup))
        self._timer = _timeit.Timer(stmt, "\n".join(part for part in (global_setup, setup) if part), timer, dict(globals or {}))
        self._task_spec = TaskSpec(stmt, setup, global_setup, label, sub_label, description, env, num_threads)

    def _time(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)

    def timeit(self, number: int = 1000000) -> Measurement:
        """Run the statement `number` times, after a hundredth of that for warming up."""
        self._time(max(number // 100, 2))
        return Measurement(number, [self._time(number)], self._task_spec)

    def repeat(self, repeat: int = -1, number: int = -1) -> NoReturn:
        """Refuse, as PyTorch does."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Any = None) -> NoReturn:
        """Refuse, as PyTorch does."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def _block(self, min_run_time: float) -> int:
        """How many runs are one block: enough that reading the clock costs nothing beside them."""
        overhead = statistics.median(self._time(0) for _ in range(5))
        number = 1
        while True:
            taken = self._time(number)
            if taken > min_run_time or (overhead / taken <= 1e-4 and taken >= min_run_time / 1000):
                return number
            number *= 10

    def blocked_autorange(self, callback: Callable[[int, float], object] | None = None, min_run_time: float = 0.2) -> Measurement:
        """Run blocks of the statement until they have taken `min_run_time` seconds together.

        Args:
            callback: called with the number of runs and the time of each block.
            min_run_time: seconds.
        """
        number, times = self._block(min_run_time), list[float]()
        while not times or sum(times) < min_run_time:
            times.append(self._time(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], object] | None = None,
    ) -> Measurement:
        """Run blocks of the statement until their times differ by less than `threshold` of the median, at most for
        `max_run_time` seconds."""
        measured = Measurement(self._block(0.05), [], self._task_spec)
        times = measured.raw_times
        while not (sum(times) >= min_run_time and len(times) > 3 and measured.meets_confidence(threshold)):
            times.append(self._time(measured.number_per_run))
            if callback is not None:
                callback(measured.number_per_run, times[-1])
            if sum(times) > max_run_time:
                break
        return measured

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: instructions are counted by Valgrind, of programs that are built for it."""
        raise NotImplementedError("collect_callgrind: frazil does not count instructions; use blocked_autorange()")


def _dedented(text: str) -> str:
    lines = text.expandtabs().strip("\n").splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines).rstrip()


class Compare:
    """Measurements as tables: one per label, with a row per sub-label and thread count and a column per description.

    >>> from frazil.utils.benchmark import Compare, Measurement, TaskSpec
    >>> times = {("10", "loop"): 3e-6, ("10", "op"): 1e-6, ("99", "loop"): 3e-5, ("99", "op"): 2e-6}
    >>> found = [Measurement(1, [t], TaskSpec("f(x)", "", "", "sum", n, how)) for (n, how), t in times.items()]
    >>> Compare(found).print()
    [--------- sum ---------]
              |  loop  |   op
    1 threads: --------------
          10  |   3.0  |  1.0
          99  |  30.0  |  2.0
    <BLANKLINE>
    Times are in microseconds (us).
    <BLANKLINE>
    """

    def __init__(self, results: Sequence[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trimmed = self._warnings = False
        self._colors: str | None = None

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements."""
        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(result)} instead.")
            self._results.append(result)

    def trim_significant_figures(self) -> None:
        """Show figures that are to be trusted only."""
        self._trimmed = True

    def colorize(self, rowwise: bool = False) -> None:
        """Show the best times in green and those far from them in red, of each column or of each row."""
        self._colors = "row" if rowwise else "column"

    def highlight_warnings(self) -> None:
        """Mark times that differed much."""
        self._warnings = True

    def print(self) -> None:
        """Print the tables."""
        print(str(self))

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        groups: dict[str | None, list[Measurement]] = {}
        for m in merged:
            groups.setdefault(m.label, []).append(m)
        return "\n".join(self._table(group) for group in groups.values())

    def _table(self, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(m.median for m in results))
        columns = ordered_unique(m.description for m in results)
        rows = sorted(ordered_unique(_row(m) for m in results), key=lambda row: (row[0], row[1] or ""))
        found = {(_row(m), m.description): m for m in results}
        indent = 2 + max(len(row[1] or "") for row in rows) + 4
        names, seen = {}, None
        for row in rows:
            env = f"({row[1]})" if row[1] and row[:2] != seen else ""  # of several rows, the first says where they are from
            seen = row[:2]
            names[row] = f"  {env}".ljust(indent) + row[2]
        blocks = [self._column(column, rows, found, scale) for column in columns]
        first = max(map(len, names.values()))
        head = "  |  ".join(
            [" " * first, *((column or "").center(len(block[0])) for column, block in zip(columns, blocks, strict=True))]
        )
        lines = [f"[{f' {results[0].label or str()} '.center(len(head) - 2, '-')}]", head]
        for i, row in enumerate(rows):
            if i == 0 or row[0] != rows[i - 1][0]:
                lines.append(f"{row[0]} threads: ".ljust(len(head), "-"))
            cells = [self._colored(block[i], row, column, found) for column, block in zip(columns, blocks, strict=True)]
            lines.append("  |  ".join([names[row].ljust(first), *cells]))
        note = "(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n" if self._marked(results) else ""
        return "\n".join(line.rstrip() for line in lines) + f"\n\nTimes are in {unit_to_english(unit)}s ({unit}).\n{note}"

    def _column(self, column: str | None, rows: list[Any], found: dict[Any, Measurement], scale: float) -> list[str]:
        """The cells of one column, of one width, numbers above each other."""
        there = [found[row, column] for row in rows if (row, column) in found]
        # As many places behind the point as all of the numbers can be trusted for.
        places = [max(m.significant_figures - math.ceil(math.log10(m.median / scale)), 0) for m in there]
        digits = min(places) if self._trimmed else 1
        texts, marks = [], []
        for row in rows:
            m = found.get((row, column))
            value = 0.0 if m is None else m.median / scale
            value = trim_sigfig(value, m.significant_figures) if m is not None and self._trimmed else value
            texts.append("" if m is None else f"{value:.{digits}f}")
            spread = m is not None and self._warnings and m.has_warnings
            marks.append(f" (! {m.iqr / m.median * 100:.0f}%)" if m is not None and spread else "")
        number = max(map(len, texts))
        cells = [text.rjust(number) + note.rjust(7 if any(marks) else 0) for text, note in zip(texts, marks, strict=True)]
        width = max(len(column or ""), *map(len, cells))
        return [cell.center(width) for cell in cells]

    def _marked(self, results: list[Measurement]) -> bool:
        return self._warnings and any(m.has_warnings for m in results)

    def _colored(self, text: str, row: Any, column: Any, found: dict[Any, Measurement]) -> str:
        m = found.get((row, column))
        if self._colors is None or m is None:
            return text
        same = [n.median for key, n in found.items() if (key[0] == row if self._colors == "row" else key[1] == column)]
        share = m.median / min(same)
        for limit, codes in ((1.01, "92;1"), (1.1, "34;1"), (2.0, ""), (5.0, "91")):
            if share <= limit:
                return f"\033[{codes}m{text}\033[0m" if codes else text
        return f"\033[91;1m{text}\033[0m"


def _row(m: Measurement) -> tuple[int, str | None, str]:
    return m.num_threads, m.env, m.as_row_name


_tell_names(__name__)
