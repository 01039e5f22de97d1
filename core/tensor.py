"""`Tensor`: an array on a device, and its place on the tape.

Most methods are not written here: they are the ops of the table (`METHODS`), put on the class by `core/__init__.py`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes, order
from .errors import ArgumentError, AutogradError, DTypeError, ShapeError
from .printing import tensor_html, tensor_text
from .sizes import checked_dim, prod
from .spelling import reasons
from .state import INFERENCES, RECORDINGS, STATE, asked
from .table import OPS
from .warn import without_effect

if TYPE_CHECKING:
    from ._methods import TensorMethods  # a stub: what `attach_methods` puts on the class
    from .device import device as Device
else:
    TensorMethods = object

_new: Callable[[type[Tensor]], Tensor] = object.__new__


class _Untracked(list[int]):
    """In the place of the write counter of a tensor of `inference_mode`: nothing that autograd saves can be one of these."""

    def __getitem__(self, index: Any) -> Any:
        if STATE.inference:
            return 0
        raise AutogradError(
            "a tensor that was made in inference_mode cannot be saved for backward: use .clone() for one that can, or "
            "`with fz.no_grad():` in the place of inference_mode"
        )


#: Among the hooks of a node: the key of what `retain_grad` asked for.
RETAIN = -1
#: The write counter that all tensors of `inference_mode` have, and their views.
UNTRACKED = _Untracked([0])


def _in_inference(cls: type[Tensor]) -> Tensor:
    """A new tensor, while some thread is in `inference_mode`."""
    t = object.__new__(cls)
    if STATE.inference:
        t._ver = UNTRACKED
    return t


def choose_new() -> Callable[[type[Tensor]], Tensor]:
    """Choose what makes tensors from now on, and return it: as long as no thread is in `inference_mode`, Python's own."""
    global _new
    _new = _in_inference if INFERENCES[0] else object.__new__
    return _new


class Size(tuple[Any, ...]):
    """The shape of a tensor: a tuple of sizes.

    >>> import frazil as fz
    >>> fz.ones(2, 3).shape, fz.ones(2, 3).shape.numel()
    (frazil.Size([2, 3]), 6)
    """

    def numel(self) -> Any:
        """The product of all sizes."""
        n: Any = 1
        for size in self:
            n = n * size
        return n

    def __repr__(self) -> str:
        return f"frazil.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: Any) -> Any:
        item = super().__getitem__(index)
        return Size(item) if isinstance(index, slice) else item

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + tuple(other))


def _of_sparse(name: str) -> Callable[[Tensor], Any]:
    def method(self: Tensor) -> Any:
        raise ArgumentError(f"{name}: only sparse tensors have indices and values, this one is dense; use x.to_sparse()")

    method.__name__, method.__doc__ = name, f"`{name}` of a sparse tensor, see `fz.sparse`; a dense one has none."
    return method


class layout(str):
    """The way in which a tensor holds its elements: all of them (`fz.strided`) or some (`fz.sparse_coo`, `fz.sparse_csr`).

    >>> import frazil as fz
    >>> fz.ones(2).layout == fz.strided
    True
    """

    __repr__ = str.__str__


strided, sparse_coo, sparse_csr = layout("frazil.strided"), layout("frazil.sparse_coo"), layout("frazil.sparse_csr")
jagged = layout("frazil.jagged")  # of nested tensors


class _NotHere:
    """In the place of a name of PyTorch's that tensors lack: says why. (A `__getattr__` would say it for every name, and make
    each use of any attribute slower; of misspelled ones Python itself shows the nearest.)"""

    def __init__(self, name: str, reason: str) -> None:
        self._name, self._reason = name, reason

    def __get__(self, tensor: Any, owner: type) -> Any:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}: {self._reason}")


class _Attributes(TensorMethods):
    """What has attributes, so that `Tensor` can say which of them it shows."""


_attributes = vars(_Attributes)["__dict__"].__get__


