"""`fz.save` and `fz.load`."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import frazil as fz
from frazil import nn
from frazil.errors import SerializationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.safetensors"


def again(value: Any) -> Any:
    """`value` after a trip through a file."""
    file = io.BytesIO()
    fz.save(value, file)
    file.seek(0)
    return fz.load(file)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, fz.Tensor):
        return isinstance(b, fz.Tensor) and a.dtype is b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


# ----------------------------------------------------------------------------------------------------------------- structure


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -(2**70), 1.5, math.inf, -math.inf, math.nan, 2 - 3j, "text", "\0 ünï", b"\x00\xff",
        [], (), {}, [1, [2, (3, {"a": None})]], (1,), {1, 2}, frozenset({"a"}),
        {"a": 1, "b": {"c": (2,)}}, {1: "int", (2, "t"): "tuple", None: 3}, {"$tensor": "a key that looks like ours"},
        OrderedDict([("z", 1), ("a", 2)]), Counter({3: 2}),
        fz.float16, fz.device("cpu"), fz.Size([2, 3]),
        np.arange(6).reshape(2, 3), np.float32(2.5), np.array(["2"], "S1").view("uint8"), np.bool_(True),
        fz.ones(2, 3), fz.tensor(5), fz.zeros(0, 3), fz.tensor([True]), [fz.ones(1), {"deep": (fz.zeros(2),)}],
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_comes_back(value: Any) -> None:
    assert same(value, again(value))


@pytest.mark.parametrize("dtype", fz.dtypes.ALL.values(), ids=str)
def test_every_dtype_comes_back(dtype: Any) -> None:
    values = fz.tensor([0, 1, 3]).to(dtype)
    assert same(values, again(values))


def test_a_tensor_that_is_not_contiguous_comes_back() -> None:
    assert again(fz.arange(6).reshape(2, 3).t()).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_parameters_and_gradient_flags_come_back() -> None:
    loaded = again(
        {"p": nn.Parameter(fz.ones(2)), "q": nn.Parameter(fz.ones(2), requires_grad=False), "t": fz.ones(1, requires_grad=True)}
    )
    assert isinstance(loaded["p"], nn.Parameter) and loaded["p"].requires_grad
    assert isinstance(loaded["q"], nn.Parameter) and not loaded["q"].requires_grad
    assert loaded["t"].requires_grad and loaded["t"].is_leaf and type(loaded["t"]) is fz.Tensor
    result = again(fz.ones(1, requires_grad=True) * 2)  # a leaf now, as in PyTorch
    assert result.requires_grad and result.is_leaf


def test_what_is_the_same_memory_is_stored_once_and_shared_again(path: Path) -> None:
    weight = nn.Parameter(fz.ones(1000))
    view = weight.detach()
    fz.save({"a": weight, "b": weight, "c": view, "copy": view.clone()}, path)
    assert 8000 < path.stat().st_size < 10_000
    loaded = fz.load(path)
    assert loaded["a"] is loaded["b"]
    loaded["c"][0] = 5
    assert (loaded["a"][0].item(), loaded["copy"][0].item()) == (5, 1)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
@pytest.mark.parametrize("base_first", [True, False])
def test_views_of_a_tensor_that_is_saved_with_them_share_its_memory_again(base_first: bool, ending: str, tmp_path: Path) -> None:
    base, path = fz.arange(600.0).reshape(200, 3), tmp_path / f"views.{ending}"
    views: dict[str, Callable[[Any], Any]] = {
        "a row": lambda x: x[1],
        "a column": lambda x: x[:, 2],
        "every other row": lambda x: x[1::2],
        "turned": lambda x: x.T,
        "flat": lambda x: x.reshape(-1),
        "one number": lambda x: x[3, 1],
        "the same elements": lambda x: x.detach(),
        "a view of a view": lambda x: x[5:50].T[1:, ::3],
    }
    parts = {name: view(base) for name, view in views.items()}
    fz.save({"base": base, **parts} if base_first else {**parts, "base": base}, path)
    assert path.stat().st_size < 2 * 2400 + 2000
    loaded = fz.load(path)
    loaded["base"].mul_(-1)
    for name, view in views.items():
        assert same(loaded[name], view(-base)), name


def test_what_only_overlaps_or_is_a_part_of_what_is_not_saved_is_stored_by_itself(path: Path) -> None:
    whole = fz.arange(1000.0)
    given = {"begin": whole[:6], "end": whole[4:8], "spread": whole[:20].reshape(4, 5).T[1], "wide": whole[0].expand(8)}
    fz.save(given, path)
    assert path.stat().st_size < 2000
    assert same(fz.load(path), given)


def test_parameters_other_dtypes_and_arrays_among_the_views_of_a_tensor_come_back(path: Path) -> None:
    z, w = fz.tensor([[1 + 2j, 3j], [4, 5 - 1j]]), nn.Parameter(fz.arange(6.0))
    given = {"z": z, "row": z[1], "pairs": fz.view_as_real(z), "w": w, "part": w.detach()[2:4], "array": w.detach()[2:4].numpy()}
    fz.save(given, path)
    loaded = fz.load(path)
    assert same(loaded, given)
    with fz.no_grad():
        loaded["w"][2], loaded["z"][1, 0] = 50.0, 7j
    assert loaded["part"][0].item() == 50.0 and loaded["row"][0].item() == 7j
    assert loaded["w"].is_leaf and loaded["part"].is_leaf and not loaded["part"].requires_grad


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ([3], [1], 2),
        ([2], [9], 0),
        ([-1], [1], 0),
        ([1], [1], -1),
        ([2], [-1], 1),
        ([10**9], [0], 0),
        ([2], [1, 1], 0),
        (["2"], [1], 0),
    ],
)
def test_a_forged_part_of_a_tensor_is_refused(size: list[Any], stride: list[Any], offset: int, path: Path) -> None:
    from frazil.serialization import _digest

    arrays = {"x": np.arange(4.0)}
    structure = json.dumps({"$view": "x", "size": size, "stride": stride, "offset": offset, "id": 0})
    metadata = {"frazil.format": "1", "frazil.structure": structure, "frazil.sha256": _digest(arrays, structure)}
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(SerializationError, match="damaged or not a safetensors file"):
        fz.load(path)


def test_tied_weights_of_a_model_stay_tied(path: Path) -> None:
    model = nn.Sequential(nn.Linear(30, 30, bias=False), nn.Linear(30, 30, bias=False))
    model[1].weight = model[0].weight
    fz.save(model.state_dict(), path)
    assert len(safetensors.numpy.load_file(path)) == 1
    state = fz.load(path)
    state["0.weight"][0, 0] = 42
    assert state["1.weight"][0, 0].item() == 42


def test_a_training_run_continues_where_it_was_saved(path: Path) -> None:
    def build() -> tuple[Any, Any, Any]:
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        optimizer = fz.optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, fz.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])

    def run(model: Any, optimizer: Any, scheduler: Any, steps: int) -> list[float]:
        x = fz.arange(15.0).reshape(5, 3) / 10
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        return losses

    first = build()
    run(*first, 3)
    names = ("model", "optimizer", "scheduler")
    fz.save({name: part.state_dict() for name, part in zip(names, first, strict=True)}, path)
    second = build()
    checkpoint = fz.load(path)
    for name, part in zip(names, second, strict=True):
        part.load_state_dict(checkpoint[name])
    assert run(*first, 4) == run(*second, 4)


def test_the_version_of_a_module_survives() -> None:
    state = again(nn.BatchNorm1d(2).state_dict())
    assert type(state).__name__ == "StateDict"
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="Missing key"):
        nn.BatchNorm1d(2).load_state_dict(state)


# -------------------------------------------------------------------------------------------------- other programs' files


def test_other_programs_read_our_tensors(path: Path) -> None:
    fz.save({"model": {"fc.weight": fz.ones(2, 3)}, "list": [fz.tensor([1, 2])]}, path)
    read = safetensors.numpy.load_file(path)
    assert {name: array.tolist() for name, array in read.items()} == {
        "model.fc.weight": [[1, 1, 1], [1, 1, 1]],
        "list.0": [1, 2],
    }


def test_we_read_other_programs_tensors(path: Path) -> None:
    safetensors.numpy.save_file({"b": np.ones((2, 2), "float16"), "a": np.arange(3)}, path, metadata={"format": "np"})
    loaded = fz.load(path)
    assert loaded["b"].dtype is fz.float16 and loaded["a"].tolist() == [0, 1, 2]
    loaded["a"][0] = 7  # not read-only


def test_bfloat16_of_other_programs_is_read(path: Path) -> None:
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + np.array([0x3F80, 0xC049], "<u2").tobytes())
    loaded = fz.load(path)["x"]
    assert loaded.dtype is fz.bfloat16 and loaded.tolist() == [1.0, -3.140625]


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_pairs_of_real_ones_to_others(path: Path, dtype: str) -> None:
    values = np.array([[1 + 2j, 3]], dtype)
    fz.save({"tensor": fz.tensor(values), "array": values, "scalar": values[0, 0], "empty": values[:0]}, path)
    assert safetensors.numpy.load_file(path)["array"].tolist() == [[[1, 2], [3, 0]]]
    loaded = fz.load(path)
    assert same(loaded["tensor"], fz.tensor(values)) and same(loaded["array"], values) and same(loaded["empty"], values[:0])
    assert type(loaded["scalar"]) is type(values[0, 0]) and loaded["scalar"] == 1 + 2j


def test_an_unknown_element_type_is_named(path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"ab")
    with pytest.raises(SerializationError, match="tensor 'x' .* has element type F8_E4M3"):
        fz.load(path)


# ---------------------------------------------------------------------------------------------------------------- bad things


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("echo this must never run",)


@pytest.mark.parametrize("damage", ["cut", "longer", "flip"])
def test_any_damage_is_noticed(damage: str) -> None:
    file = io.BytesIO()
    fz.save({"x": fz.arange(5), "lr": 0.5}, file)
    whole = file.getvalue()
    for i in range(len(whole)):
        if damage == "cut":
            content = whole[:i]
        elif damage == "longer":
            content = whole[:i] + b" " + whole[i:]
        else:
            content = whole[:i] + bytes([whole[i] ^ 0x10]) + whole[i + 1 :]
        try:
            loaded = fz.load(io.BytesIO(content))
        except SerializationError as error:
            assert "damaged" in str(error) or "update frazil" in str(error)
        else:  # white space between header and data is no damage
            assert same(loaded, {"x": fz.arange(5), "lr": 0.5}), (damage, i)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged: it is empty"),
        (b"hello world, this is text", "header too large"),
        (pickle.dumps(Evil(), protocol=4), "is a pickle, which could run any code"),
        (b"PK\x03\x04" + b"\0" * 50, "damaged or not a file of torch.save"),
        ((5).to_bytes(8, "little") + b"[1,2]", "damaged .* invalid JSON in header"),
        ((3).to_bytes(8, "little") + b"{a}", "damaged .* invalid JSON in header"),
        ((2).to_bytes(8, "little") + b"{}more", "file not fully covered"),
    ],
)
def test_what_is_not_our_file_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(SerializationError, match=message) as caught:
        fz.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        {"dtype": "F32", "shape": [1]},
        {"dtype": 3, "shape": [1], "data_offsets": [0, 4]},
        "text",
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(path: Path, entry: Any) -> None:
    header = json.dumps({"x": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"abcd")
    with pytest.raises(SerializationError, match="damaged or not a safetensors file: .* (tensor|header)"):
        fz.load(path)


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ('{"$call": "os.system"}', "unknown kind of value, '\\$call'"),
        ('{"$tensor": "gone", "id": 0}', "names tensor 'gone', which it does not contain"),
        ('{"$dtype": ["float5"]}', "float5"),
        ('{"$tensor": "gone"}', "malformed"),
        ('{"$complex": ["x", 1]}', "malformed"),
        ("[" * 100_000 + "]" * 100_000, "malformed"),
    ],
)
def test_a_forged_structure_runs_nothing(path: Path, structure: str, message: str) -> None:
    from frazil.serialization import _digest

    metadata = {"frazil.format": "1", "frazil.structure": structure, "frazil.sha256": _digest({}, structure)}
    safetensors.numpy.save_file({}, path, metadata)
    with pytest.raises(RuntimeError, match=message):
        fz.load(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {"b": lambda: 3}]}, r"cannot save a builtins.function at 'a.1.b'"),
        ({"model": {"x": object()}}, r"cannot save a builtins.object at 'model.x'"),
        ({(1, 2): {3}, "k": {1: Evil()}}, r"Evil at 'k.1'"),
        (open, "at the top"),
        (np.array(["text"]), "NumPy array of dtype <U4 at the top"),
    ],
)
def test_what_cannot_be_saved_is_named_by_its_place(path: Path, value: Any, message: str) -> None:
    with pytest.raises(SerializationError, match=message):
        fz.save(value, path)
    assert not path.exists() and not list(path.parent.iterdir())


def test_a_structure_that_contains_itself_is_refused(path: Path) -> None:
    circle: dict[str, Any] = {"a": []}
    circle["a"].append(circle)
    with pytest.raises(SerializationError, match="contains itself at 'a.0'"):
        fz.save(circle, path)
    shared = [1]
    assert again([shared, shared]) == [[1], [1]]


def test_a_crash_while_writing_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fz.save({"version": 1}, path)

    def crash(*_: Any) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk on fire"):
        fz.save({"version": 2, "x": fz.ones(1000)}, path)
    assert fz.load(path) == {"version": 1}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_permissions_are_those_of_an_ordinary_file(path: Path) -> None:
    fz.save(1, path)
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o600)
    fz.save(2, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_bad_file_leaves_the_model_as_it_was(path: Path) -> None:
    model = nn.Linear(2, 2)
    fz.save(model.state_dict(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    before = model.weight.tolist()
    with pytest.raises(SerializationError, match="its SHA-256 does not match its content"):
        model.load_state_dict(fz.load(path))
    assert model.weight.tolist() == before


# -------------------------------------------------------------------------------------------------------------------- where


def test_tensors_can_be_sent_elsewhere(path: Path) -> None:
    fz.save({"x": fz.ones(2)}, path)
    assert fz.load(path, map_location="cpu")["x"].device == fz.device("cpu")
    assert fz.load(path, map_location=fz.device("cpu"))["x"].tolist() == [1, 1]
    assert fz.load(path, map_location={"cpu": "cpu"})["x"].tolist() == [1, 1]
    assert fz.load(path, map_location=lambda tensor, device: tensor * 2 if device == "cpu" else None)["x"].tolist() == [2, 2]
    assert fz.load(path, map_location=lambda tensor, device: None)["x"].tolist() == [1, 1]


def test_a_device_that_is_missing_names_the_cure(path: Path) -> None:
    from frazil.serialization import _digest

    arrays = {"x": np.ones(1, "<f4")}
    structure = '{"$tensor":"x","id":0,"device":"nowhere"}'
    metadata = {"frazil.format": "1", "frazil.structure": structure, "frazil.sha256": _digest(arrays, structure)}
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(RuntimeError, match="nowhere") as caught:
        fz.load(path)
    assert "map_location='cpu'" in caught.value.__notes__[-1]
    assert fz.load(path, map_location="cpu").tolist() == [1]


def test_a_text_file_object_is_refused(path: Path) -> None:
    fz.save(1, path)
    with path.open(errors="replace") as file, pytest.raises(TypeError, match="opened in binary mode"):
        fz.load(file)
    with path.open("rb") as binary:
        assert fz.load(binary) == 1


def test_a_file_from_the_future_is_not_misread(path: Path) -> None:
    header = json.dumps({"__metadata__": {"frazil.format": "2", "frazil.structure": "1"}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(SerializationError, match="has format '2', this frazil reads '1': update frazil"):
        fz.load(path)


@pytest.mark.parametrize("name", ["loss.pt", "loss.safetensors"])
def test_a_result_that_requires_grad_is_read_as_a_leaf_that_does(name, tmp_path):
    loss = fz.ones(2, requires_grad=True).sum()
    fz.save({"loss": loss, "plain": loss.detach()}, tmp_path / name)
    found = fz.load(tmp_path / name)
    assert found["loss"].requires_grad and found["loss"].is_leaf and not found["plain"].requires_grad
