"""Programs with control flow, each with inputs of at least three sizes that together take every branch.

`PROGRAMS` is name -> (function or Module, inputs): the first inputs are those that the program is recorded with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import frazil as fz
from frazil.nn import functional as F

Inputs = list[tuple[Any, ...]]
PROGRAMS: dict[str, tuple[Any, Inputs]] = {}


def program(*inputs: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Enter a function, or the instance of a Module class, into the table."""

    def enter(fn: Any) -> Any:
        if isinstance(fn, type):
            fz.manual_seed(0)
            PROGRAMS[fn.__name__] = (fz.jit.script(fn().eval()), list(inputs))
            return fn
        PROGRAMS[fn.__name__] = (fz.jit.script(fn), list(inputs))
        return fn

    return enter


def numbers(*shape: int, seed: int = 0) -> fz.Tensor:
    """Random numbers of a shape."""
    return fz.tensor(np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32))


def ints(*values: int) -> fz.Tensor:
    return fz.tensor(list(values), dtype=fz.int64)


def floats(*values: float) -> fz.Tensor:
    return fz.tensor(list(values), dtype=fz.float32)


# --- branches -------------------------------------------------------------------------------------------------------------------


@program((floats(1, 2),), (floats(-1, -2, -3),), (floats(0),))
def if_else(x):
    if x.sum() > 0:
        y = x * 2
    else:
        y = -x
    return y + 1


@program((floats(1, 2, 3),), (floats(-4, 2),), (floats(-1, 1, 0, 0),), (floats(9),))
def elif_chain(x):
    total = x.sum()
    if total > 5:
        kind, y = 3, x - 5
    elif total > 0:
        kind, y = 2, x
    elif total == 0:
        kind, y = 1, x * 0 + 7
    else:
        kind, y = 0, x.abs()
    return y, kind


@program((floats(3, 1),), (floats(-3, 1, 2),), (floats(0.5),))
def early_return(x):
    if x.max() > 2:
        return x / x.max()
    y = x * 3
    if y.min() < -5:
        return y + 10
    return y


@program((floats(1, 2),), (floats(-1, -2, 5),), (floats(3),))
def nested_ifs(x):
    y = x
    if x[0] > 0:
        if x.shape[0] > 1:
            y = y + 1
            if x[-1] > 1:
                y = y * 2
        else:
            y = y - 1
    elif x[-1] > 4:
        y = y * 100
    return y


@program(
    (floats(1, 2),),
    (
        floats(
            -1,
        ),
    ),
    (floats(2, -3, 4),),
)
def ternaries(x):
    a = x.sum() if x[0] > 0 else x.max()
    b = (1 if a > 1 else -1) * (2 if a > 2 else 3)
    return x * b + (a if b > 0 else -a)


@program((floats(1, 2),), (floats(-1, 5, 3),), (floats(0.5),), (floats(7, 7, 7, 7),))
def boolean_operators(x):
    a, b = x.min(), x.max()
    flags = 0
    if a > 0 and b > 1:
        flags += 1
    if a < 0 or not b < 6:
        flags += 2
    if not (a > 0 or b > 0) or x.shape[0] == 1:
        flags += 4
    if a > 0 and b / a > 1.5 and a * b < 100:
        flags += 8
    return flags


@program((floats(1, 2),), (floats(-1, 5, 3),), (floats(0.5),), (floats(7, 7, 7, 7),))
def chained_comparisons(x):
    first = x[0]
    if 0 < first < 1:
        return x * 2
    if -2 <= first <= 1 != x.shape[0]:
        return x * 3
    return x * (5 if 0 < x.shape[0] < 3 < first else 7)


@program((floats(1, 2),), (floats(-1, 5, 3),), (floats(0.5),))
def tuple_unpacking(x):
    (low, high), (*_, size) = (x.min(), x.max()), (0, 1, x.shape[0])
    if low < 0:
        low, high = high, low
    return low * size, high - size


@program((floats(4, 3, 2, 1, 0, -1, -2),), (floats(1, 2),), (floats(1, 2, 3, 4),))
def on_sizes(x):
    n = x.shape[0]
    if n > 5:
        y = x[:5]
    elif n % 2 == 0 and n > 2:
        y = x * n
    else:
        y = x - n
    return y


