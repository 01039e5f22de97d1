"""`import frazil as fz`, for editors and type checkers. Made by `python docs/build_types.py`."""

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .dtypes import dtype as DType
from .random import Generator as Generator
from .tensor import Size as Size
from .tensor import Tensor as Tensor

#: Built-in types under names that no function of frazil has.
_bool: TypeAlias = builtins.bool
_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_str: TypeAlias = builtins.str
_Operand: TypeAlias = Tensor | builtins.complex  # complex takes float, int and bool too


__version__: _str

BFloat16Tensor: Any

BoolTensor: Any

ByteTensor: Any

CharTensor: Any

DoubleTensor: Any

from .cuda.streams import Event as Event

FloatTensor: Any

from .futures import Future as Future

from .amp import GradScaler as GradScaler

HalfTensor: Any

IntTensor: Any

LongTensor: Any

from .pytorch_file import PyTorchFileReader as PyTorchFileReader

from .jit.saved import ScriptModule as ScriptModule

ShortTensor: Any

from .cuda.streams import Stream as Stream

from .sizes import SymBool as SymBool

from .sizes import SymFloat as SymFloat

from .sizes import SymInt as SymInt

from .jit.annotations import TensorType as TensorType

from .rare.memory import TypedStorage as TypedStorage

from .rare.memory import UntypedStorage as UntypedStorage

def abs(input: _Operand, *, out: Any = None) -> Tensor:
    """Absolute value.

    >>> import frazil as fz
    >>> fz.abs(fz.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])"""

def abs_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `abs`: writes the result into this tensor and returns it."""

def absolute(input: _Operand, *, out: Any = None) -> Tensor:
    """Absolute value.

    >>> import frazil as fz
    >>> fz.abs(fz.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])"""

from . import accelerator as accelerator

def acos(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse cosine, in radians.

    >>> import frazil as fz
    >>> fz.acos(fz.tensor([1.0]))
    tensor([0.])"""

def acos_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `acos`: writes the result into this tensor and returns it."""

def acosh(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse hyperbolic cosine.

    >>> import frazil as fz
    >>> fz.acosh(fz.tensor([1.0]))
    tensor([0.])"""

def acosh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `acosh`: writes the result into this tensor and returns it."""

def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means over `output_size` windows that cover `input` [N, C, L] or [C, L] as evenly as possible; None keeps the size.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool1d(fz.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2)
    tensor([[2., 4.]])"""

def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over a grid of `output_size` windows of `input` [N, C, H, W] or [C, H, W]. See `adaptive_avg_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool2d(fz.ones(2, 3, 7, 5), (1, 1)).shape
    frazil.Size([2, 3, 1, 1])"""

def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means over a grid of `output_size` windows of `input` [N, C, D, H, W] or [C, D, H, W]. See `adaptive_avg_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])"""

def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """`fz.nn.functional.adaptive_max_pool1d` and where the values were."""

def add(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """`input + alpha * other`.

    >>> import frazil as fz
    >>> fz.add(fz.tensor([1.0]), 2, alpha=3)
    tensor([7.])"""

def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
    """beta * input + alpha * (the sum of batch1 @ batch2 over the batch).

    >>> import frazil as fz
    >>> fz.addbmm(fz.zeros(1, 1), fz.ones(2, 1, 3), fz.ones(2, 3, 1))
    tensor([[6.]])"""

def addcdiv(input: _Operand, tensor1: _Operand, tensor2: _Operand, value: _float = 1.0, *, out: Any = None) -> Tensor:
    """x + value * tensor1 / tensor2.

    >>> import frazil as fz
    >>> fz.addcdiv(fz.tensor([1.0]), fz.tensor([3.0]), fz.tensor([2.0]))
    tensor([2.5000])"""

def addcmul(input: _Operand, tensor1: _Operand, tensor2: _Operand, value: _float = 1.0, *, out: Any = None) -> Tensor:
    """x + value * tensor1 * tensor2.

    >>> import frazil as fz
    >>> fz.addcmul(fz.tensor([1.0]), fz.tensor([2.0]), fz.tensor([3.0]), value=0.5)
    tensor([4.])"""

def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2).

    >>> import frazil as fz
    >>> fz.addmm(fz.ones(1), fz.ones(2, 3), fz.ones(3, 1))
    tensor([[4.],
            [4.]])"""

def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""

def addmv_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `addmv`: writes the result into this tensor and returns it."""

def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
    """beta * input + alpha * (the outer product of two vectors).

    >>> import frazil as fz
    >>> fz.addr(fz.zeros(1, 2), fz.tensor([2.0]), fz.tensor([3.0, 4.0]))
    tensor([[6., 8.]])"""

def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged (for complex tensors, also conjugated).

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).adjoint().shape
    frazil.Size([2, 4, 3])"""

def affine_grid_generator(theta: Tensor, size: Sequence[_int], align_corners: _bool) -> Tensor:
    """As `fz.nn.functional.affine_grid`."""

def alias_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `alias` gives, in memory of its own."""

def all(input: _Operand, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """Return whether all elements over `dim` are true (not zero): a bool, of uint8 a uint8.

    >>> import frazil as fz
    >>> fz.tensor([True, False]).all()
    tensor(False)"""

def allclose(input: Tensor, other: Tensor, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> _bool:
    """Return whether all elements are within atol + rtol * |other| of each other.

    >>> import frazil as fz
    >>> fz.allclose(fz.tensor([1.0]), fz.tensor([1.0 + 1e-7]))
    True"""

def alpha_dropout(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.alpha_dropout`; `p` and `train` are always given."""

def alpha_dropout_(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.alpha_dropout`, in place; `p` and `train` are always given."""

def amax(input: _Operand, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """The largest element over `dim`; NaN wins. The gradient is shared evenly among equals.

    >>> import frazil as fz
    >>> fz.amax(fz.tensor([[1.0, 5.0], [3.0, 2.0]]), 1)
    tensor([5., 3.])"""

def amin(input: _Operand, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """The smallest element over `dim`; NaN wins. The gradient is shared evenly among equals.

    >>> import frazil as fz
    >>> fz.amin(fz.tensor([[1.0, 5.0], [3.0, 2.0]]), 1)
    tensor([1., 2.])"""

def aminmax(input: Tensor, *, dim: _int | None = None, keepdim: _bool = False, out: Any = None) -> Any:
    """The smallest and the largest element, of all or along `dim`.

    >>> import frazil as fz
    >>> fz.aminmax(fz.tensor([3.0, 1.0, 2.0]))
    frazil.return_types.aminmax(
    min=tensor(1.),
    max=tensor(3.))"""

from . import amp as amp

def angle(input: Tensor, *, out: Any = None) -> Tensor:
    """The angles of complex numbers in the plane; of real ones 0, and pi below 0.

    >>> import frazil as fz
    >>> fz.angle(fz.tensor([1j, -1.0]))
    tensor([1.5708, 3.1416])"""

def any(input: _Operand, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """Return whether any element over `dim` is true (not zero): a bool, of uint8 a uint8.

    >>> import frazil as fz
    >>> fz.tensor([True, False]).any()
    tensor(True)"""

def arange(*args: Any, start: Any = None, end: Any = None, step: Any = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, out: Any = None) -> Tensor:
    """start, start + step, ... up to but without `end`: `arange(end)`, `arange(start, end)`, `arange(start, end, step)`.

    >>> import frazil as fz
    >>> fz.arange(5), fz.arange(1, 2, 0.5)
    (tensor([0, 1, 2, 3, 4]), tensor([1.0000, 1.5000]))"""

def arccos(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse cosine, in radians.

    >>> import frazil as fz
    >>> fz.acos(fz.tensor([1.0]))
    tensor([0.])"""

def arccos_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `acos`: writes the result into this tensor and returns it."""

def arccosh(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse hyperbolic cosine.

    >>> import frazil as fz
    >>> fz.acosh(fz.tensor([1.0]))
    tensor([0.])"""

def arccosh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `acosh`: writes the result into this tensor and returns it."""

def arcsin(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse sine, in radians.

    >>> import frazil as fz
    >>> fz.asin(fz.tensor([1.0]))
    tensor([1.5708])"""

def arcsin_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `asin`: writes the result into this tensor and returns it."""

def arcsinh(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse hyperbolic sine.

    >>> import frazil as fz
    >>> fz.asinh(fz.tensor([0.0]))
    tensor([0.])"""

def arcsinh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `asinh`: writes the result into this tensor and returns it."""

def arctan(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse tangent, in radians.

    >>> import frazil as fz
    >>> fz.atan(fz.tensor([1.0]))
    tensor([0.7854])"""

def arctan2(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """The angle in radians of the point (b, a), from -pi to pi.

    >>> import frazil as fz
    >>> fz.atan2(fz.tensor([1.0]), fz.tensor([1.0]))
    tensor([0.7854])"""

def arctan_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `atan`: writes the result into this tensor and returns it."""

def arctanh(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse hyperbolic tangent.

    >>> import frazil as fz
    >>> fz.atanh(fz.tensor([0.0]))
    tensor([0.])"""

def arctanh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `atanh`: writes the result into this tensor and returns it."""

def are_deterministic_algorithms_enabled() -> _bool:
    """Return what `use_deterministic_algorithms` was given.

    >>> import frazil as fz
    >>> fz.use_deterministic_algorithms(False); fz.are_deterministic_algorithms_enabled()
    False"""

def argmax(input: _Operand, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """Index (int64) of the first largest element along `dim`, or in the flattened tensor. NaN counts as the largest.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).argmax(1)
    tensor([1, 0])"""

def argmin(input: _Operand, dim: Any = None, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """Index (int64) of the first smallest element along `dim`, or in the flattened tensor. NaN counts as the smallest.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).argmin(1)
    tensor([0, 1])"""

def argsort(input: Tensor, dim: _int = -1, descending: _bool = False, stable: _bool = False) -> Tensor:
    """The indices that sort along `dim`.

    >>> import frazil as fz
    >>> fz.argsort(fz.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1])"""

def argwhere(input: Tensor) -> Tensor:
    """int64[n, ndim]: the positions of the elements that are not zero.

    >>> import frazil as fz
    >>> fz.argwhere(fz.tensor([0, 3, 4]))
    tensor([[1],
            [2]])"""

def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: _int | None = None) -> Tensor:
    """The elements of the memory of `input` that lie `stride` apart, from `storage_offset` on (default: that of `input`).

    A view, so that writes are seen by both. Where elements overlap as windows do, it is a copy (in PyTorch a view); gradients
    add up there.

    >>> import frazil as fz
    >>> fz.as_strided(fz.arange(6), (2, 2), (3, 1), 1)
    tensor([[1, 2],
            [4, 5]])"""

def as_strided_(input: Tensor, size: Any, stride: Any, storage_offset: _int | None = None) -> Tensor:
    """This tensor as another view of its memory; refused where elements overlap."""

def as_strided_copy(input: Tensor, size: Any, stride: Any, storage_offset: _int | None = None, *, out: Any = None) -> Tensor:
    """As `as_strided`, in memory of its own.

    >>> import frazil as fz
    >>> fz.as_strided_copy(fz.arange(3), (2, 2), (1, 1))
    tensor([[0, 1],
            [1, 2]])"""

def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: _int | None = None, *, out: Any = None) -> Tensor:
    """A copy of `input` in which what `as_strided` shows is `src`.

    >>> import frazil as fz
    >>> fz.as_strided_scatter(fz.zeros(4), fz.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])"""

def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory where possible.

    A tensor stays on its device and everything else goes to the default device, unless `device` says otherwise
    (`fz.from_numpy` stays on the CPU).

    >>> import frazil as fz
    >>> fz.as_tensor([1, 2])
    tensor([1, 2])"""

def asarray(obj: Any, *, dtype: DType | None = None, device: Any = None, copy: _bool | None = None, requires_grad: _bool | None = None) -> Tensor:
    """`obj` as a tensor that shares its memory where it can (`copy=None`), never (True), or else it is an error (False).

    `requires_grad=False` cuts a tensor off from what it was computed of; without it, it stays as it is.

    >>> import frazil as fz, numpy as np
    >>> a = np.zeros(2, np.float32); t = fz.asarray(a); a[0] = 3; t, fz.asarray(t, copy=True) is t
    (tensor([3., 0.]), False)"""

def asin(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse sine, in radians.

    >>> import frazil as fz
    >>> fz.asin(fz.tensor([1.0]))
    tensor([1.5708])"""

def asin_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `asin`: writes the result into this tensor and returns it."""

def asinh(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse hyperbolic sine.

    >>> import frazil as fz
    >>> fz.asinh(fz.tensor([0.0]))
    tensor([0.])"""

def asinh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `asinh`: writes the result into this tensor and returns it."""

def atan(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse tangent, in radians.

    >>> import frazil as fz
    >>> fz.atan(fz.tensor([1.0]))
    tensor([0.7854])"""

def atan2(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """The angle in radians of the point (b, a), from -pi to pi.

    >>> import frazil as fz
    >>> fz.atan2(fz.tensor([1.0]), fz.tensor([1.0]))
    tensor([0.7854])"""

def atan_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `atan`: writes the result into this tensor and returns it."""

def atanh(input: _Operand, *, out: Any = None) -> Tensor:
    """Inverse hyperbolic tangent.

    >>> import frazil as fz
    >>> fz.atanh(fz.tensor([0.0]))
    tensor([0.])"""

def atanh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `atanh`: writes the result into this tensor and returns it."""

def atleast_1d(*tensors: Tensor) -> Any:
    """Tensors with at least one dimension."""

def atleast_2d(*tensors: Tensor) -> Any:
    """Tensors with at least two dimensions."""

def atleast_3d(*tensors: Tensor) -> Any:
    """Tensors with at least three dimensions."""

from .amp import autocast as autocast

from . import autograd as autograd

def avg_pool1d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, ceil_mode: _bool = False, count_include_pad: _bool = True) -> Tensor:
    """The mean of every window of `input` [N, C, L] or [C, L]; `stride` is `kernel_size` by default.

    Padding counts as zeros, unless `count_include_pad` is False. `ceil_mode` also takes the window that reaches over the end.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool1d(fz.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[2.0000, 3.5000]])"""

def avg_pool2d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, ceil_mode: _bool = False, count_include_pad: _bool = True, divisor_override: _int | None = None) -> Tensor:
    """The mean of every window of `input` [N, C, H, W] or [C, H, W]. `divisor_override` divides by another number.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool2d(fz.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])"""

def avg_pool3d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, ceil_mode: _bool = False, count_include_pad: _bool = True, divisor_override: _int | None = None) -> Tensor:
    """The mean of every window of `input` [N, C, D, H, W] or [C, D, H, W]. See `avg_pool2d`.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])"""

from . import backends as backends

def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2)."""

def bartlett_window(window_length: _int, periodic: _bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False) -> Tensor:
    """The window of Bartlett, a triangle.

    >>> import frazil as fz
    >>> fz.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])"""

def batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None, training: _bool, momentum: _float, eps: _float, cudnn_enabled: _bool = False) -> Tensor:
    """As `fz.nn.functional.batch_norm`, with its arguments in the order of PyTorch's own function."""

def bernoulli(input: Tensor, p: _float | None = None, *, generator: Generator | None = None, out: Any = None) -> Tensor:
    """1 with the probability that the element of `input` says, else 0 (or with probability `p` everywhere).

    >>> import frazil as fz
    >>> fz.bernoulli(fz.tensor([0.0, 1.0]))
    tensor([0., 1.])"""

bfloat16: Any

def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[..., o] = sum over i, j of input1[..., i] weight[o, i, j] input2[..., j], plus bias[o]."""

def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.binary_cross_entropy_with_logits`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

def bincount(input: Tensor, weights: Tensor | None = None, minlength: _int = 0) -> Tensor:
    """Return how often every non-negative integer occurs (or the sum of its weights).

    >>> import frazil as fz
    >>> fz.bincount(fz.tensor([0, 2, 2]))
    tensor([1, 0, 2])"""

def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Return how many of `count` trials succeed, each with probability `prob`; both are tensors, broadcast.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> abs(fz.binomial(fz.full((1000,), 10.0), fz.tensor(0.3)).mean().item() - 3) < 0.3
    True"""

def bitwise_and(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Bits set in both.

    >>> import frazil as fz
    >>> fz.tensor([6, 5]) & 4
    tensor([4, 4])"""

def bitwise_left_shift(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Bits moved up by b places.

    >>> import frazil as fz
    >>> fz.tensor([1, 3]) << 2
    tensor([ 4, 12])"""

def bitwise_not(input: _Operand, *, out: Any = None) -> Tensor:
    """All bits turned; `not` for bools.

    >>> import frazil as fz
    >>> ~fz.tensor([True, False])
    tensor([False,  True])"""

def bitwise_or(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Bits set in either.

    >>> import frazil as fz
    >>> fz.tensor([6, 5]) | 1
    tensor([7, 5])"""

def bitwise_right_shift(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Bits moved down by b places; negative numbers keep their sign.

    >>> import frazil as fz
    >>> fz.tensor([8, 3]) >> 1
    tensor([4, 1])"""

def bitwise_xor(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Bits set in exactly one.

    >>> import frazil as fz
    >>> fz.tensor([6, 5]) ^ 1
    tensor([7, 4])"""

def blackman_window(window_length: _int, periodic: _bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False) -> Tensor:
    """The window of Blackman, of three cosines.

    >>> import frazil as fz
    >>> fz.blackman_window(4)[1]
    tensor(0.3400)"""

def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of a larger one, zeros elsewhere.

    >>> import frazil as fz
    >>> fz.block_diag(fz.tensor([[1, 2]]), fz.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])"""

def bmm(input: Tensor, mat2: Tensor, *, out: Any = None) -> Tensor:
    """Products of two batches of matrices.

    >>> import frazil as fz
    >>> fz.bmm(fz.ones(2, 3, 4), fz.ones(2, 4, 5)).shape
    frazil.Size([2, 3, 5])"""

bool: Any

def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes have in common.

    >>> import frazil as fz
    >>> fz.broadcast_shapes((3, 1), (4,))
    frazil.Size([3, 4])"""

def broadcast_tensors(*tensors: Any) -> Any:
    """All tensors expanded to their common shape.

    >>> import frazil as fz
    >>> [t.shape for t in fz.broadcast_tensors(fz.zeros(3, 1), fz.zeros(4))]
    [frazil.Size([3, 4]), frazil.Size([3, 4])]"""

def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """`input` expanded to `shape`.

    >>> import frazil as fz
    >>> fz.broadcast_to(fz.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])"""

def bucketize(input: Any, boundaries: Tensor, *, out_int32: _bool = False, right: _bool = False, out: Any = None) -> Tensor:
    """The index of the bucket, between sorted boundaries, that every value falls into.

    >>> import frazil as fz
    >>> fz.bucketize(fz.tensor([1, 4]), fz.tensor([2, 3]))
    tensor([0, 2])"""

def can_cast(from_: Any, to: Any) -> _bool:
    """Return whether an in-place result of dtype `from_` may be stored in `to`: never to a lower kind.

    >>> import frazil as fz
    >>> fz.can_cast(fz.float64, fz.float32), fz.can_cast(fz.float32, fz.int64)
    (True, False)"""

def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with one element of each vector, as rows.

    >>> import frazil as fz
    >>> fz.cartesian_prod(fz.tensor([1, 2]), fz.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])"""

def cat(*tensors: _Operand | Sequence[Tensor], dim: _int = 0, out: Any = None) -> Tensor:
    """Tensors joined along `dim`; all other sizes must be equal.

    >>> import frazil as fz
    >>> fz.cat([fz.tensor([1, 2]), fz.tensor([3])])
    tensor([1, 2, 3])"""

def cdist(x1: Tensor, x2: Tensor, p: _float = 2.0, compute_mode: _str | None = None) -> Tensor:
    """The p-norm of the difference of every row of x1 [..., n, m] and every row of x2 [..., k, m]: [..., n, k].

    >>> import frazil as fz
    >>> fz.cdist(fz.tensor([[0.0, 0.0]]), fz.tensor([[3.0, 4.0]]))
    tensor([[5.]])"""

cdouble: Any

def ceil(input: _Operand, *, out: Any = None) -> Tensor:
    """The smallest whole number not below x.

    >>> import frazil as fz
    >>> fz.ceil(fz.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])"""

def ceil_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `ceil`: writes the result into this tensor and returns it."""

