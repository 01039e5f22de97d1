"""Writes the stubs that editors and type checkers read: python docs/build_types.py

`fz.softplus` and hundreds of others come from the op table when frazil is imported, where no type checker sees them. The stubs
say what is there: `core/__init__.pyi` for `fz`, `core/_methods.pyi` for the methods of `Tensor`, and
`core/nn/functional/__init__.pyi`.
"""

from __future__ import annotations

import inspect
import keyword
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import frazil as fz
from frazil.late import load_all
from frazil.table import METHODS, Op

CORE = Path(__file__).parents[1] / "core"

HEAD = '''\
"""{about} Made by `python docs/build_types.py`."""

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from {here}dtypes import dtype as DType
{imports}

#: Built-in types under names that no function of frazil has.
_bool: TypeAlias = builtins.bool
_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_str: TypeAlias = builtins.str
_Operand: TypeAlias = Tensor | builtins.complex  # complex takes float, int and bool too

'''

#: What stubs need of frazil: (module, name).
NEEDED = (("random", "Generator"), ("tensor", "Size"), ("tensor", "Tensor"))

#: Words of an annotation and what the stub calls them. A word that is not here makes the annotation `Any`.
WORDS = {name: f"_{name}" for name in ("bool", "int", "float", "str")} | {"ValuesIndices": "tuple[Tensor, Tensor]"}
WORDS |= {name: name for name in ("Any", "Callable", "DType", "Generator", "Iterable", "Mapping", "None", "Sequence", "Size")}
WORDS |= {name: name for name in ("Tensor", "list", "tuple")}

#: Modules that `fz.name` gives, and where checkers find them. Others that lie beside them are frazil's own.
MODULES = dict.fromkeys(("amp", "autograd", "backends", "cuda", "debug", "distributed", "distributions", "dtypes", "errors"), ".")
MODULES |= dict.fromkeys(("hub", "jit", "linalg", "multiprocessing", "nn", "optim", "plugins", "random", "testing", "utils"), ".")
MODULES |= dict.fromkeys(("accelerator", "func", "profiler", "serialization", "sparse", "version"), ".")
MODULES |= {"onnx": ".exporters", "drawing": ".exporters"}


def annotation(given: Any) -> str:
    """An annotation of the source in the words of a stub."""
    if given is inspect.Parameter.empty:
        return "Any"
    text = given if isinstance(given, str) else getattr(given, "__name__", str(given))
    if not set(re.findall(r"[A-Za-z_.]+", text)) <= WORDS.keys():
        return "Any"
    return re.sub(r"[A-Za-z_]+", lambda word: WORDS[word[0]], text)


def of_default(value: Any) -> str:
    """What an attribute without an annotation is, judged by its default."""
    kinds = ((bool, "_bool"), (int, "_int"), (float, "_float"), (str, "_str"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "Any")


def shown(value: Any) -> str:
    """A default, as a stub may show it."""
    literal = isinstance(value, (bool, int, str, type(None))) or (isinstance(value, float) and math.isfinite(value))
    return repr(value) if literal else "..."


def parameters_of(op: Op) -> list[str]:
    """What a call of an op takes: tensors (numbers stand for tensors), then attributes, then `out`; by position or keyword."""
    found, optional = [], len(op.tensors) - op.optional
    for i, name in enumerate(op.names):
        if op.packed and i == len(op.tensors) - 1:
            found.append(f"*{name}: _Operand | Sequence[Tensor]")
        elif i >= optional:
            found.append(f"{name}: _Operand | None = None")
        else:
            found.append(f"{name}: _Operand")
    starred = op.packed
    ordered = sorted(op.defaults, key=lambda name: name not in op.required)
    for name in ordered:
        if name not in op.required and not starred and not found:
            found.append("*")
            starred = True
        given = op.signature.parameters[name].annotation
        word = annotation(given) if given is not inspect.Parameter.empty else of_default(op.defaults[name])
        default = "" if name in op.required else f" = {shown(op.defaults[name])}"
        found.append(f"{name}: {word}{default}")
    return [*found, *([] if starred else ["*"]), "out: Any = None"]


def parameters(function: Callable[..., Any]) -> list[str]:
    """What a Python function takes, as its signature says."""
    found: list[str] = []
    given = list(inspect.signature(function).parameters.values())
    for i, p in enumerate(given):
        if p.kind is p.KEYWORD_ONLY and not any(q.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL) for q in given[:i]):
            found.append("*")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f" = {shown(p.default)}"
        found.append(f"{star}{p.name}: {annotation(p.annotation)}{default}")
        if p.kind is p.POSITIONAL_ONLY and (i + 1 == len(given) or given[i + 1].kind is not p.POSITIONAL_ONLY):
            found.append("/")
    return found


