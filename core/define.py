"""Making entries of the op table: `@op`, `@primitive`, `@function`.

They stand above what a call does (`dispatch.py`, `alias.py`, `out.py`), for they give an entry its calling functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from . import table
from .alias import make_inplace, make_inplace_of
from .dispatch import make_call
from .errors import ArgumentError
from .mixed import listed
from .out import WithOut, write_out
from .spelling import STUMBLES, explained, shown_as
from .table import FUNCTIONS, METHODS, OPS, OTHER_NAMES, Op, in_todays_order, unknown
from .views import lie
from .widen import once


def _register(
    kind: str, *, methods: Sequence[str] | None = None, inplace: bool = False, public: bool = True, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        entry = Op(fn, kind=kind, **options)
        if entry.name in OPS:
            raise ArgumentError(
                f"op {entry.name!r} is registered twice: in {OPS[entry.name].fn.__module__} and in {fn.__module__}"
            )
        OPS[entry.name] = entry
        call = make_call(entry)
        call.op = entry  # type: ignore[attr-defined]
        entry.call = call
        entry.public = public
        for name in (entry.name,) if methods is None else methods:
            METHODS[name] = call
        if inplace:
            METHODS[entry.name + "_"] = make_inplace(entry)
        return call

    return decorate


def op(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a composite: the decorated function is its body.

    Options: `vjp` (see core/README.md; without it gradients pass through the body, `()` says that there are none), `samples`,
    `errors`, `rule` (shape rule, where the body is slow to follow or takes what makes no sense), `canon` (attributes as given
    -> canonical attributes), `promote` ("common", "float", "same", "number": bools count as int64), `promoted` (indices of the
    tensors that take part in promotion), `takes` ("floats": nothing else, once promoted; "numbers": no bools, not even to
    promote), `methods` (Tensor method names; default: the op's name), `inplace` (also a method with a trailing underscore),
    `outputs` (how many tensors it returns), `random`, `exact`, `public`, `layout` (how results lie in memory, a rule of
    `order.py`; default: as the body does it, or in order).
    """
    return _register("composite", **options)


def primitive(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a primitive: the decorated function is its rule, from `Spec`s to a `Spec` (or a tuple of them).

    Options as in `op`, and `view`: backends whose memory aliases return a view of the first input.
    """
    return _register("primitive", **options)


def elementwise_op(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `op`, of an op whose results lie in memory as its operands do."""
    return _register("composite", **{"layout": "elementwise", **options})


def elementwise_primitive(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `primitive`, of an op whose results lie in memory as its operands do."""
    return _register("primitive", **{"layout": "elementwise", **options})


def function(
    *,
    methods: Sequence[str] | None = None,
    name: str | None = None,
    public: bool = True,
    out: bool = False,
    inplace: bool = False,
    layout: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a composition that is not an op: it leaves no trace of its own on tape or graph.

    Options: `methods` (Tensor method names; default: the function's name), `name` (where the function's own name is taken),
    `public` (whether it is a function of `fz` too, not only a method), `out` (whether it takes `out=`), `inplace` (also a method
    with a trailing underscore), `layout` (how the result lies in memory, a rule of `order.py`, which sees the first tensor;
    default: as the ops it is made of lay it).
    """

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        key = name or fn.__name__.rstrip("_")
        call = by_name(fn if layout is None else _lying(fn, layout), key, out=out)
        if public:
            FUNCTIONS[key] = call
        for method in (key,) if methods is None else methods:
            METHODS[method] = fn if method.startswith("__") else call
        if inplace:
            METHODS[key + "_"] = make_inplace_of(key, call)
        return fn

    return decorate


def _lying(fn: Callable[..., Any], layout: str) -> Callable[..., Any]:
    def call(*args: Any, **given: Any) -> Any:
        return lie(layout, fn(*args, **given), args[0] if args else given["input"])

    return shown_as(call, fn)


def by_name(fn: Callable[..., Any], key: str, *, out: bool = False) -> Callable[..., Any]:
    """The public form of a Python function: it takes every argument by any of its names (`flip(input=x, dims=0)`), and `out`."""
    # `inspect.signature` of every function would be a tenth of the time of an import
    code = (inspect.unwrap(fn) if hasattr(fn, "__wrapped__") else fn).__code__
    ordered = list(code.co_varnames[: code.co_argcount])
    takes = code.co_argcount + code.co_kwonlyargcount
    known = set(code.co_varnames[:takes])
    packed = code.co_varnames[takes] if code.co_flags & inspect.CO_VARARGS else None

    fn = listed(key, once(key, fn))

    def call(*args: Any, **given: Any) -> Any:
        if not given:
            try:
                return fn(*args)
            except TypeError:
                if (ordered_anew := in_todays_order(key, args)) is None:
                    raise
                return call(*ordered_anew[0], **ordered_anew[1])
            except STUMBLES as error:
                raise explained(error, key, args) from error
        target = given.pop("out", None) if out else None
        for name in given.keys() - known:
            if name == packed:
                args = (*args, *[given.pop(n) for n in ordered[len(args) :] if n in given], given.pop(name))
            elif (meant := next((n for n in OTHER_NAMES.get(name, ()) if n in known or n == packed), None)) is not None:
                if meant in given:
                    raise ArgumentError(f"{key}: {meant!r} is given twice, also as {name!r}")
                given[meant] = given.pop(name)
                return call(*args, **given, **({} if target is None else {"out": target}))
            else:
                plain = [p.replace(annotation=p.empty) for p in inspect.signature(call).parameters.values()]
                raise ArgumentError(
                    f"{key}: {unknown(name, [p.name for p in plain])} Its signature is {key}{inspect.Signature(plain)}"
                )
        if len(args) > len(ordered) and (ordered_anew := in_todays_order(key, args)) is not None:
            args, given = (*ordered_anew[0],), {**given, **ordered_anew[1]}
        try:
            result = fn(*args, **given)
        except STUMBLES as error:
            raise explained(error, key, (*args, *given.values())) from error
        if target is None:
            return result
        return write_out(key, target, result)

    call.__name__ = call.__qualname__ = fn.__qualname__ = key
    call.__module__, call.__doc__, call.__wrapped__ = fn.__module__, fn.__doc__, fn  # type: ignore[attr-defined]
    if out:
        call.__signature__ = WithOut(fn)  # type: ignore[attr-defined]
    return call


# Programs know the decorators as names of the table.
vars(table).update(op=op, primitive=primitive, function=function)
