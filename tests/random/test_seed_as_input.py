"""A seed that is an input of the recorded program: the file draws what eager code draws."""

import numpy as np
import onnxruntime
import pytest

import frazil as fz


def draw(seed):
    source = fz.Generator().manual_seed(seed)
    return fz.rand(1001, generator=source), fz.randint(-5, 900, (77,), generator=source), fz.randn(13, 7, generator=source)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    path = tmp_path_factory.mktemp("seed") / "draw.onnx"
    fz.onnx.export(draw, (fz.tensor(7),), path)
    return onnxruntime.InferenceSession(path)


@pytest.mark.parametrize("seed", [0, 7, -3, 2**40 + 1, 2**63 - 1])
def test_file_and_eager_draw_the_same_bits(session, seed):
    in_file = session.run(None, {"seed": np.array(seed)})
    for ours, theirs in zip(draw(fz.tensor(seed)), in_file, strict=True):
        assert np.array_equal(ours.numpy(), theirs)


def test_a_generator_from_outside_goes_on_where_the_recorded_program_left_it():
    source = fz.Generator()
    source.manual_seed(1)
    program = fz.jit.trace(lambda seed: fz.rand(9, generator=source.manual_seed(seed)), fz.tensor(5))
    assert source.initial_seed() == 1
    expected = fz.rand(9, generator=fz.Generator().manual_seed(11))
    assert fz.equal(program(fz.tensor(11)), expected)
    assert source.state.tolist() == [11, 2]
