"""Devices: one object per device, which holds the kernel dict that every operation looks into."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np

from . import dtypes, widen
from .backend import Backend, Capabilities
from .config import config, guard
from .errors import BackendError, DeviceError, FrazilError, MissingKernelError, NoCUDAError
from .order import first_tells, in_layout, keeps_ones, row_major
from .outside import one_line
from .state import STATE
from .table import OPS
from .tensor import Tensor, wrap


class KernelTable(dict[str, Callable[..., Any] | None]):
    """Op name -> kernel of one device. Filled when the device is first used; after that a plain dict.

    `None` means: this device has no kernel of its own for a composite; run its body.
    """

    def __init__(self, device: device) -> None:
        super().__init__()
        self._device = device

    def __missing__(self, name: str) -> Callable[..., Any] | None:
        self._device.open()
        if name not in self:
            self[name] = missing_kernel(self._device, name)
        return self[name]


_devices: dict[tuple[str, int], device] = {}

#: One thread at a time learns of complex numbers, and others that meet them wait; the kernels of it may open a device.
_LEARNING = threading.RLock()

#: Called with a device that has been opened, or whose kernels have been made anew.
WHEN_KERNELS: list[Callable[[device], None]] = []

#: Types of devices that PyTorch has and no backend here may have: they can be named, for comparisons.
ELSEWHERE = ("hpu", "mps", "mtia", "npu", "xla", "xpu")

#: What a device whose arrays share memory must have beside the primitives. The body of `diagonal` would not always give a view.
MEMORY_KERNELS = ("copy_", "writable", "shares_memory", "diagonal")


class device:
    """The place where a tensor lives: `fz.device("cpu")`, `fz.device("cuda:1")`, `fz.device("opencl", 0)`.

    There is one object per device, so `==` is identity. Its backend is opened when the first operation runs on it, and only then
    it is an error that the backend is not installed: programs name `device("cuda")` where it is not used.

    >>> import frazil as fz
    >>> fz.device("cpu").type, fz.device("cpu") is fz.ones(2).device
    ('cpu', True)
    """

    type: str
    #: Which device of its kind it is, as backends are told.
    number: int
    #: Op name -> kernel; see `KernelTable`.
    kernels: Any
    #: `array.dtype` -> frazil dtype.
    native: dict[Any, dtypes.dtype]
    #: Views share memory and kernels may write in place; see core/README.md.
    aliases: bool
    #: Whether this is the device of a recording.
    recording = False
    #: How many `vmap`s are around the device of one; 0 for a device that there really is.
    depth = 0
    #: The device that there really is: this one, except in a recording or a `vmap`.
    real: device

    def __new__(cls, type: str | device, index: int | None = None) -> device:
        if isinstance(type, device):
            return type
        if not isinstance(type, str):
            raise DeviceError(f"device: expected a name such as 'cpu' or 'cuda:1', given {type!r}")
        kind, colon, number = type.partition(":")
        if colon:
            if index is not None:
                raise DeviceError(f"device: {type!r} already names an index; do not pass index={index} too")
            if not (number.isascii() and number.isdecimal() and len(number) < 10):
                raise DeviceError(f"device: {type!r} is not a device name; write for example {kind + ':0'!r}")
            index = int(number)
        key = (kind, index or 0)
        found = _devices.get(key)
        if found is None:
            problem = None if kind in ELSEWHERE else _unknown_device(kind)
            if problem is not None:
                raise DeviceError(problem)
            found = object.__new__(cls)
            found.type, found.number = key
            found._backend = None
            found._scalars = {}
            found._later = {}
            found.aliases = True
            found.pairs = None
            found.real = found
            found.kernels = found._own = KernelTable(found)
            found = _devices.setdefault(key, found)  # another thread may have been faster, and `==` is identity
        return found

    #: What computes complex numbers where the backend has none, once there are some: `ComplexPairs`.
    pairs: Any

    _backend: Backend | None
    _scalars: dict[Any, Any]
    _own: KernelTable  # what `kernels` is, except where tests put another table there for a while
    _later: dict[str, Callable[..., Any]]  # kernels that are needed once an array does not lie in order

    def open(self) -> Backend:
        """Load the backend, once."""
        if self._backend is None:
            backend = self._opened()
            count = answer(backend, "device_count")
            if self.number >= count:
                there = f"backend {backend.name!r} sees {count} device(s), the last one is '{self.type}:{count - 1}'"
                who = self._who_asks(backend.name)
                raise DeviceError(f"{who}device {str(self)!r} does not exist: {there if count else backend.no_device()}")
            self.native = {native: dtypes.by_name(name) for native, name in answer(backend, "native_dtypes").items()}
            dtypes.learn(self.native)
            self._capabilities = answer(backend, "capabilities", self.number)
            has = frozenset(dtypes.by_name(name) for name in self._capabilities.dtypes)
            self._host_dtypes = frozenset(t.numpy for t in has if t is not dtypes.bfloat16)
            self._in_pairs = [t for t, part in dtypes.PARTS.items() if t not in has and part in has]
            if self._in_pairs:
                more = {t.name for t in self._in_pairs}
                self._capabilities = replace(self._capabilities, dtypes=self._capabilities.dtypes | more)
            self.aliases = self._capabilities.aliases
            kernels = answer(backend, "kernels", self.number)
            if self.aliases and (missing := [name for name in MEMORY_KERNELS if name not in kernels]):
                raise BackendError(
                    f"backend {backend.name!r}: capabilities() says aliases=True (views share memory), which needs the kernels "
                    f"{', '.join(missing)}; say aliases=False where arrays are never written to"
                )
            kernels, self._later = self._in_layout(backend, kernels)
            kernels = {**kernels, **{name: self._turning(name, kernels[name]) for name in kernels if self._turns(name)}}
            kernels = {**kernels, **self._without_complex(kernels)}
            self.kernels.update({name: self._tried(name, kernel) for name, kernel in kernels.items()})
            self._backend = backend
            if dtypes.bfloat16 in has:
                dtypes.when_bfloat16(self._widen)
            for tell in WHEN_KERNELS:
                tell(self)
        return self._backend

    def _opened(self) -> Backend:
        try:
            backend: Backend = _plugins().open_backend(_backend_name(self.type))
        except BackendError as error:
            if self.type == "cuda":
                raise NoCUDAError(str(error)) from error.__cause__
            raise
        return backend

    def _widen(self) -> None:
        """Learn of bfloat16, in which kernels do not compute: see `widen.py`."""
        own = dtypes.bfloat16
        self._host_dtypes |= {own.numpy}
        if own not in self.native.values():
            self.native[own.numpy] = own
        self._learn()

    def compute_in_pairs(self) -> None:
        """Learn of complex numbers, where the backend has none: see `complex_pairs.py`."""
        with _LEARNING:
            if self.pairs is None and self.backend is not None and self._in_pairs:
                self.native |= {t.numpy: t for t in self._in_pairs}
                self.pairs = importlib.import_module("frazil.complex_pairs").ComplexPairs(self)
                self._learn()

    def _learn(self) -> None:
        """Make the kernels anew, for all dtypes that are there by now. Looking at first results ends here."""
        kernels = answer(self.backend, "kernels", self.number)
        if self.pairs is not None:
            kernels = self.pairs.kernels(kernels)
        kernels, later = self._in_layout(self.backend, kernels)
        kernels, self._later = {**kernels, **later}, {}
        if dtypes.bfloat16 in self.native.values():
            kernels = widen.kernels(self, kernels)
        self._own.update(kernels if self.pairs is not None else {**kernels, **self._without_complex(kernels)})
        for tell in WHEN_KERNELS:
            tell(self)

    def _without_complex(self, kernels: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
        """Those of the kernels that may make the first complex array, which is made of pairs."""
        if not self._in_pairs:
            return {}

        def first(name: str, kernel: Callable[..., Any] | None) -> Callable[..., Any]:
            def call(*arrays: Any, **attrs: Any) -> Any:
                if kernel is not None and attrs.get("dtype") not in self._in_pairs:
                    return kernel(*arrays, **attrs)
                self.compute_in_pairs()
                again: Callable[..., Any] = self._own[name]  # type: ignore[assignment]
                return again(*arrays, **attrs)

            return call

        makers = [name for name in kernels if name in OPS and "dtype" in OPS[name].attributes]
        return {name: first(name, kernels[name]) for name in makers} | {"view_as_complex": first("view_as_complex", None)}

    def _in_layout(self, backend: Backend, kernels: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """The kernels, and those that are needed once arrays do not lie in order: results lie as the ops' layouts say."""
        if not self.aliases or not kernels.keys() >= {"strides", "is_contiguous"}:
            return kernels, {}
        found = {"in_rows": kernels["copy"], **kernels}
        later = {}
        keeps_order = backend.keeps_order and self.pairs is None  # pairs are put together in rows
        for name, kernel in kernels.items():
            op = OPS.get(name)
            if op is None:
                continue
            if op.layout in (None, "rows"):
                if name in backend.follow_order:
                    kernel = later[name] = in_layout(op, kernel, found)
                if keeps_order and "keepdim" in op.attributes:
                    later[name] = keeps_ones(kernel, found)
                continue
            if op.layout == "columns":
                found[name] = in_layout(op, kernel, found)
            elif op.layout == "elementwise" and keeps_order:
                later[name] = first_tells(op, kernel, found)
            else:
                later[name] = in_layout(op, kernel, found)
        return found, later

    def _turns(self, name: str) -> bool:
        """Return whether results of this kernel may lie in another order although no array does."""
        return bool(self._later) and (name in ("permute", "diagonal") or (name in OPS and OPS[name].layout == "columns"))

    def _turning(self, name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        """`kernel`, whose results may be the first that do not lie in order."""

        def first_call(*arrays: Any, **attrs: Any) -> Any:
            self._turn()
            self._own[name] = kernel
            return kernel(*arrays, **attrs)

        return first_call

    def _turn(self) -> None:
        """From now on look whether operands lie differently. A program that turns nothing pays nothing for it."""
        later, self._later = self._later, {}
        self._own.update({**later, **self._without_complex(later)})

    def _tried(self, name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        """`kernel`, whose first result is looked at; after that it is called directly."""

        def first_call(*arrays: Any, **attrs: Any) -> Any:
            result = kernel(*arrays, **attrs)
            for array in result if isinstance(result, tuple) else (result,):
                if not isinstance(getattr(array, "shape", None), tuple) or getattr(array, "dtype", None) not in self.native:
                    raise BackendError(
                        f"backend {self.backend.name!r}: its kernel {name!r} returned {type(array).__name__} {array!r:.60}; "
                        "a kernel returns an array (or a tuple of them), with a tuple as .shape and a .dtype of native_dtypes()"
                    )
            if self._own.get(name) is first_call:
                self._own[name] = kernel
            return result

        return first_call if name in OPS else kernel

    def _who_asks(self, backend: str) -> str:
        """Where the configuration asks for this device, as the beginning of a message about it."""
        asked, origin = config.get("device"), config.origin("device")
        if asked is None and config.get("backend") == backend and not self.number:
            asked, origin = self.type, config.origin("backend")
        return f"{origin}: " if asked in (str(self), f"{self.type}:{self.number}") else ""

    @property
    def backend(self) -> Backend:
        return self._backend or self.open()

    def capabilities(self) -> Capabilities:
        """Return what the device can do, by its backend's own word."""
        self.open()
        return self._capabilities

    def from_host(self, array: np.ndarray) -> Any:
        """A device array with the values of `array`, whose memory it may share; DTypeError where it lacks the dtype."""
        backend = self._backend or self.open()
        if array.dtype not in self._host_dtypes and (
            dtypes.of_native(array.dtype) is None or array.dtype not in self._host_dtypes
        ):
            if array.dtype.name not in self._capabilities.dtypes:
                raise dtypes.not_there(array.dtype.name, self, self._capabilities.dtypes)
            self.compute_in_pairs()
            return self.pairs.from_host(array)
        if self._later and not row_major(array.shape, array.strides, array.itemsize):
            self._turn()
        return backend.from_host(array, self.number)

    def to_host(self, array: Any) -> np.ndarray:
        """The values of a device array; waits for pending work."""
        return self.backend.to_host(array) if self.pairs is None else self.pairs.to_host(array)

    def scalar(self, value: Any, dtype: dtypes.dtype) -> Tensor:
        """A number as a 0-d tensor. The same object for the same number, so never to be written to."""
        key = (value, value.__class__, dtype)
        found = self._scalars.get(key)
        if found is None:
            if len(self._scalars) > 4096:  # numbers that change at every step must not pile up
                self._scalars.clear()
            array = np.asarray(value)
            found = wrap(self.from_host(array.astype(dtype.numpy)), self)
            found._ver = None  # it is used outside of this `inference_mode`, too
            found._aliased = True  # an assignment of it must copy, or a later in-place write would change the number
            if value == value:  # NaN would never find itself again
                self._scalars[key] = found
        return found

    def lift(self, t: Tensor) -> Any:
        """The array of a tensor that lives elsewhere, brought here."""
        return self.from_host(t._dev.to_host(t._a))

    @property
    def index(self) -> int | None:
        """Return which device of its kind it is; None for the CPU, of which there is one, as in PyTorch.

        >>> import frazil as fz
        >>> fz.device("cpu").index, fz.device("cuda:1").index
        (None, 1)
        """
        return self.number or (None if self.type in ("cpu", "meta") else 0)

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if not self.number else f"device(type={self.type!r}, index={self.number})"

    def __str__(self) -> str:
        return self.type if not self.number else f"{self.type}:{self.number}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (device, (self.type, self.number))

    def __enter__(self) -> device:
        STATE.outer_devices = (*STATE.outer_devices, STATE.device)
        STATE.device = self
        return self

    def __exit__(self, *_: object) -> None:
        *outer, STATE.device = STATE.outer_devices
        STATE.outer_devices = tuple(outer)


def answer(backend: Backend, method: str, *args: Any) -> Any:
    """`backend.method(*args)`; BackendError where it raises something unforeseen, or returns what the contract does not know.

    >>> import frazil as fz
    >>> from frazil.device import answer
    >>> answer(fz.device("cpu").backend, "device_count")
    1
    """
    answers = {"device_count": int, "capabilities": Capabilities, "describe": str, "no_device": str}
    expected = answers.get(method, Mapping)  # kernels and dtypes
    cls = type(backend)
    who = f"backend {backend.name!r} is broken: {cls.__module__}.{cls.__name__}.{method}()"
    try:
        found = getattr(backend, method)(*args)
    except FrazilError:
        raise
    except (Exception, SystemExit) as error:
        raise BackendError(f"{who} raised {one_line(error)}") from error
    if not isinstance(found, expected):
        raise BackendError(f"{who} must return {expected.__name__}, it returned {found!r}")
    return found


def _plugins() -> Any:
    # By name, upward: only the plugin manager knows which backends exist.
    return importlib.import_module("frazil.plugins")


def _unknown_backend(name: str) -> str | None:
    problem: str | None = _plugins().unknown_backend(name)
    return problem


def _unknown_device(name: str) -> str | None:
    kind = name.partition(":")[0]
    problem: str | None = None if kind == "cpu" else _plugins().unknown_device_type(kind)
    return problem


guard("backend", _unknown_backend, calls_only=True)
guard("device", _unknown_device, calls_only=True)


def _backend_name(device_type: str) -> str:
    return "numpy" if device_type == "cpu" else _plugins().backend_for_device_type(device_type)


def count_of(kind: str) -> int:
    """Return how many devices of a kind can be used; 0 without a backend for them. Never raises.

    >>> from frazil.device import count_of
    >>> count_of("cpu")
    1
    """
    try:
        return device(kind).backend.device_count()
    except (BackendError, DeviceError):
        return 0


def in_use() -> list[device]:
    """Return the devices whose backend has been opened.

    >>> import frazil as fz
    >>> from frazil.device import in_use
    >>> _ = fz.ones(1) + 1; fz.device("cpu") in in_use()
    True
    """
    return [found for found in _devices.values() if found._backend is not None]


#: How often each (device, op) went through the CPU.
FALLBACKS: dict[tuple[str, str], int] = {}


def missing_kernel(there: device, name: str) -> Callable[..., Any] | None:
    """Return what runs where a device has no kernel: None (the body) for composites, a detour through the CPU for primitives."""
    op = OPS[name]
    if op.body is not None:
        return None
    cpu = device("cpu")
    if there is cpu or config.get("strict"):
        cls = type(there.backend)
        raise MissingKernelError(
            f"backend {there.backend.name!r} has no kernel for the primitive {name!r}"
            + ("" if there is cpu else ", and strict mode forbids the detour through the CPU (config key 'strict')")
            + f": {cls.__module__}.{cls.__name__}.kernels() must return one for {name}{op.signature}"
        )

    return detour(there, name)


def detour(there: device, name: str) -> Callable[..., Any]:
    """Return a kernel that computes on the CPU."""
    cpu = device("cpu")

    def call(*arrays: Any, **attrs: Any) -> Any:
        note_detour(there, name)
        results = cpu.kernels[name](*(None if a is None else there.to_host(a) for a in arrays), **attrs)
        if isinstance(results, tuple):
            return tuple(there.from_host(np.asarray(r)) for r in results)
        return there.from_host(np.asarray(results))

    return call


def note_detour(there: device, name: str) -> None:
    """Count that `name` goes through the CPU, and warn the first time; in strict mode it must not."""
    if config.get("strict"):
        raise MissingKernelError(
            f"{name} runs on the CPU only: strict mode forbids the detour from {there} (config key 'strict')"
        )
    key = (str(there), name)
    if key not in FALLBACKS:
        warnings.warn(
            f"{name} has no kernel on {there}: it runs on the CPU, with copies both ways (set strict=True to forbid this)",
            stacklevel=4,
        )
    FALLBACKS[key] = FALLBACKS.get(key, 0) + 1


def fallbacks() -> dict[tuple[str, str], int]:
    """(device, op) -> how often the op went through the CPU because the device has no kernel for it.

    >>> import frazil as fz
    >>> fz.debug.fallbacks()
    {}
    """
    return dict(FALLBACKS)


def get_default_device() -> device:
    """The device of new tensors made without `device=`.

    From, strongest first: `with fz.device(...)`, `fz.set_default_device`, the configuration (`device`, then `backend`).

    >>> import frazil as fz
    >>> fz.get_default_device()
    device(type='cpu')
    """
    return STATE.device or _default[0] or _configured()


_default: list[device | None] = [None]
_configured_cache: dict[tuple[Any, Any], device] = {}


def _configured() -> device:
    key = config.get("device"), config.get("backend")
    found = _configured_cache.get(key)
    if found is None:
        name, backend = key
        try:
            found = _configured_cache[key] = device(name or _plugins().device_type_of(backend))
        except FrazilError as error:
            if name is None:  # the plugin manager knows who asks for a backend
                raise
            raise type(error)(f"{config.origin('device')}: {error}") from error
    return found


def set_default_device(d: str | device | None) -> None:
    """New tensors made without `device=` live on `d`; None goes back to the configuration.

    >>> import frazil as fz
    >>> fz.set_default_device("cpu")
    """
    _default[0] = None if d is None else device(d)


def as_device(d: str | device | None) -> device:
    """The device meant by an argument `device=`."""
    return get_default_device() if d is None else device(d)


final(device)
