"""`python -m benchmarks.compiled [--only TEXT] [--seconds S] [--engines NAMES] [--settings NAMES] [--out FOLDER]`: programs
compiled by `fz.compile`, by engine, next to eager code, PyTorch and torch.compile.

Training steps with SGD and Adam, and inference at batch 1 and 64. All sides of a case are alternated in one process and the
best of each counts. Before each burst it waits until the threads of the side before have fallen asleep, and runs once.
torch.compile (where there is a C++ compiler, and nothing kept of an earlier run) is asked for steps with SGD and for inference.

`first` is the time until the second call is done, in which a step is recorded and its engine made ready. Peak memory is that of
a process of its own for each side: how much more it holds at the most in five steps than before the model was made (Linux).

All is measured twice, in processes of their own: with what the processor has, and with what one without AVX-512 has, in NumPy,
its OpenBLAS, PyTorch and Intel's OpenCL (onnxruntime cannot be asked for less). It takes about ten minutes, most of them
torch.compile's. JSON and a picture go to `results/`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import torch

import frazil as fz
from frazil.plugins.commands.doctor import loaded_openblas

from .__main__ import processor
from .eager import training_step
from .models import Data, char_lstm, classes, convnet, gpt, mlp, resnet18, text

Side = Callable[[], object]

#: Name -> variables of the environment, "" for none.
SETTINGS = {
    "all": dict.fromkeys(("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "ATEN_CPU_CAPABILITY"), ""),
    "avx2": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": " ".join(
            name for name in np._core._multiarray_umath.__cpu_dispatch__ if name.startswith(("AVX512", "X86_V4"))
        ),
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "CL_CONFIG_CPU_TARGET_ARCH": "core-avx2",
    },
}

#: Name -> model, data, and the ratio to PyTorch that issue 9 asks of the best engine.
STEPS: dict[str, tuple[Callable[[Any], Any], Data, float]] = {
    "MLP 2-16-16-2, batch 32": (lambda lib: mlp(lib, 2, 16, 16, 2), classes(2, 32, 2), 0.25),
    "MLP 784-256-128-10, batch 64": (lambda lib: mlp(lib, 784, 256, 128, 10), classes(10, 64, 784), 0.4),
    "MLP 784-256-128-10, batch 512": (lambda lib: mlp(lib, 784, 256, 128, 10), classes(10, 512, 784), 0.7),
    "ConvNet 28x28, batch 64": (convnet, classes(10, 64, 1, 28, 28), 0.9),
    "ResNet-18 32x32, batch 16": (resnet18, classes(10, 16, 3, 32, 32), 1.0),
    "LSTM 256 wide, batch 32, 64 steps": (char_lstm, text(32, 64), 0.8),
    "GPT 4 x 128, batch 16, 64 steps": (gpt, text(16, 64), 0.7),
}

#: Name -> model, data of a batch size, and the ratio that is asked for at batch 1.
INFERENCE: dict[str, tuple[Callable[[Any], Any], Callable[[int], Data], float]] = {
    "MLP 784-256-128-10": (lambda lib: mlp(lib, 784, 256, 128, 10), lambda n: classes(10, n, 784), 0.3),
    "ConvNet 28x28": (convnet, lambda n: classes(10, n, 1, 28, 28), 0.6),
    "GPT 4 x 128, 64 steps": (gpt, lambda n: text(n, 64), 0.7),
}

#: The threads of OpenBLAS, OpenMP and onnxruntime wait awake for less than that: OpenBLAS' for 2**28 cycles, a tenth of a second.
SLEEP = 0.12


class Case(NamedTuple):
    """What all sides do: `make` gives the side "torch", "torch.compile", "eager", or that of an engine."""

    name: str
    make: Callable[[str], Side]
    with_torch_compile: bool
    asked: float | None


def cases() -> list[Case]:
    """All of them."""
    found = []
    for name, (build, data, asked) in STEPS.items():
        for optimiser in ("SGD", "Adam"):
            make = partial(_training, build, data, optimiser)
            found.append(Case(f"{name}, {optimiser}", make, optimiser == "SGD", asked))
    for name, (build, data_of, asked) in INFERENCE.items():
        for batch in (1, 64):
            found.append(
                Case(
                    f"{name}, inference, batch {batch}",
                    partial(_inference, build, data_of(batch)),
                    True,
                    None if batch > 1 else asked,
                )
            )
    return found


def _model(lib: Any, build: Callable[[Any], Any]) -> Any:
    """A model with the same weights on both sides."""
    torch.manual_seed(0)
    theirs = build(torch)
    if lib is torch:
        return theirs
    ours = build(fz)
    ours.load_state_dict({name: fz.tensor(value.numpy().copy()) for name, value in theirs.state_dict().items()})
    return ours


def _training(build: Callable[[Any], Any], data: Data, optimiser: str, side: str) -> Side:
    lib: Any = torch if side in ("torch", "torch.compile") else fz
    model = _model(lib, build)
    called = torch.compile(model) if side == "torch.compile" else model
    step = training_step(lib, called, getattr(lib.optim, optimiser)(model.parameters(), lr=1e-3), *data(np.random.default_rng(0)))
    return step if side in ("torch", "torch.compile", "eager") else fz.compile(step, engine=side, fullgraph=True)


def _inference(build: Callable[[Any], Any], data: Data, side: str) -> Side:
    lib: Any = torch if side in ("torch", "torch.compile") else fz
    model = _model(lib, build).eval()
    x = lib.tensor(data(np.random.default_rng(0))[0])
    if side == "torch.compile":
        model = torch.compile(model)
    elif side not in ("torch", "eager"):
        model = fz.compile(model, engine=side, fullgraph=True)

    def call() -> object:
        with lib.no_grad():
            return model(x)

    return call


# ------------------------------------------------------------------------------------------------------------------ measuring


def compare(sides: Sequence[Side], seconds: float) -> list[float]:
    """The best time of each side, in seconds, of at least three bursts of each."""
    best = [float("inf")] * len(sides)
    began, rounds = time.perf_counter(), 0
    while rounds < 3 or time.perf_counter() - began < seconds:
        for i, side in enumerate(sides):
            time.sleep(SLEEP)
            side()
            for _ in range(2):
                count = 1 if best[i] > 5e-3 else max(1, int(5e-3 / best[i]))
                start = time.perf_counter()
                for _ in range(count):
                    side()
                best[i] = min(best[i], (time.perf_counter() - start) / count)
        rounds += 1
    return best


def measure(case: Case, sides: Sequence[str], seconds: float) -> dict[str, Any]:
    """Times and first times of a case, by side; why a side is left out."""
    made: dict[str, Side] = {}
    first: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name in sides:
        if name == "torch.compile" and not case.with_torch_compile:
            continue
        torch.compiler.reset()
        try:
            made[name] = side = case.make(name)
            start = time.perf_counter()
            side()
            side()
        except Exception as error:  # one of several sides, and the others are there
            left_out[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
            made.pop(name, None)
            continue
        if name not in ("torch", "eager"):
            first[name] = time.perf_counter() - start
    seconds_of = dict(zip(made, compare(list(made.values()), seconds), strict=True))
    return {"name": case.name, "asked": case.asked, "seconds": seconds_of, "first": first, "left_out": left_out}


def peak(name: str, side: str) -> int:
    """By how many bytes the memory of this process grows in five calls at the most, once the libraries are warm."""
    torch.set_num_threads(2)
    known = cases()
    for _ in range(3):
        known[0].make(side)()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what it holds now
    call = next(case.make for case in known if case.name == name)(side)
    for _ in range(5):
        call()
    return max(0, _resident("VmHWM") - before)


def _resident(key: str) -> int:
    """A line of what Linux tells of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{key}:"))


