"""Names that libraries import from PyTorch's inside, and what they do with them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="compares with PyTorch")
pytestmark = pytest.mark.parity


def test_constraints_show_the_names_that_pytorchs_show() -> None:
    ours, theirs = fz.distributions.constraints, torch.distributions.constraints
    assert set(theirs.__all__) - set(ours.__all__) == {"MixtureSameFamilyConstraint"}
    assert all(hasattr(ours, name) for name in ours.__all__)
    ours, theirs = fz.distributions.transforms, torch.distributions.transforms
    assert sorted(theirs.__all__) == sorted(ours.__all__) and all(hasattr(ours, name) for name in ours.__all__)


@pytest.mark.parametrize("dim", [-2, -1, 0, 1])
def test_constraints_of_parts_check_as_pytorchs(dim: int) -> None:
    numbers = [[1.0, -1.0, 0.5], [-1.0, 2.0, 3.0]]
    for made in (
        lambda c: c.stack([c.positive, c.real, c.unit_interval][: 2 if dim in (-2, 0) else 3], dim),
        lambda c: c.cat([c.positive, c.less_than(0.0)], dim, [1, 1 if dim in (-2, 0) else 2]),
    ):
        ours, theirs = made(fz.distributions.constraints), made(torch.distributions.constraints)
        assert (ours.event_dim, ours.is_discrete) == (theirs.event_dim, theirs.is_discrete)
        assert ours.check(fz.tensor(numbers)).tolist() == theirs.check(torch.tensor(numbers)).tolist()
    for event in ([[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]], [[1.0, 1.0], [0.0, 1.0]]):
        both = [x.distributions.constraints.positive_semidefinite.check(x.tensor(event)) for x in (fz, torch)]
        assert both[0].tolist() == both[1].tolist()


def test_a_distribution_of_ones_own_has_a_dependent_support() -> None:
    def check(library: Any) -> list[bool]:
        c = library.distributions.constraints

        class Below(library.distributions.Distribution):  # type: ignore[misc]
            def __init__(self, high: Any) -> None:
                self.high = high
                super().__init__(high.shape, validate_args=False)

            @c.dependent_property(is_discrete=False, event_dim=0)
            def support(self) -> Any:
                return c.less_than(self.high)

        assert c.is_dependent(Below.support) and Below.support.event_dim == 0
        return list(Below(library.tensor([1.0, 3.0])).support.check(library.tensor([2.0, 2.0])).tolist())

    assert check(fz) == check(torch) == [False, True]


def test_operators_by_their_inner_names() -> None:
    aten = fz.ops.aten
    assert aten.add.Tensor is aten.add.Tensor and aten.add.Tensor is not aten.add.Scalar
    assert aten.add.Tensor(fz.ones(2), fz.ones(2)).tolist() == [2, 2]
    assert aten.index_select.default(fz.arange(3), 0, fz.tensor([2])).tolist() == [2]
    assert repr(aten.add.Tensor) == "<operator aten.add.Tensor>"
    with pytest.raises(NotImplementedError, match="aten._to_nothing"):
        aten._to_nothing(fz.ones(2))


def test_futures_as_pytorchs() -> None:
    for futures in (fz.futures, torch.futures):
        later: Any = futures.Future()
        failing = later.then(lambda done: done.value() / 0)
        with pytest.raises(RuntimeError):
            later.value()
        later.set_result(2)
        with pytest.raises(RuntimeError):
            later.set_result(3)
        with pytest.raises((ZeroDivisionError, RuntimeError)):
            failing.wait()
        assert futures.collect_all([later]).wait()[0].value() == 2 and futures.wait_all([later]) == [2]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pass_over_a_loader_has_its_length(workers: int) -> None:
    def passed(library: Any) -> tuple[Any, ...]:
        module = library.utils.data.dataloader
        batches = iter(module.DataLoader([1, 2, 3, 4, 5], batch_size=2, num_workers=workers))
        kinds = (module._BaseDataLoaderIter, module._SingleProcessDataLoaderIter, module._MultiProcessingDataLoaderIter)
        told = [isinstance(batches, kind) for kind in kinds]
        return told, len(batches), [b.tolist() for b in batches], iter(batches) is batches

    assert passed(fz) == passed(torch)


def test_the_inside_of_printing() -> None:
    from torch import _tensor_str as theirs

    from frazil import _tensor_str as ours

    numbers = [[1.0, -2.25], [1e-3, 3.0]]
    assert ours._tensor_str(fz.tensor(numbers), 7) == theirs._tensor_str(torch.tensor(numbers), 7)
    options = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")
    for profile in ("short", "full", "default"):
        fz.set_printoptions(profile=profile)
        torch.set_printoptions(profile=profile)
        assert [getattr(ours.PRINT_OPTS, n) for n in options] == [getattr(theirs.PRINT_OPTS, n) for n in options]


def test_deterministic_algorithms_in_words_and_numbers() -> None:
    def states(library: Any) -> list[Any]:
        found = []
        for mode in ("warn", 2, "default", 1, "error", 0):
            library.set_deterministic_debug_mode(mode)
            found.append((library.get_deterministic_debug_mode(), library.are_deterministic_algorithms_enabled()))
            found.append(library.is_deterministic_algorithms_warn_only_enabled())
        return found

    assert states(fz) == states(torch)


def test_layers_of_transformers_are_copied_by_their_helpers() -> None:
    for library in (fz, torch):
        module = library.nn.modules.transformer
        layers = module._get_clones(library.nn.Linear(2, 2), 3)
        assert len(layers) == 3 and layers[0].weight is not layers[1].weight
        assert module._get_activation_fn("gelu") is library.nn.functional.gelu


def test_classes_are_scripted_as_they_are() -> None:
    class Counter:
        pass

    assert fz.jit.script(Counter) is Counter
    assert fz.distributed.rpc.is_available() is False
    assert isinstance(fz.autograd.profiler.profile().key_averages(), fz.autograd.profiler.EventList)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_nested_values_are_taken_apart_by_the_inner_names() -> None:
    class Pair(NamedTuple):
        a: Any
        b: Any

    def apart(library: Any, value: Any) -> tuple[list[Any], Any]:
        """As Lightning walks: by the table of kinds, and trees put together by hand."""
        inner = library.utils._pytree
        kind = inner._get_node_type(value)
        if kind not in inner.SUPPORTED_NODES:
            assert inner.tree_is_leaf(value)
            return [value], inner.LeafSpec()
        items, context = inner.SUPPORTED_NODES[kind].flatten_fn(value)
        parts = [apart(library, item) for item in items]
        return [leaf for leaves, _ in parts for leaf in leaves], inner.TreeSpec(kind, context, [spec for _, spec in parts])

    value = {"a": [1, (2, 3)], "b": Pair(4, OrderedDict(c=5)), "d": deque([6], 4), "e": defaultdict(list, f=7)}
    for library in (fz, torch):
        leaves, spec = apart(library, value)
        assert leaves == [1, 2, 3, 4, 5, 6, 7]
        assert library.utils._pytree.tree_unflatten([-n for n in leaves], spec) == {
            "a": [-1, (-2, -3)],
            "b": Pair(-4, OrderedDict(c=-5)),
            "d": deque([-6]),
            "e": {"f": -7},
        }


def test_entries_of_files_are_read_by_name(tmp_path: Path) -> None:
    path = str(tmp_path / "w.pt")
    torch.save({"w": torch.arange(3.0)}, path)
    ours, theirs = fz.PyTorchFileReader(path), torch._C.PyTorchFileReader(path)
    assert sorted(ours.get_all_records()) == sorted(theirs.get_all_records())
    for name in ours.get_all_records():
        assert ours.get_record(name) == theirs.get_record(name)
    for reader in (ours, theirs):
        assert reader.has_record("data/0") and not reader.has_record("data/1")
        with pytest.raises(RuntimeError):
            reader.get_record("data/1")


def test_operations_are_counted_by_module_as_pytorchs() -> None:
    def counted(library: Any, convert: bool) -> tuple[int, dict[str, int], int]:
        nn = library.nn
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, groups=1), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, 2), nn.Flatten(2), nn.Linear(144, 5)
        )
        x = library.ones(2, 3, 8, 8, requires_grad=True)
        counter = importlib.import_module(f"{library.__name__}.utils.flop_counter").FlopCounterMode(display=False)
        with counter:
            y = model.bfloat16()(x.bfloat16()) if convert else model(x)
            y @ library.ones(5, 2, dtype=y.dtype)
        forward = counter.get_total_flops(), {k: sum(v.values()) for k, v in counter.get_flop_counts().items()}
        with counter:
            y.sum().backward()
        return *forward, counter.get_total_flops()

    for convert in (False, True):
        assert counted(fz, convert) == counted(torch, convert)


def test_casts_of_modules_do_not_go_through_to() -> None:
    for library in (fz, torch):

        class Fixed(library.nn.Linear):  # type: ignore[name-defined, misc]
            def to(self, *args: Any, **kwargs: Any) -> Any:
                raise AssertionError("cpu, float and their like ask _apply alone, as libraries that override `to` rely on")

        layer = Fixed(2, 2)
        layer.register_buffer("turn", library.ones(1, dtype=library.complex64))
        for name in ("cpu", "double", "half", "bfloat16", "float"):
            getattr(layer, name)()
        assert layer.weight.dtype is library.float32 and layer.turn.dtype is library.complex64


def test_memory_and_random_states_of_devices_that_are_not_there() -> None:
    if fz.cuda.is_available() or torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    for name in ("max_memory_allocated", "memory_reserved", "max_memory_reserved", "memory_stats", "get_rng_state_all"):
        assert getattr(fz.cuda, name)() == getattr(torch.cuda, name)()
    for library in (fz, torch):
        library.cuda.set_rng_state_all([])
        with pytest.raises((RuntimeError, AssertionError)):
            library.cuda.get_rng_state()


def test_arguments_of_to_are_read_as_pytorchs() -> None:
    for args, given in (((), {"dtype": "float16"}), (("cpu", "float64", True), {}), (("meta",), {"non_blocking": True})):

        def read(library: Any, args: Any = args, given: Any = given) -> list[str]:
            named = {key: getattr(library, value) if key == "dtype" else value for key, value in given.items()}
            found = library._C._nn._parse_to(*(getattr(library, a) if a == "float64" else a for a in args), **named)
            return [str(part).replace("torch.", "").replace("frazil.", "") for part in found]

        assert read(fz) == read(torch)


def test_parameters_without_a_shape_are_given_one() -> None:
    for library in (fz, torch):
        inner = library.nn.parameter
        weight, mean = inner.UninitializedParameter(), inner.UninitializedBuffer()
        assert inner.is_lazy(weight) and inner.is_lazy(mean) and isinstance(weight, library.nn.Parameter)
        holders = [weight]
        weight.materialize((2, 3))
        mean.materialize((2,), dtype=library.float64)
        assert holders[0] is weight and type(weight) is library.nn.Parameter and type(mean) is library.Tensor
        assert weight.shape == (2, 3) and mean.dtype is library.float64 and weight.requires_grad
        assert not inner.is_lazy(weight) and not inner.is_lazy(mean)


def test_classes_of_several_processes_are_there_to_be_asked_for() -> None:
    script = (
        "from frazil.porting import torch_is_frazil; torch_is_frazil()\n"
        "import torch\nfrom torch.distributed.tensor import DTensor\nfrom torch.distributed.device_mesh import init_device_mesh\n"
        "assert not isinstance(torch.ones(1), DTensor)\n"
        "try: init_device_mesh('cpu', (2,))\nexcept NotImplementedError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.stdout.startswith("init_device_mesh: frazil trains in one process"), run.stderr


def test_the_modules_of_devices() -> None:
    for library in (fz, torch):
        assert library.get_device_module("cpu") is library.cpu
        assert library.get_device_module(library.device("cuda")) is library.cuda
        there = library.cpu
        assert (there.current_device(), there.device_count()) == ("cpu", 1)
        assert there.is_available() and there.is_initialized()
        assert there.synchronize() is None and there.set_device("cpu") is None
        with there.stream(there.current_stream()):
            pass


def test_memory_is_measured_with_what_it_holds() -> None:
    for library in (fz, torch):
        few, many = (sys.getsizeof(library.ones(n).untyped_storage()) for n in (10, 1010))
        assert many - few == 4000


def test_the_types_of_scripted_annotations_and_clipped_sigmoids() -> None:
    x = [-200.0, 0.5, 200.0]
    found = []
    for library in (fz, torch):
        assert str(library.TensorType.get()) == "Tensor"
        found.append(library.distributions.transforms._clipped_sigmoid(library.tensor(x)).tolist())
    assert found[0] == found[1]
