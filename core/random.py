"""Random numbers that depend on a key and a counter only: the same in eager mode, in a recording, in a file, on every backend.

**The stream.** A generator's state is an ordinary tensor, int64[2]: the seed and the number of *blocks* drawn. Block i is
Philox4x64-10 (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with key (seed, 0) and counter (i + 1,
0, 0, 0): four words of 64 bits, taken as eight of 32 bits, low half first. That is the order of
`numpy.random.Generator(Philox(key, counter))`, whose floats are these floats. A draw takes whole blocks, in order:

* uniform float32: the upper 24 bits of a word; float64: the upper 53 bits of two;
* normal: pairs from two uniform numbers, computed in float64 and rounded (`ops/random.py`);
* integers: 63 bits of two words, modulo the range: a bias of range / 2**63 (PyTorch takes 32 bits where the range fits);
* permutations: the stable order of such integers; bernoulli: uniform < p; multinomial: see there.

The state is read by pure ops (`random_bits(state, n=...)`) and moved on in place, like any other tensor. So a recording sees
nothing special: the state goes in, the numbers and the new state come out.

**Why Philox4x64 and not Threefry-2x32.** Measured on two cores of an AMD EPYC (Zen 4), NumPy 2.4, onnxruntime 1.31, a million
words, in ns per word of 32 bits:

| | NumPy, one thread | onnxruntime, two threads | nodes of the ONNX function |
|---|---|---|---|
| Philox4x64-10 | 1.8 (in C, inside NumPy) | 13 to 16 | 67, 10 rounds in one `Scan` (3.1 KB) |
| Threefry-2x32-20 | 4.8 (20 rounds of array operations) | 13 | 146 (5.4 KB) |

Eager mode decides: NumPy's generator is written in C, seekable, and an independent witness for every test. In the file both
cost the same, Philox's fixed cost per draw being 0.10 against 0.04 ms; unrolled rounds would be three times as large and 0.02
ms faster.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, final

import numpy as np

from . import dtypes
from .alias import assign, check_writable
from .autograd.modes import no_grad
from .creation import checked_sizes, from_host, tensor
from .define import function
from .device import as_device
from .device import device as Device
from .dtypes import PARTS
from .dtypes import dtype as DType
from .errors import ArgumentError, DeviceError, DTypeError, ShapeError
from .ops.common import prod
from .ops.complex_numbers import view_as_complex
from .ops.elementwise import cast
from .ops.random import (
    first_above,
    int63_words,
    normal_words,
    random_int63,
    random_normal,
    random_permutation,
    random_uniform,
    uniform_words,
)
from .ops.reduction import cumsum, topk
from .spelling import tell_names as _tell_names
from .state import STATE
from .table import METHODS
from .tensor import Tensor, shape_like, whole
from .transfer import where_float64_is
from .views import lie

#: Seed of a generator that was given none (PyTorch's).
DEFAULT_SEED = 67280421310721

_WORDS_PER_BLOCK = 8


@final
class Generator:
    """A source of random numbers on a device.

    >>> import frazil as fz
    >>> g = fz.Generator().manual_seed(1)
    >>> a = fz.rand(3, generator=g)
    >>> bool((a == fz.rand(3, generator=g.manual_seed(1))).all())
    True
    """

    def __init__(self, device: str | Device = "cpu") -> None:
        self._where = device
        self._seed = DEFAULT_SEED
        self._state: Tensor | None = None
        self._lock = threading.Lock()
        self._recorder = STATE.recorder  # made inside a recording, its state is a value of that recording

    @property
    def device(self) -> Device:
        """Return where its numbers are made."""
        return as_device(self._where)

    @property
    def state(self) -> Tensor:
        """The state itself, int64[2]: the seed and the number of blocks drawn. Drawing changes it in place."""
        if self._state is None:
            self._state = from_host(np.array([_signed(self._seed), 0]), self.device)
        return self._state

    def manual_seed(self, seed: int | Tensor) -> Generator:
        """Start the stream of `seed`, an integer from -2**63 to 2**64 - 1; inside a recording also a 0-d integer tensor."""
        if STATE.recorder is not None and isinstance(seed, Tensor):
            return self._start_recorded(seed)
        seed = int(seed)
        if not -(2**63) <= seed < 2**64:
            raise ArgumentError(f"manual_seed: a seed is an integer from -2**63 to 2**64 - 1, given {seed}")
        with self._lock:
            self._seed = seed % 2**64
            if self._state is not None:
                with no_grad():
                    self._state.copy_(tensor([_signed(seed), 0], device=self.device))
        return self

    def _start_recorded(self, seed: Tensor) -> Generator:
        """The seed is known only when the recorded program runs."""
        start = tensor([seed.to(dtypes.int64), 0])
        with self._lock, no_grad():
            if self._state is None and self._recorder is STATE.recorder:
                self._state = start
            else:
                self.state.copy_(start)
        return self

    def seed(self) -> int:
        """Start a stream nobody can foretell; its seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed of the stream."""
        return self._seed

    def get_state(self) -> Tensor:
        """A copy of the state, as bytes on the CPU: uint8[16]. In a recording, and on "meta", it is a value: int64[2]."""
        with self._lock:
            state = self.state.clone()
        return state if STATE.recorder is not None or state.is_meta else state.cpu().view(dtypes.uint8)

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on where `new_state`, which a `get_state` returned, was taken."""
        if isinstance(new_state, Tensor) and new_state.dtype is dtypes.uint8 and tuple(new_state.shape) == (16,):
            new_state = new_state.cpu().view(dtypes.int64)
        if not isinstance(new_state, Tensor) or new_state.dtype is not dtypes.int64 or tuple(new_state.shape) != (2,):
            raise ArgumentError(f"set_state: expected the tensor of a get_state, uint8[16] or int64[2], given {new_state!r}")
        with self._lock, no_grad():
            self.state.copy_(new_state)
            if STATE.recorder is None and not new_state.is_meta:
                self._seed = int(new_state[0]) % 2**64
        return self

    def clone_state(self) -> Generator:
        """Another generator in the same state."""
        return Generator(self._where).set_state(self.get_state())

    def draw(self, op: Callable[..., Tensor], words: Any, **attrs: Any) -> Tensor:
        """op(state, **attrs), which takes `words` words, and move on."""
        if STATE.level is not None:
            return STATE.level.drawn(lambda: self._draw(op, words, attrs))
        return self._draw(op, words, attrs)

    def _draw(self, op: Callable[..., Tensor], words: Any, attrs: dict[str, Any]) -> Tensor:
        blocks = (words + (_WORDS_PER_BLOCK - 1)) // _WORDS_PER_BLOCK
        with self._lock:
            state = self.state
            drawn = op(state, **attrs)
            step = _step(blocks, state.device) if STATE.recorder is None else tensor([0, blocks])
            state.add_(step)
        return drawn

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self.device), self.get_state().cpu().numpy())

    def __repr__(self) -> str:
        return f"Generator(device={str(self._where)!r}, initial_seed={self._seed})"


