"""The type check sees the mapped packages: it notices a mistake in each of them (that it is clean is a step of .ci/run)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

#: A call of core with a wrong type, as each folder would write it.
MISTAKES = {
    "core/planted.py": "from .config import get\n\nget(1)\n",
    "backends/planted.py": "from frazil.config import get\n\nget(1)\n",
    "exporters/planted.py": "from frazil.config import get\n\nget(1)\n",
    "plugins/planted.py": "from frazil.config import get\n\nget(1)\n",
}


def test_a_planted_mistake_is_found_in_every_folder(sources):
    for file, code in MISTAKES.items():
        (sources / file).write_text(code)
    done = subprocess.run([sys.executable, ".ci/typecheck.py"], cwd=sources, text=True, capture_output=True)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert done.returncode == 1
    for file in MISTAKES:
        assert any(line.startswith(f'{file}:3: error: Argument 1 to "get"') for line in errors), errors


#: Six mistakes of a user, and what a type checker must say about each line.
USER = {
    "fz.relluu(x)": "relluu",
    "fz.softplus(x, betta=3)": "betta",
    "x.no_such": "no_such",
    "F.sofmax(x, dim=0)": "sofmax",
    "fz.sum(x, dim=0, keepdim=3.5)": "float",
    "fz.compile.explain(step).calles": "calles",
}
RIGHT = """
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
loss = F.cross_entropy(model(x), fz.tensor([0, 1]))
loss.backward()
optim.Adam(model.parameters(), lr=0.1).step()
for a, b in DataLoader(TensorDataset(x, x), batch_size=2):
    print(a.sum().item(), b.mean(dim=0).shape, a.relu().view(-1).max(), a[0] + 1, 2 * (b > 0))
step = fz.compile(model, engine="numpy")
print(step(x), fz.compile.explain(step, x).recordings[0].engine)
print(fz.onnx.export(model, x), fz.cat([x, x], dim=0), fz.stack((x, x)).float().numpy(), fz.float32, fz.pi)
"""


def test_the_stubs_are_current(root):
    code = "import runpy; made = runpy.run_path('docs/build_types.py')['stubs']()\n"
    code += "print(*(path for path, text in made.items() if path.read_text(encoding='utf-8') != text))"
    old = subprocess.run([sys.executable, "-c", code], cwd=root, text=True, capture_output=True, check=True).stdout.split()
    assert not old, "the op table or the facade has changed: run `python docs/build_types.py`"


def test_a_users_mistakes_are_found_and_nothing_else(sources, tmp_path):
    head = "import frazil as fz\nimport frazil.nn.functional as F\nfrom frazil import nn, optim\n"
    head += "from frazil.utils.data import DataLoader, TensorDataset\n\nx = fz.ones(2, 3)\n"
    script = tmp_path / "script.py"
    script.write_text(head + RIGHT + "\n".join(USER) + "\n")
    subprocess.run([sys.executable, ".ci/typecheck.py", "--version"], cwd=sources, check=True)  # lays the tree of links
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "--config-file=", str(script)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(sources / "build" / "types")},
        text=True,
        capture_output=True,
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    lines = [int(line.split(":")[1]) for line in errors]
    first = (head + RIGHT).count("\n") + 1
    assert lines == list(range(first, first + len(USER))), done.stdout
    assert all(word in line for word, line in zip(USER.values(), errors, strict=True)), errors
