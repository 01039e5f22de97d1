"""Attributes and entries of state dicts that programs read of optimisers, schedules, layers and loaders are PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import frazil as fz

from .test_schedules import SCHEDULES

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

SIMPLE = (bool, int, float, complex, str, type(None))

#: Arguments of layers that take some; the others take none.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d": (2, 3, 2),
    "LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d": (3, 2),
    "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d LayerNorm RMSNorm": (3,),
    "ConstantPad1d ConstantPad2d ConstantPad3d": (1, 0.5),
    "ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d": (1,),
    "CircularPad1d CircularPad2d CircularPad3d ZeroPad1d ZeroPad2d ZeroPad3d": (1,),
    "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d": (2,),
    "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d": (2,),
    "LPPool1d LPPool2d LPPool3d FractionalMaxPool2d FractionalMaxPool3d GLU": (2, 2),
    "Linear LSTM GRU RNN LSTMCell GRUCell RNNCell Embedding EmbeddingBag": (3, 4),
    "MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer": (4, 2),
    "PixelShuffle PixelUnshuffle ChannelShuffle LocalResponseNorm LazyLinear Unfold": (2,),
    "Bilinear": (3, 2, 2),
    "Transformer": (4, 2, 1, 1),
    "GroupNorm Fold": (2, 4),
    "Upsample UpsamplingNearest2d UpsamplingBilinear2d": (None, 2),
    "Unflatten": (1, (2, 2)),
    "Threshold": (0.1, 0.2),
    "AdaptiveLogSoftmaxWithLoss": (4, 8, [2, 4]),
    "LinearCrossEntropyLoss": (3, 4),
}
TAKEN = {name: args for names, args in ARGUMENTS.items() for name in names.split()} | {"GLU": ()}

#: Bases of others, what wraps a layer, and an old layer that frazil does not have.
NOT_MADE = {"Module", "Container", "DataParallel", "RNNBase", "RNNCellBase", "CrossMapLRN2d"}

#: What is missing: name -> why.
MISSING = {
    "T_destination": "a type variable of PyTorch's annotations",
    "OptimizerPreHook": "a name of PyTorch's annotations",
    "OptimizerPostHook": "a name of PyTorch's annotations",
    "ipu": "there are no such devices",
    "mtia": "there are no such devices",
    "xpu": "there are no such devices",
    "profile_hook_step": "wraps `step` in PyTorch; here every step has its hooks",
    "check_forward_args": "checks of PyTorch's recurrent layers; here the operation checks",
    "check_hidden_size": "checks of PyTorch's recurrent layers; here the operation checks",
    "check_input": "checks of PyTorch's recurrent layers; here the operation checks",
    "get_expected_hidden_size": "checks of PyTorch's recurrent layers; here the operation checks",
    "get_expected_cell_size": "checks of PyTorch's recurrent layers; here the operation checks",
    "permute_hidden": "packed sequences are sorted by the operation",
    "merge_masks": "belongs to PyTorch's fast path of attention",
    "activation_relu_or_gelu": "belongs to PyTorch's fast path of attention",
    "check_worker_number_rationality": "warns when PyTorch's loader is made",
    "cummulative_sizes": "a misspelt name that PyTorch has given up",
    "custom_backend_name": "names a device outside of PyTorch",
}


def layer(t: Any, name: str) -> Any:
    if name == "TransformerEncoder":
        return t.nn.TransformerEncoder(t.nn.TransformerEncoderLayer(4, 2), 1, enable_nested_tensor=False)
    if name == "TransformerDecoder":
        return t.nn.TransformerDecoder(t.nn.TransformerDecoderLayer(4, 2), 1)
    options = {"output_size": 2} if name.startswith("FractionalMaxPool") else {}
    return getattr(t.nn, name)(*TAKEN.get(name, ())[: 1 if options else None], **options)


def optimizer(t: Any, name: str, stepped: bool = True) -> Any:
    made = t.nn.Embedding(4, 2, sparse=True) if name == "SparseAdam" else t.nn.Linear(3, 2, bias=False)
    with t.no_grad():
        made.weight.copy_(t.arange(made.weight.numel()).reshape(made.weight.shape) * 0.1)
    found = getattr(t.optim, name)(made.parameters(), lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))
    return step(t, found, made, name) if stepped else found


def step(t: Any, found: Any, made: Any, name: str) -> Any:
    def closure() -> Any:
        found.zero_grad()
        loss = made(t.tensor([0, 1]) if name == "SparseAdam" else t.ones(2, 3)).pow(2).sum()
        loss.backward()
        return loss

    found.step(closure)
    return found


def schedule(t: Any, name: str, steps: int = 2) -> Any:
    base = t.optim.SGD([t.nn.Parameter(t.ones(1))], lr=0.1, momentum=0.9)
    if name == "SWALR":
        made = t.optim.swa_utils.SWALR(base, 0.05)
    elif name == "ReduceLROnPlateau":
        made = t.optim.lr_scheduler.ReduceLROnPlateau(base, patience=1)
    else:
        made = SCHEDULES[name](t.optim.lr_scheduler, base)
    for _ in range(steps):
        base.step()
        made.step(*[1.0] * (name == "ReduceLROnPlateau"))
    return made


def loaders(t: Any) -> dict[str, Any]:
    d = t.utils.data
    data = d.TensorDataset(t.arange(10))
    return {
        "DataLoader": d.DataLoader(data, batch_size=2, shuffle=True, drop_last=True),
        "DataLoader of a sampler": d.DataLoader(data, sampler=d.SequentialSampler(data)),
        "DataLoader without batches": d.DataLoader(data, batch_size=None),
        "SequentialSampler": d.SequentialSampler(range(5)),
        "RandomSampler": d.RandomSampler(range(5)),
        "SubsetRandomSampler": d.SubsetRandomSampler([1, 2]),
        "WeightedRandomSampler": d.WeightedRandomSampler([0.1, 0.2], 3),
        "BatchSampler": d.BatchSampler(range(5), 2, False),
        "DistributedSampler": d.DistributedSampler(range(5), 2, 0),
        "TensorDataset": data,
        "ConcatDataset": d.ConcatDataset([data, data]),
        "Subset": d.Subset(data, [1]),
        "StackDataset": d.StackDataset(data),
        "ChainDataset": d.ChainDataset([]),
        "GradScaler": t.amp.GradScaler("cpu"),
        "autocast": t.autocast("cpu"),
        "AveragedModel": t.optim.swa_utils.AveragedModel(t.nn.Linear(2, 2)),
    }


LAYERS = sorted(
    name
    for name, found in vars(torch.nn).items()
    if isinstance(found, type) and issubclass(found, torch.nn.Module) and name not in NOT_MADE
)
OPTIMIZERS = sorted(
    name
    for name, found in vars(torch.optim).items()
    if isinstance(found, type) and issubclass(found, torch.optim.Optimizer) and found is not torch.optim.Optimizer
)
SCHEDULERS = [*SCHEDULES, "SWALR", "ReduceLROnPlateau"]

MADE: dict[str, Callable[[Any], Any]] = {
    **{name: lambda t, name=name: layer(t, name) for name in LAYERS},
    **{name: lambda t, name=name: optimizer(t, name) for name in OPTIMIZERS},
    **{name: lambda t, name=name: schedule(t, name) for name in SCHEDULERS},
    **{name: lambda t, name=name: loaders(t)[name] for name in loaders(torch)},
}


def public(made: Any) -> set[str]:
    return {name for name in dir(made) if not name.startswith("_")}


def simple(value: Any) -> bool:
    return isinstance(value, SIMPLE) or (isinstance(value, (list, tuple)) and all(map(simple, value)))


@pytest.mark.parametrize("name", MADE)
def test_every_public_attribute_is_there_and_numbers_and_texts_are_the_same(name: str) -> None:
    theirs, ours = MADE[name](torch), MADE[name](fz)
    assert not public(theirs) - public(ours) - set(MISSING)
    numbers = {key: value for key in public(theirs) & set(vars(theirs)) if simple(value := getattr(theirs, key))}
    different = {key: (value, getattr(ours, key)) for key, value in numbers.items() if key not in MISSING}
    assert not {key: pair for key, pair in different.items() if repr(pair[0]) != repr(pair[1])}


def test_what_is_missing_is_missing() -> None:
    """So the list of exceptions holds none that is there by now."""
    missing = set[str]()
    for make in MADE.values():
        missing |= public(make(torch)) - public(make(fz))
    assert missing == set(MISSING)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_state_of_schedules_moves_to_pytorch_and_back(name: str) -> None:
    theirs, ours = schedule(torch, name), schedule(fz, name)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    for source, into, t in ((theirs, schedule(fz, name, 0), fz), (ours, schedule(torch, name, 0), torch)):
        into.load_state_dict(source.state_dict())
        into.optimizer.param_groups[0].update({k: v for k, v in source.optimizer.param_groups[0].items() if k != "params"})
        for moved in (source, into):
            moved.optimizer.step()
            moved.step(*[1.0] * (name == "ReduceLROnPlateau"))
        assert into.get_last_lr() == source.get_last_lr(), t.__name__


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_files_of_optimisers_move_to_pytorch_and_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    theirs, ours = optimizer(torch, name), optimizer(fz, name)
    assert set(ours.state_dict()["param_groups"][0]) == set(theirs.state_dict()["param_groups"][0])
    for source, save, load, into in (
        (theirs, torch.save, fz.load, optimizer(fz, name, stepped=False)),
        (ours, fz.save, torch.load, optimizer(torch, name, stepped=False)),
    ):
        save(source.state_dict(), path)
        into.load_state_dict(load(path))
        entries = [found.state_dict()["state"][0] for found in (source, into)]
        assert list(entries[0]) == list(entries[1])
        for key, value in entries[0].items():
            assert _plain(entries[1][key]) == _plain(value), key


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value
