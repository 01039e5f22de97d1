"""Weights set to zero by masks, as `torch.nn.utils.prune`.

A pruned parameter `weight` becomes `weight_orig`, which is trained, and the buffer `weight_mask`; before every call the module's
attribute `weight` is their product. Pruning again takes from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


class BasePruningMethod:
    """A way of pruning, as an object: a subclass says how by `compute_mask`, and what of a tensor it looks at by `PRUNING_TYPE`.

    Of a parameter that is pruned already, "unstructured" ways see only what is left, "structured" ones (which have a `dim`) the
    channels of which something is left, and "global" ones all.

    >>> import frazil as fz
    >>> class EveryOther(fz.nn.utils.prune.BasePruningMethod):
    ...     PRUNING_TYPE = "unstructured"
    ...     def compute_mask(self, t, default_mask):
    ...         mask = default_mask.clone()
    ...         mask.view(-1)[::2] = 0
    ...         return mask
    >>> layer = fz.nn.Linear(4, 1)
    >>> _ = EveryOther.apply(layer, "weight")
    >>> layer.weight_mask
    tensor([[0., 1., 0., 1.]])
    """

    PRUNING_TYPE = ""
    _tensor_name = ""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask: what of `default_mask` is kept, going by the numbers `t`."""
        raise NotImplementedError(f"{type(self).__name__} has no compute_mask(t, default_mask)")

    def apply_mask(self, module: Module) -> Tensor:
        """Return the original of the module's parameter times its mask."""
        mask, original = getattr(module, f"{self._tensor_name}_mask"), getattr(module, f"{self._tensor_name}_orig")
        masked: Tensor = mask.to(original.dtype) * original
        return masked

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """Return `t` with zeros where the mask hides it; no module takes part."""
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, ones_like(t) if default_mask is None else default_mask)

    @classmethod
    def apply(cls, module: Any, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any) -> Any:
        """Prune the parameter `name` of the module by `cls(*args, **kwargs)`; the method, which is a hook of the module now."""
        method = cls(*args, **kwargs)
        _apply(module, name, importance_scores, method)
        return method

    def remove(self, module: Any) -> None:
        """Make what this method prunes a plain parameter again."""
        remove(module, self._tensor_name)

    def _of_what_is_left(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The mask after this method, of a parameter that may be pruned already."""
        if bool((mask != 0).all()) or self.PRUNING_TYPE == "global":
            return self.compute_mask(scores, mask)
        if self.PRUNING_TYPE == "unstructured":
            left: Any = mask != 0
        elif self.PRUNING_TYPE == "structured":
            at = int(getattr(self, "dim")) % mask.ndim  # noqa: B009 (subclasses have it)
            alive = mask.movedim(at, 0).reshape(mask.shape[at], -1).any(1)
            left = (slice(None),) * at + (alive,)
        else:
            raise ArgumentError(
                f"{type(self).__name__}: PRUNING_TYPE is 'unstructured', 'structured' or 'global', given {self.PRUNING_TYPE!r}"
            )
        kept = mask.clone()
        kept[left] = self.compute_mask(scores[left], mask[left])
        return kept


class PruningContainer(BasePruningMethod):
    """Several ways, one after the other: the hook of a parameter that was pruned more than once.

    >>> import frazil as fz
    >>> P, layer = fz.nn.utils.prune, fz.nn.Linear(4, 1)
    >>> for share in (0.5, 0.5):
    ...     _ = P.l1_unstructured(layer, "weight", share)
    >>> hook, = layer._forward_pre_hooks.values()
    >>> [type(method).__name__ for method in hook], int((layer.weight == 0).sum())
    (['L1Unstructured', 'L1Unstructured'], 3)
    """

    def __init__(self, *methods: BasePruningMethod) -> None:
        self._pruning_methods = methods

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Put another way behind those that there are."""
        self._pruning_methods += (method,)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask after the last way, which sees what the others have left."""
        return self._pruning_methods[-1]._of_what_is_left(t, default_mask)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]


def _hook(module: Module, name: str | None = None) -> int | None:
    """The key of the hook that masks `name`, or any."""
    hooks = module._hooks.items()
    return next(
        (key for key, (_, call, *_) in hooks if isinstance(call, BasePruningMethod) and name in (None, call._tensor_name)), None
    )


def _apply(module: M, name: str, importance: Tensor | None, method: BasePruningMethod) -> M:
    """Mask `name`, by what the method finds of the scores and the mask so far."""
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
        mask = method._of_what_is_left(scores.detach(), before).to(original.dtype)
    method._tensor_name = name
    if key is None:
        delattr(module, name)
        module.register_parameter(f"{name}_orig", original)
        module.register_buffer(f"{name}_mask", mask)
        module.register_forward_pre_hook(method)
    else:
        setattr(module, f"{name}_mask", mask)
        hook = module._hooks[key]
        first: Any = hook.call
        several = first if isinstance(first, PruningContainer) else PruningContainer(first)
        several._tensor_name = name
        several.add_pruning_method(method)
        module._hooks[key] = hook._replace(call=several)
    setattr(module, name, method.apply_mask(module))
    return module


def _count(amount: float, size: int | None = None) -> int:
    """How many of `size` (None: not known yet) an amount is: a number of them, or a share."""
    if (
        isinstance(amount, bool)
        or not isinstance(amount, (int, float))
        or amount < 0
        or (isinstance(amount, float) and amount > 1)
    ):
        raise ArgumentError(f"prune: amount is an integer of at least 0, or a float from 0.0 to 1.0, given {amount!r}")
    if isinstance(amount, int) and size is not None and amount > size:
        raise ArgumentError(f"prune: amount={amount} is more than the {size} that are left")
    return amount if isinstance(amount, int) else round(amount * (size or 0))


def _without_least(scores: Tensor, mask: Tensor, amount: float) -> Tensor:
    """The mask without those of its elements whose scores are least."""
    count = _count(amount, mask.numel())
    kept = mask.clone().reshape(-1)
    kept[scores.reshape(-1).argsort(stable=True)[:count]] = 0
    return kept.reshape(mask.shape)


class Identity(BasePruningMethod):
    """Hides nothing."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask as it is."""
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Hides what a mask hides."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return both masks as one."""
        return default_mask * self.mask.to(default_mask.dtype)


class L1Unstructured(BasePruningMethod):
    """Hides the elements whose absolute values are least: `amount` of them, or that share."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        _count(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask without them."""
        return _without_least(t.abs(), default_mask, self.amount)


class RandomUnstructured(L1Unstructured):
    """Hides elements at random: `amount` of them, or that share."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask without them."""
        return _without_least(rand(*t.shape, device=t.device), default_mask, self.amount)


class RandomStructured(BasePruningMethod):
    """Hides channels along `dim` at random: `amount` of them, or that share."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _count(amount)
        self.amount, self.dim = amount, dim

    def scores(self, rows: Tensor) -> Tensor:
        """Return a number for each channel; the least are hidden."""
        return rand(rows.shape[0], device=rows.device)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask without them."""
        at = self.dim % t.ndim
        scores = self.scores(t.movedim(at, 0).reshape(t.shape[at], -1))
        kept = _without_least(scores, ones_like(scores, dtype=default_mask.dtype), self.amount)
        return default_mask * kept.reshape([-1 if i == at else 1 for i in range(t.ndim)])


class LnStructured(RandomStructured):
    """Hides the channels along `dim` whose n-norms are least."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def scores(self, rows: Tensor) -> Tensor:
        """Return the norm of each channel."""
        return rows.norm(p=self.n, dim=1)


def identity(module: M, name: str) -> M:
    """Make `name` a pruned parameter whose mask hides nothing.

    >>> import frazil as fz
    >>> sorted(fz.nn.utils.prune.identity(fz.nn.Linear(1, 1), "bias").state_dict())
    ['bias_mask', 'bias_orig', 'weight']
    """
    return _apply(module, name, None, Identity())


def l1_unstructured(module: M, name: str, amount: float, importance_scores: Tensor | None = None) -> M:
    """Set those elements of `name` to zero whose absolute values (or scores) are least: `amount` of them, or that share.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.l1_unstructured(fz.nn.Linear(4, 1), "weight", 0.5)
    >>> int((layer.weight == 0).sum())
    2
    """
    return _apply(module, name, importance_scores, L1Unstructured(amount))


def random_unstructured(module: M, name: str, amount: float) -> M:
    """Set elements of `name` to zero at random: `amount` of them, or that share.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.random_unstructured(fz.nn.Linear(4, 1), "weight", 3)
    >>> int((layer.weight == 0).sum())
    3
    """
    return _apply(module, name, None, RandomUnstructured(amount))


def ln_structured(module: M, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None) -> M:
    """Set those channels of `name` along `dim` to zero whose n-norms are least.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.ln_structured(fz.nn.Linear(2, 4), "weight", 0.5, n=2, dim=0)
    >>> int((layer.weight == 0).all(1).sum())
    2
    """
    return _apply(module, name, importance_scores, LnStructured(amount, n, dim))


def random_structured(module: M, name: str, amount: float, dim: int) -> M:
    """Set channels of `name` along `dim` to zero at random.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.prune.random_structured(fz.nn.Linear(2, 4), "weight", 3, dim=0)
    >>> int((layer.weight == 0).all(1).sum())
    3
    """
    return _apply(module, name, None, RandomStructured(amount, dim))


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Set those elements of `name` to zero where `mask` is 0.

    >>> import frazil as fz
    >>> fz.nn.utils.prune.custom_from_mask(fz.nn.Linear(2, 1), "bias", fz.tensor([0.0])).bias.abs()
    tensor([0.], grad_fn=<AbsBackward0>)
    """
    return _apply(module, name, None, CustomFromMask(mask))


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: Any, importance_scores: Any = None, **kwargs: Any
) -> None:
    """Prune several parameters as if they were one; `pruning_method` is `L1Unstructured`, or a
    class of your own.

    >>> import frazil as fz
    >>> P, layers = fz.nn.utils.prune, [fz.nn.Linear(4, 1), fz.nn.Linear(4, 1)]
    >>> P.global_unstructured([(layer, "weight") for layer in layers], P.L1Unstructured, amount=0.5)
    >>> sum(int((layer.weight == 0).sum()) for layer in layers)
    4
    """
    pairs: list[tuple[Any, str]] = list(parameters)
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise ArgumentError(
            f"global_unstructured: pruning_method is one whose PRUNING_TYPE is 'unstructured', not {pruning_method.__name__}"
        )
    given = importance_scores or {}
    originals = [getattr(m, f"{n}_orig" if _hook(m, n) is not None else n) for m, n in pairs]
    masks = [ones_like(t) if _hook(m, n) is None else getattr(m, f"{n}_mask") for (m, n), t in zip(pairs, originals, strict=True)]
    with no_grad():
        scores = [given.get((m, n), getattr(m, n)).detach() for m, n in pairs]
        mask = method._of_what_is_left(_joined(scores), _joined(masks))
        parts = mask.split([t.numel() for t in originals])
    for (module, name), part, t in zip(pairs, parts, originals, strict=True):
        custom_from_mask(module, name, part.reshape(t.shape))


def _joined(tensors: list[Tensor]) -> Tensor:
    return cat([t.reshape(-1) for t in tensors])


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
        original.data = rule.apply_mask(module).detach()
    delattr(module, name)
    delattr(module, f"{name}_orig")
    delattr(module, f"{name}_mask")
    module.register_parameter(name, original if isinstance(original, Parameter) else Parameter(original))
    return module


_tell_names(__name__)
