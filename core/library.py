"""`torch.library`: operators that a program writes in Python, and calls by name as `fz.ops.mylib.crop(x)`.

An operator is its function, which runs without a tape, and the formula of its gradient. There is nothing to compile: in a
recording the operations that the function calls are recorded. Operators of C++ libraries are out of scope.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from . import ops
from .autograd.function import Function
from .autograd.modes import is_grad_enabled, no_grad
from .errors import ArgumentError, AutogradError
from .pytree import flatten, flatten_up_to, unflatten
from .spelling import missing
from .spelling import tell_names as _tell_names
from .tensor import Tensor

__all__ = [
    "CustomOpDef",
    "Library",
    "custom_op",
    "define",
    "get_ctx",
    "impl",
    "register_autograd",
    "register_fake",
    "register_kernel",
]

#: PyTorch's keys of kernels that are of no device in particular -> what they are here. A "composite" is made of operations that
#: the tape sees; "autograd" is asked while it runs, and calls the operator again below it.
_KEYS = {"": "", "default": "", "compositeexplicitautograd": "", "compositeimplicitautograd": "composite", "autograd": "autograd"}
_KEYS |= {"autogradcpu": "autograd", "autogradcuda": "autograd", "meta": "meta"}
_OPERATORS: dict[str, CustomOpDef] = {}


class _Namespace:
    """Operators of one name before `::`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        try:
            return _OPERATORS[f"{self._name}::{name}"]
        except KeyError:
            known = [full.partition("::")[2] for full in _OPERATORS if full.startswith(f"{self._name}::")]
            raise missing(f"fz.ops.{self._name} has no operator {name!r}", name, lambda: known) from None


class CustomOpDef:
    """An operator of a program's own, which is called as a function; `custom_op` makes it."""

    def __init__(self, name: str, signature: inspect.Signature) -> None:
        namespace, _, short = name.partition("::")
        if not namespace or not short:
            raise ArgumentError(f"an operator's name is 'namespace::name', given {name!r}")
        self._qualname, self.__name__, self.__signature__ = name, short, signature
        self._kernels: dict[str, Callable[..., Any]] = {}
        self._backward: Callable[..., Any] | None = None
        self._setup: Callable[..., Any] | None = None
        _OPERATORS[name] = self
        if not isinstance(vars(ops).setdefault(namespace, _Namespace(namespace)), _Namespace):
            raise ArgumentError(f"{name}: fz.ops.{namespace} is frazil's own; take another name before '::'")

    @property
    def default(self) -> CustomOpDef:
        """Return the operator itself: it has one overload."""
        return self

    def register_kernel(self, device_types: str | Sequence[str] | None, func: Callable[..., Any] | None = None) -> Any:
        """Let `func` compute on these types of device, or on all where that is None. A decorator without `func`."""
        if func is None:
            return lambda func: self.register_kernel(device_types, func)
        for kind in [device_types] if device_types is None or isinstance(device_types, str) else device_types:
            key = (kind or "").lower()
            self._kernels[_KEYS.get(key, key)] = func
        return func

    def register_fake(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Accepted for PyTorch's sake: shapes are those of what the operator itself gives, in recordings too."""
        return func

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None) -> None:
        """Say how gradients flow: `backward(ctx, *grads)` returns one per argument, `setup_context(ctx, inputs, output)` keeps
        for it what it needs."""
        self._backward, self._setup = backward, setup_context

    def _kernel(self, leaves: Sequence[Any]) -> Callable[..., Any]:
        devices = {leaf.device.type for leaf in leaves if isinstance(leaf, Tensor)}
        for key in [*devices, ""]:
            if key in self._kernels:
                return self._kernels[key]
        raise NotImplementedError(
            f"{self._qualname}: no kernel for {', '.join(sorted(devices)) or 'arguments without a tensor'}; "
            f"it has some for {', '.join(map(repr, self._kernels)) or 'nothing'}: add one with register_kernel"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        leaves, tree = flatten(bound.args)
        taped = is_grad_enabled() and any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves)
        for key in ["composite"] + ["autograd"] * taped:
            if key in self._kernels:
                return self._kernels[key](*bound.args, **bound.kwargs)
        kernel, named = self._kernel(leaves), bound.kwargs
        if not taped:
            with no_grad():
                return kernel(*bound.args, **named)
        name, formula, setup = self._qualname, self._backward, self._setup

        class Formula(Function):
            @staticmethod
            def forward(ctx: Any, *leaves: Any) -> Any:
                inputs = unflatten(tree, list(leaves))
                output = kernel(*inputs, **named)
                if setup is not None:
                    setup(ctx, inputs, output, **({"keyword_only_inputs": named} if named else {}))
                return output

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                if formula is None:
                    raise AutogradError(
                        f"{name}: backward came to an operator without a formula; give it one with register_autograd"
                    )
                found = formula(ctx, *grads)
                found = found if isinstance(found, tuple) else (found,)
                return tuple(_spread(tree, found))

        return Formula.apply(*leaves)

    def __repr__(self) -> str:
        return f"<operator {self._qualname}>"