def kernels() -> dict[str, str]:
    """What computes on each side."""
    core = loaded_openblas()("get_corename", ctypes.c_char_p)
    found = {
        "numpy": f"NumPy {np.__version__}, {core.decode() if core else 'another'} kernels of OpenBLAS",
        "torch": f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}",
        "onnxruntime": f"onnxruntime {onnxruntime.__version__}",
    }
    try:
        found["opencl"] = fz.device("opencl").backend.describe(0)
    except fz.errors.FrazilError:
        pass
    return found


# ----------------------------------------------------------------------------------------------------------------- the command


def run_here(options: argparse.Namespace, setting: str) -> dict[str, Any]:
    """All cases in this process."""
    torch.set_num_threads(options.threads)
    sides = ["torch", "torch.compile", "eager", *options.engines.split(",")]
    if setting != "all" or shutil.which("c++") is None or options.no_torch_compile:
        sides.remove("torch.compile")
    load = os.getloadavg()[0]
    record: dict[str, Any] = {"setting": setting, "kernels": kernels(), "load_at_start": round(load, 2), "cases": []}
    print(f"\n{setting}: load {load:.1f}, {options.threads} threads; {'; '.join(record['kernels'].values())}")
    print("ms, and the ratio to PyTorch eager; first: seconds until the second call is done")
    print(f"{'':44s}" + "".join(f"{side:>17s}" for side in sides) + "   first")
    for case in cases():
        if options.only not in case.name:
            continue
        result = measure(case, sides, options.seconds)
        times, theirs = result["seconds"], result["seconds"]["torch"]
        cells = [f"{times[s] * 1e3:9.3f} ({times[s] / theirs:5.2f})" if s in times else "-" for s in sides]
        first = ", ".join(f"{name} {t:.2f}" for name, t in result["first"].items())
        print(f"{case.name:44s}" + "".join(f"{cell:>17s}" for cell in cells) + f"   {first}", flush=True)
        for side, why in result["left_out"].items():
            print(f"  without {side}: {why}")
        record["cases"].append(result)
    return record


