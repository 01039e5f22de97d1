"""Stand-ins for values, and the tracer that makes nodes of what is done with them."""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

from ..checks import _assert
from ..nn import functional
from ..nn.module import Module
from ..nn.modules.container import Sequential
from ..nn.parameter import Parameter
from ..overrides import is_tensor_method_or_property, not_exchanged, notice, unasking
from ..table import OPS
from ..tensor import Tensor
from ..utils._pytree import tree_leaves
from .graph import Graph
from .node import Node

#: How many traces are going on.
TRACES = [0]
#: Functions of programs that `wrap` names: (the namespace they are looked up in, their name).
WRAPPED: list[tuple[dict[str, Any], str]] = []


class TraceError(ValueError):
    """A program that decides by a value, which a symbolic trace does not have."""


#: Where a tensor keeps what it is, and no program looks.
_OF_TENSORS = ("_a", "_dev")


class Proxy:
    """Stands for a value while a program is traced: what is done with it becomes a node."""

    def __init__(self, node: Node, tracer: Tracer | None = None) -> None:
        self.node = node
        self.tracer = tracer or GraphAppendingTracer(node.graph)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Proxy:
        """Make a node of the call of a function that nothing watches."""
        found = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Proxy)]
        plain = unasking(func)
        if is_tensor_method_or_property(plain) and not (
            args and isinstance(args[0], Proxy)
        ):  # a proxy's own methods are not asked
            return found[0].tracer.create_proxy("call_method", plain.__name__, args, kwargs or {})
        return found[0].tracer.create_proxy("call_function", plain, args, kwargs or {})

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    def __getattr__(self, name: str) -> _Attribute:
        if name in _OF_TENSORS:  # asked for by an op, which learns from it that this is none
            raise AttributeError(f"a Proxy has no {name}")
        return _Attribute(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Iterator[Proxy]:
        frame = sys._getframe(1)
        code, at = frame.f_code.co_code, frame.f_lasti
        if dis.opname[code[at]] == "UNPACK_SEQUENCE":
            parts: Any = self
            return iter([parts[i] for i in range(code[at + 1])])
        return self.tracer.iter(self)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __index__(self) -> int:
        raise TraceError("a symbolic trace has no numbers: an int is needed here")

    def __len__(self) -> int:
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be recorded, please call "
            "fx.wrap('len') at module scope"
        )

    def keys(self) -> Any:
        """The keys, as a node; `**proxy` would need them."""
        return self.tracer.keys(self)

    def __hash__(self) -> int:
        return id(self)


class _Attribute(Proxy):
    """An attribute of what a proxy stands for: a node once it is used, or a method once it is called."""

    def __init__(self, root: Proxy, name: str) -> None:
        self.root, self.attribute, self.tracer = root, name, root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attribute), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", self.attribute, (self.root, *args), kwargs)


def _operators() -> None:
    def forward(function: Any) -> Any:
        return lambda self, *args: self.tracer.create_proxy("call_function", function, (self, *args), {})

    def reflected(function: Any) -> Any:
        return lambda self, other: self.tracer.create_proxy("call_function", function, (other, self), {})

    both = "add sub mul truediv floordiv mod pow matmul lshift rshift"
    for name in f"{both} and or xor".split():
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)
        setattr(Proxy, f"__{name}__", forward(function))
        setattr(Proxy, f"__r{name}__", reflected(function))
    for name in "eq ne lt le gt ge neg pos invert abs getitem".split():
        setattr(Proxy, f"__{name}__", forward(getattr(operator, name)))


_operators()