def definition(name: str, function: Any, *, method: bool = False) -> str:
    """The stub of one function or method, with its docstring."""
    op: Op | None = getattr(function, "op", None)
    out_of_place = METHODS.get(name[:-1]) if method and name.endswith("_") else None
    if op is not None:
        taken, result = parameters_of(op), "Tensor" if op.outputs == 1 else f"tuple[{', '.join(['Tensor'] * op.outputs)}]"
    else:
        taken, result = parameters(function), annotation(inspect.signature(function).return_annotation)
    if method and out_of_place is not None and taken[1:] == ["*args: Any", "**kwargs: Any"]:
        inner: Op | None = getattr(out_of_place, "op", None)
        taken = parameters_of(inner) if inner is not None else parameters(out_of_place)
    if method:
        taken = ["self", *taken[1:]]
    doc = inspect.getdoc(function) or ""
    if method:
        doc = doc.partition("\n\n")[0]
    body = textwrap.indent(f'"""{doc}"""' if '"' != doc[-1:] else f'"""{doc} """', "    ") if doc else "    ..."
    body = body.replace("\\", "\\\\") if "\\" in body else body
    return f"def {name}({', '.join(taken)}) -> {result}:\n{body}\n"


def with_functions(name: str, function: Any, own: Mapping[str, Any], here: str) -> str:
    """The stub of a function that has functions of its own, as `fz.compile.explain`: an object that can be called."""
    call = definition(name, function).replace(f"def {name}(", "def __call__(self, ", 1)
    lines = [f"class _{name}:", textwrap.indent(call, "    ")]
    for inner, f in own.items():
        text = definition(inner, f)
        result = inspect.signature(f).return_annotation
        made = f.__globals__.get(result)
        if isinstance(made, type) and made.__module__.startswith("frazil."):
            lines.insert(0, f"from {here}{made.__module__.removeprefix('frazil.')} import {result} as _{result}")
            text = text.replace(") -> Any:", f") -> _{result}:", 1)
        lines.append(textwrap.indent(f"@staticmethod\n{text}", "    "))
    return "\n".join([*lines, f"{name}: _{name}\n"])


def functions(module: ModuleType, names: Iterable[str], here: str) -> Iterator[str]:
    """The stub's lines for the public names of a module."""
    for name in names:
        value = getattr(module, name)
        if keyword.iskeyword(name):
            continue
        if isinstance(value, ModuleType):
            if name in MODULES:
                yield f"from {MODULES[name]} import {name} as {name}\n"
        elif isinstance(value, type) and value.__module__.startswith("frazil."):
            yield f"from {here}{value.__module__.removeprefix('frazil.')} import {value.__name__} as {name}\n"
        elif callable(value) and hasattr(value, "__code__"):
            own = {n: f for n, f in vars(value).items() if isinstance(f, FunctionType) and f.__module__.startswith("frazil.")}
            own = {n: f for n, f in own.items() if not n.startswith("_")}
            yield with_functions(name, value, own, here) if own else definition(name, value)
        else:
            kind = type(value)
            word = f"_{kind.__name__}" if kind.__module__ == "builtins" else annotation(kind.__name__)
            yield f"{name}: {word}\n"


def head(about: str, here: str, *, public: bool = False) -> str:
    """The first lines of a stub; `public`: what it imports is meant for its readers too."""
    again = {name: f" as {name}" if public else "" for _, name in NEEDED}
    return HEAD.format(
        about=about, here=here, imports="\n".join(f"from {here}{module} import {name}{again[name]}" for module, name in NEEDED)
    )


def stubs() -> dict[Path, str]:
    """File -> text, of all stubs."""
    load_all()
    public = sorted(name for name in dir(fz) if not name.startswith("_") and name not in {name for _, name in NEEDED})
    methods = [definition(n, f, method=True) for n, f in sorted(METHODS.items()) if not n.startswith("__")]
    functional = sorted(name for name in dir(fz.nn.functional) if not name.startswith("_"))
    facade = [head("`import frazil as fz`, for editors and type checkers.", ".", public=True), "__version__: _str\n"]
    layers = head("`fz.nn.functional`, for editors and type checkers.", "...")
    return {
        CORE / "__init__.pyi": "\n".join([*facade, *functions(fz, public, ".")]),
        CORE / "_methods.pyi": head("The methods of `Tensor` that come from the op table.", ".")
        + "class TensorMethods:\n"
        + textwrap.indent("\n".join(methods), "    "),
        CORE / "nn" / "functional" / "__init__.pyi": "\n".join([layers, *functions(fz.nn.functional, functional, "...")]),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