def _spread(tree: Any, grads: tuple[Any, ...]) -> list[Any]:
    """Gradients of arguments, of which one may be None for a whole list, as gradients of their leaves."""
    if len(grads) != len(tree.children):
        raise AutogradError(f"the formula returned {len(grads)} gradients for {len(tree.children)} arguments; one for each")
    return [
        found
        for child, grad in zip(tree.children, grads, strict=True)
        for found in ([None] * child.num_leaves if grad is None else flatten_up_to(child, grad))
    ]


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: Any = (),
    device_types: str | Sequence[str] | None = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Make a function an operator, which autograd takes as a whole. `mutates_args`, `schema` and `tags` tell PyTorch's compiler
    what a recording sees here by itself.

    >>> import frazil as fz
    >>> @fz.library.custom_op("readme::cube", mutates_args=())
    ... def cube(x: fz.Tensor) -> fz.Tensor:
    ...     return x ** 3
    >>> def setup(ctx, inputs, output): ctx.save_for_backward(inputs[0])
    >>> cube.register_autograd(lambda ctx, g: 3 * g * ctx.saved_tensors[0] ** 2, setup_context=setup)
    >>> x = fz.tensor([2.0], requires_grad=True)
    >>> fz.ops.readme.cube(x).sum().backward(); x.grad
    tensor([12.])
    """
    if fn is None:
        return lambda fn: custom_op(name, fn, mutates_args=mutates_args, device_types=device_types, schema=schema)
    made = CustomOpDef(name, inspect.signature(fn))
    made.register_kernel(device_types, fn)
    return made


def _found(op: Any) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    if op not in _OPERATORS:
        raise missing(f"there is no operator {op!r}; custom_op or define makes it", str(op), lambda: _OPERATORS)
    return _OPERATORS[op]


def register_kernel(op: Any, device_types: str | Sequence[str] | None, func: Callable[..., Any] | None = None, /) -> Any:
    """Let `func` compute the operator on these types of device; a decorator without it.

    >>> import frazil as fz
    >>> fz.library.define("readme::twice", "(Tensor x) -> Tensor")
    >>> @fz.library.register_kernel("readme::twice", "cpu")
    ... def twice(x): return x * 2
    >>> fz.ops.readme.twice(fz.ones(2))
    tensor([2., 2.])
    """
    return _found(op).register_kernel(device_types, func)


def impl(qualname: Any, types: str | Sequence[str], func: Callable[..., Any] | None = None, *, lib: Any = None) -> Any:
    """As `register_kernel`, under its older name.

    >>> import frazil as fz
    >>> fz.library.define("readme::half", "(Tensor x) -> Tensor")
    >>> _ = fz.library.impl("readme::half", "default", lambda x: x / 2)
    >>> fz.ops.readme.half(fz.ones(2))
    tensor([0.5000, 0.5000])
    """
    return _found(qualname).register_kernel(types, func)


def register_fake(op: Any, func: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Accepted for PyTorch's sake: shapes are those of what the operator itself gives, in recordings too.

    >>> import frazil as fz
    >>> @fz.library.register_fake("readme::cube")
    ... def _(x): return fz.empty_like(x)
    """
    return func if func is not None else lambda func: func


