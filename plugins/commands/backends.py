"""Which backends and devices can be used here. Every installed backend is opened and asked for its devices."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from frazil.config import config
from frazil.device import answer
from frazil.errors import FrazilError

from .. import MANAGER, BackendRecord
from .output import add_json_option, show


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil backends`."""
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print one row per device, and one for each backend that has none."""
    rows = [row for record in MANAGER.backends() for row in device_rows(record)]
    notes = [f'The configuration takes {_chosen()}; write `backend = "..."` into frazil.toml to change it.']
    show(rows, ["backend", "device", "status", "from", "what"], as_json=args.json, notes=notes)
    return 0


def _chosen() -> str:
    """The setting that decides on the device of new tensors, and who set it."""
    device, backend = config.get("device"), config.get("backend")
    if device is not None:
        return f"device {device!r} ({config.origin('device')})"
    return f"{backend!r} ({config.origin('backend')})" + (f", here {MANAGER.auto()!r}" if backend == "auto" else "")


def device_rows(record: BackendRecord) -> Iterator[dict[str, Any]]:
    """A row per device of a backend, or one that says why it has none."""

    def row(device: str, status: str, what: str) -> dict[str, Any]:
        return {"backend": record.name, "device": device, "status": status, "from": record.distribution, "what": what}

    if not record.installed:
        yield row("", "not installed", record.install_hint)
        return
    try:
        backend = MANAGER.open_backend(record.name)
        count = answer(backend, "device_count")
    except FrazilError as error:
        yield row("", "broken", str(error))
        return
    for index in range(max(count, 1)):
        name = f"{record.device_type}:{index}" if index else record.device_type
        try:
            if not count:
                yield row("", "no device", answer(backend, "no_device"))
            else:
                answer(backend, "capabilities", index)
                yield row(name, "ready", answer(backend, "describe", index))
        except FrazilError as error:
            yield row(name, "broken", str(error))
