"""The one place that knows everyone: finds backends and plugins, loads what is asked for, explains what cannot be had."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import itertools
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from types import ModuleType
from typing import Any, final

import pluggy

from frazil.backend import CHANGES, CONTRACT, Backend
from frazil.config import config
from frazil.device import answer
from frazil.errors import BackendError, DeviceError, FrazilError, PluginWarning
from frazil.outside import one_line, plain

from . import builtin, hookspecs
from .hookspecs import RECORDS, BackendRecord, EngineRecord, problem

BACKENDS_GROUP = "frazil.backends"
ENGINES_GROUP = "frazil.engines"
PLUGINS_GROUP = "frazil.plugins"
#: A hook that goes on after this many records would go on for ever.
_MOST_RECORDS = 10_000
EXPORTERS = {"onnx": "frazil.exporters.onnx", "drawing": "frazil.exporters.drawing"}


@dataclass(frozen=True)
class PluginInfo:
    """A row of `frazil plugins`."""

    name: str
    distribution: str
    hooks: tuple[str, ...]
    error: BaseException | None = None


@contextlib.contextmanager
def strangers() -> Iterator[None]:
    """Runs code of plugins, which may raise anything: what is no Exception becomes a BackendError. Ctrl-C stays what it is.

    >>> from frazil.plugins.manager import strangers
    >>> with strangers():
    ...     raise SystemExit("bye")
    Traceback (most recent call last):
    ...
    frazil.errors.BackendError: it raised SystemExit: bye
    """
    pressed: list[int] = []
    previous = signal.getsignal(signal.SIGINT)
    # Only the main thread is interrupted, and only it may say by what.
    watch = callable(previous) and threading.current_thread() is threading.main_thread()

    def handle(number: int, frame: Any) -> None:
        pressed.append(number)
        previous(number, frame)  # type: ignore[operator, misc]

    if watch:
        signal.signal(signal.SIGINT, handle)
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if pressed:
            raise
        raise BackendError(f"it raised {one_line(error)}") from error
    finally:
        if watch and signal.getsignal(signal.SIGINT) is handle:
            signal.signal(signal.SIGINT, previous)


def _entry_points(group: str) -> Iterable[metadata.EntryPoint]:
    return metadata.entry_points(group=group)


@final
class Manager:
    """Finds what is installed through entry points and hooks. Nothing is imported before it is asked for."""

    def __init__(self, entry_points: Callable[[str], Iterable[metadata.EntryPoint]] = _entry_points) -> None:
        # A look through the metadata of everything installed takes milliseconds, so each group is read once.
        self._entry_points = functools.cache(lambda group: tuple(entry_points(group)))
        self._pluggy = pluggy.PluginManager("frazil")
        self._pluggy.add_hookspecs(hookspecs)
        self._pluggy.register(builtin, name="frazil")
        self._distributions = {"frazil": _distribution_of_frazil()}
        self._broken: dict[str, BaseException] = {}
        self._passed_over: set[tuple[str, str]] = set()
        self._loaded = False
        self._opened: dict[str, Backend] = {}
        self._exporters: dict[str, ModuleType] = {}
        self._auto: str | None = None
        self._lock = threading.RLock()

    # *** backends ***

    def open_backend(self, name: str) -> Backend:
        """The backend called `name`, made on the first call. Raises BackendError with what to do about it."""
        with self._lock:
            if name not in self._opened:
                self._opened[name] = _instance(self._record(name))
            return self._opened[name]

    def backends(self) -> list[BackendRecord]:
        """A record for every backend that is installed or known, installed ones first. Imports no backend."""
        with self._lock:
            self._load_plugins()
            names = dict.fromkeys(record.name for record in self._candidates())
            # One record per name; where two distributions claim it, the first one is listed and `open_backend` explains.
            records = [_merged(self._candidates(name))[0] for name in names]
        return sorted(records, key=lambda record: not record.installed)

    def backend_for_device_type(self, device_type: str) -> str:
        """The name of the backend whose tensors have `device.type == device_type`.

        Where several do, the one that the configuration names, else the first that is installed.
        """
        with self._lock:
            fitting = [record for record in self._candidates() if record.device_type == device_type]
            if not any(record.installed for record in fitting):
                self._load_plugins()
                fitting = [record for record in self._candidates() if record.device_type == device_type]
        if not fitting:
            raise DeviceError(self._no_such_device_type(device_type))
        if len(fitting) > 1:
            configured = config.get("backend")
            fitting.sort(key=lambda record: (record.name != configured, not record.installed))
        return self._record(fitting[0].name).name

    def device_type_of(self, name: str) -> str:
        """The device type of the tensors of backend `name`; `"auto"` takes the best backend that runs a kernel here."""
        return self._record(self.auto() if name == "auto" else name).device_type

    def auto(self) -> str:
        """The best backend on this machine: the first with an accelerator that runs a kernel, CUDA first, else numpy."""
        with self._lock:
            if self._auto is None:
                names = sorted((record.name for record in self.backends() if record.installed), key=lambda name: name != "cupy")
                self._auto = next((name for name in names if name != "numpy" and self._accelerates(name)), "numpy")
            return self._auto

    def _accelerates(self, name: str) -> bool:
        import numpy as np

        try:
            backend = self.open_backend(name)
            if not answer(backend, "device_count") or not answer(backend, "capabilities").accelerator:
                return False
            with strangers():
                one = backend.from_host(np.ones(4, np.float32))
                return bool((backend.to_host(backend.kernels()["add"](one, one)) == 2).all())
        except Exception as error:  # a driver may fail in any way; "auto" means: then not this one
            warnings.warn(f'backend = "auto" passes over {name!r}: {one_line(error)}', PluginWarning, stacklevel=2)
            return False

    def _record(self, name: str) -> BackendRecord:
        """The record of an installed backend, else a BackendError that says what to do."""
        with self._lock:
            candidates = self._candidates(name)
            if not any(record.load for record in candidates):
                self._load_plugins()
                candidates = self._candidates(name)
        if not candidates:
            raise BackendError(_who_asks(name) + self._no_such_backend(name)) from next(iter(self._broken.values()), None)
        record, rivals = _merged(candidates)
        if rivals:
            both = " and ".join(rival.distribution for rival in (record, *rivals))
            raise BackendError(
                f"{_who_asks(name)}backend {name!r} is provided by two distributions, {both}: uninstall one of them"
            )
        if not record.installed:
            raise BackendError(f"{_who_asks(name)}backend {name!r} is known but not installed: {record.install_hint}")
        return record

    def _candidates(self, name: str | None = None) -> list[BackendRecord]:
        """What hooks and entry points say about backends (all, or those called `name`): hooks first."""
        records = list(self._records("frazil_backends"))
        own = {record.name: record for record in records if _is_frazil(record)}
        known = {record.name: record for record in records} | own
        for point in self._entry_points(BACKENDS_GROUP):
            base = known.get(point.name) or BackendRecord(point.name, None, device_type=point.name)
            records.append(replace(base, load=point.load, distribution=_distribution(point)))
        rivals = [record for record in records if record.name in own and not _is_frazil(record)]
        for rival in rivals:
            self._pass_over(rival)
        return [record for record in records if record not in rivals and name in (None, record.name)]

    def _pass_over(self, rival: BackendRecord) -> None:
        """Say once that a backend claims the name of one that comes with frazil."""
        if (rival.name, rival.distribution) not in self._passed_over:
            self._passed_over.add((rival.name, rival.distribution))
            _warn(
                f"{rival.distribution} provides a backend {rival.name!r}, but that is the name of frazil's own, which is used; "
                f"remove the other: pip uninstall {rival.distribution.partition(' ')[0]}"
            )

    def unknown_backend(self, name: str) -> str | None:
        """Return why there is no backend `name`, installed or not; None where there is."""
        with self._lock:
            if name == "auto" or self._candidates(name):
                return None
            self._load_plugins()
            return None if self._candidates(name) else self._no_such_backend(name)

    def unknown_device_type(self, device_type: str) -> str | None:
        """Return why no backend, installed or not, has devices of that type; None where one has."""
        with self._lock:
            for load in (lambda: None, self._load_plugins):
                load()
                if any(record.device_type == device_type for record in self._candidates()):
                    return None
            return self._no_such_device_type(device_type)

    def _no_such_backend(self, name: str) -> str:
        candidates = self._candidates()
        of_type = [record.name for record in candidates if record.device_type == name]
        near = difflib.get_close_matches(name, [record.name for record in candidates] + ["auto"], n=1)
        if of_type:
            cure = f"{name!r} is a device type, and its backend is {of_type[0]!r}"
        elif near:
            cure = f"did you mean {near[0]!r}?"
        else:
            cure = "`frazil backends` lists those there are"
        return f"there is no backend {name!r}; {cure}{self._broken_note()}"

    def _no_such_device_type(self, device_type: str) -> str:
        known = {record.device_type: record.name for record in self._candidates()}
        if device_type in known.values():
            of_backend = next(kind for kind, name in known.items() if name == device_type)
            cure = f"{device_type!r} is a backend, and its device type is {of_backend!r}"
        else:
            near = difflib.get_close_matches(device_type, known, n=1)
            cure = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
        return f"there is no device type {device_type!r}; {cure}{self._broken_note()}"

    def _broken_note(self) -> str:
        notes = [f"\n{self._explain(name, error)}; it may be the one that provides it" for name, error in self._broken.items()]
        return "".join(notes)

    # *** engines ***

    def engines(self) -> list[EngineRecord]:
        """A record for every engine that hooks and entry points tell of; of two with one name, frazil's own or the first."""
        with self._lock:
            self._load_plugins()
            records = list(self._records("frazil_engines"))
            for point in self._entry_points(ENGINES_GROUP):
                records.append(EngineRecord(point.name, point.load, distribution=_distribution(point)))
        found: dict[str, EngineRecord] = {}
        for record in sorted(records, key=lambda record: record.distribution.partition(" ")[0] != "frazil"):
            found.setdefault(record.name, record)
        return list(found.values())

    # *** plugins ***

    def plugins(self) -> list[PluginInfo]:
        """Every plugin that is installed, broken ones with their error. Imports them all."""
        with self._lock:
            self._load_plugins()
            rows = []
            for name, distribution in self._distributions.items():
                plugin = self._pluggy.get_plugin(name)
                callers = self._pluggy.get_hookcallers(plugin) if plugin is not None else None
                hooks = tuple(caller.name for caller in callers or [])
                rows.append(PluginInfo(name, distribution, hooks, self._broken.get(name)))
        return rows

    def open_plugin(self, name: str) -> PluginInfo:
        """The plugin called `name`; BackendError when there is none, or when it is broken."""
        rows = {row.name: row for row in self.plugins()}
        if name not in rows:
            near = difflib.get_close_matches(name, rows, n=1)
            raise BackendError(
                f"there is no plugin {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(rows)}")
            )
        error = rows[name].error
        if error is not None:
            raise BackendError(self._explain(name, error)) from error
        return rows[name]

    def exporter(self, name: str) -> ModuleType:
        """The module of an exporter, which knows the ops and lowerings of all plugins."""
        if name not in EXPORTERS:
            raise BackendError(f"there is no exporter {name!r}; there are {', '.join(EXPORTERS)}")
        with self._lock:
            if name not in self._exporters:
                self.load_ops()
                if name == "onnx":
                    self._add_onnx_lowerings()
                self._exporters[name] = importlib.import_module(EXPORTERS[name])
            return self._exporters[name]

    def _add_onnx_lowerings(self) -> None:
        from frazil.exporters.onnx.lowerings import LOWERINGS

        givers = dict.fromkeys(LOWERINGS, self._distributions["frazil"])
        records = list(self._records("frazil_onnx_lowerings"))
        for record in records:
            if record.op in givers:
                both = f"{givers[record.op]} and {record.distribution}"
                raise BackendError(f"op {record.op!r} has two ONNX lowerings, from {both}: uninstall one of them")
            givers[record.op] = record.distribution
        LOWERINGS.update((record.op, record.lower) for record in records)

    def load_ops(self) -> None:
        """Import the modules in which plugins define ops."""
        with self._lock:
            self._load_plugins()
            for record in self._records("frazil_ops"):
                try:
                    with strangers():
                        importlib.import_module(record.module)
                except Exception as error:
                    _warn(f"ops of {record.distribution} cannot be used: import of {record.module} failed: {one_line(error)}")

    def _load_plugins(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for point in self._entry_points(PLUGINS_GROUP):
            rival = self._distributions.get(point.name)
            self._distributions[point.name] = _distribution(point)
            try:
                if rival is not None:
                    raise BackendError(f"two distributions call a plugin {point.name!r}: {rival} and {_distribution(point)}")
                with strangers():
                    self._pluggy.register(point.load(), name=point.name)
                    self._pluggy.check_pending()
            except Exception as error:
                self._set_aside(point.name, error)

    def _records(self, hook: str) -> Iterator[Any]:
        """The records that a hook returns. A plugin that raises, or returns junk, is set aside and the others go on."""
        kind = RECORDS[hook]
        for implementation in list(getattr(self._pluggy.hook, hook).get_hookimpls()):
            name = implementation.plugin_name
            try:
                with strangers():
                    records = list(itertools.islice(implementation.function(), _MOST_RECORDS))
                for record in records:
                    record_problem = problem(record, kind)
                    if record_problem:
                        raise BackendError(f"{hook}() must return a list of {kind.__name__}: {record_problem}")
            except Exception as error:
                self._set_aside(name, error)
                continue
            for record in records:
                yield replace(record, distribution=self._distributions[name])

    def _set_aside(self, name: str, error: BaseException) -> None:
        if self._pluggy.has_plugin(name) and name != "frazil":
            self._pluggy.unregister(name=name)
        # Whoever prints it must get a text.
        self._broken[name] = error if _can_be_told(error) else BackendError(f"it raised {one_line(error)}")
        _warn(self._explain(name, error))

    def _explain(self, name: str, error: BaseException) -> str:
        distribution = self._distributions[name]
        package = distribution.partition(" ")[0]
        return (
            f"plugin {name!r} of {distribution} is broken: {one_line(error)} "
            f"(reinstall it, or remove it: pip uninstall {package})"
        )


def _instance(record: BackendRecord) -> Backend:
    """Import the class of an installed backend, see that it keeps the contract, and make the backend."""
    name, package = record.name, record.distribution.partition(" ")[0]
    who = f"backend {name!r} of {record.distribution}"
    assert record.load is not None
    _check_contract(who, package, record.contract)
    try:
        with strangers():
            cls: Any = record.load()
    except Exception as error:
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        named = getattr(getattr(record.load, "__self__", None), "module", "")  # of an entry point
        if missing and f"{named}.".startswith(f"{missing}."):
            raise BackendError(
                f"{who} cannot be imported: its entry point names a module {named!r} that the distribution does not have: "
                f"correct the entry point, or remove it: pip uninstall {package}"
            ) from error
        cure = f"pip install {missing.partition('.')[0]}" if missing else f"reinstall it, or remove it: pip uninstall {package}"
        raise BackendError(f"{who} cannot be imported: {one_line(error)} ({record.install_hint or cure})") from error
    contract = getattr(cls, "contract", None)
    if contract is None and isinstance(cls, type) and issubclass(cls, Backend):
        raise BackendError(
            f"{who} does not say for which contract it was written: add `contract = {CONTRACT}` to class {cls.__name__}"
        )
    _check_contract(who, package, contract)
    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        raise BackendError(f"{who}: the entry point must name a subclass of frazil.backend.Backend, it names {cls!r}")
    if getattr(cls, "name", None) != name:
        raise BackendError(
            f"{who}: its class says name = {getattr(cls, 'name', None)!r}, its entry point {name!r}: make them equal"
        )
    if getattr(cls, "device_type", None) != record.device_type:
        raise BackendError(
            f"{who}: its class says device_type = {getattr(cls, 'device_type', None)!r}, expected is {record.device_type!r} "
            "(the name of its entry point, unless a BackendRecord from the hook frazil_backends says otherwise): make them equal"
        )
    try:
        with strangers():
            return cls()
    except FrazilError as error:
        if isinstance(error.__cause__, Exception | None):
            raise
        raise BackendError(f"{who} cannot start: {one_line(error.__cause__)}") from error.__cause__
    except Exception as error:
        raise BackendError(f"{who} cannot start: {one_line(error)}") from error


def _check_contract(who: str, package: str, contract: int | None) -> None:
    if contract not in (None, CONTRACT):
        old = "frazil" if isinstance(contract, int) and contract > CONTRACT else package
        change = f" (for its author: {CHANGES[contract]}; then write contract = {CONTRACT})" if contract in CHANGES else ""
        raise BackendError(
            f"{who} was written for contract {contract}, this frazil has contract {CONTRACT}: upgrade {old}{change}"
        )


def _merged(candidates: list[BackendRecord]) -> tuple[BackendRecord, list[BackendRecord]]:
    """The record to use of several with one name, and its rivals from other distributions."""
    loadable = [record for record in candidates if record.load]
    if not loadable:
        return candidates[0], []
    first, *others = loadable
    return first, [record for record in others if record.distribution != first.distribution]


def _who_asks(name: str) -> str:
    """Where the configuration asks for backend `name`, as the beginning of a message about it."""
    asked = config.get("backend") == name and config.origin("backend") != "default"
    return f"{config.origin('backend')}: " if asked else ""


def _distribution(point: metadata.EntryPoint) -> str:
    try:
        return plain(f"{point.dist.name} {point.dist.version}") if point.dist else "an unknown distribution"
    except Exception:  # its metadata is damaged
        return "an unknown distribution"


def _can_be_told(error: BaseException) -> bool:
    try:
        return bool(f"{error}{error!r}") or True
    except BaseException:
        return False


def _distribution_of_frazil() -> str:
    from frazil import __version__

    return f"frazil {__version__}"


def _is_frazil(record: BackendRecord) -> bool:
    return record.distribution.partition(" ")[0] == "frazil"


def _warn(message: str) -> None:
    warnings.warn(message, PluginWarning, stacklevel=3)