def main() -> None:
    """Run the cases in processes of their own, print tables, write JSON and a picture."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.compiled", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="run only cases whose name contains this")
    parser.add_argument("--seconds", type=float, default=2.0, help="time per case (default 2)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (default 2)")
    parser.add_argument("--engines", default="numpy,onnxruntime,opencl,auto", help="engines, with commas")
    parser.add_argument("--settings", default=",".join(SETTINGS), help=f"of {', '.join(SETTINGS)} (default: both)")
    parser.add_argument("--no-torch-compile", action="store_true", help="without torch.compile")
    parser.add_argument("--no-memory", action="store_true", help="without peak memory")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON and the picture")
    parser.add_argument("--here", metavar="FILE", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peak", nargs=2, metavar=("CASE", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(*options.peak))
        return
    if options.here:
        options.here.write_text(json.dumps(run_here(options, options.settings)))
        return
    record: dict[str, Any] = {"processor": processor(), "threads": options.threads, "settings": []}
    for setting in options.settings.split(","):
        record["settings"].append(_in_a_process(setting))
    if not options.no_memory:
        record["peak_bytes"] = _peaks(options)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "compiled.json").write_text(json.dumps(record, indent=1) + "\n")
    draw(record, options.out / "compiled.png")
    print(f"wrote {options.out / 'compiled.json'} and compiled.png")


def _environment(setting: str, folder: str) -> dict[str, str]:
    there = {**os.environ, **SETTINGS[setting], "XDG_CACHE_HOME": folder, "TORCHINDUCTOR_CACHE_DIR": folder}
    return {name: value for name, value in there.items() if value}


def _in_a_process(setting: str) -> dict[str, Any]:
    """What `run_here` finds in a new process with that environment, where nothing is remembered of earlier runs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "found.json")
        command = [sys.executable, "-m", "benchmarks.compiled", *sys.argv[1:], "--settings", setting, "--here", str(file)]
        subprocess.run(command, env=_environment(setting, folder), check=True)
        found: dict[str, Any] = json.loads(file.read_text())
    return found


def _peaks(options: argparse.Namespace) -> dict[str, dict[str, int]]:
    """Case -> side -> bytes."""
    found: dict[str, dict[str, int]] = {}
    sides = ("torch", "eager", *(name for name in options.engines.split(",") if name != "auto"))
    print(f"\npeak memory, MB{'':29s}" + "".join(f"{side:>17s}" for side in sides))
    with tempfile.TemporaryDirectory() as folder:
        for name in (f"{name}, SGD" for name in STEPS):
            if options.only not in name:
                continue
            for side in sides:
                command = [sys.executable, "-m", "benchmarks.compiled", "--peak", name, side]
                told = subprocess.run(command, env=_environment("all", folder), check=True, capture_output=True, text=True)
                found.setdefault(name, {})[side] = int(told.stdout.split()[-1])
            print(f"{name:44s}" + "".join(f"{n / 1e6:17.1f}" for n in found[name].values()), flush=True)
    return found


def draw(record: dict[str, Any], path: Path) -> None:
    """A picture of the ratios: a row for each case, a mark for each side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    marks = {
        "torch.compile": ("#e76f51", "X"),
        "eager": ("#adb5bd", "s"),
        "numpy": ("#2a9d8f", "o"),
        "onnxruntime": ("#457b9d", "^"),
    }
    marks |= {"opencl": ("#9c6644", "v"), "auto": ("#264653", "|")}
    settings = record["settings"]
    rows = max(len(setting["cases"]) for setting in settings)
    figure, panels = pyplot.subplots(
        1, len(settings), figsize=(5 + 4 * len(settings), 0.32 * rows + 1.8), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, setting in zip(panels[0], settings, strict=True):
        names = [case["name"] for case in setting["cases"]]
        for side, (colour, mark) in marks.items():
            found = [
                (min(case["seconds"][side] / case["seconds"]["torch"], 5.9), i)
                for i, case in enumerate(setting["cases"])
                if side in case["seconds"]
            ]
            if found:
                label = f"frazil, {side}" if side != "torch.compile" else side
                axes.scatter(
                    *zip(*found, strict=True), color=colour, marker=mark, s=90 if mark == "|" else 30, label=label, zorder=3
                )
        axes.axvline(1.0, color="#264653", linewidth=1)
        ticks = (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5)
        axes.set(xscale="log", yticks=range(len(names)), yticklabels=names, xlabel="time / PyTorch's eager time")
        axes.set(xlim=(0.15, 6), xticks=ticks, xticklabels=[f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_title("\n".join([setting["kernels"]["numpy"], setting["kernels"]["torch"]]), fontsize=8)
        axes.grid(axis="x", which="both", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].invert_yaxis()
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    figure.suptitle(f"{record['processor']}, {record['threads']} threads", fontsize=9)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
