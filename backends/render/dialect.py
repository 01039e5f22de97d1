"""What differs between OpenCL C and CUDA C.

All kernels, rendered or written by hand, are written in one subset of C with the words below; a dialect is a prelude that
defines them, and says whether it has vector types.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Dialect(NamedTuple):
    """A language kernels are rendered in."""

    name: str
    prelude: str
    vectors: bool  # float16 and friends are types, and functions take them


_TYPES = """typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
typedef short i16; typedef int i32; typedef float f32;
"""

OPENCL = Dialect(
    "opencl",
    "#pragma OPENCL FP_CONTRACT OFF\n"
    + _TYPES
    + """typedef char i8; typedef ulong u64; typedef long i64; typedef half f16; typedef ushort bf16;
#define KERNEL __kernel
#define GLOBAL __global
#define LOCAL __local
#define DEVICE static inline
#define ID(d) ((int)get_global_id(d))
#define GROUP(d) ((int)get_group_id(d))
#define THREAD(d) ((int)get_local_id(d))
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define LOAD_HALF(p, i) vload_half(i, p)
#define STORE_HALF(p, i, v) vstore_half_rte(v, i, p)
#define LOAD_BF16(p, i) as_float((uint)(p)[i] << 16)
#define STORE_BF16(p, i, v) ((p)[i] = to_bf16(v))
#define MUL_HI64(a, b) mul_hi((u64)(a), (u64)(b))
#define BITS32(x) as_int(x)
#define GROUP_SIZE(x, y) __attribute__((reqd_work_group_size(x, y, 1)))
#define LOOPS_ARE_VECTORS __attribute__((vec_type_hint(float16)))
static inline ushort to_bf16(float x) {
  uint u = as_uint(x);
  return (u & 0x7fffffff) > 0x7f800000 ? u >> 16 | ((u & 0xffff) ? 64 : 0) : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
static inline ushort16 to_bf16_lanes(float16 x) {
  uint16 u = as_uint16(x), kept = u >> 16 | select((uint16)(0), (uint16)(64), (u & 0xffff) != 0);
  return convert_ushort16(select((u + 0x7fff + (u >> 16 & 1)) >> 16, kept, (u & 0x7fffffff) > 0x7f800000));
}
""",
    vectors=True,
)

#: For devices with float64.
OPENCL_DOUBLE = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\ntypedef double f64;\n"

CUDA = Dialect(
    "cuda",
    "#include <cuda_fp16.h>\n"
    + _TYPES
    + """typedef signed char i8; typedef unsigned long long u64; typedef long long i64; typedef double f64; typedef __half f16;
typedef unsigned short bf16;
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#define KERNEL extern "C" __global__
#define GLOBAL
#define LOCAL __shared__
#define DEVICE static __device__ __forceinline__
#define OF(v, d) ((int)((d) == 0 ? v.x : (d) == 1 ? v.y : v.z))
#define ID(d) (OF(blockIdx, d) * OF(blockDim, d) + OF(threadIdx, d))
#define GROUP(d) OF(blockIdx, d)
#define THREAD(d) OF(threadIdx, d)
#define BARRIER __syncthreads()
#define LOAD_HALF(p, i) __half2float((p)[i])
#define STORE_HALF(p, i, v) ((p)[i] = to_half(v))
#define LOAD_BF16(p, i) __int_as_float((int)((u32)(p)[i] << 16))
#define STORE_BF16(p, i, v) ((p)[i] = to_bf16(v))
#define MUL_HI64(a, b) __umul64hi(a, b)
#define BITS32(x) __float_as_int(x)
#define GROUP_SIZE(x, y) __launch_bounds__((x) * (y))
#define LOOPS_ARE_VECTORS
static __device__ __forceinline__ __half to_half(float x) { return __float2half_rn(x); }
static __device__ __forceinline__ __half to_half(double x) { return __double2half(x); }
static __device__ __forceinline__ bf16 to_bf16(float x) {
  u32 u = (u32)__float_as_int(x);
  return (u & 0x7fffffff) > 0x7f800000 ? u >> 16 | ((u & 0xffff) ? 64 : 0) : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
""",
    vectors=False,
)


class Narrow(NamedTuple):
    """The way from numbers of 16 bits to float32, in which they are computed, and back, rounded: of one, of n = 16 together."""

    load: str
    store: str
    load_lanes: str
    store_lanes: str


#: A dtype that is stored only. bfloat16 is the upper half of a float32; rounding keeps a NaN a NaN.
NARROW = {
    "float16": Narrow(
        "LOAD_HALF({p}, {i})", "STORE_HALF({p}, {i}, {v})", "vload_half{n}(0, {p})", "vstore_half{n}_rte({v}, 0, {p})"
    ),
    "bfloat16": Narrow(
        "LOAD_BF16({p}, {i})",
        "STORE_BF16({p}, {i}, {v})",
        "as_float{n}(convert_uint{n}(vload{n}(0, {p})) << 16)",
        "vstore{n}(to_bf16_lanes({v}), 0, {p})",
    ),
}
#: Storage dtypes -> the dtype of registers.
REGISTER = dict.fromkeys(NARROW, "float32")

#: dtype -> name of the C type, as stored and (but for bool and what is narrow) as computed with.
C_TYPES = {
    "bool": "u8",
    "uint8": "u8",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
}
#: dtype -> OpenCL's name, to which the number of lanes is appended.
VECTOR_TYPES = {
    "bool": "int",
    "uint8": "uchar",
    "int8": "char",
    "int16": "short",
    "int32": "int",
    "int64": "long",
    "uint16": "ushort",
    "uint32": "uint",
    "uint64": "ulong",
    "float32": "float",
    "float64": "double",
}
SIZES = {"bool": 1, "uint8": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4}
SIZES |= dict.fromkeys(NARROW, 2)


def size_of(dtype: str) -> int:
    """Bytes of an element."""
    return SIZES.get(dtype, 8)


def kind_of(dtype: str) -> str:
    """b(ool), u(nsigned), i(nteger) or f(loat)."""
    return "b" if dtype == "bool" else "u" if dtype.startswith("u") else "f" if dtype in NARROW else dtype[0]


def is_float(dtype: Any) -> bool:
    """Return whether a native dtype is floating, which NumPy does not say of bfloat16."""
    return dtype.kind == "f" or dtype.name in NARROW


def c_type(dtype: str, lanes: int) -> str:
    """The type of a register: bool is 0 or 1 in a scalar, 0 or -1 in a lane."""
    if lanes == 1:
        return "int" if dtype == "bool" else C_TYPES[dtype]
    return f"{VECTOR_TYPES[dtype]}{lanes}"
