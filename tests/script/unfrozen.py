"""Programs that cannot be frozen, for test_errors.py. Every one marks the line that the message must name with `# here`."""

from __future__ import annotations

import frazil as fz

LOG = []
COUNT = 0


def dtype_differs(x):
    if x.sum() > 0:  # here
        y = x * 2
    else:
        y = x.argmax()[None]
    return y


def rank_differs(x):
    if x.sum() > 0:  # here
        y = x
    else:
        y = x[None]
    return y


def defined_in_one_branch(x):
    if x.sum() > 0:  # here
        scale = x.max()
    return x * scale


def defined_in_a_loop_only(x):
    while x.sum() > 1:  # here
        x = x / 2
        last = x
    return last


def appends_to_an_outer_list(x):
    if x.sum() > 0:
        LOG.append(x)  # here
    return x


class Counter(fz.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.seen = {}

    def forward(self, x):
        for row in x:
            self.calls += 1  # here
            x = x + row
        return x


class Memory(fz.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = {}

    def forward(self, x):
        if x.sum() > 0:
            self.seen["x"] = x  # here
        return x


def raises_on_data(x):
    while x.min() < 0:
        x = x + 1
        raise ValueError("negative")  # here
    return x.sqrt()


def tries_on_data(x):
    if x.sum() > 0:
        try:  # here
            y = 1 / x
        except ZeroDivisionError:
            y = x
    else:
        y = x
    return y


def yields(x):
    for row in x:
        yield row * 2  # here


def binds_a_global(x):
    global COUNT  # here
    COUNT += 1
    return x


def ternary_changes_kind(x):
    total = 0
    for row in x:
        total = total + row.sum() if row.sum() > 0 else "none"  # here
    return total


def loop_starts_with_none(x):
    best = None
    for row in x:  # here
        best = row if best is None else fz.maximum(best, row)
    return best


def loop_changes_rank(x):
    y = x
    while y.sum() < 10:  # here
        y = y[None] + 1
    return y


def comprehension_chooses_by_data(x):
    return {k: row for k, row in enumerate(x) if row.sum() > 0}  # here


def none_or_tensor(x):
    if x.sum() > 0:  # here
        return x


def chooses_a_module_by_data(x):
    layers = [fz.relu, fz.tanh]
    k = int(x.argmax())
    return layers[k](x)  # here


def loop_changes_kind(x):
    kind = "positive"
    for row in x:  # here
        if row.sum() < 0:
            row = row * 2
        kind = "seen"
    return x, kind


def returns_a_list_that_grew(x):  # here
    rows = []
    for row in x:
        rows.append(row * 2)
    return rows


def hands_a_grown_list_on(x):
    rows = []
    for row in x:
        rows.append(row * 2)
    return fz.nn.utils.rnn.pad_sequence(rows)  # here


def list_of_two_shapes(x):
    pieces = [x]
    for row in x:  # here
        pieces.append(row[None])
    return fz.cat(pieces)


def appends_what_changes(x):
    total = x[0] * 0
    sums = []
    for row in x:  # here
        total += row
        sums.append(total)
    return fz.stack(sums)


def calls_itself(x):
    return x if x.sum() <= 1 else calls_itself(x / 2)  # here
