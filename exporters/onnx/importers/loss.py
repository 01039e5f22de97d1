"""Losses."""

from __future__ import annotations

from typing import Any

import frazil as fz

from .registry import importer

F = fz.nn.functional

#: What PyTorch ignores unless told otherwise; no class has this number.
_NONE = -100


@importer("NegativeLogLikelihoodLoss")
def nll_loss(node: Any, x: Any, target: Any, weight: Any = None) -> Any:
    return _nll(node, x, target, weight)


def _nll(node: Any, x: Any, target: Any, weight: Any) -> Any:
    return F.nll_loss(
        x, target.to(fz.int64), weight, ignore_index=node.get("ignore_index", _NONE), reduction=node.get("reduction", "mean")
    )


@importer("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(node: Any, scores: Any, target: Any, weight: Any = None) -> Any:
    """The loss, and the logarithms of the probabilities if they are wanted."""
    if not node.wants(1):
        options = {"ignore_index": node.get("ignore_index", _NONE), "reduction": node.get("reduction", "mean")}
        return F.cross_entropy(scores, target.to(fz.int64), weight, **options)
    logarithms = F.log_softmax(scores, dim=1)
    return _nll(node, logarithms, target, weight), logarithms
