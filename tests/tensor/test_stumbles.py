"""What someone who does real work stumbles over is told at once, in words that help."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import warn
from frazil.errors import ArgumentError, ConfigError, ShapeError

nn, F, optim = fz.nn, fz.nn.functional, fz.optim

SPELLING = {
    "fz.relluu": "relu",
    "fz.zeross(2)": "zeros",
    "nn.Linaer": "Linear",
    "nn.conv2d": "Conv2d",
    "F.sofmax": "softmax",
    "optim.Adm": "Adam",
    "optim.lr_scheduler.StepLRR": "StepLR",
    "nn.init.xavier_unifrom_": "xavier_uniform_",
    "nn.utils.clip_grad_nrom_": "clip_grad_norm_",
    "fz.cuda.is_availabel()": "is_available",
    "fz.distributions.Norml": "Normal",
    "fz.utils.data.DataLaoder": "DataLoader",
    "fz.autograd.gard": "grad",
    "fz.jit.trce": "trace",
    "nn.Linear(2, 2).wieght": "weight",
    "nn.Linear(3, 4, bais=True)": "bias",
    "nn.LSTM(3, 4, numlayers=2)": "num_layers",
    "optim.Adam([x], lrr=0.1)": "lr",
    "optim.lr_scheduler.StepLR(optim.SGD([x], lr=0.1), stepsize=2)": "step_size",
    "F.softplus(x, betta=3)": "beta",
    "fz.softplus(x, betta=3)": "beta",
    "F.cross_entropy(x, x, label_smooting=0.1)": "label_smoothing",
    "F.conv2d(x, x, strid=2)": "stride",
    "x.sum(dmi=0)": "dim",
    "x.max(dimm=0)": "dim",
    "fz.max(x, dimm=0)": "dim",
    "fz.std(x, unbaised=False)": "unbiased",
    "fz.zeros(3, dtyp=fz.float32)": "dtype",
    "fz.randn(3, requires_grda=True)": "requires_grad",
}


@pytest.mark.parametrize("call", SPELLING)
def test_a_misspelt_name_is_told_the_nearest(call: str) -> None:
    with pytest.raises((AttributeError, ArgumentError), match=f"did you mean '{SPELLING[call]}'"):
        eval(call, {"fz": fz, "nn": nn, "F": F, "optim": optim, "x": fz.ones(2, 2, requires_grad=True)})


def test_python_tells_of_misspelt_methods() -> None:
    """`Tensor` itself has no `__getattr__`, which would make every attribute slower; Python's traceback knows the names."""
    shown = subprocess.run(
        [sys.executable, "-c", "import frazil; frazil.ones(2).softmx"], capture_output=True, text=True, check=False
    )
    assert "Did you mean: 'softmax'?" in shown.stderr


def test_asking_for_names_costs_no_search_and_errors_travel() -> None:
    assert not hasattr(nn, "nothing_like_it") and not hasattr(nn.Linear(1, 1), "__array__")
    with pytest.raises(AttributeError) as caught:
        nn.Linaer  # type: ignore[attr-defined]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value) and "Linear" in repr(caught.value)


def test_an_error_inside_a_function_is_not_taken_for_a_misspelling() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = {"bais": 1}
            int("1", bais=2)  # type: ignore[call-overload]

    with pytest.raises(TypeError, match="int|keyword") as caught:
        Layer()
    assert not isinstance(caught.value, ArgumentError)


NOTHING: dict[str, Callable[[], Any]] = {
    "compile(backend=...)": lambda: fz.compile(nn.Linear(1, 1), backend=print),
    "DataParallel": lambda: nn.DataParallel(nn.Linear(1, 1)),
    "data_parallel": lambda: nn.parallel.data_parallel(nn.Linear(1, 1), fz.ones(1, 1)),
    "set_num_threads": lambda: fz.set_num_threads(fz.get_num_threads() + 1),
    "share_memory_": lambda: fz.ones(1).share_memory_(),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_does_nothing_says_so_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warn, "_said", set())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        NOTHING[name]()
        NOTHING[name]()
    assert len(caught) == 1 and str(caught[0].message).startswith(f"{name} has no effect: ") and caught[0].filename == __file__


