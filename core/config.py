"""Configuration: which backend, device and habits apply here, and who said so.

A value is looked up in layers, the strongest first: an argument of the call, `with fz.config(...)`, `fz.configure(...)`, the
environment (`FRAZIL_*`), the project's file, the user's file, the default. The project's file is the one that `FRAZIL_CONFIG`
names, else the nearest `frazil.toml`, or `pyproject.toml` with a table `[tool.frazil]`, from the current folder upwards. The
user's file is `~/.config/frazil/config.toml` (`XDG_CONFIG_HOME` is honoured). Files and environment are read once, when a value
is first asked for. A variable that is empty is not set.

The keys are in `KEYS`. `device` names a backend too: in one layer it counts more than `backend`, and a layer that sets only
`backend` takes back the `device` of the weaker ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, final

from .errors import ConfigError, briefly

if TYPE_CHECKING:
    from pathlib import Path


class Key(NamedTuple):
    """One thing that can be configured."""

    name: str
    types: tuple[type, ...]
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "FRAZIL_" + self.name.replace(".", "_").upper()

    @property
    def expects(self) -> str:
        """Return what values it takes, in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        return " or ".join({bool: "true or false", int: "an integer from 0 on", str: "a string"}[t] for t in self.types)

    def check(self, value: Any) -> str | None:
        """Return what is wrong with `value`, or None."""
        # bool is an int to Python, but `opencl.device = true` is a mistake.
        right = type(value) in self.types and (not self.choices or value in self.choices)
        right = right and (type(value) is not int or 0 <= value < 10**18)
        return None if right else f"{self.name!r} takes {self.expects}, given {briefly(value)}"

    def parse(self, text: str) -> Any:
        """The value that an environment variable means; text that fits no type is returned as it is, for `check` to refuse."""
        if bool in self.types:
            return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}.get(
                text.strip().lower(), text
            )
        # Up to 18 digits: none of the keys is larger, and Python refuses to read the very long ones.
        return int(text) if int in self.types and text.strip().isdecimal() and len(text.strip()) <= 18 else text


KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key("backend", (str,), "numpy", "backend of new tensors; 'auto' takes the best one that runs a kernel here"),
        Key(
            "device", (str,), None, "device of new tensors, such as 'cuda:1', over 'backend'; by default the backend's first one"
        ),
        Key("default_dtype", (str,), "float32", "dtype of new floating tensors", ("float16", "bfloat16", "float32", "float64")),
        Key("compile.remember", (bool,), True, "whether `fz.compile` keeps on disk which engine was the fastest for a program"),
        Key("strict", (bool,), False, "an op without a kernel on its device is an error, not a detour through the CPU"),
        Key(
            "numpy.keep_memory", (bool,), False, "ask the C library to keep freed blocks (whole process, Linux): faster large ops"
        ),
        Key(
            "numpy.winograd",
            (bool,),
            True,
            "3 x 3 convolutions of many channels by fewer multiplications; false: 2 to 5 times as exact",
        ),
        Key(
            "opencl.device",
            (int, str),
            0,
            "which OpenCL device comes first: its number, as `frazil backends` tells it, or a part of its name",
        ),
        Key("limits.values", (int,), 500_000, "most numbers, texts and containers in a file to load"),
        Key("limits.tensors", (int,), 50_000, "most tensors in a file to load"),
        Key("limits.expansion", (int,), 64 * 2**20, "most bytes that a file to load may take beyond four times its own size"),
        Key("limits.operations", (int,), 50_000, "most operations of an ONNX file to draw, calls of functions written out"),
        Key("limits.elements", (int,), 2**31, "most numbers that an operator of a loaded ONNX file makes out of a size"),
    )
}


class Setting(NamedTuple):
    """A value and where it comes from."""

    value: Any
    origin: str


Layer = dict[str, Setting]

_guards: dict[str, tuple[Callable[[Any], str | None], bool]] = {}

_scoped: ContextVar[Layer | None] = ContextVar("frazil.config", default=None)
_enclosing: ContextVar[tuple[Layer | None, ...]] = ContextVar("frazil.config.enclosing", default=())
_changing = RLock()  # of the three below
_configured: Layer = {}
_lasting: Layer | None = None  # environment, files and defaults; None until asked for
_process: Layer | None = None  # `_configured` over `_lasting`; None until asked for


def get(name: str) -> Any:
    """The value of `name`, from the strongest layer that sets it.

    Raises ConfigError for an unknown name, and for mistakes in the files and variables that are read on the first call.

    >>> import frazil as fz
    >>> with fz.config(strict=True):
    ...     fz.config.get("strict")
    True
    """
    return _setting(name).value


def origin(name: str) -> str:
    """Return who set `name`: a file, an environment variable, a call, or "default".

    >>> import frazil as fz
    >>> with fz.config(strict=True):
    ...     fz.config.origin("strict")
    'with fz.config(...)'
    """
    return _setting(name).origin


def configure(**values: Any) -> None:
    """Set values for the whole process, over the environment and all files; None takes a setting back.

    A dotted key is written with two underscores: `fz.configure(numpy__keep_memory=True)`. Raises ConfigError for unknown
    keys and wrong values; then nothing is changed.

    >>> import frazil as fz
    >>> fz.configure(strict=True); fz.config.origin("strict")
    'fz.configure(...)'
    >>> fz.configure(strict=None); fz.config.origin("strict") == 'fz.configure(...)'
    False
    """
    global _configured, _process
    with _changing:
        _configured = _over(_configured, values, "fz.configure(...)")
        _process = None


