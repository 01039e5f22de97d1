"""PyTorch's programs here: which of the names that a script uses are there (`uses`), and `torch` as another name of frazil."""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .func.scans import associative_scan
from .nn import Identity
from .nn.module import Module
from .optim.lr_scheduler import LRScheduler
from .optim.optimizer import Optimizer
from .spelling import reason
from .tensor import Tensor

#: Names that are there and mean something else: PyTorch's name -> what the difference is.
DIFFERENCES = {
    "torch.compile": "records a function once per signature and replays it; mode and backend are names of frazil's engines",
    "torch.jit.script": "the function stays Python; only its control flow over tensors is rewritten, for recordings",
    "torch.jit.trace": "gives a frazil Program, with symbolic sizes",
    "torch.jit.freeze": "a copy without gradients, whose parameters are still parameters",
    "torch.jit.save": "writes recorded programs in frazil's own form; a scripted module is recorded first, by trace",
    "torch.jit.load": "reads what fz.jit.save wrote; TorchScript archives are refused",
    "torch.onnx.export": "records and verifies against the program; all sizes are free unless told; opsets are 21 and above",
    "torch.__version__": "is frazil's own where the import is changed; under `frazil run-torch` the version that is followed",
    "torch.manual_seed": "the numbers are other ones than PyTorch's, and the same on every device",
    "torch.load": "makes tensors and plain data only, whatever weights_only says",
    "torch.save": "writes safetensors, or PyTorch's own format for .pt and .pth; no code is stored",
    "torch.nn.DataParallel": "runs on the one device where the module is",
    "torch.nn.parallel.DistributedDataParallel": "raises: frazil trains in one process",
    "torch.nn.SyncBatchNorm": "is BatchNorm: there is one process",
    "torch.cuda.set_device": "accepted for device 0 only; name others where you mean them",
    "torch.set_num_threads": "has no effect; set OMP_NUM_THREADS before the program starts",
    "torch.backends.cudnn.benchmark": "may be set, and has no effect",
    "torch.channels_last": "accepted; the backend decides on layouts",
    "torch.utils.data.DataLoader": "workers get copies of the data set, and random numbers of their own",
}
#: Methods of PyTorch's tensors that are known by their names alone: `x.name(...)` of an object of unknown type.
_METHODS = (
    "addbmm_ addr_ angle as_strided as_strided_ ccol_indices coalesce col_indices crow_indices cummax cummin dequantize digamma "
    "erfinv frexp gcd geqrf get_device histogram i0 igamma imag index_reduce is_coalesced is_conj is_shared lcm lgamma "
    "logcumsumexp lu lu_solve matrix_exp mvlgamma nanmedian nanquantile nextafter ormqr polygamma record_stream "
    "register_post_accumulate_grad_hook resize_ resize_as_ row_indices set_ smm sparse_dim sparse_mask stft istft "
    "sum_to_size to_mkldnn to_sparse to_sparse_coo to_sparse_csr triangular_solve untyped_storage"
).split()


class Use(NamedTuple):
    """A name of PyTorch's in a program: where it stands, whether it is here, and what there is to say about it."""

    name: str
    lines: tuple[int, ...]
    status: str  # "there", "differs" or "missing"
    note: str


def lookup(name: str) -> Any:
    """The object that PyTorch's `name` (`torch.nn.Linear`, `Tensor.relu`) is here; AttributeError with what to use instead.

    >>> import frazil as fz
    >>> from frazil.porting import lookup
    >>> lookup("torch.nn.functional.relu") is fz.nn.functional.relu
    True
    """
    first, *parts = name.split(".")
    bases = {"Tensor": Tensor, "Module": Module, "Optimizer": Optimizer, "LRScheduler": LRScheduler}
    found: Any = bases.get(first) or sys.modules["frazil"]
    path = "frazil"
    for part in parts:
        path = f"{path}.{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            if not isinstance(found, ModuleType):
                raise
            try:
                found = importlib.import_module(path)
            except ModuleNotFoundError:
                why = reason(f"torch.{path.removeprefix('frazil.')}")
                if why:
                    raise AttributeError(f"module {path.rpartition('.')[0]!r} has no attribute {part!r}: {why}") from None
                getattr(found, part)  # says which name is near
    return found


def checked(name: str, lines: Sequence[int] = ()) -> Use:
    """Return what there is to say about a name of PyTorch's.

    >>> from frazil.porting import checked
    >>> checked("torch.relu").status, checked("torch.quantization").status
    ('there', 'missing')
    """
    try:
        lookup(name)
    except AttributeError as error:
        said = str(error)
        return Use(name, tuple(lines), "missing", reason(name) or said.partition(": ")[2] or said.partition("; ")[2])
    note = next((text for key, text in DIFFERENCES.items() if name == key or name.startswith(f"{key}.")), "")
    return Use(name, tuple(lines), "differs" if note else "there", note)


def uses(source: str, filename: str = "<program>") -> list[Use]:
    """The names of PyTorch's that a program uses, which is read and not run.

    >>> from frazil.porting import uses
    >>> for use in uses("import torch.nn as nn\\nlayer = nn.Linear(2, 3)\\ny = layer(x).smm(w)"): print(use.name, use.status)
    torch.nn there
    torch.nn.Linear there
    Tensor.smm missing
    """
    reader = _Reader()
    reader.visit(ast.parse(source, filename))
    return [checked(name, lines) for name, lines in sorted(reader.found.items(), key=lambda item: (item[1][0], item[0]))]


