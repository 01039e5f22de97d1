"""Scalar operations as text: one entry per operation, for scalars and for lanes of a vector.

An entry is a C expression in its operands; {T} is their type. Entries of `FUNCTIONS` are C functions on scalars, which a vector
calls lane by lane.
"""

from __future__ import annotations

from ..numpy.erf import ERF32, ERFC32
from .dialect import C_TYPES, NARROW, VECTOR_TYPES, c_type, kind_of, size_of
from .texts import read, write

#: Operation -> expression, for every kind of number and for scalars and vectors alike.
_INFIX = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "neg": "(-{0})",
    "square": "({0} * {0})",
    "bitwise_and": "({0} & {1})",
    "bitwise_or": "({0} | {1})",
    "bitwise_xor": "({0} ^ {1})",
    "bitwise_not": "(~{0})",
}
#: Functions of C that OpenCL and CUDA call by the same name, for float and double, and OpenCL for vectors of them.
_SAME_NAME = {
    name: name
    for name in (
        "exp exp2 expm1 log log2 log10 log1p sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc floor "
        "ceil trunc fmod atan2 hypot"
    ).split()
} | {"round_half_even": "rint", "abs": "fabs", "power": "pow"}

#: Functions on scalars, of floats (f) and of integers (i, u), with the name {name} and the type {T}.
FUNCTIONS = {
    ("floor_divide", "f"): """DEVICE {T} {name}({T} a, {T} b) {{
  if (b == 0) return a / b;
  {T} m = fmod(a, b), d = (a - m) / b;
  if (m != 0 && (b < 0) != (m < 0)) d -= 1;
  if (d == 0) return copysign(({T})0, a / b);
  {T} r = floor(d);
  return d - r > ({T})0.5 ? r + 1 : r;
}}""",
    ("remainder", "f"): """DEVICE {T} {name}({T} a, {T} b) {{
  {T} m = fmod(a, b);
  if (b == 0) return m;
  if (m == 0) return copysign(({T})0, b);
  return (b < 0) != (m < 0) ? m + b : m;
}}""",
    ("floor_divide", "i"): """DEVICE {T} {name}({T} a, {T} b) {{
  if (b == 0) return 0;
  if (b == -1) return ({T})(-a);
  {T} q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}}""",
    ("remainder", "i"): """DEVICE {T} {name}({T} a, {T} b) {{
  if (b == 0 || b == -1) return 0;
  {T} m = a % b;
  return (m != 0 && (m < 0) != (b < 0)) ? m + b : m;
}}""",
    ("fmod", "i"): "DEVICE {T} {name}({T} a, {T} b) {{ return b == 0 || b == -1 ? 0 : a % b; }}",
    ("floor_divide", "u"): "DEVICE {T} {name}({T} a, {T} b) {{ return b == 0 ? 0 : a / b; }}",
    ("remainder", "u"): "DEVICE {T} {name}({T} a, {T} b) {{ return b == 0 ? 0 : a % b; }}",
    ("fmod", "u"): "DEVICE {T} {name}({T} a, {T} b) {{ return b == 0 ? 0 : a % b; }}",
    # lane by lane: pow(double8) of PoCL 3.1 is wrong, (-1)**2 = 0.25 beside other lanes
    ("power", "float64"): "DEVICE {T} {name}({T} a, {T} b) {{ return pow(a, b); }}",
    ("power", "i"): """DEVICE {T} {name}({T} a, {T} b) {{
  {T} y = 1;
  if (b < 0) return a == 1 ? 1 : a == -1 ? ((b & 1) ? -1 : 1) : 0;
  for (; b; b >>= 1) {{ if (b & 1) y = ({T})(y * a); a = ({T})(a * a); }}
  return y;
}}""",
    ("power", "u"): """DEVICE {T} {name}({T} a, {T} b) {{
  {T} y = 1;
  for (; b; b >>= 1) {{ if (b & 1) y = ({T})(y * a); a = ({T})(a * a); }}
  return y;
}}""",
    ("bitwise_left_shift", "i"): "DEVICE {T} {name}({T} a, {T} b) {{ return b < 0 || b >= {bits} ? 0 : ({T})(a << b); }}",
    ("bitwise_right_shift", "i"): "DEVICE {T} {name}({T} a, {T} b) {{ return a >> (b < 0 || b >= {bits} ? {bits} - 1 : b); }}",
    ("bitwise_left_shift", "u"): "DEVICE {T} {name}({T} a, {T} b) {{ return b >= {bits} ? 0 : ({T})(a << b); }}",
    ("bitwise_right_shift", "u"): "DEVICE {T} {name}({T} a, {T} b) {{ return b >= {bits} ? 0 : ({T})(a >> b); }}",
}

