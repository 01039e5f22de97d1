"""PyTorch's own samples of its layers: the same state, text, results, buffers and gradients, and the same refusals.

`python -m tests.parity.torch_modules NAME` shows every difference of a layer, without names those of all.
"""

from __future__ import annotations

import pytest

from .torch_modules import cases, find, names

pytestmark = [pytest.mark.parity, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", names())
def test_a_layer_does_what_pytorchs_does(name):
    tried = list(cases(name))
    assert tried
    wrong = [said + problem for said, problem in tried if problem]
    assert not wrong, f"{len(wrong)} of {len(tried)}:\n" + "\n".join(wrong[:10])


def test_every_layer_is_here():
    assert not [name for name in names() if find(name) is None]