@pytest.mark.parametrize(
    "quiet",
    [
        lambda: fz.autocast("cpu"),
        lambda: fz.compile(nn.ReLU(), mode="max-autotune"),
        lambda: fz.set_num_threads(fz.get_num_threads()),
        lambda: fz.use_deterministic_algorithms(True),
        lambda: fz.use_deterministic_algorithms(False),
    ],
)
def test_what_asks_for_nothing_is_silent(quiet: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warn, "_said", set())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet()


def test_a_backend_that_nobody_knows_is_refused_at_once() -> None:
    for wrong, right in (("opncl", "opencl"), ("nunpy", "numpy")):
        with pytest.raises(ConfigError, match=f"no backend '{wrong}'; did you mean '{right}'"):
            fz.configure(backend=wrong)
        with pytest.raises(ConfigError, match=f"did you mean '{right}'"):
            fz.config(backend=wrong)
    with pytest.raises(ConfigError, match="no device type 'cdua'; did you mean 'cuda'"):
        fz.configure(device="cdua:1")
    assert fz.ones(1).device == fz.device("cpu")


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (nn.Conv2d(3, 8, 3), (8, 8, 3), r"3 channels, given \[8, 8, 3\] with 8; .*\.permute\(2, 0, 1\)"),
        (nn.Conv2d(3, 8, 3), (2, 8, 8, 3), r"given \[2, 8, 8, 3\] with 8; .*\.permute\(0, 3, 1, 2\)"),
        (nn.Conv1d(3, 8, 3), (8, 3), r"given \[8, 3\] with 8; .*\.permute\(1, 0\)"),
        (nn.Conv3d(4, 8, 1), (5, 6, 7, 4), r"given \[5, 6, 7, 4\] with 5; .*\.permute\(3, 0, 1, 2\)"),
        (nn.ConvTranspose2d(3, 8, 3), (8, 8, 3), r"given \[8, 8, 3\] with 8; .*\.permute\(2, 0, 1\)"),
        (nn.Conv2d(3, 8, 3), (5, 8, 8), r"given \[5, 8, 8\] with 5(\nin Conv2d)?$"),
    ],
)
def test_convolutions_tell_the_shape_that_was_given(layer: nn.Module, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        layer(fz.ones(shape))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: fz.Tensor) -> fz.Tensor:
        return self.conv(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.ReLU(), Block())

    def forward(self, x: fz.Tensor) -> fz.Tensor:
        if len(x) == 2:
            raise KeyError("mine")
        return self.encoder(x)


def test_errors_tell_the_path_of_the_module() -> None:
    for model, words in ((Net(), "in Net.encoder.1.conv (Conv2d)"), (nn.Conv2d(3, 4, 1), "in Conv2d")):
        with pytest.raises(ShapeError) as caught:
            model(fz.ones(1, 5, 4, 4))
        assert caught.value.__notes__[-1] == words
    with pytest.raises(KeyError) as other:
        nn.Sequential(nn.ReLU(), Net())(fz.ones(2, 5))
    assert other.value.__notes__ == ["in Sequential.1 (Net)"]


def test_a_notebook_shows_tensors() -> None:
    assert "<td>0.5</td><td>&hellip;</td>" not in (html := fz.tensor([[0.5, 1.0]])._repr_html_()) and "<td>0.5</td>" in html
    assert "float32[1, 2] on cpu" in html
    long = fz.zeros(1000, 1000)._repr_html_()
    assert "&hellip;" in long and len(long) < 10_000
    for other in (fz.tensor(1.0), fz.zeros(2, 2, 2), fz.zeros(0, 3), fz.ones(2, requires_grad=True)):
        assert other.dtype.name in other._repr_html_()


def test_state_dicts_may_hold_arrays() -> None:
    layer, array = nn.Linear(2, 1), np.array([[3.0, 4.0]], np.float32)
    layer.load_state_dict({"weight": array, "bias": np.zeros(1, np.float32)})
    array[:] = 0
    assert layer.weight.tolist() == [[3.0, 4.0]]
    layer.load_state_dict({"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)}, assign=True)
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.tolist() == [[1.0, 1.0]]
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        layer.load_state_dict({"weight": np.ones(2), "bias": np.zeros(1)})


@pytest.mark.skipif(fz.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_installed_is_what_pytorchs_programs_catch() -> None:
    for asks in (lambda: fz.ones(1).cuda(), lambda: fz.zeros(1, device="cuda")):
        with pytest.raises(fz.errors.BackendError) as caught:
            asks()
        assert isinstance(caught.value, AssertionError) and "pip install" in str(caught.value)
