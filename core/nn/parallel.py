"""Modules on several devices, as `torch.nn.parallel`: programs that ask for it run on the one device of their module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError
from ..ops.shape import cat, stack
from ..spelling import tell_names as _tell_names
from ..tensor import Tensor
from ..warn import without_effect
from .module import Module

__path__: list[str] = []  # PyTorch has modules below this one, of which `places` knows


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


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Module]:
    """`network`, once for each of the devices: all are the one module, on the device where it is.

    >>> import frazil as fz
    >>> [m] = fz.nn.parallel.replicate(fz.nn.ReLU(), [0]); m
    ReLU()
    """
    if len(devices) > 1:
        _one_device("replicate")
    return [network for _ in devices]


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> Any:
    """Tensors of nested data cut along `dim`, a part for each device: [data of the first, data of the second, ...].

    >>> import frazil as fz
    >>> fz.nn.parallel.scatter({"x": fz.arange(4)}, [0, 1])
    [{'x': tensor([0, 1])}, {'x': tensor([2, 3])}]
    """
    if isinstance(inputs, Tensor):
        return list(inputs.chunk(len(target_gpus), dim))
    if isinstance(inputs, (tuple, list)) and inputs:
        parts = zip(*(scatter(item, target_gpus, dim) for item in inputs), strict=False)
        return [type(inputs)(*part) if hasattr(inputs, "_fields") else type(inputs)(part) for part in parts]
    if isinstance(inputs, dict) and inputs:
        values = zip(*(scatter(item, target_gpus, dim) for item in inputs.values()), strict=False)
        return [type(inputs)(zip(inputs, part, strict=True)) for part in values]
    return [inputs for _ in target_gpus]


def gather(outputs: Sequence[Any], target_device: Any = None, dim: int = 0) -> Any:
    """Nested data joined again along `dim`: the inverse of `scatter`.

    >>> import frazil as fz
    >>> fz.nn.parallel.gather([(fz.ones(2),), (fz.zeros(1),)])
    (tensor([1., 1., 0.]),)
    """
    first = outputs[0]
    if isinstance(first, Tensor):
        return stack(list(outputs)) if first.ndim == 0 else cat(list(outputs), dim)
    if isinstance(first, dict):
        return type(first)((key, gather([out[key] for out in outputs], target_device, dim)) for key in first)
    if isinstance(first, (tuple, list)):
        parts = [gather(part, target_device, dim) for part in zip(*outputs, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return first


def parallel_apply(
    modules: Sequence[Module], inputs: Sequence[Any], kwargs_tup: Sequence[dict[str, Any]] | None = None, devices: Any = None
) -> list[Any]:
    """Each module on its inputs, one after another.

    >>> import frazil as fz
    >>> fz.nn.parallel.parallel_apply([fz.nn.ReLU()], [fz.tensor([-1.0])])
    [tensor([0.])]
    """
    if len(modules) != len(inputs):
        raise ArgumentError(f"parallel_apply: {len(modules)} modules, but {len(inputs)} inputs")
    keywords = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    return [
        module(*(given if isinstance(given, (tuple, list)) else (given,)), **words)
        for module, given, words in zip(modules, inputs, keywords, strict=True)
    ]


_tell_names(__name__)