def celu(input: _Operand, alpha: _float = 1.0, *, out: Any = None) -> Tensor:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0).

    >>> import frazil as fz
    >>> fz.celu(fz.tensor([1.0, -1e9]))
    tensor([ 1., -1.])"""

def celu_(input: Tensor, alpha: _float = 1.0) -> Tensor:
    """`celu`, in place."""

cfloat: Any

def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The product of several matrices, from left to right.

    >>> import frazil as fz
    >>> fz.chain_matmul(fz.ones(2, 3), fz.ones(3, 4), fz.ones(4, 1)).shape
    frazil.Size([2, 1])"""

def channel_shuffle(input: Tensor, groups: _int) -> Tensor:
    """As `fz.nn.functional.channel_shuffle`."""

channels_last: Any

channels_last_3d: Any

def cholesky(input: Tensor, upper: _bool = False, *, out: Any = None) -> Tensor:
    """The Cholesky factor of positive definite matrices; as `fz.linalg.cholesky`."""

def cholesky_inverse(L: Tensor, upper: _bool = False, *, out: Any = None) -> Tensor:
    """The inverse of L @ L.mH (L.mH @ L with `upper`)."""

def cholesky_solve(input: Tensor, L: Tensor, upper: _bool = False, *, out: Any = None) -> Tensor:
    """X with A @ X = input, for A = L @ L.mH (L.mH @ L with `upper`)."""

def chunk(input: Tensor, chunks: _int, dim: _int = 0) -> Any:
    """At most `chunks` views of equal size along `dim` (the last may be smaller).

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(5).chunk(2)]
    [[0, 1, 2], [3, 4]]"""

def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
    """`input` limited to [min, max]; each limit a number, a tensor, or None. NaN stays NaN.

    >>> import frazil as fz
    >>> fz.clamp(fz.tensor([-2.0, 0.5, 9.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])"""

def clamp_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `clamp`: writes the result into this tensor and returns it."""

def clamp_max(input: Tensor, max: Any, *, out: Any = None) -> Tensor:
    """`input` where it is below `max`, else `max`.

    >>> import frazil as fz
    >>> fz.clamp_max(fz.tensor([-1.0, 2.0]), 0)
    tensor([-1.,  0.])"""

def clamp_max_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `clamp_max`: writes the result into this tensor and returns it."""

def clamp_min(input: Tensor, min: Any, *, out: Any = None) -> Tensor:
    """`input` where it is above `min`, else `min`.

    >>> import frazil as fz
    >>> fz.clamp_min(fz.tensor([-1.0, 2.0]), 0)
    tensor([0., 2.])"""

def clamp_min_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `clamp_min`: writes the result into this tensor and returns it."""

def clear_autocast_cache() -> None:
    """Forget the parameters that were cast in the block of `autocast` around.

    >>> import frazil as fz
    >>> fz.clear_autocast_cache()"""

def clip(input: Tensor, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
    """`input` limited to [min, max]; each limit a number, a tensor, or None. NaN stays NaN.

    >>> import frazil as fz
    >>> fz.clamp(fz.tensor([-2.0, 0.5, 9.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])"""

def clip_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `clamp`: writes the result into this tensor and returns it."""

def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """The same values in memory of their own; gradients pass through.

    >>> import frazil as fz
    >>> a = fz.ones(2); b = fz.clone(a); b[0] = 5.0; a
    tensor([1., 1.])"""

def col_indices_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `col_indices` gives, in memory of its own."""

def column_stack(tensors: Sequence[Tensor], *, out: Any = None) -> Tensor:
    """Vectors as columns beside each other, with matrices as they are.

    >>> import frazil as fz
    >>> fz.column_stack([fz.tensor([1, 2]), fz.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])"""

def combinations(input: Tensor, r: _int = 2, with_replacement: _bool = False) -> Tensor:
    """All choices of r elements of a vector, in its order, as rows.

    >>> import frazil as fz
    >>> fz.combinations(fz.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])"""

from .compiled.explain import Explanation as _Explanation
class _compile:
    def __call__(self, model: Any = None, *, engine: _str = 'auto', fullgraph: _bool = False, dynamic: _bool | None = True, backend: Any = None, mode: _str | None = None, options: Any = None, disable: _bool = False) -> Any:
        """A function that records what `model` does on its first call and runs the recording from then on. Also a decorator.

        `model` is a function, a method or a Module, for inference, for gradients, or a whole training step with
        `optimizer.step()`. A compiled module is the module in everything but its calls. Results are those of the eager program,
        random numbers too; parameters, buffers, gradients and optimiser state are changed where they are. Sizes may change
        from call to call; where the program decides on them, or where anything else that it reads is another one, it is recorded
        again, at most 8 times. What cannot be recorded runs eagerly, after one warning that shows the line.

        Args:
            engine: "numpy" (the kernels of the device, without anything between them), "onnxruntime", or one of a plugin; "auto"
                takes the fastest on the first real arguments, among those whose results agree.
            fullgraph: whether a function that cannot be recorded is an error.
            dynamic: whether sizes may change. False: every size is recorded on its own.
            backend, mode, options: accepted for PyTorch's sake; a backend that is the name of an engine means that.
            disable: gives the function itself.

        >>> import frazil as fz
        >>> @fz.compile
        ... def f(x): return fz.relu(x) * 2
        >>> f(fz.tensor([-1.0, 1.0])), f(fz.tensor([3.0]))
        (tensor([0., 2.]), tensor([6.]))
        >>> print(str(fz.compile.explain(f)).splitlines()[0])
        f: recorded once, called 2 times, never eagerly"""

    @staticmethod
    def explain(fn: Any, *args: Any, **kwargs: Any) -> _Explanation:
        """Tell what was recorded of a compiled function, which engine runs it, how long it takes, and why it was recorded again.

        With arguments it is called with them first, and the parts of that call are timed.

        >>> import frazil as fz
        >>> f = fz.compile(lambda x: x + 1, engine="numpy")
        >>> fz.compile.explain(f, fz.ones(2)).recordings[0].engine
        'numpy'"""

compile: _compile

def complex(real: Tensor, imag: Tensor, *, out: Any = None) -> Tensor:
    """The complex numbers with these real and imaginary parts.

    >>> import frazil as fz
    >>> fz.complex(fz.tensor([1.0]), fz.tensor([2.0]))
    tensor([1.+2.j])"""

complex128: Any

complex32: Any

complex64: Any

def concat(tensors: Sequence[Tensor], dim: _int = 0, *, out: Any = None) -> Tensor:
    """As `cat`."""

def concatenate(tensors: Sequence[Tensor], dim: _int = 0, *, out: Any = None) -> Tensor:
    """As `cat`."""

def cond(pred: Any, true_fn: Any, false_fn: Any, operands: Sequence[Any] = ..., *, names: Sequence[_str] | None = None) -> Any:
    """`true_fn(*operands)` if `pred` is true, else `false_fn(*operands)`.

    Args:
        pred: a bool, a tensor of one element, or a comparison of sizes.
        true_fn, false_fn: give tensors of the same dtype and rank, nested alike; sizes may differ.
        names: what to call the results in error messages, when they are a tuple.

    Only the chosen function runs. While recording, both are recorded. Raises RecordError where their results cannot be one value.

    >>> import frazil as fz
    >>> x = fz.tensor(3.0)
    >>> fz.cond(x > 0, lambda x: x * 2, lambda x: -x, (x,))
    tensor(6.)"""

from .config import config as config

def configure(**values: Any) -> None:
    """Set values for the whole process, over the environment and all files; None takes a setting back.

    A dotted key is written with two underscores: `fz.configure(numpy__keep_memory=True)`. Raises ConfigError for unknown
    keys and wrong values; then nothing is changed.

    >>> import frazil as fz
    >>> fz.configure(strict=True); fz.config.origin("strict")
    'fz.configure(...)'
    >>> fz.configure(strict=None); fz.config.origin("strict") == 'fz.configure(...)'
    False"""

def conj(input: Tensor) -> Tensor:
    """The complex conjugate: of a real tensor itself.

    >>> import frazil as fz
    >>> fz.conj(fz.tensor([1 + 2j]))
    tensor([1.-2.j])"""

def conj_physical(input: _Operand, *, out: Any = None) -> Tensor:
    """The complex conjugate, in memory of its own.

    >>> import frazil as fz
    >>> fz.conj_physical(fz.tensor([1 + 2j]))
    tensor([1.-2.j])"""

def conj_physical_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `conj_physical`: writes the result into this tensor and returns it."""

def constant_pad_nd(input: Tensor, pad: Sequence[_int], value: Any = 0) -> Tensor:
    """`input` with elements of `value` around it, as `fz.nn.functional.pad`.

    >>> import frazil as fz
    >>> fz.constant_pad_nd(fz.ones(1), (1, 1))
    tensor([0., 1., 0.])"""

contiguous_format: Any

def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | _str | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, groups: _int = 1) -> Tensor:
    """Cross-correlation of `input` [N, C, L] or [C, L] with `weight` [F, C/groups, K], plus `bias` [F].

    `padding` zeros are added on both sides: a number, "valid" (none) or "same" (the result has the size of the input). The result
    has the size (L + 2 padding - dilation (K - 1) - 1) // stride + 1.

    >>> import frazil as fz
    >>> fz.conv1d(fz.tensor([[1.0, 2.0, 4.0]]), fz.tensor([[[1.0, -1.0]]]))
    tensor([[-1., -2.]])"""

def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | _str | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, groups: _int = 1) -> Tensor:
    """Cross-correlation of `input` [N, C, H, W] or [C, H, W] with `weight` [F, C/groups, KH, KW], plus `bias` [F]. See `conv1d`.

    >>> import frazil as fz
    >>> fz.conv2d(fz.ones(1, 1, 3, 3), fz.ones(1, 1, 3, 3), padding=1)[0, 0]
    tensor([[4., 6., 4.],
            [6., 9., 6.],
            [4., 6., 4.]])"""

def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | _str | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, groups: _int = 1) -> Tensor:
    """Cross-correlation of `input` [N, C, D, H, W] or [C, D, H, W] with `weight` [F, C/groups, KD, KH, KW]. See `conv1d`.

    >>> import frazil as fz
    >>> fz.conv3d(fz.ones(2, 1, 4, 4, 4), fz.ones(3, 1, 2, 2, 2), stride=2).shape
    frazil.Size([2, 3, 2, 2, 2])"""

def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: _int = 0) -> Tensor:
    """`conv1d` with time first and channels last: `input` [T, N, C], `weight` [K, C, F], `bias` [F] give [T', N, F].

    >>> import frazil as fz
    >>> fz.conv_tbc(fz.ones(4, 1, 2), fz.ones(3, 2, 1), fz.zeros(1)).flatten()
    tensor([6., 6.])"""

def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | Sequence[_int] = 0, output_padding: _int | Sequence[_int] = 0, groups: _int = 1, dilation: _int | Sequence[_int] = 1) -> Tensor:
    """Transposed convolution of `input` [N, C, L] or [C, L] with `weight` [C, F/groups, K], the gradient of `conv1d`.

    The result has the size (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

    >>> import frazil as fz
    >>> fz.conv_transpose1d(fz.tensor([[1.0, 2.0]]), fz.tensor([[[1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 2., 2.]])"""

def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | Sequence[_int] = 0, output_padding: _int | Sequence[_int] = 0, groups: _int = 1, dilation: _int | Sequence[_int] = 1) -> Tensor:
    """Transposed convolution of `input` [N, C, H, W] or [C, H, W] with `weight` [C, F/groups, KH, KW]. See `conv_transpose1d`.

    >>> import frazil as fz
    >>> fz.conv_transpose2d(fz.ones(1, 1, 2, 2), fz.ones(1, 3, 2, 2), stride=2).shape
    frazil.Size([1, 3, 4, 4])"""

def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: _int | Sequence[_int] = 1, padding: _int | Sequence[_int] = 0, output_padding: _int | Sequence[_int] = 0, groups: _int = 1, dilation: _int | Sequence[_int] = 1) -> Tensor:
    """Transposed convolution of `input` [N, C, D, H, W] or [C, D, H, W]. See `conv_transpose1d`.

    >>> import frazil as fz
    >>> fz.conv_transpose3d(fz.ones(1, 2, 2, 2, 2), fz.ones(2, 1, 3, 3, 3), stride=2, padding=1, output_padding=1).shape
    frazil.Size([1, 1, 4, 4, 4])"""

def convolution(input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: _bool, output_padding: Any, groups: _int) -> Tensor:
    """The convolution, or the transposed one, of as many dimensions as the weight has."""

def copysign(input: Tensor, other: Any, *, out: Any = None) -> Tensor:
    """The size of `input` with the sign of `other`.

    >>> import frazil as fz
    >>> fz.copysign(fz.tensor([1.0, -2.0]), fz.tensor([-1.0, 1.0]))
    tensor([-1.,  2.])"""

def corrcoef(input: Tensor) -> Tensor:
    """Correlation coefficients of variables (rows) over observations (columns).

    >>> import frazil as fz
    >>> fz.corrcoef(fz.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])"""

def cos(input: _Operand, *, out: Any = None) -> Tensor:
    """Cosine of x in radians.

    >>> import frazil as fz
    >>> fz.cos(fz.tensor([0.0]))
    tensor([1.])"""

def cos_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `cos`: writes the result into this tensor and returns it."""

def cosh(input: _Operand, *, out: Any = None) -> Tensor:
    """Hyperbolic cosine.

    >>> import frazil as fz
    >>> fz.cosh(fz.tensor([0.0]))
    tensor([1.])"""

def cosh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `cosh`: writes the result into this tensor and returns it."""

def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: _float = 0.0, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.cosine_embedding_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

def cosine_similarity(x1: Tensor, x2: Tensor, dim: _int = 1, eps: _float = 1e-08) -> Tensor:
    """The cosine of the angle between vectors along `dim`; lengths count as at least `eps`.

    >>> import frazil as fz
    >>> fz.nn.functional.cosine_similarity(fz.tensor([1.0, 0.0]), fz.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)"""

def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """Return how many elements are not zero.

    >>> import frazil as fz
    >>> fz.count_nonzero(fz.tensor([0, 1, 2]))
    tensor(2)"""

