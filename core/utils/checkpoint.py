"""Activations that are computed again in backward, instead of kept: `torch.utils.checkpoint`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from ..autograd.graph import saved_tensors_hooks
from ..autograd.modes import enable_grad
from ..device import device
from ..errors import ArgumentError, AutogradError
from ..mixed import Region, enter
from ..pytree import flatten
from ..random import Generator, default_generator_of
from ..spelling import tell_names as _tell_names
from ..state import STATE, EnoughSaved
from ..tape import version_of
from ..tensor import Tensor


class CheckpointError(AutogradError):
    """Raised where a function, run again in backward, keeps other tensors than the first time."""


_AGAIN = "ran again; it must do the same both times (no counters, no in-place changes of what it is given)"


def _kind(t: Tensor) -> str:
    """The shape and dtype; of sizes that a recording leaves open nothing is asked, for that would be a condition on them."""
    return f"{t.dtype.name}{[n if isinstance(n, int) else None for n in t.shape]}"


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Say whether the second runs of the calls of `checkpoint` in this block end once all that backward needs is there (as they
    do), or at the end of their function: a context manager or decorator, which goes before the argument `early_stop`. Per
    thread, as other modes; PyTorch's holds for all threads while one is in such a block.

    >>> import frazil as fz
    >>> C = fz.utils.checkpoint
    >>> ends = []
    >>> def f(v): y = v.exp(); ends.append("end"); return y
    >>> x = fz.tensor(0.0, requires_grad=True)
    >>> C.checkpoint(f, x, use_reentrant=False).backward(); ends
    ['end']
    >>> with C.set_checkpoint_early_stop(False): y = C.checkpoint(f, x, use_reentrant=False)
    >>> y.backward(); ends
    ['end', 'end', 'end']
    """
    outer, STATE.early_stop = STATE.early_stop, enable
    try:
        yield
    finally:
        STATE.early_stop = outer


class _Call:
    """A call whose saved tensors are numbers, in the order they were saved, until backward asks for the first of them."""

    def __init__(self, run: Callable[[], Any], context: Any, generators: Iterable[Generator], early_stop: bool) -> None:
        self._run, self._context, self._generators, self._early_stop = run, context, generators, early_stop
        self._autocast = STATE.autocast
        self._count = 0
        self._kinds: list[str] = []  # of what is saved
        self._complete = False  # until then the function itself may ask for what it saved: it computes gradients inside
        self._again: dict[int, Tensor] = {}
        self._states: dict[Generator, Tensor] = {}  # of the generators that the call drew from, before it

    def first(self) -> Any:
        before = {g: (g.get_state(), version_of(g.state)) for g in self._generators}
        with saved_tensors_hooks(self._number, self._tensor):
            result = self._run()
        self._complete = True
        self._states = {g: state for g, (state, version) in before.items() if version_of(g.state) != version}
        return result

    def _number(self, saved: Tensor) -> int:
        self._count += 1
        self._kinds.append(_kind(saved))
        return self._count - 1

    def _tensor(self, number: int) -> Tensor:
        if number not in self._again:
            self._second()
        return self._again.pop(number)

    def _second(self) -> None:
        found: list[Tensor] = []

        def keep(saved: Tensor) -> Tensor:
            n = len(found)
            if n < self._count and self._kinds[n] != (kind := _kind(saved)):
                raise CheckpointError(
                    f"checkpoint: of what the function saved for backward, number {n} was {self._kinds[n]}, and {kind} when it "
                    f"{_AGAIN}"
                )
            found.append(saved.detach())
            if self._early_stop and self._complete and len(found) == self._count:
                raise EnoughSaved
            return found[-1]

        region = self._autocast
        after = {g: g.get_state() for g in self._states}
        # Another cache of cast parameters than the first time: its entries lead to a tape that may be gone.
        around = enter(region and Region(region.device_type, region.fast, None, region.keeps))
        try:
            _go_on(self._states)
            with self._context, suppress(EnoughSaved), enable_grad(), saved_tensors_hooks(keep, lambda kept: kept):
                self._run()
        finally:
            _go_on(after)
            enter(around)
        if not self._complete:
            del found[self._count :]
        if len(found) != self._count:
            raise CheckpointError(
                f"checkpoint: the function saved {self._count} tensors for backward, and {len(found)} when it {_AGAIN}"
            )
        self._again = dict(enumerate(found))


