"""PyTorch's own samples of its optimisers: the same steps, state dicts (read by each other too), schedules and refusals.

`python -m tests.parity.torch_optimizers NAME` shows every difference of an optimiser, without names those of all.
"""

from __future__ import annotations

import pytest

from .torch_optimizers import cases, find, names

pytestmark = [pytest.mark.parity, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

#: Of which the numbers differ, and why.
NUMBERS = {"Muon": "PyTorch makes its directions orthogonal in bfloat16, with two digits"}


@pytest.mark.parametrize("name", names())
def test_an_optimiser_does_what_pytorchs_does(name):
    tried = list(cases(name, values=name not in NUMBERS))
    assert tried
    wrong = [said + problem for said, problem in tried if problem]
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n".join(wrong[:10])


def test_every_optimiser_is_here():
    assert not [name for name in names() if find(name) is None]
