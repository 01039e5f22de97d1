"""core is a tower: its files import downwards, in the order of the table in core/README.md. Read by `.ci/imports.py`."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

#: The one knot: a Tensor is everybody's friend, and some of its methods call functions of higher floors.
KNOT = "core/tensor.py"
#: The imports inside functions: (file, what it imports) -> why it cannot stand at the top.
LAZY = {
    "core": {
        (KNOT, "core/alias.py"): "`detach`, `data` delegate to a higher floor",
        (KNOT, "core/autograd/engine.py"): "`backward`, `retain_grad`, `register_hook` delegate to a higher floor",
        (KNOT, "core/creation.py"): "`Tensor(...)`, NumPy arrays as operands, pickles delegate to a higher floor",
        (KNOT, "core/sparse.py"): "`to_sparse` delegates to a higher floor, which only programs with sparse tensors load",
        (KNOT, "core/transfer.py"): "`to` delegates to a higher floor",
        ("core/config.py", "core/config_files.py"): "loads pathlib and tomllib, a tenth of the time that `import frazil` takes",
        ("core/einops_support/__init__.py", "core/einops_support/backend.py"): "defined when einops has been imported",
        ("core/einops_support/__init__.py", "core/einops_support/layers.py"): "loads nn, which only programs with layers need",
        ("core/recorder/trace.py", "core/drawing.py"): "loads an exporter, which only `show` needs",
        ("core/testing/__init__.py", "core/testing/conformance.py"): "needs pytest",
    },
    "exporters": {
        ("exporters/drawing/__init__.py", "exporters/drawing/models.py"): "needs onnx, which drawings of programs do not",
    },
    "plugins": {
        ("plugins/manager.py", "exporters/onnx/lowerings/__init__.py"): "needs onnx, which only exports do",
        ("plugins/commands/run.py", "exporters/onnx/bisect.py"): "needs onnxruntime, which only `--compare` does",
        ("plugins/manager.py", "core/__init__.py"): "the version, while frazil is being imported",
    },
}


@pytest.fixture(scope="module")
def imports(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("imports", root / ".ci" / "imports.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["imports"] = importlib.util.module_from_spec(spec)  # a NamedTuple looks there for its module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["imports"]


@pytest.fixture(scope="module")
def sources(imports: Any, root: Path) -> dict[str, ast.Module]:
    return imports.files(root)


@pytest.fixture(scope="module")
def arrows(imports: Any, sources: dict[str, ast.Module]) -> Any:
    return imports.arrows(sources)


@pytest.fixture(scope="module")
def tower(imports: Any, root: Path) -> Any:
    return imports.floors((root / "core/README.md").read_text(encoding="utf-8"))


def complaints(imports: Any, every: Any, tower: Any) -> list[str]:
    """What is wrong with the imports of the whole tree."""
    found = [arrow for arrow in every if not (arrow.file == KNOT and arrow.lazy)]
    wrong = [f"a circle: {' '.join(circle)}" for circle in imports.circles(found)]
    wrong += [f"{a.file}:{a.line} imports {a.imported}, which is on a higher floor" for a in imports.upward(found, tower)]
    lazy = [arrow for arrow in every if arrow.lazy]
    excused = {(a.file, a.line) for allowed in LAZY.values() for a in lazy if (a.file, a.imported) in allowed}
    for a in lazy:
        if a.file.startswith(tuple(LAZY)) and (a.file, a.line) not in excused:
            wrong.append(f"{a.file}:{a.line} imports {a.imported} inside a function: move it to the top")
    return wrong


def test_imports_point_down_the_floors_of_core(imports, arrows, tower):
    assert not complaints(imports, arrows, tower)


def test_every_file_of_core_is_on_a_floor(imports, sources, tower):
    assert not [file for file in sources if file.startswith("core/") and imports.floor_of(file, tower) is None]


def test_the_list_of_lazy_imports_is_short_and_holds_nothing_that_is_gone(arrows):
    lazy = {(arrow.file, arrow.imported) for arrow in arrows if arrow.lazy}
    for allowed in LAZY.values():
        assert len(allowed) <= 12
        assert not set(allowed) - lazy


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("core/table.py", "from .dispatch import run", "core/table.py:1 imports core/dispatch.py, which is on a higher floor"),
        ("core/table.py", "from .dispatch import run", "a circle: "),
        (
            "core/sizes.py",
            "from .recorder import graph",
            "core/sizes.py:1 imports core/recorder/graph.py, which is on",
        ),
        (
            "core/sizes.py",
            "from .nn.module import Module",
            "core/sizes.py:1 imports core/nn/__init__.py, which is on",
        ),
        (
            "core/ops/shape.py",
            "from .indexing import gather",
            "circle: core/ops/indexing.py core/ops/reduction.py core/ops/shape.py",
        ),
        ("core/ops/shape.py", "def f():\n    from .indexing import gather", "a circle: "),
        ("core/recorder/graph.py", "def f():\n    from ..errors import RecordError", "inside a function: move it to the top"),
        ("exporters/onnx/sizes.py", "from .emit import Emitter", "a circle: exporters/onnx/emit.py exporters/onnx/sizes.py"),
    ],
)
def test_a_wrong_import_is_noticed(imports, sources, arrows, tower, file, line, complaint):
    added = imports.arrows_of(file, ast.parse(line), sources)
    assert complaint in "\n".join(complaints(imports, [*added, *arrows], tower))
