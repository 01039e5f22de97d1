"""Types for the annotations of scripted functions, under the names of `torch.jit.annotations`: those of `typing`."""

from __future__ import annotations

from typing import Any as Any
from typing import Dict as Dict  # noqa: UP035
from typing import List as List  # noqa: UP035
from typing import Optional as Optional
from typing import Tuple as Tuple  # noqa: UP035
from typing import Union as Union

from ..tensor import Tensor as Tensor


class _BroadcastingList:
    """`BroadcastingList2[int]`: a number that stands for a list of two, in annotations."""

    def __getitem__(self, kind: Any) -> Any:
        return kind | list[kind]


BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = _BroadcastingList()


class TensorType:
    """The type of tensors, as annotations of programs for TorchScript name it.

    >>> import frazil as fz
    >>> str(fz.TensorType.get())
    'Tensor'
    """

    @staticmethod
    def get() -> TensorType:
        """Return it."""
        return TensorType()

    def __str__(self) -> str:
        return "Tensor"
