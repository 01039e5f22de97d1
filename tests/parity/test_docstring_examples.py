"""The examples in PyTorch's own docstrings: what runs there runs here, and prints the same, where nothing is drawn."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch's docstrings: pip install torch==2.13.0")
pytestmark = pytest.mark.parity

MODULES = """torch torch.Tensor torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.nn.utils.rnn torch.nn.utils.prune
torch.nn.utils.parametrize torch.nn.utils.parametrizations torch.linalg torch.fft torch.special torch.signal.windows torch.sparse
torch.nested torch.distributions torch.optim torch.optim.lr_scheduler torch.optim.swa_utils torch.func torch.autograd
torch.autograd.functional torch.autograd.forward_ad torch.autograd.graph torch.testing torch.amp""".split()

#: What draws, or prints what lay in memory: such examples are only run.
RANDOM = re.compile(r"rand|empty|[Dd]ropout|multinomial|bernoulli|normal|nn\.|sample|poisson|Generator|rrelu|uniform|lobpcg")
#: The least singular value of a singular matrix: nothing but rounding, which depends on the processor.
ROUNDING = re.compile(r"norm\(B\.double\(\), -2\)")
#: What waits, needs other processes or another device, or changes how all that follows behaves.
LEFT_OUT = re.compile(
    r"Future|Event|Stream|multiprocessing|\bcuda\b|\bxpu\b|\bmps\b|set_default|use_deterministic|compile|anomaly"
)
#: Docstring -> what of it differs, and why.
DIFFERENT = {
    "torch.conj": "conj() computes at once, PyTorch marks it to be done: is_conj() is False",
    "torch.resolve_conj": "conj() computes at once, PyTorch marks it to be done: is_conj() is False",
    "torch.resolve_neg": "the imaginary part of a conjugate is computed at once: is_neg() is False",
    "torch.fft.ihfft": "an imaginary part that is 0 has another sign",
    "torch.fft.hfft": "an imaginary part that is 0 has another sign",
    "torch.special.polygamma": "the last figure that is printed is rounded otherwise",
    "torch.Tensor.dim_order": "every memory format is what a tensor has: they have no effect",
    "torch.sparse.mm": "names of nodes: a product is made of index_select, mul and index_add",
    "torch.nested.as_nested_tensor": "nested tensors have no backward of their own, their parts have",
    "torch.autograd.enforce_grad_layout_policy": "missing",
    "torch.autograd.graph.allow_mutation_on_saved_tensors": "planned",
    "torch.autograd.graph.saved_tensors_hooks": "the factors of a product are handed over in their order",
    "torch.special.erfc": "one of the smallest numbers there are, of which neither is exact",
    "torch.Tensor.grad_dtype": "gradients have the dtype of their tensor",
    **dict.fromkeys(
        """torch.sparse_bsc_tensor torch.sparse_bsr_tensor torch.sparse_compressed_tensor torch.sparse_csc_tensor
        torch.Tensor.to_sparse torch.Tensor.to_sparse_bsc torch.Tensor.to_sparse_bsr torch.Tensor.to_sparse_csc
        torch.Tensor.to_sparse_csr""".split(),
        "sparse tensors have two layouts, coo and csr of matrices",
    ),
    **dict.fromkeys(
        """torch.quantize_per_channel torch.quantize_per_tensor torch.quantize_per_tensor_dynamic torch.quantized_batch_norm
        torch.quantized_max_pool1d torch.quantized_max_pool2d""".split(),
        "quantised tensors are out of scope",
    ),
    **dict.fromkeys(
        ("torch.nested.masked_select", "torch.nested.narrow"), "nested tensors are lists of tensors, without a layout `jagged`"
    ),
    "torch.remainder": "a remainder of 0 has the sign of the divisor, as in NumPy; that of the dividend in PyTorch",
    "torch.func.functionalize": "its example needs make_fx",
    "torch.func.rearrange": "einops has it, and takes frazil's tensors",
    "torch.sparse.as_sparse_gradcheck": "gradcheck takes sparse tensors' values",
}  # fmt: skip


def _examples() -> dict[str, list[str]]:
    """Docstring -> the sources of its examples."""
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    for path in MODULES:
        module = torch.Tensor if path == "torch.Tensor" else importlib.import_module(path)
        for name in sorted(dir(module)):
            thing = None if name.startswith("_") else getattr(module, name, None)
            text = getattr(thing, "__doc__", None)
            skipped = isinstance(thing, ModuleType) or not isinstance(text, str) or ">>>" not in text or text in seen
            if skipped or (inspect.isclass(thing) and issubclass(thing, (torch.dtype, int, str))):
                continue
            seen.add(text)
            with contextlib.suppress(ValueError):  # not written as doctest reads it
                found[f"{path}.{name}"] = [example.source for example in doctest.DocTestParser().get_examples(text)]
    return {name: sources for name, sources in found.items() if not any(map(LEFT_OUT.search, [name, *sources]))}


def _as_frazil(source: str) -> str:
    """The example after changing the import."""
    source = re.sub(r"^(\s*from )torch\b", r"\1frazil", source, flags=re.M)
    return re.sub(r"^(\s*import )torch(\.[\w.]+ as)", r"\1frazil\2", source, flags=re.M).replace("import torch\n", "pass\n")


def _results(sources: list[str], library: Any) -> Iterator[str | Exception]:
    """What every example prints, or what it raises."""
    names = {"torch": library, "nn": library.nn, "F": library.nn.functional, "np": np, "__name__": "docstring"}
    library.manual_seed(0)
    for source in sources:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                exec(compile(source if library is torch else _as_frazil(source), "<docstring>", "single"), names)
        except Exception as error:
            yield error
        else:
            yield re.sub(r"\s+|[\w.]+(?=\(\s*\w+=\(?tensor)|at 0x\w+", "", printed.getvalue()).replace("torch.", "frazil.")


EXAMPLES = _examples()


@pytest.fixture(autouse=True)
def habits() -> Iterator[None]:
    """What examples set is set back."""
    yield
    for library in (torch, fz):
        library.set_grad_enabled(True)
        library.set_default_dtype(library.float32)
        library.set_printoptions(profile="default")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_a_docstring_does_what_it_does_in_pytorch(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sources = EXAMPLES[name]
    drawn = any(map(RANDOM.search, sources))
    faults = []
    for source, right, found in zip(sources, _results(sources, torch), _results(sources, fz), strict=True):
        if isinstance(right, Exception) or ROUNDING.search(source):
            continue  # half of the examples use names that only the text around them defines
        if isinstance(found, Exception) or (found != right and not drawn):
            faults.append(f"{source.strip()}\n  PyTorch: {right}\n  frazil:  {found!r}")
    assert bool(faults) == (name in DIFFERENT), "\n".join(faults) or "it agrees: take it from DIFFERENT"