class Tracer:
    """The tracer of programs. A subclass may say which modules stay whole (`is_leaf_module`), or what becomes of a call.

    >>> import frazil as fz
    >>> model = fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.ReLU())
    >>> [node.target for node in fz.fx.Tracer().trace(model).nodes]
    ['input', '0', '1', 'output']
    """

    proxy_buffer_attributes = False

    def __init__(self, graph: Graph | None = None, autowrap_functions: Iterable[Callable[..., Any]] = (), **options: Any) -> None:
        self.graph = graph if isinstance(graph, Graph) else Graph()
        self._autowrapped = tuple(autowrap_functions)
        self.root: Module = Module()

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Return whether a module is one node: layers of `frazil.nn` are, but for Sequential."""
        return type(m).__module__.startswith("frazil.nn") and not isinstance(m, Sequential)

    def call_module(self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of a module that is called: a node, or what its `forward` gives."""
        path = self.path_of_module(m)
        if self.is_leaf_module(m, path):
            return self.create_proxy("call_module", path, args, kwargs)
        return forward(*args, **kwargs)

    def path_of_module(self, mod: Module) -> str:
        """Return the dotted name of a module below the root."""
        for path, module in self.root.named_modules():
            if module is mod:
                return path
        raise NameError("module is not installed as a submodule")

    def proxy(self, node: Node) -> Proxy:
        """Return what stands for a node."""
        return Proxy(node, self)

    def create_proxy(
        self,
        kind: str,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None = None,
        type_expr: Any = None,
    ) -> Proxy:
        """Add a node and return what stands for it."""
        made = self.create_node(kind, target, self.create_arg(args), self.create_arg(kwargs), name, type_expr)
        return self.proxy(made)

    def create_node(self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None) -> Node:
        """Add a node."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def create_arg(self, a: Any) -> Any:
        """Return an argument as a node has it: nodes for proxies, and for tensors attributes of the root."""
        if isinstance(a, Proxy):
            return a.node
        if isinstance(a, tuple):
            items = [self.create_arg(item) for item in a]
            return type(a)(*items) if hasattr(a, "_fields") else tuple(items)
        if isinstance(a, list):
            return [self.create_arg(item) for item in a]
        if isinstance(a, dict):
            return {key: self.create_arg(item) for key, item in a.items()}
        if isinstance(a, slice):
            return slice(self.create_arg(a.start), self.create_arg(a.stop), self.create_arg(a.step))
        if isinstance(a, Tensor):
            return self.graph.create_node("get_attr", self._path_of_tensor(a), (), {})
        if isinstance(a, Module):
            return self.graph.create_node("get_attr", self.path_of_module(a), (), {})
        return a

    def _path_of_tensor(self, t: Tensor) -> str:
        for path, held in (*self.root.named_parameters(), *self.root.named_buffers()):
            if held is t:
                return path
        for name, held in vars(self.root).items():
            if held is t:
                return name
        count = 0
        while hasattr(self.root, f"_tensor_constant{count}"):
            count += 1
        object.__setattr__(self.root, f"_tensor_constant{count}", t)
        return f"_tensor_constant{count}"

    def to_bool(self, obj: Proxy) -> bool:
        """Refuse to decide by a value."""
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def iter(self, obj: Proxy) -> Iterator[Any]:
        """Refuse to go through a value, of which it is not known how many parts it has."""
        raise TraceError(
            "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a loop or as a *args or **kwargs "
            "function argument. Record the program instead, fz.jit.trace(module, example)"
        )

    def keys(self, obj: Proxy) -> Any:
        """Return the keys of a value, as a node."""
        return _Attribute(obj, "keys")()

    def trace(self, root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> Graph:
        """Run a module or a function on proxies and return what it did.

        Args:
            concrete_args: arguments that are fixed, by name; other values are refused when the graph runs.
        """
        self.root = root if isinstance(root, Module) else Module()
        # what a graph is written as has the arguments of the program, which `GraphModule.forward` does not tell
        function = vars(root).get("_run", type(root).forward) if isinstance(root, Module) else root
        self.graph = Graph(tracer_cls=type(self))
        given = self._arguments(root, function, concrete_args or {})
        read: dict[str, Proxy] = {}

        def module_call(module: Module, /, *args: Any, **kwargs: Any) -> Any:
            return self.call_module(module, functools.partial(call, module), args, kwargs)

        def attribute(module: Module, name: str) -> Any:
            found = getter(module, name)
            kinds = (Parameter, Tensor) if self.proxy_buffer_attributes else (Parameter,)
            if isinstance(found, kinds):
                for path, held in (*self.root.named_parameters(), *self.root.named_buffers()):
                    if held is found:
                        if path not in read:
                            read[path] = self.create_proxy("get_attr", path, (), {})
                        return read[path]
            return found

        call, getter = Module.__call__, Module.__getattr__
        with ExitStack() as stack:
            stack.enter_context(not_exchanged())  # else what is put back at the end would be what stood here before
            stack.callback(TRACES.__setitem__, 0, TRACES[0])
            TRACES[0] += 1
            for name, new, old in (("__call__", module_call, call), ("__getattr__", attribute, getter)):
                stack.callback(setattr, Module, name, old)
                setattr(Module, name, new)
            for space, name in self._functions():
                stack.callback(*((space.__setitem__, name, space[name]) if name in space else (space.pop, name)))
                space[name] = self._watched(space.get(name) or getattr(builtins, name))
            positional, named = given
            result = root.forward(*positional, **named) if isinstance(root, Module) else function(*positional, **named)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _arguments(self, root: Any, function: Any, fixed: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        parameters = list(inspect.signature(function).parameters.values())[1 if isinstance(root, Module) else 0 :]
        positional, named = [], {}
        for parameter in parameters:
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**" if parameter.kind is parameter.VAR_KEYWORD else ""
            default = () if parameter.default is parameter.empty else (parameter.default,)
            kind = None if parameter.annotation is parameter.empty else parameter.annotation
            value: Any
            if parameter.name in fixed:
                value = fixed[parameter.name]
                proxy = self.create_proxy("placeholder", f"{parameter.name}_1", default, {})
                same = operator.is_ if value is None or isinstance(value, bool) else operator.eq
                what = f"{parameter.name} has been specialized to have value {value} but got another value"
                self.create_proxy(
                    "call_function", _assert, (self.create_proxy("call_function", same, (proxy, value), {}), what), {}
                )
            else:
                value = self.create_proxy("placeholder", stars + parameter.name, default, {}, type_expr=kind)
            if stars:
                raise TraceError(
                    f"symbolic_trace: {stars}{parameter.name} cannot be traced: how many arguments there are is not known"
                )
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                positional.append(value)
        return positional, named

    def _functions(self) -> list[tuple[dict[str, Any], str]]:
        """Where functions are looked up that become nodes when a proxy is among their arguments."""
        found = []
        for module in (sys.modules["frazil"], functional, *(sys.modules[n] for n in _SPACES if n in sys.modules)):
            for name, value in vars(module).items():
                if callable(value) and not name.startswith("_") and not isinstance(value, (type, ModuleType)):
                    found.append((vars(module), name))
        functions = {id(space[name]) for space, name in found}
        for module in [module for name, module in sys.modules.items() if name.startswith("frazil.nn.modules.")]:
            for name, value in vars(module).items():  # what layers call that are traced through
                if id(value) in functions or (name in OPS and getattr(value, "op", None) is OPS[name]):
                    found.append((vars(module), name))
        found += WRAPPED
        for space in {id(f.__globals__): f.__globals__ for f in self._autowrapped if hasattr(f, "__globals__")}.values():
            found += [(space, name) for name, value in space.items() if value in self._autowrapped]
        return found

    def _watched(self, function: Any) -> Any:
        @functools.wraps(function, updated=())
        def watched(*args: Any, **kwargs: Any) -> Any:
            if _has_proxy((args, kwargs)):
                return self.create_proxy("call_function", function, args, kwargs)
            return function(*args, **kwargs)

        return watched


#: Modules below `frazil` whose functions become nodes, once they are loaded.
_SPACES = ("frazil.fft", "frazil.linalg", "frazil.special")


def _has_proxy(a: Any) -> bool:
    if isinstance(a, (tuple, list)):
        return any(map(_has_proxy, a))
    if isinstance(a, dict):
        return any(map(_has_proxy, a.values()))
    return isinstance(a, Proxy)


class GraphAppendingTracer(Tracer):
    """The tracer of nodes that are added by hand to a graph that is there.

    >>> import frazil as fz
    >>> graph = fz.fx.Graph()
    >>> x = fz.fx.Proxy(graph.placeholder("x"), fz.fx.proxy.GraphAppendingTracer(graph))
    >>> _ = graph.output((x + 1).node)
    >>> fz.fx.GraphModule({}, graph)(fz.ones(2))
    tensor([2., 2.])
    """

    def __init__(self, graph: Graph) -> None:
        notice()
        super().__init__(graph)
