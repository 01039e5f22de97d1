"""What `auto` has chosen, kept between processes: a file for each graph, in the user's cache."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import config
from ..files import replacing
from ..recorder.graph import Graph
from .engines import installed


def folder() -> Path:
    """Return where the files are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "frazil" / "engines"


def key_of(graph: Graph, device: Any, arrays: Sequence[Any]) -> str:
    """Something that is equal where a choice holds: graph, sizes, device, versions, processor and drivers.

    Where lines of the program stand does not matter, nor what they look like.
    """
    lines = [line for line in str(graph).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    sizes = [(str(a.dtype), tuple(a.shape)) for a in arrays]
    text = "\n".join([*lines, repr(sizes), str(device), device.backend.describe(device.number), *_machine(), *_engines()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def _machine() -> tuple[str, ...]:
    model = platform.processor()
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("model name", "Hardware"))]
        model = names[0].partition(":")[2].strip() if names else model
    except OSError:
        pass
    drivers = sorted(path.name for path in Path("/etc/OpenCL/vendors").glob("*.icd"))
    told = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES")]
    return _version("frazil"), platform.platform(), model, str(os.cpu_count()), *drivers, *told


def _engines() -> list[str]:
    """Every engine that is installed, with the versions of what it needs."""
    found = []
    for record in installed():
        found += [record.name, *(f"{module} {_version(module)}" for module in record.requires)]
    return found


@functools.cache
def _version(module: str) -> str:
    try:
        return importlib.metadata.version(module.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return ""


def recall(key: str) -> tuple[str, dict[str, float]] | None:
    """The engine that was chosen and the seconds of all that were timed; None where nothing readable is there."""
    if not config.get("compile.remember"):
        return None
    try:
        found = json.loads((folder() / f"{key}.json").read_text())
        engine, times = found["engine"], found["seconds"]
        if isinstance(engine, str) and all(isinstance(k, str) and isinstance(v, float) for k, v in times.items()):
            return engine, times
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def remember(key: str, engine: str, times: Mapping[str, float]) -> None:
    """Keep a choice, where the cache can be written."""
    if not config.get("compile.remember"):
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with replacing(folder() / f"{key}.json", "compile", durable=False) as file:
            file.write(json.dumps({"engine": engine, "seconds": dict(times)}).encode())
    except OSError:
        pass
