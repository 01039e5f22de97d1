"""Distributions of matrices: Wishart's, and the triangles of correlation matrices."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..creation import arange, as_tensor
from ..errors import ArgumentError, ShapeError
from ..linalg import cholesky, slogdet
from ..ops.gamma import digamma, lgamma, mvlgamma
from ..ops.shape import cat
from ..random import randn
from ..sizes import broadcast_shapes
from ..tensor import Tensor
from .constraints import Constraint, corr_cholesky, dependent, lower_cholesky, positive, positive_definite
from .dirichlet import Beta
from .distribution import Distribution, may_check
from .exponential_family import ExponentialFamily
from .gamma import log_standard_gamma
from .multivariate_normal import half_log_det, inverse_of, triangle_of_precision


class Wishart(ExponentialFamily):
    """Positive definite matrices: the sum of the outer products of `df` normal vectors of a covariance.

    >>> import frazil as fz
    >>> d = fz.distributions.Wishart(fz.tensor(3.0), covariance_matrix=fz.eye(2))
    >>> d.mean
    tensor([[3., 0.],
            [0., 3.]])
    """

    _mean_carrier_measure = 0
    has_rsample = True
    arg_constraints = {
        "covariance_matrix": positive_definite,
        "precision_matrix": positive_definite,
        "scale_tril": lower_cholesky,
        "df": dependent,
    }

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        there = [(name, matrix) for name, matrix in given.items() if matrix is not None]
        if len(there) != 1:
            raise ArgumentError(f"Wishart: give exactly one of {', '.join(given)}, given {len(there)}")
        name, matrix = there[0]
        if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ShapeError(f"Wishart: {name} is a square matrix or a batch of them, given {list(matrix.shape)}")
        df = df if isinstance(df, Tensor) else as_tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch = tuple(broadcast_shapes(tuple(df.shape), tuple(matrix.shape[:-2])))
        self.df = df.expand(*batch)
        self._given, self._matrix = name, matrix.expand(*batch, *matrix.shape[-2:])
        self._parameters = ("df", name)
        super().__init__(batch, matrix.shape[-2:], validate_args)
        n = matrix.shape[-1]
        if self._validate_args and may_check(self.df) and not (self.df > n - 1).all():
            raise ValueError(f"Wishart: parameter df must be above {n - 1}, given {self.df}")
        if name == "covariance_matrix":
            self._tril = cholesky(self._matrix)
        else:
            self._tril = self._matrix if name == "scale_tril" else triangle_of_precision(self._matrix)

    def _given_parameter(self, name: str) -> Any:
        return self._matrix if name == self._given else self.__dict__.get(name)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return positive_definite

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance matrix of the vectors."""
        return self._matrix if self._given == "covariance_matrix" else self._tril @ self._tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        return self._matrix if self._given == "precision_matrix" else inverse_of(self._tril)

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangle that it is the square of."""
        return self._tril

    @property
    def _wide_df(self) -> Tensor:
        return self.df.unsqueeze(-1).unsqueeze(-1)

    @property
    def mean(self) -> Tensor:
        """`df * covariance_matrix`"""
        return self._wide_df * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """`(df - n - 1) * covariance_matrix`, or not a number where that is negative."""
        factor = self._wide_df - self._event_shape[0] - 1
        return factor.masked_fill(factor <= 0, math.nan) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        """The variance of every entry."""
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        return self._wide_df * (v**2 + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """By Bartlett's decomposition; differentiable in both parameters."""
        n = self._event_shape[0]
        shape = (*sample_shape, *self._batch_shape)
        dtype, device = self._tril.dtype, self._tril.device
        halves = 0.5 * (self.df.unsqueeze(-1) - arange(n, dtype=dtype, device=device))
        chi = (math.log(2.0) + log_standard_gamma(halves.expand(*shape, n))).mul(0.5).exp()
        with no_grad():
            below = randn((*shape, n, n), dtype=dtype, device=device).tril(-1)
        triangle = self._tril @ (below + chi.diag_embed())
        return triangle @ triangle.mT

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        n, half = self._event_shape[0], self.df / 2
        norm = self.df * (half_log_det(self._tril) + n * math.log(2.0) / 2) + mvlgamma(half, n)
        trace = (inverse_of(self._tril) * value).sum((-2, -1))
        return -norm + (self.df - n - 1) * half_log_det(cholesky(value)) - trace / 2

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (-self.precision_matrix / 2, (self.df - self.event_shape[-1] - 1) / 2)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        x, y = natural_params
        n = self.event_shape[-1]
        half = y + (n + 1) / 2
        return half * (n * math.log(2.0) - slogdet(-2 * x).logabsdet) + mvlgamma(half, n)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        n, half = self._event_shape[0], self.df / 2
        ranks = arange(n, dtype=self.df.dtype, device=self.df.device)
        digammas = digamma(half.unsqueeze(-1) - ranks / 2).sum(-1)
        log_det = half_log_det(self._tril)
        return (
            (n + 1) * (log_det + n * math.log(2.0) / 2) + mvlgamma(half, n) - (self.df - n - 1) / 2 * digammas + self.df * n / 2
        )


class LKJCholesky(Distribution):
    """Lower triangles of correlation matrices, with density proportional to `det(correlation)**(concentration - 1)`
    (Lewandowski, Kurowicka and Joe, 2009; drawn by the onion method).

    >>> import frazil as fz
    >>> d = fz.distributions.LKJCholesky(2, 1.0)
    >>> d.log_prob(fz.eye(2))
    tensor(-0.6931)
    """

    arg_constraints = {"concentration": positive}

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ArgumentError(f"LKJCholesky: dim is at least 2, given {dim}")
        self.dim, self.concentration = dim, as_tensor(concentration)
        batch = tuple(self.concentration.shape)
        super().__init__(batch, (dim, dim), validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return corr_cholesky

    def _ranks(self) -> Tensor:
        return arange(self.dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Triangles of shape `sample_shape + batch_shape + (dim, dim)`."""
        n = self.dim
        dtype, device = self.concentration.dtype, self.concentration.device
        with no_grad():
            offset = cat([self._ranks()[:1] * 0, self._ranks()])
            marginal = self.concentration + 0.5 * (n - 2)
            lengths = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset, False).sample(sample_shape).unsqueeze(-1)
            normal = randn(self._extended_shape(sample_shape), dtype=dtype, device=device).tril(-1)
            size = (normal**2).sum(-1, keepdim=True).sqrt()
            direction = normal / size.masked_fill(size == 0, 1.0)
            keep = (size > 0).to(dtype)
            rows = lengths.sqrt() * direction
            return rows + (1 - lengths * keep).clamp(min=1e-30).sqrt().squeeze(-1).diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        n = self.dim
        order = arange(2, n + 1, dtype=self.concentration.dtype, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + n - order
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        unnormalised = (order * diagonal.log()).sum(-1)
        last = n - 1
        alpha = self.concentration + 0.5 * last
        log_pi = 0.5 * last * math.log(math.pi)
        numerator = mvlgamma(alpha - 0.5, last)
        return unnormalised - (log_pi + numerator - lgamma(alpha) * last)