class _Reader(ast.NodeVisitor):
    """Collects dotted names that begin with something imported from torch."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # name in the program -> what it is
        self.found: dict[str, list[int]] = {}

    def _note(self, name: str, line: int) -> None:
        lines = self.found.setdefault(name, [])
        if line not in lines:
            lines.append(line)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] == "torch":
                self.names[alias.asname or "torch"] = alias.name if alias.asname else "torch"
                if alias.name != "torch":
                    self._note(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level == 0 and module.split(".")[0] == "torch":
            for alias in node.names:
                if alias.name != "*":
                    self.names[alias.asname or alias.name] = f"{module}.{alias.name}"
                    self._note(f"{module}.{alias.name}", node.lineno)

    def _dotted(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            before = self._dotted(node.value)
            return None if before is None else f"{before}.{node.attr}"
        return None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._dotted(node)
        if name is not None:
            self._note(_without_members(name), node.lineno)
            return
        if node.attr in _METHODS and not hasattr(Tensor, node.attr):
            self._note(f"Tensor.{node.attr}", node.lineno)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        name = self.names.get(node.id)
        if name not in (None, "torch") and isinstance(node.ctx, ast.Load):
            self._note(str(name), node.lineno)


def _without_members(name: str) -> str:
    """The part of a dotted name up to the first class, function or value: `torch.float32.itemsize` is `torch.float32`."""
    parts = name.split(".")
    for i in range(2, len(parts)):
        try:
            if not isinstance(lookup(".".join(parts[:i])), ModuleType):
                return ".".join(parts[:i])
        except AttributeError:
            return ".".join(parts[:i])
    return name


#: What a program that asks for PyTorch's version is told: the version whose names and meanings are followed.
FOLLOWED = "2.13.0+frazil"


class _Distribution(importlib.metadata.Distribution):
    """What `importlib.metadata.version("torch")` reads, by which libraries decide what PyTorch has."""

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {FOLLOWED}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return Path(__file__).parent / path


class _OfSeveralProcesses(Optimizer):
    """Optimisers that share their state among processes: libraries ask whether one is of these, and none is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "frazil trains in one process, fz.distributed.is_available() is False: take the optimizer itself"
        )


class _DispatchMode:
    """What libraries derive from to see PyTorch's own operators: it can be named, and is refused where it is entered."""

    def __enter__(self) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} is a TorchDispatchMode, which sees PyTorch's operators, and there are none: "
            "fz.overrides.TorchFunctionMode sees the calls of a program, fz.utils.flop_counter.FlopCounterMode counts products"
        )

    def __exit__(self, *_: object) -> None: ...


class _Stub(Identity):
    """The mark in a model of where numbers are to be quantised: until `convert`, which is not here, it gives what it is given."""

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()


#: Modules of PyTorch's inside that libraries import for a question, and what they ask for: nothing is fake, a proxy or quantised.
STAND_INS: dict[str, dict[str, Any]] = {
    "torch._subclasses": {},
    "torch.utils._python_dispatch": {
        "TorchDispatchMode": _DispatchMode,
        "is_traceable_wrapper_subclass": lambda t: False,
    },
    "torch.ao": {},
    "torch.ao.quantization": {"QuantStub": _Stub, "DeQuantStub": _Stub}
    | {name: type(name, (Module,), {}) for name in ("FakeQuantizeBase", "ObserverBase")},
    "torch._subclasses.fake_tensor": {"is_fake": lambda x: False},
    "torch.fx.experimental": {},
    "torch.fx.experimental.proxy_tensor": {"get_proxy_mode": lambda: None},
    "torch._higher_order_ops": {},
    "torch._higher_order_ops.associative_scan": {"associative_scan": associative_scan},
    "torch.distributed.nn": {},
    "torch.distributed.optim": {"ZeroRedundancyOptimizer": _OfSeveralProcesses},
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports `torch` and what is below it as frazil and what is below that."""

    def find_distributions(self, context: Any = None) -> list[importlib.metadata.Distribution]:
        return [_Distribution()] if context is not None and context.name == "torch" else []

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname.split(".")[0] not in ("torch", "functorch"):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        if spec.name in STAND_INS:
            module = ModuleType(spec.name)
            vars(module).update(STAND_INS[spec.name])
            self._before = spec
            return module
        try:
            name = f"torch.{spec.name}" if spec.name.startswith("functorch") else spec.name
            found = lookup(name) if name != "torch" else sys.modules["frazil"]
        except AttributeError as error:
            raise ModuleNotFoundError(f"No module named {spec.name!r}: {error}", name=spec.name) from None
        if not isinstance(found, ModuleType) and not hasattr(found, "__dict__"):
            raise ModuleNotFoundError(f"No module named {spec.name!r}; it is a name of frazil, but no module", name=spec.name)
        self._before = getattr(found, "__spec__", None)
        return found

    def exec_module(self, module: Any) -> None:
        module.__spec__ = self._before  # the import has put the one of `torch` there


def torch_is_frazil() -> None:
    """Let `import torch` in this process give frazil, from now on; not where PyTorch itself has been imported.

    `torch.__version__` is PyTorch's, whose names and meanings are followed, for libraries decide by it.

    >>> from frazil.porting import torch_is_frazil
    """
    if "torch" in sys.modules and sys.modules["torch"] is not sys.modules["frazil"]:
        raise ImportError("torch has been imported already: call torch_is_frazil() before")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        frazil: Any = sys.modules["frazil"]
        frazil.torch = frazil  # `torch.torch.Tensor`, as some write
        frazil.__name__ = "torch"  # libraries compare it with the names they patch
        frazil.__version__ = frazil.version.__version__ = FOLLOWED