#: A number as it would be after being stored in 16 bits. OpenCL without half arithmetic has pointers to halves only.
FUNCTIONS |= {
    (f"round_{name}", "float32"): "DEVICE {T} {name}({T} a) {{ "
    + f"u16 bits[1]; {C_TYPES[name]}* t = ({C_TYPES[name]}*)bits; {write(name, 't', '0', 'a')}; return {read(name, 't', '0')};"
    + " }}"
    for name in NARROW
}


def _polynomial(x: str, coefficients: tuple[float, ...]) -> str:
    """Horner's scheme on vectors of float; C(number) is a vector."""
    first, *rest = (f"C({c!r}f)" for c in coefficients)
    for c in rest:
        first = f"fma({first}, {x}, {c})"
    return first


#: Functions on whole vectors of float, where a runtime's own go lane by lane: Cephes' tanhf, a fraction for erf, and the erfc of
#: the NumPy backend, with what the rounding of the square loses.
VECTOR_FUNCTIONS = {
    "tanh": """DEVICE float{n} tanh_lanes(float{n} x) {{
  float{n} s = x * x;
  float{n} near = fma(s, fma(s, fma(s, fma(s, C(-5.70498872745e-3f), C(2.06390887954e-2f)), C(-5.37397155531e-2f)),
    C(1.33314422036e-1f)), C(-3.33332819422e-1f)) * s * x + x;
  float{n} far = copysign(1.0f - 2.0f / (exp(fabs(x) * 2.0f) + 1.0f), x);
  return select(far, near, fabs(x) < 0.625f);
}}""",
    "erf": """DEVICE float{n} erf_lanes(float{n} x) {{
  float{n} z = select(clamp(x, -4.0f, 4.0f), x, x != x), s = z * z;
  float{n} top = fma(s, fma(s, fma(s, fma(s, fma(s, fma(s, C(-2.72614225801306e-10f), C(2.77068142495902e-08f)),
    C(-2.10102402082508e-06f)), C(-5.69250639462346e-05f)), C(-7.34990630326855e-04f)), C(-2.95459980854025e-03f)),
    C(-1.60960333262415e-02f));
  float{n} bottom = fma(s, fma(s, fma(s, fma(s, C(-1.45660718464996e-05f), C(-2.13374055278905e-04f)), C(-1.68282697438203e-03f)),
    C(-7.37332916720468e-03f)), C(-1.42647390514189e-02f));
  return z * (top / bottom); // a product with `top` would lose the digits of denormal numbers
}}""",
    "erfc": f"""DEVICE float{{n}} erfc_lanes(float{{n}} x) {{{{
  float{{n}} a = fabs(x), z = select(fmin(a, 11.0f), x, x != x), s = z * z, b = fmin(s, 0.25f);
  float{{n}} upper = as_float{{n}}(as_int{{n}}(z) & -4096), lost = (upper * upper - s) + (z - upper) * (z + upper);
  float{{n}} t = 1.0f / (1.0f + z * 0.5f);
  float{{n}} tail = exp(-s) * (1.0f - lost) * t * ({_polynomial("t", ERFC32)});
  float{{n}} near = 1.0f - x * ({_polynomial("b", ERF32)});
  return select(select(tail, 2.0f - tail, x < 0.0f), near, a < 0.5f);
}}}}""",
}

