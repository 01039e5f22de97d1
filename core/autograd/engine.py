"""Backward: walk the tape from the newest node to the oldest.

Nodes carry a running number, and an operation always runs after the ones whose results it uses, so sorting the
reachable nodes by that number is a topological order. Nothing recurses: graphs may be arbitrarily deep.
"""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

from ..creation import ones_like, zeros_like
from ..dtypes import of_native
from ..errors import AutogradError, ShapeError
from ..explain import describe
from ..sizes import stretches
from ..state import ANOMALY, STATE, asked
from ..table import OPS
from ..tape import RELEASED, AccumulateGrad, AfterNode, BeforeNode, HookHandle, Node, OutputNode
from ..tensor import RETAIN, Tensor
from .anomaly import inspected

_by_order = attrgetter("order")


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` into the `.grad` of the leaves they depend on.

    >>> import frazil as fz
    >>> x = fz.tensor([1.0, 2.0], requires_grad=True)
    >>> fz.autograd.backward((x**3).sum())
    >>> x.grad
    tensor([ 3., 12.])
    """
    roots = _ends(tensors)
    given = [grad_tensors] if isinstance(grad_tensors, Tensor) or grad_tensors is None else list(grad_tensors)
    if len(given) < len(roots):
        given += [None] * (len(roots) - len(given))
    targets: list[Tensor] | None = None
    if inputs is not None:
        targets = _ends(inputs)
        if not targets:
            raise AutogradError("backward: inputs is empty; leave it out to reach all leaves")
        _check_wanted("backward", targets)
    found = _run("backward", roots, given, create_graph if retain_graph is None else retain_graph, create_graph, targets)
    if targets is not None:
        for target, g in zip(targets, found, strict=True):
            if g is not None:
                _accumulate(target, g, False, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` with respect to each of `inputs`; no `.grad` is touched.

    Args:
        grad_outputs: gradients with respect to the outputs (None: ones, for outputs of one element).
        create_graph: record the computation, for gradients of gradients.
        only_inputs: accepted for PyTorch's sake, and always so.
        allow_unused: give None for inputs that the outputs do not depend on, instead of an error.
        is_grads_batched: `grad_outputs` have one dimension more, the first, and so have the results: a row for each row.
        materialize_grads: give zeros instead of None.

    >>> import frazil as fz
    >>> x = fz.tensor(3.0, requires_grad=True)
    >>> (g,) = fz.autograd.grad(x**3, x, create_graph=True)
    >>> fz.autograd.grad(g, x)
    (tensor(18.),)
    """
    outs, ins = _ends(outputs), _ends(inputs)
    given = [grad_outputs] if isinstance(grad_outputs, Tensor) or grad_outputs is None else list(grad_outputs)
    given += [None] * (len(outs) - len(given))
    _check_wanted("grad", ins)
    if is_grads_batched:
        found = _run_batched(outs, given, create_graph if retain_graph is None else retain_graph, create_graph, ins)
    else:
        found = _run("grad", outs, given, create_graph if retain_graph is None else retain_graph, create_graph, ins)
    results: list[Tensor | None] = []
    for i, (x, g) in enumerate(zip(ins, found, strict=True)):
        if g is None:
            if materialize_grads:
                if not hasattr(x, "_a"):
                    raise AutogradError(f"grad: materialize_grads=True does not know what zeros for {_text(x)} would be")
                g = zeros_like(x)
            elif not allow_unused:
                raise AutogradError(
                    f"grad: the outputs do not depend on input {i} ({_text(x)}); pass allow_unused=True to get None, or "
                    f"materialize_grads=True to get zeros"
                )
        results.append(g)
    return tuple(results)


def _check_wanted(caller: str, inputs: Sequence[Tensor]) -> None:
    for i, x in enumerate(inputs):
        if not x._rg:
            raise AutogradError(
                f"{caller}: input {i} ({_text(x)}) does not require grad; set requires_grad_() before computing the outputs"
            )


def _run_batched(
    outs: list[Tensor], given: list[Any], retain_graph: bool, create_graph: bool, ins: list[Tensor]
) -> list[Tensor | None]:
    """As `_run`, for many gradients of the outputs at once: the first dimension of each of `given`."""
    there: list[bool] = []

    def pull(*gs: Tensor | None) -> tuple[Tensor, ...]:
        found = _run("grad", outs, list(gs), retain_graph, create_graph, ins)
        there.extend(g is not None for g in found)
        return tuple(g for g in found if g is not None)

    # By name: function transforms stand above autograd.
    mapped = importlib.import_module("frazil.func").vmap(pull, tuple(None if g is None else 0 for g in given))
    before, STATE.grad = STATE.grad, create_graph
    try:
        found = iter(mapped(*given))
    finally:
        STATE.grad = before
    return [next(found) if known else None for known in there]


def gradients_since(
    since: int, outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor], targets: Sequence[Tensor], create_graph: bool
) -> list[Tensor | None]:
    """As `grad`, through the operations newer than the tape's number `since` only: what is older counts as given."""
    return _run("grad", list(outputs), list(grad_outputs), True, create_graph, list(targets), since)


