"""Names can be imported from the modules where PyTorch defines them."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import frazil as fz
from frazil.places import places

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("path", sorted(places()))
def test_a_place_has_what_pytorch_defines_there(path: str) -> None:
    theirs = importlib.import_module(path.replace("frazil", "torch", 1))
    ours = importlib.import_module(path)
    home: Any = importlib.import_module(places()[path])
    defined = {
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == theirs.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
    }
    there = [name for name in defined if not isinstance(getattr(home, name, theirs), ModuleType)]
    assert there or not defined
    assert [name for name in there if getattr(ours, name) is not getattr(home, name)] == []
    with pytest.raises(AttributeError):
        ours.no_such_name
    with pytest.raises(ImportError):
        importlib.import_module(f"{path}.no_such_module")


def test_they_are_attributes_as_well_and_leave_what_has_their_name() -> None:
    assert fz.optim.adamw.AdamW is fz.optim.AdamW
    assert fz.functional.einsum is fz.einsum
    assert fz.nn.modules.flatten.Flatten is fz.nn.Flatten
    assert fz.nn.modules.linear.LazyLinear is fz.nn.LazyLinear and fz.nn.modules.Module is fz.nn.Module
    assert importlib.import_module("frazil.nn.modules.module")._addindent("a\nb", 2) == "a\n  b"
    assert callable(fz.random.manual_seed) and "frazil.optim.no_such" not in sys.modules
    with pytest.raises(AttributeError, match="no attribute 'adamv'"):
        fz.optim.adamv


def test_modules_below_others_are_attributes_without_an_import_of_their_own() -> None:
    """As in PyTorch, where `import torch` has loaded them: every module that PyTorch has then and that can be imported here."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import torch, sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    names = sorted(f"frazil{name[5:]}" for name in loaded.stdout.split() if name.startswith("torch."))
    text = """
import importlib.util, frazil
names, reached = %r, 0
for name in names:
    try:
        there = importlib.util.find_spec(name)
    except ImportError:
        continue
    if there is not None and "backends" not in name:
        found = frazil
        for part in name.split(".")[1:]:
            found = getattr(found, part)
        reached += 1
print(reached)
"""
    said = subprocess.run([sys.executable, "-c", text % names], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert int(said.stdout) > 80
