"""Random numbers. Where the file gives a seed, every call draws the same ones."""

from __future__ import annotations

from typing import Any

import numpy as np

import frazil as fz
from frazil.ops.random import random_bits

from ..arrays import dtype_of, number, numpy_dtype, shape_of
from ..philox import DOMAIN
from .creation import affordable
from .registry import importer


def _generator(node: Any) -> Any:
    if "seed" not in node:
        return None
    return fz.Generator(node.device).manual_seed(int(np.float32(node["seed"]).view(np.uint32)))


def _drawn(node: Any, normal: bool, shape: Any, dtype: Any) -> Any:
    affordable(node.op_type, shape)
    options = {"generator": _generator(node), "dtype": dtype, "device": node.device}
    if normal:
        return fz.randn(tuple(shape), **options) * node.get("scale", 1.0) + node.get("mean", 0.0)
    low, high = node.get("low", 0.0), node.get("high", 1.0)
    return fz.rand(tuple(shape), **options) * (high - low) + low


@importer("random_bits", domain=DOMAIN, numbers=(1,))
def bits(node: Any, state: Any, n: Any) -> Any:
    """The function of frazil's own files."""
    return random_bits(state, n=number(n))


@importer("RandomNormal", "RandomUniform")
def of_shape(node: Any) -> Any:
    return _drawn(node, node.op_type == "RandomNormal", node["shape"], dtype_of(node.get("dtype", 1)))


@importer("RandomNormalLike", "RandomUniformLike", raw=True)
def like(node: Any, x: Any) -> Any:
    dtype = dtype_of(node["dtype"]) if "dtype" in node else getattr(fz, numpy_dtype(x).name)
    return _drawn(node, node.op_type == "RandomNormalLike", shape_of(x), dtype)


@importer("Bernoulli")
def bernoulli(node: Any, x: Any) -> Any:
    drawn = fz.rand(x.shape, generator=_generator(node), device=x.device) < x
    return drawn.to(dtype_of(node["dtype"]) if "dtype" in node else x.dtype)


@importer("Multinomial")
def multinomial(node: Any, x: Any) -> Any:
    """Classes by their unnormalised log-probabilities."""
    affordable("Multinomial", [x.shape[0], node.get("sample_size", 1)])
    weights = fz.nn.functional.softmax(x, dim=-1)
    drawn = fz.multinomial(weights, node.get("sample_size", 1), replacement=True, generator=_generator(node))
    return drawn.to(dtype_of(node.get("dtype", 6)))
