"""`fz.onnx`: programs as plain ONNX files that compute the same, or an error that says which line cannot."""

from __future__ import annotations

from frazil.spelling import tell_names as _tell_names

from . import symbolic_helper
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
from .symbolic_helper import register_custom_op_symbolic, unregister_custom_op_symbolic
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
    "register_custom_op_symbolic",
    "select_model_mode_for_export",
    "symbolic_helper",
    "unregister_custom_op_symbolic",
    "verify",
]

#: The modules of symbolic functions of PyTorch's older exporter, which libraries import beside their own.
globals().update({f"symbolic_opset{version}": symbolic_helper for version in range(7, 21)})


_tell_names(__name__)