class Tensor(_Attributes):
    """A multi-dimensional array that records what happens to it.

    Make one with `fz.tensor(data)`, `fz.zeros(...)` and the like; `fz.Tensor(2, 3)` (uninitialised) and `fz.Tensor([1., 2.])`
    work too, as in PyTorch.

    >>> import frazil as fz
    >>> x = fz.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    # Class attributes are the defaults: a new tensor sets only `_a` and `_dev`.
    _a: Any  # the array, of the backend's own kind
    _dev: Any  # the device
    _rg: bool = False  # requires grad
    _node: Any = None  # its place on the tape; None for leaves
    _ver: list[int] | None = None  # write counter, shared by a base and its views
    _aliased: bool = False  # another tensor or NumPy array may look at the same memory
    _windows: bool = False  # windows that overlap: a copy, where PyTorch has a view, so a write to it would be lost
    _base: Tensor | None = None
    _path: Any = None  # from the base to this view, see alias.py
    _root: Tensor | None = None  # the detached tensor on the way there, whose tape this view follows
    _views: Any = None
    _doubts: Any = None  # while recording: tensors of which it is not known yet whether they share its memory
    _hooks: Any = None
    _after: Any = None  # hooks that run once its gradient has been added up
    _copied_with_gradient = True  # by deepcopy
    _grad: Tensor | None = None
    _persistent: bool | None = None  # whether a `nn.Buffer` becomes a part of state dicts; None for other tensors

    if TYPE_CHECKING:  # operators, whose methods come from the op table as the others do

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lshift__(self, other: Any) -> Tensor: ...
        def __rshift__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __getitem__(self, key: Any) -> Tensor: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...

    def __new__(cls, *args: Any, device: Any = None, **kwargs: Any) -> Any:
        return _creation().legacy_tensor(cls, args, device)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What becomes of a call with an instance of a subclass: `func(*args, **kwargs)`, whose tensors are of that class."""
        if not all(issubclass(cls, kind) for kind in types):
            return NotImplemented
        return _overrides().of_subclass(cls, func, args, kwargs)

    def as_subclass(self, cls: type[Tensor]) -> Any:
        """The same memory, and place on the tape, as an instance of a subclass of `Tensor`.

        >>> import frazil as fz
        >>> x = fz.ones(2)
        >>> x.as_subclass(fz.nn.Parameter).data_ptr() == x.data_ptr()
        True
        """
        return _overrides().as_subclass(self, cls)

    @staticmethod
    def _make_subclass(cls: type[Tensor], data: Tensor, require_grad: bool = False, **options: Any) -> Any:
        made = _overrides().as_subclass(data.detach(), cls)
        made._rg = bool(require_grad)
        return made

    # ------------------------------------------------------------------------------------------------------------ properties

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The attributes that a program has given it. PyTorch's tensors show no others: `Parameter(data, **old.__dict__)`."""
        return {name: value for name, value in _attributes(self).items() if name not in _OWN}

    @property
    def shape(self) -> Size:
        """The size of every dimension."""
        return Size(self._a.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The element type."""
        return self._dev.native[self._a.dtype]

    @property
    def device(self) -> Device:
        """The device it lives on."""
        return self._dev.real

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._a.shape)

    def dim(self) -> int:
        """Number of dimensions."""
        return len(self._a.shape)

    ndimension = dim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        shape = self._a.shape
        if dim is None:
            return Size(shape)
        return shape[checked_dim("size", dim, len(shape))]

    def numel(self) -> Any:
        """Number of elements."""
        return Size(self._a.shape).numel()

    nelement = numel

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    def element_size(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel() * self.dtype.itemsize

    @property
    def is_leaf(self) -> bool:
        """Return whether it was made by the user rather than by a recorded operation."""
        self._asked()
        return self._node is None

    @property
    def requires_grad(self) -> bool:
        """Return whether gradients are recorded for it."""
        self._asked()
        return self._rg

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch recording for this leaf on or off."""
        if requires_grad and self.dtype.kind not in "fc":
            raise AutogradError(
                f"requires_grad: only floating and complex tensors can have gradients, this one is {self.dtype.name}"
            )
        if requires_grad and self._ver is UNTRACKED and not STATE.inference:
            raise AutogradError("requires_grad: this tensor was made in inference_mode; .clone() is one that can require grad")
        if not requires_grad and self._node is not None:
            raise AutogradError(
                "requires_grad: only leaf tensors can be switched off; use .detach() to get a tensor that is cut off the graph"
            )
        self._rg = bool(requires_grad) or self._node is not None
        return self

    def _asked(self) -> None:
        """Note while recording that the answer depends on whether gradients are recorded; not of leaves that require them."""
        if self._dev.recording and (not self._rg or self._node is not None):
            asked()

    @property
    def grad_fn(self) -> Any:
        """The tape node that made it; None for leaves."""
        self._asked()
        return None if self._node is None else self._node.shown()[0]

    @property
    def output_nr(self) -> int:
        """Return which result of the call that made it it is."""
        return 0 if self._node is None else self._node.shown()[1]

    @property
    def _version(self) -> int:
        if self._ver is UNTRACKED:
            raise AutogradError("_version: writes to a tensor that was made in inference_mode are not counted")
        return 0 if self._ver is None else self._ver[0]

    @property
    def data(self) -> Tensor:
        """The same memory outside of autograd."""
        return _alias().detached(self, share_version=False)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentError(f"data: expected a Tensor, given a {type(value).__name__}")
        if self._rg and value.dtype.kind not in "fc":
            raise DTypeError(f"data: a tensor that requires grad is floating, given {value.dtype.name}")
        if value._dev.recording:
            _alias().share_data(self, value)
            return
        self._a, self._dev = value._a, value._dev
        self._aliased = value._aliased = True

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` has added up here; None before."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            self._check_grad(value)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def _check_grad(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentError(f"grad: expected a tensor or None, given a {type(value).__name__}")
        if value is self:
            raise AutogradError("grad: a tensor cannot be its own gradient")
        if self._dev.recording or value._dev.recording:
            return
        if value._a.shape == self._a.shape and value._a.dtype == self._a.dtype and value._dev is self._dev:
            return
        if value.is_sparse and value._a.shape == self._a.shape and value.dtype is self.dtype and value.device == self.device:
            return
        mine, given = (f"{t.dtype.name}{list(t._a.shape)} on {t._dev}" for t in (self, value))
        raise ShapeError(f"grad: the gradient of {mine} has its shape, dtype and device, given {given}")

    def detach(self) -> Tensor:
        """The same memory, cut off the graph."""
        return _alias().detached(self)

    def detach_(self) -> Tensor:
        """Cut this tensor off the graph."""
        if self._base is not None and self._rg:
            raise AutogradError("detach_: a view cannot be detached in place; use .detach()")
        self._rg, self._node = False, None
        return self

    @property
    def is_cuda(self) -> bool:
        """Return whether it lives on a CUDA device."""
        return self.device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        """Return whether it lives on the CPU."""
        return self.device.type == "cpu"

    @property
    def is_meta(self) -> bool:
        """Return whether it has a shape and a dtype but no numbers: it lives on the device "meta"."""
        return self._dev.real.type == "meta"

    @property
    def T(self) -> Tensor:
        """A view with the dimensions in reverse order; for a matrix the transpose."""
        return self.permute(tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Tensor:
        """A view with the last two dimensions exchanged: the transpose of every matrix of a batch."""
        if self.ndim < 2:
            raise ShapeError(f"mT: expected at least 2 dimensions, given {list(self._a.shape)}")
        return self.transpose(-2, -1)

    @property
    def real(self) -> Tensor:
        """The real parts, a view; of a real tensor itself."""
        return self._pairs().select(-1, 0) if self.dtype.is_complex else self

    @property
    def imag(self) -> Tensor:
        """The imaginary parts of a complex tensor, a view."""
        if not self.dtype.is_complex:
            raise DTypeError(f"imag: only complex tensors have an imaginary part, this one is {self.dtype.name}")
        return self._pairs().select(-1, 1)

    @property
    def mH(self) -> Tensor:
        """As `mT` (and conjugated, for complex ones)."""
        return self.adjoint()

    @property
    def H(self) -> Tensor:
        """A matrix transposed (and conjugated, for complex ones)."""
        if self.ndim != 2:
            raise ShapeError(f"H: expected a matrix, given {list(self._a.shape)}; mT transposes batches of them")
        return self.adjoint()

    is_sparse = False
    is_sparse_csr = False
    is_quantized = False
    is_nested = False
    is_mps = is_xla = is_xpu = is_ipu = is_maia = is_mtia = is_mkldnn = is_vulkan = False
    name = None

    @property
    def layout(self) -> layout:
        """`fz.strided`; of sparse tensors `fz.sparse_coo` or `fz.sparse_csr`."""
        return strided

    def is_floating_point(self) -> bool:
        """Return whether the dtype is a floating one."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Return whether the dtype is a complex one."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Return whether the dtype has negative values."""
        return self.dtype.is_signed

    def is_conj(self) -> bool:
        """Return whether a conjugation is still to be done; never: `conj` does it."""
        return False

    is_neg = is_distributed = is_conj

    def is_inference(self) -> bool:
        """Return whether it was made in `inference_mode`: autograd cannot save it, and only there it may be written to.

        >>> import frazil as fz
        >>> with fz.inference_mode():
        ...     x = fz.ones(2)
        >>> x.is_inference(), x[1:].is_inference(), x.clone().is_inference()
        (True, True, False)
        """
        return self._ver is UNTRACKED

    def is_pinned(self, device: Any = None) -> bool:
        """Return whether its memory is locked for copies to a GPU; never."""
        return False

    is_shared = is_pinned

    def get_device(self) -> int:
        """The number of its device; -1 for the CPU and "meta"."""
        return -1 if self.device.type in ("cpu", "meta") else self.device.number

    # ------------------------------------------------------------------------------------------------------------ values out

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The values as a NumPy array, which shares memory for CPU tensors. NumPy has no bfloat16: a TypeError."""
        if self._rg and not force:
            raise AutogradError("numpy: this tensor requires grad; use .detach().numpy()")
        if self.dtype is dtypes.bfloat16 and not self._dev.recording:
            raise DTypeError("numpy: NumPy has no bfloat16; use .float().numpy(), which has all its values")
        return self._array(force)

    def _array(self, force: bool = False) -> np.ndarray:
        """As `numpy`, in any dtype: bfloat16 is the one of `ml_dtypes`."""
        if self._dev.recording:
            self._dev.refuse(self, "numpy()")
        _tell_recorder(self)
        if self._dev.aliases and not self._a.shape:
            self._a = self._dev.kernels["writable"](self._a)
        if self._dev.type == "cpu":
            self._aliased = True
            if self._base is not None:
                self._base._aliased = True
        elif not force:
            raise ArgumentError(f"numpy: the tensor is on {self._dev}; use .cpu().numpy()")
        return self._dev.to_host(self._a)

    #: NumPy leaves `np.sqrt(2) * x` to the tensor, as an operation like any other: with gradient, and recorded.
    __array_priority__ = 1000

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> Tensor:
        """What NumPy's own functions (`np.exp(x)`) make of a tensor is a tensor again, as in PyTorch; without gradient."""
        return _creation().as_tensor(array, device="cpu")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        """Its memory for another library (https://dmlc.github.io/dlpack)."""
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.detach().numpy().__dlpack_device__()

    def _host(self, asked: str) -> np.ndarray:
        if self._dev.recording:
            return self._dev.refuse(self, asked)
        if STATE.reads is not None:
            STATE.reads()
        _tell_recorder(self)
        return self._dev.to_host(self._a)

    def item(self) -> Any:
        """The only element, as a Python number. While recording, that of an integer tensor is a size, which the running
        program knows."""
        if self._dev.recording and (size := size_in(self)) is not None:
            return size
        array = self._host("item()")
        if array.size != 1:
            raise ArgumentError(
                f"item: the tensor has {array.size} elements ({self.dtype.name}{list(array.shape)}); item() is for one"
            )
        return array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._host("tolist()").tolist()

    def __bool__(self) -> bool:
        array = self._host("bool()")
        if array.size != 1:
            raise ArgumentError(
                f"the truth of a tensor with {array.size} elements is ambiguous ({self.dtype.name}{list(array.shape)}): use "
                f".any() or .all()"
            )
        return bool(array.item())

    def __int__(self) -> int:
        return int(self._one("int()"))

    def __float__(self) -> float:
        return float(self._one("float()"))

    def __complex__(self) -> complex:
        return complex(self._one("complex()"))

    def __index__(self) -> int:
        if self.dtype.kind not in "ib":
            raise DTypeError(f"only integer tensors can be used as an index, this one is {self.dtype.name}")
        return int(self._one("int()"))

    def _one(self, asked: str) -> Any:
        array = self._host(asked)
        if array.size != 1:
            raise ArgumentError(f"{asked}: only tensors with one element convert, this one has shape {list(array.shape)}")
        return array.item()

    def __len__(self) -> int:
        shape = self._a.shape
        if not shape:
            raise ArgumentError("len() of a 0-d tensor")
        return shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._a.shape:
            raise ArgumentError("iteration over a 0-d tensor; use .item() for its value")
        return iter([self[i] for i in range(self._a.shape[0])])

    def __reversed__(self) -> Tensor:
        return self.flip(0) if self._a.shape else self

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return tensor_text(self)

    def _repr_html_(self) -> str:
        return tensor_html(self)

    def __format__(self, spec: str) -> str:
        if not self._a.shape and (spec or (type(self) is Tensor and not (self._dev.recording or self.is_meta))):
            return format(self.item(), spec)
        if spec:
            raise TypeError(f"format: only a tensor of no dimensions has a format, given {spec!r} for {list(self._a.shape)}")
        return str(self)

    # ------------------------------------------------------------------------------------------------------------------ moves

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """This tensor with another dtype and/or device: `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.

        Returns the tensor itself when nothing changes and `copy` is not asked for.
        """
        device, dtype, copy = _transfer().parse_to(args, kwargs)
        result = self
        if device is not None and device is not self.device:
            result = _transfer().move(self, device)
        if dtype is not None and dtype is not result.dtype:
            result = result.cast(dtype=dtype)
        return result.clone() if copy and result is self else result

    def cpu(self) -> Tensor:
        """On the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor:
        """On a CUDA device."""
        return self.to("cuda" if device is None else f"cuda:{device}" if isinstance(device, int) else device)

    def type(self, dtype: Any = None) -> Any:
        """The name of its dtype as PyTorch's legacy types print it, or a conversion to `dtype`."""
        if dtype is None:
            return f"frazil.{_LEGACY.get(self.dtype.name, self.dtype.name)}"
        if isinstance(dtype, str):
            name = dtype.rpartition(".")[2]
            dtype = {legacy: new for new, legacy in _LEGACY.items()}.get(name, dtype)
        return self.to(dtypes.as_dtype(getattr(dtype, "dtype", dtype)))

    def type_as(self, other: Tensor) -> Tensor:
        """With the dtype and device of `other`."""
        return self.to(other)

    def contiguous(self, memory_format: Any = None) -> Tensor:
        """Itself if its elements lie in order, else a copy in which they do."""
        if (self if self._base is None else self._base)._windows:
            return OPS["in_rows"].call(self)
        if self._dev.recording:
            return self._dev.contiguous(self)
        return self if self.is_contiguous() else OPS["in_rows"].call(self)

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Return whether its elements lie in memory in row-major order."""
        if self._dev.recording:
            return self._dev.is_contiguous(self)
        check = self._dev.kernels.get("is_contiguous")
        if check is not None:
            return bool(check(self._a))
        return self._path is None or (look := look_of(self)) is None or look.flags.c_contiguous

    def stride(self, dim: int | None = None) -> Any:
        """Return how many elements apart neighbours along each dimension (or one) are in memory."""
        if self._dev.recording:
            strides = self._dev.strides(self)
        else:
            measure = self._dev.kernels.get("strides")
            if measure is not None:
                strides = measure(self._a)
            else:
                look = None if self._path is None else look_of(self)
                strides = order.strides_in_rows(self._a.shape) if look is None else look.strides
        return strides if dim is None else strides[checked_dim("size", dim, len(strides))]

    def data_ptr(self) -> int:
        """The address of the first element in the memory of the CPU; 0 on the device "meta"."""
        if self.is_meta:
            return 0
        if self._dev.type != "cpu" or self._dev.recording:
            where = "in a recording, which has no memory" if self._dev.recording else f"on {self.device}"
            raise ArgumentError(f"data_ptr: only tensors on the CPU have an address that a program can use, this one is {where}")
        return int(self._dev.to_host(self.detach()._a).ctypes.data)

    def storage_offset(self) -> int:
        """Return how many elements after the beginning of the memory that it is a view of its first element is."""
        return 0 if self._base is None else (self.data_ptr() - self._base.data_ptr()) // self.itemsize

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """All its elements: itself, if it is not sparse; with another dtype if one is given."""
        return self if dtype is None else self.to(dtype)

    def to_sparse(self, sparse_dim: int | None = None, *, layout: Any = None) -> Tensor:
        """A sparse tensor of the elements that are not zero, with indices for all or the first `sparse_dim` dimensions."""
        return _sparse().from_dense(self, sparse_dim, layout)

    to_sparse_coo = to_sparse

    def to_sparse_csr(self, dense_dim: int | None = None) -> Tensor:
        """The elements of a matrix that are not zero, in the compressed row format."""
        return _sparse().from_dense(self).to_sparse_csr()

    def sparse_mask(self, mask: Tensor) -> Tensor:
        """A sparse tensor of its elements in the places where `mask`, a sparse tensor, has entries.

        >>> import frazil as fz
        >>> fz.tensor([[1.0, 2.0]]).sparse_mask(fz.tensor([[0.0, 9.0]]).to_sparse()).values()
        tensor([2.])
        """
        return _sparse().masked(self, mask)

    def sparse_dim(self) -> int:
        """Return how many dimensions have indices; 0 for a dense tensor."""
        return 0

    def dense_dim(self) -> int:
        """Return how many dimensions have none; all of a dense tensor."""
        return self.ndim

    indices, values, coalesce, is_coalesced = map(_of_sparse, ("indices", "values", "coalesce", "is_coalesced"))
    crow_indices, col_indices = map(_of_sparse, ("crow_indices", "col_indices"))
    _indices, _values, _nnz = map(_of_sparse, ("_indices", "_values", "_nnz"))

    def pin_memory(self) -> Tensor:
        """Itself; accepted for PyTorch's sake."""
        return self

    def share_memory_(self) -> Tensor:
        """Itself. The first call in a process warns that processes get copies."""
        without_effect(
            "share_memory_", "tensors that go to another process are copied; send results back, for example by a queue"
        )
        return self

    # --------------------------------------------------------------------------------------------------------------- autograd

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor with respect to every leaf into the leaf's `.grad`.

        Args:
            gradient: gradient of the final result with respect to this tensor; may be left out for one element (then 1).
            retain_graph: keep what was saved, so that backward can run again; default: as `create_graph`.
            create_graph: record the backward pass itself, for gradients of gradients.
            inputs: accumulate only into these tensors.
        """
        _engine().backward(self, gradient, retain_graph, create_graph, inputs)

    def retain_grad(self) -> None:
        """Keep the gradient of this non-leaf tensor in `.grad`."""
        _engine().retain_grad(self)

    @property
    def retains_grad(self) -> bool:
        """Return whether `retain_grad` was called on this tensor, which is no leaf."""
        node = self._node
        return node is not None and node.hooks is not None and RETAIN in node.hooks

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Call `hook(grad)` whenever a gradient with respect to this tensor is computed; what it returns replaces the
        gradient."""
        return _engine().register_hook(self, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], Any]) -> Any:
        """Call `hook(tensor)` whenever `backward` has added to the `.grad` of this leaf, for a step of an optimiser."""
        return _engine().register_post_accumulate_grad_hook(self, hook)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.is_meta:
            return _creation().rebuild_meta, (type(self), tuple(self.shape), self.stride(), self.dtype, self.requires_grad)
        return _creation().rebuild, (type(self), self._host("pickle"), str(self.device), self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._node is not None:
            raise AutogradError("deepcopy: only leaf tensors can be deep-copied; use .detach().clone()")
        if id(self) in memo:
            return memo[id(self)]
        before, STATE.grad = STATE.grad, False
        try:
            fresh = wrap(self.clone()._a, self._dev, type(self))
        finally:
            STATE.grad = before
        fresh._rg = self._rg
        if self.grad is not None and self._copied_with_gradient:
            fresh.grad = self.grad.__deepcopy__(memo)
        for name, value in self.__dict__.items():
            setattr(fresh, name, value)
        memo[id(self)] = fresh
        return fresh


def _tell_recorder(t: Tensor) -> None:
    """While a program is recorded: it reads the numbers of a tensor from outside, which are then part of the program."""
    if RECORDINGS[0] and STATE.recorder is not None:
        STATE.recorder.numbers_read[id(t)] = t


#: Attributes that are the tensor's own business.
_OWN = frozenset(Tensor.__annotations__)

_LEGACY = {
    "float32": "FloatTensor",
    "float64": "DoubleTensor",
    "float16": "HalfTensor",
    "bfloat16": "BFloat16Tensor",
    "int64": "LongTensor",
    "int32": "IntTensor",
    "int16": "ShortTensor",
    "int8": "CharTensor",
    "uint8": "ByteTensor",
    "bool": "BoolTensor",
}


def wrap(array: Any, device: Any, cls: type[Tensor] = Tensor) -> Tensor:
    """A tensor around a device array."""
    t = _new(cls)
    t._a = array
    t._dev = device
    return t


def tracked(t: Tensor) -> bool:
    """Return whether gradients through `t` may be asked for: here, or outside of the `vmap` that it belongs to.

    >>> import frazil as fz
    >>> from frazil.tensor import tracked
    >>> tracked(fz.ones(2)), tracked(fz.ones(2, requires_grad=True))
    (False, True)
    """
    return t._rg or (t._dev.depth > 0 and tracked(t._a.value))


def shape_like(name: str, t: Tensor) -> tuple[Any, ...]:
    """The shape for a new tensor of all elements like `t`, which must not be sparse."""
    if t.layout is not strided:
        raise not_sparse(name)
    return tuple(t._a.shape)


def not_sparse(name: str) -> ArgumentError:
    """The error where `name` is given a sparse tensor and takes dense ones only."""
    return ArgumentError(f"{name}: not defined for sparse tensors; make it dense with x.to_dense()")


def whole(value: Any) -> Any:
    """The whole number that a 0-d integer tensor holds; while recording a size, which the running program knows. Anything else
    as it is."""
    if not isinstance(value, Tensor):
        if isinstance(value, (float, np.floating)):
            raise ArgumentError(f"expected an integer, given {value}")
        return value
    size = size_in(value) if value._dev.recording else None
    return int(value) if size is None else size


def size_in(t: Tensor) -> Any:
    """The number in a recorded integer tensor of one element as a size, or None: it is known now, or the tensor is another."""
    if t._a.constant is not None or t.dtype.kind not in "iu" or prod(t._a.shape) != 1:
        return None
    return t._dev.as_size(t)


def unpacked(value: Any) -> tuple[Any, ...]:
    """Return what is given as several arguments, or as one tuple or list."""
    if len(value) == 1 and isinstance(value[0], (tuple, list)):
        value = value[0]
    return tuple(value)


def int_tuple(value: Any, name: str = "") -> tuple[Any, ...]:
    """Sizes given as several arguments, a tuple, a list or a Size; they may be 0-d tensors. With a `name`, the function that asks
    for them says so where one is no number."""
    value = unpacked(value)
    for n in value:
        if type(n) is not int:
            if name and any(isinstance(m, (float, np.floating, str)) or m is None for m in value):
                raise ArgumentError(f"{name}: sizes are integers, given {tuple(value)!r}")
            return tuple(map(whole, value))
    return value


def from_numpy(array: np.ndarray) -> Tensor:
    """The tensor that an operation makes of a NumPy array among its arguments."""
    return _creation().as_tensor(array)


for _name, _reason in reasons("Tensor").items():
    setattr(Tensor, _name, _NotHere(_name, _reason))


# The one knot of core: a Tensor is everybody's friend, so its class is on a low floor, and these methods delegate to higher ones.


@functools.cache
def _alias() -> Any:
    from . import alias

    return alias


@functools.cache
def _creation() -> Any:
    from . import creation

    return creation


@functools.cache
def _engine() -> Any:
    from .autograd import engine

    return engine


@functools.cache
def _overrides() -> Any:
    return importlib.import_module("frazil.overrides")


@functools.cache
def _sparse() -> Any:
    from . import sparse

    return sparse


@functools.cache
def _transfer() -> Any:
    from . import transfer

    return transfer


def look_of(x: Tensor) -> Any:
    """Return how a tensor lies in memory, on a device whose views share none: see `order.look`."""
    return order.look((x if x._base is None else x._base)._a.shape, x._path)


def attach_methods(methods: dict[str, Callable[..., Any]]) -> None:
    """Put the ops on the class."""
    own, every = vars(Tensor), vars(object)
    for name, function in methods.items():
        if name in own and name not in every:
            raise ArgumentError(f"method Tensor.{name} is defined twice: in tensor.py and in the op table")
        setattr(Tensor, name, function)
