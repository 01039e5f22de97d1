"""`SummaryWriter`: what it is told stands in the files that TensorBoard reads."""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz

tensorboardX = pytest.importorskip("tensorboardX", reason="it writes the files: pip install 'frazil[tensorboard]'")


def values(folder: Any) -> dict[str, tuple[int, Any]]:
    """Tag -> step and value of everything that the files of a folder hold; the sums over each record are right."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    found = {}
    for path in sorted(Path(folder).rglob("events.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            record = data[at + 12 : at + 12 + size]
            sums = struct.unpack_from("<I", data, at + 8) + struct.unpack_from("<I", data, at + 12 + size)
            assert sums == (masked_crc32c(data[at : at + 8]), masked_crc32c(record))
            event = Event.FromString(record)
            found.update({value.tag: (event.step, value) for value in event.summary.value})
            if event.graph_def:
                found["graph"] = (event.step, event.graph_def)
            at += size + 16
    return found


@pytest.fixture
def writer(tmp_path):
    from frazil.utils.tensorboard import SummaryWriter

    with SummaryWriter(log_dir=tmp_path) as writer:
        assert writer.log_dir == writer.get_logdir() == str(tmp_path)
        yield writer


def test_numbers_and_texts(writer, tmp_path):
    writer.add_scalar("loss", fz.tensor(1.5, requires_grad=True) * 1, 3, new_style=True)
    writer.add_scalar("half", fz.tensor(0.5, dtype=fz.bfloat16), 4)
    writer.add_scalars("both", {"a": fz.tensor(2), "b": 3.0}, 5)
    writer.add_text("note", "hello", 6)
    writer.close()
    found = values(tmp_path)
    assert {tag: (step, v.simple_value) for tag, (step, v) in found.items() if tag in ("loss", "half")} == {
        "loss": (3, 1.5),
        "half": (4, 0.5),
    }
    assert found["both"][0] == 5 and found["note/text_summary"][1].tensor.string_val == [b"hello"]


def test_pictures_and_distributions(writer, tmp_path):
    writer.add_histogram("weights", fz.arange(10).float(), 1)
    writer.add_image("one", fz.zeros(3, 4, 5), 2)
    writer.add_images("several", fz.zeros(2, 3, 4, 5), 2)
    writer.add_pr_curve("curve", fz.tensor([0, 1, 1]), fz.tensor([0.1, 0.9, 0.3]), 3)
    writer.add_embedding(fz.rand(4, 3), metadata=["a", "b", "c", "d"], tag="places")
    writer.close()
    found = values(tmp_path)
    assert found["weights"][1].histo.num == 10 and found["weights"][1].histo.sum == 45
    assert (found["one"][1].image.height, found["one"][1].image.width) == (4, 5)
    assert found["several"][1].image.width == 10 and found["curve"][1].tensor.float_val[0] == 2
    rows = np.loadtxt(next(tmp_path.rglob("tensors.tsv")))
    assert rows.shape == (4, 3)


def test_hyperparameters(writer, tmp_path):
    writer.add_hparams({"lr": 0.1, "deep": True, "n": fz.tensor(3)}, {"accuracy": fz.tensor(0.5)}, run_name="first")
    writer.close()
    assert values(tmp_path / "first")["accuracy"][1].simple_value == 0.5


def test_the_graph_of_a_model(writer, tmp_path, capsys):
    pytest.importorskip("onnx", reason="the graph is that of an ONNX file: pip install 'frazil[onnx]'")
    writer.add_graph(fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.ReLU()), fz.ones(1, 2))
    writer.close()
    assert capsys.readouterr().out == "" and b"Relu" in values(tmp_path)["graph"][1]


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.delitem(sys.modules, "frazil.utils.tensorboard", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'frazil\[tensorboard\]'"):
        importlib.import_module("frazil.utils.tensorboard")
