"""Training in several processes, which frazil does not do: programs can ask, and are told so."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from .spelling import missing

#: Functions of `torch.distributed` that programs import, for the case that they run in several processes.
_ABSENT = frozenset(
    "all_gather all_gather_object all_reduce barrier broadcast broadcast_object_list destroy_process_group gather get_backend "
    "get_rank get_world_size init_process_group irecv isend new_group recv reduce reduce_scatter scatter send".split()
)


class ReduceOp(Enum):
    """Ways to combine the tensors of several processes."""

    SUM = "sum"
    AVG = "avg"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"


def is_available() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.distributed.is_available()
    False
    """
    return False


def is_initialized() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> rank = fz.distributed.get_rank() if fz.distributed.is_initialized() else 0
    """
    return False


def is_nccl_available() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.distributed.is_nccl_available()
    False
    """
    return False


class rpc:
    """Calls between processes, of which there is one: libraries ask whether it is there.

    >>> import frazil as fz
    >>> fz.distributed.rpc.is_available()
    False
    """

    @staticmethod
    def is_available() -> bool:
        """Return False."""
        return False


def _absent(name: str) -> Callable[..., Any]:
    def absent(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{name}: frazil trains in one process, fz.distributed.is_available() is False; run the program without its "
            "options for several processes"
        )

    absent.__name__ = absent.__qualname__ = name
    return absent


class nn:
    """Functions of several processes that gradients flow through: libraries import them for the case that there are several."""

    all_gather, all_reduce, all_to_all = _absent("all_gather"), _absent("all_reduce"), _absent("all_to_all")
    broadcast, gather, reduce, reduce_scatter = map(_absent, ("broadcast", "gather", "reduce", "reduce_scatter"))


def _shared(name: str) -> Any:
    """A class of what several processes share: libraries ask whether something is one, and nothing is."""
    return type(name, (), {"__init__": lambda self, *args, **kwargs: _absent(name)(), "__doc__": f"PyTorch's {name}."})


ProcessGroup, Store, Work = map(_shared, ("ProcessGroup", "Store", "Work"))


class tensor:
    """Tensors that lie in several processes: libraries ask whether a tensor is one, and none is.

    >>> import frazil as fz
    >>> isinstance(fz.ones(1), fz.distributed.tensor.DTensor)
    False
    """

    DTensor, Placement, Partial, Replicate, Shard = map(_shared, ("DTensor", "Placement", "Partial", "Replicate", "Shard"))
    DeviceMesh = _shared("DeviceMesh")
    distribute_tensor = _absent("distribute_tensor")


_tensor = tensor


class device_mesh:
    """Arrangements of devices of several processes, which nothing has."""

    DeviceMesh, init_device_mesh = tensor.DeviceMesh, _absent("init_device_mesh")


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in _ABSENT:
        raise missing(f"module 'frazil.distributed' has no attribute {name!r}", name, lambda: [*globals(), *_ABSENT])
    return _absent(name)
