"""Random words of all rounds of a loop, drawn ahead of it.

A round of a training step draws few words, on which operators take longer to begin than to compute. Where every round moves the
state on by the same number of blocks, the words of many rounds come from one call: the same words, in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from . import philox
from .emit import BOOL, INT64, Emitter
from .subgraphs import choose

_WORDS_PER_BLOCK = 8

#: This many words come from one call. In calls of 8192, 16384, 32768, 65536 and 327680 words, 8192 take 620, 380, 340, 340 and
#: 450 microseconds (onnxruntime 1.32.0, one thread of a busy Xeon, 2026-11-30): fewer do not fill the operators, more do not
#: fit into the cache.
_AT_ONCE = 2**15

#: A loop that needs more words than these draws in each round: memory stays bounded.
_MOST = 2**22


class _Draws(NamedTuple):
    """Calls of random_bits in a body, with the blocks that were drawn in the round before each, and those of the whole round."""

    calls: list[tuple[ir.Node, int]]
    blocks: int


def draw_ahead(
    e: Emitter,
    inner: Emitter,
    number: ir.Value,
    rounds: ir.Value,
    carried: Sequence[tuple[ir.Value, ir.Value, ir.Value]],
) -> None:
    """Let the body that `inner` has written take its words from those drawn ahead, in `e`. A carried value is what the loop
    begins with, what the body is given and what the body gives."""
    for start, state, result in carried:
        draws = _draws(inner.nodes, state, result)
        if draws is None:
            continue
        words = _WORDS_PER_BLOCK * draws.blocks
        are_few = e.op("LessOrEqual", e.op("Mul", rounds, e.constant(words, INT64)), e.constant(_MOST, INT64))
        none = np.zeros((0, words))
        ahead = choose(
            e,
            are_few,
            lambda e, start=start, blocks=draws.blocks: _all_words(e, start, rounds, blocks),  # type: ignore[misc]
            lambda e, none=none: e.op("Identity", e.constant(none, INT64)),  # type: ignore[misc]
        )
        old, inner.nodes[:] = list(inner.nodes), []
        inner.emitted.maps[0].clear()  # what is put before the body cannot use what the body computes
        of_round = choose(
            inner,
            are_few,
            lambda e, ahead=ahead: e.op("Gather", ahead, number, axis=0),  # type: ignore[misc]
            lambda e, state=state, words=words: _bits(e, state, words),  # type: ignore[misc]
        )
        for call, before in draws.calls:
            first = _WORDS_PER_BLOCK * before
            last = first + _number(call.inputs[1])
            found = of_round if last - first == words else inner.op("Slice", of_round, inner.ints(first), inner.ints(last))
            ir.convenience.replace_all_uses_with(call.outputs[0], found)
        inner.nodes += old


def _draws(nodes: Sequence[ir.Node], state: ir.Value, result: ir.Value) -> _Draws | None:
    """The draws from a carried state that each round moves on by the same number of blocks; None where that is not so, there are
    none, or each is large enough to be made alone."""
    passed = {id(state): 0}
    for node in nodes:
        if node.op_type == "Add" and not node.domain and id(node.inputs[0]) in passed:
            step = node.inputs[1].const_value if node.inputs[1] is not None else None
            if step is not None and step.shape == (2,) and step.numpy()[0] == 0 and step.numpy()[1] >= 0:
                passed[id(node.outputs[0])] = passed[id(node.inputs[0])] + int(step.numpy()[1])
    blocks = passed.get(id(result), 0)
    if not 0 < 2 * _WORDS_PER_BLOCK * blocks <= _AT_ONCE:
        return None
    calls = [
        (node, passed[id(node.inputs[0])])
        for node in nodes
        if (node.domain, node.op_type) == (philox.DOMAIN, "random_bits") and id(node.inputs[0]) in passed
    ]
    known = all(
        call.inputs[1].const_value is not None and _WORDS_PER_BLOCK * (blocks - before) >= _number(call.inputs[1])
        for call, before in calls
    )
    return _Draws(calls, blocks) if calls and known else None


def _number(value: ir.Value | None) -> int:
    assert value is not None and value.const_value is not None
    return int(value.const_value.numpy())


def _bits(e: Emitter, state: ir.Value, words: int) -> ir.Value:
    found: ir.Value = e.call(philox.random_bits(e.opset), state, e.constant(words, INT64), dtype=INT64)
    return found


def _all_words(e: Emitter, start: ir.Value, rounds: ir.Value, blocks: int) -> ir.Value:
    """int64[at least `rounds`, words of a round], drawn for several rounds at a time."""
    together = _AT_ONCE // (_WORDS_PER_BLOCK * blocks)
    times = e.op("Div", e.op("Add", rounds, e.constant(together - 1, INT64)), e.constant(together, INT64))
    inner = e.child()
    number = ir.Value(name=e.unique("time"), type=ir.TensorType(INT64), shape=ir.Shape([]))
    goes_on = ir.Value(name=e.unique("goes_on"), type=ir.TensorType(BOOL), shape=ir.Shape([]))
    state = inner.op("Add", start, inner.op("Mul", number, inner.ints(0, together * blocks)))
    outputs = [inner.op("Identity", goes_on), _bits(inner, state, together * blocks * _WORDS_PER_BLOCK)]
    body = ir.Graph([number, goes_on], outputs, nodes=inner.nodes, name=e.unique("draws"))
    drawn = e.op("Loop", times, e.constant(True, BOOL), dtype=INT64, body=body)
    found: ir.Value = e.op("Reshape", drawn, e.ints(-1, blocks * _WORDS_PER_BLOCK))
    return found