def cov(input: Tensor, *, correction: _int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """Covariance of variables (rows) over observations (columns), with divisor n - correction. `fweights`: how often each
    observation counts; `aweights`: how much.

    >>> import frazil as fz
    >>> fz.cov(fz.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]))
    tensor([[1., 2.],
            [2., 4.]])"""

def cross(input: Tensor, other: Tensor, dim: _int | None = None, *, out: Any = None) -> Tensor:
    """The vector product along `dim`, of size 3 (default: the first dimension of that size).

    >>> import frazil as fz
    >>> fz.cross(fz.tensor([1.0, 0.0, 0.0]), fz.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])"""

def crow_indices_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `crow_indices` gives, in memory of its own."""

def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: _int = 0, reduction: Any = 0, zero_infinity: _bool = False) -> Tensor:
    """As `fz.nn.functional.ctc_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

from . import cuda as cuda

def cummax(input: Tensor, dim: _int, *, out: Any = None) -> tuple[Tensor, Tensor]:
    """The largest element so far along `dim`, and where it was, the last of equals; NaN counts as the largest.

    >>> import frazil as fz
    >>> fz.cummax(fz.tensor([1.0, 3.0, 2.0]), 0).values
    tensor([1., 3., 3.])"""

def cummin(input: Tensor, dim: _int, *, out: Any = None) -> tuple[Tensor, Tensor]:
    """The smallest element so far along `dim`, and where it was, the last of equals; NaN counts as the smallest.

    >>> import frazil as fz
    >>> fz.cummin(fz.tensor([2.0, 3.0, 1.0]), 0).values
    tensor([2., 2., 1.])"""

def cumprod(input: _Operand, dim: Any, dtype: Any = None, *, out: Any = None) -> Tensor:
    """Running product along `dim`; integers and bools give int64.

    >>> import frazil as fz
    >>> fz.cumprod(fz.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])"""

def cumsum(input: _Operand, dim: Any, dtype: Any = None, *, out: Any = None) -> Tensor:
    """Running sum along `dim`; integers and bools give int64.

    >>> import frazil as fz
    >>> fz.cumsum(fz.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])"""

def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: _float = 1.0, dim: _int = -1) -> Tensor:
    """The integral of samples `y` along `dim` up to every point but the first, by the trapezoidal rule.

    >>> import frazil as fz
    >>> fz.cumulative_trapezoid(fz.tensor([0.0, 1.0, 2.0]))
    tensor([0.5000, 2.0000])"""

from . import debug as debug

default_generator: Generator

def deg2rad(input: Tensor, *, out: Any = None) -> Tensor:
    """Degrees as radians.

    >>> import frazil as fz
    >>> fz.deg2rad(fz.tensor([180.0]))
    tensor([3.1416])"""

def deg2rad_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `deg2rad`: writes the result into this tensor and returns it."""

def det(input: Tensor, *, out: Any = None) -> Tensor:
    """The determinant of square matrices; as `fz.linalg.det`."""

def detach(input: Tensor) -> Tensor:
    """The same memory, cut off the graph."""

def detach_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """Cut this tensor off the graph."""

def detach_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `detach` gives, in memory of its own."""

from .device import device as device

def diag(input: Tensor, diagonal: _int = 0, *, out: Any = None) -> Tensor:
    """The diagonal of a matrix, or a matrix with a vector on its diagonal.

    >>> import frazil as fz
    >>> fz.diag(fz.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])"""

def diag_embed(input: Tensor, offset: _int = 0, dim1: _int = -2, dim2: _int = -1) -> Tensor:
    """Matrices, in dimensions `dim1` and `dim2` of the result, with the last dimension of `input` on a diagonal.

    >>> import frazil as fz
    >>> fz.diag_embed(fz.tensor([[1, 2]])).shape
    frazil.Size([1, 2, 2])"""

def diagflat(input: Tensor, offset: _int = 0) -> Tensor:
    """A matrix with all elements of `input` on a diagonal.

    >>> import frazil as fz
    >>> fz.diagflat(fz.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])"""

def diagonal(input: _Operand, offset: _int = 0, dim1: _int = 0, dim2: _int = 1, *, out: Any = None) -> Tensor:
    """A view of the diagonal of two dimensions, as a new last dimension.

    >>> import frazil as fz
    >>> fz.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])"""

def diagonal_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `diagonal` gives, in memory of its own."""

def diagonal_scatter(input: Tensor, src: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Tensor:
    """A copy of `input` with a diagonal replaced by `src`.

    >>> import frazil as fz
    >>> fz.diagonal_scatter(fz.zeros(2, 2), fz.ones(2))
    tensor([[1., 0.],
            [0., 1.]])"""

def diff(input: Tensor, n: _int = 1, dim: _int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *, out: Any = None) -> Tensor:
    """Differences of neighbours along `dim`, n times over, after `prepend` and `append` were put around.

    >>> import frazil as fz
    >>> fz.diff(fz.tensor([1, 4, 9]))
    tensor([3, 5])"""

def digamma(input: _Operand, *, out: Any = None) -> Tensor:
    """The slope of `lgamma`.

    >>> import frazil as fz
    >>> fz.digamma(fz.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])"""

def dist(input: Tensor, other: Tensor, p: _float = 2) -> Tensor:
    """The p-norm of `input - other`.

    >>> import frazil as fz
    >>> fz.dist(fz.tensor([3.0, 0.0]), fz.tensor([0.0, 4.0]))
    tensor(5.)"""

from . import distributed as distributed

from . import distributions as distributions

def div(input: Any, other: Any, *, rounding_mode: _str | None = None, out: Any = None) -> Tensor:
    """Division; `rounding_mode` None (true division), "floor" or "trunc".

    >>> import frazil as fz
    >>> fz.div(fz.tensor([7.0, -7.0]), 2, rounding_mode="trunc")
    tensor([ 3., -3.])"""

def divide(input: Any, other: Any, *, rounding_mode: _str | None = None, out: Any = None) -> Tensor:
    """Division; `rounding_mode` None (true division), "floor" or "trunc".

    >>> import frazil as fz
    >>> fz.div(fz.tensor([7.0, -7.0]), 2, rounding_mode="trunc")
    tensor([ 3., -3.])"""

def dot(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Product of two vectors.

    >>> import frazil as fz
    >>> fz.dot(fz.tensor([1.0, 2.0]), fz.tensor([3.0, 4.0]))
    tensor(11.)"""

double: Any

from .exporters import drawing as drawing

def dropout(input: Tensor, p: _float = 0.5, train: _bool = True, *, generator: Any = None) -> Tensor:
    """Elements set to 0 with probability `p`, the others scaled by 1 / (1 - p); `input` itself unless `train`.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> x = fz.dropout(fz.ones(1000), 0.25)
    >>> sorted(set(x.tolist())), abs(x.mean().item() - 1) < 0.1
    ([0.0, 1.3333333730697632], True)"""

def dropout_(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.dropout`, in place; `p` and `train` are always given."""

def dsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Views along dimension 2: as many equal groups, or cut at the given places.

    >>> import frazil as fz
    >>> [p.shape for p in fz.zeros(1, 1, 4).dsplit(2)]
    [frazil.Size([1, 1, 2]), frazil.Size([1, 1, 2])]"""

def dstack(tensors: Sequence[Tensor], *, out: Any = None) -> Tensor:
    """Tensors of at least 3 dimensions joined along dimension 2."""

from .dtypes import dtype as dtype

from . import dtypes as dtypes

e: _float

def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation: letters are dimensions, those missing behind "->" are summed; "..." are batches.

    Instead of an equation, every operand may be followed by a list of numbers (0 to 51, or `...`) that name its dimensions, with
    one more list for the result. Operands are combined from left to right, each pair by one matrix product.

    >>> import frazil as fz
    >>> fz.einsum("ij,jk->ik", fz.ones(2, 3), fz.ones(3, 4)).shape
    frazil.Size([2, 4])
    >>> fz.einsum(fz.ones(2, 3), [0, 1], fz.ones(3, 4), [1, 2], [0, 2]).shape
    frazil.Size([2, 4])"""

def embedding(weight: Tensor, indices: Tensor, padding_idx: _int = -1, scale_grad_by_freq: _bool = False, sparse: _bool = False) -> Tensor:
    """As `fz.nn.functional.embedding`, the weight first; a padding_idx of -1 means none.

    >>> import frazil as fz
    >>> fz.embedding(fz.tensor([[1.0], [2.0]]), fz.tensor([1]))
    tensor([[2.]])"""

def embedding_bag(weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: _bool = False, mode: _int = 0, sparse: _bool = False, per_sample_weights: Tensor | None = None, include_last_offset: _bool = False, padding_idx: _int | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `fz.nn.functional.embedding_bag` (mode 0: sum, 1: mean, 2: max), with the bag of every index, the sizes of the bags, and
    an empty tensor where PyTorch has places that only its own backward reads."""

def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: _float, norm_type: _float) -> Tensor:
    """Shorten, in place, the rows of `input` that are asked for and longer than `max_norm`.

    >>> import frazil as fz
    >>> fz.embedding_renorm_(fz.tensor([[3.0, 4.0], [3.0, 4.0]]), fz.tensor([1]), 1.0, 2.0)
    tensor([[3.0000, 4.0000],
            [0.6000, 0.8000]])"""

def empty(*sizes: Any, size: Any = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, pin_memory: _bool = False, memory_format: Any = None, layout: Any = None, out: Any = None) -> Tensor:
    """A tensor whose values are of no interest (they are zeros: the same on every device and in every run).

    >>> import frazil as fz
    >>> fz.empty(2, 3).shape
    frazil.Size([2, 3])"""

def empty_like(input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None) -> Tensor:
    """A tensor like `input` whose values are of no interest.

    >>> import frazil as fz
    >>> fz.empty_like(fz.ones(2, 3)).shape
    frazil.Size([2, 3])"""

def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: _bool = False, pin_memory: _bool = False) -> Tensor:
    """A tensor whose dimensions lie in memory in the order `physical_layout`, and whose values are of no interest.

    >>> import frazil as fz
    >>> fz.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)"""

def empty_strided(size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: _bool = False, pin_memory: _bool = False) -> Tensor:
    """A tensor whose neighbours lie `stride` apart and whose values are of no interest.

    >>> import frazil as fz
    >>> fz.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)"""

from .autograd.modes import enable_grad as enable_grad

def eq(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a == b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) == 2
    tensor([False,  True, False])"""

def equal(input: Tensor, other: Tensor) -> _bool:
    """Return whether two tensors have the same shape and the same elements.

    >>> import frazil as fz
    >>> fz.equal(fz.tensor([1, 2]), fz.tensor([1, 2]))
    True"""

def erf(input: _Operand, *, out: Any = None) -> Tensor:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    >>> import frazil as fz
    >>> fz.erf(fz.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])"""

def erf_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `erf`: writes the result into this tensor and returns it."""

def erfc(input: _Operand, *, out: Any = None) -> Tensor:
    """1 - erf(x).

    >>> import frazil as fz
    >>> fz.erfc(fz.tensor([0.0]))
    tensor([1.])"""

def erfc_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `erfc`: writes the result into this tensor and returns it."""

def erfinv(input: _Operand, *, out: Any = None) -> Tensor:
    """The inverse of erf, for x from -1 to 1; NaN outside.

    >>> import frazil as fz
    >>> fz.erfinv(fz.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])"""

from . import errors as errors

def exp(input: _Operand, *, out: Any = None) -> Tensor:
    """e to the power x.

    >>> import frazil as fz
    >>> fz.exp(fz.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])"""

def exp2(input: _Operand, *, out: Any = None) -> Tensor:
    """2 to the power x.

    >>> import frazil as fz
    >>> fz.exp2(fz.tensor([3.0]))
    tensor([8.])"""

def exp2_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `exp2`: writes the result into this tensor and returns it."""

def exp_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `exp`: writes the result into this tensor and returns it."""

def expand(input: Tensor, *size: Any) -> Tensor:
    """A view in which dimensions of size 1 are repeated; -1 keeps a size.

    >>> import frazil as fz
    >>> fz.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])"""

def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` expanded to the shape of `other`."""

def expand_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `expand` gives, in memory of its own."""

def expm1(input: _Operand, *, out: Any = None) -> Tensor:
    """exp(x) - 1, exact for small x.

    >>> import frazil as fz
    >>> fz.expm1(fz.tensor([0.0]))
    tensor([0.])"""

def expm1_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `expm1`: writes the result into this tensor and returns it."""

def eye(n: Any, m: Any = None, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, out: Any = None) -> Tensor:
    """Ones on the diagonal, zeros elsewhere.

    >>> import frazil as fz
    >>> fz.eye(2)
    tensor([[1., 0.],
            [0., 1.]])"""

def fake_quantize_per_channel_affine(input: Tensor, scale: Tensor, zero_point: Tensor, axis: _int, quant_min: _int, quant_max: _int) -> Tensor:
    """As `fake_quantize_per_tensor_affine`, with a scale and a zero point for every slice along `axis`.

    >>> import frazil as fz
    >>> fz.fake_quantize_per_channel_affine(fz.tensor([0.4, 0.4]), fz.tensor([0.5, 1.0]), fz.tensor([0, 0]), 0, 0, 3)
    tensor([0.5000, 0.0000])"""

def fake_quantize_per_tensor_affine(input: Tensor, scale: Any, zero_point: Any, quant_min: _int, quant_max: _int) -> Tensor:
    """(clamp(round(input / scale) + zero_point, quant_min, quant_max) - zero_point) * scale.

    >>> import frazil as fz
    >>> fz.fake_quantize_per_tensor_affine(fz.tensor([0.26, 9.0]), 0.5, 0, 0, 3)
    tensor([0.5000, 1.5000])"""

def feature_alpha_dropout(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.feature_alpha_dropout`; `p` and `train` are always given."""

def feature_alpha_dropout_(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.feature_alpha_dropout`, in place; `p` and `train` are always given."""

def feature_dropout(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.feature_dropout`; `p` and `train` are always given."""

def feature_dropout_(input: Tensor, p: _float, train: _bool) -> Tensor:
    """`fz.nn.functional.feature_dropout`, in place; `p` and `train` are always given."""

def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of the shape and dtype of `input`, every element `value`, a number or a tensor of one.

    >>> import frazil as fz
    >>> fz.fill(fz.zeros(2), 3)
    tensor([3., 3.])"""

def fill_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """Set every element to a number."""

from .dtypes import finfo as finfo

def fix(input: _Operand, *, out: Any = None) -> Tensor:
    """x without its fraction.

    >>> import frazil as fz
    >>> fz.trunc(fz.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])"""

def fix_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `trunc`: writes the result into this tensor and returns it."""

def flatten(input: Tensor, start_dim: _int = 0, end_dim: _int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` joined into one.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).flatten(1).shape
    frazil.Size([2, 12])"""

def flip(input: Tensor, *dims: Any) -> Tensor:
    """The order of elements along `dims` turned round, in new memory.

    >>> import frazil as fz
    >>> fz.flip(fz.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])"""

def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order."""

def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order."""

float: Any

float16: Any

float32: Any

float64: Any

float8_e4m3fn: Any

float8_e4m3fnuz: Any

float8_e5m2: Any

float8_e5m2fnuz: Any

float8_e8m0fnu: Any

def float_power(input: Any, exponent: Any, *, out: Any = None) -> Tensor:
    """`input` to the power `exponent`, in float64.

    >>> import frazil as fz
    >>> fz.float_power(fz.tensor([2, 3]), 2)
    tensor([4., 9.], dtype=frazil.float64)"""

def floor(input: _Operand, *, out: Any = None) -> Tensor:
    """The largest whole number not above x.

    >>> import frazil as fz
    >>> fz.floor(fz.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])"""

def floor_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `floor`: writes the result into this tensor and returns it."""

def floor_divide(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Division rounded towards minus infinity.

    >>> import frazil as fz
    >>> fz.tensor([7, -7]) // 2
    tensor([ 3, -4])"""

def fmax(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The larger of two, elementwise; where one is NaN, the other.

    >>> import frazil as fz
    >>> fz.fmax(fz.tensor([1.0, float("nan")]), fz.tensor([3.0, 2.0]))
    tensor([3., 2.])"""

def fmin(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The smaller of two, elementwise; where one is NaN, the other.

    >>> import frazil as fz
    >>> fz.fmin(fz.tensor([1.0, float("nan")]), fz.tensor([3.0, 2.0]))
    tensor([1., 2.])"""

def fmod(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Remainder of the division rounded towards zero; has the sign of the dividend, as C's fmod.

    >>> import frazil as fz
    >>> fz.fmod(fz.tensor([7, -7]), 3)
    tensor([ 1, -1])"""

def fork(func: Any, *args: Any, **kwargs: Any) -> Any:
    """A call as a `Future`. It is made at once, as PyTorch makes it outside of TorchScript; what it raises is raised here.

    >>> import frazil as fz
    >>> fz.jit.wait(fz.jit.fork(fz.add, fz.ones(2), 1))
    tensor([2., 2.])"""

def frac(input: _Operand, *, out: Any = None) -> Tensor:
    """The fraction of x, with its sign.

    >>> import frazil as fz
    >>> fz.frac(fz.tensor([-1.5]))
    tensor([-0.5000])"""

def frac_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `frac`: writes the result into this tensor and returns it."""

def frexp(input: Tensor, *, out: Any = None) -> Any:
    """A mantissa with a size in [0.5, 1) and an exponent with input = mantissa * 2 ** exponent; of 0, infinities and NaN
    themselves and 0.

    >>> import frazil as fz
    >>> fz.frexp(fz.tensor([6.0, -0.25]))
    frazil.return_types.frexp(
    mantissa=tensor([ 0.7500, -0.5000]),
    exponent=tensor([ 3, -1], dtype=frazil.int32))"""

def frobenius_norm(input: Tensor, dim: Any, keepdim: _bool = False) -> Tensor:
    """The square root of the sum of squares over `dim` (all, if empty)."""

def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor of the memory of another library's array on the CPU (https://dmlc.github.io/dlpack).

    >>> import frazil as fz, numpy as np
    >>> fz.from_dlpack(np.arange(3))
    tensor([0, 1, 2])"""

def from_file(filename: _str, shared: _bool | None = None, size: _int | None = 0, *, dtype: Any = None, device: Any = None, requires_grad: _bool = False) -> Tensor:
    """The first `size` elements of a file, read when they are looked at; `shared`: what is written to them goes there.

    >>> import frazil as fz, pathlib
    >>> _ = pathlib.Path("ice.bin").write_bytes(bytes([1, 2, 3, 4]))
    >>> fz.from_file("ice.bin", size=3, dtype=fz.uint8)
    tensor([1, 2, 3], dtype=frazil.uint8)"""

def from_numpy(array: Any) -> Tensor:
    """A CPU tensor that shares the memory of a NumPy array.

    >>> import frazil as fz, numpy as np
    >>> a = np.zeros(2, np.float32); t = fz.from_numpy(a); a[0] = 3; t
    tensor([3., 0.])"""

def frombuffer(buffer: Any, *, dtype: Any, count: _int = -1, offset: _int = 0, requires_grad: _bool = False) -> Tensor:
    """A vector of the bytes of a buffer from `offset` on, sharing its memory: `count` elements, or all (-1).

    >>> import frazil as fz
    >>> fz.frombuffer(bytearray([1, 0, 2, 0]), dtype=fz.int16)
    tensor([1, 2], dtype=frazil.int16)"""

def full(size: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, out: Any = None) -> Tensor:
    """A tensor of `size` filled with a number.

    >>> import frazil as fz
    >>> fz.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])"""

def full_like(input: Tensor, fill_value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None) -> Tensor:
    """A tensor like `input` filled with a number.

    >>> import frazil as fz
    >>> fz.full_like(fz.zeros(2), 3)
    tensor([3., 3.])"""

from . import func as func

def gather(input: Tensor, dim: _int, index: Tensor, *, sparse_grad: _bool = False, out: Any = None) -> Tensor:
    """Elements of `input` picked along `dim` by `index` (int64, same number of dimensions).

    >>> import frazil as fz
    >>> fz.gather(fz.tensor([[1, 2], [3, 4]]), 1, fz.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])"""

def gcd(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The greatest common divisor of two integers, elementwise; 0 of two zeros.

    >>> import frazil as fz
    >>> fz.gcd(fz.tensor([12, 7]), fz.tensor([18, 0]))
    tensor([6, 7])"""

def gcd_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `gcd`: writes the result into this tensor and returns it."""

def ge(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a >= b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])"""

def geqrf(input: Tensor, *, out: Any = None) -> Any:
    """R above the diagonal and below it the reflections that make Q, and their factors; without gradient.

    >>> import frazil as fz
    >>> fz.geqrf(fz.tensor([[3.0], [4.0]])).tau
    tensor([1.6000])"""

def ger(input: Tensor, vec2: Tensor, *, out: Any = None) -> Tensor:
    """All products of the elements of two vectors.

    >>> import frazil as fz
    >>> fz.outer(fz.tensor([1, 2]), fz.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])"""

def get_autocast_cpu_dtype() -> Any:
    """As `get_autocast_dtype("cpu")`.

    >>> import frazil as fz
    >>> fz.get_autocast_cpu_dtype()
    frazil.bfloat16"""

def get_autocast_dtype(device_type: _str) -> Any:
    """The dtype that `autocast` computes in: of the block around, else bfloat16 on the CPU and float16 elsewhere.

    >>> import frazil as fz
    >>> fz.get_autocast_dtype("cpu")
    frazil.bfloat16"""

def get_autocast_gpu_dtype() -> Any:
    """As `get_autocast_dtype("cuda")`.

    >>> import frazil as fz
    >>> fz.get_autocast_gpu_dtype()
    frazil.float16"""

def get_default_device() -> Any:
    """The device of new tensors made without `device=`.

    From, strongest first: `with fz.device(...)`, `fz.set_default_device`, the configuration (`device`, then `backend`).

    >>> import frazil as fz
    >>> fz.get_default_device()
    device(type='cpu')"""

def get_default_dtype() -> Any:
    """The dtype of floating tensors made without one: that of `fz.set_default_dtype`, else of the configuration, else float32.

    >>> import frazil as fz
    >>> fz.get_default_dtype()
    frazil.float32"""

def get_deterministic_debug_mode() -> _int:
    """Return 0, 1 or 2: see `set_deterministic_debug_mode`.

    >>> import frazil as fz
    >>> fz.get_deterministic_debug_mode()
    0"""

def get_device(input: Tensor) -> _int:
    """The number of the device; -1 for the CPU."""

def get_device_module(where: Any = None) -> Any:
    """Return the module of a device's type: `fz.cuda` or `fz.cpu`; without an argument that of the accelerator, or of the CPU.

    >>> import frazil as fz
    >>> fz.get_device_module("cpu") is fz.cpu
    True"""

def get_float32_matmul_precision() -> _str:
    """Return what `set_float32_matmul_precision` was given.

    >>> import frazil as fz
    >>> fz.get_float32_matmul_precision() in ("highest", "high", "medium")
    True"""

def get_num_interop_threads() -> _int:
    """Return what `set_num_interop_threads` was given, at first 1.

    >>> import frazil as fz
    >>> fz.get_num_interop_threads() > 0
    True"""

def get_num_threads() -> _int:
    """Return what `set_num_threads` was given, at first the number of CPUs.

    >>> import frazil as fz
    >>> fz.get_num_threads() > 0
    True"""

def get_rng_state() -> Tensor:
    """A copy of the state of the CPU's default generator, as bytes: uint8[16]."""

def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: _int = 1) -> Any:
    """The slopes of samples along each of `dim` (all, if None): by both neighbours, and at the edges from one side.

    Args:
        spacing: how far samples are apart: a number, one for each dimension, or a vector of positions for each.
        edge_order: 1 or 2, of the estimate at the edges.

    >>> import frazil as fz
    >>> fz.gradient(fz.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)"""

