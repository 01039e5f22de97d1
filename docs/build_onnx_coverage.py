"""Writes onnx-coverage.md from the importers, the installed onnx, and the results that are kept of its test suite.

python docs/build_onnx_coverage.py                                   # the page
python docs/build_onnx_coverage.py --measure numpy onnxruntime ...   # runs the suite first (minutes), and keeps the results
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from frazil.plugins import exporter

PAGE = Path(__file__).with_name("onnx-coverage.md")
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "onnx_suite.json"
RUNTIMES = ("numpy", "opencl", "onnxruntime", "reference")

#: Why an operator is not read.
LEFT_OUT = {
    ("", "ImageDecoder"): "there is no decoder of pictures",
    ("ai.onnx.preview.training", "Gradient"): "a preview, which no runtime has: call backward() on what the model gives",
    **dict.fromkeys(
        [("com.microsoft", name) for name in ("BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch")],
        "a loop that writes texts: load the decoder inside of it",
    ),
    **dict.fromkeys(
        [("com.microsoft", name) for name in ("QEmbedLayerNormalization", "MatMulBnb4", "SparseAttention")],
        "not written yet",
    ),
    ("com.microsoft", "DecoderMaskedMultiHeadAttention"): "it needs caches that are shared by input and output, and beams",
}

#: Where frazil's results are meant to be others than onnxruntime's, found with tests/onnx/test_load_old_forms.py.
DIFFERENCES = """
## Where runtimes differ

Of forms that the suite does not test, these are read as they are defined, or as ONNX's reference evaluator reads
them, which is not as onnxruntime 1.32 does:

- `Resize` with `align_corners` and scales: the new length is not rounded before places are computed.
- `TreeEnsemble` of ai.onnx.ml 5: the numbers 1 and 2 of `post_transform` are SOFTMAX and LOGISTIC; onnxruntime has
  them the other way round.
- `LinearRegressor` and tree regressors of one target: `post_transform` is applied; onnxruntime applies PROBIT only.
- Classifiers of two classes that have one score: without LOGISTIC the scores are -s and s.
- `Dropout` before opset 12: the mask of what was not dropped is true everywhere.
- Recurrent layers with `layout=1`: onnxruntime refuses them.
- `QMoE` of 8 bits in blocks, and `QAttention` on older processors: onnxruntime rounds what goes in to bytes, or lets
  sums of 16 bits saturate.

Not read in operators of com.microsoft that are read: caches of whole numbers and sliding caches
(GroupQueryAttention), buffers shared by input and output, beams,
rotary embeddings inside of Attention, FP4 and FP8 weights, `g_idx`.
"""

HEAD = """\
# ONNX operators that `fz.onnx.load` reads

Made from the importers, onnx {onnx} and its test suite by `python docs/build_onnx_coverage.py`.

- **Read.** *importer*: written for it; *definition*: as the body of its definition says; else the reason why it is not read.
- **Opsets.** Those in which its definition changed; every opset from 6 on is read, and the forms before it where they are met.
- **Tests** of ONNX's own suite that have the operator, by the opset they are written in, and how many of them pass on frazil's
  backends, in onnxruntime (CPU) and in ONNX's reference evaluator; *-*: not measured. What NumPy has no type for is handed to
  onnxruntime as float32 and cast inside, which is exact.

