"""Helpers of distributions that programs write themselves: `torch.distributions.utils`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..creation import ones, tril_indices
from ..tensor import Tensor
from .distribution import broadcast_all as broadcast_all
from .distribution import clamp_probs as clamp_probs


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The log odds of probabilities (`is_binary`), or their logarithms.

    >>> import frazil as fz
    >>> from frazil.distributions.utils import probs_to_logits
    >>> probs_to_logits(fz.tensor([0.5]), is_binary=True)
    tensor([0.])
    """
    kept = clamp_probs(probs)
    return kept.log() - (-kept).log1p() if is_binary else kept.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """The probabilities of log odds (`is_binary`), or of logits along the last dimension.

    >>> import frazil as fz
    >>> from frazil.distributions.utils import logits_to_probs
    >>> logits_to_probs(fz.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return logits.sigmoid() if is_binary else logits.softmax(-1)


class lazy_property:
    """Decorator of a method: an attribute that is computed when first asked for.

    >>> from frazil.distributions.utils import lazy_property
    >>> class Ice:
    ...     @lazy_property
    ...     def scale(self): return [1]
    >>> ice = Ice(); ice.scale is ice.scale
    True
    """

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        found = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, found)
        return found


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The elements of [..., n, n] matrices on and below a diagonal, row by row.

    >>> import frazil as fz
    >>> from frazil.distributions.utils import tril_matrix_to_vec
    >>> tril_matrix_to_vec(fz.tensor([[1, 2], [3, 4]]))
    tensor([1, 3, 4])
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = tril_indices(n, n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The [..., n, n] matrices of which `tril_matrix_to_vec` gives `vec`, 0 elsewhere.

    >>> import frazil as fz
    >>> from frazil.distributions.utils import vec_to_tril_matrix
    >>> vec_to_tril_matrix(fz.tensor([1, 3, 4]))
    tensor([[1, 0],
            [3, 4]])
    """
    count = vec.shape[-1]
    n = round((-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2)
    mat = vec.new_zeros(*vec.shape[:-1], n, n)
    rows, columns = tril_indices(n, n, diag)
    mat[..., rows, columns] = vec
    return mat


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last `dim` dimensions."""
    return value.sum(tuple(range(-dim, 0))) if dim else value


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    """Numbers of the standard normal distribution."""
    return ones(shape, dtype=dtype, device=device).normal_()
