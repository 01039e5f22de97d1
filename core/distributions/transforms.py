"""Transforms: maps between values, with the logarithms of how they stretch volumes, as `torch.distributions.transforms`."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from ..creation import eye, ones
from ..dtypes import finfo
from ..errors import ArgumentError, ShapeError
from ..linalg import cholesky
from ..nn.functional import pad, softplus
from ..ops.elementwise import abs_, cast, log
from ..ops.shape import cat, stack
from ..sizes import broadcast_shapes
from ..tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


class Transform:
    """Base class: `t(x)`, its inverse `t.inv(y)`, and `t.log_abs_det_jacobian(x, y)`.

    A subclass defines `_call`, `_inverse`, `log_abs_det_jacobian`, and `domain` and `codomain`, whose `event_dim` say how many
    dimensions one value has on either side. `cache_size=1` keeps the last pair, so that an inverse gives back what came in.

    >>> import frazil as fz
    >>> t = fz.distributions.AffineTransform(1.0, 2.0)
    >>> x = fz.tensor([0.0, 1.0])
    >>> t(x), t.inv(t(x)), t.log_abs_det_jacobian(x, t(x))
    (tensor([1., 3.]), tensor([0., 1.]), tensor([0.6931, 0.6931]))
    """

    bijective = False
    #: The attributes that make two transforms of this class equal; None: each is equal to itself only.
    _settings: tuple[str, ...] | None = None
    domain: Constraint = constraints.real
    codomain: Constraint = constraints.real

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ArgumentError(f"cache_size must be 0 or 1, given {cache_size}")
        self._cache_size = cache_size
        self._kept: tuple[Any, Any] = (None, None)

    @property
    def inv(self) -> Transform:
        """Return the inverse, as a transform."""
        return _InverseTransform(self)

    @property
    def sign(self) -> Any:
        """1 or -1, as the transform rises or falls, where it does the one or the other."""
        raise NotImplementedError(f"{type(self).__name__} has no sign")

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Return the transform with another cache."""
        if self._cache_size == cache_size:
            return self
        new = copy.copy(self)
        new._cache_size, new._kept = cache_size, (None, None)
        return new

    def __call__(self, x: Tensor) -> Tensor:
        if self._cache_size and x is self._kept[0]:
            return self._kept[1]
        y = self._call(x)
        if self._cache_size:
            self._kept = (x, y)
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        if self._cache_size and y is self._kept[1]:
            return self._kept[0]
        x = self._inverse(y)
        if self._cache_size:
            self._kept = (x, y)
        return x

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must define _call(x)")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the logarithm of the absolute value of the determinant of dy/dx, one number for each value."""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian")

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of the result for values of this shape."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of the values for a result of this shape."""
        return shape

    def __eq__(self, other: object) -> bool:
        """Whether both do the same: transforms of one class with equal settings, where the class says which they are."""
        if self is other or type(self) is not type(other) or self._settings is None:
            return self is other
        return all(_equal(getattr(self, name), getattr(other, name)) for name in self._settings)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _equal(a: Any, b: Any) -> bool:
    same = a == b
    return bool(same.all()) if isinstance(same, Tensor) else bool(same)


class _InverseTransform(Transform):
    _settings = ("_inv",)

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform._cache_size)
        self._inv = transform
        self.bijective = transform.bijective

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self._inv.codomain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return self._inv.domain

    @property
    def inv(self) -> Transform:
        return self._inv

    @property
    def sign(self) -> Any:
        return self._inv.sign

    def __call__(self, x: Tensor) -> Tensor:
        return self._inv._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._inv.forward_shape(shape)

    def __repr__(self) -> str:
        return f"_InverseTransform({self._inv!r})"


def summed(x: Tensor, dims: int) -> Tensor:
    """Return `x` summed over its last `dims` dimensions.

    >>> import frazil as fz
    >>> from frazil.distributions.transforms import summed
    >>> summed(fz.ones(2, 3), 1)
    tensor([3., 3.])
    """
    return x.sum(tuple(range(-dims, 0))) if dims else x