| runtime | tests of opset 21 and before that onnxruntime passes | all tests |
|---|---|---|
"""


def page() -> str:
    """The text of onnx-coverage.md."""
    exporter("onnx")  # brings the importers
    from frazil.exporters.onnx.importers import IMPORTERS

    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    parts = [HEAD.format(onnx=kept["onnx"]) + "".join(_shares(kept))]
    parts.append(DIFFERENCES)
    for domain in sorted({domain for domain, _ in (*schemas(), *IMPORTERS)}):
        rows = "".join(_rows(domain, kept))
        titles = " | ".join(("operator", "read", "opsets", "tests of opset", "tests", *RUNTIMES))
        parts.append(f"\n## {domain or 'ai.onnx'}\n\n| {titles} |\n|{'---|' * (5 + len(RUNTIMES))}\n{rows}")
    return "".join(parts)


def schemas() -> dict[tuple[str, str], list[onnx.defs.OpSchema]]:
    """(domain, operator) -> its definitions, oldest first."""
    found: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((_domain(schema.domain), schema.name), []).append(schema)
    return {key: sorted(found[key], key=lambda schema: schema.since_version) for key in sorted(found)}


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _shares(kept: dict[str, Any]) -> Iterator[str]:
    tests = kept["tests"]
    passed = {runtime: set(tests) - set(failures) for runtime, failures in kept["failures"].items()}
    old = {name for name, test in tests.items() if test["opset"] <= 21} & passed.get("onnxruntime", set(tests))
    for runtime in RUNTIMES:
        if runtime not in passed:
            yield f"| {runtime} | - | - |\n"
            continue
        shares = [
            f"{len(passed[runtime] & some):,} of {len(some):,} ({_percent(passed[runtime], some)})" for some in (old, set(tests))
        ]
        yield f"| {runtime} | {shares[0]} | {shares[1]} |\n"


def _percent(passed: set[str], some: set[str]) -> str:
    return f"{100 * len(passed & some) / max(len(some), 1):.1f} %"


def _rows(domain: str, kept: dict[str, Any]) -> Iterator[str]:
    from frazil.exporters.onnx.importers import IMPORTERS

    known = schemas()
    for key in sorted({key for key in (*known, *IMPORTERS, *LEFT_OUT) if key[0] == domain}):
        definitions = known.get(key, [])
        newest = definitions[-1] if definitions else None
        if key in IMPORTERS:
            read = "importer"
        elif newest is not None and (newest.has_function or newest.has_context_dependent_function):
            read = "definition"
        else:
            read = LEFT_OUT[key]
        opsets = ", ".join(str(schema.since_version) for schema in definitions)
        by_opset: dict[int, list[str]] = {}
        for name, test in kept["tests"].items():
            if "::".join(key) in test["operators"]:
                by_opset.setdefault(test["opset"], []).append(name)
        for i, (opset, names) in enumerate(sorted(by_opset.items()) or [(None, [])]):
            counts = [
                str(sum(name not in kept["failures"][runtime] for name in names))
                if runtime in kept["failures"] and names
                else "-"
                for runtime in RUNTIMES
            ]
            first = [f"`{key[1]}`", read, opsets] if not i else ["", "", ""]
            yield f"| {' | '.join((*first, str(opset or '-'), str(len(names)), *counts))} |\n"


# --- measuring ------------------------------------------------------------------------------------------------------------------


def measure(runtimes: list[str]) -> None:
    """Run ONNX's suite, and keep what fails."""
    sys.path.insert(0, str(ROOT))
    from tests.onnx.test_backend_suite import cases

    warnings.simplefilter("ignore")
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"failures": {}}
    found = [case for kind in ("node", "simple", "pytorch-converted", "pytorch-operator") for case in cases(kind)]
    kept["onnx"], kept["tests"] = onnx.__version__, {}
    for name, model, *_ in found:
        opsets = {_domain(given.domain): given.version for given in model.opset_import}
        operators = sorted({f"{_domain(node.domain)}::{node.op_type}" for node in model.graph.node})
        kept["tests"][name] = {"opset": opsets.get("", 1), "operators": operators}
    for runtime in runtimes:
        kept["failures"][runtime] = sorted(name for name, *case in found if not _passes(runtime, *case))
        RESULTS.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def _passes(runtime: str, model: onnx.ModelProto, data: Any, rtol: float, atol: float) -> bool:
    from tests.onnx.test_backend_suite import assert_equal, fault

    if runtime in ("numpy", "opencl"):
        return fault(model, data, rtol, atol, None if runtime == "numpy" else runtime) is None
    try:
        run = _session(model) if runtime == "onnxruntime" else _evaluator(model)
        for given, expected in data:
            for ours, theirs in zip(run(given), expected, strict=True):
                assert_equal(ours, theirs, rtol, atol)
    except Exception:  # whatever a runtime lacks
        return False
    return True


def _session(model: onnx.ModelProto) -> Callable[[Any], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    model, narrow = _widened(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def whole(name: str, x: Any) -> Any:
        """The input as it is taken: neither as a number of NumPy's nor of a type that NumPy lacks."""
        return x if isinstance(x, list) else np.asarray(x).astype(np.float32) if name in narrow else np.asarray(x)

    def run(given: Any) -> list[Any]:
        named = {name: whole(name, x) for name, x in zip(names, given, strict=False) if x is not None}
        outputs = zip(model.graph.output, session.run(None, named), strict=True)
        return [found.astype(narrow[value.name]) if value.name in narrow else found for value, found in outputs]

    return run


def _widened(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, np.dtype]]:
    """The model with float32 for inputs and outputs of types that NumPy lacks, which onnxruntime's Python cannot hand over, and
    casts inside, which are exact; and which those are."""
    found, narrow = onnx.ModelProto(), {}
    found.CopyFrom(model)
    casts: tuple[list[onnx.NodeProto], list[onnx.NodeProto]] = ([], [])
    for side, values in enumerate((found.graph.input, found.graph.output)):
        for value in values:
            kind = value.type.tensor_type.elem_type
            if not value.type.HasField("tensor_type") or kind in (0, onnx.TensorProto.STRING):
                continue
            dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
            if dtype.isbuiltin == 1:
                continue
            inner, outer = f"{value.name}_narrow", value.name
            for node in found.graph.node:
                for places in (node.input, node.output):
                    places[:] = [inner if name == outer else name for name in places]
            ends = (outer, inner) if side == 0 else (inner, outer)
            to = kind if side == 0 else onnx.TensorProto.FLOAT
            casts[side].append(onnx.helper.make_node("Cast", [ends[0]], [ends[1]], to=to))
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            narrow[outer] = dtype
    nodes = [*casts[0], *found.graph.node, *casts[1]]
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    return found, narrow


def _evaluator(model: onnx.ModelProto) -> Callable[[Any], Any]:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    return lambda given: evaluator.run(None, dict(zip(evaluator.input_names, given, strict=False)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2:] or list(RUNTIMES))
    PAGE.write_text(page(), encoding="utf-8")
