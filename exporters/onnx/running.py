"""Running a file in onnxruntime, on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def run_file(
    model: bytes | str | Path, feeds: Mapping[str, np.ndarray], names: Sequence[str] | None = None, *, optimize: bool = True
) -> dict[str, np.ndarray]:
    """The outputs of a model in onnxruntime on the CPU, by name."""
    session = open_session(model, optimize=optimize)
    return run_session(session, feeds, names)


def open_session(model: bytes | str | Path, *, optimize: bool = True) -> onnxruntime.InferenceSession:
    """A session that says nothing: what goes wrong is raised."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run_session(
    session: onnxruntime.InferenceSession,
    feeds: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
    seconds: float | None = None,
) -> dict[str, np.ndarray]:
    """Run an open session; inputs that the model does not have are left out. After this many `seconds` it is told to stop."""
    wanted = list(names) if names is not None else [output.name for output in session.get_outputs()]
    has = {value.name for value in session.get_inputs()}
    run_options = onnxruntime.RunOptions()
    run_options.log_severity_level = 4
    given = {name: np.asarray(array) for name, array in feeds.items() if name in has}  # it takes no np.bool_, as a[()] is one
    if seconds is None:
        results = session.run(wanted, given, run_options)
    else:
        timer = threading.Timer(seconds, lambda: setattr(run_options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            results = session.run(wanted, given, run_options)
        finally:
            timer.cancel()
    return dict(zip(wanted, results, strict=True))


def load_proto(model: bytes | str | Path) -> onnx.ModelProto:
    """The model as protobuf, external data included."""
    return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(str(model))