class ComposeTransform(Transform):
    """Transforms one after the other.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.ComposeTransform([d.AffineTransform(0.0, 2.0), d.ExpTransform()])(fz.tensor(0.5))
    tensor(2.7183)
    """

    _settings = ("parts",)

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)
        self.bijective = all(part.bijective for part in parts)

    def _event_dims(self) -> tuple[int, int]:
        """The dimensions of a value before and after, wide enough for every part."""
        before = after = 0
        for part in self.parts:
            a, b = part.domain.event_dim, part.codomain.event_dim
            wider = max(0, a - after)
            before, after = before + wider, max(after + wider, a) - a + b
        return before, after

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Return what goes in."""
        if not self.parts:
            return constraints.real
        first = self.parts[0].domain
        more = self._event_dims()[0] - first.event_dim
        return constraints.independent(first, more) if more else first

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Return what comes out."""
        if not self.parts:
            return constraints.real
        last = self.parts[-1].codomain
        more = self._event_dims()[1] - last.event_dim
        return constraints.independent(last, more) if more else last

    @property
    def sign(self) -> Any:
        """The product of the signs of the parts."""
        sign: Any = 1
        for part in self.parts:
            sign = sign * part.sign
        return sign

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inv_call(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part._inv_call(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum of those of the parts."""
        if not self.parts:
            return x * 0
        total: Any = 0.0
        dims = self.domain.event_dim
        for part in self.parts:
            after = part(x)
            total = total + summed(part.log_abs_det_jacobian(x, after), dims - part.domain.event_dim)
            dims += part.codomain.event_dim - part.domain.event_dim
            x = after
        return total

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape after all parts."""
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape before all parts."""
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        parts = ",\n    ".join(repr(part) for part in self.parts)
        return f"{type(self).__name__}(\n    {parts}\n)"


class IndependentTransform(Transform):
    """A transform whose last batch dimensions count as dimensions of one value: the logarithms are summed over them.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> t = d.IndependentTransform(d.ExpTransform(), 1)
    >>> t.log_abs_det_jacobian(fz.ones(3), fz.ones(3).exp())
    tensor(3.)
    """

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)

    @property
    def sign(self) -> Any:
        """Return that of the base."""
        return self.base_transform.sign

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum of those of the base."""
        return summed(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        """As the base."""
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        """As the base."""
        return self.base_transform.inverse_shape(shape)


class ReshapeTransform(Transform):
    """The last dimensions in another shape.

    >>> import frazil as fz
    >>> fz.distributions.ReshapeTransform((4,), (2, 2))(fz.arange(4.0)).shape
    frazil.Size([2, 2])
    """

    bijective = True

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ShapeError(
                f"ReshapeTransform: {list(self.in_shape)} and {list(self.out_shape)} hold different numbers of elements"
            )
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[: x.ndim - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(y.shape[: y.ndim - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return 0."""
        return summed(x * 0, len(self.in_shape))

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape with the last dimensions in the new shape."""
        return (*tuple(shape)[: len(shape) - len(self.in_shape)], *self.out_shape)

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape with the last dimensions in the old shape."""
        return (*tuple(shape)[: len(shape) - len(self.out_shape)], *self.in_shape)


class _Rising(Transform):
    bijective = True

    @property
    def sign(self) -> Any:
        """1: it rises."""
        return 1


class ExpTransform(_Rising):
    """exp(x).

    >>> import frazil as fz
    >>> fz.distributions.ExpTransform().inv(fz.tensor(1.0))
    tensor(0.)
    """

    _settings = ()
    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x."""
        return x


class PowerTransform(Transform):
    """x**exponent for positive x.

    >>> import frazil as fz
    >>> fz.distributions.PowerTransform(2.0)(fz.tensor(3.0))
    tensor(9.)
    """

    _settings = ("exponent",)
    bijective = True
    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> Any:
        """The sign of the exponent."""
        return self.exponent.sign() if isinstance(self.exponent, Tensor) else (1 if self.exponent > 0 else -1)

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log |exponent * y / x|."""
        return log(abs_(self.exponent * y / x))


def _clipped_sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)) inside of 0 and 1, whose logarithms are finite."""
    kept = finfo(x.dtype)
    return x.sigmoid().clamp(min=kept.tiny, max=1 - kept.eps)


class SigmoidTransform(_Rising):
    """1 / (1 + exp(-x)).

    >>> import frazil as fz
    >>> fz.distributions.SigmoidTransform()(fz.tensor(0.0))
    tensor(0.5000)
    """

    _settings = ()
    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return _clipped_sigmoid(x)

    def _inverse(self, y: Tensor) -> Tensor:
        kept = finfo(y.dtype)
        y = y.clamp(min=kept.tiny, max=1 - kept.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log(y * (1 - y))."""
        return -softplus(-x) - softplus(x)


class SoftplusTransform(_Rising):
    """log(1 + exp(x)).

    >>> import frazil as fz
    >>> fz.distributions.SoftplusTransform()(fz.tensor(0.0))
    tensor(0.6931)
    """

    _settings = ()
    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log(sigmoid(x))."""
        return -softplus(-x)


class TanhTransform(_Rising):
    """tanh(x).

    >>> import frazil as fz
    >>> fz.distributions.TanhTransform()(fz.tensor(0.0))
    tensor(0.)
    """

    _settings = ()
    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log(1 - tanh(x)**2), without its cancellation."""
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class AbsTransform(Transform):
    """|x|; its inverse gives the positive one.

    >>> import frazil as fz
    >>> fz.distributions.AbsTransform()(fz.tensor(-2.0))
    tensor(2.)
    """

    _settings = ()
    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class AffineTransform(Transform):
    """loc + scale * x; `event_dim` says how many dimensions one value has.

    >>> import frazil as fz
    >>> fz.distributions.AffineTransform(1.0, -2.0)(fz.tensor(1.0))
    tensor(-1.)
    """

    _settings = ("loc", "scale")
    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim
        self.domain = constraints.independent(constraints.real, event_dim) if event_dim else constraints.real
        self.codomain = self.domain

    @property
    def sign(self) -> Any:
        """The sign of the scale."""
        return self.scale.sign() if isinstance(self.scale, Tensor) else (self.scale > 0) - (self.scale < 0)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log |scale|, of the shape of the values."""
        stretch = log(abs_(self.scale)) if isinstance(self.scale, Tensor) else math.log(abs(self.scale))
        return summed(x * 0 + stretch, self.event_dim)

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape after broadcasting."""
        others = [tuple(p.shape) for p in (self.loc, self.scale) if isinstance(p, Tensor)]
        return tuple(broadcast_shapes(tuple(shape), *others))

    inverse_shape = forward_shape


class SoftmaxTransform(Transform):
    """The softmax of vectors; its inverse is the logarithm.

    >>> import frazil as fz
    >>> fz.distributions.SoftmaxTransform()(fz.zeros(2))
    tensor([0.5000, 0.5000])
    """

    _settings = ()
    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """Vectors of k numbers as vectors of k + 1 that sum to 1: each takes its share of what is left.

    >>> import frazil as fz
    >>> fz.distributions.StickBreakingTransform()(fz.zeros(2))
    tensor([0.3333, 0.3333, 0.3333])
    """

    _settings = ()
    bijective = True
    domain, codomain = constraints.real_vector, constraints.simplex

    def _left(self, x: Tensor) -> Tensor:
        return x - _countdown(x).log()

    def _call(self, x: Tensor) -> Tensor:
        z = _clipped(self._left(x).sigmoid())
        return pad(z, [0, 1], value=1.0) * pad((1 - z).cumprod(-1), [1, 0], value=1.0)

    def _inverse(self, y: Tensor) -> Tensor:
        crop = y[..., :-1]
        left = (1 - crop.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return crop.log() - left.log() + _countdown(crop).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum over the shares."""
        x = self._left(x)
        return (-x - softplus(-x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        """One more."""
        return (*tuple(shape)[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Any) -> Any:
        """One less."""
        return (*tuple(shape)[:-1], shape[-1] - 1)


def _countdown(x: Tensor) -> Tensor:
    """k, ..., 2, 1 for vectors of k numbers."""
    return ones(x.shape[-1], dtype=x.dtype, device=x.device).cumsum(0).flip(0)


def _clipped(x: Tensor) -> Tensor:
    kept = finfo(x.dtype)
    return x.clamp(min=kept.tiny, max=1 - kept.eps)


class LowerCholeskyTransform(Transform):
    """Square matrices as lower triangular ones with a positive diagonal.

    >>> import frazil as fz
    >>> fz.distributions.LowerCholeskyTransform()(fz.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    _settings = ()
    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """Square matrices as positive definite ones.

    >>> import frazil as fz
    >>> fz.distributions.PositiveDefiniteTransform()(fz.zeros(1, 1))
    tensor([[1.]])
    """

    _settings = ()
    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(cholesky(y))


class CorrCholeskyTransform(Transform):
    """Vectors of n * (n - 1) / 2 numbers as lower triangular matrices whose rows have the length 1.

    >>> import frazil as fz
    >>> fz.distributions.CorrCholeskyTransform()(fz.zeros(1))
    tensor([[1., 0.],
            [0., 1.]])
    """

    bijective = True
    domain, codomain = constraints.real_vector, constraints.corr_cholesky

    @staticmethod
    def _places(n: int) -> tuple[list[int], list[int]]:
        return [i for i in range(n) for _ in range(i)], [j for i in range(n) for j in range(i)]

    def _call(self, x: Tensor) -> Tensor:
        n = self.forward_shape(x.shape)[-1]
        x = x.tanh()
        kept = finfo(x.dtype).eps
        x = x.clamp(min=-1 + kept, max=1 - kept)
        rows = []
        for i in range(n):
            r = x[..., i * (i - 1) // 2 : i * (i + 1) // 2]
            left = (1 - r * r).cumprod(-1).sqrt()
            row = cat([pad(r, [0, 1], value=1.0) * pad(left, [1, 0], value=1.0)], -1)
            rows.append(pad(row, [0, n - i - 1]))
        return stack(rows, -2)

    def _inverse(self, y: Tensor) -> Tensor:
        n = y.shape[-1]
        i, j = self._places(n)
        square = 1 - (y * y).cumsum(-1)
        shifted = pad(square[..., :-1], [1, 0], value=1.0)
        values, left = y[..., i, j], shifted[..., i, j]
        return (values / left.sqrt()).atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum over the entries."""
        n = y.shape[-1]
        i, j = self._places(n)
        left = (1 - (y * y).cumsum(-1))[..., i, j]
        inner = 0.5 * log(left.clamp(min=finfo(y.dtype).tiny)) * cast(_not_last(n, x), dtype=x.dtype)
        stretched = -2 * (x + softplus(-2 * x) - math.log(2.0))
        return inner.sum(-1) + stretched.sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        """n * (n - 1) / 2 numbers make n rows."""
        count = shape[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ShapeError(f"CorrCholeskyTransform: expected n * (n - 1) / 2 numbers for a whole n, given {count}")
        return (*tuple(shape)[:-1], n, n)

    def inverse_shape(self, shape: Any) -> Any:
        """n rows are n * (n - 1) / 2 numbers."""
        return (*tuple(shape)[:-2], shape[-1] * (shape[-1] - 1) // 2)


def _not_last(n: int, like: Tensor) -> Tensor:
    """1 for the entries below the diagonal but those next to it, row by row."""
    i, j = CorrCholeskyTransform._places(n)
    return 1 - eye(n, dtype=like.dtype, device=like.device)[[k - 1 for k in i], j]


class CatTransform(Transform):
    """Transforms of parts of the values along a dimension.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.CatTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0)], lengths=[1, 1])(fz.ones(2))
    tensor([2.7183, 2.0000])
    """

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        self.bijective = all(t.bijective for t in tseq)

    def _call(self, x: Tensor) -> Tensor:
        return cat([t(part) for t, part in zip(self.transforms, x.split(self.lengths, self.dim), strict=True)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return cat([t.inv(part) for t, part in zip(self.transforms, y.split(self.lengths, self.dim), strict=True)], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return those of the parts, side by side."""
        parts = zip(self.transforms, x.split(self.lengths, self.dim), y.split(self.lengths, self.dim), strict=True)
        return cat([t.log_abs_det_jacobian(a, b) for t, a, b in parts], self.dim)


class StackTransform(Transform):
    """A transform for each place along a dimension.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.StackTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0)])(fz.ones(2))
    tensor([2.7183, 2.0000])
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.bijective = all(t.bijective for t in tseq)

    def _call(self, x: Tensor) -> Tensor:
        return stack([t(part) for t, part in zip(self.transforms, x.unbind(self.dim), strict=True)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return stack([t.inv(part) for t, part in zip(self.transforms, y.unbind(self.dim), strict=True)], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return those of the places, stacked."""
        parts = zip(self.transforms, x.unbind(self.dim), y.unbind(self.dim), strict=True)
        return stack([t.log_abs_det_jacobian(a, b) for t, a, b in parts], self.dim)


class CumulativeDistributionTransform(Transform):
    """The cumulative probability of a distribution of real numbers.

    >>> import frazil as fz
    >>> d = fz.distributions
    >>> d.CumulativeDistributionTransform(d.Normal(0.0, 1.0))(fz.tensor(0.0))
    tensor(0.5000)
    """

    bijective = True
    codomain = constraints.unit_interval

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Return what the values of the distribution are."""
        return self.distribution.support

    @property
    def sign(self) -> Any:
        """1: it rises."""
        return 1

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        return self.distribution.log_prob(x)


identity_transform = ComposeTransform([])
