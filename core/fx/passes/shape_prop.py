"""The shapes of what a graph computes, by a run of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...dtypes import dtype as DType
from ...tensor import Tensor
from ..interpreter import Interpreter
from ..node import Node, map_aggregate


class TensorMetadata(NamedTuple):
    """A tensor without its values."""

    shape: Any
    dtype: DType
    requires_grad: bool
    stride: tuple[int, ...]


class ShapeProp(Interpreter):
    """A run of a graph that notes in `node.meta` what each node gives: "type", and "tensor_meta" where there are tensors in it,
    with a `TensorMetadata` in the place of each.

    >>> import frazil as fz
    >>> from frazil.fx.passes.shape_prop import ShapeProp
    >>> traced = fz.fx.symbolic_trace(lambda x: (x @ x.T).sum())
    >>> ShapeProp(traced).propagate(fz.ones(2, 3))
    tensor(12.)
    >>> [tuple(node.meta["tensor_meta"].shape) for node in traced.graph.find_nodes(op="call_function", target=None)]
    [(3, 2), (2, 2)]
    """

    def run_node(self, n: Node) -> Any:
        """Return the value of one node, and note what it is."""
        result = super().run_node(n)
        found = []

        def told(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            found.append(value)
            return TensorMetadata(value.shape, value.dtype, value.requires_grad, tuple(value.stride()))

        meta = map_aggregate(result, told)
        if found:
            n.meta["tensor_meta"] = meta
        n.meta["type"] = type(result)
        return result

    def propagate(self, *args: Any) -> Any:
        """Run the graph on examples of its arguments and return what it gives."""
        return self.run(*args)