@program((floats(1, 2), ints(0)), (floats(1, 2, 3, 4), ints(1)), (floats(4), ints(2)), (floats(4), ints(7)))
def choose_by_number(x, which):
    k = int(which[0])
    if k == 0:
        return fz.sin(x)
    if k == 1:
        return fz.cos(x)
    if k in (2, 3):
        return x.exp()
    return x


@program((floats(2, -2),), (floats(-2, -1, 4),), (floats(-5),))
def in_place(x):
    y = x.clone()
    alias = y
    if x[0] > 0:
        y += 1
        y[0] = 50
    else:
        y *= 2
    y -= 1
    return alias, y


@program((floats(2, -2),), (floats(-2, -1, 4),), (floats(-5),))
def in_place_in_one_branch(x):
    y = x.clone()
    if x[0] > 0:
        y += 1
    else:
        y = y * 3
    return y


@program((floats(3, 4),), (floats(-1, 1, 1),), (floats(0, 0),))
def helper_functions(x):
    def norm(v):
        total = v.abs().sum()
        if total == 0:
            return total + 1
        return total

    scale = lambda v: v / norm(v) if v[0] >= 0 else v * norm(v)
    return scale(x) + clamp(x, 2.0)


def clamp(x, limit):
    """Called from a program, not scripted itself."""
    if x.max() > limit:
        return x.clamp(max=limit)
    if x.min() < -limit:
        return x.clamp(min=-limit)
    return x


@program((floats(3, 4),), (floats(-1, 1, 1),), (floats(0, 0),))
def nonlocal_state(x):
    total = x.sum() * 0
    calls = 0

    def add(v):
        nonlocal total, calls
        if v > 0:
            total = total + v
        calls += 1

    for row in x:
        add(row)
    return total, calls


@program(
    (floats(1, 2, 3),),
    (
        floats(
            -1,
        ),
    ),
    (floats(5, 5),),
)
def assertion_and_raise_on_sizes(x):
    assert x.ndim == 1, "vectors only"
    if x.ndim != 1:
        raise ValueError("vectors only")
    with fz.no_grad():
        if x.sum() > 4:
            return x * 2
    return x


# --- loops ----------------------------------------------------------------------------------------------------------------------


@program((ints(6),), (ints(27),), (ints(1),), (ints(97),))
def collatz(n):
    n = n[0]
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


@program((ints(12, 18),), (ints(17, 5),), (ints(0, 9),), (ints(100, 75),))
def gcd(pair):
    a, b = pair[0], pair[1]
    while b != 0:
        a, b = b, a % b
    return a


@program((floats(2),), (floats(10, 5, 3),), (floats(0.5, 100),))
def newton_square_root(x):
    guess = x / 2 + 0.5
    while (guess * guess - x).abs().max() > 1e-4 * x.max():
        guess = 0.5 * (guess + x / guess)
    return guess


@program((numbers(3, 3),), (numbers(5, 5),), (numbers(2, 2),))
def power_iteration(a):
    a = a @ a.T
    v = fz.ones(a.shape[0])
    last = fz.zeros(())
    for _ in range(200):
        w = a @ v
        size = w.norm()
        v = w / size
        if (size - last).abs() < 1e-5 * size:
            break
        last = size
    return v, size


@program((floats(1, 3, 5, 7), ints(5)), (floats(2, 4), ints(1)), (floats(1, 2, 3, 4, 5, 6, 7), ints(9)))
def binary_search(sorted_numbers, target):
    low, high = 0, sorted_numbers.shape[0]
    while low < high:
        middle = (low + high) // 2
        if sorted_numbers[middle] < target[0]:
            low = middle + 1
        else:
            high = middle
    return low


@program((floats(0, 2),), (floats(1, 5),), (floats(-1, 1.5),))
def bisection(ends):
    low, high = ends[0], ends[1]
    for _ in range(100):
        middle = (low + high) / 2
        if high - low < 1e-3:
            return middle
        if middle**3 - middle - 1 > 0:
            high = middle
        else:
            low = middle
    return middle


