"""Names that are nearly right: "did you mean ...?" for attributes of modules and keywords of classes and functions.

All of it runs only once something has gone wrong; a call that is right takes no detour but one `try`.
"""

from __future__ import annotations

import importlib
import inspect
import opcode
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, TypeVar

from .errors import ArgumentError, DimError, FrazilError, ShapeError
from .places import places

T = TypeVar("T")


def shown_as(call: Callable[..., Any], fn: Callable[..., Any]) -> Callable[..., Any]:
    """`functools.wraps` with a tenth of its calls: an import makes dozens of them."""
    call.__name__, call.__qualname__, call.__module__, call.__doc__ = fn.__name__, fn.__qualname__, fn.__module__, fn.__doc__
    call.__wrapped__ = fn  # type: ignore[attr-defined]
    return call


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'relu'?`, or nothing where no name is near.

    >>> from frazil.spelling import nearest
    >>> nearest("relluu", ["relu", "tanh"]), nearest("x", ["relu"])
    ("; did you mean 'relu'?", '')
    """
    import difflib

    folded = {known.lower(): known for known in sorted(names, reverse=True)}
    near = difflib.get_close_matches(name[:100].lower(), folded, 1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


#: Names of PyTorch's that are not here -> whether they are planned or out of scope, and what to use instead. A name stands for
#: all that is below it.
WHY = {
    "Tensor.record_stream": "out of scope: a device computes in order, and copies wait for it",
    "Tensor.eig Tensor.symeig Tensor.solve Tensor.lstsq Tensor.reinforce": (
        "PyTorch has removed it, too; fz.linalg has eig, eigh, solve and lstsq, fz.distributions has log_prob"
    ),
    "torch.cuda.memory_summary torch.cuda.memory_snapshot": (
        "out of scope: fz.cuda.memory_allocated() and mem_get_info() say what is used now"
    ),
    "torch.cuda.nvtx torch.cuda.comm torch.cuda.nccl": ("out of scope: it is of CUDA's inside; fz.compile records whole steps"),
    "torch.distributed.rpc torch.distributed.fsdp torch.distributed.tensor torch.distributed.pipelining torch.distributed.optim "
    "torch.distributed.autograd torch.distributed.checkpoint torch.distributed.elastic": (
        "out of scope: frazil trains in one process"
    ),
    "torch.fx.experimental": (
        "out of scope: tracers of PyTorch's own operators; fz.fx.symbolic_trace and fz.jit.trace record programs"
    ),
    "torch.export": "out of scope: programs are recorded by running them, fz.jit.trace, fz.export.export and fz.onnx.export",
    "torch.onnx": "out of scope: fz.onnx.lowering and export(lowerings={op name: lowering}) say how an op is written",
    "torch.utils.cpp_extension": "out of scope: write a backend's kernel, or an autograd.Function",
    "torch.library torch.ops": "out of scope: operators are written in Python, by fz.library.custom_op",
    "torch.overrides.get_overridable_functions torch.overrides.resolve_name": (
        "planned; fz.fx.symbolic_trace shows the calls of a program, fz.jit.trace(...).graph its operations"
    ),
    "torch._inductor": "out of scope: fz.compile has engines of its own",
    "torch.autograd.graph.allow_mutation_on_saved_tensors": "planned; .clone() keeps what is changed in place later",
    "Tensor.sparse_resize_ Tensor.ccol_indices Tensor.row_indices Tensor.to_sparse_csc Tensor.to_sparse_bsr "
    "Tensor.to_sparse_bsc torch.sparse_csc_tensor torch.sparse_bsr_tensor torch.sparse_bsc_tensor "
    "torch.sparse_compressed_tensor": ("sparse tensors have two layouts: fz.sparse_coo_tensor and fz.sparse_csr_tensor"),
}


def reason(name: str) -> str | None:
    """Return why a name of PyTorch's is not here, and what to use instead.

    >>> from frazil.spelling import reason
    >>> reason("torch.utils.cpp_extension.load")
    "out of scope: write a backend's kernel, or an autograd.Function"
    """
    for names, text in WHY.items():
        if any(name == known or name.startswith(f"{known}.") for known in names.split()):
            return text
    return None


def reasons(owner: str) -> dict[str, str]:
    """Return the names below `owner` that are not here, each with its reason.

    >>> from frazil.spelling import reasons
    >>> reasons("Tensor")["record_stream"]
    'out of scope: a device computes in order, and copies wait for it'
    """
    start = f"{owner}."
    known = {name: text for names, text in WHY.items() if start in names for name in names.split()}
    return {name.removeprefix(start): text for name, text in known.items() if name.startswith(start)}


def _theirs(module: str, name: str) -> str:
    """PyTorch's name of what a module of frazil lacks."""
    return f"torch.{module.removeprefix('exporters.')}.{name}".replace("..", ".")


class _Late:
    """The message about a missing name, worked out when it is read: `hasattr` asks often and never reads."""

    def __init__(self, start: str, name: str, names: Callable[[], Iterable[str]]) -> None:
        self.parts = start, name, names

    def __str__(self) -> str:
        start, name, names = self.parts
        found = re.match(r"module 'frazil\.?(.*?)' has no attribute", start)
        if found and (why := reason(_theirs(found[1], name))):
            return f"{start}: {why}"
        return start + ("" if name.startswith("_") else nearest(name, (n for n in names() if not n.startswith("_"))))

    def __repr__(self) -> str:
        return repr(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


def missing(start: str, name: str, names: Callable[[], Iterable[str]]) -> AttributeError:
    """The AttributeError for `name`, whose message is `start` and the nearest of `names()`.

    >>> from frazil.spelling import missing
    >>> str(missing("no attribute 'wieght'", "wieght", lambda: ["weight"]))
    "no attribute 'wieght'; did you mean 'weight'?"
    """
    return AttributeError(_Late(start, name, names))


def tell_names(module: str, later: Sequence[str] = (), home: str | None = None) -> None:
    """Let the module say which name is nearest to one that it lacks, and import modules below it when they are first asked for.
    Names that it lacks are also looked for in the module `home`. (Not a `def __getattr__`, which would hide misspellings from
    type checkers.)

    >>> import frazil as fz
    >>> fz.nn.Linaer
    Traceback (most recent call last):
    ...
    AttributeError: module 'frazil.nn' has no attribute 'Linaer'; did you mean 'Linear'?
    """
    found = sys.modules[module]

    def absent(name: str) -> Any:
        if name in later or f"{module}.{name}" in places():
            return importlib.import_module(f"{module}.{name}")
        found_there = None if home is None or name.startswith("__") else getattr(importlib.import_module(home), name, None)
        if found_there is not None and not isinstance(found_there, ModuleType):  # a module of that name may be another one
            return found_there
        raise missing(f"module {module!r} has no attribute {name!r}", name, lambda: [*dir(found), *later])

    found.__dict__["__getattr__"] = absent


def unknown_keyword(error: TypeError, function: Callable[..., Any], shown: str, depth: int = 1) -> ArgumentError | None:
    """Return what to say instead of Python's word about an unknown keyword of `function` itself; None where that is not the
    fault.

    `depth`: how many frames of the traceback belong to who called it.
    """
    trace = error.__traceback__
    for _ in range(depth):
        trace = trace and trace.tb_next
    found = re.search(r"got an unexpected keyword argument '(\w+)'", str(error))
    if trace is not None or found is None:
        return None
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    hint = nearest(found[1], names) or "."
    return ArgumentError(f"{shown}: unknown argument {found[1]!r}{hint} It takes {', '.join(names)}")


def tell_keywords(function: Callable[..., T], shown: str) -> Callable[..., T]:
    """`function`, whose error about an unknown keyword names the nearest one.

    >>> from frazil.spelling import tell_keywords
    >>> tell_keywords(lambda bias=True: bias, "layer")(bais=False)
    Traceback (most recent call last):
    ...
    frazil.errors.ArgumentError: layer: unknown argument 'bais'; did you mean 'bias'? It takes bias
    """

    def call(*args: Any, **given: Any) -> T:
        try:
            return function(*args, **given)
        except TypeError as error:
            told = given and unknown_keyword(error, function, shown)
            if told:
                raise told from None
            raise
        except STUMBLES as error:
            raise explained(error, shown, (*args, *given.values())) from error

    return shown_as(call, function)


#: What a function of frazil itself raises for arguments that it has not thought of.
STUMBLES = (IndexError, ValueError, ZeroDivisionError, AttributeError)


def explained(error: Exception, shown: str, given: Iterable[Any]) -> Exception:
    """The error, with the function and its arguments where it is Python's word about a line of frazil's own."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if isinstance(error, FrazilError) or trace is None or not trace.tb_frame.f_globals.get("__name__", "").startswith("frazil."):
        return error
    if opcode.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS":
        return error  # not Python's word: frazil says it
    if isinstance(error, AttributeError):
        return _no_tensor(error, shown, given)
    parts = [f"{value.dtype.name}{list(value.shape)}" for value in given if hasattr(value, "_a")]
    kinds = ((IndexError, DimError), ((TypeError, ValueError), ArgumentError), (Exception, ShapeError))
    kind = next(own for theirs, own in kinds if isinstance(error, theirs))
    return kind(f"{shown}: not defined for {', '.join(parts)} ({error})")


def _no_tensor(error: AttributeError, shown: str, given: Iterable[Any]) -> Exception:
    """The error, in words where one of the arguments was taken for a tensor."""
    flat = [item for value in given for item in (value, *(value if isinstance(value, (list, tuple)) else ()))]
    missed = (
        value
        for value in flat
        if (error.obj is value or error.obj is getattr(value, "dtype", error)) and not hasattr(value, "_a")
    )
    wrong = next(missed, _ABSENT)
    if wrong is _ABSENT:
        return error
    what = "None" if wrong is None else f"a {type(wrong).__name__}"
    return ArgumentError(f"{shown}: a tensor is asked for, given {what}; fz.as_tensor makes one of numbers, lists and arrays")


_ABSENT = object()


def tell_keywords_of_classes(module: str, base: type) -> None:
    """`tell_keywords` for the constructors of the subclasses of `base` that the module shows."""
    for name, cls in vars(sys.modules[module]).items():
        if isinstance(cls, type) and issubclass(cls, base) and "__init__" in cls.__dict__ and cls is not base:
            cls.__init__ = tell_keywords(cls.__init__, name)  # type: ignore[method-assign]


def tell_keywords_of_functions(module: str) -> None:
    """`tell_keywords` for the functions that the module shows; ops of the table tell them anyway."""
    found = sys.modules[module].__dict__
    for name, function in list(found.items()):
        if inspect.isfunction(function) and not name.startswith("_") and not hasattr(function, "op"):
            found[name] = tell_keywords(function, name)