def greater(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a > b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) > 2
    tensor([False, False,  True])"""

def greater_equal(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a >= b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])"""

def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: _int, padding_mode: _int, align_corners: _bool) -> Tensor:
    """As `fz.nn.functional.grid_sample`, with the modes by their numbers."""

def grid_sampler_2d(input: Tensor, grid: Tensor, interpolation_mode: _int, padding_mode: _int, align_corners: _bool) -> Tensor:
    """As `fz.nn.functional.grid_sample`, with the modes by their numbers."""

def grid_sampler_3d(input: Tensor, grid: Tensor, interpolation_mode: _int, padding_mode: _int, align_corners: _bool) -> Tensor:
    """As `fz.nn.functional.grid_sample`, with the modes by their numbers."""

def group_norm(input: Tensor, num_groups: _int, weight: Tensor | None = None, bias: Tensor | None = None, eps: _float = 1e-05) -> Tensor:
    """Normalise over groups of channels. Source: https://arxiv.org/abs/1803.08494."""

def gru(input: Tensor, hx: Tensor, params: Sequence[Tensor], has_biases: _bool, num_layers: _int, dropout: _float, train: _bool, bidirectional: _bool, batch_first: _bool) -> Any:
    """The layers of `fz.nn.GRU` with these weights: the results and the last h."""

def gru_cell(input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None) -> Any:
    """One step of `gru`: the next state of a batch."""

def gt(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a > b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) > 2
    tensor([False, False,  True])"""

half: Any

def hamming_window(window_length: _int, periodic: _bool = True, alpha: _float = 0.54, beta: _float = 0.46, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False) -> Tensor:
    """The window of Hamming: alpha - beta * cos.

    >>> import frazil as fz
    >>> fz.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])"""

def hann_window(window_length: _int, periodic: _bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False) -> Tensor:
    """The window of Hann, half a raised cosine; symmetric unless `periodic`.

    >>> import frazil as fz
    >>> fz.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])"""

def hardshrink(input: Tensor, lambd: _float = 0.5) -> Tensor:
    """`input` where it is farther from 0 than `lambd`, else 0."""

def hash_tensor(input: Tensor, dim: Any = ..., *, keepdim: _bool = False, mode: _int = 0, out: Any = None) -> Tensor:
    """One number of 64 bits for all elements, or along some dimensions: the exclusive or of their bits, as float64 or int64.

    >>> import frazil as fz
    >>> fz.hash_tensor(fz.tensor([[5, 3], [1, 1]]), 1)
    tensor([6, 0], dtype=frazil.uint64)"""

def heaviside(input: Tensor, values: Tensor, *, out: Any = None) -> Tensor:
    """0 for negative elements, 1 for positive ones, `values` at 0.

    >>> import frazil as fz
    >>> fz.heaviside(fz.tensor([-1.0, 0.0, 2.0]), fz.tensor(0.5))
    tensor([0.0000, 0.5000, 1.0000])"""

def hinge_embedding_loss(input: Tensor, target: Tensor, margin: _float = 1.0, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.hinge_embedding_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

def histc(input: Tensor, bins: _int = 100, min: _float = 0, max: _float = 0, *, out: Any = None) -> Tensor:
    """Return how many elements fall into each of `bins` equal parts of [min, max] (if equal: the range of the elements).

    >>> import frazil as fz
    >>> fz.histc(fz.tensor([1.0, 2.0, 2.5]), 2, 1, 3)
    tensor([1., 2.])"""

def histogram(input: Tensor, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None, density: _bool = False, out: Any = None) -> Any:
    """Return how many elements (or what sum of their `weight`) fall between edges, and the edges.

    Args:
        bins: a vector of edges, ascending, or the number of equal bins from the least to the largest, or within `range`.
        density: divide by the total and by the widths, so that the integral is 1.

    >>> import frazil as fz
    >>> fz.histogram(fz.tensor([1.0, 2.0, 2.5]), 2, range=(1.0, 3.0)).hist
    tensor([1., 2.])"""

def histogramdd(input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: _bool = False) -> Any:
    """Return how many points, the rows along the last dimension, fall into the boxes between edges of every dimension.

    >>> import frazil as fz
    >>> fz.histogramdd(fz.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]), [2, 2]).hist
    tensor([[1., 0.],
            [0., 2.]])"""

def hsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Views of the columns: as many equal groups, or cut at the given places.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(4).hsplit(2)]
    [[0, 1], [2, 3]]"""

def hspmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The product of a sparse matrix with a dense one, sparse: its entries are rows, those that `mat1` has entries in.

    >>> import frazil as fz
    >>> fz.hspmm(fz.sparse_coo_tensor([[1], [0]], [2.0], (3, 2)), fz.ones(2, 2)).values()
    tensor([[2., 2.]])"""

def hstack(tensors: Sequence[Tensor], *, out: Any = None) -> Tensor:
    """Tensors of at least 1 dimensions joined along dimension 1."""

from . import hub as hub

def hypot(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """sqrt(a^2 + b^2), without squares that overflow.

    >>> import frazil as fz
    >>> fz.hypot(fz.tensor([3.0]), fz.tensor([4.0]))
    tensor([5.])"""

def i0(input: _Operand, *, out: Any = None) -> Tensor:
    """The modified Bessel function of the first kind, of order 0.

    >>> import frazil as fz
    >>> fz.i0(fz.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])"""

def i0_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `i0`: writes the result into this tensor and returns it."""

def igamma(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The regularised lower incomplete gamma function of order `input`, from 0 to `other`.

    >>> import frazil as fz
    >>> fz.igamma(fz.tensor([1.0]), fz.tensor([2.0]))
    tensor([0.8647])"""

def igammac(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """1 - `igamma`, without cancellation.

    >>> import frazil as fz
    >>> fz.igammac(fz.tensor([1.0]), fz.tensor([2.0]))
    tensor([0.1353])"""

from .dtypes import iinfo as iinfo

def imag(input: Tensor) -> Tensor:
    """The imaginary parts of a complex tensor, a view.

    >>> import frazil as fz
    >>> fz.imag(fz.tensor([1 + 2j]))
    tensor([2.])"""

def index_add(input: Tensor, dim: _int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """A copy of `input` with the slices of `source` added to those that `index` names along `dim`.

    >>> import frazil as fz
    >>> fz.index_add(fz.zeros(2), 0, fz.tensor([1, 1]), fz.tensor([1.0, 2.0]))
    tensor([0., 3.])"""

def index_copy(input: Tensor, dim: _int, index: Tensor, source: Tensor, *, out: Any = None) -> Tensor:
    """A copy of `input` with the slices that `index` names along `dim` replaced by those of `source`.

    >>> import frazil as fz
    >>> fz.index_copy(fz.zeros(3), 0, fz.tensor([2]), fz.tensor([5.0]))
    tensor([0., 0., 5.])"""

def index_fill(input: Tensor, dim: _int, index: Tensor, value: Any) -> Tensor:
    """A copy of `input` with the slices that `index` names along `dim` set to a number.

    >>> import frazil as fz
    >>> fz.index_fill(fz.zeros(3), 0, fz.tensor([2]), 7.0)
    tensor([0., 0., 7.])"""

def index_put(input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: _bool = False) -> Tensor:
    """A copy of `input` with `input[indices]` replaced by `values`, or with `values` added.

    >>> import frazil as fz
    >>> fz.index_put(fz.zeros(3), (fz.tensor([0, 0]),), fz.tensor([1.0, 2.0]), accumulate=True)
    tensor([3., 0., 0.])"""

def index_put_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `index_put`: writes the result into this tensor and returns it."""

def index_reduce(input: Tensor, dim: _int, index: Tensor, source: Tensor, reduce: _str, *, include_self: _bool = True, out: Any = None) -> Tensor:
    """A copy of `input` in which every slice that `index` names along `dim` becomes the "prod", "mean", "amax" or "amin" of
    itself (unless `include_self` is off) and the slices of `source` sent there.

    >>> import frazil as fz
    >>> fz.index_reduce(fz.ones(2), 0, fz.tensor([0, 0]), fz.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])"""

def index_select(input: Tensor, dim: _int, index: Tensor, *, out: Any = None) -> Tensor:
    """The slices of `input` along `dim` named by a 1-d `index`.

    >>> import frazil as fz
    >>> fz.index_select(fz.tensor([[1, 2], [3, 4]]), 0, fz.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])"""

def indices_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `indices` gives, in memory of its own."""

inf: _float

from .autograd.modes import inference_mode as inference_mode

def initial_seed() -> _int:
    """The seed of the default generator."""

def inner(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Sums of products over the last dimension of both.

    >>> import frazil as fz
    >>> fz.inner(fz.tensor([1.0, 2.0]), fz.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([11.,  2.])"""

def instance_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None, use_input_stats: _bool, momentum: _float, eps: _float, cudnn_enabled: _bool = False) -> Tensor:
    """As `fz.nn.functional.instance_norm`, with its arguments in the order of PyTorch's own function."""

int: Any

int16: Any

int32: Any

int64: Any

int8: Any

def inverse(input: Tensor, *, out: Any = None) -> Tensor:
    """The inverse of square matrices; as `fz.linalg.inv`."""

def is_anomaly_check_nan_enabled() -> _bool:
    """Return whether they are looked at for NaN.

    >>> import frazil as fz
    >>> with fz.autograd.detect_anomaly(check_nan=False): fz.is_anomaly_check_nan_enabled()
    False"""

def is_anomaly_enabled() -> _bool:
    """Return whether gradients are looked at: inside of `detect_anomaly`, or after `set_detect_anomaly(True)`.

    >>> import frazil as fz
    >>> with fz.autograd.detect_anomaly(): fz.is_anomaly_enabled()
    True"""

def is_autocast_cache_enabled() -> _bool:
    """Return whether parameters are cast only once in the block of `autocast` around; outside of one True.

    >>> import frazil as fz
    >>> with fz.autocast("cpu", cache_enabled=False): fz.is_autocast_cache_enabled()
    False"""

def is_autocast_cpu_enabled() -> _bool:
    """As `is_autocast_enabled("cpu")`.

    >>> import frazil as fz
    >>> fz.is_autocast_cpu_enabled()
    False"""

def is_autocast_enabled(device_type: _str | None = None) -> _bool:
    """Return whether operations are inside a block of `autocast` (for devices of this type).

    >>> import frazil as fz
    >>> with fz.autocast("cpu"):
    ...     fz.is_autocast_enabled("cpu")
    True"""

def is_complex(input: Tensor) -> _bool:
    """Return whether the dtype is a complex one.

    >>> import frazil as fz
    >>> fz.is_complex(fz.tensor([1.0]))
    False"""

def is_conj(input: Tensor) -> _bool:
    """Return whether a conjugation is still to be done; never."""

def is_deterministic_algorithms_warn_only_enabled() -> _bool:
    """Return whether `use_deterministic_algorithms` was given `warn_only=True`.

    >>> import frazil as fz
    >>> fz.is_deterministic_algorithms_warn_only_enabled()
    False"""

def is_distributed(input: Tensor) -> _bool:
    """Return whether it is a part of one on several machines; never."""

def is_floating_point(input: Tensor) -> _bool:
    """Return whether the dtype is a floating one.

    >>> import frazil as fz
    >>> fz.is_floating_point(fz.tensor([1]))
    False"""

def is_grad_enabled() -> _bool:
    """Return whether operations are recorded for backward in this thread.

    >>> import frazil as fz
    >>> fz.is_grad_enabled()
    True"""

def is_inference(input: Tensor) -> _bool:
    """Return whether it was made in `inference_mode`, so that autograd cannot save it."""

def is_inference_mode_enabled() -> _bool:
    """Return whether this thread is inside `inference_mode`.

    >>> import frazil as fz
    >>> fz.is_inference_mode_enabled()
    False"""

def is_neg(input: Tensor) -> _bool:
    """Return whether a change of sign is still to be done; never."""

def is_nonzero(input: Tensor) -> _bool:
    """Return whether the only element is not zero.

    >>> import frazil as fz
    >>> fz.is_nonzero(fz.tensor([0.0]))
    False"""

def is_same_size(input: Tensor, other: Tensor) -> _bool:
    """Return whether two tensors have the same shape.

    >>> import frazil as fz
    >>> fz.is_same_size(fz.ones(2), fz.zeros(2))
    True"""

def is_signed(input: Tensor) -> _bool:
    """Return whether the dtype has negative values."""

def is_storage(obj: Any) -> _bool:
    """Return whether it is the memory of a tensor.

    >>> import frazil as fz
    >>> fz.is_storage(fz.ones(2).untyped_storage()), fz.is_storage(fz.ones(2))
    (True, False)"""

def is_tensor(obj: Any) -> Any:
    """Return whether `obj` is a Tensor.

    >>> import frazil as fz
    >>> fz.is_tensor(fz.zeros(1)), fz.is_tensor(1)
    (True, False)"""

