"""Data types: the objects `fz.float32` and friends, promotion, the default dtype.

bfloat16 is a float32 without the lower half of its bits: its range, and 8 bits of precision. Tensors of it are stored in 16 bits
and computed in float32, rounded once at the end of each operation (`widen.py`). NumPy knows it through `ml_dtypes`, which is
imported when the first tensor of it is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, final

import numpy as np

from . import config
from .errors import DTypeError

_RANK = {"b": 0, "i": 1, "f": 2, "c": 3}


@final
class dtype:
    """An element type, such as `fz.float32`. One object per type, so `is` and `==` mean the same.

    >>> import frazil as fz
    >>> fz.float32.itemsize, fz.float32.is_floating_point, fz.int64.is_signed
    (4, True, True)
    """

    __slots__ = ("_numpy", "is_complex", "is_floating_point", "is_signed", "itemsize", "kind", "name")

    def __init__(self, name: str, kind: str, itemsize: int, numpy: Any) -> None:
        self.name = name
        self.kind = kind  # b(ool) i(nteger) f(loat) c(omplex)
        self.itemsize = itemsize
        self._numpy = numpy  # None where NumPy has none of its own
        self.is_floating_point = kind == "f"
        self.is_complex = kind == "c"
        self.is_signed = kind != "b" and not name.startswith("uint")

    @property
    def numpy(self) -> Any:
        """NumPy's dtype of the same numbers."""
        if self._numpy is not None:
            return self._numpy
        if self.name == "bfloat16":
            return _open_bfloat16()
        raise DTypeError(f"no backend of frazil computes in {self.name}: use fz.float16 or fz.bfloat16")

    def __repr__(self) -> str:
        return f"frazil.{self.name}"

    def __str__(self) -> str:
        return f"frazil.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (by_name, (self.name,))


def _make(name: str, kind: str) -> dtype:
    native = np.dtype(name)
    return dtype(name, kind, native.itemsize, native)


bool_ = _make("bool", "b")
uint8 = _make("uint8", "i")
int8 = _make("int8", "i")
int16 = _make("int16", "i")
int32 = _make("int32", "i")
int64 = _make("int64", "i")
uint16 = _make("uint16", "i")
uint32 = _make("uint32", "i")
uint64 = _make("uint64", "i")
float16 = _make("float16", "f")
bfloat16 = dtype("bfloat16", "f", 2, None)
float32 = _make("float32", "f")
float64 = _make("float64", "f")
complex64 = _make("complex64", "c")
complex128 = _make("complex128", "c")

ALL = {
    t.name: t
    for t in (
        bool_,
        uint8,
        int8,
        int16,
        int32,
        int64,
        uint16,
        uint32,
        uint64,
        float16,
        bfloat16,
        float32,
        float64,
        complex64,
        complex128,
    )
}
#: The dtype of the parts of a complex dtype, and the other way round.
PARTS = {complex64: float32, complex128: float64}
WHOLE = {part: whole for whole, part in PARTS.items()}
#: The dtypes that are computed in float32.
HALVES = (float16, bfloat16)


def holds(half: dtype, number: Any) -> bool:
    """Return whether a float of 16 bits can be exactly this number.

    >>> import frazil as fz
    >>> from frazil.dtypes import holds
    >>> holds(fz.float16, 0.5), holds(fz.float16, 0.1), holds(fz.float16, 70000), holds(fz.bfloat16, 1 / 256)
    (True, False, False, True)
    """
    if type(number) not in (int, float, bool):
        return False  # a size, whose number is known later
    if number != number or number in (math.inf, -math.inf):
        return True
    if not -3.4e38 < number < 3.4e38:
        return False
    single = np.float32(number)
    if half is bfloat16:
        return float(single) == number and not int(single.view(np.uint32)) & 0xFFFF
    return abs(number) <= 65504 and float(np.float16(number)) == number


def rounded(known: dtype, number: Any) -> Any:
    """The number that a factor becomes which PyTorch rounds to the dtype of its tensor: another one for floats of 16 bits only.

    >>> import frazil as fz
    >>> from frazil.dtypes import rounded
    >>> rounded(fz.float16, 0.1), rounded(fz.float32, 0.1)
    (0.0999755859375, 0.1)
    """
    if known not in HALVES or type(number) not in (int, float) or holds(known, number):
        return number
    with np.errstate(over="ignore"):
        return float(np.float64(number).astype(known.numpy))


#: Names that libraries compare with and list (`{"F8_E4M3": torch.float8_e4m3fn}`): no backend computes in these dtypes.
float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e8m0fnu, complex32, qint8, quint8, qint32 = (
    dtype(name, kind, itemsize, None)
    for kind, itemsize, names in (
        ("f", 1, "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu"),
        ("c", 4, "complex32"),
        ("i", 1, "qint8 quint8"),
        ("i", 4, "qint32"),
    )
    for name in names.split()
)

