"""Recorded programs come back from files as they were: every op, control flow, models, states, gradients."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.errors import ArgumentError, RecordError, SerializationError
from frazil.pytree import flatten
from tests.onnx.models import arrays_of, models
from tests.ops.cases import each_case, traced
from tests.script import programs_generation, programs_gradients, programs_python  # noqa: F401 - they enter their programs
from tests.script.programs import PROGRAMS

MODELS = models(fz)


def again(program, **options):
    file = io.BytesIO()
    fz.jit.save(program, file)
    file.seek(0)
    return fz.jit.load(file, **options)


def assert_same(found, expected):
    for a, b in zip(flatten(found)[0], flatten(expected)[0], strict=True):
        if isinstance(b, fz.Tensor):
            assert a.dtype is b.dtype and a.shape == b.shape and a.requires_grad == b.requires_grad
            np.testing.assert_array_equal(
                a.detach().float().numpy() if b.dtype is fz.bfloat16 else a.detach().numpy(), b.detach()
            )
        else:
            assert a == b


@each_case("float32", keep=lambda op, sample: bool(sample.args))
def test_every_op(case):
    tensors = case.tensors()
    program = traced(case, tensors)
    loaded = again(program)
    assert str(loaded.graph) == str(program.graph)
    given = [t for t in tensors if t is not None]
    fz.manual_seed(0)
    expected = program(*given)
    fz.manual_seed(0)
    assert_same(loaded(*given), expected)


@pytest.mark.parametrize("name", PROGRAMS)
def test_control_flow(name):
    fn, inputs = PROGRAMS[name]
    program = fz.jit.trace(fn, inputs[0])
    loaded = again(program)
    assert str(loaded.graph) == str(program.graph)
    assert_same(loaded(*inputs[0]), program(*inputs[0]))


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    model, rng = MODELS[name], np.random.default_rng(1)
    fz.manual_seed(0)
    module = model.make()
    program = fz.jit.trace(module, tuple(map(fz.tensor, arrays_of(model, model.example, np.random.default_rng(0)))))
    loaded = again(program)
    assert list(loaded.state_dict()) == list(module.state_dict())
    assert [n for n, _ in loaded.named_modules()] == [n for n, _ in module.named_modules()]
    for sizes in (model.example, *model.others):
        inputs = tuple(map(fz.tensor, arrays_of(model, sizes, rng)))
        assert_same(loaded(*inputs), program(*inputs))


def small():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def test_states_are_the_modules_own_and_draws_the_process_s():
    model = small()
    loaded = again(fz.jit.trace(model, fz.ones(2, 3)))
    for _ in range(3):
        x = fz.randn(5, 3)
        fz.manual_seed(3)
        found = loaded(x)
        fz.manual_seed(3)
        np.testing.assert_array_equal(found.detach(), model(x).detach())
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(loaded.state_dict()[name], value, atol=1e-6, err_msg=name)


def test_it_trains_as_the_model_does():
    model = small().eval()
    loaded = again(fz.jit.trace(model, fz.ones(2, 3)))
    x = fz.randn(8, 3)
    losses = []
    for module in (model, loaded):
        optimiser = fz.optim.Adam(module.parameters(), lr=0.05)
        for _ in range(5):
            optimiser.zero_grad()
            loss = module(x).square().mean()
            loss.backward()
            optimiser.step()
            losses.append(float(loss))
    np.testing.assert_allclose(losses[:5], losses[5:], rtol=1e-5)
    assert losses[4] < losses[0]


def test_what_is_put_into_the_module_is_what_the_program_reads():
    model, other = small().eval(), small().eval()
    other(fz.ones(2, 3))
    x = fz.randn(4, 3)
    loaded = again(fz.jit.trace(model, fz.ones(2, 3)))
    loaded.load_state_dict(other.state_dict(), assign=True)
    np.testing.assert_allclose(loaded(x).detach(), other(x).detach(), rtol=1e-5)
    loaded.get_submodule("3").bias = nn.Parameter(fz.tensor([7.0, 8.0]))
    other.get_submodule("3").bias = nn.Parameter(fz.tensor([7.0, 8.0]))
    np.testing.assert_allclose(loaded(x).detach(), other(x).detach(), rtol=1e-5)
    loaded.get_submodule("1").register_buffer("running_mean", fz.ones(4))
    other.get_submodule("1").register_buffer("running_mean", fz.ones(4))
    np.testing.assert_allclose(again(loaded)(x).detach(), other(x).detach(), rtol=1e-5)


def test_tied_weights_and_modules_stay_tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight
            self.c = self.a

        def forward(self, x):
            return self.c(self.b(self.a(x)))

    loaded = again(fz.jit.trace(Tied(), fz.ones(3)))
    assert loaded.b.weight is loaded.a.weight and loaded.c is loaded.a
    assert list(loaded.state_dict()) == list(Tied().state_dict())
    assert len(list(loaded.parameters())) == 3


def test_functions_keep_what_they_read():
    w, layer = nn.Parameter(fz.ones(2)), nn.Linear(2, 2)

    def scaled(x, *, by=2):
        return {"y": layer(x) * w, "z": (x, x.shape[0])}

    loaded = again(fz.jit.trace(scaled, fz.ones(3, 2)))
    assert len(list(loaded.parameters())) == 3
    found = loaded(fz.ones(4, 2))
    assert found["z"][1] == 4 and isinstance(found["z"], tuple)
    np.testing.assert_allclose(found["y"].detach(), layer(fz.ones(4, 2)).detach())
    with pytest.raises(ArgumentError, match="fixed argument"):
        again(fz.jit.trace(scaled, fz.ones(3, 2), {"by": 3}))(fz.ones(3, 2), by=4)


def test_a_whole_step_of_training():
    model = nn.Linear(2, 1)
    optimiser = fz.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        optimiser.zero_grad()
        loss = fz.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimiser.step()
        return loss.detach()

    x, y = fz.randn(8, 2), fz.randn(8, 1)
    step(x, y)  # momentum is there from now on
    loaded = again(fz.jit.trace(step, (x, y)))
    np.testing.assert_allclose([float(loaded(x, y)) for _ in range(5)], [float(step(x, y)) for _ in range(5)], rtol=1e-5)


def test_copies_and_pickles():
    loaded = again(fz.jit.trace(small().eval(), fz.ones(2, 3)))
    x = fz.randn(4, 3)
    for other in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        assert_same(other(x), loaded(x))
        with fz.no_grad():
            other.get_parameter("0.weight").zero_()
        assert not fz.equal(other(x), loaded(x))


def test_in_a_new_process(tmp_path):
    path = tmp_path / "model.pt"
    x = fz.arange(6.0).reshape(2, 3)
    model = small().eval()
    fz.jit.trace(model, fz.ones(2, 3)).save(path, _extra_files={"labels.txt": "a,b"})
    text = (
        "import frazil as fz; files = {'labels.txt': '', 'other': 1}\n"
        f"model = fz.jit.load({str(path)!r}, _extra_files=files, map_location='cpu')\n"
        "print(files, model(fz.arange(6.0).reshape(2, 3)).tolist())"
    )
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"{ {'labels.txt': 'a,b', 'other': 1} } {model(x).tolist()}"


def test_it_can_be_recorded_exported_and_put_into_another():
    loaded = again(fz.jit.trace(small().eval(), fz.ones(2, 3)))
    x = fz.randn(4, 3)
    whole = nn.Sequential(loaded, nn.ReLU())
    assert_same(fz.jit.trace(whole, x)(x), whole(x))
    report = fz.onnx.export(whole, (x,), verify=True)
    assert report.checks


def test_modes():
    model = small()
    program = fz.jit.trace(model, fz.ones(2, 3))
    for recorded in (program, again(program)):
        with pytest.warns(UserWarning, match="recorded in training mode"):
            assert recorded.eval() is recorded
        recorded.train()
    steady = fz.jit.trace(nn.Linear(3, 2), fz.ones(2, 3))
    assert steady.eval().train() is steady and again(steady).eval().training is False


def test_a_program_has_what_its_module_has():
    model = small()
    program = fz.jit.trace(model, fz.ones(2, 3))
    assert list(program.parameters()) == list(model.parameters())
    assert program.to("cpu") is program and program.get_parameter("0.bias") is model.get_parameter("0.bias")
    with pytest.raises(AttributeError, match="no attribute 'weights'"):
        fz.jit.trace(lambda x: x, fz.ones(2)).weights


def test_what_is_an_instance_of_a_script_module():
    assert isinstance(fz.jit.script(nn.ReLU()), fz.jit.ScriptModule)
    assert isinstance(fz.jit.trace(nn.ReLU(), fz.ones(2)), fz.jit.ScriptModule)
    loaded = again(fz.jit.trace(nn.ReLU(), fz.ones(2)))
    assert isinstance(loaded, fz.jit.ScriptModule) and isinstance(loaded, nn.Module)
    assert not isinstance(nn.ReLU(), fz.jit.ScriptModule)
    assert not isinstance(nn.ReLU(), fz.jit.RecursiveScriptModule)
    assert not isinstance(fz.jit.trace(nn.ReLU(), fz.ones(2)), fz.jit.RecursiveScriptModule)


def test_refusals(tmp_path):
    with pytest.raises(ArgumentError, match=r"a scripted module or function.*fz.jit.trace"):
        fz.jit.save(fz.jit.script(nn.Linear(2, 2)), io.BytesIO())
    with pytest.raises(ArgumentError, match="given a Linear"):
        fz.jit.save(nn.Linear(2, 2), io.BytesIO())
    loaded = again(fz.jit.trace(small().eval(), fz.ones(2, 3)))
    with pytest.raises(RecordError, match="recorded as a part"):
        loaded.get_submodule("0")(fz.ones(2, 3))
    with pytest.raises(ArgumentError, match="asked for float64"):
        loaded.double()
    assert loaded(fz.ones(2, 3)).dtype is fz.float32
    with pytest.raises(SerializationError, match=r"TorchScript archive.*fz.onnx.load"):
        fz.jit.load(io.BytesIO(b"PK\x03\x04 and so on"))
    path = tmp_path / "tensors.safetensors"
    fz.save({"a": fz.ones(2)}, path)
    with pytest.raises(SerializationError, match=r"tensors.safetensors holds no recorded program"):
        fz.jit.load(path)


def test_files_that_were_changed():
    file = io.BytesIO()
    fz.jit.trace(small().eval(), fz.ones(2, 3)).save(file)
    file.seek(0)
    data = fz.load(file)
    for change in (
        lambda d: d["graph"]["nodes"][0].__setitem__(0, "os_system"),
        lambda d: d["graph"]["nodes"][0].__setitem__(1, [99, 0, 1]),
        lambda d: d["graph"].pop("outputs"),
        lambda d: d["graph"].__setitem__("outputs", [0, 1000]),
        lambda d: d.__setitem__("frazil.program", 2),
        lambda d: d["tensors"].clear(),
        lambda d: d["symbols"].append([1]),
        lambda d: d["graph"].__setitem__("in_tree", ["os", [], []]),
    ):
        changed = copy.deepcopy(data)
        change(changed)
        other = io.BytesIO()
        fz.save(changed, other)
        other.seek(0)
        with pytest.raises((SerializationError, RecordError)):
            fz.jit.load(other)
