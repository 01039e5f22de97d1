"""ONNX files of unknown origin: reading them, and limits of what they may ask for. Drawings and `fz.onnx.load` share it."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from frazil.config import config
from frazil.errors import ArgumentError
from frazil.outside import one_line, plain

#: Functions and branches within each other: programs stay far below.
DEPTH = 100


def read(path: str | os.PathLike[str], action: str) -> ir.Model:
    """The model in a file. Weights outside of the file are not read yet.

    Args:
        action: what the errors begin with.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(f"{action}: there is no file {str(path)!r}")
    model = parsed(lambda: onnx.load(path, load_external_data=False), action, repr(str(path)))
    ir.external_data.set_base_dir(model.graph, str(path.parent))
    if not model.graph.opset_imports:
        raise ArgumentError(f"{action}: {str(path)!r} is not an ONNX file: it states no opset")
    return model


def from_proto(proto: onnx.ModelProto) -> ir.Model:
    """The model of a message. Raises ValueError for two weights of one name, of which the model would have the last."""
    names = Counter(tensor.name for tensor in proto.graph.initializer)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"two weights are called {plain(twice)!r}")
    return ir.from_proto(proto)


def parsed(parse: Callable[[], onnx.ModelProto], action: str, name: str) -> ir.Model:
    """The model that `parse` gives; whatever goes wrong there says that `name` is no ONNX file. What is too large is refused
    before much time goes into it."""
    with _silent():
        try:
            proto = parse()
            count = _written(proto)
            proto = _without_maps(proto)
            model = from_proto(proto) if count <= config.get("limits.operations") else None
        except Exception as error:  # protobuf and onnx_ir each have their own
            raise ArgumentError(f"{action}: {name} is not an ONNX file: {reason(error)}") from error
    if model is None:
        raise ArgumentError(f"{action}: {name} has {_many(count)} operations; {_limit()}")
    return model


def _written(proto: onnx.ModelProto) -> int:
    """How many operations are written in a file, those of branches and functions too."""
    count, open_ = 0, [proto.graph.node, *(function.node for function in proto.functions)]
    while open_:
        nodes = open_.pop()
        count += len(nodes)
        for node in nodes:
            for attribute in node.attribute:
                if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                    open_ += [graph.node for graph in (attribute.g, *attribute.graphs)]
    return count


def _without_maps(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The message without types that are or have maps, as scikit-learn's classifiers give them: onnx_ir knows none."""
    values = lambda graph: (*graph.input, *graph.output, *graph.value_info)
    if not any(_is_map(value.type) for value in values(proto.graph)):
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for value in values(copy.graph):
        if _is_map(value.type):
            value.ClearField("type")
    return copy


def _is_map(kind: onnx.TypeProto) -> bool:
    while kind.WhichOneof("value") in ("sequence_type", "optional_type"):
        kind = getattr(kind, kind.WhichOneof("value")).elem_type
    return kind.WhichOneof("value") == "map_type"


def _limit(done: str = "read") -> str:
    """What to say to whom the limit is too low."""
    return (
        f"{config.get('limits.operations'):,} are {done} at most. Raise the limit with the setting limits.operations, such as "
        "FRAZIL_LIMITS_OPERATIONS=200000"
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Without the remarks of onnx_ir, which have the names of the file in them as they are."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def check_size(model: ir.Model, name: str, action: str, done: str) -> None:
    """Refuse what would be too large with every call of a function written out, or has no end.

    Args:
        done: what happens to operations, such as "drawn".
    """
    limit = config.get("limits.operations")
    sizes: dict[Any, int] = {}
    within: list[Any] = []

    def size(body: Any, own: Any) -> int:
        if own in within:
            raise ArgumentError(f"{action}: {name!r} is not a sound ONNX model: function {plain(own[1])!r} calls itself")
        if own not in sizes:
            if len(within) >= DEPTH:
                raise ArgumentError(f"{action}: {name!r} has functions and branches more than {DEPTH} deep, which is not {done}")
            within.append(own)
            count = 0
            for node in body:
                count += 1
                called = node.op_identifier()
                if called in model.functions:
                    count += size(model.functions[called], called)
                for attribute in node.attributes.values():
                    for graph in graphs_of(attribute):
                        count += size(graph, (id(graph), "a branch"))
            sizes[own] = count
            within.pop()
        return sizes[own]

    found = size(model.graph, ("", "the model"))
    if found > limit:
        raise ArgumentError(f"{action}: {name!r} has {_many(found)} operations, calls of functions written out; {_limit(done)}")


def graphs_of(attribute: ir.Attr) -> list[ir.Graph]:
    """The branches and bodies in an attribute."""
    if attribute.is_ref():
        return []
    if attribute.type == ir.AttributeType.GRAPH:
        return [attribute.as_graph()]
    return list(attribute.as_graphs()) if attribute.type == ir.AttributeType.GRAPHS else []


def _many(count: int) -> str:
    return f"{count:,}" if count < 10**12 else "far too many"


def reason(error: BaseException) -> str:
    """Return why something went wrong, at its root."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, (TypeError, UnicodeError)) and "byte" in str(error):  # what protobuf makes of such names
        return "a name in it is not UTF-8"
    return one_line(error)[:300]
