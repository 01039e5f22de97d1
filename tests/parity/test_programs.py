"""What PyTorch programs begin with, and ask of the library around their models: the same lines run in both libraries.

`out` is compared where a program sets it: numbers, texts, tensors.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

PROGRAMS = {
    "switches": """
        import torch.backends.cudnn as cudnn
        cudnn.benchmark = True
        torch.backends.cudnn.deterministic = False
        torch.backends.cuda.matmul.allow_tf32 = False
        out = [torch.backends.mps.is_available(), torch.cuda.is_available()]
    """,
    "gradient penalty": """
        import torch.autograd as autograd
        x = torch.tensor([[1.0, 2.0], [0.5, -1.0]], requires_grad=True)
        y = (x ** 3).sum(1)
        g = autograd.grad(outputs=y, inputs=x, grad_outputs=torch.ones(2), create_graph=True, only_inputs=True)[0]
        penalty = ((g.norm(2, dim=1) - 1) ** 2).mean()
        penalty.backward()
        out = [penalty, x.grad]
    """,
    "torchscript's decorators": """
        class Net(torch.nn.Module):
            size: torch.jit.Final[int]
            @torch.jit.unused
            def helper(self, x): return x + 1
            @torch.jit.ignore
            def other(self, x): return x * 2
            @torch.jit.ignore(drop=True)
            def dropped(self, x): return x - 1
            @torch.jit.export
            def exported(self, x): return x
            def forward(self, x):
                if not torch.jit.is_scripting() and not torch.jit.is_tracing():
                    x = self.dropped(self.other(self.helper(x)))
                return torch.jit.annotate(torch.Tensor, x)
        out = Net()(torch.ones(2))
    """,
}


def ported(program: str) -> str:
    """The program with its imports changed, as somebody would who moves to frazil."""
    program = re.sub(r"\bimport torch\.", "import frazil.", program)
    return re.sub(r"\bfrom torch\b", "from frazil", program)


def results(program: str, library: Any) -> list[Any]:
    namespace: dict[str, Any] = {"torch": library}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of names that are old
        exec(textwrap.dedent(program), namespace)
    out = namespace["out"]
    return out if isinstance(out, list) else [out]


def plain(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else value


@pytest.mark.parametrize("name", PROGRAMS)
def test_runs_after_changing_the_import(name):
    ours, theirs = results(ported(PROGRAMS[name]), fz), results(PROGRAMS[name], torch)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = plain(a), plain(b)
        assert isinstance(a, np.ndarray) == isinstance(b, np.ndarray)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        else:
            assert a == b
