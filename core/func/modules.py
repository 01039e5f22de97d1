"""Modules as functions of their parameters: `functional_call`, `stack_module_state`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..autograd.modes import no_grad
from ..errors import ArgumentError
from ..nn.module import Module
from ..nn.modules.batchnorm import _BatchNorm
from ..ops.shape import stack
from ..tensor import Tensor


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """`func` as it is: PyTorch's takes in-place operations out of a trace, and a recording here has none.

    >>> import frazil as fz
    >>> fz.func.functionalize(lambda x: x.clone().add_(1))(fz.ones(2))
    tensor([2., 2.])
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise ArgumentError(f"functionalize: remove is 'mutations' or 'mutations_and_views', given {remove!r}")
    return func


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Let every batch normalisation in `root` forget its running statistics, in place, so that it can run under `vmap`.

    >>> import frazil as fz
    >>> net = fz.func.replace_all_batch_norm_modules_(fz.nn.Sequential(fz.nn.BatchNorm1d(2)))
    >>> net[0].running_mean is None
    True
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with the given tensors in the place of its parameters and buffers.

    Args:
        parameter_and_buffer_dicts: dotted name -> tensor, or several such dicts. What is not there keeps its value.
        args: a tuple of arguments, or the only one.
        tie_weights: a tensor for one name of a parameter that has several stands for all of them.
        strict: names for all parameters and buffers must be there, and no other.

    In-place changes of buffers (batch normalisation in training) are made to the given tensors.

    >>> import frazil as fz
    >>> layer = fz.nn.Linear(2, 1, bias=False)
    >>> fz.func.functional_call(layer, {"weight": fz.tensor([[1.0, 2.0]])}, (fz.ones(2),))
    tensor([3.])
    """
    given = [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, dict) else list(parameter_and_buffer_dicts)
    tensors: dict[str, Tensor] = {}
    for some in given:
        for name, value in some.items():
            if name in tensors:
                raise ArgumentError(f"functional_call: {name!r} is in several of the dicts")
            tensors[name] = value
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with replaced(module, tensors, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def replaced(module: Module, tensors: dict[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    """Put tensors in the place of members of the module, for a while."""
    places: dict[str, tuple[Any, str]] = {}
    aliases: dict[int, list[str]] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        for registry in (part._parameters, part._buffers):
            for name, member in registry.items():
                if member is not None:
                    full = f"{path}.{name}" if path else name
                    places[full] = registry, name
                    aliases.setdefault(id(member), []).append(full)
    unknown = sorted(tensors.keys() - places.keys())
    if unknown:
        raise ArgumentError(f"functional_call: {type(module).__name__} has no parameters or buffers {', '.join(unknown)}")
    wanted = dict(tensors)
    if tie_weights:
        for names in aliases.values():
            found = {id(tensors[name]): tensors[name] for name in names if name in tensors}
            if len(found) > 1:
                raise ArgumentError(f"functional_call: {', '.join(names)} are one tensor, but were given several values")
            for name in names if found else ():
                wanted[name] = next(iter(found.values()))
    missing = sorted(places.keys() - wanted.keys())
    if strict and missing:
        raise ArgumentError(f"functional_call: strict=True, and there is nothing for {', '.join(missing)}")
    before = [(*places[name], places[name][0][places[name][1]]) for name in wanted]
    try:
        for name, value in wanted.items():
            registry, key = places[name]
            registry[key] = value
        yield
    finally:
        for registry, key, value in before:
            registry[key] = value


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(parameters, buffers) of modules of one class, each stacked along a first dimension: an ensemble for `vmap`.

    The stacked parameters are leaves that require grad where the first module's do.

    >>> import frazil as fz
    >>> models = [fz.nn.Linear(2, 1) for _ in range(3)]
    >>> params, buffers = fz.func.stack_module_state(models)
    >>> params["weight"].shape
    frazil.Size([3, 1, 2])
    >>> call = lambda p, x: fz.func.functional_call(models[0], p, (x,))
    >>> fz.func.vmap(call, in_dims=(0, None))(params, fz.ones(5, 2)).shape
    frazil.Size([3, 5, 1])
    """
    if not models:
        raise ArgumentError("stack_module_state: expected at least one module")
    if any(type(model) is not type(models[0]) for model in models):
        raise ArgumentError("stack_module_state: expected modules of one class")
    if any(model.training != models[0].training for model in models):
        raise ArgumentError("stack_module_state: expected modules that are all in training mode, or all in eval mode")

    def stacked(members: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        found = {}
        for name, first in members[0].items():
            with no_grad():
                value = stack([own[name] for own in members])
            found[name] = value.requires_grad_(first.requires_grad)
        return found

    params = stacked([dict(model.named_parameters()) for model in models])
    return params, stacked([dict(model.named_buffers()) for model in models])