@lru_cache(1024)
def _step(blocks: int, device: Device) -> Tensor:
    """What a draw adds to the state. Made once: the same small draws come again and again."""
    return from_host(np.array([0, blocks]), device)


def _signed(seed: int) -> int:
    """The int64 with the same 64 bits."""
    return (seed + 2**63) % 2**64 - 2**63


def _restored(device: str, state: np.ndarray) -> Generator:
    return Generator(device).set_state(from_host(state, as_device(device)))


#: What draws on the CPU when no generator is given.
default_generator = Generator()
default_generator._seed = int.from_bytes(os.urandom(8), "little")

#: The same for other devices, made when first needed, with the seed of `default_generator`.
_default_generators: dict[str, Generator] = {"cpu": default_generator}


def default_generator_of(device: Device) -> Generator:
    """Return what draws on a device when no generator is given."""
    found = _default_generators.get(str(device))
    if found is None:
        found = _default_generators[str(device)] = Generator(device).manual_seed(default_generator.initial_seed())
    return found


def manual_seed(seed: int) -> Generator:
    """Seed the default generators of all devices. Returns that of the CPU.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> fz.rand(2)
    tensor([0.0347, 0.0115])
    """
    for generator in _default_generators.values():
        generator.manual_seed(seed)
    return default_generator


