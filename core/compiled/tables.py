"""Layers whose input is rows of a table (an embedding): what their weights make of a row is computed once for each row of the
table, not once for each time that it is looked up; and gradients are summed up by row before weights are multiplied by them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, final

from .. import dtypes
from ..recorder.graph import Graph, Node, Value
from ..recorder.passes import drop_dead_code
from ..sizes import Symbol, evaluate
from ..table import Spec

#: So often a row has to be looked up on average.
_OFTEN = 2


class _Rows(NamedTuple):
    """What a value is: `table[numbers]`, with the dimensions of `numbers` in this order."""

    numbers: Value
    table: Value
    order: tuple[int, ...]


def through_tables(graph: Graph, sizes: Mapping[Symbol, Any], backend: Any) -> tuple[Graph, dict[Node, Any]]:
    """The graph with such layers; the nodes that read numbers and a table instead of their first operand, and their kernels."""
    if not any(node.op_name == "embedding" for node in graph.nodes):
        return graph, {}
    tables = _Tables(graph.copy(), sizes, backend)
    tables.change()
    return (tables.graph, tables.kernels) if tables.kernels else (graph, {})


@final
class _Tables:
    def __init__(self, graph: Graph, sizes: Mapping[Symbol, Any], backend: Any) -> None:
        self.graph, self.backend, self._sizes = graph, backend, sizes
        self.kernels: dict[Node, Any] = {}
        self._rows: dict[Value, _Rows] = {}
        self._summed: dict[Value, Value] = {}  # a gradient -> its sums by row
        self._tables: dict[Value, list[Value]] = {}  # numbers -> the tables of layers
        self._known: dict[Any, Value] = {}  # what was added to the graph
        self._nodes: list[Node] = []

    def change(self) -> None:
        """Rewrite the nodes one after the other."""
        for node in self.graph.nodes:
            first = node.inputs[0] if node.inputs else None
            if node.op_name == "embedding":
                self._look_up(node)
            elif first in self._rows and node.op_name == "permute":
                self._permute(node, self._rows[first])
            elif first in self._rows:
                self._take(node, self._rows[first])
            elif node.op_name == "linear_weight_grad" and node.inputs[1] in self._rows:
                self._weight_gradient(node, self._rows[node.inputs[1]])
            elif node.op_name == "sum_to_last" and first in self._summed:
                node.inputs = [self._summed[first]]
            elif node.op_name == "index_put_values":
                self._table_gradient(node)
            self._nodes.append(node)
        self.graph.nodes = self._nodes
        drop_dead_code(self.graph)

    def _shape(self, value: Value) -> tuple[int, ...]:
        return tuple(evaluate(tuple(value.spec.shape), self._sizes))

    def _look_up(self, node: Node) -> None:
        numbers, table = node.inputs
        assert numbers is not None and table is not None
        if _OFTEN * self._shape(table)[0] <= math.prod(self._shape(numbers)):
            self._rows[node.outputs[0]] = _Rows(numbers, table, tuple(range(len(numbers.spec.shape))))

    def _permute(self, node: Node, rows: _Rows) -> None:
        *dims, last = node.attrs["dims"]
        if last == len(dims):
            self._rows[node.outputs[0]] = rows._replace(order=tuple(rows.order[dim] for dim in dims))

    def _take(self, node: Node, rows: _Rows) -> None:
        specs = [v and Spec(self._shape(v), v.spec.dtype) for v in node.inputs]
        kernel = self.backend.prepared_rows(node.op_name, specs, node.attrs)
        if kernel is not None:
            self.kernels[node] = kernel
            self._tables.setdefault(rows.numbers, []).append(rows.table)
            node.inputs[:1] = [self._in_order(rows.numbers, rows.order), rows.table]

    def _weight_gradient(self, node: Node, rows: _Rows) -> None:
        """g.T @ table[numbers] is the product of the sums of g by row, and the table."""
        g = node.inputs[0]
        if g is not None and rows.table in self._tables.get(rows.numbers, ()):
            node.inputs = [self._sums(g, rows), self._looked_up(rows)]

    def _table_gradient(self, node: Node) -> None:
        """The sums of g @ weight by row are the product of the sums of g, and the weight."""
        zeros, product, *indices = node.inputs
        if len(indices) != 1 or indices[0] is None or not node.attrs["accumulate"] or zeros is None:
            return
        # Other tables may be looked up by the same numbers.
        tables = [table for table in self._tables.get(indices[0], ()) if self._shape(table) == self._shape(zeros)]
        if not tables:
            return
        order = tuple(range(len(indices[0].spec.shape)))
        if product is not None and product.producer is not None and product.producer.op_name == "permute":
            *dims, last = product.producer.attrs["dims"]
            order = tuple(map(dims.index, order)) if last == len(dims) else ()
            product = product.producer.inputs[0]
        made = None if product is None else product.producer
        if not order or made is None or made.op_name != "matmul" or len(self.graph.users()[made.outputs[0]]) > 1:
            return
        g, weight = made.inputs
        fill = zeros.producer
        if g is None or weight is None or fill is None or fill.op_name != "fill" or fill.attrs["value"] != 0:
            return
        if len(weight.spec.shape) == 2 and len(g.spec.shape) == len(order) + 1:
            rows = _Rows(indices[0], tables[0], order)
            node.op_name, node.attrs, node.inputs = "matmul", {}, [self._sums(g, rows), weight]

    def _sums(self, g: Value, rows: _Rows) -> Value:
        """The sums of g [..., features] by row of the table."""
        zeros = self._fill((self._shape(rows.table)[0], self._shape(g)[-1]), 0, g.spec.dtype)
        numbers = self._in_order(rows.numbers, rows.order)
        self._summed[g] = self._add("index_put_values", [zeros, g, numbers], {"accumulate": True}, zeros.spec)
        return self._summed[g]

    def _looked_up(self, rows: _Rows) -> Value:
        """The table with zeros for the rows that nobody looks up: they count for nothing, and may not be finite."""
        never = self._fill((self._shape(rows.table)[0], 1), False, dtypes.bool_)
        given = [never, self._fill((), True, dtypes.bool_), rows.numbers]
        known = self._add("index_put_values", given, {"accumulate": False}, never.spec)
        return self._add("where", [known, rows.table, self._fill((), 0, rows.table.spec.dtype)], {}, rows.table.spec)

    def _fill(self, shape: tuple[int, ...], value: Any, dtype: Any) -> Value:
        return self._add("fill", [], {"shape": shape, "value": value, "dtype": dtype}, Spec(shape, dtype))

    def _in_order(self, numbers: Value, order: tuple[int, ...]) -> Value:
        if order == tuple(range(len(order))):
            return numbers
        shape = tuple(numbers.spec.shape[dim] for dim in order)
        return self._add("permute", [numbers], {"dims": order}, Spec(shape, numbers.spec.dtype))

    def _add(self, name: str, inputs: list[Value], attrs: dict[str, Any], spec: Spec) -> Value:
        """The result of a new node, or of one like it that is there."""
        key = (name, *inputs, *attrs.items())
        if key not in self._known:
            self._known[key] = Value(name, spec)
            self._nodes.append(Node(name, inputs, attrs, [self._known[key]]))
        return self._known[key]
