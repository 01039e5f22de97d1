"""A backend that is small enough to read: numbers in Python's own `array.array`, kernels in plain Python."""

import math
from array import array

import numpy as np

from frazil.backend import Backend, Capabilities
from frazil.dtypes import ALL, bool_, float32, float64, int64

CODES = {bool_: "b", int64: "q", float32: "f", float64: "d"}  # dtype -> type code of array.array


class Memory:
    """The toy's array: a shape, a dtype, and the elements one after the other."""

    def __init__(self, numbers, dtype, shape):
        self.shape = tuple(shape)
        self.dtype = dtype
        self.cells = array(CODES[dtype], map(bool, numbers) if dtype is bool_ else numbers)
        if len(self.cells) != math.prod(self.shape):
            raise ValueError(f"{len(self.cells)} elements for shape {self.shape}")


KERNELS = {}


class Toy(Backend):
    name = "toy"  # what a configuration says; the same as the entry point
    device_type = "toy"  # what `tensor.device` says
    contract = 2  # the version of frazil.backend.Backend that this was written for

    def device_count(self):
        return 1

    def capabilities(self, index=0):
        return Capabilities(frozenset(dtype.name for dtype in CODES), aliases=False)

    def native_dtypes(self):
        return {dtype: dtype.name for dtype in CODES}

    def from_host(self, array, index=0):
        return Memory(array.ravel().tolist(), ALL[array.dtype.name], array.shape)

    def to_host(self, memory):
        return np.array(memory.cells, memory.dtype.numpy).reshape(memory.shape)

    def kernels(self, index=0):
        return KERNELS

    def describe(self, index=0):
        return "a toy of Python lists"


def kernel(function):
    """Put a function into the table, under its name."""
    KERNELS[function.__name__.rstrip("_")] = function
    return function


def positions(shape):
    """Where each element of an array of this shape stands in its cells, as a NumPy array of that shape."""
    return np.arange(math.prod(shape)).reshape(shape)


def picked(memory, where):
    """The elements at the positions `where`, in its shape."""
    return Memory([memory.cells[i] for i in where.ravel().tolist()], memory.dtype, where.shape)


def mapped(function, *memories, dtype=None):
    """Every element by `function`, with broadcasting, in the dtype of the last memory or the one given."""
    shape = np.broadcast_shapes(*(m.shape for m in memories))
    aligned = [picked(m, np.broadcast_to(positions(m.shape), shape)) for m in memories]
    return Memory(map(function, *(m.cells for m in aligned)), dtype or memories[-1].dtype, shape)


def elementwise(name, function, dtype=None):
    """Put a kernel into the table that computes every element by `function`."""
    KERNELS[name] = lambda *memories: mapped(function, *memories, dtype=dtype)


elementwise("add", lambda a, b: a + b)
elementwise("mul", lambda a, b: a * b)
elementwise("tanh", math.tanh)
elementwise("eq", lambda a, b: a == b, bool_)
elementwise("lt", lambda a, b: a < b, bool_)


@kernel
def where(condition, a, b):
    if condition.dtype is not bool_:
        raise TypeError("no bools")  # any exception will do: frazil explains it by the rule of the op
    return mapped(lambda c, x, y: x if c else y, condition, a, b)


@kernel
def fill(*, shape, value, dtype):
    return Memory([value] * math.prod(shape), dtype, shape)


@kernel
def reshape(x, *, shape):
    return Memory(x.cells, x.dtype, shape)


@kernel
def permute(x, *, dims):
    return picked(x, positions(x.shape).transpose(dims))


@kernel
def expand(x, *, shape):
    return picked(x, np.broadcast_to(positions(x.shape), shape))


@kernel
def slice_(x, *, starts, stops, steps):
    return picked(x, positions(x.shape)[tuple(map(slice, starts, stops, steps))])


@kernel
def sum_(x, *, dim, keepdim, dtype):
    every = range(len(x.shape))
    dims = every if dim is None else dim
    kept = [d for d in every if d not in dims]
    count, length = (math.prod(x.shape[d] for d in some) for some in (kept, dims))
    rows = positions(x.shape).transpose(*kept, *dims).reshape(count, length).tolist()
    shape = [1 if d in dims else x.shape[d] for d in every if keepdim or d not in dims]
    total = dtype or (x.dtype if x.dtype.kind == "f" else int64)
    return Memory([sum(x.cells[i] for i in row) for row in rows], total, shape)


@kernel
def relu(x):
    return Memory([a if a > 0 or a != a else 0 for a in x.cells], x.dtype, x.shape)
