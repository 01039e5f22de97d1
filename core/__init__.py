"""frazil: write it eagerly, freeze it, training loop and all, into plain ONNX."""

if __name__ != "frazil":
    raise ImportError(
        "core/ is the source folder of the package `frazil` and is not importable as `core`: "
        "run `pip install -e .` in the repository and `import frazil` instead"
    )

import math as _math
from typing import Any as _Any

from . import config as _config
from . import debug, dtypes, errors, factorizations, fft, incomplete, late, linalg, ops, spectral
from . import tensor as _tensor
from .autograd import enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled
from .config import config, configure
from .control import cond, scan, while_loop
from .creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    frombuffer,
    full,
    full_like,
    is_tensor,
    linspace,
    logspace,
    ones,
    ones_like,
    range,
    result_type,
    scalar_tensor,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from .creation import (
    numel_of as numel,
)
from .define import by_name as _by_name
from .device import device, get_default_device, set_default_device
from .dtypes import (
    bfloat16,
    can_cast,
    complex64,
    complex128,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .legacy import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    channels_last,
    channels_last_3d,
    contiguous_format,
    memory_format,
    preserve_format,
    set_default_tensor_type,
)
from .out import MADE as _MADE
from .out import made as _made
from .printing import set_printoptions
from .random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from .spelling import missing as _missing
from .table import FUNCTIONS as _FUNCTIONS
from .table import METHODS as _METHODS
from .table import OPS as _OPS
from .tensor import Size, Tensor, jagged, layout, sparse_coo, sparse_csr, strided
from .tuning import (
    are_deterministic_algorithms_enabled,
    get_deterministic_debug_mode,
    get_float32_matmul_precision,
    get_num_interop_threads,
    get_num_threads,
    is_deterministic_algorithms_warn_only_enabled,
    set_deterministic_debug_mode,
    set_float32_matmul_precision,
    set_flush_denormal,
    set_num_interop_threads,
    set_num_threads,
    use_deterministic_algorithms,
)

__version__ = "0.1.0"

bool = dtypes.bool_
half, float, double, cfloat, cdouble = float16, float32, float64, complex64, complex128
short, int, long = int16, int32, int64
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan

# The public ops become functions of this module, and every op a method of Tensor.
globals().update({name: entry.call for name, entry in _OPS.items() if entry.public} | _FUNCTIONS)
abs = _OPS["abs"].call
globals().update({name: _made(globals()[name], name) for name in _MADE})
globals().update({name: _by_name(globals()[name], name, out=True) for name in ("bernoulli", "multinomial", "normal")})
late.announce()
_tensor.attach_methods(_METHODS)

from . import autograd, einops_support, places, random

einops_support.connect()
places.connect()

#: Loaded when first used, so that `import frazil` stays cheap: name -> module. (`onnx` brings onnx and onnxruntime.)
_LAZY = {
    name: name for name in ("amp", "cuda", "distributed", "distributions", "export", "hub", "jit", "nn", "signal", "special")
}
_LAZY |= {name: name for name in ("multiprocessing", "optim", "plugins", "testing", "utils")}
_LAZY |= {"autocast": "amp", "load": "serialization", "save": "serialization", "onnx": "plugins", "drawing": "plugins"}
_LAZY |= dict.fromkeys(("GradScaler", "clear_autocast_cache", "get_autocast_cpu_dtype", "get_autocast_dtype"), "amp")
_LAZY |= dict.fromkeys(("get_autocast_gpu_dtype", "is_autocast_cache_enabled", "is_autocast_cpu_enabled"), "amp")
_LAZY |= {"is_autocast_enabled": "amp"}
_LAZY |= dict.fromkeys(("is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_anomaly_enabled"), "autograd.anomaly")
_LAZY |= {
    name: name for name in ("accelerator", "cpu", "func", "futures", "profiler", "quasirandom", "serialization", "version")
} | {"vmap": "func"}
_LAZY |= {"library": "library", "PyTorchFileReader": "pytorch_file", "Future": "futures"}
_LAZY |= {"get_device_module": "accelerator", "TensorType": "jit.annotations"}
_LAZY |= dict.fromkeys(("ScriptModule", "fork", "wait"), "jit") | dict.fromkeys(("Event", "Stream"), "cuda.streams")
_LAZY |= dict.fromkeys(("_sample_dirichlet", "_standard_gamma"), "distributions.dirichlet")
_LAZY |= dict.fromkeys(("hspmm", "smm", "sparse", "sparse_coo_tensor", "sparse_csr_tensor", "spmm"), "sparse")
_LAZY |= {
    name: name
    for name in (
        "_C",
        "__config__",
        "_dynamo",
        "_tensor_str",
        "_utils",
        "compiler",
        "functorch",
        "fx",
        "nested",
        "overrides",
        "types",
    )
}  # what libraries ask PyTorch for
_LAZY |= dict.fromkeys(("_assert", "_assert_async", "_check", "_check_index", "_check_type", "_check_value"), "checks")
_LAZY |= dict.fromkeys(("_check_is_size", "_check_tensor_all"), "checks")
_LAZY |= dict.fromkeys(("TypedStorage", "UntypedStorage", "from_file", "is_storage"), "rare.memory")
_LAZY |= dict.fromkeys(("complex32", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"), "dtypes")
_LAZY |= dict.fromkeys(("float8_e8m0fnu", "qint32", "qint8", "quint8"), "dtypes")
_LAZY |= dict.fromkeys(("SymBool", "SymFloat", "SymInt"), "sizes")
_LAZY |= late.HOMES | {"compile": "compiled"}
_LAZY["backends"] = "backends"  # for `fz.backends.cudnn.benchmark = True`
_LAZY |= dict.fromkeys(("bilinear", "cosine_similarity", "group_norm", "layer_norm", "pairwise_distance"), "nn.functional")

#: Names of PyTorch that are not there, and what is said to a program that asks for them.
_MISSING = {
    "quantization ao quantize_per_tensor": "quantisation is out of scope; quantise the exported file with onnxruntime's tools",
    "classes": "C++ classes are out of scope; fz.library.custom_op makes operators in Python",
    "xpu mps hip": "frazil's devices are 'cpu', 'cuda' and 'opencl': fz.device(...), fz.cuda.is_available()",
}


def __getattr__(name: str) -> _Any:
    import importlib

    if name.startswith("_foreach_") and (made := importlib.import_module("frazil.foreach").named(name)):
        return globals().setdefault(name, made)
    if f"frazil.{name}" in places.places():
        return importlib.import_module(f"frazil.{name}")
    if name not in _LAZY:
        said = next((text for names, text in _MISSING.items() if name in names.split()), None)
        if said is not None:
            raise AttributeError(f"module 'frazil' has no attribute {name!r}: {said}")
        raise _missing(f"module 'frazil' has no attribute {name!r}", name, __dir__)
    module = importlib.import_module(f"frazil.{_LAZY[name]}")
    if name in ("onnx", "drawing"):
        value = module.exporter(name)
    elif name in _FUNCTIONS:
        value = _FUNCTIONS[name]
    else:
        value = module if name == _LAZY[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
