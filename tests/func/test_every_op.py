"""Every operation of the table on all samples at once gives what it gives on one after another."""

from __future__ import annotations

import warnings

import pytest

import frazil as fz
from frazil.func import rules
from frazil.table import OPS

#: Operations that run on one sample after another, with a warning: bits are drawn from a key, and kept as they are.
ONE_BY_ONE = {"random_bits"}
#: Operations whose results differ in shape between the samples, or that ask for numbers of one.
REFUSED = {"nonzero_positions": "differs between the samples"}

CASES = [
    (op, sample)
    for op in OPS.values()
    for sample in op.samples
    if any(a is not None for a in sample.args) and all(a is None or a.dtype != object for a in sample.arrays())
]


def called(op, sample):
    """The op as a function of its tensors."""
    head = len(op.tensors) - 1

    def call(*tensors):
        given = (*tensors[:head], list(tensors[head:])) if op.packed else tensors
        found = op.call(*given, **sample.attrs)
        return found if isinstance(found, tuple) else (found,)

    return call


def rows_of(sample):
    """Three samples of its tensors."""
    return [[None if a is None else fz.tensor(a) for a in sample.arrays(seed)] for seed in range(3)]


def mapped(function, rows):
    columns = [None if column[0] is None else fz.stack(list(column)) for column in zip(*rows, strict=True)]
    return fz.func.vmap(function, tuple(None if x is None else 0 for x in columns))(*columns)


def difference(found, rows):
    """How what was found at once differs from the results of one after another; None if it does not."""
    for mine, parts in zip(found, zip(*rows, strict=True), strict=True):
        try:
            fz.testing.assert_close(mine, fz.stack(list(parts)), equal_nan=True)
        except AssertionError as error:
            return str(error)
    return None


@pytest.fixture
def slow_ones():
    """The operations that warned that they run on one sample after another."""
    found: set[str] = set()
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr(rules, "_warned", set())
        yield lambda: found | {str(w.message).split()[1] for w in caught if "has no rule" in str(w.message)}


def test_every_op_on_all_samples_at_once(slow_ones):
    wrong, refused = [], set()
    for op, sample in CASES:
        rows, call = rows_of(sample), called(op, sample)
        try:
            found = mapped(call, rows)
        except fz.errors.FrazilError as error:
            refused.add(op.name)
            if op.name not in REFUSED or REFUSED[op.name] not in str(error):
                wrong.append(f"{op.name} {sample}: {error}")
            continue
        if said := difference(found, [call(*row) for row in rows]):
            wrong.append(f"{op.name} {sample}: {said}")
    assert not wrong, "\n".join(wrong)
    assert refused == set(REFUSED) and slow_ones() == ONE_BY_ONE


def test_gradients_of_every_op_inside_and_outside_of_vmap(slow_ones):
    wrong, count = [], 0
    last = {op: sample for op, sample in CASES if sample.grad and op.name not in REFUSED}  # one of each: all take too long
    for op, sample in last.items():
        rows, call = rows_of(sample), called(op, sample)
        at = tuple(i for i, t in enumerate(rows[0]) if t is not None and t.is_floating_point())
        if not at or not any(y.is_floating_point() for y in call(*rows[0])):
            continue

        def loss(*tensors, call=call):
            return sum((y * y).sum() for y in call(*tensors) if y.is_floating_point())

        slopes = fz.func.grad(loss, at)
        expected = [slopes(*row) for row in rows]
        count += 1
        if said := difference(mapped(slopes, rows), expected):
            wrong.append(f"inside: {op.name} {sample}: {said}")
        leaves = [[t.requires_grad_() if i in at else t for i, t in enumerate(row)] for row in rows]
        mapped(loss, leaves).sum().backward()
        found = [fz.stack([fz.zeros_like(row[i]) if row[i].grad is None else row[i].grad for row in leaves]) for i in at]
        if said := difference(found, expected):
            wrong.append(f"outside: {op.name} {sample}: {said}")
    assert not wrong, "\n".join(wrong)
    assert count > 100 and slow_ones() <= ONE_BY_ONE
