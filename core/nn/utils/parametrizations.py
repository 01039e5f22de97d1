"""Ready parametrisations, as `torch.nn.utils.parametrizations`: weight and spectral normalisation."""

from __future__ import annotations

from typing import Any, TypeVar

from ...autograd.modes import no_grad
from ...errors import ArgumentError
from ...spelling import tell_names as _tell_names
from ...tensor import Tensor
from ..functional import normalize
from ..module import Module
from .parametrize import register_parametrization
from .weights import _norm_except

M = TypeVar("M", bound=Module)


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = None if dim == -1 else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / _norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Length and direction."""
        return _norm_except(weight, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Learn the length (`original0`) and the direction (`original1`) of a weight separately.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.parametrizations.weight_norm(fz.nn.Linear(3, 2))
    >>> sorted(layer.state_dict())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise ArgumentError(f"spectral_norm: dim={dim} is no dimension of a weight of shape {list(weight.shape)}")
        if n_power_iterations <= 0:
            raise ArgumentError(f"spectral_norm: n_power_iterations must be positive, given {n_power_iterations}")
        self.dim = dim % weight.ndim
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            matrix = self._matrix(weight.detach())
            rows, columns = matrix.shape
            self.register_buffer("_u", normalize(matrix.new_empty(rows).normal_(), dim=0, eps=eps))
            self.register_buffer("_v", normalize(matrix.new_empty(columns).normal_(), dim=0, eps=eps))
            self._improve(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).reshape(weight.shape[self.dim], -1)

    def _improve(self, matrix: Tensor, rounds: int) -> None:
        with no_grad():
            for _ in range(rounds):
                self._u.copy_(normalize(matrix @ self._v, dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.T @ self._u, dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._improve(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next call writes into the buffers; this one's gradient needs these
        return weight / (u @ (matrix @ v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself: a weight that has the norm already stays."""
        return value


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None) -> M:
    """Divide a weight by its greatest singular value, which every use in train mode estimates better.

    >>> import frazil as fz
    >>> layer = fz.nn.utils.parametrizations.spectral_norm(fz.nn.Linear(3, 2)).eval()
    >>> round(fz.linalg.matrix_norm(layer.weight, 2).item(), 2)
    1.0
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError(f"Module '{type(module).__name__}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if getattr(module, "transposed", False) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


_tell_names(__name__)
