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
