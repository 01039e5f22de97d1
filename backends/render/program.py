"""Programs: what a kernel computes for one element, as a list of scalar operations, each of which makes one value (SSA).

    p = Program()
    x = p.load("float32")
    top = p.reduce("max", x)
    e = p.keep(p.op("exp", x - top))
    p.store(e / p.reduce("sum", e))

is a row-wise softmax: `reduce` combines a value over the reduced dimensions, and what depends on its result is computed after it.
A program knows no shapes, no threads and no language; `loops.py` writes the kernel around it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

from .dialect import REGISTER, kind_of

#: Ops that are one scalar operation each, on two values or on one.
BINARY = (
    "add sub mul div floor_divide remainder fmod power maximum minimum atan2 hypot bitwise_and bitwise_or bitwise_xor "
    "bitwise_left_shift bitwise_right_shift"
).split()
UNARY = (
    "neg abs sign exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square sin cos tan asin acos atan sinh cosh tanh "
    "asinh acosh atanh erf erfc bitwise_not"
).split()
ROUNDING = "floor ceil trunc round_half_even".split()
#: Those with a bool result.
COMPARISONS = "eq ne lt le gt ge logical_and logical_or logical_xor".split()
TESTS = "isnan isinf isfinite logical_not".split()

#: Operations on bool that are others on bits.
_ON_BOOL = {
    "add": "or",
    "maximum": "or",
    "mul": "and",
    "minimum": "and",
    "logical_and": "and",
    "logical_or": "or",
    "logical_xor": "xor",
    "logical_not": "not",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "bitwise_xor": "xor",
    "bitwise_not": "not",
    "ne": "xor",
}
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class Instruction(NamedTuple):
    """`op` is "load", "number", "const", "cast", "reduce", or a scalar operation; `detail` a slot, a number, or a name."""

    op: str
    dtype: str
    args: tuple[int, ...] = ()
    detail: Any = None


@final
class Value:
    """The result of an instruction; Python's operators append instructions."""

    __slots__ = ("index", "program")

    def __init__(self, program: Program, index: int) -> None:
        self.program = program
        self.index = index

    @property
    def dtype(self) -> str:
        return self.program.instructions[self.index].dtype

    def __add__(self, other: Any) -> Value:
        return self.program.op("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self.program.op("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self.program.op("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.program.op("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.program.op("mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self.program.op("mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self.program.op("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.program.op("div", other, self)

    def __neg__(self) -> Value:
        return self.program.op("neg", self)


@final
class Program:
    """Instructions in order, the storage dtypes of what is loaded and stored, and what is stored."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.loads: list[str] = []
        self.numbers: list[str] = []
        self.stores: list[tuple[int, str]] = []
        self.kept: int | None = None
        self._known: dict[Instruction, int] = {}

    @property
    def key(self) -> Any:
        """Equal for programs that compute the same."""
        return tuple(self.instructions), tuple(self.loads), tuple(self.numbers), tuple(self.stores), self.kept

    def _emit(self, instruction: Instruction) -> Value:
        index = self._known.get(instruction)
        if index is None:
            index = self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return Value(self, index)

    def load(self, dtype: str) -> Value:
        """The element of the next input array."""
        self.loads.append(dtype)
        return self._emit(Instruction("load", REGISTER.get(dtype, dtype), (), len(self.loads) - 1))

    def number(self, dtype: str) -> Value:
        """The next number given at launch."""
        dtype = REGISTER.get(dtype, dtype)
        self.numbers.append(dtype)
        return self._emit(Instruction("number", dtype, (), len(self.numbers) - 1))

    def const(self, value: Any, dtype: str) -> Value:
        """A number written into the kernel."""
        value = bool(value) if dtype == "bool" else float(value) if kind_of(dtype) == "f" else int(value)
        return self._emit(Instruction("const", REGISTER.get(dtype, dtype), (), repr(value)))

    @staticmethod
    def register(dtype: str) -> str:
        """The dtype that an element of `dtype` is computed with."""
        return REGISTER.get(dtype, dtype)

    def cast(self, x: Value, dtype: str) -> Value:
        """`x` converted; from float to bool, whether it is not 0."""
        dtype = REGISTER.get(dtype, dtype)
        return x if x.dtype == dtype else self._emit(Instruction("cast", dtype, (x.index,), x.dtype))

    def rounded(self, x: Value, dtype: str) -> Value:
        """`x` converted, and as exact as `dtype` is, also where it is not stored."""
        x = self.cast(x, dtype)
        return x if dtype not in REGISTER else self._emit(Instruction(f"round_{dtype}", x.dtype, (x.index,)))

    def op(self, name: str, *operands: Any) -> Value:
        """A scalar operation; operands have one dtype, and Python numbers take that of the others."""
        dtypes = (v.dtype for v in reversed(operands) if isinstance(v, Value) and (v.dtype != "bool" or name != "where"))
        dtype = next(dtypes, "bool")
        values = [v if isinstance(v, Value) else self.const(v, dtype) for v in operands]
        if name in ("where", "cast"):
            return self._emit(Instruction(name, dtype, tuple(v.index for v in values)))
        if name in ("isnan", "isinf", "isfinite") and not dtype.startswith("float"):
            return self.const(name == "isfinite", "bool")
        if dtype == "bool":
            return self._on_bool(name, values)
        if name.startswith("logical_"):
            return self._on_bool(name, [self.cast(v, "bool") for v in values])
        if name in _SIGNS:
            return self._emit(Instruction("compare", "bool", tuple(v.index for v in values), (_SIGNS[name], dtype)))
        if name in ("isnan", "isinf", "isfinite"):
            return self._emit(Instruction(name, "bool", tuple(v.index for v in values), dtype))
        return self._emit(Instruction(name, dtype, tuple(v.index for v in values)))

    def _on_bool(self, name: str, values: list[Value]) -> Value:
        def bits(op: str, *args: Value) -> Value:
            return self._emit(Instruction(op, "bool", tuple(v.index for v in args)))

        if name == "abs":
            return values[0]
        if name in ("and", "or", "xor", "not"):
            return bits(name, *values)
        if name in _ON_BOOL:
            return bits(_ON_BOOL[name], *values)
        a, b = values
        if name == "eq":
            return bits("not", bits("xor", a, b))
        if name in ("lt", "le"):
            return bits("and" if name == "lt" else "or", bits("not", a), b)
        if name in ("gt", "ge"):
            return bits("and" if name == "gt" else "or", a, bits("not", b))
        raise TypeError(f"{name} is not defined for bool")

    def reduce(self, name: str, x: Value) -> Value:
        """`x` combined over the reduced dimensions by "sum", "prod", "max" or "min" (NaN wins)."""
        return self._emit(Instruction("reduce", x.dtype, (x.index,), name))

    def keep(self, x: Value) -> Value:
        """`x`, which later loops need not compute again: it waits in the memory of the first store."""
        self.kept = x.index
        return x

    def store(self, x: Value, dtype: str | None = None) -> None:
        """The next output array gets `x`, stored as `dtype`."""
        dtype = dtype or x.dtype
        x = self.cast(x, dtype) if not (dtype == "float16" and x.dtype == "float64") else x
        self.stores.append((x.index, dtype))

    # --- what the renderer asks

    def levels(self) -> tuple[list[int], list[bool]]:
        """For every value: how many reductions come before it, and whether it is the same for a whole row."""
        level: list[int] = []
        of_row: list[bool] = []
        for op, _, args, _ in self.instructions:
            most = max((level[a] for a in args), default=0)
            level.append(most + 1 if op == "reduce" else most)
            of_row.append(op == "reduce" or (op != "load" and all(of_row[a] for a in args)))
        return level, of_row

    def reduces(self) -> bool:
        return any(i.op == "reduce" for i in self.instructions)

    def halves(self) -> tuple[Program, Program]:
        """A program whose stores follow one level of reductions, as two: up to the partial results, and from there on."""
        first, second = Program(), Program()
        first.instructions, first.loads, first.numbers = list(self.instructions), list(self.loads), list(self.numbers)
        second.numbers = list(self.numbers)
        moved: dict[int, int] = {}
        _, of_row = self.levels()
        for i, instruction in enumerate(self.instructions):
            if instruction.op == "reduce":
                first.stores.append((i, instruction.dtype))
                moved[i] = second.reduce(instruction.detail, second.load(instruction.dtype)).index
            elif of_row[i]:
                moved[i] = second._emit(instruction._replace(args=tuple(moved[a] for a in instruction.args))).index
        second.stores = [(moved[value], dtype) for value, dtype in self.stores]
        return first, second
