"""What PyTorch programs begin with, and ask of the library around their models: the same lines run in both libraries.

`out` is compared where a program sets it: numbers, texts, tensors.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import textwrap
import warnings
from pathlib import Path
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
    "devices and processes": """
        import torch.nn.parallel
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel as DDP
        from torch.distributed import init_process_group, destroy_process_group
        rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
        net = torch.nn.DataParallel(torch.nn.Linear(2, 1, bias=False))
        net.load_state_dict({"module.weight": torch.tensor([[2.0, 3.0]])})
        x = torch.ones(3, 2)
        out = [rank, list(net.state_dict()), net(x), net.module.weight]
    """,
    "indices of devices": """
        out = [torch.device("cpu").index, torch.ones(2).device.index, torch.device("cuda:1").index, torch.device("cuda", 0).index]
    """,
    "paddings that are tensors": """
        small, big = torch.ones(1, 1, 3, 2), torch.ones(1, 1, 4, 5)
        high = torch.tensor([big.size(2) - small.size(2)])
        wide = torch.tensor([big.size(3) - small.size(3)])
        pad = torch.nn.functional.pad
        out = [pad(small, [wide // 2, wide - wide // 2, high // 2, high - high // 2]), pad(big, [-high, -high])]
    """,
    "speed": """
        torch.set_float32_matmul_precision("high")
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(False)
        @torch.compile(disable=True)
        def f(x):
            return x * 2
        out = [f(torch.ones(2)), torch.get_num_threads(), torch.get_float32_matmul_precision(),
               torch.are_deterministic_algorithms_enabled()]
        torch.set_float32_matmul_precision("highest")
    """,
    "old names of initialisations": """
        import torch.nn.init as init
        a, b = torch.empty(3, 3), torch.empty(2, 4, 1, 1)
        init.constant(a, 0.5)
        init.eye(b.view(2, 4))
        out = [a.clone(), b, init.xavier_uniform(a) is a]
    """,
    "shares of a dataset": """
        import torch.multiprocessing as mp
        import torch.utils.data.distributed
        from torch.utils.data.distributed import DistributedSampler
        out = [mp.get_start_method(allow_none=True)]
        for size, count, drop in [(10, 3, False), (10, 3, True), (2, 5, False), (6, 2, True)]:
            for rank in range(count):
                sampler = DistributedSampler(range(size), count, rank, shuffle=False, drop_last=drop)
                sampler.set_epoch(3)
                out.append([list(sampler), len(sampler)])
        shuffled = [torch.utils.data.DistributedSampler(range(9), 3, rank, seed=1) for rank in range(3)]
        out.append(sorted(i for sampler in shuffled for i in sampler))
    """,
    "checkpoints of activations": """
        from torch.utils.checkpoint import checkpoint, checkpoint_sequential
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = checkpoint(lambda a, b: a.exp() * b, x, x, use_reentrant=False)
        z = checkpoint_sequential([torch.sin, torch.exp], 2, y, use_reentrant=False)
        z.sum().backward()
        out = [z, x.grad]
    """,
    "checkpoints run the function twice": """
        from torch.utils.checkpoint import checkpoint, checkpoint_sequential
        out = []
        for reentrant in (True, False):
            norm, runs = torch.nn.BatchNorm1d(2), []
            def block(x):
                runs.append(torch.is_grad_enabled())
                return norm(x).relu() * x
            x = torch.tensor([[1.0, 5.0], [2.0, -1.0], [4.0, 0.5]], requires_grad=True)
            y = checkpoint(block, x, use_reentrant=reentrant)
            out += [y, norm.running_mean.clone(), len(runs)]
            y.sum().backward()
            out += [x.grad, norm.weight.grad, norm.running_mean, norm.running_var, norm.num_batches_tracked, len(runs), runs[-1]]
            with torch.no_grad():
                checkpoint(block, x, use_reentrant=reentrant)
            out.append(len(runs))
        calls = [0, 0, 0]
        def layer(n):
            def run(x):
                calls[n] += 1
                return x.sin() * (n + 1)
            return run
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = checkpoint_sequential([layer(n) for n in range(3)], 2, x, use_reentrant=False).sum()
        y.backward(retain_graph=True)
        out += [list(calls), x.grad.clone()]
        y.backward()
        out += [list(calls), x.grad]
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = checkpoint(lambda v: checkpoint(lambda w: w.exp() * w, v, use_reentrant=False).sin() * v, x, use_reentrant=False)
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        out += [g, *torch.autograd.grad(g.sum(), x)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = checkpoint(lambda v: (v @ v.T).float().exp(), x[None], use_reentrant=False)
        out += [y, *torch.autograd.grad(y.sum(), x)]
    """,
    "points that fill a cube": """
        from torch.quasirandom import SobolEngine
        out = []
        for dimension in (1, 3, 40):
            engine = SobolEngine(dimension)
            out += [engine.draw(5), engine.draw(2, dtype=torch.float64), engine.num_generated, repr(engine)]
            out += [engine.reset().draw(), engine.fast_forward(6).draw(2), SobolEngine(dimension).draw_base2(3)]
        into = torch.empty(0)
        engine.draw(3, out=into)
        scrambled = SobolEngine(2, scramble=True, seed=4)
        points = scrambled.draw(16)
        out += [into, repr(scrambled), points.shape, (points * 16).floor().sort(0)[0], SobolEngine.MAXDIM]
        for wrong in (lambda: SobolEngine(0), lambda: SobolEngine(21202), lambda: engine.draw_base2(2)):
            try:
                wrong()
            except ValueError as error:
                out.append(str(error)[:60])
    """,
    "products of sparse matrices that stay sparse": """
        a = torch.sparse_coo_tensor([[1, 2, 1], [0, 1, 1]], [2.0, 3.0, 1.0], (4, 2))
        b = torch.tensor([[1.0, 0.0, 2.0], [2.0, 0.0, -1.0]])
        s, h = torch.smm(a, b).coalesce(), torch.hspmm(a, b)
        out = [s.to_dense(), s.indices(), s.values(), h.to_dense(), h._indices(), h._values(), s.shape, h.shape]
    """,
    "loss scaling": """
        w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
        out = []
        for factor in [1.0, float("inf"), 2.0, 3.0, 1.0]:
            optimizer.zero_grad()
            with torch.autocast(device_type="cpu", enabled=False):
                loss = (w * w).sum() * factor
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_([w], 1.5)
            scaler.step(optimizer)
            scaler.update()
            out += [w.clone(), scaler.get_scale()]
        out.append(scaler.state_dict())
        other = torch.amp.GradScaler("cpu")
        other.load_state_dict(scaler.state_dict())
        out.append(other.get_scale())
        out.append(torch.cuda.amp.GradScaler(enabled=False).state_dict())
        with torch.cuda.amp.autocast(enabled=False):
            out.append(torch.ones(2))
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


def test_what_is_missing_is_told():
    with pytest.raises(NotImplementedError, match=r"init_process_group: frazil trains in one process"):
        fz.distributed.init_process_group("nccl")
    with pytest.raises(AttributeError, match="no attribute 'init'"):
        _ = fz.distributed.init
    scaler, optimizer = fz.amp.GradScaler("cpu"), fz.optim.SGD([fz.zeros(1, requires_grad=True)])
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)


def test_processes_are_spawned():
    fz.multiprocessing.spawn(divmod, (2,), nprocs=2)
    with pytest.raises(RuntimeError, match="process 0 ended with exit code 1"):
        fz.multiprocessing.spawn(divmod, (0,), nprocs=2)


def test_weights_are_downloaded_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAZIL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fz.hub, "_DIR", [])
    theirs = torch.nn.Linear(3, 2)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    good, bad = tmp_path / f"net-{digest[:8]}.pth", tmp_path / "net-00000000.pth"
    for path in (good, bad):
        shutil.copy(tmp_path / "w.pth", path)
    ours = fz.nn.Linear(3, 2)
    ours.load_state_dict(fz.hub.load_state_dict_from_url(good.as_uri(), check_hash=True))
    np.testing.assert_array_equal(ours.weight.detach().numpy(), theirs.weight.detach().numpy())
    good.unlink()  # it is kept
    again = fz.utils.model_zoo.load_url(good.as_uri(), map_location="cpu")
    assert list(again) == ["weight", "bias"]
    with pytest.raises(RuntimeError, match="begins with .*, not with 00000000; nothing was kept"):
        fz.hub.load_state_dict_from_url(bad.as_uri(), check_hash=True)
    assert [path.name for path in (tmp_path / "home/hub/checkpoints").iterdir()] == [good.name]