def seed() -> int:
    """Give the default generators a seed nobody can foretell; that seed."""
    chosen = int.from_bytes(os.urandom(8), "little")
    manual_seed(chosen)
    return chosen


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """A copy of the state of the CPU's default generator, as bytes: uint8[16]."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Bring the CPU's default generator into a state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Sequence[Any] | None = None, enabled: bool = True) -> Iterator[None]:
    """Whatever is drawn inside, the default generators go on afterwards as if nothing had been.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> with fz.random.fork_rng():
    ...     _ = fz.rand(100)
    >>> fz.rand(2)
    tensor([0.0347, 0.0115])
    """
    if not enabled:
        yield
        return
    names = set(_default_generators) if devices is None else {"cpu", *(str(as_device(d)) for d in devices)}
    before = {name: default_generator_of(as_device(name)).get_state() for name in names}
    try:
        yield
    finally:
        for name, state in before.items():
            _default_generators[name].set_state(state)


# --------------------------------------------------------------------------------------------------------------------- drawing


def _source(name: str, generator: Generator | None, device: Any) -> Generator:
    """The generator to draw from; it must be where the result is wanted."""
    if generator is None or (device is not None and as_device(device).type == "meta"):  # where nothing is drawn
        return default_generator_of(as_device(device))
    if device is not None and as_device(device) is not generator.device:
        raise DeviceError(f"{name}: the generator is on {generator.device}, but the result is wanted on {as_device(device)}")
    return generator


def _float_dtype(name: str, dtype: DType | None) -> DType:
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    if dtype.kind not in "fc":
        raise DTypeError(f"{name}: the result must have a floating dtype, asked for {dtype.name}")
    return dtype


def _finish(drawn: Tensor, requires_grad: bool) -> Tensor:
    return drawn.requires_grad_() if requires_grad else drawn


def _uniform(generator: Generator, shape: tuple[Any, ...], dtype: DType) -> Tensor:
    if dtype.is_complex:
        return view_as_complex(_uniform(generator, (*shape, 2), PARTS[dtype]))
    return generator.draw(random_uniform, uniform_words(prod(shape), dtype), shape=shape, dtype=dtype)


def uniform64(name: str, shape: tuple[Any, ...], device: Any, generator: Generator | None) -> Tensor:
    """Uniform float64 numbers for the function `name`: on the CPU if the device has no float64."""

    def draw(state: Tensor, **attrs: Any) -> Tensor:
        return random_uniform(where_float64_is(state), **attrs)

    source = _source(name, generator, device)
    return source.draw(draw, uniform_words(prod(shape), dtypes.float64), shape=shape, dtype=dtypes.float64)


def normal64(name: str, shape: tuple[Any, ...], device: Any, generator: Generator | None) -> Tensor:
    """Normal float64 numbers for the function `name`: on the CPU if the device has no float64."""

    def draw(state: Tensor, **attrs: Any) -> Tensor:
        return random_normal(where_float64_is(state), **attrs)

    source = _source(name, generator, device)
    return source.draw(draw, normal_words(prod(shape), dtypes.float64), shape=shape, dtype=dtypes.float64)


def _normal(generator: Generator, shape: tuple[Any, ...], dtype: DType) -> Tensor:
    if dtype.is_complex:  # of variance 1 together
        return view_as_complex(_normal(generator, (*shape, 2), PARTS[dtype]) * 0.5**0.5)
    return generator.draw(random_normal, normal_words(prod(shape), dtype), shape=shape, dtype=dtype)


def _int63(generator: Generator, shape: tuple[Any, ...]) -> Tensor:
    return generator.draw(random_int63, int63_words(prod(shape)), shape=shape)


def _integers(name: str, generator: Generator, low: Any, high: Any, shape: tuple[Any, ...]) -> Tensor:
    if isinstance(low, int) and isinstance(high, int) and not -(2**63) <= low < high <= 2**63 - 1:
        raise ArgumentError(f"{name}: expected low < high within int64, given low={low} and high={high}")
    if isinstance(low, int) and isinstance(high, int) and high - low > 2**63 - 1:
        raise ArgumentError(f"{name}: the range from {low} to {high} holds more than 2**63 - 1 integers")
    return _int63(generator, shape) % (high - low) + low


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1).

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> fz.rand(2, 3).shape
    frazil.Size([2, 3])
    """
    drawn = _uniform(_source("rand", generator, device), checked_sizes("rand", size), _float_dtype("rand", dtype))
    return _finish(drawn, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Normal numbers with mean 0 and standard deviation 1.

    >>> import frazil as fz
    >>> fz.randn(10000).std().item() > 0.9
    True
    """
    drawn = _normal(_source("randn", generator, device), checked_sizes("randn", size), _float_dtype("randn", dtype))
    return _finish(drawn, requires_grad)


def randint(
    *args: Any,
    low: int = 0,
    high: int | None = None,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """Uniform integers in low .. high - 1: `randint(high, size)` or `randint(low, high, size)`.

    >>> import frazil as fz
    >>> x = fz.randint(3, 6, (1000,))
    >>> x.dtype, x.min().item(), x.max().item()
    (frazil.int64, 3, 5)
    """
    given = list(args)
    if size is None and given and isinstance(given[-1], (tuple, list)):
        size = given.pop()
    if len(given) == 2 and high is None:
        low, high = given
    elif len(given) == 1 and high is None:
        high = given[0]
    elif len(given) == 1:
        low = given[0]
    elif given:
        high = None
    if high is None or size is None:
        raise ArgumentError(f"randint: expected (high, size) or (low, high, size), given {args}")
    low, high = whole(low), whole(high)
    dtype = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    drawn = _integers("randint", _source("randint", generator, device), low, high, checked_sizes("randint", (size,)))
    return _finish(drawn.to(dtype), requires_grad)


def randperm(
    n: Any,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """The integers 0 .. n - 1 in random order.

    >>> import frazil as fz
    >>> sorted(fz.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    (n,) = checked_sizes("randperm", (n,))
    drawn = _source("randperm", generator, device).draw(random_permutation, int63_words(n), n=n)
    return _finish(drawn.to(dtypes.int64 if dtype is None else dtype), requires_grad)


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    layout: Any = None,
) -> Tensor:
    """Uniform numbers in [0, 1), as many as `input` has elements.

    >>> import frazil as fz
    >>> fz.rand_like(fz.zeros(2, 3)).shape
    frazil.Size([2, 3])
    """
    source = _source("rand_like", generator, input.device if device is None else device)
    dtype = _float_dtype("rand_like", input.dtype if dtype is None else dtype)
    return _finish(lie("like", _uniform(source, shape_like("rand_like", input), dtype), input), requires_grad)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    layout: Any = None,
) -> Tensor:
    """Standard normal numbers, as many as `input` has elements.

    >>> import frazil as fz
    >>> fz.randn_like(fz.zeros(2, 3)).shape
    frazil.Size([2, 3])
    """
    source = _source("randn_like", generator, input.device if device is None else device)
    dtype = _float_dtype("randn_like", input.dtype if dtype is None else dtype)
    return _finish(lie("like", _normal(source, shape_like("randn_like", input), dtype), input), requires_grad)


