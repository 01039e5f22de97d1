"""Every program of the table gives the same as Python, rewritten, recorded, and in onnxruntime, on inputs of every branch."""

from __future__ import annotations

import pytest

from . import programs_generation, programs_gradients, programs_python  # noqa: F401 - they enter their programs
from .harness import differences
from .programs import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_is_the_same_in_all_ways(name):
    fn, inputs = PROGRAMS[name]
    assert not differences(fn, inputs)


def test_the_table_is_large_enough():
    assert len(PROGRAMS) >= 190
    for name, (_, inputs) in PROGRAMS.items():
        assert len(inputs) >= 3, name
