"""Forms of operators that newer opsets no longer have, and all of recurrent layers and ai.onnx.ml, against onnxruntime."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import frazil as fz

RNG = np.random.default_rng(0)
FLOAT, INT, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def f(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def file_of(
    op_type: str, opset: int, inputs: list[Any], kinds: list[int], fixed: tuple[int, ...], domain: str, attributes: dict[str, Any]
) -> onnx.ModelProto:
    """A file of one operator; the inputs at `fixed` are stored in it."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(len(kinds))], domain=domain, **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for i, (name, array) in enumerate(zip(names, inputs, strict=True))
        if array is not None and i not in fixed
    ]
    ends = [helper.make_tensor_value_info(f"y{i}", kind, None) for i, kind in enumerate(kinds)]
    graph = helper.make_graph([node], "old", infos, ends, [numpy_helper.from_array(inputs[i], names[i]) for i in fixed])
    opsets = [helper.make_opsetid("", 21 if domain else opset)] + ([helper.make_opsetid(domain, opset)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(
    op_type: str,
    opset: int,
    inputs: list[Any],
    kinds: tuple[int, ...] = (FLOAT,),
    fixed: tuple[int, ...] = (),
    domain: str = "",
    **attributes: Any,
) -> tuple[list[Any], Any]:
    """What frazil computes, and a function for what onnxruntime does."""
    proto = file_of(op_type, opset, inputs, list(kinds), fixed, domain, attributes)
    feeds = {f"x{i}": array for i, array in enumerate(inputs) if array is not None and i not in fixed}
    found = fz.onnx.load(proto)(*(x if x.dtype.kind in "OUS" else fz.tensor(x) for x in feeds.values()))
    ours = [x.detach().numpy() if hasattr(x, "detach") else x for x in (found if isinstance(found, tuple) else (found,))]
    return ours, lambda: onnxruntime.InferenceSession(proto.SerializeToString()).run(None, feeds)


def agree(op_type: str, opset: int, inputs: list[Any], *more: Any, **attributes: Any) -> None:
    ours, theirs = run(op_type, opset, inputs, *more, **attributes)
    for a, b in zip(ours, theirs(), strict=True):
        told = f"{op_type} of opset {opset}, {attributes}"
        assert a.shape == b.shape, told
        if b.dtype.kind in "OUS":
            assert a.tolist() == b.tolist(), told
        else:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=told)


X, SQUARE, CHANNELS = f(1, 2, 4, 5), f(3, 4), [f(2, 3, 2, 2), f(3), f(3), f(3), np.abs(f(3))]
PLACES = [f(2, 3, 2, 2), f(3, 2, 2), f(3, 2, 2), f(3, 2, 2), np.abs(f(3, 2, 2))]
SCALES = np.array([1, 1, 1.5, 0.7], np.float32)


def test_forms_of_old_opsets_are_what_onnxruntime_computes() -> None:
    agree("Upsample", 7, [X], scales=[1.0, 1.0, 2.0, 3.0])
    agree("Upsample", 7, [X], scales=[1.0, 1.0, 2.0, 2.0], mode="linear")
    agree("Upsample", 9, [X, SCALES.clip(1)], (FLOAT,), (1,))
    for mode in ("nearest", "linear"):
        agree("Resize", 10, [X, SCALES], (FLOAT,), (1,), mode=mode)
    for pads, mode in itertools.product(([1, 0, 0, 2], [-1, 1, 0, -2]), ("constant", "edge")):
        agree("Pad", 2, [SQUARE], pads=pads, mode=mode, value=1.5)
    agree("Slice", 1, [SQUARE], starts=[0, 1], ends=[2, 100], axes=[0, 1])
    agree("Slice", 1, [SQUARE], starts=[-2], ends=[-1])
    for limits in ({}, {"min": -0.3}, {"min": -0.3, "max": 0.5}):
        agree("Clip", 6, [SQUARE], **limits)
    for name, options in itertools.product(("Sum", "Mean", "Max", "L2", "LogSumExp"), ({}, {"axes": [-1], "keepdims": 0})):
        agree(f"Reduce{name}", 11, [f(2, 3, 4)], **options)
    agree("BatchNormalization", 7, CHANNELS, epsilon=1e-3)
    agree("BatchNormalization", 7, PLACES, spatial=0)
    agree("BatchNormalization", 15, CHANNELS, (FLOAT,) * 3, training_mode=1, momentum=0.3)
    agree("Dropout", 7, [SQUARE], ratio=0.3)
    agree("PRelu", 7, [f(2, 3, 4), f(3, 1)])
    for axis in (0, 1, 2):
        for name in ("Softmax", "LogSoftmax", "Hardmax"):
            agree(name, 11, [f(2, 3, 4)], axis=axis)
    agree("Split", 2, [SQUARE], (FLOAT, FLOAT), axis=1, split=[1, 3])
    agree("TopK", 1, [SQUARE], (FLOAT, INT), k=2, axis=1)
    agree("MaxPool", 8, [X], (FLOAT, INT), kernel_shape=[2, 2], storage_order=1)
    agree("ConvTranspose", 1, [X, f(2, 3, 3, 3)], strides=[2, 2], auto_pad="SAME_LOWER", output_shape=[7, 9])
    agree("ImageScaler", 1, [X], scale=2.0, bias=[1.0, 2.0])
    agree("Crop", 1, [X], border=[1, 0, 2, 1])
    agree("Crop", 1, [X], border=[1, 1, 0, 0], scale=[2, 3])


def test_operands_are_lined_up_by_the_axis_of_opset_6() -> None:
    a, b = np.abs(f(2, 3, 4, 5)), np.abs(f(3, 4))
    for name, function in {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}.items():
        np.testing.assert_allclose(run(name, 6, [a, b], broadcast=1, axis=1)[0][0], function(a, b[:, :, None]), rtol=1e-6)
        np.testing.assert_allclose(run(name, 6, [a, b], broadcast=1, axis=-3)[0][0], function(a, b[:, :, None]), rtol=1e-6)
    np.testing.assert_allclose(run("Pow", 1, [a, f(2)], broadcast=1, axis=0)[0][0].shape, a.shape)
    assert (run("Greater", 1, [a, b], (TensorProto.BOOL,), broadcast=1, axis=1)[0][0] == (a > b[:, :, None])).all()
    left, right, more = f(3, 2), f(4, 3), f(4)
    found = run("Gemm", 6, [left, right, more], transA=1, transB=1, alpha=0.5, beta=2.0, broadcast=1)[0][0]
    np.testing.assert_allclose(found, 0.5 * left.T @ right.T + 2 * more, rtol=1e-5)
    np.testing.assert_array_equal(run("Dropout", 6, [a], is_test=1, ratio=0.4)[0][0], a)
    np.testing.assert_allclose(
        run("BatchNormalization", 6, CHANNELS, is_test=1)[0][0], run("BatchNormalization", 7, CHANNELS)[0][0], rtol=1e-6
    )


def test_recurrent_layers_with_every_attribute_are_what_onnxruntime_computes() -> None:
    unusual = {"LSTM": ["HardSigmoid", "LeakyRelu", "Softsign"], "GRU": ["HardSigmoid", "LeakyRelu"], "RNN": ["LeakyRelu"]}
    lengths = np.array([5, 2, 4], np.int32)
    for op_type, gates in {"LSTM": 4, "GRU": 3, "RNN": 1}.items():
        extras: list[dict[str, Any]] = [{}, {"clip": 0.4}, {"activations": unusual[op_type]}]
        extras += [{"input_forget": 1}, {"peepholes": True}] if op_type == "LSTM" else []
        extras += [{"linear_before_reset": 1}] if op_type == "GRU" else []
        for extra, direction, ends in itertools.product(extras, ("reverse", "bidirectional"), (None, lengths)):
            n, attributes = (2 if direction == "bidirectional" else 1), dict(extra)
            states = [f(n, 3, 2) for _ in range(2 if op_type == "LSTM" else 1)]
            peepholes = [f(n, 6)] if attributes.pop("peepholes", False) else []
            if "activations" in attributes:
                attributes.update(activations=attributes["activations"] * n, activation_alpha=[0.3, 0.05][-gates:] * n)
            inputs = [f(5, 3, 4), f(n, gates * 2, 4), f(n, gates * 2, 2), f(n, gates * 4), ends, *states, *peepholes]
            agree(op_type, 7, inputs, (FLOAT,) * (1 + len(states)), hidden_size=2, direction=direction, **attributes)


def ml(op_type: str, opset: int, inputs: list[Any], kinds: tuple[int, ...] = (FLOAT,), **attributes: Any) -> None:
    agree(op_type, opset, inputs, kinds, (), "ai.onnx.ml", **attributes)


def texts(*items: str) -> np.ndarray:
    return np.array(items, object)


def test_what_prepares_inputs_is_what_onnxruntime_computes() -> None:
    x, missing = f(5, 3), np.array([[1, np.nan, 3], [np.nan, 2, 1]], np.float32)
    for norm, rows in itertools.product(("MAX", "L1", "L2"), (x, -np.abs(x), 0 * x, f(4))):
        ml("Normalizer", 1, [rows], norm=norm)
    ml("Scaler", 1, [x], offset=[0.1, 0.2, 0.3], scale=[2.0, 3.0, 4.0])
    ml("Scaler", 1, [np.arange(6).reshape(2, 3)], offset=[0.1], scale=[2.0])
    ml("Binarizer", 1, [x], threshold=0.2)
    for values in ([7.0], [7.0, 8.0, 9.0]):
        ml("Imputer", 1, [missing], imputed_value_floats=values, replaced_value_float=float("nan"))
    ml("ArrayFeatureExtractor", 1, [x, np.array([2, 0])])
    ml("ArrayFeatureExtractor", 1, [f(4), np.array([[2, 0]])])
    ml("ArrayFeatureExtractor", 1, [np.array([["a", "b"], ["c", "d"]], object), np.array([1])], (TEXT,))
    ml("FeatureVectorizer", 1, [x, f(5, 2)], inputdimensions=[3, 2])
    ml("FeatureVectorizer", 1, [x, f(5, 2)], inputdimensions=[2, 3])
    ml("OneHotEncoder", 1, [np.array([[1, 2], [3, 9]])], cats_int64s=[1, 2, 3])
    ml("OneHotEncoder", 1, [texts("a", "z")], cats_strings=["a", "b"])
    ml("LabelEncoder", 1, [texts("a", "q", "z")], (INT,), classes_strings=["q", "a"])
    ml("LabelEncoder", 1, [np.array([1, 0, 5])], (TEXT,), classes_strings=["q", "a"], default_string="no")
    ml("LabelEncoder", 2, [texts("a", "q")], (INT,), keys_strings=["a", "b"], values_int64s=[4, 5], default_int64=-7)
    ml("LabelEncoder", 2, [np.array([4, 9])], (TEXT,), keys_int64s=[4, 5], values_strings=["a", "b"])
    ml("CategoryMapper", 1, [texts("a", "q")], (INT,), cats_strings=["a", "b"], cats_int64s=[3, 4], default_int64=-5)
    ml("CategoryMapper", 1, [np.array([3, 7])], (TEXT,), cats_strings=["a", "b"], cats_int64s=[3, 4], default_string="?")


def test_linear_models_and_support_vectors_are_what_onnxruntime_computes() -> None:
    x, chances = f(5, 3), RNG.uniform(0, 0.1, (5, 3)).astype(np.float32)
    weights = {"coefficients": [0.1, 0.2, 0.3, -0.1, 0.4, 0.2, 0.5, 0.1, -0.3], "intercepts": [0.1, 0.2, 0.3]}
    for how in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        ml("LinearClassifier", 1, [x], (INT, FLOAT), **weights, classlabels_ints=[3, 5, 9], post_transform=how)
        ml("LinearClassifier", 1, [x], (TEXT, FLOAT), **weights, classlabels_strings=["a", "b", "c"], post_transform=how)
        ml("LinearRegressor", 1, [x], **weights, targets=3, post_transform=how)
    ml("LinearRegressor", 1, [chances], coefficients=[0.1, 0.2, 0.3], intercepts=[0.1], post_transform="PROBIT")
    ml("LinearRegressor", 1, [0 * x], coefficients=[0.1] * 9, targets=3, post_transform="SOFTMAX_ZERO")
    vectors = {"support_vectors": f(6, 3).ravel().tolist(), "kernel_params": [0.5, 0.1, 3.0], "rho": [0.3, 0.1, -0.2]}
    three = {**vectors, "coefficients": f(2, 6).ravel().tolist(), "vectors_per_class": [2, 2, 2], "classlabels_ints": [3, 4, 5]}
    one = {**vectors, "rho": [0.3], "coefficients": f(6).tolist(), "n_supports": 6}
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        ml("SVMClassifier", 1, [x], (INT, FLOAT), **three, kernel_type=kernel)
        chance = {"prob_a": [-0.5, -0.3, -0.2], "prob_b": [0.1, 0.2, 0.3]}
        ml("SVMClassifier", 1, [x], (INT, FLOAT), **three, **chance, kernel_type=kernel)
        for one_class in (0, 1):
            ml("SVMRegressor", 1, [x], **one, kernel_type=kernel, one_class=one_class)


def test_trees_are_what_onnxruntime_computes() -> None:
    x = f(20, 3)
    x[0, 0] = np.nan
    array = lambda *values, dtype=np.float32: numpy_helper.from_array(np.array(values, dtype))
    shape: dict[str, Any] = {
        "nodes_treeids": [0] * 5 + [1] * 3,
        "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
        "nodes_featureids": [0, 1, 0, 0, 0, 2, 0, 0],
        "nodes_values": [0.1, -0.2, 0.0, 0.0, 0.0, 0.3, 0.0, 0.0],
        "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0],
        "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
        "nodes_missing_value_tracks_true": [1] + [0] * 7,
    }
    leaves = {"treeids": [0, 0, 0, 1, 1], "nodeids": [2, 3, 4, 1, 2], "weights": [0.4, -0.2, 0.3, 0.15, -0.5]}
    for mode, total in itertools.product(("LEQ", "LT", "GT", "GTE", "EQ", "NEQ"), ("SUM", "AVERAGE", "MIN", "MAX")):
        kinds = [f"BRANCH_{mode}" if i in (0, 1, 5) else "LEAF" for i in range(8)]
        targets = {f"target_{name}": values for name, values in {**leaves, "ids": [0, 1, 0, 1, 0]}.items()}
        ml("TreeEnsembleRegressor", 3, [x], **shape, **targets, nodes_modes=kinds, n_targets=2, aggregate_function=total)
    kinds = ["BRANCH_LEQ" if i in (0, 1, 5) else "LEAF" for i in range(8)]
    for how in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        classes = {f"class_{name}": values for name, values in {**leaves, "ids": [0, 1, 2, 1, 0]}.items()}
        more = {"nodes_modes": kinds, "base_values": [0.1, 0.2, 0.05], "post_transform": how}
        ml("TreeEnsembleClassifier", 3, [x], (INT, FLOAT), **shape, **classes, **more, classlabels_int64s=[3, 4, 5])
    newer: dict[str, Any] = {
        "tree_roots": [0, 2],
        "nodes_featureids": [0, 1, 2],
        "nodes_splits": array(0.1, -0.2, 0.3),
        "nodes_modes": array(0, 1, 2, dtype=np.uint8),
        "nodes_truenodeids": [1, 0, 3],
        "nodes_trueleafs": [0, 1, 1],
        "nodes_falsenodeids": [2, 1, 4],
        "nodes_falseleafs": [1, 1, 1],
        "leaf_targetids": [0, 1, 0, 1, 0],
        "leaf_weights": array(0.1, 0.2, 0.3, 0.15, 0.05),
        "nodes_missing_value_tracks_true": [1, 0, 0],
    }
    for total, how in itertools.product(
        range(4), (0, 3)
    ):  # onnxruntime has the numbers of SOFTMAX and LOGISTIC the wrong way round
        ml("TreeEnsemble", 5, [x], **newer, n_targets=2, aggregate_function=total, post_transform=how)
