"""The methods of `Tensor` that come from the op table. Made by `python docs/build_types.py`."""

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .dtypes import dtype as DType
from .random import Generator
from .tensor import Size
from .tensor import Tensor

#: Built-in types under names that no function of frazil has.
_bool: TypeAlias = builtins.bool
_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_str: TypeAlias = builtins.str
_Operand: TypeAlias = Tensor | builtins.complex  # complex takes float, int and bool too

class TensorMethods:
    def _pairs(self, *, out: Any = None) -> Tensor:
        """A complex tensor seen as pairs: a last dimension of 2 with real and imaginary parts."""

    def abs(self, *, out: Any = None) -> Tensor:
        """Absolute value."""

    def abs_(self, *, out: Any = None) -> Tensor:
        """In-place form of `abs`: writes the result into this tensor and returns it."""

    def absolute(self, *, out: Any = None) -> Tensor:
        """Absolute value."""

    def absolute_(self, *, out: Any = None) -> Tensor:
        """In-place form of `abs`: writes the result into this tensor and returns it."""

    def acos(self, *, out: Any = None) -> Tensor:
        """Inverse cosine, in radians."""

    def acos_(self, *, out: Any = None) -> Tensor:
        """In-place form of `acos`: writes the result into this tensor and returns it."""

    def acosh(self, *, out: Any = None) -> Tensor:
        """Inverse hyperbolic cosine."""

    def acosh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `acosh`: writes the result into this tensor and returns it."""

    def add(self, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
        """`input + alpha * other`."""

    def add_(self, other: Any, *more: Any, **options: Any) -> Tensor:
        """In-place form of `add`: writes the result into this tensor and returns it."""

    def addbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """beta * input + alpha * (the sum of batch1 @ batch2 over the batch)."""

    def addbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """In-place form of `addbmm`: writes the result into this tensor and returns it."""

    def addcdiv(self, tensor1: _Operand, tensor2: _Operand, value: _float = 1.0, *, out: Any = None) -> Tensor:
        """x + value * tensor1 / tensor2."""

    def addcdiv_(self, tensor1: _Operand, tensor2: _Operand, value: _float = 1.0, *, out: Any = None) -> Tensor:
        """In-place form of `addcdiv`: writes the result into this tensor and returns it."""

    def addcmul(self, tensor1: _Operand, tensor2: _Operand, value: _float = 1.0, *, out: Any = None) -> Tensor:
        """x + value * tensor1 * tensor2."""

    def addcmul_(self, tensor1: _Operand, tensor2: _Operand, value: _float = 1.0, *, out: Any = None) -> Tensor:
        """In-place form of `addcmul`: writes the result into this tensor and returns it."""

    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """beta * input + alpha * (mat1 @ mat2)."""

    def addmm_(self, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """In-place form of `addmm`: writes the result into this tensor and returns it."""

    def addmv(self, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """beta * input + alpha * (mat @ vec)."""

    def addmv_(self, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """In-place form of `addmv`: writes the result into this tensor and returns it."""

    def addr(self, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """beta * input + alpha * (the outer product of two vectors)."""

    def addr_(self, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """In-place form of `addr`: writes the result into this tensor and returns it."""

    def adjoint(self) -> Tensor:
        """The last two dimensions exchanged (for complex tensors, also conjugated)."""

    def all(self, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """Return whether all elements over `dim` are true (not zero): a bool, of uint8 a uint8."""

    def allclose(self, other: Tensor, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> _bool:
        """Return whether all elements are within atol + rtol * |other| of each other."""

    def amax(self, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """The largest element over `dim`; NaN wins. The gradient is shared evenly among equals."""

    def amin(self, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """The smallest element over `dim`; NaN wins. The gradient is shared evenly among equals."""

    def aminmax(self, *, dim: _int | None = None, keepdim: _bool = False, out: Any = None) -> Any:
        """The smallest and the largest element, of all or along `dim`."""

    def angle(self, *, out: Any = None) -> Tensor:
        """The angles of complex numbers in the plane; of real ones 0, and pi below 0."""

    def any(self, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """Return whether any element over `dim` is true (not zero): a bool, of uint8 a uint8."""

    def apply_(self, callable: Callable[[Any], Any]) -> Tensor:
        """Replace every element by what a Python function gives for it; slow, on the host."""

    def arccos(self, *, out: Any = None) -> Tensor:
        """Inverse cosine, in radians."""

    def arccos_(self, *, out: Any = None) -> Tensor:
        """In-place form of `acos`: writes the result into this tensor and returns it."""

    def arccosh(self, *, out: Any = None) -> Tensor:
        """Inverse hyperbolic cosine."""

    def arccosh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `acosh`: writes the result into this tensor and returns it."""

    def arcsin(self, *, out: Any = None) -> Tensor:
        """Inverse sine, in radians."""

    def arcsin_(self, *, out: Any = None) -> Tensor:
        """In-place form of `asin`: writes the result into this tensor and returns it."""

    def arcsinh(self, *, out: Any = None) -> Tensor:
        """Inverse hyperbolic sine."""

    def arcsinh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `asinh`: writes the result into this tensor and returns it."""

    def arctan(self, *, out: Any = None) -> Tensor:
        """Inverse tangent, in radians."""

    def arctan2(self, other: _Operand, *, out: Any = None) -> Tensor:
        """The angle in radians of the point (b, a), from -pi to pi."""

    def arctan2_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `atan2`: writes the result into this tensor and returns it."""

    def arctan_(self, *, out: Any = None) -> Tensor:
        """In-place form of `atan`: writes the result into this tensor and returns it."""

    def arctanh(self, *, out: Any = None) -> Tensor:
        """Inverse hyperbolic tangent."""

    def arctanh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `atanh`: writes the result into this tensor and returns it."""

    def argmax(self, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """Index (int64) of the first largest element along `dim`, or in the flattened tensor. NaN counts as the largest."""

    def argmin(self, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """Index (int64) of the first smallest element along `dim`, or in the flattened tensor. NaN counts as the smallest."""

    def argsort(self, dim: _int = -1, descending: _bool = False, stable: _bool = False) -> Tensor:
        """The indices that sort along `dim`."""

    def argwhere(self) -> Tensor:
        """int64[n, ndim]: the positions of the elements that are not zero."""

    def as_strided(self, size: Any, stride: Any, storage_offset: _int | None = None) -> Tensor:
        """The elements of the memory of `input` that lie `stride` apart, from `storage_offset` on (default: that of `input`)."""

    def as_strided_(self, size: Any, stride: Any, storage_offset: _int | None = None) -> Tensor:
        """This tensor as another view of its memory; refused where elements overlap."""

    def as_strided_scatter(self, src: Tensor, size: Any, stride: Any, storage_offset: _int | None = None, *, out: Any = None) -> Tensor:
        """A copy of `input` in which what `as_strided` shows is `src`."""

    def asin(self, *, out: Any = None) -> Tensor:
        """Inverse sine, in radians."""

    def asin_(self, *, out: Any = None) -> Tensor:
        """In-place form of `asin`: writes the result into this tensor and returns it."""

    def asinh(self, *, out: Any = None) -> Tensor:
        """Inverse hyperbolic sine."""

    def asinh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `asinh`: writes the result into this tensor and returns it."""

    def atan(self, *, out: Any = None) -> Tensor:
        """Inverse tangent, in radians."""

    def atan2(self, other: _Operand, *, out: Any = None) -> Tensor:
        """The angle in radians of the point (b, a), from -pi to pi."""

    def atan2_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `atan2`: writes the result into this tensor and returns it."""

    def atan_(self, *, out: Any = None) -> Tensor:
        """In-place form of `atan`: writes the result into this tensor and returns it."""

    def atanh(self, *, out: Any = None) -> Tensor:
        """Inverse hyperbolic tangent."""

    def atanh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `atanh`: writes the result into this tensor and returns it."""

    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """beta * input + alpha * (batch1 @ batch2)."""

    def baddbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
        """In-place form of `baddbmm`: writes the result into this tensor and returns it."""

    def bernoulli(self, p: _float | None = None, *, generator: Generator | None = None) -> Tensor:
        """1 with the probability that the element of `input` says, else 0 (or with probability `p` everywhere)."""

    def bernoulli_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with 1, with probability `p` (a number or a tensor), or 0."""

    def bfloat16(self, memory_format: Any = None) -> Tensor:
        """With dtype bfloat16; the tensor itself if it has that already."""

    def bincount(self, weights: Tensor | None = None, minlength: _int = 0) -> Tensor:
        """Return how often every non-negative integer occurs (or the sum of its weights)."""

    def bitwise_and(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Bits set in both."""

    def bitwise_and_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `bitwise_and`: writes the result into this tensor and returns it."""

    def bitwise_left_shift(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Bits moved up by b places."""

    def bitwise_left_shift_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `bitwise_left_shift`: writes the result into this tensor and returns it."""

    def bitwise_not(self, *, out: Any = None) -> Tensor:
        """All bits turned; `not` for bools."""

    def bitwise_not_(self, *, out: Any = None) -> Tensor:
        """In-place form of `bitwise_not`: writes the result into this tensor and returns it."""

    def bitwise_or(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Bits set in either."""

    def bitwise_or_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `bitwise_or`: writes the result into this tensor and returns it."""

    def bitwise_right_shift(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Bits moved down by b places; negative numbers keep their sign."""

    def bitwise_right_shift_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `bitwise_right_shift`: writes the result into this tensor and returns it."""

    def bitwise_xor(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Bits set in exactly one."""

    def bitwise_xor_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `bitwise_xor`: writes the result into this tensor and returns it."""

    def bmm(self, mat2: Tensor, *, out: Any = None) -> Tensor:
        """Products of two batches of matrices."""

    def bool(self, memory_format: Any = None) -> Tensor:
        """With dtype bool; the tensor itself if it has that already."""

    def broadcast_to(self, shape: Any) -> Tensor:
        """`input` expanded to `shape`."""

    def byte(self, memory_format: Any = None) -> Tensor:
        """With dtype uint8; the tensor itself if it has that already."""

    def cast(self, dtype: Any, *, out: Any = None) -> Tensor:
        """x with another dtype; floats lose their fraction when they become integers."""

    def cauchy_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with Cauchy numbers."""

    def cdouble(self, memory_format: Any = None) -> Tensor:
        """With dtype complex128; the tensor itself if it has that already."""

    def ceil(self, *, out: Any = None) -> Tensor:
        """The smallest whole number not below x."""

    def ceil_(self, *, out: Any = None) -> Tensor:
        """In-place form of `ceil`: writes the result into this tensor and returns it."""

    def celu(self, alpha: _float = 1.0, *, out: Any = None) -> Tensor:
        """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)."""

    def cfloat(self, memory_format: Any = None) -> Tensor:
        """With dtype complex64; the tensor itself if it has that already."""

    def chalf(self, memory_format: Any = None) -> Tensor:
        """With dtype complex32; the tensor itself if it has that already."""

    def char(self, memory_format: Any = None) -> Tensor:
        """With dtype int8; the tensor itself if it has that already."""

    def cholesky(self, upper: _bool = False, *, out: Any = None) -> Tensor:
        """The Cholesky factor of positive definite matrices; as `fz.linalg.cholesky`."""

    def cholesky_inverse(self, upper: _bool = False, *, out: Any = None) -> Tensor:
        """The inverse of L @ L.mH (L.mH @ L with `upper`)."""

    def cholesky_solve(self, L: Tensor, upper: _bool = False, *, out: Any = None) -> Tensor:
        """X with A @ X = input, for A = L @ L.mH (L.mH @ L with `upper`)."""

    def chunk(self, chunks: _int, dim: _int = 0) -> Any:
        """At most `chunks` views of equal size along `dim` (the last may be smaller)."""

    def clamp(self, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
        """`input` limited to [min, max]; each limit a number, a tensor, or None. NaN stays NaN."""

    def clamp_(self, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
        """In-place form of `clamp`: writes the result into this tensor and returns it."""

    def clamp_max(self, max: Any, *, out: Any = None) -> Tensor:
        """`input` where it is below `max`, else `max`."""

    def clamp_max_(self, max: Any, *, out: Any = None) -> Tensor:
        """In-place form of `clamp_max`: writes the result into this tensor and returns it."""

    def clamp_min(self, min: Any, *, out: Any = None) -> Tensor:
        """`input` where it is above `min`, else `min`."""

    def clamp_min_(self, min: Any, *, out: Any = None) -> Tensor:
        """In-place form of `clamp_min`: writes the result into this tensor and returns it."""

    def clip(self, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
        """`input` limited to [min, max]; each limit a number, a tensor, or None. NaN stays NaN."""

    def clip_(self, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
        """In-place form of `clamp`: writes the result into this tensor and returns it."""

    def clone(self, *, memory_format: Any = None) -> Tensor:
        """The same values in memory of their own; gradients pass through."""

    def conj(self) -> Tensor:
        """The complex conjugate: of a real tensor itself."""

    def conj_physical(self, *, out: Any = None) -> Tensor:
        """The complex conjugate, in memory of its own."""

    def conj_physical_(self, *, out: Any = None) -> Tensor:
        """In-place form of `conj_physical`: writes the result into this tensor and returns it."""

    def const_data_ptr(self) -> _int:
        """The address of the first element in the memory of the CPU; 0 on the device "meta"."""

    def copy_(self, src: Any, non_blocking: _bool = False) -> Tensor:
        """Write the values of `src` (broadcast, converted) into this tensor."""

    def copysign(self, other: Any, *, out: Any = None) -> Tensor:
        """The size of `input` with the sign of `other`."""

    def copysign_(self, other: Any, *, out: Any = None) -> Tensor:
        """In-place form of `copysign`: writes the result into this tensor and returns it."""

    def corrcoef(self) -> Tensor:
        """Correlation coefficients of variables (rows) over observations (columns)."""

    def cos(self, *, out: Any = None) -> Tensor:
        """Cosine of x in radians."""

    def cos_(self, *, out: Any = None) -> Tensor:
        """In-place form of `cos`: writes the result into this tensor and returns it."""

    def cosh(self, *, out: Any = None) -> Tensor:
        """Hyperbolic cosine."""

    def cosh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `cosh`: writes the result into this tensor and returns it."""

    def count_nonzero(self, dim: Any = None) -> Tensor:
        """Return how many elements are not zero."""

    def cov(self, *, correction: _int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
        """Covariance of variables (rows) over observations (columns), with divisor n - correction. `fweights`: how often each
        observation counts; `aweights`: how much."""

    def cross(self, other: Tensor, dim: _int | None = None, *, out: Any = None) -> Tensor:
        """The vector product along `dim`, of size 3 (default: the first dimension of that size)."""

    def cummax(self, dim: _int, *, out: Any = None) -> tuple[Tensor, Tensor]:
        """The largest element so far along `dim`, and where it was, the last of equals; NaN counts as the largest."""

    def cummin(self, dim: _int, *, out: Any = None) -> tuple[Tensor, Tensor]:
        """The smallest element so far along `dim`, and where it was, the last of equals; NaN counts as the smallest."""

    def cumprod(self, dim: Any, dtype: Any = None, *, out: Any = None) -> Tensor:
        """Running product along `dim`; integers and bools give int64."""

    def cumprod_(self, dim: Any, dtype: Any = None, *, out: Any = None) -> Tensor:
        """In-place form of `cumprod`: writes the result into this tensor and returns it."""

    def cumsum(self, dim: Any, dtype: Any = None, *, out: Any = None) -> Tensor:
        """Running sum along `dim`; integers and bools give int64."""

    def cumsum_(self, dim: Any, dtype: Any = None, *, out: Any = None) -> Tensor:
        """In-place form of `cumsum`: writes the result into this tensor and returns it."""

    def deg2rad(self, *, out: Any = None) -> Tensor:
        """Degrees as radians."""

    def deg2rad_(self, *, out: Any = None) -> Tensor:
        """In-place form of `deg2rad`: writes the result into this tensor and returns it."""

    def det(self, *, out: Any = None) -> Tensor:
        """The determinant of square matrices; as `fz.linalg.det`."""

    def diag(self, diagonal: _int = 0, *, out: Any = None) -> Tensor:
        """The diagonal of a matrix, or a matrix with a vector on its diagonal."""

    def diag_embed(self, offset: _int = 0, dim1: _int = -2, dim2: _int = -1) -> Tensor:
        """Matrices, in dimensions `dim1` and `dim2` of the result, with the last dimension of `input` on a diagonal."""

    def diagflat(self, offset: _int = 0) -> Tensor:
        """A matrix with all elements of `input` on a diagonal."""

    def diagonal(self, offset: _int = 0, dim1: _int = 0, dim2: _int = 1, *, out: Any = None) -> Tensor:
        """A view of the diagonal of two dimensions, as a new last dimension."""

    def diagonal_scatter(self, src: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Tensor:
        """A copy of `input` with a diagonal replaced by `src`."""

    def diff(self, n: _int = 1, dim: _int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *, out: Any = None) -> Tensor:
        """Differences of neighbours along `dim`, n times over, after `prepend` and `append` were put around."""

    def digamma(self, *, out: Any = None) -> Tensor:
        """The slope of `lgamma`."""

    def digamma_(self, *, out: Any = None) -> Tensor:
        """In-place form of `digamma`: writes the result into this tensor and returns it."""

    def dim_order(self, ambiguity_check: Any = False) -> Any:
        """The dimensions as they lie in memory, that with the largest steps first."""

    def dist(self, other: Tensor, p: _float = 2) -> Tensor:
        """The p-norm of `input - other`."""

    def div(self, other: Any, *, rounding_mode: _str | None = None, out: Any = None) -> Tensor:
        """Division; `rounding_mode` None (true division), "floor" or "trunc"."""

    def div_(self, other: Any, *more: Any, **options: Any) -> Tensor:
        """In-place form of `div`: writes the result into this tensor and returns it."""

    def divide(self, other: Any, *, rounding_mode: _str | None = None, out: Any = None) -> Tensor:
        """Division; `rounding_mode` None (true division), "floor" or "trunc"."""

    def divide_(self, other: Any, *more: Any, **options: Any) -> Tensor:
        """In-place form of `div`: writes the result into this tensor and returns it."""

    def dot(self, other: Tensor, *, out: Any = None) -> Tensor:
        """Product of two vectors."""

    def double(self, memory_format: Any = None) -> Tensor:
        """With dtype float64; the tensor itself if it has that already."""

    def dsplit(self, indices_or_sections: Any) -> Any:
        """Views along dimension 2: as many equal groups, or cut at the given places."""

    def eq(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a == b, elementwise."""

    def eq_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `eq`: writes the result into this tensor and returns it."""

    def equal(self, other: Tensor) -> _bool:
        """Return whether two tensors have the same shape and the same elements."""

    def erf(self, *, out: Any = None) -> Tensor:
        """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

    def erf_(self, *, out: Any = None) -> Tensor:
        """In-place form of `erf`: writes the result into this tensor and returns it."""

    def erfc(self, *, out: Any = None) -> Tensor:
        """1 - erf(x)."""

    def erfc_(self, *, out: Any = None) -> Tensor:
        """In-place form of `erfc`: writes the result into this tensor and returns it."""

    def erfinv(self, *, out: Any = None) -> Tensor:
        """The inverse of erf, for x from -1 to 1; NaN outside."""

    def erfinv_(self, *, out: Any = None) -> Tensor:
        """In-place form of `erfinv`: writes the result into this tensor and returns it."""

    def exp(self, *, out: Any = None) -> Tensor:
        """e to the power x."""

    def exp2(self, *, out: Any = None) -> Tensor:
        """2 to the power x."""

    def exp2_(self, *, out: Any = None) -> Tensor:
        """In-place form of `exp2`: writes the result into this tensor and returns it."""

    def exp_(self, *, out: Any = None) -> Tensor:
        """In-place form of `exp`: writes the result into this tensor and returns it."""

    def expand(self, *size: Any) -> Tensor:
        """A view in which dimensions of size 1 are repeated; -1 keeps a size."""

    def expand_as(self, other: Tensor) -> Tensor:
        """`input` expanded to the shape of `other`."""

    def expm1(self, *, out: Any = None) -> Tensor:
        """exp(x) - 1, exact for small x."""

    def expm1_(self, *, out: Any = None) -> Tensor:
        """In-place form of `expm1`: writes the result into this tensor and returns it."""

    def exponential_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with exponential numbers of rate `lambd`: positive, with mean 1 / lambd."""

    def fill_(self, value: Any) -> Tensor:
        """Set every element to a number."""

    def fill_diagonal_(self, fill_value: Any, wrap: _bool = False) -> Tensor:
        """Set the elements of the main diagonal to a number: of a matrix, or of a tensor of more dimensions of one size."""

    def fix(self, *, out: Any = None) -> Tensor:
        """x without its fraction."""

    def fix_(self, *, out: Any = None) -> Tensor:
        """In-place form of `trunc`: writes the result into this tensor and returns it."""

    def flatten(self, start_dim: _int = 0, end_dim: _int = -1) -> Tensor:
        """The dimensions from `start_dim` to `end_dim` joined into one."""

    def flip(self, *dims: Any) -> Tensor:
        """The order of elements along `dims` turned round, in new memory."""

    def fliplr(self) -> Tensor:
        """Columns in reverse order."""

    def flipud(self) -> Tensor:
        """Rows in reverse order."""

    def float(self, memory_format: Any = None) -> Tensor:
        """With dtype float32; the tensor itself if it has that already."""

    def float_power(self, exponent: Any, *, out: Any = None) -> Tensor:
        """`input` to the power `exponent`, in float64."""

    def float_power_(self, exponent: Any, *, out: Any = None) -> Tensor:
        """In-place form of `float_power`: writes the result into this tensor and returns it."""

    def floor(self, *, out: Any = None) -> Tensor:
        """The largest whole number not above x."""

    def floor_(self, *, out: Any = None) -> Tensor:
        """In-place form of `floor`: writes the result into this tensor and returns it."""

    def floor_divide(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Division rounded towards minus infinity."""

    def floor_divide_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `floor_divide`: writes the result into this tensor and returns it."""

    def fmax(self, other: Tensor, *, out: Any = None) -> Tensor:
        """The larger of two, elementwise; where one is NaN, the other."""

    def fmin(self, other: Tensor, *, out: Any = None) -> Tensor:
        """The smaller of two, elementwise; where one is NaN, the other."""

    def fmod(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Remainder of the division rounded towards zero; has the sign of the dividend, as C's fmod."""

    def fmod_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `fmod`: writes the result into this tensor and returns it."""

    def frac(self, *, out: Any = None) -> Tensor:
        """The fraction of x, with its sign."""

    def frac_(self, *, out: Any = None) -> Tensor:
        """In-place form of `frac`: writes the result into this tensor and returns it."""

    def frexp(self, *, out: Any = None) -> Any:
        """A mantissa with a size in [0.5, 1) and an exponent with input = mantissa * 2 ** exponent; of 0, infinities and NaN
        themselves and 0."""

    def gather(self, dim: _int, index: Tensor, *, sparse_grad: _bool = False, out: Any = None) -> Tensor:
        """Elements of `input` picked along `dim` by `index` (int64, same number of dimensions)."""

    def gcd(self, other: Tensor, *, out: Any = None) -> Tensor:
        """The greatest common divisor of two integers, elementwise; 0 of two zeros."""

    def gcd_(self, other: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `gcd`: writes the result into this tensor and returns it."""

    def ge(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a >= b, elementwise."""

    def ge_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `ge`: writes the result into this tensor and returns it."""

    def geometric_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with the number of trials up to the first success of probability `p`: 1, 2, ..."""

    def geqrf(self, *, out: Any = None) -> Any:
        """R above the diagonal and below it the reflections that make Q, and their factors; without gradient."""

    def ger(self, vec2: Tensor, *, out: Any = None) -> Tensor:
        """All products of the elements of two vectors."""

    def greater(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a > b, elementwise."""

    def greater_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `gt`: writes the result into this tensor and returns it."""

    def greater_equal(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a >= b, elementwise."""

    def greater_equal_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `ge`: writes the result into this tensor and returns it."""

    def gt(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a > b, elementwise."""

    def gt_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `gt`: writes the result into this tensor and returns it."""

    def half(self, memory_format: Any = None) -> Tensor:
        """With dtype float16; the tensor itself if it has that already."""

    def hardshrink(self, lambd: _float = 0.5, *, out: Any = None) -> Tensor:
        """x where |x| > lambd, else 0."""

    def hash_tensor(self, dim: Any = ..., *, keepdim: _bool = False, mode: _int = 0, out: Any = None) -> Tensor:
        """One number of 64 bits for all elements, or along some dimensions: the exclusive or of their bits, as float64 or int64."""

    def heaviside(self, values: Tensor, *, out: Any = None) -> Tensor:
        """0 for negative elements, 1 for positive ones, `values` at 0."""

    def heaviside_(self, values: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `heaviside`: writes the result into this tensor and returns it."""

    def histc(self, bins: _int = 100, min: _float = 0, max: _float = 0, *, out: Any = None) -> Tensor:
        """Return how many elements fall into each of `bins` equal parts of [min, max] (if equal: the range of the elements)."""

    def histogram(self, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None, density: _bool = False, out: Any = None) -> Any:
        """Return how many elements (or what sum of their `weight`) fall between edges, and the edges."""

    def hsplit(self, indices_or_sections: Any) -> Any:
        """Views of the columns: as many equal groups, or cut at the given places."""

    def hypot(self, other: _Operand, *, out: Any = None) -> Tensor:
        """sqrt(a^2 + b^2), without squares that overflow."""

    def hypot_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `hypot`: writes the result into this tensor and returns it."""

    def i0(self, *, out: Any = None) -> Tensor:
        """The modified Bessel function of the first kind, of order 0."""

    def i0_(self, *, out: Any = None) -> Tensor:
        """In-place form of `i0`: writes the result into this tensor and returns it."""

    def igamma(self, other: Tensor, *, out: Any = None) -> Tensor:
        """The regularised lower incomplete gamma function of order `input`, from 0 to `other`."""

    def igamma_(self, other: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `igamma`: writes the result into this tensor and returns it."""

    def igammac(self, other: Tensor, *, out: Any = None) -> Tensor:
        """1 - `igamma`, without cancellation."""

    def igammac_(self, other: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `igammac`: writes the result into this tensor and returns it."""

    def index_add(self, dim: _int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Any = None) -> Tensor:
        """A copy of `input` with the slices of `source` added to those that `index` names along `dim`."""

    def index_add_(self, dim: _int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Any = None) -> Tensor:
        """In-place form of `index_add`: writes the result into this tensor and returns it."""

    def index_copy(self, dim: _int, index: Tensor, source: Tensor, *, out: Any = None) -> Tensor:
        """A copy of `input` with the slices that `index` names along `dim` replaced by those of `source`."""

    def index_copy_(self, dim: _int, index: Tensor, source: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `index_copy`: writes the result into this tensor and returns it."""

    def index_fill(self, dim: _int, index: Tensor, value: Any) -> Tensor:
        """A copy of `input` with the slices that `index` names along `dim` set to a number."""

    def index_fill_(self, dim: _int, index: Tensor, value: Any) -> Tensor:
        """In-place form of `index_fill`: writes the result into this tensor and returns it."""

    def index_put(self, indices: Sequence[Any], values: Tensor, accumulate: _bool = False) -> Tensor:
        """A copy of `input` with `input[indices]` replaced by `values`, or with `values` added."""

    def index_put_(self, indices: Sequence[Any], values: Tensor, accumulate: _bool = False) -> Tensor:
        """In-place form of `index_put`: writes the result into this tensor and returns it."""

    def index_reduce(self, dim: _int, index: Tensor, source: Tensor, reduce: _str, *, include_self: _bool = True, out: Any = None) -> Tensor:
        """A copy of `input` in which every slice that `index` names along `dim` becomes the "prod", "mean", "amax" or "amin" of
        itself (unless `include_self` is off) and the slices of `source` sent there."""

    def index_reduce_(self, dim: _int, index: Tensor, source: Tensor, reduce: _str, *, include_self: _bool = True, out: Any = None) -> Tensor:
        """In-place form of `index_reduce`: writes the result into this tensor and returns it."""

    def index_select(self, dim: _int, index: Tensor, *, out: Any = None) -> Tensor:
        """The slices of `input` along `dim` named by a 1-d `index`."""

    def inner(self, other: Tensor, *, out: Any = None) -> Tensor:
        """Sums of products over the last dimension of both."""

    def int(self, memory_format: Any = None) -> Tensor:
        """With dtype int32; the tensor itself if it has that already."""

    def inverse(self, *, out: Any = None) -> Tensor:
        """The inverse of square matrices; as `fz.linalg.inv`."""

    def is_nonzero(self) -> _bool:
        """Return whether the only element is not zero."""

    def is_same_size(self, other: Tensor) -> _bool:
        """Return whether two tensors have the same shape."""

    def is_set_to(self, tensor: Tensor) -> _bool:
        """Return whether both are the same part of the same memory, seen alike."""

    def isclose(self, other: Tensor, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> Tensor:
        """Elementwise: within atol + rtol * |other|, or equal."""

    def isfinite(self, *, out: Any = None) -> Tensor:
        """Return whether x is neither infinite nor NaN."""

    def isinf(self, *, out: Any = None) -> Tensor:
        """Return whether x is infinite."""

    def isnan(self, *, out: Any = None) -> Tensor:
        """Return whether x is not a number."""

    def isneginf(self, *, out: Any = None) -> Tensor:
        """Return whether x is infinite and negative."""

    def isposinf(self, *, out: Any = None) -> Tensor:
        """Return whether x is infinite and positive."""

    def isreal(self) -> Tensor:
        """Return whether x has no imaginary part."""

    def istft(self, n_fft: _int, hop_length: _int | None = None, win_length: _int | None = None, window: Tensor | None = None, center: _bool = True, normalized: _bool = False, onesided: _bool | None = None, length: _int | None = None, return_complex: _bool = False) -> Tensor:
        """The signal whose `stft` is nearest to `input`: its pieces, weighed by the window, added where they overlap."""

    def kron(self, other: Tensor, *, out: Any = None) -> Tensor:
        """Kronecker product: of matrices, or of tensors of any number of dimensions."""

    def kthvalue(self, k: _int, dim: _int = -1, keepdim: _bool = False, *, out: Any = None) -> tuple[Tensor, Tensor]:
        """The k-th smallest element along `dim` (the first is 1), and where it was."""

    def lcm(self, other: Tensor, *, out: Any = None) -> Tensor:
        """The least common multiple of two integers, elementwise; 0 where one is 0."""

    def lcm_(self, other: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `lcm`: writes the result into this tensor and returns it."""

    def ldexp(self, other: Tensor, *, out: Any = None) -> Tensor:
        """input * 2**other."""

    def ldexp_(self, other: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `ldexp`: writes the result into this tensor and returns it."""

    def le(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a <= b, elementwise."""

    def le_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `le`: writes the result into this tensor and returns it."""

    def lerp(self, end: _Operand, weight: _Operand, *, out: Any = None) -> Tensor:
        """x + weight * (end - x), from the nearer end: exact at both."""

    def lerp_(self, end: _Operand, weight: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `lerp`: writes the result into this tensor and returns it."""

    def less(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a < b, elementwise."""

    def less_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `lt`: writes the result into this tensor and returns it."""

    def less_equal(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a <= b, elementwise."""

    def less_equal_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `le`: writes the result into this tensor and returns it."""

    def lgamma(self, *, out: Any = None) -> Tensor:
        """The logarithm of |gamma(x)|: log((x - 1)!)."""

    def lgamma_(self, *, out: Any = None) -> Tensor:
        """In-place form of `lgamma`: writes the result into this tensor and returns it."""

    def log(self, *, out: Any = None) -> Tensor:
        """Natural logarithm."""

    def log10(self, *, out: Any = None) -> Tensor:
        """Logarithm to base 10."""

    def log10_(self, *, out: Any = None) -> Tensor:
        """In-place form of `log10`: writes the result into this tensor and returns it."""

    def log1p(self, *, out: Any = None) -> Tensor:
        """log(1 + x), exact for small x."""

    def log1p_(self, *, out: Any = None) -> Tensor:
        """In-place form of `log1p`: writes the result into this tensor and returns it."""

    def log2(self, *, out: Any = None) -> Tensor:
        """Logarithm to base 2."""

    def log2_(self, *, out: Any = None) -> Tensor:
        """In-place form of `log2`: writes the result into this tensor and returns it."""

    def log_(self, *, out: Any = None) -> Tensor:
        """In-place form of `log`: writes the result into this tensor and returns it."""

    def log_normal_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with numbers whose logarithm is normal."""

    def log_softmax(self, dim: _int, dtype: Any = None, *, out: Any = None) -> Tensor:
        """log(softmax(x)) along `dim`, without overflow; with `dtype`, computed in that."""

    def logaddexp(self, other: _Operand, *, out: Any = None) -> Tensor:
        """log(exp(a) + exp(b)) without overflow."""

    def logaddexp2(self, other: Tensor, *, out: Any = None) -> Tensor:
        """log2(2^input + 2^other), without overflow."""

    def logcumsumexp(self, dim: _int, *, out: Any = None) -> Tensor:
        """log(the running sum of exp(x)) along `dim`, without overflow."""

    def logdet(self) -> Tensor:
        """The logarithm of the determinant; of real matrices NaN where that is negative, of complex ones a complex number."""

    def logical_and(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether both are true (not zero)."""

    def logical_and_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `logical_and`: writes the result into this tensor and returns it."""

    def logical_not(self, *, out: Any = None) -> Tensor:
        """Return whether x is false (zero)."""

    def logical_not_(self, *, out: Any = None) -> Tensor:
        """In-place form of `logical_not`: writes the result into this tensor and returns it."""

    def logical_or(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether at least one is true (not zero)."""

    def logical_or_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `logical_or`: writes the result into this tensor and returns it."""

    def logical_xor(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether exactly one is true (not zero)."""

    def logical_xor_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `logical_xor`: writes the result into this tensor and returns it."""

    def logit(self, eps: _float | None = None, *, out: Any = None) -> Tensor:
        """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is first limited to [eps, 1 - eps]."""

    def logit_(self, eps: _float | None = None, *, out: Any = None) -> Tensor:
        """In-place form of `logit`: writes the result into this tensor and returns it."""

    def logsumexp(self, dim: Any, keepdim: _bool = False, *, out: Any = None) -> Tensor:
        """log(sum(exp(x))) over `dim`, without overflow."""

    def long(self, memory_format: Any = None) -> Tensor:
        """With dtype int64; the tensor itself if it has that already."""

    def lt(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a < b, elementwise."""

    def lt_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `lt`: writes the result into this tensor and returns it."""

    def lu(self, pivot: _bool = True, get_infos: _bool = False, *, out: Any = None) -> Any:
        """L and U in one matrix, and the pivots; with `get_infos` also what `lu_factor_ex` says of failure."""

    def lu_solve(self, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
        """X with A @ X = b, for what `lu` gives of A."""

    def map2_(self, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
        """Replace every element by what a Python function gives for it and those of two other tensors; slow, on the host."""

    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
        """Replace every element by what a Python function gives for it and that of another tensor; slow, on the host."""

    def masked_fill(self, mask: Tensor, value: Any) -> Tensor:
        """A copy of `input` with `value` where the bool `mask` is true."""

    def masked_fill_(self, mask: Tensor, value: Any) -> Tensor:
        """In-place form of `masked_fill`: writes the result into this tensor and returns it."""

    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """A copy of `input` with the places where `mask` is true filled from `source` in order."""

    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor:
        """In-place form of `masked_scatter`: writes the result into this tensor and returns it."""

    def masked_select(self, mask: Tensor, *, out: Any = None) -> Tensor:
        """The elements where `mask` is true, as a vector."""

    def matmul(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Matrix product. Vectors are rows (left) or columns (right); leading dimensions are batches and broadcast."""

    def matrix_exp(self, *, out: Any = None) -> Tensor:
        """The exponential of square matrices: the sum of A^k / k!."""

    def matrix_power(self, n: _int, *, out: Any = None) -> Tensor:
        """The n-th power of square matrices; negative powers are those of the inverse. As `fz.linalg.matrix_power`."""

    def max(self, dim: Any = None, keepdim: _bool = False, *, other: Any = None, out: Any = None) -> Any:
        """The largest element; with `dim`, the largest along it and their indices; with a tensor, the elementwise maximum."""

    def maximum(self, other: _Operand, *, out: Any = None) -> Tensor:
        """The larger of two, elementwise; NaN if either is NaN. At ties the gradient is shared."""

    def maximum_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `maximum`: writes the result into this tensor and returns it."""

    def mean(self, dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
        """Arithmetic mean over `dim` (one, several, or all)."""

    def median(self, dim: _int | None = None, keepdim: _bool = False, *, out: Any = None) -> Any:
        """The middle value (the lower one of two); with `dim`, along it with indices."""

    def min(self, dim: Any = None, keepdim: _bool = False, *, other: Any = None, out: Any = None) -> Any:
        """The smallest element; with `dim`, the smallest along it and their indices; with a tensor, the elementwise minimum."""

    def minimum(self, other: _Operand, *, out: Any = None) -> Tensor:
        """The smaller of two, elementwise; NaN if either is NaN. At ties the gradient is shared."""

    def minimum_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `minimum`: writes the result into this tensor and returns it."""

    def mm(self, mat2: Tensor, *, out: Any = None) -> Tensor:
        """Product of two matrices."""

    def mode(self, dim: _int = -1, keepdim: _bool = False, *, out: Any = None) -> tuple[Tensor, Tensor]:
        """The most frequent value along `dim`, the smallest of several, and where it is, the last of equals."""

    def moveaxis(self, source: Any, destination: Any) -> Tensor:
        """A view with dimensions moved to other places, the others keeping their order."""

    def movedim(self, source: Any, destination: Any) -> Tensor:
        """A view with dimensions moved to other places, the others keeping their order."""

    def msort(self, *, out: Any = None) -> Tensor:
        """Sorted along the first dimension."""

    def mul(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Product of two tensors or numbers, elementwise."""

    def mul_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `mul`: writes the result into this tensor and returns it."""

    def multinomial(self, num_samples: _int, replacement: _bool = False, *, generator: Generator | None = None) -> Tensor:
        """int64: indices drawn from every row of `input` [C] or [N, C], with the elements as weights (not negative, not all 0)."""

    def multiply(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Product of two tensors or numbers, elementwise."""

    def multiply_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `mul`: writes the result into this tensor and returns it."""

    def mv(self, vec: Tensor, *, out: Any = None) -> Tensor:
        """Product of a matrix and a vector."""

    def mvlgamma(self, p: _int, *, out: Any = None) -> Tensor:
        """The logarithm of the multivariate gamma function of dimension `p`."""

    def mvlgamma_(self, p: _int, *, out: Any = None) -> Tensor:
        """In-place form of `mvlgamma`: writes the result into this tensor and returns it."""

    def nan_to_num(self, nan: _float = 0.0, posinf: _float | None = None, neginf: _float | None = None, *, out: Any = None) -> Tensor:
        """NaN and infinities replaced by numbers (default: 0 and the largest of the dtype)."""

    def nan_to_num_(self, nan: _float = 0.0, posinf: _float | None = None, neginf: _float | None = None, *, out: Any = None) -> Tensor:
        """In-place form of `nan_to_num`: writes the result into this tensor and returns it."""

    def nanmean(self, dim: Any = None, keepdim: _bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
        """Mean of the elements that are not NaN, computed in `dtype`."""

    def nanmedian(self, dim: _int | None = None, keepdim: _bool = False, *, out: Any = None) -> Any:
        """The middle value (the lower one of two) of the elements that are not NaN; with `dim`, along it with indices."""

    def nanquantile(self, q: Any, dim: _int | None = None, keepdim: _bool = False, *, interpolation: _str = 'linear', out: Any = None) -> Tensor:
        """The q-quantiles of the elements that are not NaN, as `quantile`; NaN where all are."""

    def nansum(self, dim: Any = None, keepdim: _bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
        """Sum of the elements that are not NaN."""

    def narrow(self, dim: _int, start: Any, length: Any) -> Tensor:
        """A view of `length` elements along `dim`, from `start`."""

    def narrow_copy(self, *args: Any, out: Any = None, **options: Any) -> Any:
        """A copy of what `narrow` gives, in memory of its own."""

    def ne(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a != b, elementwise."""

    def ne_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `ne`: writes the result into this tensor and returns it."""

    def neg(self, *, out: Any = None) -> Tensor:
        """-x."""

    def neg_(self, *, out: Any = None) -> Tensor:
        """In-place form of `neg`: writes the result into this tensor and returns it."""

    def negative(self, *, out: Any = None) -> Tensor:
        """-x."""

    def negative_(self, *, out: Any = None) -> Tensor:
        """In-place form of `neg`: writes the result into this tensor and returns it."""

    def new(self, *data: Any) -> Tensor:
        """PyTorch's old form: sizes give zeros, data gives a copy, with the dtype and device of `self`."""

    def new_empty(self, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
        """A tensor whose values do not matter (zeros); options as in `new_full`."""

    def new_empty_strided(self, size: Any, stride: Any, dtype: Any = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False) -> Tensor:
        """As `fz.empty_strided`, with the dtype and the device of this tensor."""

    def new_full(self, size: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False) -> Tensor:
        """A tensor of one value, with the dtype and device of `self` unless others are named."""

    def new_ones(self, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
        """A tensor of ones; options as in `new_full`."""

    def new_tensor(self, data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False) -> Tensor:
        """A tensor with a copy of `data`, with the dtype and device of `self` unless others are named."""

    def new_zeros(self, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
        """A tensor of zeros; options as in `new_full`."""

    def nextafter(self, other: Tensor, *, out: Any = None) -> Tensor:
        """The next number of the dtype after `input` in the direction of `other`."""

    def nextafter_(self, other: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `nextafter`: writes the result into this tensor and returns it."""

    def nonzero(self, *, as_tuple: _bool = False, out: Any = None) -> Any:
        """The positions of the elements that are not zero: int64[n, ndim], or one vector per dimension."""

    def nonzero_static(self, *, size: _int, fill_value: _int = -1, out: Any = None) -> Tensor:
        """The positions of the first `size` elements that are not zero: int64[size, ndim], filled up with `fill_value`."""

    def norm(self, p: Any = 'fro', dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
        """The p-norm of the elements over `dim` (all, if None); "fro" is 2, "nuc" the sum of the singular values of matrices."""

    def normal_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with normal numbers."""

    def not_equal(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return whether a != b, elementwise."""

    def not_equal_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `ne`: writes the result into this tensor and returns it."""

    def orgqr(self, tau: Tensor, *, out: Any = None) -> Tensor:
        """The first columns of the product of reflections, as `geqrf` gives them: Q."""

    def ormqr(self, tau: Tensor, other: Tensor, left: _bool = True, transpose: _bool = False, *, out: Any = None) -> Tensor:
        """Q @ other (other @ Q unless `left`; Q.mH in the place of Q with `transpose`), for the reflections of Q as in `geqrf`."""

    def outer(self, vec2: Tensor, *, out: Any = None) -> Tensor:
        """All products of the elements of two vectors."""

    def permute(self, *dims: Any) -> Tensor:
        """A view with the dimensions in the order `dims`."""

    def pinverse(self, rcond: _float = 1e-15) -> Tensor:
        """The Moore-Penrose inverse; singular values of at most rcond * the largest count as 0."""

    def polygamma(self, n: _int) -> Tensor:
        """The n-th derivative of `digamma`, as `fz.polygamma`."""

    def polygamma_(self, n: _int) -> Tensor:
        """In-place form of `polygamma`: writes the result into this tensor and returns it."""

    def positive(self) -> Tensor:
        """The tensor itself."""

    def pow(self, exponent: Any, *, out: Any = None) -> Tensor:
        """`input` to the power `exponent`, tensors or numbers."""

    def pow_(self, exponent: Any, *, out: Any = None) -> Tensor:
        """In-place form of `pow`: writes the result into this tensor and returns it."""

    def prelu(self, weight: _Operand, *, out: Any = None) -> Tensor:
        """x where positive, else x * weight, with one weight or one per channel (dimension 1)."""

    def prod(self, dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
        """Product over `dim` (one, several, or all); integers and bools give int64."""

    def put(self, index: Tensor, source: Tensor, accumulate: _bool = False, *, out: Any = None) -> Tensor:
        """A copy of `input` with `source` written at the places `index` of the flattened tensor, or added there."""

    def put_(self, index: Tensor, source: Tensor, accumulate: _bool = False, *, out: Any = None) -> Tensor:
        """In-place form of `put`: writes the result into this tensor and returns it."""

    def qr(self, some: _bool = True, *, out: Any = None) -> Any:
        """Q and R; as `fz.linalg.qr`, complete unless `some`."""

    def quantile(self, q: Any, dim: _int | None = None, keepdim: _bool = False, *, interpolation: _str = 'linear', out: Any = None) -> Tensor:
        """The q-quantiles (numbers from 0 to 1) of all elements or along `dim`; several make a first dimension of their own."""

    def rad2deg(self, *, out: Any = None) -> Tensor:
        """Radians as degrees."""

    def rad2deg_(self, *, out: Any = None) -> Tensor:
        """In-place form of `rad2deg`: writes the result into this tensor and returns it."""

    def random_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with uniform integers: `random_()` all the dtype holds exactly from 0 on, `random_(to)`, `random_(from, to)`."""

    def ravel(self) -> Tensor:
        """All elements in one dimension; a copy unless they lie in order."""

    def reciprocal(self, *, out: Any = None) -> Tensor:
        """1 / x."""

    def reciprocal_(self, *, out: Any = None) -> Tensor:
        """In-place form of `reciprocal`: writes the result into this tensor and returns it."""

    def relu(self, *, out: Any = None) -> Tensor:
        """max(x, 0); the gradient at 0 is 0."""

    def relu_(self, *, out: Any = None) -> Tensor:
        """In-place form of `relu`: writes the result into this tensor and returns it."""

    def remainder(self, other: _Operand, *, out: Any = None) -> Tensor:
        """Return what `floor_divide` leaves; has the sign of the divisor, as Python's %."""

    def remainder_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `remainder`: writes the result into this tensor and returns it."""

    def renorm(self, p: _float, dim: _int, maxnorm: _float, *, out: Any = None) -> Tensor:
        """The slices along `dim`, those with a p-norm above `maxnorm` scaled down to it."""

    def renorm_(self, p: _float, dim: _int, maxnorm: _float, *, out: Any = None) -> Tensor:
        """In-place form of `renorm`: writes the result into this tensor and returns it."""

    def repeat(self, *repeats: Any) -> Tensor:
        """The tensor laid out `repeats` times in every dimension."""

    def repeat_interleave(self, repeats: Any = None, dim: _int | None = None, *, output_size: _int | None = None) -> Tensor:
        """Every element along `dim` repeated `repeats` times (a number, or one per element). `repeat_interleave(repeats)` repeats
        the positions."""

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape; one size may be -1. A view where possible."""

    def reshape_as(self, other: Tensor) -> Tensor:
        """`input` reshaped to the shape of `other`."""

    def resize(self, *sizes: Any) -> Tensor:
        """Its elements in another shape, by an old name of `reshape`, with a warning; the number of elements must stay."""

    def resize_(self, *size: Any, memory_format: Any = None) -> Tensor:
        """Change the shape in place: the first elements stay, those that are new are of no interest."""

    def resize_as(self, tensor: Tensor) -> Tensor:
        """Its elements in the shape of `tensor`, by an old name of `reshape`, with a warning."""

    def resize_as_(self, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
        """Change the shape in place to that of another tensor."""

    def resolve_conj(self) -> Tensor:
        """The tensor with its conjugation carried out; real tensors have none."""

    def resolve_neg(self) -> Tensor:
        """The tensor with its negation carried out; tensors here have none that waits."""

    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        """Elements moved along `dims`, those pushed out coming in at the other end."""

    def rot90(self, k: _int = 1, dims: Any = ...) -> Tensor:
        """Turned by k times 90 degrees in the plane of two dimensions."""

    def round(self, *, decimals: _int = 0, out: Any = None) -> Tensor:
        """The nearest multiple of 10**-decimals; halves go to the even one."""

    def round_(self, *, decimals: _int = 0, out: Any = None) -> Tensor:
        """In-place form of `round`: writes the result into this tensor and returns it."""

    def rsqrt(self, *, out: Any = None) -> Tensor:
        """1 / sqrt(x)."""

    def rsqrt_(self, *, out: Any = None) -> Tensor:
        """In-place form of `rsqrt`: writes the result into this tensor and returns it."""

    def scatter(self, dim: _int, index: Tensor, src: Any = None, *, value: Any = None, reduce: _str | None = None, out: Any = None) -> Tensor:
        """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`; `reduce` "add" or "multiply"."""

    def scatter_(self, dim: _int, index: Tensor, src: Any = None, *, value: Any = None, reduce: _str | None = None, out: Any = None) -> Tensor:
        """In-place form of `scatter`: writes the result into this tensor and returns it."""

    def scatter_add(self, dim: _int, index: Tensor, src: Tensor, *, out: Any = None) -> Tensor:
        """A copy of `input` with `src` added at `index` along `dim`; repeated indices add up."""

    def scatter_add_(self, dim: _int, index: Tensor, src: Tensor, *, out: Any = None) -> Tensor:
        """In-place form of `scatter_add`: writes the result into this tensor and returns it."""

    def scatter_reduce(self, dim: _int, index: Tensor, src: Tensor, reduce: _str, *, include_self: _bool = True, out: Any = None) -> Tensor:
        """A copy of `input` in which every element that `index` names along `dim` becomes the "sum", "prod", "mean", "amax" or "amin"
        of itself (unless `include_self` is off) and the elements of `src` sent there."""

    def scatter_reduce_(self, dim: _int, index: Tensor, src: Tensor, reduce: _str, *, include_self: _bool = True, out: Any = None) -> Tensor:
        """In-place form of `scatter_reduce`: writes the result into this tensor and returns it."""

    def select(self, dim: Any, index: Any, *, out: Any = None) -> Tensor:
        """A view of the element `index` along `dim`, without that dimension."""

    def select_scatter(self, src: Tensor, dim: _int, index: _int) -> Tensor:
        """A copy of `input` with the element `index` along `dim` replaced by `src`."""

    def selu(self, *, out: Any = None) -> Tensor:
        """The self-normalising elu."""

    def set_(self, source: Any = None, storage_offset: _int = 0, size: Any = None, stride: Any = None) -> Tensor:
        """Let this tensor look at the memory of another tensor, or of a storage; without one, at none."""

    def sgn(self, *, out: Any = None) -> Tensor:
        """x / |x|, and 0 at 0: the sign of real numbers, the direction of complex ones."""

    def sgn_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sgn`: writes the result into this tensor and returns it."""

    def short(self, memory_format: Any = None) -> Tensor:
        """With dtype int16; the tensor itself if it has that already."""

    def sigmoid(self, *, out: Any = None) -> Tensor:
        """1 / (1 + exp(-x)), without overflow."""

    def sigmoid_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sigmoid`: writes the result into this tensor and returns it."""

    def sign(self, *, out: Any = None) -> Tensor:
        """-1, 0 or 1 by the sign; NaN stays NaN."""

    def sign_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sign`: writes the result into this tensor and returns it."""

    def signbit(self, *, out: Any = None) -> Tensor:
        """Return whether the sign bit is set: for negative numbers and -0.0."""

    def sin(self, *, out: Any = None) -> Tensor:
        """Sine of x in radians."""

    def sin_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sin`: writes the result into this tensor and returns it."""

    def sinc(self, *, out: Any = None) -> Tensor:
        """sin(pi x) / (pi x), and 1 at 0."""

    def sinc_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sinc`: writes the result into this tensor and returns it."""

    def sinh(self, *, out: Any = None) -> Tensor:
        """Hyperbolic sine."""

    def sinh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sinh`: writes the result into this tensor and returns it."""

    def slice_scatter(self, src: Tensor, dim: _int = 0, start: _int | None = None, end: _int | None = None, step: _int = 1) -> Tensor:
        """A copy of `input` with [start:end:step] along `dim` replaced by `src`."""

    def slogdet(self, *, out: Any = None) -> Any:
        """Sign and logarithm of the size of the determinant; as `fz.linalg.slogdet`."""

    def softmax(self, dim: _int, dtype: Any = None, *, out: Any = None) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`, without overflow; with `dtype`, computed in that."""

    def sort(self, dim: _int = -1, descending: _bool = False, stable: _bool = False, *, out: Any = None) -> tuple[Tensor, Tensor]:
        """Values in order along `dim`, and where they were. Always stable; NaN counts as the largest."""

    def split(self, split_size_or_sections: Any, dim: _int = 0) -> Any:
        """Views of `tensor` along `dim`: pieces of one size (the last may be smaller), or of the given sizes."""

    def split_with_sizes(self, split_sizes: Sequence[_int], dim: _int = 0) -> Any:
        """As `split` with a list of sizes."""

    def sqrt(self, *, out: Any = None) -> Tensor:
        """Square root."""

    def sqrt_(self, *, out: Any = None) -> Tensor:
        """In-place form of `sqrt`: writes the result into this tensor and returns it."""

    def square(self, *, out: Any = None) -> Tensor:
        """x * x; of bools an int64."""

    def square_(self, *, out: Any = None) -> Tensor:
        """In-place form of `square`: writes the result into this tensor and returns it."""

    def squeeze(self, dim: Any = None) -> Tensor:
        """A view without the dimensions of size 1 (all, or those in `dim`)."""

    def squeeze_(self, dim: Any = None) -> Tensor:
        """This tensor without dimensions of size 1."""

    def std(self, dim: Any = None, unbiased: _bool | None = None, keepdim: _bool = False, *, correction: Any = None, out: Any = None) -> Tensor:
        """Standard deviation over `dim`, with divisor n - correction (default 1)."""

    def stft(self, n_fft: _int, hop_length: _int | None = None, win_length: _int | None = None, window: Tensor | None = None, center: _bool = True, pad_mode: _str = 'reflect', normalized: _bool = False, onesided: _bool | None = None, return_complex: _bool | None = None, align_to_window: _bool | None = None) -> Tensor:
        """The Fourier transforms of pieces of `n_fft` points, `hop_length` apart, each seen through `window`."""

    def storage(self) -> Any:
        """The memory that it is a part of, in elements."""

    def sub(self, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
        """`input - alpha * other`."""

    def sub_(self, other: Any, *more: Any, **options: Any) -> Tensor:
        """In-place form of `sub`: writes the result into this tensor and returns it."""

    def subtract(self, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
        """`input - alpha * other`."""

    def subtract_(self, other: Any, *more: Any, **options: Any) -> Tensor:
        """In-place form of `sub`: writes the result into this tensor and returns it."""

    def sum(self, dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
        """Sum over `dim` (one, several, or all); integers and bools give int64."""

    def sum_to_size(self, *size: Any) -> Tensor:
        """The sum over what broadcasting `size` to the shape of this tensor would repeat."""

    def svd(self, some: _bool = True, compute_uv: _bool = True, *, out: Any = None) -> Any:
        """U, S and V (not transposed) of input = U @ diag(S) @ V.mH; `fz.linalg.svd` gives Vh."""

    def swapaxes(self, dim0: _int, dim1: _int) -> Tensor:
        """A view with two dimensions exchanged."""

    def swapaxes_(self, dim0: _int, dim1: _int) -> Tensor:
        """This tensor with two dimensions exchanged."""

    def swapdims(self, dim0: _int, dim1: _int) -> Tensor:
        """A view with two dimensions exchanged."""

    def swapdims_(self, dim0: _int, dim1: _int) -> Tensor:
        """This tensor with two dimensions exchanged."""

    def t(self) -> Tensor:
        """A matrix transposed; a vector as it is."""

    def t_(self) -> Tensor:
        """This matrix transposed."""

    def take(self, index: Tensor, *, out: Any = None) -> Tensor:
        """Elements of the flattened tensor."""

    def take_along_dim(self, indices: Tensor, dim: _int | None = None, *, out: Any = None) -> Tensor:
        """As `gather`, with broadcasting of the other dimensions; without `dim`, elements of the flattened tensor. Negative
        indices count from the end."""

    def tan(self, *, out: Any = None) -> Tensor:
        """Tangent of x in radians."""

    def tan_(self, *, out: Any = None) -> Tensor:
        """In-place form of `tan`: writes the result into this tensor and returns it."""

    def tanh(self, *, out: Any = None) -> Tensor:
        """Hyperbolic tangent."""

    def tanh_(self, *, out: Any = None) -> Tensor:
        """In-place form of `tanh`: writes the result into this tensor and returns it."""

    def tensor_split(self, indices_or_sections: Any, dim: _int = 0) -> Any:
        """Views along `dim`: a number of nearly equal ones, or cut at the given indices."""

    def tile(self, *dims: Any) -> Tensor:
        """As `repeat`; missing leading counts are 1."""

    def topk(self, k: _int, dim: _int = -1, largest: _bool = True, sorted: _bool = True, *, out: Any = None) -> tuple[Tensor, Tensor]:
        """The k largest (or smallest) elements along `dim`, in order, and where they were. Of equals, the first."""

    def trace(self) -> Tensor:
        """The sum of the diagonal of a matrix."""

    def transpose(self, dim0: _int, dim1: _int) -> Tensor:
        """A view with two dimensions exchanged."""

    def transpose_(self, dim0: _int, dim1: _int) -> Tensor:
        """This tensor with two dimensions exchanged."""

    def triangular_solve(self, A: Tensor, upper: _bool = True, transpose: _bool = False, unitriangular: _bool = False, *, out: Any = None) -> Any:
        """X with A @ X = b, of A one triangle, transposed if `transpose`; and a copy of A."""

    def tril(self, diagonal: _int = 0, *, out: Any = None) -> Tensor:
        """The elements on and below a diagonal of the last two dimensions; 0 elsewhere."""

    def tril_(self, diagonal: _int = 0, *, out: Any = None) -> Tensor:
        """In-place form of `tril`: writes the result into this tensor and returns it."""

    def triu(self, diagonal: _int = 0, *, out: Any = None) -> Tensor:
        """The elements on and above a diagonal of the last two dimensions; 0 elsewhere."""

    def triu_(self, diagonal: _int = 0, *, out: Any = None) -> Tensor:
        """In-place form of `triu`: writes the result into this tensor and returns it."""

    def true_divide(self, other: Any, *, rounding_mode: _str | None = None, out: Any = None) -> Tensor:
        """Division; `rounding_mode` None (true division), "floor" or "trunc"."""

    def true_divide_(self, other: Any, *more: Any, **options: Any) -> Tensor:
        """In-place form of `div`: writes the result into this tensor and returns it."""

    def trunc(self, *, out: Any = None) -> Tensor:
        """x without its fraction."""

    def trunc_(self, *, out: Any = None) -> Tensor:
        """In-place form of `trunc`: writes the result into this tensor and returns it."""

    def unbind(self, dim: _int = 0) -> Any:
        """All elements along `dim`, as views without it."""

    def unflatten(self, dim: _int, sizes: Any) -> Tensor:
        """Dimension `dim` split into several of `sizes`; one may be -1."""

    def unfold(self, dimension: _int, size: _int, step: _int) -> Tensor:
        """Windows of `size` along `dimension`, `step` apart, as a new last dimension. Windows that overlap are a copy (in PyTorch,
        a view), to which nothing can be written."""

    def uniform_(self, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        """Fill with uniform numbers in [from, to)."""

    def unique(self, sorted: _bool = True, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
        """The distinct elements of the flattened tensor, or slices along `dim`, in order; optionally where each went, and how many of
        each there are. NaN is distinct from NaN."""

    def unique_consecutive(self, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
        """The elements of the flattened tensor, or the slices along `dim`, without repetitions of the one before; optionally where
        each went, and how many each stands for."""

    def unsqueeze(self, dim: _int) -> Tensor:
        """A view with a dimension of size 1 put in at `dim`."""

    def unsqueeze_(self, dim: _int) -> Tensor:
        """This tensor with a dimension of size 1 put in."""

    def untyped_storage(self) -> Any:
        """The memory that it is a part of, in bytes."""

    def var(self, dim: Any = None, unbiased: _bool | None = None, keepdim: _bool = False, *, correction: Any = None, out: Any = None) -> Tensor:
        """Variance over `dim`, with divisor n - correction (default 1)."""

    def vdot(self, other: Tensor, *, out: Any = None) -> Tensor:
        """Product of two vectors (the first conjugated, if complex)."""

    def view(self, *size: Any, dtype: Any = None) -> Tensor:
        """The same memory in another shape, or as numbers of another dtype; an error where that needs a copy."""

    def view_as(self, other: Tensor) -> Tensor:
        """`input` viewed in the shape of `other`."""

    def vsplit(self, indices_or_sections: Any) -> Any:
        """Views of the rows: as many equal groups, or cut at the given places."""

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """`input` where the condition is true, else `other`."""

    def xlogy(self, other: _Operand, *, out: Any = None) -> Tensor:
        """a * log(b), and 0 where a is 0 and b a number."""

    def xlogy_(self, other: _Operand, *, out: Any = None) -> Tensor:
        """In-place form of `xlogy`: writes the result into this tensor and returns it."""

    def zero_(self) -> Tensor:
        """Set every element to 0."""
