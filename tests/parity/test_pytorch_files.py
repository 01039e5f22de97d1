"""What `torch.save` wrote is read, in today's format and the old one, and nothing in a file runs."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import SerializationError

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

FORMATS = [pytest.param(True, id="zip"), pytest.param(False, id="legacy")]


def _model(library: Any) -> Any:
    nn = library.nn
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize("zipped", FORMATS)
def test_a_checkpoint_goes_on_training_here(tmp_path: Path, zipped: bool) -> None:
    torch.manual_seed(0)
    theirs = _model(torch)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    x = np.random.default_rng(0).standard_normal((5, 3, 4, 4)).astype("float32")

    def step(model: Any, optimizer: Any, images: Any) -> float:
        optimizer.zero_grad()
        loss = (model(images) ** 2).mean()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    step(theirs, optimizer, torch.tensor(x))
    checkpoint = {"epoch": 3, "arch": "net", "best": np.float64(0.25), "state_dict": theirs.state_dict()}
    torch.save({**checkpoint, "optimizer": optimizer.state_dict()}, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    loaded = fz.load(tmp_path / "c.pth", map_location="cpu", weights_only=True)
    assert (loaded["epoch"], loaded["arch"], loaded["best"]) == (3, "net", 0.25)
    ours = _model(fz)
    ours.load_state_dict(loaded["state_dict"])
    our_optimizer = fz.optim.Adam(ours.parameters(), lr=0.5)
    our_optimizer.load_state_dict(loaded["optimizer"])
    for _ in range(3):
        assert step(ours, our_optimizer, fz.tensor(x)) == pytest.approx(step(theirs, optimizer, torch.tensor(x)), rel=1e-4)


@pytest.mark.parametrize("zipped", FORMATS)
def test_tensors_of_all_kinds(tmp_path: Path, zipped: bool) -> None:
    base = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    things: dict[str, Any] = {
        str(dtype): torch.tensor([0, 1, 3]).to(dtype)
        for dtype in (torch.float16, torch.float32, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool)
    }
    things |= {"view": base[:, 1, ::2], "turned": base.permute(2, 0, 1), "number": torch.tensor(2.5), "empty": torch.ones(0, 3)}
    things |= {"complex": torch.tensor([1 + 2j]), "leaf": torch.ones(2, requires_grad=True), "base": base}
    torch.save(things, tmp_path / "t.pt", _use_new_zipfile_serialization=zipped)
    loaded = fz.load(tmp_path / "t.pt")
    assert list(loaded) == list(things)
    for name, theirs in things.items():
        ours = loaded[name]
        assert str(ours.dtype) == str(theirs.dtype).replace("torch", "frazil") and ours.requires_grad == theirs.requires_grad
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


@pytest.mark.parametrize("zipped", FORMATS)
def test_bfloat16_travels_both_ways(tmp_path: Path, zipped: bool) -> None:
    theirs = torch.tensor([1.5, -3.140625, 1e30]).to(torch.bfloat16)
    torch.save([theirs], tmp_path / "b.pt", _use_new_zipfile_serialization=zipped)
    (ours,) = fz.load(tmp_path / "b.pt")
    assert ours.dtype is fz.bfloat16 and ours.tolist() == theirs.tolist()
    fz.save([ours], tmp_path / "o.pt")
    assert torch.equal(torch.load(tmp_path / "o.pt")[0], theirs)


def test_containers_parameters_and_sizes(tmp_path: Path) -> None:
    things = [
        torch.nn.Parameter(torch.ones(2)),
        torch.Size([2, 3]),
        torch.device("cpu"),
        torch.float16,
        OrderedDict(a=(1, None, "é", b"x", {2.5})),
    ]
    torch.save(things, tmp_path / "o.pt")
    loaded = fz.load(tmp_path / "o.pt")
    assert isinstance(loaded[0], fz.nn.Parameter) and loaded[0].requires_grad and loaded[0].tolist() == [1, 1]
    assert loaded[1:] == [fz.Size([2, 3]), fz.device("cpu"), fz.float16, OrderedDict(a=(1, None, "é", b"x", {2.5}))]


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("made-by-a-file",)


@pytest.mark.parametrize("zipped", FORMATS)
def test_nothing_in_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(2), "x": Evil()}, "e.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(SerializationError, match=r"e.pt contains a posix.mkdir; .*Save model.state_dict\(\)"):
        fz.load("e.pt", weights_only=False)
    assert os.listdir() == ["e.pt"]


def test_a_whole_model_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "m.pt")
    with pytest.raises(SerializationError, match=r"contains a torch.nn.modules.linear.Linear; .*Save model.state_dict\(\)"):
        fz.load(tmp_path / "m.pt")


@pytest.mark.parametrize("zipped", FORMATS)
def test_damaged_files_are_told(tmp_path: Path, zipped: bool) -> None:
    """Whatever is cut off or overwritten: an error in words, or the tensors with other numbers; never a crash."""
    buffer = io.BytesIO()
    torch.save({"w": torch.arange(300.0)}, buffer, _use_new_zipfile_serialization=zipped)
    content = buffer.getvalue()
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(150):
        damaged = bytearray(content)
        if i % 2:
            damaged = damaged[: rng.integers(4, len(content))]
        else:
            damaged[int(rng.integers(4, len(content)))] ^= int(rng.integers(1, 256))
        try:
            loaded = fz.load(io.BytesIO(bytes(damaged)))
        except SerializationError:
            refused += 1
        else:
            assert isinstance(loaded, dict)
    assert refused > 75


def test_where_tensors_go(tmp_path: Path) -> None:
    torch.save(torch.ones(2), tmp_path / "a.pt")
    assert fz.load(tmp_path / "a.pt", map_location=lambda t, saved: t * 2 if saved == "cpu" else t).tolist() == [2, 2]
    with pytest.raises(KeyError, match="^'cpu'$"):  # a mistake of the caller is told as it is
        fz.load(tmp_path / "a.pt", map_location=lambda t, saved: {}[saved])


def test_a_tensor_outside_of_its_numbers_is_refused(tmp_path: Path) -> None:
    torch.save(torch.arange(4.0), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive, zipfile.ZipFile(tmp_path / "b.pt", "w") as changed:
        for entry in archive.namelist():
            data = archive.read(entry)
            if entry.endswith("data.pkl"):
                assert data.count(b"K\x04\x85") == 1  # the size: (4,)
                data = data.replace(b"K\x04\x85", b"K\x05\x85")
            changed.writestr(entry, data)
    with pytest.raises(SerializationError, match="a tensor lies outside of its numbers"):
        fz.load(tmp_path / "b.pt")
    with pytest.raises(SerializationError, match="damaged"):
        fz.load(io.BytesIO(b"PK\x03\x04" + pickle.dumps(1)))


def test_what_we_save_pytorch_reads(tmp_path: Path) -> None:
    base = fz.arange(24.0).reshape(2, 3, 4)
    model = fz.nn.Sequential(fz.nn.Linear(3, 4), fz.nn.BatchNorm1d(4))
    things: dict[Any, Any] = {str(dtype): fz.tensor([0, 1, 3]).to(dtype) for dtype in fz.dtypes.ALL.values()}
    things |= {"base": base, "view": base[:, 1, ::2], "turned": base.permute(2, 0, 1), "number": fz.tensor(2.5)}
    things |= {"empty": fz.ones(0, 3), "expanded": fz.ones(1).expand(3, 4), "leaf": fz.ones(2, requires_grad=True)}
    things |= {"parameter": model[0].weight, "again": model[0].weight, "state": model.state_dict()}
    things |= {
        "values": [1, -(2**70), 2.5, None, True, "é", b"x\xff", 2 - 3j, (), {}, {1, "a"}, OrderedDict(a=(1,))],
        5: {None: 1},
    }
    fz.save(things, tmp_path / "t.pt")
    read = torch.load(tmp_path / "t.pt", weights_only=True)
    assert list(read) == list(things) and read["values"] == things["values"] and read[5] == things[5]
    for name, ours in things.items():
        if isinstance(ours, fz.Tensor):
            theirs = read[name]
            assert str(theirs.dtype).replace("torch", "frazil") == str(ours.dtype) and theirs.requires_grad == ours.requires_grad
            assert theirs.tolist() == ours.tolist()
    assert read["view"].stride() == things["view"].stride() == (12, 2) and read["expanded"].stride() == (0, 0)
    assert read["base"].untyped_storage().data_ptr() == read["view"].untyped_storage().data_ptr()
    assert isinstance(read["parameter"], torch.nn.Parameter) and read["parameter"] is read["again"]
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    theirs.load_state_dict(read["state"])
    assert read["state"]._metadata["1"] == {"version": 2}
    assert torch.load(tmp_path / "t.pt", mmap=True)["base"].tolist() == base.tolist()


def _options() -> dict[str, Any]:
    arrays = [
        np.arange(6.0, dtype="f4").reshape(2, 3),
        np.array([True, False]),
        np.zeros((0, 3)),
        np.asfortranarray(np.ones((2, 3))),
    ]
    arrays += [np.array(2.5), np.array(3 + 1j), np.array([1, 2], np.uint8), np.arange(4, dtype=">i4")[::2]]
    numbers = [np.float64(0.5), np.int64(-3), np.float32(1.5), np.bool_(True), np.uint8(9)]
    seen = defaultdict(list, {"loss": [1.0, 2.0]})
    return {
        "args": argparse.Namespace(lr=0.1, dims=(1, 2), name=None),
        "arrays": arrays,
        "numbers": numbers,
        "seen": seen,
        "no": b"",
    }


def _assert_options(read: Any) -> None:
    ours = _options()
    assert type(read["args"]) is argparse.Namespace and read["args"] == ours["args"] and read["no"] == b""
    assert type(read["seen"]) is defaultdict and read["seen"] == ours["seen"] and read["seen"]["new"] == []
    for kind in ("arrays", "numbers"):
        for theirs, value in zip(read[kind], ours[kind], strict=True):
            np.testing.assert_array_equal(theirs, value)
            assert type(theirs) is type(value) and np.dtype(theirs.dtype).newbyteorder("=") == value.dtype.newbyteorder("=")


def test_options_and_arrays_of_numpy_travel_both_ways(tmp_path: Path) -> None:
    fz.save(_options(), tmp_path / "o.pt")
    _assert_options(fz.load(tmp_path / "o.pt"))
    _assert_options(torch.load(tmp_path / "o.pt", weights_only=False))
    for protocol in (2, 4):
        torch.save(_options(), tmp_path / "p.pt", pickle_protocol=protocol)
        _assert_options(fz.load(tmp_path / "p.pt"))
    fz.save(_options(), tmp_path / "o.safetensors")
    assert fz.load(tmp_path / "o.safetensors")["args"] == _options()["args"]


@pytest.mark.parametrize(
    "state",
    [
        ("wrong",),
        (1, (2,), np.dtype("f4"), False, b"1234"),
        (1, (2**40, 2**40), np.dtype("f4"), False, b""),
        (1, (-1,), np.dtype("f4"), False, b""),
        (1, (1,), np.dtype("O"), False, b"12345678"),
        (1, (1,), np.dtype("f4"), 1, b"1234"),
    ],
)
def test_an_array_of_numpy_that_is_described_wrongly_is_refused(tmp_path: Path, state: Any) -> None:
    class Forged:
        def __reduce__(self) -> Any:
            return np.ones(2).__reduce__()[0], (np.ndarray, (0,), b"b"), state

    torch.save([Forged()], tmp_path / "f.pt")
    with pytest.raises(SerializationError, match="damaged"):
        fz.load(tmp_path / "f.pt")


def test_a_namespace_takes_names_only(tmp_path: Path) -> None:
    class Forged:
        def __reduce__(self) -> Any:
            return argparse.Namespace, (), {"__class__": 1}

    torch.save([Forged()], tmp_path / "f.pt")
    with pytest.raises(SerializationError, match="__class__"):
        fz.load(tmp_path / "f.pt")


def test_tensors_that_share_memory_share_it_here_too(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    torch.save({"base": base, "view": base[2:4]}, tmp_path / "s.pt")
    loaded = fz.load(tmp_path / "s.pt")
    loaded["base"][2] = 9
    assert loaded["view"].tolist() == [9, 3]
