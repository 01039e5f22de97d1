"""Python's and other libraries' protocols: comparison, gradients set by hand, `out=`, buffers, DLPack, modules by name."""

from __future__ import annotations

import importlib
import operator

import numpy as np
import pytest

import frazil as fz


@pytest.mark.parametrize("other", [None, "text", [1], (1,), {}, int, object()])
def test_a_tensor_is_not_what_is_no_tensor(other: object) -> None:
    assert (fz.ones(2) == other) is False and (fz.ones(2) != other) is True and (other == fz.ones(2)) is False


class Wrapped(tuple):
    """A class with operators of its own, as those of quantities and of state in several parts."""


for _name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split():
    setattr(Wrapped, f"__r{_name}__", lambda self, other, name=_name: (name, other))
for _name in "lt le gt ge eq ne".split():
    setattr(Wrapped, f"__{_name}__", lambda self, other, name=_name: (name, other))


@pytest.mark.parametrize(
    "name",
    "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift lt le gt ge eq ne iadd imul isub itruediv iand "
    "ipow".split(),
)
def test_an_object_that_knows_an_operator_is_asked_for_it(name: str) -> None:
    x = fz.tensor([1, 2])
    asked, other = getattr(operator, name)(x, Wrapped([3, 4]))
    mirrored = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "itruediv": "truediv", "ipow": "pow"}
    assert other.tolist() == x.tolist() == [1, 2]
    assert asked == mirrored.get(name, name.removeprefix("i").rstrip("_"))


@pytest.mark.parametrize("other", [object(), [1], "a", Wrapped])
def test_other_objects_are_no_operands(other: object) -> None:
    with pytest.raises(TypeError, match="expected a tensor or a number"):
        fz.ones(2) * other  # type: ignore[operator]


def test_a_list_takes_the_elements_of_a_tensor_that_is_added_to_it() -> None:
    found = [1]
    found += fz.tensor([2, 3])  # type: ignore[arg-type]
    assert found == [1, 2, 3] and all(isinstance(x, fz.Tensor) for x in found[1:])
    with pytest.raises(TypeError, match="concatenate list"):
        [1] + fz.tensor([2, 3])


@pytest.mark.parametrize("grad", [fz.ones(3), fz.ones(2, dtype=fz.float64), 1.0, [1.0, 2.0]])
def test_a_gradient_that_does_not_fit_is_refused(grad: object) -> None:
    x = fz.ones(2, requires_grad=True)
    with pytest.raises((RuntimeError, TypeError), match="grad: "):
        x.grad = grad  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="its own"):
        x.grad = x
    x.grad = fz.ones(2)
    x.grad = None
    assert x.grad is None


def test_data_that_cannot_have_gradients_is_refused() -> None:
    x = fz.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="floating"):
        x.data = fz.ones(2, dtype=fz.int64)


def test_out_takes_the_shape_of_the_result() -> None:
    out = fz.empty(0)
    assert fz.add(fz.ones(2), fz.ones(2), out=out) is out and out.tolist() == [2.0, 2.0]
    with pytest.warns(UserWarning, match="takes the shape"):
        fz.matmul(fz.ones(2, 3), fz.ones(3), out=(out := fz.empty(5)))
    assert out.tolist() == [3.0, 3.0]
    with pytest.raises(fz.errors.DTypeError, match="out="):
        fz.add(fz.ones(2), fz.ones(2), out=fz.empty(2, dtype=fz.int64))
    with pytest.raises(fz.errors.AutogradError, match="out="):
        fz.exp(fz.ones(2, requires_grad=True), out=fz.empty(2))


def test_arrays_are_operands() -> None:
    array = np.arange(3.0, dtype=np.float32)
    for result in (fz.ones(3) + array, array + fz.ones(3), fz.add(fz.ones(3), array)):
        assert isinstance(result, fz.Tensor) and result.tolist() == [1.0, 2.0, 3.0]


def test_dlpack_shares_memory() -> None:
    array = np.zeros(3, np.float32)
    x = fz.from_dlpack(array)
    x[0] = 5.0
    assert array[0] == 5.0 and np.from_dlpack(fz.ones(2)).tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError):
        np.from_dlpack(fz.ones(2, requires_grad=True))


def test_a_buffer_shares_memory() -> None:
    buffer = bytearray(8)
    fz.frombuffer(buffer, dtype=fz.uint8)[0] = 7
    assert buffer[0] == 7
    with pytest.raises(ValueError):
        fz.frombuffer(buffer, dtype=fz.float32, offset=3)


@pytest.mark.parametrize("name", [n for n in dir(fz) if type(getattr(fz, n)) is type(fz) and not n.startswith("_")])
def test_what_is_shown_as_a_module_is_imported_as_one(name: str) -> None:
    assert importlib.import_module(f"frazil.{name}") is getattr(fz, name)


@pytest.mark.parametrize("shape", [(0, 4, 4, 4), (2, 4, 0, 4)])
def test_layers_take_batches_and_images_of_nothing(shape: tuple[int, ...]) -> None:
    x = fz.zeros(shape)
    f = fz.nn.functional
    for y in (
        f.group_norm(x, 2),
        f.channel_shuffle(x, 2),
        f.layer_norm(x, (4,)),
        f.interpolate(x, scale_factor=1) if shape[2] else x,
    ):
        assert tuple(y.shape) == shape
    if not shape[0]:
        assert tuple(f.unfold(x, 2).shape) == (0, 16, 9)
        assert tuple(f.grid_sample(x, fz.zeros(0, 2, 3, 2), align_corners=False).shape) == (0, 4, 2, 3)
        assert tuple(f.instance_norm(x).shape) == shape


def test_reductions_of_nothing() -> None:
    nothing = fz.zeros(0)
    assert nothing.var().isnan().item() and nothing.std().isnan().item() and nothing.logsumexp(0).item() == -float("inf")
    assert fz.ones(2, 3).sum(()).item() == 6.0
    assert fz.arange(4).clamp(min=2.5).tolist() == [2.5, 2.5, 2.5, 3.0]


def test_a_number_is_formatted_as_a_number():
    loss = fz.tensor(1.5, requires_grad=True)
    assert f"{loss} {loss * 2:.2f} {fz.tensor(True)} {fz.tensor([1.0])}" == "1.5 3.00 True tensor([1.])"
    assert f"{fz.nn.Parameter(fz.tensor(1.5))}".startswith("Parameter containing")
    with pytest.raises(TypeError, match="format"):
        f"{fz.ones(2):.2f}"