@program(
    (floats(3, 1, 2),),
    (floats(5, 4, 3, 2, 1),),
    (
        floats(
            1,
        ),
    ),
    (floats(2, 1, 3, 1),),
)
def sort_by_swaps(x):
    x = x.clone()
    n = x.shape[0]
    for i in range(n):
        swapped = False
        for j in range(n - 1 - i):
            if x[j] > x[j + 1]:
                low = x[j + 1].clone()
                x[j + 1] = x[j]
                x[j] = low
                swapped = True
        if not swapped:
            break
    return x


@program(
    (ints(1, 1, 2),),
    (
        ints(
            3,
        ),
    ),
    (ints(4, 4, 4, 5, 5, 4, 1),),
)
def run_lengths(x):
    values, counts = [], []
    count = 0
    for i in range(x.shape[0]):
        count += 1
        if i + 1 == x.shape[0] or x[i] != x[i + 1]:
            values.append(x[i])
            counts.append(count)
            count = 0
    return fz.stack(values), fz.tensor(counts)


@program(
    (floats(3, 1, 4, 1),),
    (
        floats(
            -1,
        ),
    ),
    (floats(1, 2, 0, 7, 3, 9),),
)
def cumulative_maximum(x):
    best = x[0]
    found = []
    for value in x:
        if value > best:
            best = value
        found.append(best)
    return fz.stack(found)


@program((numbers(2, 2), ints(5)), (numbers(3, 3), ints(0)), (numbers(4, 4), ints(6)))
def matrix_power(a, exponent):
    n = exponent[0]
    result = fz.eye(a.shape[0])
    while n > 0:
        if n % 2 == 1:
            result = result @ a
        a = a @ a
        n = n // 2
    return result


@program((ints(1, 2, 3), ints(1, 3)), (ints(5, 6, 7, 8), ints(6, 7, 9, 1)), (ints(2), ints(1, 2, 3)))
def edit_distance(a, b):
    row = fz.arange(b.shape[0] + 1)
    for i in range(a.shape[0]):
        new = [row[0] + 1]
        for j in range(b.shape[0]):
            cost = row[j] if a[i] == b[j] else row[j] + 1
            new.append(min(cost, row[j + 1] + 1, new[-1] + 1))
        row = fz.stack(new)
    return row[-1]


@program(
    (ints(1, 1, 0, 1),),
    (ints(0, 0, 2, 2, 3),),
    (
        ints(
            4,
        ),
    ),
    (ints(3, 0, 3, 0, 0, 1, 1),),
)
def ctc_collapse(labels):
    kept = [labels[0] * 0 - 1]
    last = fz.tensor(-1)
    for label in labels:
        if label != 0 and label != last:
            kept.append(label)
        last = label
    return fz.stack(kept)


@program((numbers(4, 6), ints(1)), (numbers(9, 6, seed=1), ints(2)), (numbers(12, 6, seed=3), ints(0)))
def greedy_decode(table, start):
    token = start[0] % table.shape[1]
    tokens = [token]
    for step in range(table.shape[0]):
        scores = table[step] + 0.3 * table[(token + step) % table.shape[0]]
        token = scores.argmax()
        tokens.append(token)
        if token == 5:
            break
    return fz.stack(tokens)


@program((numbers(3, 4, 5), 3), (numbers(3, 6, 5, seed=2), 3), (numbers(3, 9, 5, seed=4), 3))
def beam_search(scores, width):
    total = fz.zeros(scores.shape[0])
    paths = []
    for t in range(scores.shape[1]):
        options = total[:, None] + scores[:, t].log_softmax(-1)
        best, where = options.flatten().topk(width)
        total = best
        paths.append(where % scores.shape[2])
        if best[0] - best[-1] > 3.0:
            break
    return total, fz.stack(paths, 1)


@program(
    (ints(1, 3, -1, -1, 5, -1), ints(2, 4, -1, -1, -1, -1)),
    (
        ints(
            -1,
        ),
        ints(
            -1,
        ),
    ),
    (ints(1, 2, -1), ints(-1, -1, -1)),
)
def tree_depths(left, right):
    """A recursive tree walk, as a loop over a stack."""
    depths = fz.zeros(left.shape[0])
    nodes, levels = [0], [1]
    while nodes:
        node, level = nodes.pop(), levels.pop()
        depths[node] = level
        if left[node] >= 0:
            nodes.append(left[node])
            levels.append(level + 1)
        if right[node] >= 0:
            nodes.append(right[node])
            levels.append(level + 1)
    return depths


