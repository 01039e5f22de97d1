"""Files that leave broadcasts open: operators broadcast or refuse as the program does, without an assert before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from frazil.recorder.graph import Graph, Guard, Node, Value
from frazil.sizes import Size, SymBool, SymInt, decide, is_static, symbols_of
from frazil.table import OPS


def may_broadcast(graph: Graph, asserted: Sequence[Guard]) -> bool:
    """Return whether another recording, which leaves broadcasts open, can have fewer asserts: one says that sizes are equal, and
    an elementwise op is given two tensors of sizes that are free."""
    if not any((guard.holds.zero or ("",))[0] == "==" for guard in asserted):
        return False
    free = (
        [value for value in node.inputs if value is not None and not is_static(tuple(value.spec.shape))]
        for node in graph.walk()
        if node.op_name in OPS and OPS[node.op_name].layout == "elementwise"
    )
    return any(len(values) > 1 for values in free)


def only_broadcasts(graph: Graph) -> bool:
    """Return whether ops that are not elementwise are given no size that was left open, or take any that it can be: what others
    refuse at some sizes (a maximum of no elements, statistics of one) is known to the file only where the recording has numbers
    for them."""
    known = _known(graph)
    for node in graph.walk():
        if node.op_name in OPS and OPS[node.op_name].layout == "elementwise":
            continue
        takes = _TAKES.get(node.op_name)
        given = [value for value in node.inputs if value is not None]
        attrs = [attr for attr in node.attrs.values() if not isinstance(attr, Graph)]
        if _are_open([attrs, *(value.spec.shape for value in given)]) and (takes is None or not takes(node, known)):
            return False
    return True


def knows_sizes(graph: Graph) -> bool:
    """Return whether every size that the graph speaks of is that of one of its values."""
    values = [*graph.inputs, *graph.captured, *(value for node in graph.walk() for value in node.outputs)]
    known, origins = set(values), dict(graph.symbols)
    for subgraph in (subgraph for node in graph.walk() for subgraph in node.subgraphs.values()):
        known.update(subgraph.inputs)
        origins.update(subgraph.symbols)
    attrs = [a for node in graph.walk() for a in node.attrs.values() if not isinstance(a, Graph)]
    spoken_of = symbols_of([*attrs, *(value.spec.shape for value in values)])
    return all(symbol in origins and origins[symbol].value in known for symbol in spoken_of)


def _known(graph: Graph) -> list[SymBool]:
    """What is true of sizes: the guards, what convolutions of the graph refuse by themselves, and that an open size is not 0
    where none of its parts is."""
    known = [guard.holds for guard in graph.guards]
    for node in graph.nodes:
        if node.op_name == "conv":
            fits = [least for n, least in _windows(node) if isinstance(n, SymInt) and n.symbol is not None and not n.symbol.parts]
            known += [one for one in fits if isinstance(one, SymBool)]
    opened = {symbol for value in _values(graph) for symbol in symbols_of(value.spec.shape) if symbol.parts}
    for symbol in sorted(opened, key=lambda symbol: symbol.serial):
        if all(_holds(part >= 1, known) for part in symbol.parts):
            condition = symbol.size >= 1
            known += [condition] if isinstance(condition, SymBool) else []
    return known


def _values(graph: Graph) -> Iterable[Value]:
    return (value for node in graph.walk() for value in node.outputs)


def _windows(node: Node) -> list[tuple[Size, bool | SymBool]]:
    """The sizes of a convolution's images, each with the condition that its window fits in."""
    x, weight = node.inputs[:2]
    assert x is not None and weight is not None
    around = zip(x.spec.shape[2:], weight.spec.shape[2:], node.attrs["padding"], node.attrs["dilation"], strict=True)
    return [(n, n + 2 * p >= d * (k - 1) + 1) for n, k, p, d in around]


def _are_open(sizes: object) -> bool:
    return any(symbol.parts for symbol in symbols_of(sizes))


def _holds(condition: bool | SymBool, known: Sequence[SymBool]) -> bool:
    return decide(condition, known) is True if isinstance(condition, SymBool) else condition


def _each(size: Size) -> Sequence[Size]:
    """The sizes that an open size can be."""
    return size.symbol.parts if isinstance(size, SymInt) and size.symbol is not None and size.symbol.parts else (size,)


def _conv(node: Node, known: Sequence[SymBool]) -> bool:
    x, weight = node.inputs[:2]
    assert x is not None and weight is not None
    if _are_open([x.spec.shape[1], weight.spec.shape, [*node.attrs.values()]]):
        return False
    return all(
        _holds(n + 2 * p >= d * (k - 1) + 1, known)
        for size, k, p, d in zip(
            x.spec.shape[2:], weight.spec.shape[2:], node.attrs["padding"], node.attrs["dilation"], strict=True
        )
        if _are_open([size])
        for n in _each(size)
    )


def _resize(node: Node, known: Sequence[SymBool]) -> bool:
    x = node.inputs[0]
    assert x is not None
    whole = all(scale is not None for scale in node.attrs["scales"]) and not _are_open([x.spec.shape[1]])
    return whole and all(_holds(size >= 1, known) for size in x.spec.shape[2:] if _are_open([size]))


def _rows(node: Node, known: Sequence[SymBool]) -> bool:
    x, *others = (value for value in node.inputs if value is not None)
    return not _are_open([x.spec.shape[-1:], *(value.spec.shape for value in others)])


#: Ops that work on all sizes that a broadcast in one of these nodes can have, as their operators do.
_TAKES: dict[str, Callable[[Node, Sequence[SymBool]], bool]] = {
    "conv": _conv,
    "linear": _rows,
    "resize": _resize,
    "sum": lambda node, known: True,
}
