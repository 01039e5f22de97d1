"""Names that libraries import from PyTorch's inside, and what they do with them."""

from __future__ import annotations

from typing import Any

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
