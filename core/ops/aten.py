"""`torch.ops.aten`: PyTorch's operators by their inner names. What a name means is looked up when it is called.

Libraries take these names as keys as well (`{aten.add.Tensor: ...}`), so each is one object; an operator's overloads are called
alike here, for arguments tell them apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..table import FUNCTIONS, OPS
from ..tensor import Tensor


class Operator:
    """An operator, or one of its overloads: `aten.add`, `aten.add.Tensor`."""

    def __init__(self, name: str, overload: str = "") -> None:
        self.__name__ = f"{name}.{overload}" if overload else name
        self._name, self._overload = name, overload

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = getattr(Tensor, self._name, None)
        if not callable(found):
            found = OPS[self._name].call if self._name in OPS else FUNCTIONS.get(self._name)
        if found is None:
            raise NotImplementedError(f"torch.ops.aten.{self.__name__}: there is no such operator here; call the function of fz")
        return found(*args, **kwargs)

    def __getattr__(self, overload: str) -> Operator:
        if overload.startswith("__") or self._overload:
            raise AttributeError(f"torch.ops.aten.{self.__name__} has no {overload!r}")
        return _operator(self._name, overload)

    def __repr__(self) -> str:
        return f"<operator aten.{self.__name__}>"


_operator = lru_cache(maxsize=None)(Operator)


def __getattr__(name: str) -> Operator:
    if name.startswith("__"):
        raise AttributeError(name)
    return _operator(name, "")
