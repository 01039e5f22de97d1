"""`export_testcase`: a model and what it must compute, in the layout of ONNX's own test suite."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import numpy_helper

from frazil.pytree import flatten
from frazil.tensor import Tensor

from .export import ExportReport, as_arguments, export, record
from .gradients import named_outputs, record_grad
from .oracle import host
from .verify import GIVEN, EagerRun


def export_testcase(
    model: Any,
    args: Any,
    folder: str | os.PathLike[str],
    *,
    gradients: bool = False,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
    samples: Sequence[Any] = (),
    **options: Any,
) -> ExportReport:
    """Write a test case for runtimes: `model.onnx`, and `test_data_set_0` with inputs and what the Python program makes of them.

    That is the layout of ONNX's backend tests, which runtimes and converters run: `input_0.pb`, ..., `output_0.pb`, ..., in the
    order of the file's inputs and outputs.

    Args:
        model, args: as in `export`; the data are those of `args`.
        folder: is made where it is not there.
        gradients: with the gradients by floating inputs and parameters, as `export_grad` writes them.
        samples: further arguments, each a `test_data_set_1`, ... of its own; the file is verified with them too.
        options: others of `export`.

    >>> import frazil as fz, pathlib
    >>> report = fz.onnx.export_testcase(lambda x: (x * x).sum(), fz.arange(3.0), "square", gradients=True, input_names=["x"])
    >>> sorted(path.name for path in pathlib.Path("square/test_data_set_0").iterdir())
    ['input_0.pb', 'output_0.pb', 'output_1.pb']
    """
    args = as_arguments(args)
    if gradients:
        program, by = record_grad(model, args, kwargs, input_names=input_names, dynamic_shapes=dynamic_shapes)
        output_names = named_outputs(program, by, output_names)
    else:
        program = record(model, args, kwargs, input_names, dynamic_shapes)
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    report = export(program, path=where / "model.onnx", output_names=output_names, samples=samples, **options)
    inputs = [str(value.name) for value in report.model.graph.inputs]
    outputs = [str(value.name) for value in report.model.graph.outputs]
    eager = EagerRun(program, report.graph.states)
    for number, given in enumerate([program.example_args, *samples]):
        arrays = [host(leaf) for leaf in flatten(given)[0] if isinstance(leaf, Tensor)]
        state = eager.state()
        expected = eager([array.copy() for array in arrays], GIVEN)
        data = where / f"test_data_set_{number}"
        data.mkdir(exist_ok=True)
        for old in data.glob("*.pb"):
            old.unlink()
        _write(data, "input", inputs, [*arrays, *state])
        _write(data, "output", outputs, expected)
    return report


def _write(folder: Path, kind: str, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        (folder / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString(deterministic=True))
