"""The source of a function as a syntax tree, and compiling a changed tree back into a function of the same place.

The whole file is parsed, so lines and columns are those of the file: errors, tracebacks and recorded graphs show the lines of
the user.
"""

from __future__ import annotations

import ast
import linecache
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

from ..errors import RecordError, ScriptError
from ..recorder.graph import Source, user_source

#: Under this name rewritten code finds `runtime`; all names made by the rewriter begin like it.
PREFIX = "_frazil_"
RUNTIME = PREFIX + "rt"
#: The first parameter of the lambdas that the rewriter makes.
THUNK = PREFIX + "thunk"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_trees: dict[str, tuple[list[str], ast.Module]] = {}
#: CPython (3.11 at least) counts how deep a tree is for all threads together: two that parse at once may raise SystemError.
_PARSING = threading.RLock()


class Definition(NamedTuple):
    """A function in its file."""

    node: FunctionNode
    #: The class around it, for names that begin with two underscores.
    owner: str | None


def fail_at(node: ast.AST, file: str, function: str, message: str) -> NoReturn:
    """Raise an error that names the line of a node."""
    source = Source(file, getattr(node, "lineno", 0), function)
    raise ScriptError(f"{message}\n  at {source}" + (f": {source.code}" if source.code else ""))


def fail(message: str, cause: BaseException | None = None) -> NoReturn:
    """Raise an error that names the line of the user's program that is running."""
    source = user_source()
    place = f"\n  at {source}" + (f": {source.code}" if source.code else "") if source is not None else ""
    raise ScriptError(message + place) from cause


def find(fn: types.FunctionType) -> Definition:
    """The definition of a function. Raises ScriptError when its source cannot be read."""
    code = fn.__code__
    tree = _parse(fn)
    found = [d for d in _definitions(tree, None) if tree is not None and _first_line(d.node) == code.co_firstlineno]
    found = [d for d in found if getattr(d.node, "name", "<lambda>") == code.co_name and _parameters(d.node) == _arguments(code)]
    if len(found) > 1:  # several lambdas in a line
        columns = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
        found = [d for d in found if isinstance(d.node, ast.Lambda) and all(_covers(d.node, *place) for place in columns)]
    if not found:
        raise ScriptError(
            f"script: the source of {code.co_name} cannot be read ({code.co_filename}:{code.co_firstlineno}), so it cannot be "
            "rewritten. Define it in a file (not with exec or in an interactive session), and start anew after changing the file"
        )
    return found[0]


def _parse(fn: types.FunctionType) -> ast.Module | None:
    file = fn.__code__.co_filename
    lines = linecache.getlines(file, fn.__globals__)
    known = _trees.get(file)
    if known is None or known[0] != lines:
        try:
            with _PARSING:
                known = (lines, ast.parse("".join(lines), file))
        except (SyntaxError, ValueError):  # not the Python file that the function came from
            return None
        _trees[file] = known
    return known[1]


def _definitions(node: ast.AST | None, owner: str | None) -> Iterator[Definition]:
    for child in ast.iter_child_nodes(node) if node is not None else ():
        if isinstance(child, FunctionNode):
            yield Definition(child, owner)
        yield from _definitions(child, child.name if isinstance(child, ast.ClassDef) else owner)


def _first_line(node: FunctionNode) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _parameters(node: FunctionNode) -> tuple[str, ...]:
    a = node.args
    more = [arg for arg in (a.vararg, a.kwarg) if arg is not None]
    return tuple(arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs, *more))


def _arguments(code: types.CodeType) -> tuple[str, ...]:
    stars = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args, **kwargs
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]


def _covers(node: ast.Lambda, line: int, column: int) -> bool:
    end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    return (node.lineno, node.col_offset) <= (line, column) <= end


def compile_like(fn: types.FunctionType, node: ast.FunctionDef, owner: str | None, runtime: Any) -> types.FunctionType:
    """The function of a changed definition, with the globals, closure, defaults and names of `fn`."""
    node.decorator_list, node.returns = [], None
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None:
            argument.annotation = None
    none = ast.Constant(None)
    arguments.defaults = [none for _ in arguments.defaults]
    arguments.kw_defaults = [none if default is not None else None for default in arguments.kw_defaults]
    # Inside of a function that has the free variables as parameters, and of a class of the right name.
    free = [name for name in fn.__code__.co_freevars if name != "__class__"]
    node.name = f"{PREFIX}function"  # its own name means what it meant: a global function that calls itself finds itself there
    body: ast.stmt = node
    if owner is not None:
        body = ast.ClassDef(name=owner, bases=[], keywords=[], body=[node], decorator_list=[])
    around = ast.FunctionDef(
        name=PREFIX + "around",
        args=ast.arguments(
            posonlyargs=[], args=[ast.arg(name) for name in (*free, RUNTIME)], kwonlyargs=[], kw_defaults=[], defaults=[]
        ),
        body=[body],
        decorator_list=[],
    )
    for made in ast.walk(around):
        if "type_params" in made._fields and not hasattr(made, "type_params"):
            made.type_params = []  # type: ignore[attr-defined]
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(around, node)], type_ignores=[]))
    compiled = compile(module, fn.__code__.co_filename, "exec", dont_inherit=True)
    code = next(c for c in _codes(compiled) if c.co_name == node.name)
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
    cells[RUNTIME] = types.CellType(runtime)
    made_code = _renamed(code, fn.__code__.co_name, fn.__code__.co_qualname)
    function = types.FunctionType(
        made_code, fn.__globals__, fn.__name__, fn.__defaults__, tuple(cells[name] for name in code.co_freevars)
    )
    function.__kwdefaults__ = fn.__kwdefaults__
    function.__qualname__, function.__module__, function.__doc__ = fn.__qualname__, fn.__module__, fn.__doc__
    function.__dict__.update(fn.__dict__)
    return function


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def codes_in(function: types.FunctionType) -> list[types.CodeType]:
    """The code of a function and of all functions defined in it."""
    return [function.__code__, *_codes(function.__code__)]


def _renamed(code: types.CodeType, name: str, qualname: str) -> types.CodeType:
    """The code with the functions that the rewriter made called like the function they came from."""
    constants = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            ours = constant.co_name.startswith(PREFIX) or constant.co_varnames[:1] == (THUNK,)
            inner = (name, qualname) if ours else (constant.co_name, f"{qualname}.<locals>.{constant.co_name}")
            constant = _renamed(constant, *inner)
        constants.append(constant)
    return code.replace(co_consts=tuple(constants), co_name=name, co_qualname=qualname)


@contextmanager
def script_errors() -> Iterator[None]:
    """Make what the recorder cannot record in scripted code the script's error."""
    try:
        yield
    except ScriptError:
        raise
    except RecordError as error:
        raise ScriptError(f"script: {str(error).removeprefix('cond: ')}") from error