#: PyTorch's second names.
ALIASES = {
    "half": float16,
    "float": float32,
    "double": float64,
    "short": int16,
    "int": int32,
    "long": int64,
    "cfloat": complex64,
    "cdouble": complex128,
}

#: The dtypes of recorded arrays, as a table of the kind that every device has of its own (`device.native`).
OWN = {t: t for t in ALL.values()}

# By class first: libraries complain when their dtypes are compared with those of another.
_native: dict[type, dict[Any, dtype]] = {dtype: dict(OWN)}


def learn(table: Mapping[Any, dtype]) -> None:
    """Add `array.dtype` -> dtype of a backend, for `of_native`."""
    for native, own in table.items():
        _native.setdefault(type(native), {})[native] = own


def of_native(native: Any) -> dtype | None:
    """The dtype for an `array.dtype` of any opened backend; slower than `device.native` of the device it lives on.

    >>> import numpy as np
    >>> from frazil.dtypes import of_native
    >>> of_native(np.dtype("float32")), of_native("float32")
    (frazil.float32, None)
    """
    found = _native.get(type(native), {}).get(native)
    if found is None and not NARROW and getattr(native, "name", None) == "bfloat16":  # an array that somebody else made
        return bfloat16 if native == bfloat16.numpy else None
    return found


learn({t.numpy: t for t in ALL.values() if t is not bfloat16})

#: Native dtypes that are stored in 16 bits only: none, until the first tensor of bfloat16 is made.
NARROW: list[Any] = []

_waiting: list[Callable[[], None]] = []


def _open_bfloat16() -> Any:
    import ml_dtypes  # here, because it costs a program that has no bfloat16 10 ms

    bfloat16._numpy = np.dtype(ml_dtypes.bfloat16)
    learn({bfloat16.numpy: bfloat16})
    NARROW[:] = [bfloat16.numpy, bfloat16]
    while _waiting:
        _waiting.pop()()
    return bfloat16.numpy


def when_bfloat16(tell: Callable[[], None]) -> None:
    """Call `tell` once tensors of bfloat16 can be met: now, or when the first is made."""
    if NARROW:
        tell()
    else:
        _waiting.append(tell)


def in_numpy(array: np.ndarray) -> np.ndarray:
    """`array` in a dtype of NumPy's own: bfloat16 as float32, which has all its values."""
    return array.astype(np.float32) if array.dtype in NARROW else array


_default: list[dtype | None] = [None]


def by_name(name: str) -> dtype:
    """The dtype called `name` ("float32", "long", ...)."""
    found = ALL.get(name) or ALIASES.get(name)
    if found is None:
        raise DTypeError(f"there is no dtype {name!r}; known: {', '.join([*ALL, *ALIASES])}")
    return found


#: What a Python type means as a dtype, `dtype=float`.
_OF_PYTHON: dict[type, dtype] = {bool: bool_, int: int64, float: float64, complex: complex128}


def as_dtype(value: Any) -> dtype:
    """A dtype from a dtype, a name, a Python type or a NumPy dtype.

    >>> import frazil as fz
    >>> fz.dtypes.as_dtype(int), fz.dtypes.as_dtype("float64")
    (frazil.int64, frazil.float64)
    """
    if isinstance(value, str):
        value = by_name(value.removeprefix("frazil.").removeprefix("torch."))
    if isinstance(value, dtype):
        return value
    if isinstance(value, type) and value in _OF_PYTHON:
        return _OF_PYTHON[value]
    try:
        found = of_native(value) or of_native(np.dtype(value))
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise DTypeError(f"{value!r} is not a dtype; give one of {', '.join('fz.' + n for n in ALL)}")
    return found


def get_default_dtype() -> dtype:
    """The dtype of floating tensors made without one: that of `fz.set_default_dtype`, else of the configuration, else float32.

    >>> import frazil as fz
    >>> fz.get_default_dtype()
    frazil.float32
    """
    return _default[0] or ALL[config.get("default_dtype")]


