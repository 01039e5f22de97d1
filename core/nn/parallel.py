"""Modules on several devices, as `torch.nn.parallel`: programs that ask for it run on the one device of their module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..warn import without_effect
from .module import Module


def _one_device(name: str) -> None:
    without_effect(name, "a model runs on one device, the one where its parameters are; leave the module as it is")


class DataParallel(Module):
    """Wraps a module as PyTorch does, so that state dicts and `.module` fit; it runs on the device where the module is, of
    which the first one in a process warns.

    >>> import frazil as fz
    >>> model = fz.nn.DataParallel(fz.nn.Linear(2, 1))
    >>> list(model.state_dict()), model(fz.ones(3, 2)).shape
    (['module.weight', 'module.bias'], frazil.Size([3, 1]))
    """

    module: Module

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        _one_device("DataParallel")
        self.module = module
        self.device_ids: list[Any] = []
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Training in several processes, which frazil does not do: making one raises NotImplementedError.

    >>> import frazil as fz
    >>> fz.nn.parallel.DistributedDataParallel(fz.nn.Linear(2, 1))
    Traceback (most recent call last):
    ...
    NotImplementedError: DistributedDataParallel: frazil trains in one process; ...
    """

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "DistributedDataParallel: frazil trains in one process; leave the module as it is "
            "(`if fz.distributed.is_initialized(): ...`)"
        )


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """`module(*inputs, **module_kwargs)`, on the device where the module is, of which the first call in a process warns.

    >>> import frazil as fz
    >>> fz.nn.parallel.data_parallel(fz.nn.ReLU(), fz.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    _one_device("data_parallel")
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