def isclose(input: Tensor, other: Tensor, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> Tensor:
    """Elementwise: within atol + rtol * |other|, or equal.

    >>> import frazil as fz
    >>> fz.isclose(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 2.1]))
    tensor([ True, False])"""

def isfinite(input: _Operand, *, out: Any = None) -> Tensor:
    """Return whether x is neither infinite nor NaN.

    >>> import frazil as fz
    >>> fz.isfinite(fz.tensor([1.0, float("inf")]))
    tensor([ True, False])"""

def isin(elements: Any, test_elements: Any, *, assume_unique: _bool = False, invert: _bool = False, out: Any = None) -> Tensor:
    """Return whether each of `elements` is one of `test_elements`.

    >>> import frazil as fz
    >>> fz.isin(fz.tensor([1, 2, 3]), fz.tensor([1, 3]))
    tensor([ True, False,  True])"""

def isinf(input: _Operand, *, out: Any = None) -> Tensor:
    """Return whether x is infinite.

    >>> import frazil as fz
    >>> fz.isinf(fz.tensor([1.0, float("inf")]))
    tensor([False,  True])"""

def isnan(input: _Operand, *, out: Any = None) -> Tensor:
    """Return whether x is not a number.

    >>> import frazil as fz
    >>> fz.isnan(fz.tensor([1.0, float("nan")]))
    tensor([False,  True])"""

def isneginf(input: Tensor, *, out: Any = None) -> Tensor:
    """Return whether x is infinite and negative.

    >>> import frazil as fz
    >>> fz.isneginf(fz.tensor([float("inf"), float("-inf")]))
    tensor([False,  True])"""

def isposinf(input: Tensor, *, out: Any = None) -> Tensor:
    """Return whether x is infinite and positive.

    >>> import frazil as fz
    >>> fz.isposinf(fz.tensor([float("inf"), float("-inf")]))
    tensor([ True, False])"""

def isreal(input: Tensor) -> Tensor:
    """Return whether x has no imaginary part.

    >>> import frazil as fz
    >>> fz.isreal(fz.tensor([1.0]))
    tensor([True])"""

def istft(input: Tensor, n_fft: _int, hop_length: _int | None = None, win_length: _int | None = None, window: Tensor | None = None, center: _bool = True, normalized: _bool = False, onesided: _bool | None = None, length: _int | None = None, return_complex: _bool = False) -> Tensor:
    """The signal whose `stft` is nearest to `input`: its pieces, weighed by the window, added where they overlap.

    >>> import frazil as fz
    >>> x, window = fz.arange(16.0), fz.hann_window(8)
    >>> y = fz.istft(fz.stft(x, 8, 4, window=window, return_complex=True), 8, 4, window=window)
    >>> fz.testing.assert_close(y, x, rtol=1e-4, atol=1e-4)"""

jagged: Any

from . import jit as jit

def kaiser_window(window_length: _int, periodic: _bool = True, beta: _float = 12.0, *, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False) -> Tensor:
    """The window of Kaiser, of the Bessel function i0; `beta` says how narrow it is.

    >>> import frazil as fz
    >>> fz.kaiser_window(4)[2]
    tensor(1.)"""

def kl_div(input: Tensor, target: Tensor, reduction: Any = 0, *, log_target: _bool = False) -> Tensor:
    """As `fz.nn.functional.kl_div`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

def kron(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Kronecker product: of matrices, or of tensors of any number of dimensions.

    >>> import frazil as fz
    >>> fz.kron(fz.eye(2), fz.tensor([[1.0, 2.0]]))
    tensor([[1., 2., 0., 0.],
            [0., 0., 1., 2.]])"""

def kthvalue(input: Tensor, k: _int, dim: _int = -1, keepdim: _bool = False, *, out: Any = None) -> tuple[Tensor, Tensor]:
    """The k-th smallest element along `dim` (the first is 1), and where it was.

    >>> import frazil as fz
    >>> fz.kthvalue(fz.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)"""

def layer_norm(input: Tensor, normalized_shape: Sequence[_int], weight: Tensor | None = None, bias: Tensor | None = None, eps: _float = 1e-05) -> Tensor:
    """Normalise over the last dimensions, whose sizes are `normalized_shape`. Source: https://arxiv.org/abs/1607.06450.

    >>> import frazil as fz
    >>> fz.nn.functional.layer_norm(fz.tensor([1.0, 3.0]), (2,), eps=0.0)
    tensor([-1.,  1.])"""

from .tensor import layout as layout

def lcm(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The least common multiple of two integers, elementwise; 0 where one is 0.

    >>> import frazil as fz
    >>> fz.lcm(fz.tensor([4, 7]), fz.tensor([6, 0]))
    tensor([12,  0])"""

def lcm_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `lcm`: writes the result into this tensor and returns it."""

def ldexp(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """input * 2**other.

    >>> import frazil as fz
    >>> fz.ldexp(fz.tensor([3.0]), fz.tensor([2]))
    tensor([12.])"""

def ldexp_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `ldexp`: writes the result into this tensor and returns it."""

def le(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a <= b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])"""

def lerp(input: _Operand, end: _Operand, weight: _Operand, *, out: Any = None) -> Tensor:
    """x + weight * (end - x), from the nearer end: exact at both.

    >>> import frazil as fz
    >>> fz.lerp(fz.tensor([0.0]), fz.tensor([10.0]), 0.3)
    tensor([3.])"""

def less(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a < b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) < 2
    tensor([ True, False, False])"""

def less_equal(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a <= b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])"""

def lgamma(input: _Operand, *, out: Any = None) -> Tensor:
    """The logarithm of |gamma(x)|: log((x - 1)!).

    >>> import frazil as fz
    >>> fz.lgamma(fz.tensor([1.0, 5.0]))
    tensor([0.0000, 3.1781])"""

from . import linalg as linalg

def linspace(start: Any, end: Any, steps: _int, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, out: Any = None) -> Tensor:
    """`steps` numbers from `start` to `end`, evenly apart, both included.

    >>> import frazil as fz
    >>> fz.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])"""

def load(f: Any, map_location: Any = None, *, classes: Sequence[Any] = ..., weights_only: _bool = True) -> Any:
    """Read what `save` wrote, from a path or a binary file object; or any safetensors file, as a dict of tensors; or what
    `torch.save` wrote: tensors, parameters, numbers, texts and containers of them.

    Args:
        f: the file.
        map_location: where the tensors go: a device, `{saved device: device}`, or a function
            `(tensor on the CPU, saved device) -> tensor`; default: the device they were saved from.
        classes: the classes of modules (and functions, and dataclasses) that the file may name and `load` makes again. Layers
            of `fz.nn` need not be named. Nothing is imported because a file says so, and no `__init__` runs.
        weights_only: False: the file may also name every class of modules, and dataclass, that the program has imported. No
            file can run code here.

    >>> import frazil as fz, io
    >>> class Twice(fz.nn.Module):
    ...     def __init__(self): super().__init__(); self.inner = fz.nn.Linear(3, 3)
    ...     def forward(self, x): return self.inner(self.inner(x))
    >>> file, model = io.BytesIO(), Twice()
    >>> fz.save(model, file); _ = file.seek(0)
    >>> x = fz.ones(3)
    >>> bool((fz.load(file, classes=[Twice])(x) == model(x)).all())
    True

    Raises `SerializationError` when the file is truncated, was changed, or holds anything else; also when it asks for more than
    the settings `limits.values`, `limits.tensors` and `limits.expansion` allow, which a file made to do harm does."""

def lobpcg(A: Tensor, k: _int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: _int | None = None, iK: Tensor | None = None, niter: _int | None = None, tol: _float | None = None, largest: _bool | None = None, method: _str | None = None, tracker: Any = None, ortho_iparams: Any = None, ortho_fparams: Any = None, ortho_bparams: Any = None, *, out: Any = None) -> Any:
    """The k largest (smallest, unless `largest`) eigenvalues of A @ x = l * B @ x for symmetric A and positive definite B, and
    their vectors. All are computed, not approached: what says how is accepted, and has no effect.

    >>> import frazil as fz
    >>> fz.lobpcg(fz.diag(fz.tensor([1.0, 5.0, 3.0]))).eigenvalues
    tensor([5.])"""

def log(input: _Operand, *, out: Any = None) -> Tensor:
    """Natural logarithm.

    >>> import frazil as fz
    >>> fz.log(fz.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])"""

def log10(input: _Operand, *, out: Any = None) -> Tensor:
    """Logarithm to base 10.

    >>> import frazil as fz
    >>> fz.log10(fz.tensor([0.1, 10.0]))
    tensor([-1.,  1.])"""

def log10_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `log10`: writes the result into this tensor and returns it."""

def log1p(input: _Operand, *, out: Any = None) -> Tensor:
    """log(1 + x), exact for small x.

    >>> import frazil as fz
    >>> fz.log1p(fz.tensor([0.0]))
    tensor([0.])"""

def log1p_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `log1p`: writes the result into this tensor and returns it."""

def log2(input: _Operand, *, out: Any = None) -> Tensor:
    """Logarithm to base 2.

    >>> import frazil as fz
    >>> fz.log2(fz.tensor([8.0]))
    tensor([3.])"""

def log2_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `log2`: writes the result into this tensor and returns it."""

def log_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `log`: writes the result into this tensor and returns it."""

def log_softmax(input: Tensor, dim: _int, dtype: Any = None, *, out: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow; with `dtype`, computed in that.

    >>> import frazil as fz
    >>> fz.log_softmax(fz.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])"""

def logaddexp(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """log(exp(a) + exp(b)) without overflow.

    >>> import frazil as fz
    >>> fz.logaddexp(fz.tensor([0.0]), fz.tensor([0.0]))
    tensor([0.6931])"""

def logaddexp2(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """log2(2^input + 2^other), without overflow.

    >>> import frazil as fz
    >>> fz.logaddexp2(fz.tensor([3.0]), fz.tensor([3.0]))
    tensor([4.])"""

def logcumsumexp(input: Tensor, dim: _int, *, out: Any = None) -> Tensor:
    """log(the running sum of exp(x)) along `dim`, without overflow.

    >>> import frazil as fz
    >>> fz.logcumsumexp(fz.zeros(3), 0)
    tensor([0.0000, 0.6931, 1.0986])"""

def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; of real matrices NaN where that is negative, of complex ones a complex number.

    >>> import frazil as fz
    >>> fz.logdet(fz.eye(2))
    tensor(0.)"""

def logical_and(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether both are true (not zero).

    >>> import frazil as fz
    >>> fz.logical_and(fz.tensor([True, True]), fz.tensor([True, False]))
    tensor([ True, False])"""

def logical_not(input: _Operand, *, out: Any = None) -> Tensor:
    """Return whether x is false (zero).

    >>> import frazil as fz
    >>> fz.logical_not(fz.tensor([True, False]))
    tensor([False,  True])"""

def logical_or(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether at least one is true (not zero).

    >>> import frazil as fz
    >>> fz.logical_or(fz.tensor([True, False]), fz.tensor([False, False]))
    tensor([ True, False])"""

def logical_xor(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether exactly one is true (not zero).

    >>> import frazil as fz
    >>> fz.logical_xor(fz.tensor([True, True]), fz.tensor([True, False]))
    tensor([False,  True])"""

def logit(input: Tensor, eps: _float | None = None, *, out: Any = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is first limited to [eps, 1 - eps].

    >>> import frazil as fz
    >>> fz.logit(fz.tensor([0.5]))
    tensor([0.])"""

def logit_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `logit`: writes the result into this tensor and returns it."""

def logspace(start: _float, end: _float, steps: _int, base: _float = 10.0, *, dtype: DType | None = None, device: Any = None, out: Any = None) -> Tensor:
    """`steps` numbers from base**start to base**end, evenly apart in their logarithm.

    >>> import frazil as fz
    >>> fz.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])"""

def logsumexp(input: _Operand, dim: Any, keepdim: _bool = False, *, out: Any = None) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow.

    >>> import frazil as fz
    >>> fz.logsumexp(fz.tensor([0.0, 0.0]), 0)
    tensor(0.6931)"""

long: Any

def lstm(input: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], has_biases: _bool, num_layers: _int, dropout: _float, train: _bool, bidirectional: _bool, batch_first: _bool) -> Any:
    """The layers of `fz.nn.LSTM` with these weights: the results, the last h and the last c."""

def lstm_cell(input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None) -> Any:
    """One step of `lstm`: the next state of a batch."""

def lt(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a < b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) < 2
    tensor([ True, False, False])"""

def lu(A: Tensor, pivot: _bool = True, get_infos: _bool = False, *, out: Any = None) -> Any:
    """L and U in one matrix, and the pivots; with `get_infos` also what `lu_factor_ex` says of failure."""

def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
    """X with A @ X = b, for what `lu` gives of A."""

def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: _bool = True, unpack_pivots: _bool = True, *, out: Any = None) -> Any:
    """P, L and U of what `lu` or `lu_factor` gives; those that are not wanted are empty.

    >>> import frazil as fz
    >>> fz.lu_unpack(*fz.linalg.lu_factor(fz.eye(2))).U
    tensor([[1., 0.],
            [0., 1.]])"""

def manual_seed(seed: _int) -> Generator:
    """Seed the default generators of all devices. Returns that of the CPU.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> fz.rand(2)
    tensor([0.0347, 0.0115])"""

def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: _float = 0.0, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.margin_ranking_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy of `input` with `value` where the bool `mask` is true.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0]).masked_fill(fz.tensor([True, False]), 0.0)
    tensor([0., 2.])"""

def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the places where `mask` is true filled from `source` in order.

    >>> import frazil as fz
    >>> fz.masked_scatter(fz.zeros(3), fz.tensor([True, False, True]), fz.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])"""

def masked_select(input: Tensor, mask: Tensor, *, out: Any = None) -> Tensor:
    """The elements where `mask` is true, as a vector.

    >>> import frazil as fz
    >>> fz.masked_select(fz.tensor([1, 2, 3]), fz.tensor([True, False, True]))
    tensor([1, 3])"""

def matmul(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Matrix product. Vectors are rows (left) or columns (right); leading dimensions are batches and broadcast.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 2.0]]) @ fz.tensor([[3.0], [4.0]])
    tensor([[11.]])"""

def matrix_exp(A: Tensor, *, out: Any = None) -> Tensor:
    """The exponential of square matrices: the sum of A^k / k!.

    >>> import frazil as fz
    >>> fz.linalg.matrix_exp(fz.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])"""

def matrix_power(input: Tensor, n: _int, *, out: Any = None) -> Tensor:
    """The n-th power of square matrices; negative powers are those of the inverse. As `fz.linalg.matrix_power`.

    >>> import frazil as fz
    >>> fz.matrix_power(fz.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])"""

def max(input: Tensor, dim: Any = None, keepdim: _bool = False, *, other: Any = None, out: Any = None) -> Any:
    """The largest element; with `dim`, the largest along it and their indices; with a tensor, the elementwise maximum.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).max(1).indices
    tensor([1, 0])"""

def max_pool1d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> Any:
    """The largest value of every window of `input` [N, C, L] or [C, L]; `stride` is `kernel_size` by default.

    `ceil_mode` also takes the window that reaches over the end. With `return_indices`, a pair (values, int64 positions).

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool1d(fz.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])"""

def max_pool1d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: _bool = False) -> Any:
    """`max_pool1d` and where the values were."""

def max_pool2d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> Any:
    """The largest value of every window of `input` [N, C, H, W] or [C, H, W]. See `max_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool2d(fz.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])"""

def max_pool3d(input: Tensor, kernel_size: _int | Sequence[_int], stride: _int | Sequence[_int] | None = None, padding: _int | Sequence[_int] = 0, dilation: _int | Sequence[_int] = 1, ceil_mode: _bool = False, return_indices: _bool = False) -> Any:
    """The largest value of every window of `input` [N, C, D, H, W] or [C, D, H, W]. See `max_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])"""

