"""Whole modules in files: by the names of classes that who loads gives, and nothing of the file is run or imported."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import enum
import io
import json
from typing import Any

import pytest

import frazil as fz
from frazil import nn
from frazil.errors import SerializationError
from frazil.nn import functional as F
from frazil.serialization import _digest


@dataclasses.dataclass
class Options:
    width: int = 4
    names: tuple[str, ...] = ("a", "b")


def squared(x: Any) -> Any:
    return x * x


class Block(nn.Module):
    made = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        Block.made += 1
        self.options, self.act, self.own = options, F.gelu, squared
        self.inner = nn.Sequential(nn.Linear(4, options.width), nn.BatchNorm1d(options.width), nn.Dropout(0.5))
        self.again = self.inner[0]  # the same layer by another name
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.again.weight
        self.register_buffer("mean", fz.ones(4))
        self.register_buffer("scratch", fz.zeros(2), persistent=False)
        self.scale, self.shape, self.nothing = 0.1, (1, 2), None
        self.register_parameter("absent", None)

    def forward(self, x: Any) -> Any:
        return self.own(self.act(self.tied(self.again(self.inner(x))))) * self.scale + self.mean


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


def again(value: Any, **options: Any) -> Any:
    file = io.BytesIO()
    fz.save(value, file)
    file.seek(0)
    return fz.load(file, **options)


KNOWN = [Block, Options, squared]


def test_a_module_comes_back_whole_without_its_init():
    model = Block(Options())
    model(fz.randn(8, 4))  # running statistics
    model.eval()
    made = Block.made
    found = again({"model": model, "epoch": 3}, classes=KNOWN)["model"]
    assert Block.made == made and type(found) is Block and not found.training
    x = fz.randn(5, 4)
    fz.testing.assert_close(found(x), model(x))
    assert found.again is found.inner[0] and found.tied.weight is found.again.weight
    assert found.options == Options() and found.shape == (1, 2) and found.nothing is None
    assert found.act is F.gelu and found.own is squared
    assert list(found.state_dict()) == list(model.state_dict()) and "scratch" not in found.state_dict()
    assert [n for n, _ in found.named_parameters()] == [n for n, _ in model.named_parameters()]
    found(x).sum().backward()
    assert found.tied.weight.grad is not None
    found.register_forward_hook(lambda *_: None)  # it is like any other


def test_layers_of_frazil_need_no_names():
    layers = [
        nn.Sequential(nn.Conv2d(1, 2, 3, padding_mode="reflect"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation=F.gelu),
        nn.ModuleDict({"a": nn.Embedding(5, 2, padding_idx=1), "b": nn.ParameterList([nn.Parameter(fz.ones(2))])}),
        nn.MultiheadAttention(4, 2),
        nn.GRUCell(3, 4),
    ]
    for layer in layers:
        layer.eval()
        found = again(layer)
        assert repr(found) == repr(layer)
        for (name, a), (_, b) in zip(layer.state_dict().items(), found.state_dict().items(), strict=True):
            fz.testing.assert_close(a, b, msg=name)
    x = fz.randn(5, 1, 3)
    fz.testing.assert_close(again(layers[1])(x)[0], layers[1](x)[0])
    y = fz.randn(5, 1, 4)
    fz.testing.assert_close(again(layers[2])(y), layers[2](y))


def test_classes_are_named_by_who_loads():
    model = Block(Options())
    with pytest.raises(SerializationError, match=r"holds a Options \(of .*name what it may make.*classes=\[Options\]"):
        again(model)
    with pytest.raises(SerializationError, match=r"classes=\[squared\]"):
        again(model, classes=[Block, Options])
    with pytest.raises(fz.errors.ArgumentError, match="classes are classes"):
        again(model, classes=["Block"])

    class Moved(nn.Module):  # the script was another file when it was saved
        pass

    Moved.__name__ = "Block"
    assert type(again(model, classes=[Moved, Options, squared])) is Moved


def test_what_is_code_is_refused_by_its_place():
    model = nn.Sequential(nn.Linear(1, 1))
    handle = model[0].register_forward_hook(lambda *_: None)
    with pytest.raises(SerializationError, match=r"the Linear at '_modules.0' has hooks"):
        again(model)
    handle.remove()
    model[0].other = lambda x: x
    with pytest.raises(SerializationError, match=r"cannot save a builtins.function at '_modules.0.other'"):
        again(model)
    del model[0].other
    model[0].parent = [model]
    with pytest.raises(SerializationError, match="contains itself"):
        again(model)


def test_a_whole_module_under_a_name_of_pytorchs_is_in_frazils_own_format_and_says_so(tmp_path):
    model, path = Block(Options()), tmp_path / "m.pt"
    model.args, model.seen, model.kind = argparse.Namespace(lr=0.1), collections.defaultdict(list, {"a": [1]}), Block
    with pytest.warns(UserWarning, match=r"cannot hold a \S*Block at 'model' without code.*model.state_dict"):
        fz.save({"model": model, "epoch": 3}, path)
    with pytest.raises(SerializationError, match="or, where the program has imported it, weights_only=False"):
        fz.load(path)
    loaded = fz.load(path, classes=[Block, Options, squared])["model"]
    assert (loaded.args, loaded.seen, loaded.kind) == (model.args, model.seen, Block)
    assert loaded.seen["b"] == []


def test_what_the_caller_has_imported_or_called_safe_need_not_be_named_again(tmp_path):
    model = Outer()
    file = io.BytesIO()
    fz.save(model, file)

    def again(**options: Any) -> Any:
        file.seek(0)
        return fz.load(file, **options)

    x = fz.ones(2)
    assert (again(weights_only=False)(x) == model(x)).all()
    with fz.serialization.safe_globals([Outer]):
        assert fz.serialization.get_safe_globals() == [Outer]
        assert (again()(x) == model(x)).all()
    with pytest.raises(SerializationError, match=r"classes=\[Outer\]"):
        again()
    fz.serialization.add_safe_globals([(Outer, "elsewhere.Outer")])
    assert isinstance(again(), Outer)
    fz.serialization.clear_safe_globals()
    assert fz.serialization.get_safe_globals() == []


@pytest.mark.parametrize("named", ["os.system", "subprocess.Popen", "builtins.eval", "not_there.Net", "argparse.Namespace"])
def test_what_the_program_has_imported_is_no_module_of_its_own(named):
    for structure in ({"$object": 0, "class": named, "state": []}, {"$named": named}):
        with pytest.raises(SerializationError, match="holds a"):
            fz.load(forged(structure), weights_only=False)


def forged(structure: Any) -> Any:
    import safetensors.numpy

    text = json.dumps(structure)
    metadata = {"frazil.format": "1", "frazil.structure": text, "frazil.sha256": _digest({}, text)}
    return io.BytesIO(safetensors.numpy.save({}, metadata))


MODULE = "frazil.nn.module.Module"
WHOLE = [
    ["training", True], ["_parameters", {}], ["_buffers", {}], ["_modules", {}], ["_non_persistent_buffers_set", {"$set": []}],
]  # fmt: skip


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ({"$object": 0, "class": "os.system", "state": []}, r"holds a system \(of os\)"),
        ({"$named": "os.system"}, r"holds a system \(of os\)"),
        ({"$named": "frazil.nn.functional.__builtins__"}, "holds a __builtins__"),
        ({"$object": 0, "class": "frazil.nn.functional.gelu", "state": []}, "takes .* for a class"),
        ({"$object": 0, "class": MODULE, "state": []}, "damaged"),
        (
            {"$object": 0, "class": MODULE, "state": [*WHOLE, ["_hooks", {}]]},
            "no attribute of a Module may be",
        ),
        (
            {"$object": 0, "class": MODULE, "state": [*WHOLE, ["__class__", 1]]},
            "no attribute of a Module may be",
        ),
        ({"$object": 0, "class": MODULE, "state": [*WHOLE, ["_modules", {"a": 1}]]}, "no dict of Modules"),
        ({"$object": 1}, "malformed"),
        ({"$object": 0, "class": "frazil.nn.parameter.Parameter", "state": []}, "holds a Parameter"),
    ],
)
def test_a_forged_file_makes_nothing_else(structure: Any, message: str) -> None:
    with pytest.raises(SerializationError, match=message):
        fz.load(forged(structure))


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


class Place:
    """Nothing but its attributes."""

    def __init__(self, size):
        self.size, self.mode, self.weight = size, Mode.SLOW, fz.ones(size)


class Counting:
    """Says of its own what a copy of it is."""

    def __getstate__(self):
        return {"n": 1}


def test_objects_that_are_their_attributes_are_made_again_of_classes_that_are_named(tmp_path):
    path = tmp_path / "place.safetensors"
    fz.save({"place": Place(2), "mode": Mode.FAST}, path)
    with pytest.raises(fz.errors.SerializationError, match=r"classes=\[Place\]|classes=\[Mode\]"):
        fz.load(path)
    with pytest.raises(fz.errors.SerializationError, match="Place"):
        fz.load(path, weights_only=False)  # of what is imported, only modules, data and named values
    found = fz.load(path, classes=[Place, Mode])
    assert found["mode"] is Mode.FAST and found["place"].mode is Mode.SLOW and found["place"].weight.tolist() == [1, 1]
    with pytest.raises(fz.errors.SerializationError, match="Counting"):
        fz.save(Counting(), path)


def test_a_file_names_no_member_that_an_enum_has_not(tmp_path):
    path = tmp_path / "mode.safetensors"
    fz.save(Mode.FAST, path)
    Other = enum.Enum("Mode", "OTHER")  # another one by that name
    with pytest.raises(fz.errors.SerializationError, match="FAST"):
        fz.load(path, classes=[Other])