# PoCL 3.1 reduces all arguments of a vector in the way that its largest one needs, which is wrong for small ones.
VECTOR_FUNCTIONS |= {
    op: f"""DEVICE float{{n}} {op}_lanes(float{{n}} x) {{{{
  int{{n}} far = fabs(x) > 10000.0f;
  float{{n}} y = {op}(select(x, C(0.0f), far));
  if (any(far)) {{{{
    float lane[{{n}}];
    vstore{{n}}(x, 0, lane);
    for (int i = 0; i < {{n}}; i++) lane[i] = {op}(lane[i]);
    y = select(y, vload{{n}}(0, lane), far);
  }}}}
  return y;
}}}}"""
    for op in ("sin", "cos", "tan")
}


def vector_function(op: str, dtype: str, lanes: int) -> tuple[str, str] | None:
    """(name, text) of the function that computes `op` on a vector, where there is one."""
    text = VECTOR_FUNCTIONS.get(op) if dtype == "float32" and lanes > 1 else None
    return None if text is None else (f"{op}_lanes", text.replace("C(", "(float{n})(").format(n=lanes))


def function(op: str, dtype: str) -> tuple[str, str] | None:
    """(name, text) of the C function that computes `op`, where there is one."""
    text = FUNCTIONS.get((op, dtype), FUNCTIONS.get((op, kind_of(dtype))))
    if text is None:
        return None
    name = f"{op}_{C_TYPES[dtype]}"
    return name, text.format(T=C_TYPES[dtype], name=name, bits=8 * size_of(dtype))


def literal(text: str, dtype: str) -> str:
    """A number as C."""
    if dtype == "bool":
        return "1" if text == "True" else "0"
    if not dtype.startswith("float"):
        value = int(text)
        if value == -(2**63):
            return "(-9223372036854775807L - 1)"
        return f"({C_TYPES[dtype]}){value}{'UL' if dtype == 'uint64' else 'L' if dtype == 'int64' else ''}"
    if text in ("inf", "-inf"):
        return f"(({C_TYPES[dtype]}){'-' if text[0] == '-' else ''}INFINITY)"
    if text == "nan":
        return f"(({C_TYPES[dtype]})NAN)"
    number = text if any(c in text for c in ".en") else text + ".0"
    return f"({number}f)" if dtype == "float32" else f"({number})"


def pick(mask: str, a: str, b: str, dtype: str, lanes: int) -> str:
    """a where mask, else b."""
    if lanes == 1:
        return f"({mask} ? {a} : {b})"
    if dtype == "bool":
        return f"(({mask} & {a}) | (~{mask} & {b}))"
    size = size_of(dtype)
    return f"select({b}, {a}, {mask if size == 4 else f'convert_{_signed(size)}{lanes}({mask})'})"


def _signed(size: int) -> str:
    return {1: "char", 2: "short", 4: "int", 8: "long"}[size]


def compare(sign: str, a: str, b: str, dtype: str, lanes: int) -> str:
    """A bool register."""
    text = f"({a} {sign} {b})"
    return text if lanes == 1 or size_of(dtype) == 4 else f"convert_int{lanes}{text}"


def cast(x: str, source: str, target: str, lanes: int) -> str:
    """x converted, as NumPy does."""
    if source == target:
        return x
    if target == "bool":
        return compare("!=", x, f"(({c_type(source, lanes)})(0))", source, lanes)
    if lanes > 1 and source == "bool":
        x = f"(-{x})"
    if kind_of(source) == "f" and target == "uint64":  # below 0 the bits of the signed number count
        if lanes == 1:
            return f"({x} < 0 ? (u64)(i64){x} : (u64){x})"
        signed = f"as_ulong{lanes}(convert_long{lanes}({x}))"
        return f"select(convert_ulong{lanes}({x}), {signed}, convert_long{lanes}({x} < ({c_type(source, lanes)})(0)))"
    through = ""
    if kind_of(source) == "f" and kind_of(target) in "iu" and (size_of(target) < 4 or target == "uint32"):
        through = "int64"  # out of range, the low bits count
    if lanes == 1:
        return f"(({C_TYPES[target]}){f'({C_TYPES[through]})' if through else ''}{x})"
    inner = f"convert_{VECTOR_TYPES[through]}{lanes}({x})" if through else x
    return f"convert_{VECTOR_TYPES[target]}{lanes}({inner})"


