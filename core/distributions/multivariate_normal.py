"""Normal vectors."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..creation import eye
from ..errors import ArgumentError, ShapeError
from ..linalg import cholesky, solve_triangular
from ..random import randn
from ..sizes import broadcast_shapes
from ..tensor import Tensor
from .constraints import Constraint, independent, lower_cholesky, positive, positive_definite, real, real_vector
from .distribution import HALF_LOG_TWO_PI, Distribution


def squared_length(lower: Tensor, x: Tensor) -> Tensor:
    """Return the squared length of `lower`^-1 `x`, for batches of lower triangular matrices and of vectors.

    >>> import frazil as fz
    >>> from frazil.distributions.multivariate_normal import squared_length
    >>> squared_length(fz.eye(2) * 2, fz.tensor([2.0, 4.0]))
    tensor(5.)
    """
    batch = tuple(broadcast_shapes(tuple(lower.shape[:-2]), tuple(x.shape[:-1])))
    n = x.shape[-1]
    solved = solve_triangular(lower.expand(*batch, n, n), x.expand(*batch, n).unsqueeze(-1), upper=False)
    return (solved**2).sum((-2, -1))


def half_log_det(lower: Tensor) -> Tensor:
    """Return half the logarithm of the determinant of `lower` times its transpose.

    >>> import frazil as fz
    >>> from frazil.distributions.multivariate_normal import half_log_det
    >>> half_log_det(fz.eye(2))
    tensor(0.)
    """
    return lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def inverse_of(lower: Tensor) -> Tensor:
    """Return the inverse of `lower` times its transpose.

    >>> import frazil as fz
    >>> from frazil.distributions.multivariate_normal import inverse_of
    >>> inverse_of(fz.eye(1) * 2)
    tensor([[0.2500]])
    """
    one = eye(lower.shape[-1], dtype=lower.dtype, device=lower.device).expand(lower.shape)
    inverse = solve_triangular(lower, one, upper=False)
    return inverse.mT @ inverse


def triangle_of_precision(precision: Tensor) -> Tensor:
    """Return the lower triangle whose product with its transpose is the inverse of `precision`.

    >>> import frazil as fz
    >>> from frazil.distributions.multivariate_normal import triangle_of_precision
    >>> triangle_of_precision(fz.eye(1) * 4)
    tensor([[0.5000]])
    """
    turned = cholesky(precision.flip((-2, -1))).flip((-2, -1)).mT
    one = eye(precision.shape[-1], dtype=precision.dtype, device=precision.device).expand(precision.shape)
    return solve_triangular(turned, one, upper=False)


class MultivariateNormal(Distribution):
    """Normal vectors with mean `loc`, and a covariance matrix, its inverse, or the lower triangle it is the square of.

    >>> import frazil as fz
    >>> d = fz.distributions.MultivariateNormal(fz.zeros(2), covariance_matrix=fz.eye(2) * 4)
    >>> d.log_prob(fz.zeros(2)), d.scale_tril
    (tensor(-3.2242), tensor([[2., 0.],
            [0., 2.]]))
    """

    has_rsample = True
    arg_constraints = {
        "loc": real_vector,
        "covariance_matrix": positive_definite,
        "precision_matrix": positive_definite,
        "scale_tril": lower_cholesky,
    }

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        there = [(name, matrix) for name, matrix in given.items() if matrix is not None]
        if len(there) != 1:
            raise ArgumentError(f"MultivariateNormal: give exactly one of {', '.join(given)}, given {len(there)}")
        name, matrix = there[0]
        if loc.ndim < 1 or matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ShapeError(
                f"MultivariateNormal: loc is a vector and {name} a square matrix, or batches of them, given "
                f"{list(loc.shape)} and {list(matrix.shape)}"
            )
        batch = tuple(broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1])))
        self.loc = loc.expand(*batch, *loc.shape[-1:])
        matrix = matrix.expand(*batch, *matrix.shape[-2:])
        self._given = name
        self._parameters = ("loc", name)
        self._matrix = matrix
        super().__init__(batch, loc.shape[-1:], validate_args)
        if name == "covariance_matrix":
            self._tril = cholesky(matrix)
        else:
            self._tril = matrix if name == "scale_tril" else triangle_of_precision(matrix)

    def _given_parameter(self, name: str) -> Any:
        return self._matrix if name == self._given else self.__dict__.get(name)

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance matrix."""
        return self._matrix if self._given == "covariance_matrix" else self._tril @ self._tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance matrix."""
        return self._matrix if self._given == "precision_matrix" else inverse_of(self._tril)

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangle that the covariance matrix is the square of."""
        return self._tril

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real_vector

    @property
    def mean(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance matrix."""
        return (self._tril**2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        with no_grad():
            noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self._tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        length = squared_length(self._tril, value - self.loc)
        return -0.5 * length - self._event_shape[0] * HALF_LOG_TWO_PI - half_log_det(self._tril)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self._event_shape[0] * (0.5 + HALF_LOG_TWO_PI) + half_log_det(self._tril)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors whose covariance is `cov_factor @ cov_factor.mT + diag(cov_diag)`, which costs less for few factors.

    >>> import frazil as fz
    >>> d = fz.distributions.LowRankMultivariateNormal(fz.zeros(2), fz.tensor([[1.0], [0.0]]), fz.ones(2))
    >>> d.variance, d.log_prob(fz.zeros(2))
    (tensor([2., 1.]), tensor(-2.1845))
    """

    has_rsample = True
    arg_constraints = {"loc": real_vector, "cov_factor": independent(real, 2), "cov_diag": independent(positive, 1)}

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.ndim < 1 or cov_factor.ndim < 2 or cov_factor.shape[-2] != loc.shape[-1] or cov_diag.shape[-1:] != loc.shape[-1:]:
            raise ShapeError(
                "LowRankMultivariateNormal: loc [..., n], cov_factor [..., n, k] and cov_diag [..., n] belong together, given "
                f"{list(loc.shape)}, {list(cov_factor.shape)} and {list(cov_diag.shape)}"
            )
        leads = (tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2]), tuple(cov_diag.shape[:-1]))
        batch, n = tuple(broadcast_shapes(*leads)), loc.shape[-1]
        self.loc, self.cov_diag = loc.expand(*batch, n), cov_diag.expand(*batch, n)
        self.cov_factor = cov_factor.expand(*batch, *cov_factor.shape[-2:])
        super().__init__(batch, loc.shape[-1:], validate_args)
        weighted = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        rank = self.cov_factor.shape[-1]
        one = eye(rank, dtype=loc.dtype, device=loc.device)
        self._capacitance_tril = cholesky(weighted @ self.cov_factor + one)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real_vector

    @property
    def mean(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance matrix."""
        return (self.cov_factor**2).sum(-1) + self.cov_diag

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance matrix."""
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangle that the covariance matrix is the square of."""
        return cholesky(self.covariance_matrix)

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance matrix."""
        weighted = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        part = solve_triangular(self._capacitance_tril, weighted, upper=False)
        return (1 / self.cov_diag).diag_embed() - part.mT @ part

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in all parameters."""
        shape = self._extended_shape(sample_shape)
        dtype, device = self.loc.dtype, self.loc.device
        with no_grad():
            few = randn((*shape[:-1], self.cov_factor.shape[-1]), dtype=dtype, device=device)
            many = randn(shape, dtype=dtype, device=device)
        return self.loc + (self.cov_factor @ few.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * many

    def log_det(self) -> Tensor:
        """Return the logarithm of the determinant of the covariance matrix."""
        return 2 * half_log_det(self._capacitance_tril) + self.cov_diag.log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        apart = value - self.loc
        weighted = (self.cov_factor.mT @ (apart / self.cov_diag).unsqueeze(-1)).squeeze(-1)
        length = (apart**2 / self.cov_diag).sum(-1) - squared_length(self._capacitance_tril, weighted)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self.log_det() + length)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return 0.5 * (self._event_shape[0] * (1 + math.log(2 * math.pi)) + self.log_det())
