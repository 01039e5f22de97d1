"""A difference inside a branch or loop body is found there."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.control import loop
from frazil.exporters.onnx.errors import VerificationError

PROGRAMS = {
    "loop": lambda x: loop(None, lambda i, h: ((fz.tanh(h) * x.shape[0],), h.sum()), (x,), limit=x.shape[0]),
    "while_loop": lambda x: fz.while_loop(lambda h, n: n < 3, lambda h, n: (fz.tanh(h + x), n + 1), (x, 0))[0],
    "scan": lambda x: fz.scan(lambda c, v: (fz.tanh(c + v), c), fz.tensor(0.0), x, reverse=True)[1],
    "cond": lambda x: fz.cond(x.sum() < 99, lambda: fz.tanh(x) * 2, lambda: x),
    "cond in a loop": lambda x: loop(
        None, lambda i, h: ((fz.cond(h.sum() < 99, lambda: fz.tanh(h + i), lambda: x),), ()), (x,), limit=3
    )[0][0],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_broken_lowering_in_a_subgraph_is_found(name, tmp_path):
    path = tmp_path / "broken.onnx"
    with pytest.raises(VerificationError) as caught:
        fz.onnx.export(
            PROGRAMS[name], (fz.tensor([0.3, -1.0, 2.0]),), path, lowerings={"tanh": lambda e, call, x: e.op("Sigmoid", x)}
        )
    found = caught.value.divergence
    assert found.node.op_name == "tanh"
    assert found.node.source.file == __file__
    script = (tmp_path / "broken.repro.py").read_text()
    assert "OPS['tanh'].call(x0)" in script
    assert not path.exists()
