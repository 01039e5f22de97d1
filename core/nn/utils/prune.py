"""Weights set to zero by masks, as `torch.nn.utils.prune`.

A pruned parameter `weight` becomes `weight_orig`, which is trained, and the buffer `weight_mask`; before every call the module's
attribute `weight` is their product. Pruning again takes from what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ...autograd.modes import no_grad
from ...creation import ones_like
from ...errors import ArgumentError
from ...ops.shape import cat
from ...random import rand
from ...spelling import tell_names as _tell_names
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter

M = TypeVar("M", bound=Module)


class _Masked:
    """A forward pre-hook that sets the attribute `name` of a module to its original times its mask."""

    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, module: Any) -> Tensor:
        mask = getattr(module, f"{self.name}_mask")
        return mask.to(getattr(module, f"{self.name}_orig").dtype) * getattr(module, f"{self.name}_orig")

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.value(module))


def _hook(module: Module, name: str | None = None) -> int | None:
    """The key of the hook that masks `name`, or any."""
    hooks = module._hooks.items()
    return next((key for key, hook in hooks if isinstance(hook.call, _Masked) and name in (None, hook.call.name)), None)


def _apply(module: M, name: str, importance: Tensor | None, find: Callable[[Tensor, Tensor], Tensor]) -> M:
    """Mask `name` by `find(scores, mask so far)`."""
    key = _hook(module, name)
    current: Any = getattr(module, name, None)
    if not isinstance(current, Tensor):
        raise ArgumentError(f"prune: {type(module).__name__} has no parameter {name!r}")
    with no_grad():
        original: Any = current if key is None else getattr(module, f"{name}_orig")
        before = ones_like(original) if key is None else getattr(module, f"{name}_mask")
        scores = current if importance is None else importance
        if tuple(scores.shape) != tuple(original.shape):
            raise ArgumentError(
                f"prune: importance_scores have the shape of the parameter, {list(original.shape)}, given {list(scores.shape)}"
            )
        mask = find(scores.detach(), before).to(original.dtype)
    if key is None:
        delattr(module, name)
        module.register_parameter(f"{name}_orig", original)
        module.register_buffer(f"{name}_mask", mask)
        module.register_forward_pre_hook(_Masked(name))
    else:
        setattr(module, f"{name}_mask", mask)
    setattr(module, name, _Masked(name).value(module))
    return module


def _count(amount: float, size: int) -> int:
    """How many of `size` an amount is: a number of them, or a share."""
    if (
        isinstance(amount, bool)
        or not isinstance(amount, (int, float))
        or amount < 0
        or (isinstance(amount, float) and amount > 1)
    ):
        raise ArgumentError(f"prune: amount is an integer of at least 0, or a float from 0.0 to 1.0, given {amount!r}")
    if isinstance(amount, int) and amount > size:
        raise ArgumentError(f"prune: amount={amount} is more than the {size} that are left")
    return amount if isinstance(amount, int) else round(amount * size)


def _without_least(scores: Tensor, mask: Tensor, amount: float) -> Tensor:
    """The mask without those of its elements whose scores are least."""
    left = (mask != 0).reshape(-1)
    count = _count(amount, int(left.sum()))
    order = scores.reshape(-1).masked_fill(left.logical_not(), float("inf")).argsort(stable=True)
    kept = mask.reshape(-1).clone()
    kept[order[:count]] = 0
    return kept.reshape(mask.shape)


def _channels(scores: Callable[[Tensor], Tensor], amount: float, dim: int) -> Callable[[Tensor, Tensor], Tensor]:
    """What masks whole channels along `dim`: of those that have something left, the ones whose scores are least."""

    def find(values: Tensor, mask: Tensor) -> Tensor:
        at = dim % mask.ndim
        rows = mask.movedim(at, 0).reshape(mask.shape[at], -1)
        alive = (rows.sum(1) != 0).to(mask.dtype)
        kept = _without_least(scores(values.movedim(at, 0).reshape(mask.shape[at], -1)), alive, amount)
        return mask * kept.reshape([-1 if i == at else 1 for i in range(mask.ndim)])

    return find


def identity(module: M, name: str) -> M:
    """Make `name` a pruned parameter whose mask hides nothing.

    >>> import frazil as fz
    >>> sorted(fz.nn.utils.prune.identity(fz.nn.Linear(1, 1), "bias").state_dict())
    ['bias_mask', 'bias_orig', 'weight']
    """
    return _apply(module, name, None, lambda scores, mask: mask)


def l1_unstructured(module: M, name: str, amount: float, importance_scores: Tensor | None = None) -> M:
    """Set those elements of `name` to zero whose absolute values (or scores) are least: `amount` of them, or that share.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.l1_unstructured(fz.nn.Linear(4, 1), "weight", 0.5)
    >>> int((layer.weight == 0).sum())
    2
    """
    return _apply(module, name, importance_scores, lambda scores, mask: _without_least(scores.abs(), mask, amount))


def random_unstructured(module: M, name: str, amount: float) -> M:
    """Set elements of `name` to zero at random: `amount` of them, or that share.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.random_unstructured(fz.nn.Linear(4, 1), "weight", 3)
    >>> int((layer.weight == 0).sum())
    3
    """
    return _apply(
        module, name, None, lambda scores, mask: _without_least(rand(*scores.shape, device=scores.device), mask, amount)
    )


def ln_structured(module: M, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None) -> M:
    """Set those channels of `name` along `dim` to zero whose n-norms are least.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.ln_structured(fz.nn.Linear(2, 4), "weight", 0.5, n=2, dim=0)
    >>> int((layer.weight == 0).all(1).sum())
    2
    """
    return _apply(module, name, importance_scores, _channels(lambda rows: rows.norm(p=n, dim=1), amount, dim))


def random_structured(module: M, name: str, amount: float, dim: int) -> M:
    """Set channels of `name` along `dim` to zero at random.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.random_structured(fz.nn.Linear(2, 4), "weight", 3, dim=0)
    >>> int((layer.weight == 0).all(1).sum())
    3
    """
    return _apply(module, name, None, _channels(lambda rows: rand(rows.shape[0], device=rows.device), amount, dim))


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Set those elements of `name` to zero where `mask` is 0.

    >>> import frazil as fz
    >>> fz.nn.utils.prune.custom_from_mask(fz.nn.Linear(2, 1), "bias", fz.tensor([0.0])).bias.abs()
    tensor([0.], grad_fn=<AbsBackward>)
    """
    return _apply(module, name, None, lambda scores, before: before * mask.to(before.dtype))


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune several parameters as if they were one; `pruning_method` is `L1Unstructured` or `RandomUnstructured`.

    >>> import frazil as fz
    >>> P, layers = fz.nn.utils.prune, [fz.nn.Linear(4, 1), fz.nn.Linear(4, 1)]
    >>> P.global_unstructured([(layer, "weight") for layer in layers], P.L1Unstructured, amount=0.5)
    >>> sum(int((layer.weight == 0).sum()) for layer in layers)
    4
    """
    pairs: list[tuple[Any, str]] = list(parameters)
    if pruning_method not in (L1Unstructured, RandomUnstructured):
        raise ArgumentError("global_unstructured: pruning_method is L1Unstructured or RandomUnstructured")
    given = importance_scores or {}
    originals = [getattr(m, f"{n}_orig" if _hook(m, n) is not None else n) for m, n in pairs]
    masks = [ones_like(t) if _hook(m, n) is None else getattr(m, f"{n}_mask") for (m, n), t in zip(pairs, originals, strict=True)]
    with no_grad():
        scores = [given.get((m, n), getattr(m, n)).detach() for m, n in pairs]
        flat = _joined(scores)
        ranked = flat.abs() if pruning_method is L1Unstructured else rand(flat.shape[0], device=flat.device)
        mask = _without_least(ranked, _joined(masks), kwargs["amount"])
        parts = mask.split([t.numel() for t in originals])
    for (module, name), part, t in zip(pairs, parts, originals, strict=True):
        custom_from_mask(module, name, part.reshape(t.shape))


def _joined(tensors: list[Tensor]) -> Tensor:
    return cat([t.reshape(-1) for t in tensors])


class L1Unstructured:
    """The name of a method for `global_unstructured`: by absolute values."""


class RandomUnstructured:
    """The name of a method for `global_unstructured`: at random."""


def is_pruned(module: Module) -> bool:
    """Return whether a parameter of the module, or of one below, is pruned.

    >>> import frazil as fz
    >>> fz.nn.utils.prune.is_pruned(fz.nn.Linear(1, 1))
    False
    """
    return any(_hook(part) is not None for part in module.modules())


def remove(module: M, name: str) -> M:
    """Make `name` a plain parameter again, with zeros where it is masked.

    >>> import frazil as fz
    >>> P = fz.nn.utils.prune
    >>> sorted(P.remove(P.l1_unstructured(fz.nn.Linear(4, 1), "weight", 2), "weight").state_dict())
    ['bias', 'weight']
    """
    key = _hook(module, name)
    if key is None:
        raise ArgumentError(
            f"Parameter {name!r} of module {type(module).__name__} has to be pruned before pruning can be removed"
        )
    rule: Any = module._hooks.pop(key).call
    original: Any = getattr(module, f"{name}_orig")
    with no_grad():
        original.data = rule.value(module).detach()
    delattr(module, name)
    delattr(module, f"{name}_orig")
    delattr(module, f"{name}_mask")
    module.register_parameter(name, original if isinstance(original, Parameter) else Parameter(original))
    return module


_tell_names(__name__)