def set_default_dtype(d: dtype) -> None:
    """Make `d` (a floating dtype) the default for new floating tensors.

    >>> import frazil as fz
    >>> fz.set_default_dtype(fz.float64); fz.tensor(1.5).dtype
    frazil.float64
    >>> fz.set_default_dtype(fz.float32)
    """
    d = as_dtype(d)
    if not d.is_floating_point:
        raise DTypeError(f"set_default_dtype: only floating dtypes can be the default, given {d}")
    _default[0] = d


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to, by PyTorch's rules.

    >>> import frazil as fz
    >>> fz.promote_types(fz.int64, fz.float16), fz.promote_types(fz.uint8, fz.int8)
    (frazil.float16, frazil.int16)
    """
    a, b = type1, type2
    if a is b:
        return a
    ra, rb = _RANK[a.kind], _RANK[b.kind]
    if ra != rb:
        low, high = (a, b) if ra < rb else (b, a)
        if high.is_complex and low is float64:
            return complex128
        return high
    if a.kind == "i" and a.is_signed != b.is_signed:
        u, s = (b, a) if a.is_signed else (a, b)
        if s.itemsize > u.itemsize:
            return s
        if u is not uint8:
            raise DTypeError(f"promotion of {u} with {s} is not defined (nor is it in PyTorch): convert one of them with .to()")
        return int16
    if a in HALVES and b in HALVES:
        return float32  # float16 has its digits, bfloat16 its range
    return a if a.itemsize >= b.itemsize else b


def result_type_of(operands: list[tuple[dtype, int]]) -> dtype:
    """Promotion of operands given as (dtype, priority): tensors with dimensions 2, 0-d tensors 1, Python numbers 0.

    A lower priority only matters when its kind (bool < integer < float < complex) is higher than all operands of higher priority.
    """
    result: dtype | None = None
    for priority in (2, 1, 0):
        group: dtype | None = None
        for d, p in operands:
            if p == priority:
                group = d if group is None else promote_types(group, d)
        if group is None:
            continue
        if result is None:
            result = group
        elif _RANK[group.kind] > _RANK[result.kind]:
            if priority == 0:  # a Python number brings only its kind
                if group.is_complex:
                    group = complex128 if result is float64 else complex64
                elif group.is_floating_point:
                    group = get_default_dtype()
            result = group
    assert result is not None
    return result


def not_there(name: str, device: Any, has: Collection[str]) -> DTypeError:
    """The error for a dtype that a device does not have."""
    present = [n for n in ALL if n in has]
    near = [n for n in present if ALL[n].kind == by_name(name).kind]
    best = "float32" if name == "bfloat16" and "float32" in near else near[-1] if near else ""
    cure = f"Convert first, for example with .to(fz.{best})" if near else "Convert first, with .to(dtype)"
    return DTypeError(f"device {str(device)!r} has no {name}; it has {', '.join(present)}. {cure}")


def can_cast(from_: dtype, to: dtype) -> bool:
    """Return whether an in-place result of dtype `from_` may be stored in `to`: never to a lower kind.

    >>> import frazil as fz
    >>> fz.can_cast(fz.float64, fz.float32), fz.can_cast(fz.float32, fz.int64)
    (True, False)
    """
    return _RANK[as_dtype(from_).kind] <= _RANK[as_dtype(to).kind]


def _limits_of_bfloat16(native: Any) -> Any:
    import ml_dtypes

    return ml_dtypes.finfo(native)


#: Largest, smallest, epsilon and smallest normal number of the floats of one byte, which NumPy does not know.
_LIMITS_OF_FLOAT8 = {
    "float8_e4m3fn": (448.0, -448.0, 2.0**-3, 2.0**-6),
    "float8_e4m3fnuz": (240.0, -240.0, 2.0**-3, 2.0**-7),
    "float8_e5m2": (57344.0, -57344.0, 2.0**-2, 2.0**-14),
    "float8_e5m2fnuz": (57344.0, -57344.0, 2.0**-3, 2.0**-15),
    "float8_e8m0fnu": (2.0**127, 2.0**-127, 1.0, 2.0**-127),
}


@final
class finfo:
    """Limits of a floating dtype: `max, min, eps, tiny, smallest_normal, resolution, bits, dtype`.

    >>> import frazil as fz
    >>> fz.finfo(fz.float32).bits
    32
    """

    def __init__(self, d: dtype | None = None) -> None:
        d = get_default_dtype() if d is None else as_dtype(d)
        if d.kind not in "fc":
            raise DTypeError(f"finfo: {d} is not floating; for integers use fz.iinfo")
        if d.name in _LIMITS_OF_FLOAT8:
            self.bits, self.dtype, self.resolution = 8, d.name, 1.0
            self.max, self.min, self.eps, self.tiny = _LIMITS_OF_FLOAT8[d.name]
            self.smallest_normal = self.tiny
            return
        info = _limits_of_bfloat16(d.numpy) if d is bfloat16 else np.finfo("float16" if d is complex32 else d.numpy)
        self.bits, self.dtype = info.bits, info.dtype.name
        self.max, self.min, self.eps = float(info.max), float(info.min), float(info.eps)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = 10.0**-info.precision

    def __repr__(self) -> str:
        limits = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in limits)}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((finfo, self.dtype))


@final
class iinfo:
    """Limits of an integer dtype: `max, min, bits, dtype`.

    >>> import frazil as fz
    >>> fz.iinfo(fz.uint8).max
    255
    """

    def __init__(self, d: dtype) -> None:
        d = as_dtype(d)
        if d.kind != "i":
            raise DTypeError(f"iinfo: {d} is not an integer dtype; for floats use fz.finfo")
        info = np.iinfo(d.numpy)
        self.bits, self.dtype, self.max, self.min = info.bits, d.name, int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((iinfo, self.dtype))
