"""Imports point one way: core <- backends, exporters <- plugins. Read from the sources, so that no optional package is needed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import python_files

#: What each folder may import besides the standard library and itself. Lazy imports inside functions count as well.
ALLOWED = {
    "core": {"ml_dtypes", "numpy", "pluggy", "safetensors", "scipy", "tensorboardX"},
    "backends": {"frazil", "numpy", "cupy", "cudnn", "pyopencl", "cuda", "nvidia"},
    "exporters": {"frazil", "numpy", "onnx", "onnx_ir", "onnxruntime", "ml_dtypes"},
    "plugins": {"frazil", "frazil.backends", "frazil.exporters", "numpy", "pluggy", "rich", "onnx", "onnxruntime", "matplotlib"},
}
UPPER = ("frazil.backends", "frazil.exporters", "frazil.plugins")
#: The files of core that may load a higher layer, by name.
SANCTIONED = {"core/__init__.py", "core/__main__.py", "core/compiled/engines.py", "core/device.py"}


def imports(tree: ast.AST) -> Iterator[tuple[int, int, str]]:
    """(line, level of a relative import, module) of every import statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, alias.name
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if node.module == "frazil" and not node.level:  # `from frazil import backends` imports frazil.backends
                for name in names:
                    yield node.lineno, 0, f"frazil.{name}"
            else:
                yield node.lineno, node.level, node.module or ""


def layer_of(module: str) -> str:
    """What an absolute import counts as: the upper layer it belongs to, else its top-level package."""
    return next((upper for upper in UPPER if module == upper or module.startswith(upper + ".")), module.partition(".")[0])


def sources(root: Path) -> list[tuple[str, ast.Module]]:
    return [(path.relative_to(root).as_posix(), ast.parse(path.read_text())) for _, path in python_files(root)]


def complaints(file: str, tree: ast.Module) -> list[str]:
    """What is wrong with the imports of one file."""
    folder = file.partition("/")[0]
    own = "frazil" if folder == "core" else f"frazil.{folder}"
    depth = file.count("/")  # how many dots stay inside the folder
    found = []
    for line, level, module in imports(tree):
        layer = layer_of(module)
        if level:
            if level > depth:
                found.append(f"{file}:{line}: a relative import leaves the folder: write `frazil.` across folders")
        elif layer == own:
            found.append(f"{file}:{line}: imports {module}: write a relative import inside a folder")
        elif layer not in ALLOWED[folder] and layer not in sys.stdlib_module_names:
            found.append(f"{file}:{line}: {folder} may not import {module}")
    if folder == "core" and file not in SANCTIONED:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in UPPER:
                found.append(f"{file}:{node.lineno}: core may load {node.value} by name only in {', '.join(sorted(SANCTIONED))}")
    return found


def test_imports_point_one_way(root):
    found = [complaint for file, tree in sources(root) for complaint in complaints(file, tree)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("core/tensor.py", "import frazil.backends.numpy", "core may not import frazil.backends.numpy"),
        ("core/tensor.py", "from frazil import plugins", "core may not import frazil.plugins"),
        ("core/tensor.py", "def f():\n    import onnx", "core may not import onnx"),
        ("core/tensor.py", "from frazil.device import device", "write a relative import inside a folder"),
        ("core/tensor.py", "importlib.import_module('frazil.plugins')", "core may load frazil.plugins by name only in"),
        ("core/tensor.py", "from .. import backends", "a relative import leaves the folder"),
        ("backends/numpy/conv.py", "from ...core import device", "a relative import leaves the folder"),
        ("backends/numpy/conv.py", "from frazil.exporters import onnx", "backends may not import frazil.exporters"),
        ("exporters/onnx/emit.py", "import frazil.plugins", "exporters may not import frazil.plugins"),
    ],
)
def test_a_wrong_import_is_noticed(file, code, complaint):
    assert complaint in "".join(complaints(file, ast.parse(code)))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("core/ops/shape.py", "from ..table import op"),
        ("core/device.py", "importlib.import_module('frazil.plugins')"),
        ("backends/numpy/conv.py", "from frazil.backend import Backend\nfrom .pool import x\nimport numpy.linalg, os.path"),
        ("plugins/manager.py", "from frazil import config\nfrom frazil.exporters import onnx"),
    ],
)
def test_a_right_import_is_not(file, code):
    assert not complaints(file, ast.parse(code))