def _text(t: Tensor) -> str:
    return describe(t) if hasattr(t, "_a") else f"edge {t._node!r}"


class GradientEdge(NamedTuple):
    """The place where a gradient goes: a node of the tape, and which of its results; `ownership_token` keeps what that needs."""

    node: Node
    output_nr: int
    ownership_token: Any = None


def _ends(given: Tensor | GradientEdge | Sequence[Tensor | GradientEdge]) -> list[Any]:
    """One or several tensors as a list; an edge in the place of one becomes a tensor without numbers."""
    several = [given] if isinstance(given, (Tensor, GradientEdge)) else list(given)
    return [_end(t) if isinstance(t, GradientEdge) else t for t in several]


def _end(edge: GradientEdge) -> Tensor:
    node, token = edge.node, edge.ownership_token
    if isinstance(node, AccumulateGrad):
        return cast(Tensor, node.variable)
    if token is None and type(node.shape) is tuple and node.shape and type(node.shape[0]) is tuple:
        raise AutogradError(f"{node!r} has several results: take the edge of one from autograd.graph.get_gradient_edge(tensor)")
    t = object.__new__(Tensor)
    t._rg, t._node = True, node if token is None else token
    return t


def _run(
    caller: str,
    roots: list[Tensor],
    given: list[Any],
    retain_graph: bool,
    create_graph: bool,
    targets: list[Tensor] | None,
    since: int = -1,
) -> list[Tensor | None]:
    if STATE.recorder is not None:
        STATE.recorder.differentiates = True
        asked()
    grads: dict[Any, Any] = {}
    leaves: dict[Any, bool] = {}  # leaf -> whether its gradient is a fresh tensor that only the engine knows
    anomaly = ANOMALY.on
    before, region = STATE.grad, STATE.autocast
    outer, STATE.queued = STATE.queued, ()
    STATE.grad, STATE.autocast = create_graph, None  # gradients have the dtypes of the forward pass
    try:
        for i, (root, g) in enumerate(zip(roots, given, strict=True)):
            g = _seed(caller, i, root, g)
            edge = root._node or root
            grads[edge] = g if edge not in grads else grads[edge] + g
            leaves.setdefault(edge, False)
        order = _reachable([root._node for root in roots if root._node is not None])
        wanted: set[Any] = set()
        if targets is not None:
            wanted.update(t._node or t for t in targets)
            order = _leading_to([node for node in order if node.order > since], wanted)
        found: dict[Any, Any] = {}
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if type(node) is OutputNode:
                if node.hooks is not None:
                    g = _run_hooks(node, g)
                if node in wanted:
                    found[node] = g
                parent = node.edges[0]
                slots = grads.get(parent)
                if slots is None:
                    grads[parent] = slots = [None] * len(parent.shape)
                slots[node.index] = g if slots[node.index] is None else slots[node.index] + g
                continue
            if node.inputs is RELEASED:
                raise AutogradError(
                    f"{caller}: the graph was already used and freed (at {node.op_name}). Pass retain_graph=True to the first "
                    "call, or compute the result again"
                )
            if node.hooks is not None:
                g = _run_hooks(node, g)
            if node in wanted:
                found[node] = g
            if type(g) is list:
                g = tuple(g)
            results = inspected(node, g, create_graph) if anomaly else node.vjp(g, create_graph)
            if node.hooks is not None:
                results = _run_after(node, g, results)
            _pass_on(node, g, results, grads, leaves)
            if not retain_graph:
                node.release()
        if targets is None:
            for leaf, fresh in leaves.items():
                if isinstance(leaf, Tensor) and leaf in grads:
                    _accumulate(leaf, grads[leaf], fresh, create_graph)
            _run_queued()
            return []
        results = []
        for t in targets:
            edge = t._node or t
            g = found[edge] if edge in found else grads.get(edge)
            if g is not None and t._node is None and t._hooks and since < 0 and caller == "grad":  # backward adds it up first
                g = _call_hooks(t._hooks.values(), g)
            results.append(g)
        _run_queued()
        return results
    finally:
        STATE.grad, STATE.autocast, STATE.queued = before, region, outer


