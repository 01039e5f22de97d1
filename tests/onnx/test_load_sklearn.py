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
        "SVC with probabilities": (lambda: svm.SVC(probability=True, random_state=0), 3),
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
    again = fz.onnx.export(loaded, fz.tensor(x[:7]))
    for ours, theirs in zip(again.run(x), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["OneHotEncoder", "OrdinalEncoder"])
def test_encoders_of_numbers_are_read_and_exported_again(encoder: str) -> None:
    from sklearn import preprocessing

    x = np.random.default_rng(0).integers(-2, 3, (50, 2))
    kind = skl2onnx.common.data_types.Int64TensorType([None, 2])
    model = getattr(preprocessing, encoder)().fit(x)
    contents = skl2onnx.convert_sklearn(model, initial_types=[("x", kind)]).SerializeToString()
    (expected,) = onnxruntime.InferenceSession(contents).run(None, {"x": x})
    loaded = fz.onnx.load(contents)
    np.testing.assert_array_equal(loaded(fz.tensor(x)).numpy(), expected)
    np.testing.assert_array_equal(fz.onnx.export(loaded, fz.tensor(x[:7])).run(x)[0], expected)


@pytest.mark.parametrize("names", [[0, 1, 2], ["low", "middle", "high"]])
def test_classifiers_give_dicts_as_onnxruntime_does(names: list[Any]) -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = _data(3)
    contents = skl2onnx.to_onnx(LogisticRegression().fit(x, np.array(names)[y]), x[:1]).SerializeToString()
    labels, dicts = onnxruntime.InferenceSession(contents).run(None, {"X": x})
    loaded = fz.onnx.load(contents)
    ours, shares = loaded(fz.tensor(x))
    assert list(np.asarray(ours)) == list(labels)
    assert [row.keys() for row in shares] == [row.keys() for row in dicts]
    for found, row in zip(shares, dicts, strict=True):
        assert [float(share) for share in found.values()] == pytest.approx(list(row.values()), rel=1e-5)
    with pytest.raises(fz.errors.RecordError, match="ZipMap gives a list of dicts|makes texts of numbers"):
        fz.onnx.export(loaded, fz.tensor(x))


def _options(model: Any, classes: int) -> dict[int, dict[str, bool]] | None:
    """Probabilities as a tensor, where there are any: not a map per row."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return {id(last): {"zipmap": False}} if classes and type(last).__name__ != "LinearSVC" else None