@final
class config:
    """Set values inside a `with` block, for this thread or task only; None takes back what an outer block set.

    A dotted key is written with two underscores, or passed by `**`. Raises ConfigError for unknown keys and wrong values. The
    same object can be entered again.

    >>> import frazil as fz
    >>> with fz.config(numpy__keep_memory=True):
    ...     fz.config.get("numpy.keep_memory")
    True
    """

    get = staticmethod(get)
    origin = staticmethod(origin)

    def __init__(self, **values: Any) -> None:
        _over({}, values, "with fz.config(...)")  # mistakes are reported here, not on entry
        self._values = values

    def __enter__(self) -> None:
        before = _scoped.get()
        _scoped.set(_over(before or {}, self._values, "with fz.config(...)"))
        _enclosing.set((*_enclosing.get(), before))

    def __exit__(self, *_: object) -> None:
        *outer, before = _enclosing.get()
        _enclosing.set(tuple(outer))
        _scoped.set(before)


def guard(name: str, problem: Callable[[Any], str | None], *, calls_only: bool = False) -> None:
    """For who knows more of `name` than its type: `problem(value)` says what is wrong with a new value, or None.

    For example that it comes too late, or that there is nothing of that name. `calls_only`: what files and the environment say
    is not asked about, because nobody may ever need it.

    >>> import frazil as fz
    >>> from frazil.config import guard
    >>> guard("strict", lambda value: None)
    """
    _guards[name] = problem, calls_only


def reload() -> None:
    """Forget what files and environment said; they are read again when a value is next asked for.

    >>> import frazil as fz
    >>> from frazil.config import reload
    >>> reload(); fz.config.get("default_dtype")
    'float32'
    """
    global _lasting, _process
    with _changing:
        _lasting = _process = None


def files() -> list[Path]:
    """The configuration files that are in use, the strongest first.

    >>> from frazil.config import files
    >>> all(path.suffix == ".toml" for path in files())
    True
    """
    return [path for path, _ in _tables()]


def _setting(name: str) -> Setting:
    scoped = _scoped.get()
    if scoped is not None and name in scoped:
        return scoped[name]
    layer = _process or _merge()
    if name not in layer:
        raise ConfigError(f"fz.config: {_unknown(name)}")
    return layer[name]


def _merge() -> Layer:
    global _lasting, _process
    with _changing:
        if _lasting is None:
            _lasting = _read_lasting()
        _process = _lasting | _configured
        return _process


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name[:100], KEYS, n=1)
    cure = f"did you mean {near[0]!r}?" if near else "`frazil config` lists the keys"
    return f"there is no key {briefly(name)}; {cure}"


def _over(layer: Layer, values: Mapping[str, Any], where: str) -> Layer:
    """`layer` with `values` (keys in call syntax) laid over it; None removes."""
    dotted = {name.replace("__", "."): value for name, value in values.items()}
    given = _checked({name: Setting(value, where) for name, value in dotted.items()}, unset=True)
    if dotted.get("backend") is not None:
        given = {"device": Setting(None, where)} | given
    return _whole({name: setting for name, setting in (layer | given).items() if setting.value is not None})


def _whole(layer: Layer) -> Layer:
    """`layer`, where a backend without a device stands for the first device of it, whatever weaker layers say."""
    if "backend" not in layer or "device" in layer:
        return layer
    return layer | {"device": Setting(None, f"first of the backend ({layer['backend'].origin})")}


def _checked(layer: Layer, unset: bool = False) -> Layer:
    """`layer` itself, or one ConfigError that names everything wrong in it."""
    problems = []
    for name, (value, where) in layer.items():
        key = KEYS.get(name)
        problem = _unknown(name) if key is None else None if unset and value is None else key.check(value)
        if problem is None and value is not None and name in _guards:
            asked, calls_only = _guards[name]
            problem = asked(value) if unset or not calls_only else None
        if problem:
            problems.append(f"{where}: {problem}")
    if problems:
        raise ConfigError("\n".join(problems))
    return layer


def _read_lasting() -> Layer:
    layers: list[Layer] = [{name: Setting(value, str(path)) for name, value in _flat(table)} for path, table in _tables()]
    merged = {key.name: Setting(key.default, "default") for key in KEYS.values()}
    for layer in [*reversed(layers), _environment()]:
        merged |= _whole(_checked(layer))
    return merged


def _environment() -> Layer:
    variables = {key.variable: key for key in KEYS.values()}
    found: dict[str, Setting] = {}
    for variable, text in os.environ.items():
        if not variable.startswith("FRAZIL_") or variable == "FRAZIL_CONFIG" or not text.strip():
            continue
        key = variables.get(variable)
        name = key.name if key else variable.removeprefix("FRAZIL_").lower()
        found[name] = Setting(key.parse(text) if key else text, f"environment variable {variable}")
    return found


def _tables() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    # Inside, for an import of frazil reads no configuration, and those of paths and TOML are a tenth of its time.
    from .config_files import in_use

    return in_use()


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        # `[opencl] device = 1` and `opencl.device = 1` are the same; a table under an unknown name is one mistake, not many.
        if isinstance(value, dict) and any(key.startswith(f"{prefix}{name}.") for key in KEYS):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