def _generators(arguments: Any) -> list[Generator]:
    """What draws where no generator is given, on the devices of the arguments and on the CPU."""
    devices = {leaf.device for leaf in flatten(arguments)[0] if isinstance(leaf, Tensor)}
    if STATE.recorder is None:  # which is of one device
        devices.add(device("cpu"))
    return [default_generator_of(d) for d in devices]


def _go_on(states: dict[Generator, Tensor]) -> None:
    for generator, state in states.items():
        generator.set_state(state)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] | None = None,
    preserve_rng_state: bool = True,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, of which backward needs nothing to be kept: it runs the function again when it comes there.

    So a layer costs the memory of its arguments, and its time twice. What it changes, as the running statistics of a
    `BatchNorm`, changes twice, as in PyTorch, unless it comes after all that backward needs (`early_stop`), as in an
    `InstanceNorm` at the end.

    Args:
        function: the same result, each time it is called. CheckpointError in backward where it saves other tensors then.
        context_fn: gives two context managers, around the first and the second run.
        preserve_rng_state: whether the second run draws the random numbers of the first.
        early_stop: whether the second run ends once all that backward needs is there, and not at the end of `function`.
        use_reentrant: True is PyTorch's older way, as is None: the second run goes to the end of `function` whatever `early_stop`
            says. True refuses keyword arguments for `function`, `context_fn` and `debug` (ValueError). What PyTorch lacks then is
            there: gradients where no argument requires one, `autograd.grad`, `backward(inputs=...)`, tensors in lists and dicts;
            and the first run records for backward, too: `is_grad_enabled()` is true in it.
        determinism_check, debug: PyTorch's; they change nothing here.

    >>> import frazil as fz
    >>> runs = []
    >>> def square(v): runs.append(1); return v * v
    >>> x = fz.tensor(3.0, requires_grad=True)
    >>> fz.utils.checkpoint.checkpoint(square, x, use_reentrant=False).backward()
    >>> x.grad, len(runs)
    (tensor(6.), 2)
    """
    if use_reentrant:
        if kwargs:
            raise ValueError(
                f"checkpoint: Unexpected keyword arguments: {','.join(kwargs)}. With use_reentrant=True the function takes none; "
                "use_reentrant=False passes them on"
            )
        if context_fn not in (None, noop_context_fn) or debug:
            raise ValueError("checkpoint: Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    first, second = (context_fn or noop_context_fn)()

    def run() -> Any:
        return function(*args, **kwargs)

    with first:
        if not STATE.grad:
            return run()
        stop = use_reentrant is False and (early_stop if STATE.early_stop is None else STATE.early_stop)
        return _Call(run, second, _generators((args, kwargs)) if preserve_rng_state else [], stop).first()


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]], segments: int, input: Any, use_reentrant: bool | None = None, **options: Any
) -> Any:
    """All of `functions` (or the layers of a `Sequential`), one after the other, in this many parts: what lies inside all but
    the last is computed again in backward. `options` are those of `checkpoint`.

    >>> import frazil as fz
    >>> fz.utils.checkpoint.checkpoint_sequential([fz.exp, fz.log], 2, fz.tensor(2.0))
    tensor(2.)
    """
    layers = list(functions)
    if not 1 <= segments <= max(len(layers), 1):
        raise ArgumentError(
            f"checkpoint_sequential: segments is between 1 and {len(layers)}, as many as functions; given {segments}"
        )

    def part(start: int, end: int | None) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for layer in layers[start:end]:
                value = layer(value)
            return value

        return run

    size = len(layers) // segments
    last = size * (segments - 1)
    for start in range(0, last, size):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, **options)
    return part(last, None)(input)


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The devices of tensors among `args` that have random states of their own, and those: none, for one generator serves all
    devices.

    >>> import frazil as fz
    >>> fz.utils.checkpoint.get_device_states(fz.ones(2))
    ([], [])
    """
    return [], []


def set_device_states(devices: list[int], states: list[Any], *, device_type: str | None = None) -> None:
    """Accepted for what `get_device_states` gives.

    >>> import frazil as fz
    >>> fz.utils.checkpoint.set_device_states(*fz.utils.checkpoint.get_device_states(fz.ones(2)))
    """


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing, for the first and the second computation.

    >>> import frazil as fz
    >>> len(fz.utils.checkpoint.noop_context_fn())
    2
    """
    return nullcontext(), nullcontext()


_tell_names(__name__)
