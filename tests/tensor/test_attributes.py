"""What is asked for attributes in every operation answers without a detour; what it lacks, it says why."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.tape import Node


@pytest.mark.parametrize("kind", [fz.Tensor, fz.dtype, fz.device, Node])
def test_classes_of_the_hot_path_have_no_getattr(kind):
    """With one, Python no longer specialises any use of an attribute of the class: 0.1 us more for each operation."""
    assert not hasattr(kind, "__getattr__")


def test_a_name_that_tensors_lack_says_why():
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'record_stream': out of scope: "):
        fz.ones(2).record_stream
    assert not hasattr(fz.Tensor, "record_stream")


def test_python_shows_the_nearest_name():
    with pytest.raises(AttributeError) as caught:
        fz.ones(2).softmx
    assert (caught.value.name, type(caught.value.obj)) == ("softmx", fz.Tensor)
