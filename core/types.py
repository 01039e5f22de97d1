"""PyTorch's names of types for annotations: `torch.types`."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

from .device import device
from .dtypes import dtype
from .sizes import SymInt
from .spelling import tell_names as _tell_names
from .tensor import Size, Tensor, layout

Number: TypeAlias = int | float | bool | complex
Device: TypeAlias = device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Storage: TypeAlias = Any

_dtype, _device, _layout, _size = dtype, device, layout, Size | list[int] | tuple[int, ...]
_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_TensorOrTensorsOrGradEdge: TypeAlias = Tensor | Sequence[Tensor]
IntLikeType: TypeAlias = int | SymInt
PySymType: TypeAlias = SymInt

_tell_names(__name__)
