"""ai.onnx.preview.training: steps of optimisers, as the definitions of onnx say. Tensors are updated one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import frazil as fz
from frazil.errors import ArgumentError

from .registry import importer

_DOMAIN = "ai.onnx.preview.training"


def _each(node: Any, given: tuple[Any, ...], kinds: int, update: Callable[..., tuple[Any, ...]]) -> tuple[Any, ...]:
    """The updates of all tensors. Inputs come by kind: all weights, then all gradients, and what is kept of each."""
    count, rest = divmod(len(given), kinds)
    if rest:
        raise ArgumentError(f"{node.op_type}: every tensor has {kinds} inputs; {len(given)} inputs are no multiple of it")
    updated = [update(*given[i::count]) for i in range(count)]
    return tuple(new for kind in zip(*updated, strict=True) for new in kind)


@importer("Adam", domain=_DOMAIN)
def adam(node: Any, rate: Any, step: Any, *given: Any) -> tuple[Any, ...]:
    alpha, beta = node.get("alpha", 0.9), node.get("beta", 0.999)

    def update(x: Any, g: Any, v: Any, h: Any) -> tuple[Any, ...]:
        g = g + node.get("norm_coefficient", 0.0) * x
        v, h = alpha * v + (1 - alpha) * g, beta * h + (1 - beta) * g * g
        count = step.to(x.dtype)
        corrected = rate * fz.sqrt(1 - beta**count) / (1 - alpha**count)
        x = x - fz.where(step > 0, corrected, rate) * v / (fz.sqrt(h) + node.get("epsilon", 0.0))
        return (1 - node.get("norm_coefficient_post", 0.0)) * x, v, h

    return _each(node, given, 4, update)


@importer("Adagrad", domain=_DOMAIN)
def adagrad(node: Any, rate: Any, step: Any, *given: Any) -> tuple[Any, ...]:
    slower = rate / (1 + step * node.get("decay_factor", 0.0))

    def update(x: Any, g: Any, h: Any) -> tuple[Any, ...]:
        g = g + node.get("norm_coefficient", 0.0) * x
        h = h + g * g
        return x - slower.to(x.dtype) * g / (fz.sqrt(h) + node.get("epsilon", 0.0)), h

    return _each(node, given, 3, update)


@importer("Momentum", domain=_DOMAIN)
def momentum(node: Any, rate: Any, step: Any, *given: Any) -> tuple[Any, ...]:
    alpha, nesterov = node["alpha"], node["mode"] == "nesterov"

    def update(x: Any, g: Any, v: Any) -> tuple[Any, ...]:
        g = g + node["norm_coefficient"] * x
        v = alpha * v + fz.where(step > 0, node["beta"], 1.0).to(x.dtype) * g
        return x - rate * (g + alpha * v if nesterov else v), v

    return _each(node, given, 3, update)
