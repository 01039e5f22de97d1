"""What an author is told: programs that show the failure, and messages that are enough to mend it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import install

WRONG = """
    import numpy as np
    from frazil.backends.numpy import NumpyBackend

    def argmax(x, *, dim, keepdim):
        return np.asarray(np.argmax(x, axis=dim, keepdims=keepdim)).astype(np.int32)

    def exp(x):
        return np.exp(x) + (x.shape == (3, 4))

    class Wrong(NumpyBackend):
        name = device_type = "wrong"

        def kernels(self, index=0):
            return {**super().kernels(), "argmax": argmax, "exp": exp}
"""


PROUD = """
    import numpy as np
    from frazil.backend import Backend, Capabilities
    from frazil.backends.numpy import NumpyBackend

    class DType:
        def __init__(self, name):
            self.name = name

        def __hash__(self):
            return hash(np.dtype(self.name))

        def __eq__(self, other):
            assert isinstance(other, DType), f"compared with {other!r}"
            return self.name == other.name

    DTYPES = {name: DType(name) for name in ("float32", "int64", "bool")}

    class Array:
        def __init__(self, value):
            self.value, self.shape, self.dtype = value, value.shape, DTYPES[value.dtype.name]

    class Proud(Backend):
        name = device_type = "proud"
        contract = 2

        def device_count(self):
            return 1

        def capabilities(self, index=0):
            return Capabilities(frozenset(DTYPES), aliases=False)

        def native_dtypes(self):
            return {native: name for name, native in DTYPES.items()}

        def kernels(self, index=0):
            def of(kernel):
                return lambda *arrays, **attrs: Array(np.asarray(kernel(*(a.value for a in arrays), **attrs)))

            numpy = NumpyBackend().kernels()
            return {name: of(numpy[name]) for name in ("add", "mul", "exp", "sum", "eq", "expand", "reshape")}

        def from_host(self, array, index=0):
            return Array(np.array(array))

        def to_host(self, array):
            return np.array(array.value)
"""


@pytest.mark.slow
def test_dtypes_of_a_library_are_not_compared_with_those_of_another(site, conformance):
    install(site, "proud", "frazil_proud", PROUD, "Proud")
    names = ("lifecycle/*", "*/add-*", "*/exp-*", "*/sum-*", "training/*")
    report = conformance("proud", *(word for name in names for word in ("--only", name)))
    assert report["ok"] and sum(tier["passed"] for tier in report["tiers"]) > 50, report["not_passed"][:2]


NOISY = """
    import numpy as np
    from frazil.backends.numpy import NumpyBackend

    class Noisy(NumpyBackend):
        name = device_type = "noisy"

        def describe(self, index=0):
            return str(np.asarray([1e300]).astype(np.float32))  # overflow encountered in cast

        def kernels(self, index=0):
            names = ("add", "copy_", "writable", "shares_memory", "diagonal")
            return {name: super(Noisy, self).kernels()[name] for name in names}