def expression(op: str, dtype: str, args: list[str], lanes: int) -> str:
    """The text of a scalar operation on registers of `dtype` (the dtype of the result, but for tests such as isnan)."""
    kind = kind_of(dtype)
    T = c_type(dtype, lanes)
    if kind == "b":
        if op == "where":
            return pick(args[0], args[1], args[2], dtype, lanes)
        sign = {"and": "&", "or": "|", "xor": "^"}.get(op)
        return f"({args[0]} {sign} {args[1]})" if sign else f"(!{args[0]})" if lanes == 1 else f"(~{args[0]})"
    one, zero = f"(({T})(1))", f"(({T})(0))"

    def test(sign: str, a: str, b: str) -> str:
        return compare(sign, a, b, dtype, lanes)

    if kind == "f" and op.startswith("bitwise"):
        raise TypeError(f"{op} is not defined for {dtype}")
    if op in _INFIX:
        text = _INFIX[op].format(*args)
        return f"(({T}){text})" if lanes == 1 and size_of(dtype) < 4 else text
    if op == "div":
        return f"({args[0]} / {args[1]})"
    if op == "where":
        return pick(args[0], args[1], args[2], dtype, lanes)
    if op in ("maximum", "minimum"):
        a, b = args
        wins = test(">" if op == "maximum" else "<", a, b)
        return pick(f"({wins} | {test('!=', a, a)})" if kind == "f" else wins, a, b, dtype, lanes)
    if op == "sign":
        x = args[0]
        zeroed = pick(test("==", x, zero), zero, x, dtype, lanes)
        negative = pick(test("<", x, zero), f"(({T})(-1))", zeroed, dtype, lanes) if kind != "u" else zeroed
        return pick(test(">", x, zero), one, negative, dtype, lanes)
    if kind != "f":
        if op == "abs":
            return args[0] if kind == "u" else pick(test("<", args[0], zero), f"(({T})(-{args[0]}))", args[0], dtype, lanes)
        if op in ("floor", "ceil", "trunc", "round_half_even"):
            return args[0]
        raise TypeError(f"{op} is not defined for {dtype}")
    if op == "isnan":
        return test("!=", args[0], args[0])
    if op == "isinf":
        return test("==", f"fabs({args[0]})", f"(({T})(INFINITY))")
    if op == "isfinite":
        return test("<", f"fabs({args[0]})", f"(({T})(INFINITY))")
    if op == "reciprocal":
        return f"({one} / {args[0]})"
    if op == "rsqrt":
        return f"({one} / sqrt({args[0]}))"
    if op in _SAME_NAME:
        return f"{_SAME_NAME[op]}({', '.join(args)})"
    raise TypeError(f"{op} is not defined for {dtype}")


def combine(name: str, dtype: str, a: str, b: str, lanes: int) -> str:
    """Two partial results of a reduction as one."""
    return expression({"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}[name], dtype, [a, b], lanes)


def identity(name: str, dtype: str) -> str:
    """The number that changes nothing in a reduction."""
    if name in ("sum", "prod"):
        return literal(("0.0" if name == "sum" else "1.0") if dtype.startswith("float") else str(int(name == "prod")), dtype)
    if dtype.startswith("float"):
        return literal("-inf" if name == "max" else "inf", dtype)
    bits, signed = 8 * size_of(dtype), kind_of(dtype) == "i"
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return literal(str(low if name == "max" else high), dtype)
