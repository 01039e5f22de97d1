"""Programs of PyTorch's: which of their names are here, and how they run as they stand."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import frazil as fz
from frazil.plugins.commands import main
from frazil.porting import lookup, uses

SCRIPT = """
import sys
import torch, torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.modules.module import Module

torch.manual_seed(int(sys.argv[1]))
model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
x = torch.randn(64, 2)
y = x.sum(1, keepdim=True)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
before = F.mse_loss(model(x), y).item()
for _ in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16):
        optimizer.zero_grad()
        F.mse_loss(model(a), b).backward()
        optimizer.step()
print(torch.__name__, isinstance(model, Module), F.mse_loss(model(x), y).item() < before)
"""
MORE = """
if False:
    torch.sparse_csc_tensor(1); x.ccol_indices(); torch.compile(model); torch.cuda.nvtx; torch.float32.itemsize; torch.relluu
"""


def test_each_name_is_there_or_there_is_a_word_about_it():
    found = {use.name: use for use in uses(SCRIPT + MORE)}
    assert found["torch.nn.Linear"].status == "there" and found["torch.nn.Linear"].lines == (9,)
    assert found["torch.nn.modules.module.Module"].status == "there"
    assert found["torch.float32"].status == "there"
    assert found["torch.compile"].status == "differs" and found["torch.compile"].note
    assert found["torch.cuda.nvtx"].note.startswith("out of scope")
    assert found["Tensor.ccol_indices"].note.startswith("sparse tensors have two layouts")
    assert found["torch.relluu"].note == "did you mean 'relu'?"
    missing = {name for name, use in found.items() if use.status == "missing"}
    assert missing == {"torch.sparse_csc_tensor", "Tensor.ccol_indices", "torch.cuda.nvtx", "torch.relluu"}


def test_names_that_are_no_names_of_pytorch_are_left_alone():
    assert not uses("import numpy as np\ntorch_like = np.torch\nnp.relu(ccol_indices)\nfrom . import torch\n")


def test_the_command_lists_them_and_says_by_its_exit_code_whether_one_is_missing(tmp_path, capsys):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(SCRIPT)
    bad.write_text(SCRIPT + MORE)
    assert main(["port", str(good)]) == 0
    assert "0 missing" in capsys.readouterr().out
    assert main(["port", str(bad)]) == 1
    shown = capsys.readouterr().out
    assert "torch.cuda.nvtx" in shown and "nn.Linear" not in shown
    assert main(["port", "--json", str(bad)]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {"status": "there", "name": "torch.nn.ReLU", "lines": "9", "note": ""} in rows
    bad.write_text("def (")
    assert main(["port", str(bad)]) == 2
    assert "no Python program" in capsys.readouterr().err


def test_a_script_runs_as_it_stands(tmp_path, run_python):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    code = f"import sys; from frazil.plugins.commands import main; sys.exit(main(['run-torch', {str(script)!r}, '3']))"
    assert run_python(code).stdout.split() == ["torch", "True", "True"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("torch.ones(2) + torch.ones(3)", "ShapeError: add: "),
        ("open('nowhere.txt')", "FileNotFoundError: "),
        ("raise KeyError('mine')", "KeyError: 'mine'"),
    ],
)
def test_what_a_script_raises_is_shown_with_its_lines(line, told, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(f"import torch\n\ndef step():\n    {line}\n\nstep()\n")
    done = subprocess.run(
        [sys.executable, "-m", "frazil", "run-torch", str(script)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Traceback (most recent call last):" in done.stderr and "line 6, in <module>" in done.stderr
    assert "line 4, in step" in done.stderr and told in done.stderr and "run_torch.py" not in done.stderr


def test_what_is_missing_says_so_when_a_script_runs(run_python):
    code = """
from frazil.porting import torch_is_frazil
torch_is_frazil(); torch_is_frazil()
import torch, torch.nn.functional, torch.utils.data as d
import frazil as fz
assert torch is fz and torch.nn.functional is fz.nn.functional and d is fz.utils.data
assert fz.nn.functional.__spec__.name == "frazil.nn.functional"
for line in ("import torch._inductor", "from torch.distributed.fsdp import wrap", "import torch.utils.cpp_extension"):
    try: exec(line)
    except ImportError as error: print(error)
"""
    lines = run_python(code).stdout.strip().splitlines()
    assert len(lines) == 3 and "out of scope" in lines[1] and "out of scope" in lines[2]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torch.cuda.nvtx", "out of scope"),
        ("torch.distributed.fsdp.wrap", "one process"),
        ("torch.nn.Linaer", "did you mean 'Linear'"),
    ],
)
def test_an_attribute_that_is_missing_says_whether_it_is_planned(name, said):
    with pytest.raises(AttributeError, match=said):
        lookup(name) if not name.startswith("Tensor") else getattr(fz.ones(1), name.partition(".")[2])


def test_libraries_find_the_version_and_the_inside_of_pytorch(run_python):
    code = """
import importlib.metadata
from frazil.porting import torch_is_frazil
torch_is_frazil()
import torch
import torch.torch
from torch._subclasses.fake_tensor import is_fake
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.utils import _pytree
from torch._dynamo import disable
assert torch.__version__ == torch.version.__version__ == importlib.metadata.version("torch")
assert tuple(map(int, torch.__version__.split("+")[0].split("."))) >= (2, 0)
from torch.ao.quantization import QuantStub, DeQuantStub, ObserverBase
from torch.onnx import symbolic_opset9, symbolic_opset11
from torch.onnx.symbolic_helper import parse_args
from torch.distributed import nn as across_processes
import torch._custom_ops, torch.library
x = torch.ones(2)
assert DeQuantStub()(QuantStub()(x)) is x and not isinstance(QuantStub(), ObserverBase)
assert parse_args("v")(len) is len and torch._custom_ops.get_ctx is torch.library.get_ctx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.jit import TracerWarning, _get_trace_graph
from torch._higher_order_ops.associative_scan import associative_scan
from torch._C import Graph, Node, Value
class Counting(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None): return func(*args)
for refused in (Counting().__enter__, lambda: _get_trace_graph(torch.relu, x)):
    try: refused()
    except NotImplementedError as error: assert "flop_counter" in str(error)
    else: raise SystemExit("not refused")
assert associative_scan(torch.add, x, 0).tolist() == [1.0, 2.0] and not isinstance(x, (Graph, Node, Value))
try: torch.ops.load_library("lib.so")
except OSError as error: assert "custom_op" in str(error)
try: across_processes.all_reduce(x)
except NotImplementedError as error: assert "one process" in str(error)
assert torch.torch.Tensor is torch.Tensor and not is_fake(torch.ones(1)) and get_proxy_mode() is None
print("as one")
"""
    result = run_python(code)
    assert result.stdout.strip() == "as one", result.stderr