def _run_queued() -> None:
    """Call what hooks have put off until every gradient of the pass is there."""
    while STATE.queued:
        queued, STATE.queued = STATE.queued, ()
        for call in queued:
            call()


def _pass_on(node: Any, g: Any, results: list[Any], grads: dict[Any, Any], leaves: dict[Any, bool]) -> None:
    """Hand the gradients of a node's inputs to its edges."""
    for position, (edge, gi) in enumerate(zip(node.edges, results, strict=False)):
        if edge is None or gi is None:
            continue
        fresh = gi is not g and gi._base is None
        if isinstance(edge, Node):
            shape, dtype = edge.shape, edge.dtype
        else:
            array = edge._a
            shape, dtype = array.shape, array.dtype
            if fresh and position:
                for r in results[:position]:
                    if r is gi:
                        fresh = False
        array = gi._a
        if not _same_shape(array.shape, shape) if STATE.recorder is not None else array.shape != shape:
            gi = _undo_broadcast(node, gi, shape)
            fresh = gi._base is None
        if array.dtype is not dtype and (own := of_native(dtype)) is not gi.dtype:
            gi = OPS["cast"].call(gi, dtype=own)
            fresh = True
        old = grads.get(edge)
        if old is None:
            grads[edge] = gi
        else:
            grads[edge] = gi + old if old.is_sparse else old + gi
            fresh = True
        if not isinstance(edge, Node):
            leaves[edge] = fresh


def _same_shape(a: Any, b: Any) -> bool:
    """Equality of shapes that never puts a question to a symbolic size."""
    if len(a) != len(b):
        return False
    return all(m is n or (type(m) is int and type(n) is int and m == n) for m, n in zip(a, b, strict=True))


def _undo_broadcast(node: Node, g: Tensor, shape: Any) -> Tensor:
    """Sum `g` over the dimensions in which an input of `shape` was broadcast."""
    given = g._a.shape
    extra = len(given) - len(shape)
    dims = tuple(range(extra)) if extra > 0 else ()
    kept = tuple(i + extra for i, n in enumerate(shape) if stretches(n, given[i + extra])) if extra >= 0 else ()
    if extra < 0:
        raise ShapeError(f"backward of {node.op_name}: the gradient has shape {list(given)}, its input {list(shape)}")
    if kept:
        g = OPS["sum"].call(g, dim=kept, keepdim=True)
    if dims:
        g = OPS["sum"].call(g, dim=dims)
    if any(type(m) is int and type(n) is int and m != n for m, n in zip(g._a.shape, shape, strict=True)):
        raise ShapeError(f"backward of {node.op_name}: the gradient has shape {list(given)}, its input {list(shape)}")
    return g


def _seed(caller: str, i: int, root: Tensor, g: Any) -> Tensor:
    if not isinstance(root, Tensor):
        raise AutogradError(f"{caller}: expected tensors to differentiate, given a {type(root).__name__}")
    if not root._rg:
        raise AutogradError(
            f"{caller}: {_text(root)} does not require grad: none of the tensors it was computed from does, or it was made "
            f"under no_grad()"
        )
    if not hasattr(root, "_a"):
        if g is None:
            raise AutogradError(f"{caller}: a gradient is needed for {_text(root)}, pass gradient=")
        return cast(Tensor, g)
    if g is None:
        if root.numel() != 1:
            raise AutogradError(
                f"{caller}: a gradient is needed for a result with several elements ({_text(root)}): reduce it to a scalar, "
                "for example with .sum(), or pass gradient="
            )
        return ones_like(root)
    if tuple(g._a.shape) != tuple(root._a.shape):
        raise ShapeError(
            f"{caller}: gradient {i} has shape {list(g._a.shape)}, the tensor it belongs to {list(root._a.shape)}; they "
            f"must be equal"
        )
    return g if g.dtype is root.dtype else g.to(root.dtype)


def _reachable(starts: list[Any]) -> list[Any]:
    """All nodes that the starts lead to, newest first."""
    seen = set(starts)
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and isinstance(edge, Node) and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=_by_order, reverse=True)


def _leading_to(order: list[Any], wanted: set[Any]) -> list[Any]:
    """Of the nodes, those from which a wanted node or leaf can be reached."""
    useful: set[Any] = set()
    for node in reversed(order):
        if node in wanted or any(e is not None and (e in wanted or e in useful) for e in node.edges):
            useful.add(node)
    return [node for node in order if node in useful]