def randint_like(
    input: Tensor,
    *args: int,
    low: int = 0,
    high: int | None = None,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
    layout: Any = None,
) -> Tensor:
    """Uniform integers in low .. high - 1, as many as `input` has elements: arguments `(x, high)` or `(x, low, high)`.

    >>> import frazil as fz
    >>> fz.randint_like(fz.zeros(2), 5).dtype
    frazil.float32
    """
    return randint(
        *args, shape_like("randint_like", input), low=low, high=high, generator=generator,
        dtype=input.dtype if dtype is None else dtype,
        device=input.device if device is None else device, requires_grad=requires_grad,
    )  # fmt: skip


def _check_probabilities(name: str, p: Tensor) -> None:
    if STATE.recorder is None and not p.is_meta and not bool(((p >= 0) & (p <= 1)).all()):
        raise ArgumentError(f"{name}: probabilities lie between 0 and 1, given {p.min().item()} to {p.max().item()}")


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that the element of `input` says, else 0 (or with probability `p` everywhere).

    >>> import frazil as fz
    >>> fz.bernoulli(fz.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    if p is not None:
        return _coins("bernoulli", input, p, generator)
    if input.dtype.kind != "f":
        raise DTypeError(f"bernoulli: probabilities must be floating, given {input.dtype.name}")
    _check_probabilities("bernoulli", input)
    return _coins("bernoulli", input, input, generator)


def _coins(name: str, like: Tensor, p: Any, generator: Generator | None) -> Tensor:
    """u < p, of the shape and dtype of `like`."""
    if isinstance(p, (int, float)) and not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p is a probability, given {p}")
    dtype = next((d for d in (p.dtype if isinstance(p, Tensor) else None, like.dtype) if d and d.kind == "f"), dtypes.float32)
    with no_grad():
        u = _uniform(_source(name, generator, like.device), shape_like(name, like), dtype)
        return (u < p).to(like.dtype)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """int64: indices drawn from every row of `input` [C] or [N, C], with the elements as weights (not negative, not all 0).

    With replacement: where float64 uniform numbers fall among the running sums of the weights. Without: the largest of
    weight / e for exponential e, in order (P. S. Efraimidis and P. G. Spirakis, 2006).

    >>> import frazil as fz
    >>> fz.multinomial(fz.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    shape = shape_like("multinomial", input)
    if input.dtype.kind != "f":
        raise DTypeError(f"multinomial: weights must be floating, given {input.dtype.name}")
    if len(shape) not in (1, 2):
        raise ShapeError(f"multinomial: weights must have 1 or 2 dimensions, given {list(shape)}")
    if isinstance(num_samples, int) and num_samples <= 0:
        raise ArgumentError(f"multinomial: cannot draw {num_samples} samples")
    if not replacement and isinstance(shape[-1], int) and isinstance(num_samples, int) and num_samples > shape[-1]:
        raise ArgumentError(f"multinomial: cannot draw {num_samples} samples from {shape[-1]} without replacement")
    with no_grad():
        weights = where_float64_is(input.detach()).to(dtypes.float64)
        if STATE.recorder is None and not input.is_meta:
            _check_weights(weights, 1 if replacement else num_samples)
        if replacement:
            sums = cumsum(weights, dim=-1)
            points = uniform64("multinomial", (*shape[:-1], num_samples), input.device, generator)
            total = sums.narrow(-1, shape[-1] - 1, 1)
            drawn = first_above(sums, points * total)
        else:
            u = uniform64("multinomial", shape, input.device, generator)
            drawn = topk(weights / -((1.0 - u).log()), num_samples, dim=-1).indices
    return drawn.to(input.device)


def _check_weights(weights: Any, needed: int) -> None:
    if not bool(((weights >= 0) & weights.isfinite()).all()):
        raise ArgumentError("multinomial: weights must be finite and not negative")
    if not bool(((weights > 0).sum(-1) >= needed).all()):
        raise ArgumentError(f"multinomial: every row needs at least {needed} weights above 0 to draw from")


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers. `mean` and `std` are tensors (the shape is theirs) or numbers (then with `size`).

    >>> import frazil as fz
    >>> fz.normal(fz.tensor([5.0, 100.0]), 1e-6).round()
    tensor([  5., 100.])
    >>> fz.normal(2.0, 3.0, (2, 2)).shape
    frazil.Size([2, 2])
    """
    parameters = [p for p in (mean, std) if isinstance(p, Tensor)]
    if isinstance(std, (int, float)) and std < 0:
        raise ArgumentError(f"normal: std must not be negative, given {std}")
    if not parameters:
        if size is None:
            raise ArgumentError("normal: with two numbers, give the size too: normal(mean, std, size)")
        unit = randn(*checked_sizes("normal", (size,)), generator=generator, dtype=dtype, device=device)
    else:
        both = parameters[0] if len(parameters) == 1 else parameters[0] + parameters[1]
        unit = randn_like(both.detach(), generator=generator)
    with no_grad():
        drawn = unit * std + mean
    return _finish(drawn, requires_grad)


# ----------------------------------------------------------------------------------------------------- methods that fill a tensor


def _filler(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make the method `x.name_(...)` of a function `name_(x, ...)` that returns the values to fill x with."""
    name = make.__name__

    def method(self: Tensor, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        check_writable(name, self)
        with no_grad():
            values = make(self, *args, source=_source(name, generator, self.device), **kwargs)
        assign(name, self, values.to(self.dtype))
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = make.__doc__
    METHODS[name] = method
    return method


def _unit(self: Tensor, source: Generator) -> Tensor:
    """Uniform numbers for every element, in float64 where that is what the tensor holds."""
    return _uniform(source, tuple(self._a.shape), self.dtype if self.dtype.kind == "f" else dtypes.float32)


@_filler
def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, source: Generator, **other: float) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    low = other.pop("from", from_)
    _float_dtype("uniform_", self.dtype)
    if other:
        raise ArgumentError(f"uniform_: unknown argument {next(iter(other))!r}; its arguments are from, to, generator")
    if isinstance(low, (int, float)) and isinstance(to, (int, float)) and low > to:
        raise ArgumentError(f"uniform_: expected from <= to, given {low} and {to}")
    return _unit(self, source) * (to - low) + low


@_filler
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, source: Generator) -> Tensor:
    """Fill with normal numbers."""
    dtype = _float_dtype("normal_", self.dtype)
    if isinstance(std, (int, float)) and std < 0:
        raise ArgumentError(f"normal_: std must not be negative, given {std}")
    return _normal(source, tuple(self._a.shape), dtype) * std + mean


@_filler
def bernoulli_(self: Tensor, p: Any = 0.5, *, source: Generator) -> Tensor:
    """Fill with 1, with probability `p` (a number or a tensor), or 0."""
    if isinstance(p, Tensor):
        _check_probabilities("bernoulli_", p)
    return _coins("bernoulli_", self, p, source)


@_filler
def random_(self: Tensor, from_: int | None = None, to: int | None = None, *, source: Generator, **other: int) -> Tensor:
    """Fill with uniform integers: `random_()` all the dtype holds exactly from 0 on, `random_(to)`, `random_(from, to)`."""
    low = other.pop("from", from_)
    if other:
        raise ArgumentError(f"random_: unknown argument {next(iter(other))!r}; its arguments are from, to, generator")
    if to is None:
        low, to = 0, low
    if to is None:
        if self.dtype.kind == "f":
            to = 2 ** {"bfloat16": 8, "float16": 11, "float32": 24}.get(self.dtype.name, 53) + 1
        else:
            to = 2 if self.dtype is dtypes.bool_ else min(dtypes.iinfo(self.dtype).max, 2**63 - 2) + 1
    return _integers("random_", source, 0 if low is None else low, to, tuple(self._a.shape))


@_filler
def exponential_(self: Tensor, lambd: float = 1.0, *, source: Generator) -> Tensor:
    """Fill with exponential numbers of rate `lambd`: positive, with mean 1 / lambd."""
    _float_dtype("exponential_", self.dtype)
    if lambd <= 0:
        raise ArgumentError(f"exponential_: lambd must be positive, given {lambd}")
    return (1.0 - _unit(self, source)).log() * (-1.0 / lambd)


@_filler
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, source: Generator) -> Tensor:
    """Fill with Cauchy numbers."""
    _float_dtype("cauchy_", self.dtype)
    if sigma <= 0:
        raise ArgumentError(f"cauchy_: sigma must be positive, given {sigma}")
    return ((_unit(self, source) - 0.5) * np.pi).tan() * sigma + median


@_filler
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, source: Generator) -> Tensor:
    """Fill with numbers whose logarithm is normal."""
    dtype = _float_dtype("log_normal_", self.dtype)
    if std <= 0:
        raise ArgumentError(f"log_normal_: std must be positive, given {std}")
    return (_normal(source, tuple(self._a.shape), dtype) * std + mean).exp()


@_filler
def geometric_(self: Tensor, p: float, *, source: Generator) -> Tensor:
    """Fill with the number of trials up to the first success of probability `p`: 1, 2, ..."""
    if not 0 < p < 1:
        raise ArgumentError(f"geometric_: expected 0 < p < 1, given {p}")
    trials = (1.0 - _unit(self, source)).log() / float(np.log1p(-p))
    return trials.ceil().clamp(min=1.0)


METHODS["bernoulli"] = bernoulli
METHODS["multinomial"] = multinomial


@function(methods=[])
def dropout(input: Tensor, p: float = 0.5, train: bool = True, *, generator: Any = None) -> Tensor:
    """Elements set to 0 with probability `p`, the others scaled by 1 / (1 - p); `input` itself unless `train`.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> x = fz.dropout(fz.ones(1000), 0.25)
    >>> sorted(set(x.tolist())), abs(x.mean().item() - 1) < 0.1
    ([0.0, 1.3333333730697632], True)
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"dropout: p is a probability, given {p}")
    if not train or p == 0.0:
        return input
    keep = cast(rand_like(input, generator=generator) >= p, dtype=input.dtype)
    return input * (keep * (0.0 if p == 1.0 else 1.0 / (1.0 - p)))


_tell_names(__name__)
