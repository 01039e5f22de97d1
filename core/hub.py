"""Weights from a URL, as `torch.hub`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from . import files
from .errors import ArgumentError
from .serialization import load as _load

_DIR: list[str] = []
#: Finds the hash in the name of a file of weights, as libraries ask for it.
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")


class tqdm:
    """Counts in silence: libraries take the class that shows their downloads from here."""

    def __init__(self, iterable: Any = None, total: int | None = None, disable: bool = False, **options: Any) -> None:
        self.iterable, self.total, self.disable, self.n = iterable, total, disable, 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.iterable)

    def __enter__(self) -> tqdm:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def update(self, n: int = 1) -> None:
        """Count `n` more."""
        self.n += n

    def close(self) -> None:
        """Nothing was shown."""


def get_dir() -> str:
    """Return where files are kept: as `set_dir` said, else `$FRAZIL_HOME/hub`, else `~/.cache/frazil/hub`.

    >>> import frazil as fz
    >>> fz.hub.get_dir().endswith("hub")
    True
    """
    home = os.environ.get("FRAZIL_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "frazil")
    return _DIR[0] if _DIR else os.path.join(os.path.expanduser(home), "hub")


def _get_torch_home() -> str:
    """The folder above `get_dir()`, which libraries ask for to keep their data beside it."""
    return os.path.dirname(get_dir())


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep files in `d`; as a program that wants them beside it: `fz.hub.set_dir("weights")`.

    >>> import frazil as fz
    >>> fz.hub.set_dir(fz.hub.get_dir())
    """
    _DIR[:] = [os.path.expanduser(os.fspath(d))]


def download_url_to_file(url: str, dst: str | os.PathLike[str], hash_prefix: str | None = None, progress: bool = True) -> None:
    """Write what is at `url` to the file `dst`, whole or not at all. RuntimeError unless its SHA-256 begins with `hash_prefix`.

    >>> import frazil as fz, pathlib
    >>> _ = pathlib.Path("a.txt").write_text("ice")
    >>> fz.hub.download_url_to_file(pathlib.Path("a.txt").resolve().as_uri(), "b.txt", hash_prefix="94b6")
    Traceback (most recent call last):
    ...
    RuntimeError: download_url_to_file: the SHA-256 of file:...a.txt begins with ..., not with 94b6; nothing was kept
    """
    digest = hashlib.sha256()
    with urllib.request.urlopen(url) as source, files.replacing(dst, "download_url_to_file") as partial:
        while block := source.read(1 << 20):
            digest.update(block)
            partial.write(block)
        if hash_prefix is not None and not digest.hexdigest().startswith(hash_prefix):
            raise RuntimeError(
                f"download_url_to_file: the SHA-256 of {url} begins with {digest.hexdigest()[: len(hash_prefix)]}, not with "
                f"{hash_prefix}; nothing was kept"
            )


def load_state_dict_from_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> Any:
    """`fz.load` of the file at `url`, which is downloaded once and kept in `model_dir` (default: `get_dir()/checkpoints`).

    `check_hash`: the name of the file ends in `-<SHA-256>`, of which at least the first eight digits, and is compared with it.

    >>> import frazil as fz, pathlib
    >>> fz.save({"w": fz.ones(2)}, "w.safetensors")
    >>> fz.hub.load_state_dict_from_url(pathlib.Path("w.safetensors").resolve().as_uri(), model_dir="kept")
    {'w': tensor([1., 1.])}
    """
    folder = Path(get_dir(), "checkpoints") if model_dir is None else Path(model_dir)
    with files.explained(folder, "load_state_dict_from_url"):
        folder.mkdir(parents=True, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    if name in ("", ".", "..") or "\0" in name:
        raise ArgumentError(f"load_state_dict_from_url: {url!r} names no file: pass file_name=")
    kept = folder / name
    if not kept.exists():
        found = re.search(r"-([a-f0-9]{8,})\.", name) if check_hash else None
        download_url_to_file(url, kept, found[1] if found else None, progress)
    return _load(kept, map_location=map_location, weights_only=weights_only)


def list(github: str | os.PathLike[str], source: str = "github", **options: Any) -> Sequence[str]:
    """The names of the functions of a folder's `hubconf.py`, which is run: `fz.hub.list("folder", source="local")`.

    >>> import frazil as fz, pathlib
    >>> pathlib.Path("shelf").mkdir()
    >>> _ = pathlib.Path("shelf/hubconf.py").write_text("def small(n): return n\\n")
    >>> fz.hub.list("shelf", source="local")
    ['small']
    """
    found = vars(_hubconf(github, source, "list"))
    return [name for name, value in found.items() if callable(value) and not name.startswith("_")]


def load(repo_or_dir: str | os.PathLike[str], model: str, *args: Any, source: str = "github", **kwargs: Any) -> Any:
    """Call the function `model` of a folder's `hubconf.py` with the other arguments; `source="local"`: the file is run.

    Nothing is fetched: for "github", clone the repository and give its folder.

    >>> import frazil as fz, pathlib
    >>> pathlib.Path("repo").mkdir()
    >>> _ = pathlib.Path("repo/hubconf.py").write_text("import frazil as fz\\ndef small(n): return fz.nn.Linear(n, 1)\\n")
    >>> fz.hub.load("repo", "small", 3, source="local")
    Linear(in_features=3, out_features=1, bias=True)
    """
    found = getattr(_hubconf(repo_or_dir, source, "load"), model, None)
    if not callable(found):
        raise RuntimeError(f"hub.load: hubconf.py of {os.fspath(repo_or_dir)} has no function {model!r}")
    return found(*args, **kwargs)


def _hubconf(repo: str | os.PathLike[str], source: str, what: str) -> Any:
    """The module `hubconf.py` of a folder, which may import what lies beside it."""
    if source != "local":
        raise ArgumentError(
            f'hub.{what}: fetches no code; clone {os.fspath(repo)} and call it with the folder and source="local"'
        )
    folder = os.path.abspath(os.path.expanduser(os.fspath(repo)))
    path = os.path.join(folder, "hubconf.py")
    spec = importlib.util.spec_from_file_location("hubconf", path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise FileNotFoundError(f"hub.{what}: there is no {path}")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module