def _accumulate(leaf: Tensor, g: Tensor, fresh: bool, create_graph: bool) -> None:
    """Add `g` into `leaf.grad`. A gradient that others may see too is copied, so that writing into `.grad` harms nobody."""
    if leaf._hooks:
        g = _call_hooks(leaf._hooks.values(), g)
        leaf._check_grad(g)
        fresh = False  # a hook may have kept it
    if leaf._rg:  # a leaf that was frozen after the call keeps nothing; its hooks run all the same
        _add_up(leaf, g, fresh, create_graph)
    if leaf._after:
        for hook in list(leaf._after.values()):
            hook(leaf)


def _add_up(leaf: Tensor, g: Tensor, fresh: bool, create_graph: bool) -> None:
    old = leaf.grad  # a recording notes that it was read
    if STATE.recorder is not None:
        STATE.recorder.note_grad(leaf)
    if old is not None:
        if g.is_sparse or old.is_sparse:
            leaf._grad = g + old if old.is_sparse else old + g
        elif create_graph or old._rg:
            leaf._grad = old + g
        else:
            old.add_(g)
    elif fresh or (create_graph and g._rg):
        leaf._grad = g
    elif g.is_sparse:
        leaf._grad = g.clone()
    else:
        leaf._grad = OPS["copy"].call(g)


# --------------------------------------------------------------------------------------------------------------------- hooks


def register_hook(t: Tensor, hook: Callable[[Tensor], Any]) -> HookHandle:
    """See `Tensor.register_hook`."""
    if not t._rg:
        raise AutogradError("register_hook: the tensor does not require grad, so it will never have a gradient")
    if t._node is None:
        if t._hooks is None:
            t._hooks = {}
        hooks = t._hooks
    else:
        if t._node.hooks is None:
            t._node.hooks = {}
        hooks = t._node.hooks
    return HookHandle(hooks, hook)


def register_post_accumulate_grad_hook(t: Tensor, hook: Callable[[Tensor], Any]) -> HookHandle:
    """See `Tensor.register_post_accumulate_grad_hook`."""
    if not t._rg or t._node is not None:
        raise AutogradError("register_post_accumulate_grad_hook: only leaf tensors that require grad have such hooks")
    if t._after is None:
        t._after = {}
    return HookHandle(t._after, hook)


def retain_grad(t: Tensor) -> None:
    """See `Tensor.retain_grad`."""
    if not t._rg:
        raise AutogradError("retain_grad: the tensor does not require grad")
    if t._node is None:
        return
    if t._node.hooks is None:
        t._node.hooks = {}
    target = weakref.ref(t)

    def keep(g: Tensor) -> None:
        tensor = target()
        if tensor is not None:
            tensor.grad = g if tensor.grad is None else tensor.grad + g

    t._node.hooks[RETAIN] = keep


def _run_hooks(node: Any, g: Any) -> Any:
    hooks = {key: hook for key, hook in node.hooks.items() if type(hook) is not AfterNode}
    keep = hooks.pop(RETAIN, None)  # retain_grad sees what the other hooks of the tensor made of it
    own: list[Any] = [hook for hook in hooks.values() if type(hook) is BeforeNode]
    g = _call_hooks([hook for hook in hooks.values() if type(hook) is not BeforeNode], g)
    return _call_hooks(own if keep is None else [keep, *own], g)


def _run_after(node: Any, g: Any, results: list[Any]) -> list[Any]:
    """The gradients of a node's inputs, as the hooks that see both sides leave them."""
    for hook in [hook for hook in node.hooks.values() if type(hook) is AfterNode]:
        returned = hook.call(tuple(results), g if type(g) is tuple else (g,))
        if returned is not None:
            results = list(returned) if isinstance(returned, tuple) else [returned]
            if len(results) != len(node.edges):
                raise AutogradError(f"a hook of {node!r} returned {len(results)} gradients for {len(node.edges)} inputs")
    return results


def _call_hooks(hooks: Iterable[Any], g: Any) -> Any:
    for hook in sorted(hooks, key=lambda hook: type(hook) is BeforeNode):
        replaced = hook.call(g) if type(hook) is BeforeNode else hook(g)
        if replaced is not None:
            if not isinstance(replaced, (Tensor, list)):
                raise AutogradError(f"a gradient hook must return a Tensor or None, not a {type(replaced).__name__}")
            g = replaced
    return g
