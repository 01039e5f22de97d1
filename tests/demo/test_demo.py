"""`frazil demo`: what it writes and prints, and how it speaks of mistakes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import frazil as fz
from frazil.plugins import digits
from frazil.plugins.commands import demo, main
from frazil.plugins.digits import picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two epochs leave behind."""
    out = tmp_path_factory.mktemp("demo") / "made" / "by the demo"
    assert main(["demo", "--epochs", "2", "--out", str(out), "--backend", "numpy"]) == 0
    return out


def results(text: str) -> dict[str, float]:
    return {row["result"]: row["number"] for row in json.loads(text)}


def number(rows: dict[str, float], words: str) -> float:
    """The value of the one row that has `words` in its name."""
    (value,) = (value for name, value in rows.items() if words in name)
    return value


# What it makes.


def test_it_writes_a_model_and_a_picture(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["digits.onnx", "digits.png"]
    assert (folder / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_takes_any_number_of_images(folder):
    model = onnx.load(folder / "digits.onnx")
    onnx.checker.check_model(model, full_check=True)
    (taken,), (given,) = model.graph.input, model.graph.output
    assert (taken.name, given.name) == ("images", "scores")
    shapes = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (taken, given)]
    assert shapes == [["batch", 1, 8, 8], ["batch", 10]]
    _, held_out = digits.load()
    one, many = (demo.classify_with_onnxruntime(folder / "digits.onnx", held_out.images[:n]) for n in (1, 500))
    np.testing.assert_allclose(one[0], many[0], rtol=1e-4, atol=1e-5)


def test_the_table(tmp_path, capsys):
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path), "--json"]) == 0
    rows = results(capsys.readouterr().out)
    assert number(rows, "the two differ") == 0
    assert 0 < number(rows, "largest difference") < 1e-4
    assert number(rows, "size of digits.onnx") == (tmp_path / "digits.onnx").stat().st_size
    assert number(rows, "eager on cpu") == number(rows, "correctly, onnxruntime")
    phases = [
        "load the images",
        "train for 1 epoch",
        "classify eagerly",
        "freeze",
        "export and verify",
        "classify in onnxruntime",
    ]
    assert [name for name in rows if name.startswith("time to ")] == [
        f"time to {phase}" for phase in (*phases, "draw the picture")
    ]


def test_a_pipe_gets_one_plain_table_and_no_progress_bar(tmp_path, capsys):
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.out.isascii() and not printed.err
    table, _, notes = printed.out.partition("\n\n")
    assert table.splitlines()[0].split() == ["result", "value"]
    assert notes == f"wrote {tmp_path / 'digits.onnx'} and {tmp_path / 'digits.png'}\n"


def test_the_default_dtype_does_not_matter(tmp_path, capsys):
    fz.set_default_dtype(fz.float64)
    try:
        assert main(["demo", "--epochs", "1", "--out", str(tmp_path), "--json"]) == 0
    finally:
        fz.set_default_dtype(fz.float32)
    assert number(results(capsys.readouterr().out), "the two differ") == 0


def test_the_same_seed_gives_the_same_file(tmp_path):
    files = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main(["demo", "--epochs", "1", "--out", str(tmp_path / name), "--seed", seed]) == 0
        files.append((tmp_path / name / "digits.onnx").read_bytes())
    assert files[0] == files[1] != files[2]


@pytest.mark.slow
def test_the_whole_demo_reads_97_of_100_held_out_images(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--json"]) == 0
    rows = results(capsys.readouterr().out)
    assert number(rows, "the two differ") == 0
    assert number(rows, "eager on cpu") == number(rows, "correctly, onnxruntime") >= 0.97


# What can go wrong.


def test_images_that_onnxruntime_reads_differently_are_a_failure(tmp_path, monkeypatch, capsys):
    right = demo.classify_with_onnxruntime
    monkeypatch.setattr(demo, "classify_with_onnxruntime", lambda file, images: np.roll(right(file, images), 1, axis=1))
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path), "--json"]) == 1
    assert number(results(capsys.readouterr().out), "the two differ") == 500


def test_without_matplotlib_it_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "there is no matplotlib to draw digits.png with: pip install matplotlib"
    assert [path.name for path in tmp_path.iterdir()] == ["digits.onnx"]


@pytest.mark.parametrize("epochs", ["0", "-1", "2.5", "many"])
def test_epochs_that_are_no_number_of_epochs(epochs, capsys):
    assert main(["demo", f"--epochs={epochs}"]) == 2
    message = f"frazil demo: error: argument --epochs: takes a whole number of at least 1, given {epochs!r}"
    assert capsys.readouterr().err.splitlines()[-1] == message


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(demo, "train", lambda *_: pytest.fail("it trained"))
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    message = f"frazil: demo: cannot write to {str(tmp_path / 'file')!r}: File exists; name another folder with --out"
    assert capsys.readouterr().err.strip() == message


def test_an_unknown_backend(capsys):
    assert main(["demo", "--backend", "nunpy"]) == 2
    assert capsys.readouterr().err.strip() == "frazil: there is no backend 'nunpy'; did you mean 'numpy'?"


@pytest.mark.parametrize("mistakes", [0, 1, 500])
def test_the_picture_of_any_number_of_mistakes(tmp_path, mistakes):
    _, held_out = digits.load()
    predictions = held_out.labels.copy()
    predictions[:mistakes] = (predictions[:mistakes] + 1) % 10
    picture.draw(tmp_path / "digits.png", [2.3, 1.0], held_out, predictions)
    assert (tmp_path / "digits.png").stat().st_size > 10_000
