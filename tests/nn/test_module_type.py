"""`Module.type` and `dtype=` by every name that PyTorch knows for a type of tensors."""

from __future__ import annotations

import warnings

import pytest

import frazil as fz


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (fz.DoubleTensor, fz.float64),
        ("torch.HalfTensor", fz.float16),
        ("torch.cuda.FloatTensor", fz.float32),
        (fz.float64, fz.float64),
    ],
    ids=str,
)
def test_module_type_takes_what_tensor_type_takes(name: object, dtype: fz.dtype) -> None:
    assert {p.dtype for p in fz.nn.Linear(2, 2).type(name).parameters()} == {dtype}
    assert fz.ones(2).type(name).dtype == dtype


@pytest.mark.parametrize(("kind", "dtype"), [(bool, fz.bool), (int, fz.int64), (float, fz.float64), (complex, fz.complex128)])
def test_types_of_python_are_the_widest_dtypes(kind: type, dtype: fz.dtype) -> None:
    assert fz.zeros(2, dtype=kind).dtype == fz.tensor([1], dtype=kind).dtype == fz.ones(2).to(kind).dtype == dtype


def test_a_scaler_for_cuda_is_off_without_it() -> None:
    if fz.cuda.is_available():
        pytest.skip("there is CUDA")
    for make in (fz.amp.GradScaler, fz.cuda.amp.GradScaler, lambda: fz.GradScaler("cuda")):
        with pytest.warns(UserWarning, match="CUDA is not available"):
            scaler = make()
        assert (scaler.is_enabled(), scaler.get_scale(), scaler.state_dict()) == (False, 1.0, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fz.amp.GradScaler("cpu").is_enabled() and not fz.amp.GradScaler(enabled=False).is_enabled()


def test_a_block_on_no_cuda_device_changes_nothing() -> None:
    for nothing in (-1, None):
        with fz.cuda.device(nothing):
            assert fz.ones(2).device.type == "cpu"
    if not fz.cuda.is_available():
        with pytest.raises((fz.errors.DeviceError, fz.errors.BackendError)), fz.cuda.device(0):
            pass