def maximum(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """The larger of two, elementwise; NaN if either is NaN. At ties the gradient is shared.

    >>> import frazil as fz
    >>> fz.maximum(fz.tensor([1.0, 5.0]), 3)
    tensor([3., 5.])"""

def mean(input: _Operand, dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
    """Arithmetic mean over `dim` (one, several, or all).

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 2.0], [3.0, 6.0]]).mean(1)
    tensor([1.5000, 4.5000])"""

def median(input: Tensor, dim: _int | None = None, keepdim: _bool = False, *, out: Any = None) -> Any:
    """The middle value (the lower one of two); with `dim`, along it with indices.

    >>> import frazil as fz
    >>> fz.median(fz.tensor([3.0, 1.0, 2.0, 9.0]))
    tensor(2.)"""

from .legacy import memory_format as memory_format

def meshgrid(*tensors: Any, indexing: _str = 'ij') -> Any:
    """Coordinate grids of 1-d tensors; `indexing` "ij" (first tensor along dimension 0) or "xy".

    >>> import frazil as fz
    >>> fz.meshgrid(fz.arange(2), fz.arange(3), indexing="ij")[1]
    tensor([[0, 1, 2],
            [0, 1, 2]])"""

def min(input: Tensor, dim: Any = None, keepdim: _bool = False, *, other: Any = None, out: Any = None) -> Any:
    """The smallest element; with `dim`, the smallest along it and their indices; with a tensor, the elementwise minimum.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).min(1).values
    tensor([1., 2.])"""

def minimum(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """The smaller of two, elementwise; NaN if either is NaN. At ties the gradient is shared.

    >>> import frazil as fz
    >>> fz.minimum(fz.tensor([1.0, 5.0]), 3)
    tensor([1., 3.])"""

def mm(input: Tensor, mat2: Tensor, *, out: Any = None) -> Tensor:
    """Product of two matrices.

    >>> import frazil as fz
    >>> fz.mm(fz.ones(2, 3), fz.ones(3, 1))
    tensor([[3.],
            [3.]])"""

def mode(input: Tensor, dim: _int = -1, keepdim: _bool = False, *, out: Any = None) -> tuple[Tensor, Tensor]:
    """The most frequent value along `dim`, the smallest of several, and where it is, the last of equals.

    >>> import frazil as fz
    >>> fz.mode(fz.tensor([3, 1, 3, 1, 0])).values
    tensor(1)"""

def moveaxis(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with dimensions moved to other places, the others keeping their order.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).movedim(0, -1).shape
    frazil.Size([3, 4, 2])"""

def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with dimensions moved to other places, the others keeping their order.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).movedim(0, -1).shape
    frazil.Size([3, 4, 2])"""

def msort(input: Tensor, *, out: Any = None) -> Tensor:
    """Sorted along the first dimension.

    >>> import frazil as fz
    >>> fz.msort(fz.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])"""

def mul(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Product of two tensors or numbers, elementwise.

    >>> import frazil as fz
    >>> fz.mul(fz.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])"""

def multinomial(input: Tensor, num_samples: _int, replacement: _bool = False, *, generator: Generator | None = None, out: Any = None) -> Tensor:
    """int64: indices drawn from every row of `input` [C] or [N, C], with the elements as weights (not negative, not all 0).

    With replacement: where float64 uniform numbers fall among the running sums of the weights. Without: the largest of
    weight / e for exponential e, in order (P. S. Efraimidis and P. G. Spirakis, 2006).

    >>> import frazil as fz
    >>> fz.multinomial(fz.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
    tensor([1, 1, 1])"""

def multiply(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Product of two tensors or numbers, elementwise.

    >>> import frazil as fz
    >>> fz.mul(fz.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])"""

from . import multiprocessing as multiprocessing

def mv(input: Tensor, vec: Tensor, *, out: Any = None) -> Tensor:
    """Product of a matrix and a vector.

    >>> import frazil as fz
    >>> fz.mv(fz.ones(2, 3), fz.ones(3))
    tensor([3., 3.])"""

def mvlgamma(input: Tensor, p: _int, *, out: Any = None) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`.

    >>> import frazil as fz
    >>> fz.mvlgamma(fz.tensor([3.0]), 2)
    tensor([1.5502])"""

nan: _float

def nan_to_num(input: _Operand, nan: _float = 0.0, posinf: _float | None = None, neginf: _float | None = None, *, out: Any = None) -> Tensor:
    """NaN and infinities replaced by numbers (default: 0 and the largest of the dtype).

    >>> import frazil as fz
    >>> fz.nan_to_num(fz.tensor([float("nan"), float("inf")]), posinf=9.0)
    tensor([0., 9.])"""

def nan_to_num_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `nan_to_num`: writes the result into this tensor and returns it."""

def nanmean(input: Tensor, dim: Any = None, keepdim: _bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """Mean of the elements that are not NaN, computed in `dtype`.

    >>> import frazil as fz
    >>> fz.nanmean(fz.tensor([1.0, float("nan"), 3.0]))
    tensor(2.)"""

def nanmedian(input: Tensor, dim: _int | None = None, keepdim: _bool = False, *, out: Any = None) -> Any:
    """The middle value (the lower one of two) of the elements that are not NaN; with `dim`, along it with indices.

    >>> import frazil as fz
    >>> fz.nanmedian(fz.tensor([3.0, float("nan"), 2.0]))
    tensor(2.)"""

def nanquantile(input: Tensor, q: Any, dim: _int | None = None, keepdim: _bool = False, *, interpolation: _str = 'linear', out: Any = None) -> Tensor:
    """The q-quantiles of the elements that are not NaN, as `quantile`; NaN where all are.

    >>> import frazil as fz
    >>> fz.nanquantile(fz.tensor([0.0, float("nan"), 2.0]), 0.5)
    tensor(1.)"""

def nansum(input: Tensor, dim: Any = None, keepdim: _bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """Sum of the elements that are not NaN.

    >>> import frazil as fz
    >>> fz.nansum(fz.tensor([1.0, float("nan")]))
    tensor(1.)"""

def narrow(input: Tensor, dim: _int, start: Any, length: Any) -> Tensor:
    """A view of `length` elements along `dim`, from `start`.

    >>> import frazil as fz
    >>> fz.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])"""

def narrow_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `narrow` gives, in memory of its own."""

def native_batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None, training: _bool, momentum: _float, eps: _float) -> tuple[Tensor, Tensor, Tensor]:
    """`batch_norm`, with the mean of every channel and 1 / its deviation (empty unless `training`)."""

def native_channel_shuffle(input: Tensor, groups: _int) -> Tensor:
    """As `fz.nn.functional.channel_shuffle`."""

def native_dropout(input: Tensor, p: _float, train: _bool | None) -> tuple[Tensor, Tensor]:
    """`dropout`, and which elements were kept."""

def native_group_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, N: _int, C: _int, HxW: _int, group: _int, eps: _float) -> tuple[Tensor, Tensor, Tensor]:
    """`group_norm`, with the means and 1 / the deviations of every sample and group."""

def native_layer_norm(input: Tensor, normalized_shape: Sequence[_int], weight: Tensor | None, bias: Tensor | None, eps: _float) -> tuple[Tensor, Tensor, Tensor]:
    """`layer_norm`, with the means and 1 / the deviations that it divides by."""

def ne(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a != b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) != 2
    tensor([ True, False,  True])"""

def neg(input: _Operand, *, out: Any = None) -> Tensor:
    """-x.

    >>> import frazil as fz
    >>> -fz.tensor([1.0, -2.0])
    tensor([-1.,  2.])"""

def neg_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `neg`: writes the result into this tensor and returns it."""

def negative(input: _Operand, *, out: Any = None) -> Tensor:
    """-x.

    >>> import frazil as fz
    >>> -fz.tensor([1.0, -2.0])
    tensor([-1.,  2.])"""

def negative_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `neg`: writes the result into this tensor and returns it."""

def nextafter(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The next number of the dtype after `input` in the direction of `other`.

    >>> import frazil as fz
    >>> fz.nextafter(fz.tensor([1.0]), fz.tensor([2.0])).item() - 1
    1.1920928955078125e-07"""

from . import nn as nn

from .autograd.modes import no_grad as no_grad

def nonzero(input: Tensor, *, as_tuple: _bool = False, out: Any = None) -> Any:
    """The positions of the elements that are not zero: int64[n, ndim], or one vector per dimension.

    >>> import frazil as fz
    >>> fz.nonzero(fz.tensor([0, 3, 0, 4]))
    tensor([[1],
            [3]])"""

def nonzero_static(input: Tensor, *, size: _int, fill_value: _int = -1, out: Any = None) -> Tensor:
    """The positions of the first `size` elements that are not zero: int64[size, ndim], filled up with `fill_value`.

    >>> import frazil as fz
    >>> fz.nonzero_static(fz.tensor([0, 3, 4]), size=3)
    tensor([[ 1],
            [ 2],
            [-1]])"""

def norm(input: Tensor, p: Any = 'fro', dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
    """The p-norm of the elements over `dim` (all, if None); "fro" is 2, "nuc" the sum of the singular values of matrices.

    >>> import frazil as fz
    >>> fz.tensor([3.0, 4.0]).norm()
    tensor(5.)"""

def norm_except_dim(v: Tensor, pow: _int = 2, dim: _int = 0) -> Tensor:
    """The `pow`-norms over all dimensions but `dim` (over all, if -1), with sizes of 1 in their places."""

def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, out: Any = None) -> Tensor:
    """Normal numbers. `mean` and `std` are tensors (the shape is theirs) or numbers (then with `size`).

    >>> import frazil as fz
    >>> fz.normal(fz.tensor([5.0, 100.0]), 1e-6).round()
    tensor([  5., 100.])
    >>> fz.normal(2.0, 3.0, (2, 2)).shape
    frazil.Size([2, 2])"""

def not_equal(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return whether a != b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) != 2
    tensor([ True, False,  True])"""

def nuclear_norm(input: Tensor, dim: Any = ..., keepdim: _bool = False) -> Tensor:
    """The sum of the singular values of matrices."""

def numel(input: Tensor) -> Any:
    """Number of elements.

    >>> import frazil as fz
    >>> fz.numel(fz.zeros(2, 3))
    6"""

def one_hot(input: _Operand, num_classes: _int = -1, *, out: Any = None) -> Tensor:
    """int64: 1 at the class of every element, along a new last dimension. -1: as many classes as the largest element needs.

    >>> import frazil as fz
    >>> fz.nn.functional.one_hot(fz.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])"""

def ones(*sizes: Any, size: Any = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, out: Any = None) -> Tensor:
    """A tensor of ones.

    >>> import frazil as fz
    >>> fz.ones(2)
    tensor([1., 1.])"""

def ones_like(input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None) -> Tensor:
    """Ones like `input`.

    >>> import frazil as fz
    >>> fz.ones_like(fz.zeros(2))
    tensor([1., 1.])"""

from .exporters import onnx as onnx

from . import optim as optim

def orgqr(A: Tensor, tau: Tensor, *, out: Any = None) -> Tensor:
    """The first columns of the product of reflections, as `geqrf` gives them: Q.

    >>> import frazil as fz
    >>> fz.linalg.householder_product(*fz.geqrf(fz.tensor([[3.0], [4.0]])))
    tensor([[-0.6000],
            [-0.8000]])"""

def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: _bool = True, transpose: _bool = False, *, out: Any = None) -> Tensor:
    """Q @ other (other @ Q unless `left`; Q.mH in the place of Q with `transpose`), for the reflections of Q as in `geqrf`.

    >>> import frazil as fz
    >>> fz.ormqr(*fz.geqrf(fz.tensor([[3.0], [4.0]])), fz.eye(2))
    tensor([[-0.6000, -0.8000],
            [-0.8000,  0.6000]])"""

def outer(input: Tensor, vec2: Tensor, *, out: Any = None) -> Tensor:
    """All products of the elements of two vectors.

    >>> import frazil as fz
    >>> fz.outer(fz.tensor([1, 2]), fz.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])"""

def pad(input: Tensor, pad: Sequence[Any], mode: _str = 'constant', value: Any = None) -> Tensor:
    """`input` surrounded: `pad` gives (before, after) from the last dimension backwards; negative numbers cut off.

    Modes: "constant" (with `value`, default 0), "reflect" (without repeating the edge), "replicate", "circular".

    >>> import frazil as fz
    >>> fz.nn.functional.pad(fz.tensor([1, 2, 3]), (1, 1))
    tensor([0, 1, 2, 3, 0])"""

def pairwise_distance(x1: Tensor, x2: Tensor, p: _float = 2.0, eps: _float = 1e-06, keepdim: _bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension.

    >>> import frazil as fz
    >>> fz.nn.functional.pairwise_distance(fz.tensor([[3.0, 4.0]]), fz.zeros(1, 2), eps=0.0)
    tensor([5.])"""

def pca_lowrank(A: Tensor, q: _int | None = None, center: _bool = True, niter: _int = 2, *, out: Any = None) -> Any:
    """The principal components of rows of features: U, S and V of A without the means of its columns, near to rank q.

    >>> import frazil as fz
    >>> fz.pca_lowrank(fz.tensor([[1.0], [3.0]])).S
    tensor([1.4142])"""

def pdist(input: Tensor, p: _float = 2.0) -> Tensor:
    """The p-norms of the differences of every two rows, the first with the second, the first with the third, ...

    >>> import frazil as fz
    >>> fz.pdist(fz.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])"""

def permute(input: Tensor, *dims: Any) -> Tensor:
    """A view with the dimensions in the order `dims`.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).permute(2, 0, 1).shape
    frazil.Size([4, 2, 3])"""

def permute_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `permute` gives, in memory of its own."""

pi: _float

def pinverse(input: Tensor, rcond: _float = 1e-15) -> Tensor:
    """The Moore-Penrose inverse; singular values of at most rcond * the largest count as 0."""

def pixel_shuffle(input: Tensor, upscale_factor: _int) -> Tensor:
    """As `fz.nn.functional.pixel_shuffle`."""

def pixel_unshuffle(input: Tensor, downscale_factor: _int) -> Tensor:
    """As `fz.nn.functional.pixel_unshuffle`."""

from . import plugins as plugins

def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson numbers with the means that `input` has.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> abs(fz.poisson(fz.full((1000,), 4.0)).mean().item() - 4) < 0.3
    True"""

def poisson_nll_loss(input: Tensor, target: Tensor, log_input: _bool, full: _bool, eps: _float, reduction: Any) -> Tensor:
    """As `fz.nn.functional.poisson_nll_loss`; the reduction is 0 (none), 1 (mean) or 2 (sum)."""

def polar(abs: Tensor, angle: Tensor, *, out: Any = None) -> Tensor:
    """The complex numbers with these sizes and angles.

    >>> import frazil as fz
    >>> fz.polar(fz.tensor([2.0]), fz.tensor([0.0]))
    tensor([2.+0.j])"""

def polygamma(n: _int, input: Tensor, *, out: Any = None) -> Tensor:
    """The n-th derivative of `digamma`; n = 0 is digamma itself.

    >>> import frazil as fz
    >>> fz.polygamma(1, fz.tensor([1.0]))
    tensor([1.6449])"""

def positive(input: Tensor) -> Tensor:
    """The tensor itself."""

def pow(input: Any, exponent: Any, *, out: Any = None) -> Tensor:
    """`input` to the power `exponent`, tensors or numbers.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])"""

def prelu(input: _Operand, weight: _Operand, *, out: Any = None) -> Tensor:
    """x where positive, else x * weight, with one weight or one per channel (dimension 1).

    >>> import frazil as fz
    >>> fz.prelu(fz.tensor([-2.0, 3.0]), fz.tensor([0.5]))
    tensor([-1.,  3.])"""

preserve_format: Any

def prod(input: _Operand, dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
    """Product over `dim` (one, several, or all); integers and bools give int64.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0, 4.0]).prod()
    tensor(8.)"""

from . import profiler as profiler

def promote_types(type1: Any, type2: Any) -> Any:
    """The smallest dtype that both convert to, by PyTorch's rules.

    >>> import frazil as fz
    >>> fz.promote_types(fz.int64, fz.float16), fz.promote_types(fz.uint8, fz.int8)
    (frazil.float16, frazil.int16)"""

def put(input: Tensor, index: Tensor, source: Tensor, accumulate: _bool = False, *, out: Any = None) -> Tensor:
    """A copy of `input` with `source` written at the places `index` of the flattened tensor, or added there.

    >>> import frazil as fz
    >>> fz.put(fz.zeros(2, 2), fz.tensor([1, 2]), fz.tensor([5.0, 6.0]))
    tensor([[0., 5.],
            [6., 0.]])"""

qint32: Any

qint8: Any

def qr(input: Tensor, some: _bool = True, *, out: Any = None) -> Any:
    """Q and R; as `fz.linalg.qr`, complete unless `some`."""

def quantile(input: Tensor, q: Any, dim: _int | None = None, keepdim: _bool = False, *, interpolation: _str = 'linear', out: Any = None) -> Tensor:
    """The q-quantiles (numbers from 0 to 1) of all elements or along `dim`; several make a first dimension of their own.

    >>> import frazil as fz
    >>> fz.quantile(fz.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5000)"""

quint8: Any

def rad2deg(input: Tensor, *, out: Any = None) -> Tensor:
    """Radians as degrees.

    >>> import frazil as fz
    >>> fz.rad2deg(fz.tensor([fz.pi]))
    tensor([180.])"""

def rad2deg_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `rad2deg`: writes the result into this tensor and returns it."""

def rand(*size: Any, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False, out: Any = None) -> Tensor:
    """Uniform numbers in [0, 1).

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> fz.rand(2, 3).shape
    frazil.Size([2, 3])"""

def rand_like(input: Tensor, *, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None, layout: Any = None) -> Tensor:
    """Uniform numbers in [0, 1), as many as `input` has elements.

    >>> import frazil as fz
    >>> fz.rand_like(fz.zeros(2, 3)).shape
    frazil.Size([2, 3])"""

def randint(*args: Any, low: _int = 0, high: _int | None = None, size: Any = None, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, out: Any = None) -> Tensor:
    """Uniform integers in low .. high - 1: `randint(high, size)` or `randint(low, high, size)`.

    >>> import frazil as fz
    >>> x = fz.randint(3, 6, (1000,))
    >>> x.dtype, x.min().item(), x.max().item()
    (frazil.int64, 3, 5)"""

def randint_like(input: Tensor, *args: _int, low: _int = 0, high: _int | None = None, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None, layout: Any = None) -> Tensor:
    """Uniform integers in low .. high - 1, as many as `input` has elements: arguments `(x, high)` or `(x, low, high)`.

    >>> import frazil as fz
    >>> fz.randint_like(fz.zeros(2), 5).dtype
    frazil.float32"""

def randn(*size: Any, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False, out: Any = None) -> Tensor:
    """Normal numbers with mean 0 and standard deviation 1.

    >>> import frazil as fz
    >>> fz.randn(10000).std().item() > 0.9
    True"""

def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None, layout: Any = None) -> Tensor:
    """Standard normal numbers, as many as `input` has elements.

    >>> import frazil as fz
    >>> fz.randn_like(fz.zeros(2, 3)).shape
    frazil.Size([2, 3])"""

from . import random as random

def randperm(n: Any, *, generator: Generator | None = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False, out: Any = None) -> Tensor:
    """The integers 0 .. n - 1 in random order.

    >>> import frazil as fz
    >>> sorted(fz.randperm(4).tolist())
    [0, 1, 2, 3]"""

def range(start: Any, end: Any, step: Any = 1, *, out: Any = None, **options: Any) -> Tensor:
    """As `arange`, with the end included.

    >>> import frazil as fz
    >>> fz.range(1, 3)
    tensor([1., 2., 3.])"""

def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension; a copy unless they lie in order."""

def real(input: Tensor) -> Tensor:
    """The real parts, a view; of a real tensor itself.

    >>> import frazil as fz
    >>> fz.real(fz.tensor([1 + 2j]))
    tensor([1.])"""

def reciprocal(input: _Operand, *, out: Any = None) -> Tensor:
    """1 / x.

    >>> import frazil as fz
    >>> fz.reciprocal(fz.tensor([4.0]))
    tensor([0.2500])"""

def reciprocal_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `reciprocal`: writes the result into this tensor and returns it."""

def relu(input: _Operand, *, out: Any = None) -> Tensor:
    """max(x, 0); the gradient at 0 is 0.

    >>> import frazil as fz
    >>> fz.relu(fz.tensor([-1.0, 2.0]))
    tensor([0., 2.])"""

def relu_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `relu`: writes the result into this tensor and returns it."""

def remainder(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """Return what `floor_divide` leaves; has the sign of the divisor, as Python's %.

    >>> import frazil as fz
    >>> fz.tensor([7, -7]) % 3
    tensor([1, 2])"""

def renorm(input: Tensor, p: _float, dim: _int, maxnorm: _float, *, out: Any = None) -> Tensor:
    """The slices along `dim`, those with a p-norm above `maxnorm` scaled down to it.

    >>> import frazil as fz
    >>> fz.renorm(fz.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])"""

def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor laid out `repeats` times in every dimension.

    >>> import frazil as fz
    >>> fz.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])"""

def repeat_interleave(input: Tensor, repeats: Any = None, dim: _int | None = None, *, output_size: _int | None = None) -> Tensor:
    """Every element along `dim` repeated `repeats` times (a number, or one per element). `repeat_interleave(repeats)` repeats
    the positions.

    >>> import frazil as fz
    >>> fz.repeat_interleave(fz.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])"""

def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where possible.

    >>> import frazil as fz
    >>> fz.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])"""

def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` reshaped to the shape of `other`."""

def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Change the shape in place to that of another tensor.

    >>> import frazil as fz
    >>> fz.resize_as_(fz.ones(4), fz.zeros(2)).shape
    frazil.Size([2])"""

def resolve_conj(input: Tensor) -> Tensor:
    """The tensor with its conjugation carried out; real tensors have none."""

def resolve_neg(input: Tensor) -> Tensor:
    """The tensor with its negation carried out; tensors here have none that waits."""

def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype that arithmetic on two tensors or numbers has.

    >>> import frazil as fz
    >>> fz.result_type(fz.tensor([1, 2]), 1.5)
    frazil.float32"""

def rms_norm(input: Tensor, normalized_shape: Sequence[_int], weight: Tensor | None = None, eps: _float | None = None) -> Tensor:
    """As `fz.nn.functional.rms_norm`."""

def rnn_relu(input: Tensor, hx: Tensor, params: Sequence[Tensor], has_biases: _bool, num_layers: _int, dropout: _float, train: _bool, bidirectional: _bool, batch_first: _bool) -> Any:
    """The layers of `fz.nn.RNN` with these weights: the results and the last h."""

def rnn_relu_cell(input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None) -> Any:
    """One step of `rnn_relu`: the next state of a batch."""

def rnn_tanh(input: Tensor, hx: Tensor, params: Sequence[Tensor], has_biases: _bool, num_layers: _int, dropout: _float, train: _bool, bidirectional: _bool, batch_first: _bool) -> Any:
    """The layers of `fz.nn.RNN` with these weights: the results and the last h."""

def rnn_tanh_cell(input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None) -> Any:
    """One step of `rnn_tanh`: the next state of a batch."""

def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along `dims`, those pushed out coming in at the other end.

    >>> import frazil as fz
    >>> fz.roll(fz.arange(4), 1)
    tensor([3, 0, 1, 2])"""

def rot90(input: Tensor, k: _int = 1, dims: Any = ...) -> Tensor:
    """Turned by k times 90 degrees in the plane of two dimensions.

    >>> import frazil as fz
    >>> fz.rot90(fz.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])"""

def round(input: Tensor, *, decimals: _int = 0, out: Any = None) -> Tensor:
    """The nearest multiple of 10**-decimals; halves go to the even one.

    >>> import frazil as fz
    >>> fz.round(fz.tensor([0.5, 1.5, 2.3]))
    tensor([0., 2., 2.])"""

def round_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `round`: writes the result into this tensor and returns it."""

def row_stack(tensors: Sequence[Tensor], *, out: Any = None) -> Tensor:
    """As `vstack`.

    >>> import frazil as fz
    >>> fz.row_stack([fz.tensor([1, 2]), fz.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])"""

def rrelu(input: Tensor, lower: _float = 0.125, upper: _float = 0.3333333333333333, training: _bool = False, generator: Any = None) -> Tensor:
    """As `fz.nn.functional.rrelu`."""

def rrelu_(input: Tensor, lower: _float = 0.125, upper: _float = 0.3333333333333333, training: _bool = False, generator: Any = None) -> Tensor:
    """In-place form of `rrelu`."""

def rsqrt(input: _Operand, *, out: Any = None) -> Tensor:
    """1 / sqrt(x).

    >>> import frazil as fz
    >>> fz.rsqrt(fz.tensor([4.0]))
    tensor([0.5000])"""

def rsqrt_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `rsqrt`: writes the result into this tensor and returns it."""

def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`other - alpha * input`.

    >>> import frazil as fz
    >>> fz.rsub(fz.tensor([1.0]), 3)
    tensor([2.])"""

def save(obj: Any, f: Any) -> None:
    """Write `obj` to the file `f` (a path or a binary file object).

    `obj` is a tensor or any nesting of dict, OrderedDict, list, tuple, set, Counter with tensors, NumPy arrays, numbers, str,
    bytes, bool, None, dtypes, devices and sizes. Tensors on the CPU that are the same memory are stored once and are the same
    memory again after loading, and so are views of a contiguous tensor that is saved with them (in PyTorch's format: all views of
    one memory, which is stored whole). A module, a dataclass or any object that is nothing but its attributes, whole or inside of
    these, is stored by the name of its class and its attributes, and the member of an Enum by its name; a file holds no hooks and
    no lambdas. A path is written atomically: a crash leaves the old file or the new one. What a link points to is written; a
    device or a pipe is written to.

    A name that ends in `.pt` or `.pth` gets PyTorch's own format, which `torch.load(path)` reads (with NumPy arrays or an
    argparse.Namespace in it: `torch.load(path, weights_only=False)`). It holds no frozensets and no modules: a file with one of
    those gets a safetensors file and a warning. So does, without one, every other name and a file object without a name.
    `load` tells them apart by their content.

    >>> import frazil as fz, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> fz.save({"weights": fz.ones(2), "epoch": 3, "betas": (0.9, 0.999)}, path)
    >>> fz.load(path)
    {'weights': tensor([1., 1.]), 'epoch': 3, 'betas': (0.9, 0.999)}"""

def scalar_tensor(s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False) -> Tensor:
    """A 0-d tensor.

    >>> import frazil as fz
    >>> fz.scalar_tensor(2)
    tensor(2.)"""

def scan(combine_fn: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, *, dim: _int = 0, reverse: _bool = False) -> Any:
    """`carry, y = combine_fn(carry, x)` for every slice x of `xs` along `dim`; the last carry, and all y stacked along dim 0.

    Args:
        init: the first carry: tensors, nested at will.
        xs: tensors, nested at will, of the same size along `dim`.
        reverse: go from the last slice to the first; the y still stand in the order of the slices.

    >>> import frazil as fz
    >>> fz.scan(lambda total, x: (total + x, total), fz.tensor(0), fz.tensor([1, 2, 3]))
    (tensor(6), tensor([0, 1, 3]))"""

def scatter(input: Tensor, dim: _int, index: Tensor, src: Any = None, *, value: Any = None, reduce: _str | None = None, out: Any = None) -> Tensor:
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`; `reduce` "add" or "multiply".

    >>> import frazil as fz
    >>> fz.zeros(3).scatter(0, fz.tensor([0, 2]), fz.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])"""

def scatter_add(input: Tensor, dim: _int, index: Tensor, src: Tensor, *, out: Any = None) -> Tensor:
    """A copy of `input` with `src` added at `index` along `dim`; repeated indices add up.

    >>> import frazil as fz
    >>> fz.zeros(2).scatter_add(0, fz.tensor([0, 0, 1]), fz.tensor([1.0, 2.0, 3.0]))
    tensor([3., 3.])"""

def scatter_reduce(input: Tensor, dim: _int, index: Tensor, src: Tensor, reduce: _str, *, include_self: _bool = True, out: Any = None) -> Tensor:
    """A copy of `input` in which every element that `index` names along `dim` becomes the "sum", "prod", "mean", "amax" or "amin"
    of itself (unless `include_self` is off) and the elements of `src` sent there.

    >>> import frazil as fz
    >>> fz.scatter_reduce(fz.zeros(2), 0, fz.tensor([0, 0]), fz.tensor([1.0, 3.0]), "mean", include_self=False)
    tensor([2., 0.])
    >>> fz.scatter_reduce(fz.tensor([2.0, 7.0]), 0, fz.tensor([0, 0]), fz.tensor([1.0, 3.0]), "amax")
    tensor([3., 7.])"""

def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: _bool = False, right: _bool = False, side: _str | None = None, sorter: Tensor | None = None, out: Any = None) -> Tensor:
    """For every value, where it would go in a sorted sequence (last dimension) to keep it sorted. `sorter`: the order in which
    the sequence, unsorted, is taken.

    >>> import frazil as fz
    >>> fz.searchsorted(fz.tensor([1, 3, 5]), fz.tensor([3, 4]))
    tensor([1, 2])"""

def seed() -> _int:
    """Give the default generators a seed nobody can foretell; that seed."""

def segment_reduce(data: Tensor, reduce: _str, *, lengths: Tensor | None = None, indices: Tensor | None = None, offsets: Tensor | None = None, axis: _int = 0, unsafe: _bool = False, initial: _float | None = None) -> Tensor:
    """The "sum", "mean", "prod", "max" or "min" of consecutive parts along `axis`, of `lengths` or between `offsets`.

    Args:
        initial: what every part begins with; without it the mean of nothing is NaN, the others what changes no other.

    >>> import frazil as fz
    >>> fz.segment_reduce(fz.tensor([1.0, 2.0, 3.0]), "sum", lengths=fz.tensor([2, 0, 1]))
    tensor([3., 0., 3.])"""

def select(input: _Operand, dim: Any, index: Any, *, out: Any = None) -> Tensor:
    """A view of the element `index` along `dim`, without that dimension.

    >>> import frazil as fz
    >>> fz.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])"""

def select_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `select` gives, in memory of its own."""

def select_scatter(input: Tensor, src: Tensor, dim: _int, index: _int) -> Tensor:
    """A copy of `input` with the element `index` along `dim` replaced by `src`.

    >>> import frazil as fz
    >>> fz.select_scatter(fz.zeros(2, 2), fz.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])"""

def selu(input: _Operand, *, out: Any = None) -> Tensor:
    """The self-normalising elu.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.

    >>> import frazil as fz
    >>> fz.selu(fz.tensor([1.0]))
    tensor([1.0507])"""

def selu_(input: Tensor) -> Tensor:
    """`selu`, in place."""

from . import serialization as serialization

def set_anomaly_enabled(enabled: _bool, check_nan: _bool = True) -> None:
    """Switch `detect_anomaly` on or off for good.

    >>> import frazil as fz
    >>> fz.set_anomaly_enabled(False)"""

def set_default_device(d: Any) -> None:
    """New tensors made without `device=` live on `d`; None goes back to the configuration.

    >>> import frazil as fz
    >>> fz.set_default_device("cpu")"""

def set_default_dtype(d: Any) -> None:
    """Make `d` (a floating dtype) the default for new floating tensors.

    >>> import frazil as fz
    >>> fz.set_default_dtype(fz.float64); fz.tensor(1.5).dtype
    frazil.float64
    >>> fz.set_default_dtype(fz.float32)"""

def set_default_tensor_type(t: Any) -> None:
    """Make the dtype of a legacy floating type (or its name) the default; `set_default_dtype` is the modern form.

    >>> import frazil as fz
    >>> fz.set_default_tensor_type("torch.DoubleTensor"); fz.ones(1).dtype
    frazil.float64
    >>> fz.set_default_tensor_type(fz.FloatTensor)"""

def set_deterministic_debug_mode(debug_mode: _int | _str) -> None:
    """`use_deterministic_algorithms` by a word or number: "default" or 0, "warn" or 1, "error" or 2.

    >>> import frazil as fz
    >>> fz.set_deterministic_debug_mode("default"); fz.get_deterministic_debug_mode()
    0"""

def set_float32_matmul_precision(precision: _str) -> None:
    """One of "highest", "high" and "medium", remembered; float32 is multiplied as such.

    >>> import frazil as fz
    >>> fz.set_float32_matmul_precision("high"); fz.get_float32_matmul_precision()
    'high'"""

def set_flush_denormal(mode: _bool) -> _bool:
    """Return False: denormal numbers are always kept, as on a CPU that PyTorch cannot switch.

    >>> import frazil as fz
    >>> fz.set_flush_denormal(True)
    False"""

from .autograd.modes import set_grad_enabled as set_grad_enabled

def set_num_interop_threads(threads: _int) -> None:
    """Remembered; operations run one after the other.

    >>> import frazil as fz
    >>> fz.set_num_interop_threads(1); fz.get_num_interop_threads()
    1"""

def set_num_threads(threads: _int) -> None:
    """Remembered; how many threads compute is the backend's business, of which the first call with another number warns.

    ArgumentError for less than 1.

    >>> import frazil as fz
    >>> fz.set_num_threads(fz.get_num_threads())"""

def set_printoptions(precision: _int | None = None, threshold: _int | None = None, edgeitems: _int | None = None, linewidth: _int | None = None, profile: _str | None = None, sci_mode: _bool | None = None) -> None:
    """Set how tensors print: digits, from how many elements on they are shortened, how many remain at the edges, line width.

    >>> import frazil as fz
    >>> fz.set_printoptions(precision=2); fz.tensor([1 / 3])
    tensor([0.33])
    >>> fz.set_printoptions(profile="default")"""

def set_rng_state(new_state: Tensor) -> None:
    """Bring the CPU's default generator into a state that `get_rng_state` returned."""

def sgn(input: Tensor, *, out: Any = None) -> Tensor:
    """x / |x|, and 0 at 0: the sign of real numbers, the direction of complex ones.

    >>> import frazil as fz
    >>> fz.sgn(fz.tensor([3j, 0]))
    tensor([0.+1.j, 0.+0.j])"""

short: Any

def sigmoid(input: _Operand, *, out: Any = None) -> Tensor:
    """1 / (1 + exp(-x)), without overflow.

    >>> import frazil as fz
    >>> fz.sigmoid(fz.tensor([0.0]))
    tensor([0.5000])"""

def sigmoid_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `sigmoid`: writes the result into this tensor and returns it."""

def sign(input: _Operand, *, out: Any = None) -> Tensor:
    """-1, 0 or 1 by the sign; NaN stays NaN.

    >>> import frazil as fz
    >>> fz.sign(fz.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])"""

def signbit(input: Tensor, *, out: Any = None) -> Tensor:
    """Return whether the sign bit is set: for negative numbers and -0.0.

    >>> import frazil as fz
    >>> fz.signbit(fz.tensor([-1.0, -0.0, 0.0]))
    tensor([ True,  True, False])"""

def sin(input: _Operand, *, out: Any = None) -> Tensor:
    """Sine of x in radians.

    >>> import frazil as fz
    >>> fz.sin(fz.tensor([0.0]))
    tensor([0.])"""

def sin_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `sin`: writes the result into this tensor and returns it."""

