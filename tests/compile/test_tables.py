"""A recurrent layer on an embedding multiplies each row of the table once, and gives what it gives eagerly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.compiled.tables import through_tables

LAYERS: dict[str, Any] = {
    "LSTM": nn.LSTM,
    "LSTM, batch first": lambda n, m: nn.LSTM(n, m, batch_first=True),
    "LSTM, both directions": lambda n, m: nn.LSTM(n, m, bidirectional=True),
    "LSTM, two layers": lambda n, m: nn.LSTM(n, m, 2, bias=False),
    "GRU": lambda n, m: nn.GRU(n, m, batch_first=True),
    "RNN": nn.RNN,
}


class Model(nn.Module):
    def __init__(self, layer: str, rows: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, 5)
        self.layer = LAYERS[layer](5, 4)

    def forward(self, numbers: fz.Tensor) -> fz.Tensor:
        return self.layer(self.table(numbers))[0]


def gradients(model: nn.Module, numbers: fz.Tensor) -> list[fz.Tensor]:
    y = model(numbers)
    loss = (y * y).mean() + y.sum()
    return [loss, *fz.autograd.grad(loss, list(model.parameters()))]


def compiled_gradients(model: nn.Module) -> Any:
    @fz.compile(engine="numpy", fullgraph=True)
    def run(numbers: fz.Tensor) -> list[fz.Tensor]:
        return gradients(model, numbers)

    return run


def names_of(run: Any, numbers: fz.Tensor) -> list[str]:
    """The operations that the engine `numpy` runs for numbers of this shape."""
    (recording,) = fz.compile.explain(run).recordings
    graph = recording.graph
    sizes = {symbol: numbers.shape[axis] for symbol, (_, axis) in graph.symbols.items()}
    return [node.op_name for node in through_tables(graph, sizes, fz.device("cpu").backend)[0].nodes]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("shape", [(7, 6), (33, 40)])
def test_a_layer_on_a_table_has_the_loss_and_gradients_of_eager_code(layer: str, shape: tuple[int, int]) -> None:
    model = Model(layer, 9)
    run = compiled_gradients(model)
    for seed in range(3):
        fz.manual_seed(seed)
        numbers = fz.randint(0, 9, shape)
        for a, b in zip(run(numbers), gradients(model, numbers), strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=2e-5)
    with fz.no_grad():
        np.testing.assert_allclose(
            fz.compile(model, engine="numpy")(numbers).numpy(), model(numbers).numpy(), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("layer", LAYERS)
def test_neither_rows_nor_their_gradients_are_written_out(layer: str) -> None:
    run, numbers = compiled_gradients(Model(layer, 9)), fz.randint(0, 9, (7, 6))
    run(numbers)
    assert "embedding" not in names_of(run, numbers)


def test_rows_that_are_looked_up_once_are_multiplied_as_they_come() -> None:
    run, numbers = compiled_gradients(Model("LSTM", 30)), fz.randint(0, 30, (7, 6))
    run(numbers)
    assert "embedding" in names_of(run, numbers)


def test_a_row_that_nobody_looks_up_counts_for_nothing() -> None:
    model = Model("LSTM", 9)
    run = compiled_gradients(model)
    with fz.no_grad():
        model.table.weight[8] = float("nan")
    for result in run(fz.randint(0, 8, (7, 6))):
        assert result.isfinite().all()
    assert not run(fz.full((7, 6), 8))[0].isfinite()


def test_a_table_that_is_read_elsewhere_too_keeps_all_of_its_gradient() -> None:
    model = Model("LSTM, batch first", 9)

    def both(numbers: fz.Tensor) -> list[fz.Tensor]:
        rows = model.table(numbers)
        loss = (model.layer(rows)[0].sum() + (rows * rows).sum()) * (model.table.weight.exp()).mean()
        return [loss, *fz.autograd.grad(loss, list(model.parameters()))]

    numbers = fz.randint(0, 9, (7, 6))
    for a, b in zip(fz.compile(both, engine="numpy")(numbers), both(numbers), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("other", ["linear", "layer"])
@pytest.mark.parametrize("rows", [4, 9, 12])
def test_numbers_may_be_looked_up_in_another_table_too(other: str, rows: int) -> None:
    model, more = Model("LSTM", 9), nn.Embedding(rows, 5)
    beside: Any = nn.Linear(5, 4) if other == "linear" else nn.GRU(5, 4)
    parameters = [*model.parameters(), *more.parameters(), *beside.parameters()]

    def both(numbers: fz.Tensor) -> list[fz.Tensor]:
        found = beside(more(numbers))
        loss = (model(numbers) * (found if other == "linear" else found[0])).square().sum()
        return [loss, *fz.autograd.grad(loss, parameters)]

    numbers = fz.randint(0, 4, (7, 6))
    for a, b in zip(fz.compile(both, engine="numpy", fullgraph=True)(numbers), both(numbers), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=1e-4)


def test_numbers_of_rows_that_are_not_there_are_refused_as_ever() -> None:
    model = Model("LSTM", 9)
    run = compiled_gradients(model)
    run(fz.randint(0, 9, (7, 6)))
    for wrong in (9, -1):
        with pytest.raises(IndexError, match="out of range"):
            run(fz.full((7, 6), wrong))
