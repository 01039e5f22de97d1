"""`fz.onnx`: programs as plain ONNX files that compute the same, or an error that says which line cannot."""

from __future__ import annotations

from frazil.spelling import tell_names as _tell_names

from .epoch import export_loop
from .errors import (
    ExportError,
    GuardError,
    LoweringError,
    Problem,
    TrainModeError,
    Unsupported,
    UnsupportedOps,
    VerificationError,
)
from .export import ExportReport, export, is_in_onnx_export, verify
from .gradients import export_grad
from .importers import importer
from .load import Model, load
from .lowerings import Call, lowering
from .pytorch import OperatorExportTypes, TrainingMode, select_model_mode_for_export
from .session import TrainingSession
from .testcase import export_testcase
from .training import Steps, export_step
from .verify import Check, Verification

#: What an export returns, under PyTorch's name.
ONNXProgram = ExportReport

__all__ = [
    "Call",
    "Check",
    "ExportError",
    "ExportReport",
    "GuardError",
    "LoweringError",
    "Model",
    "ONNXProgram",
    "OperatorExportTypes",
    "Problem",
    "Steps",
    "TrainModeError",
    "TrainingMode",
    "TrainingSession",
    "Unsupported",
    "UnsupportedOps",
    "Verification",
    "VerificationError",
    "export",
    "export_grad",
    "export_loop",
    "export_step",
    "export_testcase",
    "importer",
    "is_in_onnx_export",
    "load",
    "lowering",
    "select_model_mode_for_export",
    "verify",
]

_tell_names(__name__)