def sinc(input: Tensor, *, out: Any = None) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0.

    >>> import frazil as fz
    >>> fz.sinc(fz.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])"""

def sinc_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `sinc`: writes the result into this tensor and returns it."""

def sinh(input: _Operand, *, out: Any = None) -> Tensor:
    """Hyperbolic sine.

    >>> import frazil as fz
    >>> fz.sinh(fz.tensor([0.0]))
    tensor([0.])"""

def sinh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `sinh`: writes the result into this tensor and returns it."""

def slice_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `slice` gives, in memory of its own."""

def slice_scatter(input: Tensor, src: Tensor, dim: _int = 0, start: _int | None = None, end: _int | None = None, step: _int = 1) -> Tensor:
    """A copy of `input` with [start:end:step] along `dim` replaced by `src`.

    >>> import frazil as fz
    >>> fz.slice_scatter(fz.zeros(3), fz.ones(2), 0, 1)
    tensor([0., 1., 1.])"""

def slogdet(input: Tensor, *, out: Any = None) -> Any:
    """Sign and logarithm of the size of the determinant; as `fz.linalg.slogdet`."""

def smm(input: Tensor, mat: Tensor) -> Tensor:
    """As `hspmm`, with numbers as entries.

    >>> import frazil as fz
    >>> fz.smm(fz.sparse_coo_tensor([[1], [0]], [2.0], (3, 2)), fz.ones(2, 2)).indices()
    tensor([[1, 1],
            [0, 1]])"""

def softmax(input: Tensor, dim: _int, dtype: Any = None, *, out: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow; with `dtype`, computed in that.

    >>> import frazil as fz
    >>> fz.softmax(fz.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])"""

def softplus(input: _Operand, beta: _float = 1.0, threshold: _float = 20.0, *, out: Any = None) -> Tensor:
    """A smooth ramp, log(1 + exp(beta x)) / beta; the identity where beta x > threshold.

    >>> import frazil as fz
    >>> fz.softplus(fz.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])"""

def sort(input: Tensor, dim: _int = -1, descending: _bool = False, stable: _bool = False, *, out: Any = None) -> tuple[Tensor, Tensor]:
    """Values in order along `dim`, and where they were. Always stable; NaN counts as the largest.

    >>> import frazil as fz
    >>> fz.sort(fz.tensor([3.0, 1.0, 2.0])).indices
    tensor([1, 2, 0])"""

from . import sparse as sparse

sparse_coo: Any

def sparse_coo_tensor(indices: Any = None, values: Any = None, size: Any = None, *, dtype: DType | None = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False, check_invariants: _bool | None = None, is_coalesced: _bool | None = None) -> Tensor:
    """A sparse tensor in the coordinate format: `indices` [sparse dimensions, entries], `values` [entries, *dense dimensions].

    Without a size it is the smallest one that holds all entries. Gradients flow to `values`, or with `requires_grad` end here.

    >>> import frazil as fz
    >>> a = fz.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    >>> a
    tensor(indices=tensor([[0, 1, 1],
                           [2, 0, 2]]),
           values=tensor([3., 4., 5.]),
           size=(2, 3), nnz=3, layout=frazil.sparse_coo)
    >>> a.to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])"""

sparse_csr: Any

def sparse_csr_tensor(crow_indices: Any, col_indices: Any, values: Any, size: Any = None, *, dtype: DType | None = None, device: Any = None, pin_memory: _bool = False, requires_grad: _bool = False, check_invariants: _bool | None = None) -> Tensor:
    """A sparse matrix in the compressed row format: row `i` has those from `crow_indices[i]` to `crow_indices[i + 1]`.

    >>> import frazil as fz
    >>> fz.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [3.0, 4.0, 5.0]).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 5.]])"""

def split(tensor: Tensor, split_size_or_sections: Any, dim: _int = 0) -> Any:
    """Views of `tensor` along `dim`: pieces of one size (the last may be smaller), or of the given sizes.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(5).split(2)]
    [[0, 1], [2, 3], [4]]"""

def split_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `split` gives, in memory of its own."""

def split_with_sizes(input: Tensor, split_sizes: Sequence[_int], dim: _int = 0) -> Any:
    """As `split` with a list of sizes."""

def split_with_sizes_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `split_with_sizes` gives, in memory of its own."""

def spmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """The older name of `fz.sparse.mm`.

    >>> import frazil as fz
    >>> fz.spmm(fz.eye(2).to_sparse(), fz.ones(2, 1))
    tensor([[1.],
            [1.]])"""

def sqrt(input: _Operand, *, out: Any = None) -> Tensor:
    """Square root.

    >>> import frazil as fz
    >>> fz.sqrt(fz.tensor([4.0]))
    tensor([2.])"""

def sqrt_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `sqrt`: writes the result into this tensor and returns it."""

def square(input: _Operand, *, out: Any = None) -> Tensor:
    """x * x; of bools an int64.

    >>> import frazil as fz
    >>> fz.square(fz.tensor([3.0]))
    tensor([9.])"""

def square_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `square`: writes the result into this tensor and returns it."""

def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """A view without the dimensions of size 1 (all, or those in `dim`).

    >>> import frazil as fz
    >>> fz.zeros(1, 3, 1).squeeze().shape, fz.zeros(1, 3, 1).squeeze(0).shape
    (frazil.Size([3]), frazil.Size([3, 1]))"""

def squeeze_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `squeeze` gives, in memory of its own."""

