"""The files of a configuration: where they lie, and what they say. `config.py` reads them when a value is first asked for."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError, briefly

#: A file of more bytes is none of a configuration.
_LONGEST_FILE = 2**20


def in_use() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the file of the project and that of the user, as far as they exist, with what they say."""
    named = os.environ.get("FRAZIL_CONFIG")
    if named:
        path = Path(os.path.expanduser(named))
        if not _is_file(path):
            raise ConfigError(f"FRAZIL_CONFIG names {str(path)!r}, which is not a file: correct the variable or unset it")
        yield path, _read(path) or {}
    else:
        yield from _nearest()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "frazil" / "config.toml"
    if _is_file(user):
        yield user, _read(user) or {}


def _nearest() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    try:
        folder = Path.cwd()
    except OSError:  # the current folder was deleted, or is in one that may not be read
        return
    for place in (folder, *folder.parents):
        for path in (place / "frazil.toml", place / "pyproject.toml"):
            table = _read(path) if _is_file(path) else None
            if table is not None:
                yield path, table
                return


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that may not be read
        return False


def _read(path: Path) -> Mapping[str, Any] | None:
    """What the file says about frazil; None for a pyproject.toml without [tool.frazil]."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
        if len(content) > _LONGEST_FILE:
            raise ConfigError(f"{path} is longer than {_LONGEST_FILE:,} bytes, which no configuration needs")
        table = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not valid TOML: it is nested too deeply") from error
    except ValueError as error:  # tomllib's own, of the encoding, and of integers that are too long
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    if path.name != "pyproject.toml":
        return table
    tools = table.get("tool", {})
    if not isinstance(tools, dict):
        raise ConfigError(f"{path}: tool must be a table, as in [tool.frazil], given {briefly(tools)}")
    own = tools.get("frazil")
    if own is not None and not isinstance(own, dict):
        raise ConfigError(f"{path}: tool.frazil must be a table, [tool.frazil], given {briefly(own)}")
    return own
