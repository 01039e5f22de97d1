"""`torch.multiprocessing`: Python's `multiprocessing` (tensors are copied between processes), and `spawn`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any


def spawn(fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False) -> Any:
    """Run `fn(i, *args)` in `nprocs` new processes; `fn` is a function of a module.

    Waits for them, and raises RuntimeError if one of them failed; with `join=False` returns them at once.

    >>> import frazil.multiprocessing as mp
    >>> mp.spawn(print, args=("is the number of this process",), nprocs=0)
    """
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    if not join:
        return processes
    for process in processes:
        process.join()
    failed = [i for i, process in enumerate(processes) if process.exitcode]
    if failed:
        raise RuntimeError(
            f"spawn: process {failed[0]} ended with exit code {processes[failed[0]].exitcode}; see its traceback above"
        )
    return None


def __getattr__(name: str) -> Any:
    return getattr(multiprocessing, name)