def stack(tensors: Sequence[Tensor], dim: _int = 0, *, out: Any = None) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    >>> import frazil as fz
    >>> fz.stack([fz.tensor([1, 2]), fz.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])"""

def std(input: Tensor, dim: Any = None, unbiased: _bool | None = None, keepdim: _bool = False, *, correction: Any = None, out: Any = None) -> Tensor:
    """Standard deviation over `dim`, with divisor n - correction (default 1).

    >>> import frazil as fz
    >>> fz.std(fz.tensor([1.0, 2.0, 3.0]))
    tensor(1.)"""

def std_mean(input: Tensor, dim: Any = None, unbiased: _bool | None = None, keepdim: _bool = False, *, correction: Any = None, out: Any = None) -> Any:
    """Standard deviation and mean over `dim`.

    >>> import frazil as fz
    >>> fz.std_mean(fz.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))"""

def stft(input: Tensor, n_fft: _int, hop_length: _int | None = None, win_length: _int | None = None, window: Tensor | None = None, center: _bool = True, pad_mode: _str = 'reflect', normalized: _bool = False, onesided: _bool | None = None, return_complex: _bool | None = None, align_to_window: _bool | None = None) -> Tensor:
    """The Fourier transforms of pieces of `n_fft` points, `hop_length` apart, each seen through `window`.

    The result is [..., frequencies, pieces].

    `center` lengthens the signal by half a piece at both ends, so that piece t is around point t * hop_length.

    >>> import frazil as fz
    >>> fz.stft(fz.ones(16), 8, 4, window=fz.hann_window(8), return_complex=True).shape
    frazil.Size([5, 5])"""

strided: Any

def sub(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """`input - alpha * other`.

    >>> import frazil as fz
    >>> fz.sub(fz.tensor([1.0]), fz.tensor([2.0]), alpha=3)
    tensor([-5.])"""

def subtract(input: Any, other: Any, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """`input - alpha * other`.

    >>> import frazil as fz
    >>> fz.sub(fz.tensor([1.0]), fz.tensor([2.0]), alpha=3)
    tensor([-5.])"""

def sum(input: _Operand, dim: Any = None, keepdim: _bool = False, dtype: Any = None, *, out: Any = None) -> Tensor:
    """Sum over `dim` (one, several, or all); integers and bools give int64.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(0)
    tensor([4., 6.])"""

def svd(input: Tensor, some: _bool = True, compute_uv: _bool = True, *, out: Any = None) -> Any:
    """U, S and V (not transposed) of input = U @ diag(S) @ V.mH; `fz.linalg.svd` gives Vh."""

def svd_lowrank(A: Tensor, q: _int | None = 6, niter: _int | None = 2, M: Tensor | None = None, *, out: Any = None) -> Any:
    """U, S and V of a matrix (or A - M) near to one of rank q, found in the span of its products with q random vectors
    (N. Halko, P. G. Martinsson and J. A. Tropp, 2009).

    >>> import frazil as fz
    >>> fz.svd_lowrank(fz.ones(4, 3), 1).S
    tensor([3.4641])"""

def swapaxes(input: Tensor, dim0: _int, dim1: _int) -> Tensor:
    """A view with two dimensions exchanged.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).transpose(0, 1).shape
    frazil.Size([3, 2])"""

def swapdims(input: Tensor, dim0: _int, dim1: _int) -> Tensor:
    """A view with two dimensions exchanged.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).transpose(0, 1).shape
    frazil.Size([3, 2])"""

def sym_float(a: Any) -> Any:
    """As `float`; of a size of a recording a SymFloat.

    >>> import frazil as fz
    >>> fz.sym_float(2)
    2.0"""

def sym_int(a: Any) -> Any:
    """The whole number towards 0, as `int`; of a size of a recording a size.

    >>> import frazil as fz
    >>> fz.sym_int(-3.7)
    -3"""

def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t` where `b` is true, else `f`. A recording notes which it was.

    >>> import frazil as fz
    >>> fz.sym_ite(3 > 2, 1, 0)
    1"""

def sym_max(a: Any, b: Any) -> Any:
    """The larger of two numbers, a float if one is; of sizes a size.

    >>> import frazil as fz
    >>> fz.sym_max(3, 2.0)
    3.0"""

def sym_min(a: Any, b: Any) -> Any:
    """The smaller of two numbers, a float if one is; of sizes a size.

    >>> import frazil as fz
    >>> fz.sym_min(3, 2.0)
    2.0"""

def sym_not(a: Any) -> Any:
    """As `not`; of a condition on sizes a condition.

    >>> import frazil as fz
    >>> fz.sym_not(True)
    False"""

def sym_sqrt(a: Any) -> Any:
    """The square root of a number; of a size a SymFloat.

    >>> import frazil as fz
    >>> fz.sym_sqrt(9)
    3.0"""

def sym_sum(args: Iterable[Any]) -> Any:
    """The sum of numbers or sizes.

    >>> import frazil as fz
    >>> fz.sym_sum([1, 2, 3])
    6"""

def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).t().shape
    frazil.Size([3, 2])"""

def t_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `t` gives, in memory of its own."""

def take(input: Tensor, index: Tensor, *, out: Any = None) -> Tensor:
    """Elements of the flattened tensor.

    >>> import frazil as fz
    >>> fz.take(fz.tensor([[1, 2], [3, 4]]), fz.tensor([0, 3]))
    tensor([1, 4])"""

def take_along_dim(input: Tensor, indices: Tensor, dim: _int | None = None, *, out: Any = None) -> Tensor:
    """As `gather`, with broadcasting of the other dimensions; without `dim`, elements of the flattened tensor. Negative
    indices count from the end.

    >>> import frazil as fz
    >>> x = fz.tensor([[3, 1], [0, 2]])
    >>> fz.take_along_dim(x, x.argsort(1), 1)
    tensor([[1, 3],
            [0, 2]])"""

def tan(input: _Operand, *, out: Any = None) -> Tensor:
    """Tangent of x in radians.

    >>> import frazil as fz
    >>> fz.tan(fz.tensor([0.0]))
    tensor([0.])"""

def tan_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `tan`: writes the result into this tensor and returns it."""

def tanh(input: _Operand, *, out: Any = None) -> Tensor:
    """Hyperbolic tangent.

    >>> import frazil as fz
    >>> fz.tanh(fz.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])"""

def tanh_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `tanh`: writes the result into this tensor and returns it."""

def tensor(data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, pin_memory: _bool = False) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested sequences, NumPy arrays, tensors.

    Python floats get the default dtype (float32), integers int64; arrays keep theirs.

    >>> import frazil as fz
    >>> fz.tensor([[1, 2], [3, 4]]).dtype, fz.tensor(1.5).dtype
    (frazil.int64, frazil.float32)"""

def tensor_split(input: Tensor, indices_or_sections: Any, dim: _int = 0) -> Any:
    """Views along `dim`: a number of nearly equal ones, or cut at the given indices.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(5).tensor_split(2)]
    [[0, 1, 2], [3, 4]]"""

def tensordot(a: Tensor, b: Tensor, dims: Any = 2, *, out: Any = None) -> Tensor:
    """Sum of products over several dimensions: the last `dims` of a with the first of b, or lists of both.

    >>> import frazil as fz
    >>> fz.tensordot(fz.ones(2, 3), fz.ones(3, 4), 1).shape
    frazil.Size([2, 4])"""

from . import testing as testing

def threshold(input: Tensor, threshold: Any, value: Any) -> Tensor:
    """`input` where it is above `threshold`, else `value`."""

def threshold_(input: Tensor, threshold: _float, value: _float) -> Tensor:
    """`threshold`, in place."""

def tile(input: Tensor, *dims: Any) -> Tensor:
    """As `repeat`; missing leading counts are 1.

    >>> import frazil as fz
    >>> fz.tile(fz.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])"""

def topk(input: Tensor, k: _int, dim: _int = -1, largest: _bool = True, sorted: _bool = True, *, out: Any = None) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) elements along `dim`, in order, and where they were. Of equals, the first.

    >>> import frazil as fz
    >>> fz.topk(fz.tensor([3.0, 1.0, 2.0]), 2).values
    tensor([3., 2.])"""

def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix.

    >>> import frazil as fz
    >>> fz.trace(fz.tensor([[1, 2], [3, 4]]))
    tensor(5)"""

def transpose(input: Tensor, dim0: _int, dim1: _int) -> Tensor:
    """A view with two dimensions exchanged.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).transpose(0, 1).shape
    frazil.Size([3, 2])"""

def transpose_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `transpose` gives, in memory of its own."""

def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: _float = 1.0, dim: _int = -1) -> Tensor:
    """The integral of samples `y` along `dim` by the trapezoidal rule, at points `x` or `dx` apart.

    >>> import frazil as fz
    >>> fz.trapezoid(fz.tensor([0.0, 1.0, 2.0]))
    tensor(2.)"""

def trapz(y: Tensor, x: Tensor | None = None, *, dx: _float = 1.0, dim: _int = -1) -> Tensor:
    """The integral of samples `y` along `dim` by the trapezoidal rule, at points `x` or `dx` apart.

    >>> import frazil as fz
    >>> fz.trapezoid(fz.tensor([0.0, 1.0, 2.0]))
    tensor(2.)"""

def triangular_solve(b: Tensor, A: Tensor, upper: _bool = True, transpose: _bool = False, unitriangular: _bool = False, *, out: Any = None) -> Any:
    """X with A @ X = b, of A one triangle, transposed if `transpose`; and a copy of A.

    >>> import frazil as fz
    >>> fz.triangular_solve(fz.ones(1, 1), fz.tensor([[2.0]])).solution
    tensor([[0.5000]])"""

def tril(input: _Operand, diagonal: _int = 0, *, out: Any = None) -> Tensor:
    """The elements on and below a diagonal of the last two dimensions; 0 elsewhere.

    >>> import frazil as fz
    >>> fz.tril(fz.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])"""

def tril_indices(row: _int, col: _int, offset: _int = 0, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """int64[2, n]: the positions on and below a diagonal.

    >>> import frazil as fz
    >>> fz.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])"""

def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: _float = 1.0, p: _float = 2.0, eps: _float = 1e-06, swap: _bool = False, reduction: Any = 0) -> Tensor:
    """As `fz.nn.functional.triplet_margin_loss`; the reduction is 0 (none, the default), 1 (mean) or 2 (sum)."""

def triu(input: _Operand, diagonal: _int = 0, *, out: Any = None) -> Tensor:
    """The elements on and above a diagonal of the last two dimensions; 0 elsewhere.

    >>> import frazil as fz
    >>> fz.triu(fz.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])"""

def triu_indices(row: _int, col: _int, offset: _int = 0, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """int64[2, n]: the positions on and above a diagonal.

    >>> import frazil as fz
    >>> fz.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])"""

def true_divide(input: Any, other: Any, *, rounding_mode: _str | None = None, out: Any = None) -> Tensor:
    """Division; `rounding_mode` None (true division), "floor" or "trunc".

    >>> import frazil as fz
    >>> fz.div(fz.tensor([7.0, -7.0]), 2, rounding_mode="trunc")
    tensor([ 3., -3.])"""

def trunc(input: _Operand, *, out: Any = None) -> Tensor:
    """x without its fraction.

    >>> import frazil as fz
    >>> fz.trunc(fz.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])"""

def trunc_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `trunc`: writes the result into this tensor and returns it."""

def typename(obj: Any) -> _str:
    """The name of a tensor's type, or of the class of anything else, with its module.

    >>> import frazil as fz
    >>> fz.typename(fz.ones(1)), fz.typename(3)
    ('frazil.FloatTensor', 'int')"""

uint16: Any

uint32: Any

uint64: Any

uint8: Any

def unbind(input: Tensor, dim: _int = 0) -> Any:
    """All elements along `dim`, as views without it.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.tensor([[1, 2], [3, 4]]).unbind(1)]
    [[1, 3], [2, 4]]"""

def unbind_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `unbind` gives, in memory of its own."""

def unflatten(input: Tensor, dim: _int, sizes: Any) -> Tensor:
    """Dimension `dim` split into several of `sizes`; one may be -1.

    >>> import frazil as fz
    >>> fz.zeros(2, 12).unflatten(1, (3, -1)).shape
    frazil.Size([2, 3, 4])"""

def unfold(input: Tensor, dimension: _int, size: _int, step: _int) -> Tensor:
    """Windows of `size` along `dimension`, `step` apart, as a new last dimension. Windows that overlap are a copy (in PyTorch,
    a view), to which nothing can be written.

    >>> import frazil as fz
    >>> fz.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])"""

def unfold_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `unfold` gives, in memory of its own."""

def unique(input: Tensor, sorted: _bool = True, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
    """The distinct elements of the flattened tensor, or slices along `dim`, in order; optionally where each went, and how many of
    each there are. NaN is distinct from NaN.

    >>> import frazil as fz
    >>> fz.unique(fz.tensor([3, 1, 3]))
    tensor([1, 3])"""

def unique_consecutive(input: Tensor, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
    """The elements of the flattened tensor, or the slices along `dim`, without repetitions of the one before; optionally where
    each went, and how many each stands for.

    >>> import frazil as fz
    >>> fz.unique_consecutive(fz.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])"""

def unravel_index(indices: Tensor, shape: Any) -> Any:
    """The positions along every dimension of `shape` that positions in the flattened tensor are.

    >>> import frazil as fz
    >>> fz.unravel_index(fz.tensor([0, 5]), (2, 3))
    (tensor([0, 1]), tensor([0, 2]))"""

def unsafe_chunk(input: Tensor, chunks: _int, dim: _int = 0) -> Any:
    """As `chunk`; whether what it gives is written to is the program's affair."""

def unsafe_split(input: Tensor, split_size: Any, dim: _int = 0) -> Any:
    """As `split`; whether what it gives is written to is the program's affair."""

def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[_int], dim: _int = 0) -> Any:
    """As `split_with_sizes`; whether what it gives is written to is the program's affair."""

def unsqueeze(input: Tensor, dim: _int) -> Tensor:
    """A view with a dimension of size 1 put in at `dim`.

    >>> import frazil as fz
    >>> fz.zeros(3).unsqueeze(0).shape
    frazil.Size([1, 3])"""

def unsqueeze_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `unsqueeze` gives, in memory of its own."""

def use_deterministic_algorithms(mode: _bool, *, warn_only: _bool = False) -> None:
    """Remembered. On the CPU the same program gives the same numbers anyway; of other devices see their backends.

    >>> import frazil as fz
    >>> fz.use_deterministic_algorithms(True)"""

from . import utils as utils

def values_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `values` gives, in memory of its own."""

def vander(x: Tensor, N: _int | None = None, increasing: _bool = False) -> Tensor:
    """Powers of a vector as columns: x^(N-1), ..., x, 1, or the other way round.

    >>> import frazil as fz
    >>> fz.vander(fz.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])"""

def var(input: Tensor, dim: Any = None, unbiased: _bool | None = None, keepdim: _bool = False, *, correction: Any = None, out: Any = None) -> Tensor:
    """Variance over `dim`, with divisor n - correction (default 1).

    >>> import frazil as fz
    >>> fz.var(fz.tensor([1.0, 2.0, 3.0]))
    tensor(1.)"""

def var_mean(input: Tensor, dim: Any = None, unbiased: _bool | None = None, keepdim: _bool = False, *, correction: Any = None, out: Any = None) -> Any:
    """Variance and mean over `dim`.

    >>> import frazil as fz
    >>> fz.var_mean(fz.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))"""

def vdot(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Product of two vectors (the first conjugated, if complex).

    >>> import frazil as fz
    >>> fz.vdot(fz.tensor([1.0, 2.0]), fz.tensor([3.0, 4.0]))
    tensor(11.)"""

from . import version as version

def view(input: Tensor, *size: Any, dtype: Any = None) -> Tensor:
    """The same memory in another shape, or as numbers of another dtype; an error where that needs a copy.

    >>> import frazil as fz
    >>> x = fz.zeros(4); x.view(2, 2)[0, 1] = 7.0; x
    tensor([0., 7., 0., 0.])
    >>> hex(fz.ones(1).view(fz.int32).item())
    '0x3f800000'"""

def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` viewed in the shape of `other`."""

def view_as_complex(input: _Operand, *, out: Any = None) -> Tensor:
    """Pairs along the last dimension seen as complex numbers.

    >>> import frazil as fz
    >>> fz.view_as_complex(fz.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])"""

def view_as_complex_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `view_as_complex` gives, in memory of its own."""

def view_as_real(input: _Operand, *, out: Any = None) -> Tensor:
    """A complex tensor seen as pairs: a last dimension of 2 with real and imaginary parts.

    >>> import frazil as fz
    >>> fz.view_as_real(fz.tensor([1 + 2j]))
    tensor([[1., 2.]])"""

def view_as_real_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `view_as_real` gives, in memory of its own."""

def view_copy(input: Tensor, *args: Any, out: Any = None, **options: Any) -> Any:
    """A copy of what `view` gives, in memory of its own."""

def vmap(func: Any, in_dims: Any = 0, out_dims: Any = 0, randomness: _str = 'error', *, chunk_size: _int | None = None) -> Any:
    """`func`, which takes one sample, as a function that takes all of them at once, along a dimension of its arguments.

    Args:
        func: its results are tensors, or nested tuples, lists and dicts of them.
        in_dims: the dimension of the samples, for all arguments or (nested as they are) for each; None: the same for all samples.
            Keyword arguments are the same for all.
        out_dims: where the results have them, for all results or each.
        randomness: what random numbers inside are: "error", the "same" for all samples, or "different".
        chunk_size: how many samples run at once; None: all.

    Most operations run on all samples at once, some on one after another, with a warning. Python may not look at the numbers of
    a sample (`if x > 0`, `x.item()`), for each has its own.

    >>> import frazil as fz
    >>> fz.func.vmap(fz.dot)(fz.tensor([[1.0, 2.0], [3.0, 4.0]]), fz.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([1., 4.])
    >>> fz.func.vmap(lambda x, y: x * y, in_dims=(0, None), out_dims=1)(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 10.0]))
    tensor([[ 1.,  2.],
            [10., 20.]])"""

def vsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Views of the rows: as many equal groups, or cut at the given places.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.eye(2).vsplit(2)]
    [[[1.0, 0.0]], [[0.0, 1.0]]]"""

def vstack(tensors: Sequence[Tensor], *, out: Any = None) -> Tensor:
    """Tensors of at least 2 dimensions joined along dimension 0."""

def wait(future: Any) -> Any:
    """The result of what `fork` gave.

    >>> import frazil as fz
    >>> fz.jit.wait(fz.jit.fork(len, [1, 2]))
    2"""

def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """`input` where the condition is true, else `other`; with the condition alone, the positions where it is true.

    >>> import frazil as fz
    >>> fz.where(fz.tensor([True, False]), fz.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])"""

def while_loop(cond_fn: Any, body_fn: Any, carried_inputs: Sequence[Any]) -> Any:
    """`while cond_fn(*carried): carried = body_fn(*carried)`; the last `carried`.

    Args:
        cond_fn: gives a bool or a tensor of one element.
        body_fn: gives the next values, as many and nested as `carried_inputs`, with the same dtypes and ranks; sizes may change.

    >>> import frazil as fz
    >>> fz.while_loop(lambda n, steps: n > 1, lambda n, steps: (n // 2, steps + 1), (fz.tensor(100), fz.tensor(0)))
    (tensor(1), tensor(6))"""

def xlogy(input: _Operand, other: _Operand, *, out: Any = None) -> Tensor:
    """a * log(b), and 0 where a is 0 and b a number.

    >>> import frazil as fz
    >>> fz.xlogy(fz.tensor([0.0, 1.0]), fz.tensor([0.0, 1.0]))
    tensor([0., 0.])"""

def xlogy_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """In-place form of `xlogy`: writes the result into this tensor and returns it."""

def zero_(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """Set every element to 0."""

def zeros(*sizes: Any, size: Any = None, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, out: Any = None) -> Tensor:
    """A tensor of zeros.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).shape
    frazil.Size([2, 3])"""

def zeros_like(input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: _bool = False, memory_format: Any = None) -> Tensor:
    """Zeros like `input`.

    >>> import frazil as fz
    >>> fz.zeros_like(fz.ones(2))
    tensor([0., 0.])"""
