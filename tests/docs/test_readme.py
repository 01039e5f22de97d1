"""What README and CONTRIBUTING show is what happens. (That its plain Python blocks run at all is in tests/test_docs.py.)"""

from __future__ import annotations

import doctest
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FENCE = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks(root: Path) -> list[tuple[str, str, str]]:
    """(language, file name or "", text) of every code block."""
    return FENCE.findall((root / "README.md").read_text())


def printed(program: str, name: str, folder: Path, **variables: str) -> str:
    """What a program prints when it is saved as `name` and run."""
    (folder / name).write_text(program)
    environment = {**os.environ, **variables}
    done = subprocess.run([sys.executable, name], cwd=folder, env=environment, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def agrees(expected: str, found: str) -> bool:
    return doctest.OutputChecker().check_output(expected, found, doctest.ELLIPSIS)


@pytest.mark.slow
def test_the_blocks_print_what_stands_below_them(blocks, tmp_path):
    """A python block without a name goes on where the last one ended; one with a name is a file of its own."""
    seen = ""
    so_far = ""
    checked = 0
    for (language, name, text), (following, _, expected) in itertools.pairwise(blocks):
        if language != "python":
            continue
        if name:
            found = printed(text, name, tmp_path)
        else:
            so_far += text
            everything = printed(so_far, "readme.py", tmp_path)
            found, seen = everything.removeprefix(seen), everything
        if following == "text":
            assert agrees(expected, found), f"the README shows\n{expected}\nand this is printed:\n{found}"
            checked += 1
    assert checked == 6


def test_the_toy_backend_computes_differentiates_trains_and_exports(blocks, tmp_path):
    """The README's class and entry point, installed as pip would."""
    (source,) = (text for _, name, text in blocks if name == "frazil_toy.py")
    (points,) = (text for language, _, text in blocks if language == "toml" and "entry-points" in text)
    (tmp_path / "frazil_toy.py").write_text(source)
    info = tmp_path / "frazil_toy-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frazil-toy\nVersion: 0.1\n")
    group, point = re.findall(r'^\[project.entry-points."([\w.]+)"\]\n(\w+) = "', points)[0]
    value = points.partition('= "')[2].partition('"')[0]
    (info / "entry_points.txt").write_text(f"[{group}]\n{point} = {value}\n")
    program = """
import warnings
import frazil as fz
warnings.simplefilter("ignore")  # what has no kernel takes a detour through the CPU
print(fz.ones(2, device="toy"))
with fz.device("toy"):
    model = fz.nn.Sequential(fz.nn.Linear(3, 8), fz.nn.Tanh(), fz.nn.Linear(8, 1))
    optimizer = fz.optim.Adam(model.parameters(), lr=0.1)
    x = fz.rand(16, 3)
    losses = []
    for _ in range(20):
        loss = fz.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(losses[-1] < losses[0] / 5, fz.onnx.export(model, x, "toy.onnx").checks is not None)
"""
    # The folder holds the installed package and is the current one: both the module and its entry point are found there.
    found = printed(program, "program.py", tmp_path, PYTHONPATH=str(tmp_path))
    assert found == "tensor([1., 1.], device='toy')\nTrue True\n"


def test_links_lead_somewhere(root):
    targets = re.findall(r"\]\(([^)#]+)\)", (root / "README.md").read_text())
    assert "docs/frazil.svg" in targets
    missing = [target for target in targets if "://" not in target and not (root / target).exists()]
    assert not missing


def test_the_operation_in_contributing_is_one(root, tmp_path):
    """Its entry, added to the file it says, differentiates and exports."""
    (entry,) = (
        text
        for language, _, text in FENCE.findall((root / "CONTRIBUTING.md").read_text())
        if language == "python" and "@op" in text
    )
    program = f"""
import frazil as fz
from frazil.ops import activation
exec({entry!r}, vars(activation))
squash = activation.squash
x = fz.tensor([-3.0, 0.5], dtype=fz.float64, requires_grad=True)
print(squash(x, alpha=2.0).tolist(), fz.autograd.gradcheck(squash, (x,)))
print(dict(fz.onnx.export(lambda x: squash(x), fz.ones(3)).operators))
try:
    squash(fz.arange(3))
except fz.errors.DTypeError as error:
    print(error)
"""
    values, operators, refusal = printed(program, "program.py", tmp_path).splitlines()
    assert values == "[-0.42857142857142855, 0.25] True"
    assert "Div" in operators
    assert refusal.startswith("squash: x must be floating")
