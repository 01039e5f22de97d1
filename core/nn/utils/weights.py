"""Weights computed anew before every call: weight and spectral normalisation."""

from __future__ import annotations

from typing import Any, TypeVar

from ... import ops
from ...autograd.modes import no_grad
from ...tensor import Tensor
from ..functional import normalize
from ..module import Module
from ..parameter import Parameter

M = TypeVar("M", bound=Module)


class _Computed:
    """A forward pre-hook that sets the attribute `name` of a module, which was a parameter, to what it computes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, module: Module) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.value(module))


def _attach(module: Module, rule: _Computed, **members: Tensor) -> None:
    if _find(module, rule.name, type(rule)) is not None:
        raise RuntimeError(f"{type(module).__name__}.{rule.name} has this normalisation already; remove it first")
    delattr(module, rule.name)
    for name, member in members.items():
        if isinstance(member, Parameter):
            module.register_parameter(name, member)
        else:
            module.register_buffer(name, member)
    setattr(module, rule.name, rule.value(module).detach())
    module.register_forward_pre_hook(rule)


def _find(module: Module, name: str, kind: type[_Computed]) -> int | None:
    """The key of the hook."""
    hooks = module._hooks.items()
    return next((key for key, hook in hooks if isinstance(hook.call, kind) and hook.call.name == name), None)


def _detach(module: Module, name: str, kind: type[_Computed], *members: str) -> None:
    key = _find(module, name, kind)
    if key is None:
        raise ValueError(f"{type(module).__name__}.{name} has no such normalisation to remove")
    rule = module._hooks.pop(key).call
    assert isinstance(rule, _Computed)
    with no_grad():
        weight = rule.value(module).detach()
    delattr(module, name)
    for member in members:
        delattr(module, member)
    module.register_parameter(name, Parameter(weight))


# --- weight normalisation -------------------------------------------------------------------------------------------------------


def _norm_except(v: Tensor, dim: int | None) -> Tensor:
    dims = [d for d in range(v.ndim) if dim is None or d != dim % v.ndim]
    total = (v * v).sum(dims, keepdim=dim is not None) if dims else v * v
    return ops.sqrt(total)


class _WeightNorm(_Computed):
    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def value(self, module: Module) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / _norm_except(v, self.dim))


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Learn the length and the direction of a weight separately: `weight = weight_g * weight_v / |weight_v|`.

    The parameter `name` is replaced by `<name>_g` and `<name>_v`; before every call the weight is computed from them.

    Args:
        dim: the dimension along which every index has a length of its own; None: one length for all.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.weight_norm(fz.nn.Linear(3, 2))
    >>> [(name, list(p.shape)) for name, p in layer.named_parameters()]
    [('bias', [2]), ('weight_g', [2, 1]), ('weight_v', [2, 3])]
    """
    weight = getattr(module, name)
    with no_grad():
        g = Parameter(_norm_except(weight, dim))
    _attach(module, _WeightNorm(name, dim), **{f"{name}_g": g, f"{name}_v": Parameter(weight.detach())})
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make `name` a plain parameter again, with the weight that it has now.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.remove_weight_norm(fz.nn.utils.weight_norm(fz.nn.Linear(3, 2)))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    _detach(module, name, _WeightNorm, f"{name}_g", f"{name}_v")
    return module


# --- spectral normalisation -----------------------------------------------------------------------------------------------------


class _SpectralNorm(_Computed):
    def __init__(self, name: str, rounds: int, dim: int, eps: float) -> None:
        super().__init__(name)
        self.rounds, self.dim, self.eps = rounds, dim, eps

    def matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).reshape(weight.shape[self.dim], -1)

    def value(self, module: Module) -> Tensor:
        weight, u, v = (getattr(module, f"{self.name}_{member}") for member in ("orig", "u", "v"))
        matrix = self.matrix(weight)
        if module.training:
            with no_grad():
                for _ in range(self.rounds):
                    v.copy_(normalize(matrix.T @ u, dim=0, eps=self.eps))
                    u.copy_(normalize(matrix @ v, dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()  # the next call writes into the buffers; this one's gradient needs these
        return weight / (u @ (matrix @ v))


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> M:
    """Divide a weight by its greatest singular value, as discriminators do to stay smooth.

    The parameter `name` is replaced by `<name>_orig` and the buffers `<name>_u` and `<name>_v`, the estimates of the singular
    vectors; every call in train mode improves them by `n_power_iterations` rounds.

    Args:
        dim: the dimension of the outputs; 0, or 1 for transposed convolutions.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.spectral_norm(fz.nn.Linear(3, 2))
    >>> sorted(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm needs n_power_iterations of at least 1, given {n_power_iterations}")
    if dim is None:
        dim = 1 if getattr(module, "transposed", False) else 0
    weight = getattr(module, name)
    rule = _SpectralNorm(name, n_power_iterations, dim, eps)
    with no_grad():
        matrix = rule.matrix(weight)
        rows, columns = matrix.shape
        u = normalize(matrix.new_empty(rows).normal_(), dim=0, eps=eps)
        v = normalize(matrix.new_empty(columns).normal_(), dim=0, eps=eps)
    _attach(module, rule, **{f"{name}_orig": weight, f"{name}_u": u, f"{name}_v": v})
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make `name` a plain parameter again, with the weight that it has now.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.remove_spectral_norm(fz.nn.utils.spectral_norm(fz.nn.Linear(3, 2)))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    _detach(module, name, _SpectralNorm, f"{name}_orig", f"{name}_u", f"{name}_v")
    return module
