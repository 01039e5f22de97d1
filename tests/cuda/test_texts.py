"""Every CUDA text that the backend writes for the op table is compiled for three architectures. Not run on a GPU."""

from __future__ import annotations

from collections import Counter

import pytest

from frazil.backends.cupy import nvrtc
from frazil.errors import DeviceError

from .generated import ARCHITECTURES, compiled, every_text

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return every_text()


def test_the_texts_are_those_of_the_whole_table(texts):
    assert len(texts) > 1500
    assert set(texts.values()) >= {"add", "sum", "softmax", "conv", "max_pool_grad", "random_bits", "index", "adam_step_"}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_text_compiles(arch, texts, with_nvrtc, capsys):
    """Registers that spill to memory make a kernel slow. Those whose threads share a row may, all others may not."""
    kernels = list(compiled(list(texts), arch))
    spilling = Counter(texts[k.text] for k in kernels if k.spills)
    stacked = Counter(texts[k.text] for k in kernels if k.stack)
    registers = sorted(k.registers for k in kernels)
    with capsys.disabled():
        print(f"\n{arch}: {len(kernels)} CUDA texts compiled by NVRTC {with_nvrtc}, not run on a GPU;", end=" ")
        print(f"registers: median {registers[len(registers) // 2]}, most {registers[-1]};", end=" ")
        print(f"spills: {dict(spilling) or 'none'}; stack: {dict(stacked) or 'none'}")
    assert len(kernels) == len(texts)
    assert not [texts[k.text] for k in kernels if k.spills and "BARRIER" not in k.text]


def test_a_wrong_text_is_refused_with_the_compilers_words(with_nvrtc):
    with pytest.raises(DeviceError, match=r'NVRTC cannot compile a kernel for sm_80:\n.*"nonsense" is undefined'):
        nvrtc.compile_text("__global__ void k(int* x) { x[0] = nonsense; }", "sm_80")


def test_machine_code_is_compiled_once(with_nvrtc, monkeypatch, tmp_path):
    monkeypatch.setenv("FRAZIL_CACHE", str(tmp_path))
    source = 'extern "C" __global__ void k(int* x) { x[0] = 1; }'
    code = nvrtc.cached(source, "sm_90")
    assert code[:4] == b"\x7fELF"
    monkeypatch.setattr(nvrtc, "compile_text", None)
    assert nvrtc.cached(source, "sm_90") == code
