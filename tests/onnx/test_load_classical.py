"""Files as scikit-learn's converter writes them, against onnxruntime: linear models, support vectors, trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import frazil as fz

FLOAT = TensorProto.FLOAT
RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 4)).astype(np.float32)


def numbers(*shape: int) -> list[float]:
    return [float(x) for x in RNG.standard_normal(shape).astype(np.float32).reshape(-1)]


def single(op_type: str, outputs: int, **attributes: Any) -> onnx.ModelProto:
    """A file of one operator of ai.onnx.ml."""
    names = ["label", "scores"][-outputs:]
    node = helper.make_node(op_type, ["x"], names, domain="ai.onnx.ml", **attributes)
    kinds = {"label": TensorProto.INT64, "scores": FLOAT}
    graph = helper.make_graph(
        [node],
        "classical",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 4])],
        [helper.make_tensor_value_info(name, kinds[name], None) for name in names],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def trees(kind: str, targets: int, *, modes: tuple[str, ...] = ("BRANCH_LEQ",)) -> dict[str, Any]:
    """Five full trees of depth 3."""
    found: dict[str, list[Any]] = {}

    def add(**values: Any) -> None:
        for name, value in values.items():
            found.setdefault(name, []).append(value)

    for tree in range(5):
        for i in range(15):
            leaf = i > 6
            add(
                nodes_treeids=tree,
                nodes_nodeids=i,
                nodes_featureids=0 if leaf else int(RNG.integers(4)),
                nodes_values=0.0 if leaf else float(np.float32(RNG.standard_normal())),
                nodes_modes="LEAF" if leaf else modes[i % len(modes)],
                nodes_truenodeids=0 if leaf else 2 * i + 1,
                nodes_falsenodeids=0 if leaf else 2 * i + 2,
            )
            for target in range(targets) if leaf else ():
                values = {"treeids": tree, "nodeids": i, "ids": target, "weights": float(np.float32(RNG.random()))}
                add(**{f"{kind}_{name}": value for name, value in values.items()})
    return found


CLASSES = {"classlabels_int64s": [3, 5, 9]}
CASES = {
    "scaler": single("Scaler", 1, offset=numbers(4), scale=numbers(4)),
    "normalizer": single("Normalizer", 1, norm="L2"),
    "linear regression": single("LinearRegressor", 1, coefficients=numbers(2, 4), intercepts=numbers(2), targets=2),
    "logistic regression": single(
        "LinearClassifier", 2, coefficients=numbers(3, 4), intercepts=numbers(3), classlabels_ints=[3, 5, 9],
        post_transform="SOFTMAX",
    ),
    "support vector regression": single(
        "SVMRegressor", 1, coefficients=numbers(6), support_vectors=numbers(6, 4), n_supports=6, rho=[0.5],
        kernel_type="RBF", kernel_params=[0.25, 0.0, 3.0],
    ),
    "support vectors": single(
        "SVMClassifier", 2, coefficients=numbers(2, 9), support_vectors=numbers(9, 4), vectors_per_class=[2, 3, 4],
        rho=numbers(3), kernel_type="POLY", kernel_params=[0.5, 1.0, 2.0], classlabels_ints=[3, 5, 9],
    ),
    "support vectors with probabilities": single(
        "SVMClassifier", 2, coefficients=numbers(2, 9), support_vectors=numbers(9, 4), vectors_per_class=[2, 3, 4],
        rho=numbers(3), kernel_type="RBF", kernel_params=[0.25, 0.0, 3.0], classlabels_ints=[3, 5, 9],
        prob_a=[-1.0, -2.0, -1.5], prob_b=[0.1, 0.0, -0.1],
    ),
    "random forest": single("TreeEnsembleClassifier", 2, **trees("class", 3), **CLASSES),
    "gradient boosting": single("TreeEnsembleClassifier", 2, **trees("class", 3), **CLASSES, post_transform="SOFTMAX"),
    "forest regression": single("TreeEnsembleRegressor", 1, **trees("target", 1), n_targets=1, base_values=[0.5]),
    "every comparison": single(
        "TreeEnsembleRegressor", 1, n_targets=2,
        **trees("target", 2, modes=("BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_LEQ")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_onnxruntime_computes(name: str) -> None:
    expected = onnxruntime.InferenceSession(CASES[name].SerializeToString()).run(None, {"x": X})
    found = fz.onnx.load(CASES[name])(fz.tensor(X))
    for ours, theirs in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
        assert ours.numpy().dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-5)


def test_a_tree_that_goes_round_is_refused() -> None:
    around = trees("target", 1)
    around["nodes_truenodeids"][3] = 0
    with pytest.raises(fz.errors.ArgumentError, match="go round in a circle"):
        fz.onnx.load(single("TreeEnsembleRegressor", 1, **around, n_targets=1))(fz.tensor(X))
