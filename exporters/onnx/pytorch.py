"""How PyTorch's programs call `torch.onnx.export`: names and forms of arguments that mean something here in another way."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

from frazil.errors import ArgumentError
from frazil.warn import warn

#: Arguments of `torch.onnx.export` without a meaning here: weights are always in the file, constants are always folded.
WITHOUT_MEANING = frozenset(
    "artifacts_dir autograd_inlining custom_opsets do_constant_folding dump_exported_program dynamo export_modules_as_functions "
    "export_params fallback keep_initializers_as_inputs operator_export_type profile report verbose".split()
)


class TrainingMode(Enum):
    """In which mode a model is exported: EVAL and TRAINING are set for the time of the export, PRESERVE leaves it."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


class OperatorExportTypes(Enum):
    """Kinds of operators that PyTorch writes; the file has plain ones of ONNX in any case."""

    ONNX = 0
    ONNX_ATEN = 1
    ONNX_ATEN_FALLBACK = 2
    ONNX_FALLTHROUGH = 3


@contextmanager
def select_model_mode_for_export(model: Any, mode: TrainingMode) -> Iterator[None]:
    """Set the modules to eval or train mode, and each one back at the end.

    >>> import frazil as fz
    >>> layer = fz.nn.Dropout()
    >>> with fz.onnx.select_model_mode_for_export(layer, fz.onnx.TrainingMode.EVAL):
    ...     print(layer.training)
    False
    >>> layer.training
    True
    """
    before = [(module, module.training) for module in model.modules()] if hasattr(model, "modules") else []
    if before and mode is not TrainingMode.PRESERVE:
        model.train(mode is TrainingMode.TRAINING)
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def mode_of(training: Any, dynamo: Any) -> TrainingMode:
    """The mode that a call asks for: PyTorch's exporter by TorchScript (`dynamo=False`) takes EVAL unless it is told."""
    if isinstance(training, TrainingMode):
        return training
    return TrainingMode.EVAL if dynamo is False and not training else TrainingMode.PRESERVE


def arguments(model: Any, args: Any, kwargs: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    """The arguments: a dict at the end of the tuple holds keyword arguments, where its keys are parameters still free."""
    if kwargs or not (isinstance(args, (tuple, list)) and args and isinstance(args[-1], dict)):
        return args, dict(kwargs or {})
    try:
        parameters = list(inspect.signature(getattr(model, "forward", model)).parameters.values())
    except (TypeError, ValueError):
        return args, {}
    free = {p.name for p in parameters[len(args) - 1 :]}
    if args[-1].keys() <= free and len(args) > (0 if args[-1] else 1):
        return tuple(args[:-1]), dict(args[-1])
    return args, {}


def opset(asked: int | None, least: int) -> int:
    """The opset of the file: what is asked for, or the least one that is written, with a warning."""
    if asked is None or asked >= least:
        return least if asked is None else asked
    warn(
        f"export: opset_version={asked} is not written; the file is of opset {least}, since LayerNormalization and other "
        f"operators came after opset {asked} or changed. onnx.version_converter may bring it down"
    )
    return least


def check(of_pytorch: Mapping[str, Any]) -> None:
    """Refuse what PyTorch does not take either, and what would change the file in a way that is not there."""
    if of_pytorch.get("custom_translation_table"):
        raise ArgumentError(
            "export: custom_translation_table is not taken; lowerings={op name: lowering} says how an op is written"
        )
    unknown = sorted(of_pytorch.keys() - WITHOUT_MEANING - {"custom_translation_table"})
    if unknown:
        raise TypeError(f"export() got an unexpected keyword argument {unknown[0]!r}")