@program(
    (numbers(2, 3, 4), ints(3, 1)), (numbers(3, 5, 4), ints(2, 5, 4)), (numbers(1, 2, 4), ints(1)), (numbers(2, 7, 4), ints(7, 0))
)
class RaggedRNN(fz.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = fz.nn.Linear(8, 4)

    def forward(self, x, lengths):
        finals = []
        for sequence, length in zip(x, lengths, strict=True):
            h = fz.zeros(4)
            for t in range(length):
                h = fz.tanh(self.cell(fz.cat([sequence[t], h])))
            finals.append(h)
        return fz.stack(finals)


@program((numbers(2, 4),), (numbers(5, 4, seed=3),), (numbers(1, 4, seed=5),))
class MixtureOfExperts(fz.nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = fz.nn.Linear(4, 3)
        self.experts = fz.nn.ModuleList(fz.nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        rows = []
        for row in x:
            choice = self.gate(row).argmax()
            y = row
            for number, expert in enumerate(self.experts):
                if choice == number:
                    y = expert(row)
            rows.append(y)
        return fz.stack(rows)


@program((numbers(2, 4),), (numbers(5, 4, seed=1) * 30,), (numbers(1, 4, seed=2) * 0.01,))
class EarlyExit(fz.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = fz.nn.ModuleList(fz.nn.Linear(4, 4) for _ in range(3))
        self.head = fz.nn.Linear(4, 2)

    def forward(self, x):
        for layer in self.layers:
            x = fz.relu(layer(x))
            if x.max() > 2:
                return self.head(x) * 2
        return self.head(x)


@program((numbers(2, 4),), (numbers(5, 4, seed=1),), (numbers(1, 4, seed=2),))
class ChildrenAreRewritten(fz.nn.Module):
    class Gate(fz.nn.Module):
        def forward(self, x):
            if x.mean() > 0:
                return x * 2
            return self._otherwise(x)

        def _otherwise(self, x):
            return x - 1 if x.max() > 1 else x

    def __init__(self):
        super().__init__()
        self.stack = fz.nn.Sequential(fz.nn.Linear(4, 4), self.Gate(), fz.nn.Linear(4, 4), self.Gate())

    def forward(self, x):
        return self.stack(x)


@program(
    (floats(0, 1, 0), 2),
    (floats(1, 1, 1, 0, 1), 2),
    (
        floats(
            1,
        ),
        2,
    ),
)
def cellular_automaton(cells, steps):
    for _ in range(steps):
        left, right = fz.roll(cells, 1), fz.roll(cells, -1)
        cells = (left != right).to(fz.float32)
    return cells


@program(
    (fz.tensor(np.eye(4, dtype=np.float32)),),
    (fz.tensor(np.ones((5, 6), np.float32)),),
    (fz.tensor(np.zeros((3, 3), np.float32)),),
)
def game_of_life(board):
    ages = fz.zeros_like(board)
    for generation in range(6):  # noqa: B007
        around = sum(fz.roll(board, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
        following = ((around == 3) | ((around == 2) & (board > 0))).to(fz.float32)
        if following.sum() == 0:
            break
        ages = ages + following
        board = following
    return board, ages, generation


@program((numbers(4, 2), numbers(4)), (numbers(9, 3), numbers(9)), (numbers(3, 1), numbers(3)))
def gradient_descent(x, y):
    w = fz.zeros(x.shape[1])
    steps = 0
    while True:
        slope = x.T @ (x @ w - y) / x.shape[0]
        if slope.norm() < 0.05 or steps >= 40:
            break
        w = w - 0.2 * slope
        steps += 1
    else:
        w = w * 0
    return w, steps


@program((floats(1, 2, 3),), (floats(-1, 2),), (floats(-1, -2, -3, -4),))
def for_else_and_continue(x):
    total = fz.zeros(())
    for value in x:
        if value < 0:
            continue
        total = total + value
        if total > 4:
            break
    else:
        total = -total
    return total


@program((numbers(3, 4),), (numbers(5, 2, seed=8),), (numbers(1, 6, seed=3),))
def nested_loops_with_return(x):
    steps = 0
    for row in x:
        for value in row:
            steps += 1
            if value > 1:
                return value, steps
            if value < -1:
                break
        else:
            steps += 100
    return x.sum(), steps


@program((floats(1, 2, 3),), (floats(1),), (floats(3, 1, 4, 1, 5),))
def prefix_sums_over_ranges(x):
    sums = fz.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(i + 1):
            sums[i] += x[j]
    for i in range(x.shape[0] - 1, 0, -2):
        sums[i] *= 2
    return sums


@program((numbers(3, 2), numbers(3)), (numbers(5, 2), numbers(5)), (numbers(1, 2), numbers(1)))
def zip_enumerate_reversed(x, weights):
    total = fz.zeros(2)
    for i, (row, w) in enumerate(zip(x, weights, strict=True), start=1):
        total = total + row * w * i
    for row in reversed(x):
        total = total * 0.5 + row
    return total


@program((numbers(3, 2),), (numbers(5, 2),), (numbers(1, 2),))
def comprehensions(x):
    halves = [row * i for i, row in enumerate(x)]
    pairs = [fz.sin(a) + b for a, b in zip(x, halves, strict=False)]
    fixed = [k * 2 for k in range(3) if k != 1]
    return fz.cat(pairs), fz.stack(halves).sum() * fixed[-1], len(halves)


@program((numbers(4, 3),), (numbers(2, 3),), (numbers(6, 3),))
def lists_in_lists_of_loops(x):
    rows = []
    for row in x:
        for value in row:
            rows.append(value * 2)
        rows.append(row.sum())
    if x.sum() > 0:
        rows.append(x.max())
    return fz.stack(rows), rows[-1], len(rows)


@program((ints(3),), (ints(0),), (ints(7),))
def range_of_a_number(n):
    a, b = 0, 1
    for _ in range(int(n[0])):
        a, b = b, a + b
    return a


@program((ints(10, 3),), (ints(7, 2),), (ints(1, 5),))
def while_on_python_numbers(x):
    a, b = int(x[0]), int(x[1])
    quotient = 0
    while a >= b:
        a -= b
        quotient += 1
    return quotient, a


@program((floats(1, 2, 3), 0.5), (floats(4), 0.5), (floats(1, 5, 2, 7, 1), 0.5))
def exponential_average(x, rate):
    state = {"mean": x[0], "count": 0}
    for value in x:
        state["mean"] = state["mean"] * (1 - rate) + value * rate
        state["count"] += 1
    return state


@program((numbers(3), numbers(3)), (numbers(6), numbers(6)), (numbers(2), numbers(2)))
def line_search(x, direction):
    step = 1.0
    start = (x * x).sum()
    for _ in range(20):
        there = x - step * direction
        if (there * there).sum() < start:
            break
        step = step * 0.5
    else:
        there = x
    return there, step


@program((floats(0.3), ints(5)), (floats(0.9), ints(20)), (floats(0.1), ints(1)))
def series_until_small(x, most):
    term = total = x[0]
    k = 1
    while k < most[0] and term.abs() > 1e-3:
        term = term * x[0] / k
        total = total + term
        k += 1
    return total, k


@program((numbers(3, 3),), (numbers(5, 5),), (numbers(4, 4),))
def gaussian_elimination(a):
    a = a + 4 * fz.eye(a.shape[0])
    n = a.shape[0]
    determinant = fz.ones(())
    for k in range(n):
        pivot = a[k, k].clone()
        determinant = determinant * pivot
        for i in range(k + 1, n):
            factor = a[i, k] / pivot
            a[i] = a[i] - factor * a[k]
    return determinant


@program((numbers(2, 3, 4),), (numbers(4, 5, 4),), (numbers(1, 2, 4),))
class StackedRecurrence(fz.nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = fz.nn.ModuleList(fz.nn.Linear(8, 4) for _ in range(2))

    def forward(self, x):
        states = [fz.zeros(x.shape[0], 4) for _ in self.cells]
        outs = []
        for t in range(x.shape[1]):
            value = x[:, t]
            for k, cell in enumerate(self.cells):
                states[k] = fz.tanh(cell(fz.cat([value, states[k]], 1)))
                value = states[k]
            outs.append(value)
        return fz.stack(outs, 1), states[-1]


@program((numbers(3, 2),), (numbers(5, 2, seed=7),), (numbers(1, 2),))
def copies_of_a_running_sum(x):
    total = fz.zeros(2)
    sums, large = [], [x[0]]
    for row in x:
        total += row
        sums.append(total.clone())
        if total.sum() > 0:
            large.append(total * 2)
    return fz.stack(sums), fz.stack(large), total


@program((numbers(3, 2),), (numbers(5, 2, seed=7),), (numbers(1, 2),))
def sums_of_lists_that_stay_empty_or_grow(x):
    grown, empty = [], []
    for row in x:
        grown.append(row * 2)
        if len(x) > 99:
            empty.append(row)
    rest = [part * 2 for part in empty]
    return sum(grown), x + sum(empty), x + sum(rest, x[0])


@program((numbers(3, 2),), (numbers(5, 2, seed=7),), (numbers(1, 2),))
def several_results_grow(x):
    path = []
    h = fz.zeros(2)
    for row in x:
        h = h * 0.9 + row
        path.append((h, h.norm()))
        path.append((row, row.norm()))
    last = path[-1]
    return last[0], last[1], len(path)


@program((ints(4, 2),), (ints(3, 5),), (ints(1, 1),))
def pascal_triangle(size):
    row = fz.ones(1, dtype=fz.int64)
    for _ in range(int(size[0])):
        row = F.pad(row, (1, 0)) + F.pad(row, (0, 1))
    return row * size[1]


@program(
    (floats(1.0, 2.0),),
    (
        floats(
            100.0,
        ),
    ),
    (floats(0.1, 0.2, 0.3),),
)
def scale_until_unit(x):
    exponent = 0
    while not 0.5 <= x.max() < 1:
        if x.max() >= 1:
            x, exponent = x / 2, exponent + 1
        else:
            x, exponent = x * 2, exponent - 1
    return x, exponent


@program((floats(1, 2),), (floats(-3, 4, 1),), (floats(0.5),))
def match_and_python_values(x, mode="double"):
    match mode:
        case "double":
            y = x * 2
        case _:
            y = x
    scales = {"a": 1.0, "b": 2.0}
    for name, scale in scales.items():
        if y.sum() > 1 and name != "a":
            y = y * scale
    return y * math.pi


@program((numbers(5, 3),), (numbers(1, 3),), (numbers(2, 3),), (numbers(8, 3, seed=2),))
class BestPath(fz.nn.Module):
    """Viterbi: the best sequence of states, followed back from its end."""

    def __init__(self):
        super().__init__()
        self.transitions = fz.nn.Parameter(numbers(3, 3, seed=7))

    def forward(self, scores):
        best, history = scores[0], []
        for row in scores[1:]:
            best, came_from = (best.unsqueeze(1) + self.transitions + row).max(0)
            history.append(came_from)
        state = best.argmax()
        backwards, forwards = [state], [state]
        for came_from in reversed(history):
            state = came_from[state]
            backwards.append(state)
            forwards.insert(0, state)
        backwards.reverse()
        return best.max(), fz.stack(backwards), fz.stack(forwards)


@program(
    (ints(3, 1, 4), fz.tensor(2)), (ints(9, 8, 7), fz.tensor(5)), (ints(1, 1, 1), fz.tensor(0)), (ints(2, 1, 1, 5), fz.tensor(4))
)
def queue_of_work(work, rounds):
    """Everybody works for one round and queues up again until the work is done; who comes last is told, and who waits."""
    waiting = [0]
    left = work.clone()
    for i in range(1, work.shape[0]):
        waiting.append(i)
    done = 0
    while done < rounds and len(waiting) > 0:
        who = waiting.pop(0)
        left[who] -= 1
        done += 1
        if left[who] > 0:
            waiting.append(who)
        elif len(waiting) > 2:
            waiting.pop(-2)
    waiting.insert(-1, 100)
    return left, fz.stack([fz.as_tensor(who) for who in waiting])
