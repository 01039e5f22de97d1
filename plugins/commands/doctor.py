"""What is installed, what is wrong, and what would be faster on this machine. Exit code 1 if something is wrong."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np

import frazil
from frazil.config import config, files
from frazil.errors import ConfigError, FrazilError

from .. import MANAGER
from .backends import device_rows
from .output import add_json_option, show

#: The opset and IR version of the files that frazil writes by default.
OPSET, IR_VERSION = 21, 10


@dataclass(frozen=True)
class Finding:
    """One thing the doctor looked at. `status` is "ok", "hint" (could be better) or "problem"; `cure` says what to do."""

    subject: str
    status: str
    found: str
    cure: str = ""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil doctor`."""
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print one row per finding."""
    findings = [finding for check in CHECKS for finding in _examine(check)]
    counts = {status: sum(finding.status == status for finding in findings) for status in ("problem", "hint")}
    cures = [f"{finding.subject}: {finding.cure}" for finding in findings if finding.cure]
    notes = [*cures, f"{counts['problem']} problem(s), {counts['hint']} hint(s)"]
    show([asdict(finding) for finding in findings], ["subject", "status", "found"], as_json=args.json, notes=notes)
    return 1 if counts["problem"] else 0


def _examine(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except ConfigError as error:
        if check is _configuration:  # told once, not by every check that wanted to know a setting
            yield Finding("configuration", "problem", str(error), "correct it; until then nothing that asks for a setting works")
    except Exception as error:  # what is broken here must not keep the doctor from looking at the rest
        yield Finding(check.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}")


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}")
    yield Finding("frazil", "ok", f"{frazil.__version__}, {Path(frazil.__file__).parent}")
    yield Finding("numpy", "ok", np.__version__)


def _blas() -> Iterator[Finding]:
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    library = f"{built.get('name')} {built.get('version')}"
    openblas = loaded_openblas()
    core, threads = openblas("get_corename", ctypes.c_char_p), openblas("get_num_threads", ctypes.c_int)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if core is None:
        yield Finding("BLAS", "ok", library)
        return
    core = core.decode()
    if core in ("Haswell", "Zen") and "avx512f" in _cpu_flags():
        yield Finding(
            "BLAS",
            "hint",
            f"{library} runs its {core} (AVX2) kernels although this processor has AVX-512",
            "set OPENBLAS_CORETYPE=SkylakeX before Python starts (matrix products were 1.7 times faster on a Zen 5)",
        )
    else:
        yield Finding("BLAS", "ok", f"{library}, {core} kernels")
    if threads > cores:
        cure = f"set OPENBLAS_NUM_THREADS={cores} before Python starts: more threads than cores wait for each other"
        yield Finding("threads", "hint", f"BLAS uses {threads} threads on {cores} cores", cure)
    else:
        yield Finding("threads", "ok", f"BLAS uses {threads} threads on {cores} cores")


def loaded_openblas() -> Callable[[str, Any], Any]:
    """Calls `openblas_<name>` of the OpenBLAS that NumPy has loaded; None where there is no such library."""
    maps = Path("/proc/self/maps")
    paths = set(re.findall(r"/\S*openblas\S*", maps.read_text())) if maps.exists() else set()
    # NumPy's is the one beside it; another package may have brought a second.
    library = ctypes.CDLL(min(paths, key=lambda path: ("numpy" not in path, path))) if paths else None

    def call(name: str, result: Any) -> Any:
        for symbol in (f"scipy_openblas_{name}64_", f"openblas_{name}64_", f"scipy_openblas_{name}", f"openblas_{name}"):
            function = getattr(library, symbol, None)
            if function is not None:
                function.restype = result
                return function()
        return None

    return call


def _cpu_flags() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return set(found[1].split()) if found else set()


def _memory() -> Iterator[Finding]:
    if platform.libc_ver()[0] != "glibc":
        return
    if config.get("numpy.keep_memory"):
        yield Finding("memory", "ok", "freed blocks are kept (numpy.keep_memory)")
    else:
        yield Finding(
            "memory",
            "hint",
            "freed blocks of more than 32 MiB go back to the system, and every such result pays for new pages",
            "for large results set numpy.keep_memory = true in frazil.toml, which keeps them all (it concerns the whole process)",
        )


def _onnx() -> Iterator[Finding]:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    yield Finding("onnx", "ok", f"{onnx.__version__}, onnx-ir {metadata.version('onnx-ir')}")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    found = f"{onnxruntime.__version__}, {', '.join(onnxruntime.get_available_providers())}"
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        yield Finding("onnxruntime", "ok", f"{found}; reads opset {OPSET}, IR {IR_VERSION}")
    except Exception as error:  # onnxruntime raises classes of its own that it does not document
        yield Finding("onnxruntime", "problem", f"{found}; refuses opset {OPSET}: {error}", "pip install --upgrade onnxruntime")


def _optional() -> Iterator[Finding]:
    if util.find_spec("matplotlib"):
        yield Finding("matplotlib", "ok", metadata.version("matplotlib"))
    else:
        yield Finding("matplotlib", "hint", "not installed: no pictures", "pip install 'frazil[demo]'")


def _devices() -> Iterator[Finding]:
    status = {"ready": "ok", "not installed": "ok", "no device": "hint", "broken": "problem"}
    for record in MANAGER.backends():
        for row in device_rows(record):
            found = row["what"] if row["status"] == "ready" else f"{row['status']}: {row['what']}"
            package = record.distribution.partition(" ")[0]
            stranger = row["status"] == "broken" and package != "frazil"
            cure = f"reinstall it, or remove it: pip uninstall {package}" if stranger else ""
            yield Finding(f"backend {record.name}", status[row["status"]], found, cure)


def _plugins() -> Iterator[Finding]:
    for info in MANAGER.plugins():
        if info.error:
            cure = f"reinstall it, or remove it: pip uninstall {info.distribution.partition(' ')[0]}"
            yield Finding(f"plugin {info.name}", "problem", f"{type(info.error).__name__}: {info.error}", cure)
        else:
            yield Finding(f"plugin {info.name}", "ok", info.distribution)


def _configuration() -> Iterator[Finding]:
    config.get("backend")  # raises for any mistake in files or environment
    in_use = ", ".join(map(str, files()))
    yield Finding("configuration", "ok", in_use or "no file; `frazil config --origin` lists every value")
    try:
        chosen = frazil.get_default_device()
        chosen.open()
        yield Finding("default device", "ok", str(chosen))
    except FrazilError as error:
        yield Finding("default device", "problem", str(error), "correct the setting, or install what it asks for")


CHECKS = (_python, _blas, _memory, _onnx, _optional, _configuration, _devices, _plugins)
