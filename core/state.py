"""What a thread is doing: whether operations are recorded for backward, and whether a program is being recorded.

It is changed by `autograd/modes.py` (`no_grad`), `device.py` (`with fz.device(...)`) and the recorder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class _State(threading.local):
    grad: bool = True
    inference: bool = False
    recorder: Any = None  # the active recorder.recording.Recorder
    autocast: Any = None  # the block of `autocast` around, a mixed.Region
    device: Any = None  # of `with fz.device(...)`
    outer_devices: Any = ()  # and of the blocks around it
    level: Any = None  # the innermost `vmap` that is running, a func.batching.Level
    trial: bool = False  # whether a program is recorded without gradients to see whether it asks for any
    saving: tuple[tuple[Any, Any], ...] = ()  # the hooks of `saved_tensors_hooks`, innermost last
    unpacked: dict[int, tuple[Any, Any]] | None = None  # while the gradients of a node are computed: what those hooks gave for it
    unhooked: str | None = None  # what `disable_saved_tensors_hooks` says of those
    early_stop: bool | None = None  # what `set_checkpoint_early_stop` says for all calls of `checkpoint` in its block
    queued: tuple[Callable[[], None], ...] = ()  # what backward calls when all gradients are there
    dual: Any = None  # the level of `autograd.forward_ad`
    reads: Callable[[], None] | None = None  # told when Python asks for numbers of a tensor, and of every round of a loop


STATE = _State()

_COUNTING = threading.Lock()


def count(of: list[int], more: int) -> int:
    """Change one of the numbers that all threads share, and return what it is then."""
    with _COUNTING:
        of[0] += more
        return of[0]


#: Number of recordings and of blocks of `autocast` in this process: while it is 0, no call looks whether its thread is in one.
RECORDINGS = [0]

#: Number of blocks of `inference_mode` that are running in this process.
INFERENCES = [0]

#: Number of `vmap`s that are running in this process.
BATCHINGS = [0]

#: The device class of sparse tensors, once there may be any.
SPARSE: list[Any] = []


class _Anomaly:
    on: bool = False
    check_nan: bool = True


#: Whether backward looks for NaN: `autograd.detect_anomaly`, for all threads.
ANOMALY = _Anomaly()


class AsksForGradients(BaseException):
    """Ends a trial. No Exception, so that a program which catches those does not go on."""


class EnoughSaved(Exception):
    """Ends the second run of a `checkpoint`: all that backward needs is there."""


def asked() -> None:
    """Note that the program asks for gradients, or whether they are recorded: it may take another way with them."""
    if STATE.recorder is not None:
        STATE.recorder.asks = True
        if STATE.trial:
            raise AsksForGradients
