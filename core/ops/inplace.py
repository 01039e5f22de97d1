"""In-place methods that are more than a form of one op or function: those have `inplace=True` where they are defined."""

from __future__ import annotations

from typing import Any, NoReturn

from ..alias import assign, check_writable, current_value, detached, left_behind
from ..dispatch import as_operand
from ..errors import ShapeError
from ..sizes import same
from ..state import STATE
from ..table import FUNCTIONS, METHODS, in_todays_order
from ..tensor import Tensor
from ..views import register_view
from .common import is_number
from .elementwise import cast, clone
from .shape import expand


def _with_option(name: str, option: str, default: Any) -> None:
    """`add_(other, alpha=2)`: the op of the table, unless the option says otherwise."""
    plain = METHODS[name + "_"]
    general = FUNCTIONS[name]

    def call(self: Tensor, other: Any, *more: Any, **options: Any) -> Tensor:
        if more:
            (self, other), factors = in_todays_order(name, (self, other, *more)) or _refused(name, len(more))
            options |= factors
        given = options.get(option, default)
        if not (is_number(given, default) if option == "alpha" else given == default):
            check_writable(name + "_", self)
            assign(name + "_", self, general(current_value(self), other, **options))
            return self
        return plain(self, other)

    call.__name__ = call.__qualname__ = name + "_"
    call.__doc__ = plain.__doc__
    METHODS[f"__i{_DUNDERS.get(name, name)}__"] = plain
    METHODS[name + "_"] = call


def _refused(name: str, more: int) -> NoReturn:
    raise TypeError(f"{name}_() takes 1 argument after the tensor, given {1 + more}; options are given by name")


_DUNDERS = {"div": "truediv", "floor_divide": "floordiv", "remainder": "mod"}
for _name, _option, _default in (("add", "alpha", 1), ("sub", "alpha", 1), ("div", "rounding_mode", None)):
    _with_option(_name, _option, _default)
for _name in ("mul", "floor_divide", "remainder", "pow"):
    METHODS[f"__i{_DUNDERS.get(_name, _name)}__"] = METHODS[_name + "_"]
for _name in ("and", "or", "xor"):
    METHODS[f"__i{_name}__"] = METHODS[f"bitwise_{_name}_"]
METHODS["__ilshift__"], METHODS["__irshift__"] = METHODS["bitwise_left_shift_"], METHODS["bitwise_right_shift_"]


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the values of `src` (broadcast, converted) into this tensor."""
    check_writable("copy_", self)
    given = src
    if not isinstance(src, Tensor):
        src = as_operand("copy_", src, self._dev, self.dtype)
    if src.dtype is not self.dtype:
        src = cast(src, dtype=self.dtype)  # before it travels to a device that may lack its dtype
    if src._dev is not self._dev and not (src._dev.recording or self._dev.recording):
        src = src.to(self.device)
    if tuple(src._a.shape) != tuple(self._a.shape):
        src = expand(src, shape=tuple(self._a.shape))
    if src is given and src._rg and STATE.grad and self._base is None:
        src = clone(src)  # the tape of `self` goes on from a node of its own
    assign("copy_", self, src, fresh=src is not given)
    return self


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to a number."""
    return copy_(self, value if isinstance(value, Tensor) else as_operand("fill_", value, self._dev, self.dtype))


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return copy_(self, 0)


def unsqueeze_(self: Tensor, dim: int) -> Tensor:
    """This tensor with a dimension of size 1 put in."""
    return take_over(self, self.unsqueeze(dim))


def squeeze_(self: Tensor, dim: Any = None) -> Tensor:
    """This tensor without dimensions of size 1."""
    return take_over(self, self.squeeze(dim))


def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """This tensor with two dimensions exchanged."""
    return take_over(self, self.transpose(dim0, dim1))


def t_(self: Tensor) -> Tensor:
    """This matrix transposed."""
    return take_over(self, self.t())


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Set the elements of the main diagonal to a number: of a matrix, or of a tensor of more dimensions of one size.

    Args:
        wrap: in a matrix with more rows than columns, begin again one row below the end of each diagonal.

    >>> import frazil as fz
    >>> fz.zeros(4, 2).fill_diagonal_(1, wrap=True)
    tensor([[1., 0.],
            [0., 1.],
            [0., 0.],
            [1., 0.]])
    """
    shape = self._a.shape
    if len(shape) < 2:
        raise ShapeError(f"fill_diagonal_: expected at least 2 dimensions, given {list(shape)}")
    if len(shape) > 2:
        if any(not same(n, shape[0]) for n in shape):
            raise ShapeError(f"fill_diagonal_: of more than 2 dimensions all must be of one size, given {list(shape)}")
        diagonal = self.diagonal(0, 0, 1)
        for _ in shape[2:]:
            diagonal = diagonal.diagonal(0, 0, -1)
        diagonal.fill_(fill_value)
        return self
    rows, columns = shape
    self.diagonal().fill_(fill_value)
    for begin in range(columns + 1, rows, columns + 1) if wrap else ():
        self[begin:].diagonal().fill_(fill_value)
    return self


def take_over(x: Tensor, y: Tensor) -> Tensor:
    """`x` becomes the view `y` of itself. Where it has views, they and it become views of what it was, which nobody holds else:
    their steps begin there."""
    if STATE.recorder is not None:
        STATE.recorder.before_turning(x)
    if x._base is not None:
        if y._root is x:  # detached: what it was goes on as what it follows
            y._root = before = detached(x)
            before._path, before._rg, before._node = x._path, x._rg, x._node
        x._path, x._root = y._path, y._root
    else:
        was = left_behind(x, y)
        if was is not None:
            x._base, x._path = was, y._path
            register_view(was, x)
    x._a, x._rg, x._node = y._a, y._rg, y._node
    return x


METHODS.update({f.__name__: f for f in (copy_, fill_, zero_, fill_diagonal_, unsqueeze_, squeeze_, transpose_, t_)})
