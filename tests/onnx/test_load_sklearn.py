"""Files that skl2onnx makes of scikit-learn's models: what `fz.onnx.load` gives is what onnxruntime gives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

import frazil as fz

pytestmark = pytest.mark.parity
skl2onnx = pytest.importorskip("skl2onnx", reason="makes the files: pip install skl2onnx")


def _data(classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 5)).astype(np.float32)
    score = x[:, 0] + x[:, 1] * x[:, 2]
    return x, score if not classes else np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))


def _models() -> dict[str, tuple[Callable[[], Any], int]]:
    """Name -> what makes the model, and how many classes it tells apart (0: it gives numbers)."""
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree

    piped = lambda *steps: lambda: pipeline.make_pipeline(*(step() for step in steps))
    return {
        "linear": (linear_model.LinearRegression, 0),
        "ridge": (linear_model.Ridge, 0),
        "logistic": (linear_model.LogisticRegression, 2),
        "logistic of three": (linear_model.LogisticRegression, 3),
        "SVC": (lambda: svm.SVC(kernel="rbf"), 3),
        "SVC of two, polynomial": (lambda: svm.SVC(kernel="poly"), 2),
        "linear SVC": (svm.LinearSVC, 3),
        "SVR": (svm.SVR, 0),
        "tree": (lambda: tree.DecisionTreeClassifier(max_depth=4, random_state=0), 3),
        "random forest": (lambda: ensemble.RandomForestClassifier(8, random_state=0), 3),
        "random forest of numbers": (lambda: ensemble.RandomForestRegressor(8, random_state=0), 0),
        "gradient boosting": (lambda: ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0), 3),
        "gradient boosting of two": (lambda: ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0), 2),
        "gradient boosting of numbers": (lambda: ensemble.GradientBoostingRegressor(n_estimators=8, random_state=0), 0),
        "neighbours": (lambda: neighbors.KNeighborsClassifier(3), 3),
        "naive Bayes": (naive_bayes.GaussianNB, 3),
        "perceptron": (lambda: neural_network.MLPClassifier((8,), max_iter=30, random_state=0), 3),
        "scaled, logistic": (piped(preprocessing.StandardScaler, linear_model.LogisticRegression), 3),
        "scaled to a range, SVR": (piped(preprocessing.MinMaxScaler, svm.SVR), 0),
        "robustly scaled, forest": (
            piped(preprocessing.RobustScaler, lambda: ensemble.RandomForestClassifier(5, random_state=0)),
            2,
        ),
        "polynomials, normalised, ridge": (
            piped(preprocessing.PolynomialFeatures, preprocessing.Normalizer, linear_model.Ridge),
            0,
        ),
    }


@pytest.mark.parametrize("name", _models())
def test_it_gives_what_onnxruntime_gives(name: str) -> None:
    make, classes = _models()[name]
    x, y = _data(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make().fit(x, y)
        kind = skl2onnx.common.data_types.FloatTensorType([None, 5])
        proto = skl2onnx.convert_sklearn(model, initial_types=[("x", kind)], options=_options(model, classes))
    contents = proto.SerializeToString()
    expected = onnxruntime.InferenceSession(contents).run(None, {"x": x})
    loaded = fz.onnx.load(contents)
    with fz.no_grad():
        found = loaded(fz.tensor(x))
    for ours, theirs in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-5)


def _options(model: Any, classes: int) -> dict[int, dict[str, bool]] | None:
    """Probabilities as a tensor, where there are any: not a map per row."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return {id(last): {"zipmap": False}} if classes and type(last).__name__ != "LinearSVC" else None
