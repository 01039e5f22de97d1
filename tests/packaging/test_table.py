"""The op table is complete after `import frazil`, and the same whatever was imported before and after."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from frazil.ops.names import SECOND_NAMES
from frazil.table import METHODS

TOLD = """
from frazil.table import FUNCTIONS, METHODS, OPS
print(*sorted(f"{op.kind} {name}" for name, op in OPS.items()), *sorted(FUNCTIONS), *sorted(METHODS))
"""


@pytest.mark.parametrize(
    "before",
    [
        "import frazil.testing.conformance, frazil.script, frazil.recorder.trace, frazil.transfer, frazil.linalg, frazil.ops",
        "import frazil as fz; fz.jit.trace(lambda x: x * x.shape[0], fz.ones(3)); fz.nn, fz.optim, fz.onnx",
        "import frazil.sizes, frazil.autograd.function, frazil.creation, frazil.ops.recurrent",
    ],
)
def test_the_table_is_the_same_in_every_order_of_imports(run_python, before):
    plain, other = (run_python(f"{code}\n{TOLD}") for code in ("import frazil", before))
    assert plain.stdout and other.stdout == plain.stdout, other.stderr


def test_a_second_name_stands_in_one_place(root: Path):
    twice = []
    for path in sorted((root / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "methods" and isinstance(node.value, ast.List):
                names = [element.value for element in node.value.elts if isinstance(element, ast.Constant)]
                twice += [f"{path.name}:{node.value.lineno} {name}" for name in names if name in SECOND_NAMES]
    assert not twice, "core/ops/names.py already makes them methods"


def test_second_names_are_the_first_ones_in_place_too():
    wrong = [s for s, first in SECOND_NAMES.items() if METHODS.get(s, METHODS.get(first)) is not METHODS.get(first)]
    wrong += [s + "_" for s, first in SECOND_NAMES.items() if METHODS.get(s + "_") is not METHODS.get(first + "_")]
    assert not wrong