"""


@pytest.mark.slow
def test_the_kit_prints_no_warnings_and_no_long_lists_of_ops(site, python):
    install(site, "noisy", "frazil_noisy", NOISY, "Noisy")
    done = python("-m", "frazil", "conformance", "noisy", "--only", "primitives/add-0-*")
    assert done.stderr == "" and "noisy: [inf]" in done.stdout, done.stdout
    assert re.search(r"via CPU \(\w+, \w+, \w+, ... --all names them\)$", done.stdout, re.M)
    done = python("-m", "frazil", "conformance", "noisy", "--only", "primitives/add-0-*", "--all")
    assert ", matmul, " in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "check", ["primitives/argmax-0-float32", "primitives/argmax-7", "primitives/exp-0-float64-body", "gradients/exp-0-float64"]
)
def test_the_script_of_a_failure_shows_it(check, site, conformance, python):
    install(site, "wrong", "frazil_wrong", WRONG, "Wrong")
    report = conformance("wrong", "--only", check.removesuffix("-body"))
    (failure,) = report["not_passed"]
    assert report["exit"] == 1 and not report["ok"]
    done = python(program=failure["script"])
    assert done.returncode == 1 and "AssertionError" in done.stderr, done.stderr
    assert "Traceback" in done.stderr


def test_the_script_of_what_passes_passes(site, conformance, python):
    """Scripts are programs, not decoration: those of a right kernel end well."""
    from frazil import device
    from frazil.testing.tiers import checks

    found = {str(check): check for check in checks(device("cpu"), ["primitives", "ops", "gradients", "recording"])}
    chosen = [found[name] for name in list(found)[::400]]
    assert {check.tier for check in chosen} == {"primitives", "ops", "gradients", "recording"}
    program = "\n".join(check.script(device("cpu")) for check in chosen)
    done = python(program=program)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def toy(root: Path, site: Path) -> str:
    """The source of frazil-toy, to be changed and installed."""
    return (root / "examples" / "plugins" / "frazil-toy" / "frazil_toy.py").read_text()


def test_a_missing_kernel_names_what_to_write(toy, site, conformance, python):
    install(site, "toy", "frazil_toy", toy.replace("def permute(", "def permuted("), "Toy")
    failure, *_ = conformance("toy", "--tier", "lifecycle")["not_passed"]
    assert failure["message"] == "there is a kernel 'permuted', but no such op: did you mean 'permute'?"
    install(site, "toy", "frazil_toy", toy.replace("@kernel\ndef permute(", "def permute("), "Toy")
    (failure,) = conformance("toy", "--tier", "lifecycle", "--strict")["not_passed"]
    assert "these primitives have no kernel and run on the CPU" in failure["message"] and " permute," in failure["message"]
    done = python(program="import frazil as fz\nwith fz.config(strict=True): fz.ones(2, 3, device='toy').t()")
    assert done.stderr.splitlines()[-1] == (
        "frazil.errors.MissingKernelError: backend 'toy' has no kernel for the primitive 'permute', and strict mode forbids the "
        "detour through the CPU (config key 'strict'): frazil_toy.Toy.kernels() must return one for permute(x, /, *, dims)"
    )


def test_a_wrong_dtype_names_both_and_the_kernel(toy, site, conformance):
    install(site, "toy", "frazil_toy", toy.replace("a == b, bool_)", "a == b)"), "Toy")
    report = conformance("toy", "--only", "primitives/eq-0-float32")
    (failure,) = report["not_passed"]
    first, second = failure["message"].splitlines()
    assert first == "eq: the kernel gives float32, the rule says bool for these inputs"
    assert re.fullmatch(r"its kernel: .*frazil_toy\.py:\d+ <lambda>", second)


def test_an_entry_point_of_another_name_is_told(toy, site, python):
    install(site, "toys", "frazil_toy", toy, "Toy")
    done = python("-m", "frazil", "conformance", "toys")
    assert done.returncode == 2
    assert done.stderr == (
        "frazil: backend 'toys' of frazil-toy 0.1: its class says name = 'toy', its entry point 'toys': make them equal\n"
    )


@pytest.mark.slow
def test_frazil_toy_passes(toy, site, conformance):
    """The tripwire: if this fails, the contract has changed."""
    install(site, "toy", "frazil_toy", toy, "Toy")
    report = conformance("toy", "--tier", "lifecycle", "--tier", "primitives", "--tier", "ops", "--tier", "training")
    assert report["ok"], report["not_passed"]
    assert len(report["coverage"]["via_cpu"]) == report["coverage"]["primitives"] - 12


@pytest.mark.slow
def test_a_backend_over_any_array_api_library_passes(site, conformance):
    """NumPy is one such library."""
    source = """
        import numpy
        from frazil.backends.array_api import ArrayAPIBackend

        class NumPyArrays(ArrayAPIBackend):
            name = device_type = "numpy-arrays"
            contract = 2

            def __init__(self):
                super().__init__(numpy)
    """
    install(site, "numpy-arrays", "frazil_numpy_arrays", source, "NumPyArrays")
    report = conformance("numpy-arrays")
    assert report["ok"], report["not_passed"]
    assert report["coverage"]["via_cpu"] == ["erf", "random_bits"]
