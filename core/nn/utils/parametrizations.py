"""Ready parametrisations, as `torch.nn.utils.parametrizations`: weight and spectral normalisation, orthogonal weights."""

from __future__ import annotations

from typing import Any, TypeVar

from ...autograd.modes import no_grad
from ...creation import eye, zeros_like
from ...errors import ArgumentError
from ...linalg import solve
from ...ops.elementwise import where
from ...ops.shape import cat
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


class _Orthogonal(Module):
    """A matrix whose rows or columns, whichever are fewer, are orthonormal, made of one without that property."""

    base: Tensor | None

    def __init__(self, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.map, self.use_base = orthogonal_map, use_trivialization
        self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        Q = self._columns(X.mT if wide else X)
        Q = Q if self.base is None else self.base @ Q
        return Q.mT if wide else Q

    def _columns(self, X: Tensor) -> Tensor:
        """Orthonormal columns, made of the triangle below the diagonal; only the signs of the diagonal count."""
        n, k = X.shape[-2:]
        if self.map == "householder":
            reflections = X.tril(-1)
            signs = X.detach().diagonal(dim1=-2, dim2=-1).sign()
            return reflections.orgqr(2 / (1 + reflections.square().sum(-2))) * signs.unsqueeze(-2)
        square = cat([X.tril(), X.new_zeros(*X.shape[:-2], n, n - k)], dim=-1)
        skew = square - square.mH
        if self.map == "matrix_exp":
            return skew.matrix_exp()[..., :k]
        one = eye(n, dtype=X.dtype, device=X.device)
        return solve(one - skew / 2, one + skew / 2)[..., :k]

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return what `forward` makes the weight of; a base becomes the nearest orthogonal matrix."""
        wide = weight.shape[-2] < weight.shape[-1]
        tall = weight.mT if wide else weight
        n, k = tall.shape[-2:]
        if not self.use_base:
            if self.map != "householder":
                raise NotImplementedError(
                    f"orthogonal: a weight cannot be assigned with orthogonal_map={self.map!r} and use_trivialization=False"
                )
            packed, tau = tall.geqrf()
            signs = packed.diagonal(dim1=-2, dim2=-1).sign()
            start = packed.tril(-1)
            start.diagonal(dim1=-2, dim2=-1).copy_(where(tau == 0, -signs, signs))
            return start.mT if wide else start
        more = tall.new_empty(*tall.shape[:-2], n, n - k).normal_()
        packed, tau = cat([tall, more], dim=-1).geqrf()
        self.base = packed.orgqr(tau) * packed.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)
        start = zeros_like(weight)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1)
        return start


def orthogonal(module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True) -> M:
    """Keep a weight's rows or columns, whichever are fewer, orthonormal; `orthogonal_map` says how: "matrix_exp" (for square
    weights), "cayley" or "householder" (for others).

    >>> import frazil as fz
    >>> layer = fz.nn.utils.parametrizations.orthogonal(fz.nn.Linear(3, 2))
    >>> fz.allclose(layer.weight @ layer.weight.T, fz.eye(2), atol=1e-6)
    True
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"orthogonal: {type(module).__name__} has no parameter or buffer {name!r}")
    if weight.ndim < 2:
        raise ValueError(f"orthogonal: expected a matrix or a batch of them, given a weight of shape {list(weight.shape)}")
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1) or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(f"orthogonal: orthogonal_map is 'matrix_exp', 'cayley' or 'householder', given {orthogonal_map!r}")
    if weight.is_complex() and orthogonal_map == "householder":
        raise ValueError("orthogonal: orthogonal_map='householder' is for real weights; use 'matrix_exp' or 'cayley'")
    return register_parametrization(module, name, _Orthogonal(orthogonal_map, use_trivialization), unsafe=True)


_tell_names(__name__)
