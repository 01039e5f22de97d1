"""What each ONNX operator means in frazil, arranged like `lowerings/`, which goes the other way."""

from __future__ import annotations

from . import (
    activation,
    attention,
    classical,
    control,
    conv,
    creation,
    elementwise,
    folding,
    fused,
    fused_attention,
    fused_decoder,
    fused_experts,
    fused_quantisation,
    image,
    indexing,
    linalg,
    loss,
    norm,
    pool,
    quantisation,
    random,
    recurrent,
    reduction,
    resize,
    sequence,
    shape,
    signal,
    text,
    training,
)
from .registry import FOLDS, IMPORTERS, Importer, fold, importer

__all__ = ["FOLDS", "IMPORTERS", "Importer", "fold", "importer"]