def register_autograd(
    op: Any, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None, lib: Any = None
) -> None:
    """Say how gradients flow through an operator: `backward(ctx, *grads)` returns one for each argument, or None.

    >>> import frazil as fz
    >>> fz.library.define("readme::plus", "(Tensor x, float n=1) -> Tensor")
    >>> _ = fz.library.impl("readme::plus", "cpu", lambda x, n: x + n)
    >>> fz.library.register_autograd("readme::plus", lambda ctx, g: (g, None))
    >>> fz.ops.readme.plus(fz.ones(1, requires_grad=True))
    tensor([2.], grad_fn=<FormulaBackward>)
    """
    _found(op).register_autograd(backward, setup_context=setup_context)


def get_ctx() -> Any:
    """RuntimeError: functions of `register_fake`, which ask for sizes that depend on data, are not run here.

    >>> import frazil as fz
    >>> fz.library.get_ctx()
    Traceback (most recent call last):
    ...
    RuntimeError: get_ctx: functions of register_fake do not run here, there is no context
    """
    raise RuntimeError("get_ctx: functions of register_fake do not run here, there is no context")


def _signature(schema: str) -> inspect.Signature:
    """What `(Tensor x, float a=1.0, *, int k=2) -> Tensor` says of arguments."""
    found = re.match(r"\s*\((.*)\)\s*->", schema, re.S)
    if found is None:
        raise ArgumentError(f"a schema reads '(Tensor x, float a=1.0) -> Tensor', given {schema!r}")
    parameters: list[inspect.Parameter] = []
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for text in re.split(r",(?![^(\[]*[)\]])", found[1]):
        if not text.strip():
            continue
        if text.strip() == "*":
            kind = inspect.Parameter.KEYWORD_ONLY
            continue
        argument, given, default = text.strip().partition("=")
        value = ast.literal_eval(default.strip()) if given else inspect.Parameter.empty
        parameters.append(inspect.Parameter(argument.split()[-1], kind, default=value))
    return inspect.Signature(parameters)


def define(qualname: str, schema: str, *, lib: Any = None, tags: Any = None) -> None:
    """Name an operator and its arguments, whose kernels `impl` brings.

    >>> import frazil as fz
    >>> fz.library.define("readme::scaled", "(Tensor x, float by=2.0) -> Tensor")
    >>> _ = fz.library.impl("readme::scaled", "cpu", lambda x, by: x * by)
    >>> fz.ops.readme.scaled(fz.ones(2))
    tensor([2., 2.])
    """
    CustomOpDef(qualname, _signature(schema))


class Library:
    """Operators under one name, defined and implemented one after the other.

    >>> import frazil as fz
    >>> library = fz.library.Library("readme", "FRAGMENT")
    >>> library.define("minus(Tensor x, Tensor y) -> Tensor")
    'minus'
    >>> library.impl("minus", lambda x, y: x - y, "CompositeImplicitAutograd")
    >>> fz.ops.readme.minus(fz.ones(1), fz.ones(1))
    tensor([0.])
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("DEF", "IMPL", "FRAGMENT"):
            raise ArgumentError(f"Library: kind is 'DEF', 'IMPL' or 'FRAGMENT', given {kind!r}")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Name an operator as `name(Tensor x) -> Tensor`; returns the name."""
        name, brace, rest = schema.partition("(")
        define(f"{self.ns}::{name.strip()}", brace + rest)
        return name.strip()

    def impl(self, op_name: Any, fn: Callable[..., Any], dispatch_key: str = "", **options: Any) -> None:
        """Let `fn` compute the operator on the devices of the key: "CPU", "CUDA", or one of those for all."""
        op = op_name if isinstance(op_name, CustomOpDef) else f"{self.ns}::{op_name.partition('::')[2] or op_name}"
        _found(op).register_kernel(dispatch_key or self.dispatch_key, fn)


_tell_names(__name__)
