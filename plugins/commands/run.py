"""Run an ONNX file, whoever made it, and compare with onnxruntime if asked to.

Inputs are .npy files, in the order of the inputs or as name=file; those that are left out are made up: random numbers, with 2
for every size that the file leaves open. Results are printed, or written as .npy files with --out.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import numpy as np

from frazil.autograd.modes import no_grad
from frazil.creation import tensor
from frazil.errors import ArgumentError
from frazil.outside import plain
from frazil.tensor import Tensor

from .. import MANAGER


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil run`."""
    parser.add_argument("model", help="an ONNX file")
    parser.add_argument("--inputs", nargs="*", default=[], metavar="FILE", help=".npy files, or name=file")
    parser.add_argument("--device", help="where to run it, such as opencl:1")
    parser.add_argument("--out", metavar="FOLDER", help="write the results there, as .npy files")
    parser.add_argument("--compare", action="store_true", help="run it in onnxruntime as well, and compare")
    parser.add_argument("--seed", type=int, default=0, help="of inputs that are made up")


def run(args: Namespace) -> int:
    """Print or write the results; 1 if onnxruntime's are different."""
    model = MANAGER.exporter("onnx").load(args.model, device=args.device)
    feeds = _inputs(model, args.inputs, args.seed)
    with no_grad():
        found = model(**{name: tensor(array, device=args.device) for name, array in feeds.items()})
    results = dict(zip(model.output_names, found if isinstance(found, tuple) else (found,), strict=True))
    arrays = {name: x.cpu().numpy() if isinstance(x, Tensor) else x for name, x in results.items()}
    for name, array in arrays.items():
        print(f"{plain(name)}: {_described(array)}")
    if args.out:
        folder = Path(args.out)
        folder.mkdir(parents=True, exist_ok=True)
        for i, array in enumerate(arrays.values()):
            np.save(folder / f"output_{i}.npy", array)
    return _compare(args, feeds, arrays) if args.compare else 0


def _inputs(model: Any, given: list[str], seed: int) -> dict[str, np.ndarray]:
    feeds: dict[str, np.ndarray] = {}
    free = iter(model.input_names)
    for words in given:
        name, separator, path = words.partition("=")
        if not separator:
            name, path = next(free, ""), words
        if name not in model.input_names:
            raise ArgumentError(f"run: there is no input for {words!r}; the inputs are {', '.join(map(repr, model.input_names))}")
        feeds[name] = np.load(path, allow_pickle=False)
    rng = np.random.default_rng(seed)
    for value in model.inputs:
        if value.name not in feeds:
            feeds[value.name] = _made_up(value, rng)
    return {name: feeds[name] for name in model.input_names}


def _made_up(value: Any, rng: np.random.Generator) -> np.ndarray:
    if value.dtype is None or value.shape is None:
        raise ArgumentError(f"run: the file does not say what {plain(value.name)!r} is like: give it with --inputs")
    shape = [n if isinstance(n, int) else 2 for n in value.shape]
    dtype = np.dtype("bool") if value.dtype.name == "BOOL" else np.dtype(value.dtype.numpy())
    if dtype.kind == "f":
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    return np.asarray(rng.integers(0, 2, shape)).astype(dtype)


def _described(x: Any) -> str:
    if not isinstance(x, np.ndarray):
        return str(x)
    text = f"{x.dtype}[{', '.join(map(str, x.shape))}]"
    return f"{text} {x.tolist()}" if x.size <= 8 else text


def _compare(args: Namespace, feeds: dict[str, np.ndarray], ours: dict[str, Any]) -> int:
    import onnx
    import onnxruntime

    from frazil.exporters.onnx.bisect import compared, first_difference

    theirs = onnxruntime.InferenceSession(args.model, providers=["CPUExecutionProvider"]).run(list(ours), feeds)
    different = False
    for (name, a), b in zip(ours.items(), theirs, strict=True):
        if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
            print(f"{plain(name)}: not compared, it is no tensor")
            continue
        words, equal = compared(a, b)
        different |= not equal
        print(f"{plain(name)}: {words} {onnxruntime.__version__}")
    if different:
        found = first_difference(onnx.load(args.model), feeds, args.device)
        nothing = "none, where every value is a result: onnxruntime differs in how it merges operators"
        print(f"the first node that differs: {nothing if found is None else found}")
    return int(different)
