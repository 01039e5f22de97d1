"""From a program to the text of a kernel: loops, loads and stores around the scalar operations.

An iteration space has *kept* dimensions (those of the result) and *reduced* ones. Its innermost dimension carries the *lanes*.
Two schedules:

- `cpu`: a work-item takes 16 lanes as one vector, and all of the reduced dimensions by itself. No local memory.
- `gpu`: one lane per thread; where the lanes are reduced, 256 threads share a row and join their parts in local memory.

Where the lanes are kept ("K"), every lane has its own result; where they are reduced ("R"), a row has one.
"""

from __future__ import annotations

from typing import NamedTuple

from .dialect import C_TYPES, NARROW, OPENCL_DOUBLE, REGISTER, VECTOR_TYPES, Dialect, c_type
from .program import Program
from .scalar import cast, combine, compare, expression, function, identity, literal, vector_function
from .texts import read, write

#: Lanes of a vector in the schedule `cpu`, and threads of a group in the schedule `gpu`.
LANES = 16
GROUP = 256
#: Work-items of a group in the schedule `cpu`, where lanes are kept and where they are reduced.
ITEMS = 64
ROWS = 8


class Layout(NamedTuple):
    """All that the text of a kernel depends on, besides the program. Sizes and strides are arguments.

    `kept` and `reduced` count dimensions besides the one with the lanes. `loads` and `stores` have a letter per array: "c" the
    lanes are contiguous, "s" they are one element, "g" they have a stride; a store "=" writes in the order of the iteration.
    """

    schedule: str
    lanes: str = "K"
    kept: int = 0
    reduced: int = 0
    loads: str = ""
    stores: str = "="
    offsets: bool = False
    split: bool = False  # the outermost reduced dimension is cut into parts, one per GROUP(1)


def group_size(layout: Layout) -> tuple[int, int]:
    """Work-items (threads) of a group."""
    if layout.schedule == "gpu":
        return GROUP, 1
    return (ITEMS if layout.lanes == "K" and not layout.reduced else ROWS), 1


def lanes_of(schedule: str, dialect: Dialect) -> int:
    """Neighbouring elements that a work-item takes at once."""
    return LANES if schedule == "cpu" and dialect.vectors else 1


def render(program: Program, layout: Layout, dialect: Dialect, name: str = "kernel_") -> str:
    """The text of a kernel, with everything it needs but the dialect's prelude.

    Its arguments are: the number of lanes, the sizes of the kept, then of the reduced dimensions; with `split` the length of a
    part; then for every array that is read and written: its address, with `offsets` its offset, its strides along the kept and
    the reduced dimensions (not for a store "="), and for "g" that of the lanes; then the numbers.
    """
    return _Kernel(program, layout, dialect).text(name)


class _Kernel:
    def __init__(self, program: Program, layout: Layout, dialect: Dialect) -> None:
        self.program, self.layout, self.dialect = program, layout, dialect
        self.width = lanes_of(layout.schedule, dialect)
        self.level, self.of_row = program.levels()
        self.depth = max((self.level[i] for i, op in enumerate(program.instructions) if op.op == "reduce"), default=0)
        self.functions: dict[str, str] = {}
        self.lines: list[str] = []
        self.indent = 1
        self.row_lanes = 1 if layout.lanes == "R" else self.width

    # --- writing

    def line(self, text: str) -> None:
        self.lines.append("  " * self.indent + text)

    def open(self, text: str) -> None:
        self.line(text + " {")
        self.indent += 1

    def close(self) -> None:
        self.indent -= 1
        self.line("}")

    def text(self, name: str) -> str:
        self.body()
        arguments = ", ".join(self.arguments())
        x, y = group_size(self.layout)
        uses_double = any("f64" in line or "double" in line for line in [*self.lines, arguments])
        head = OPENCL_DOUBLE if uses_double and self.dialect.name == "opencl" else ""
        head += "".join(self.functions[f] + "\n" for f in sorted(self.functions))
        return f"{head}KERNEL GROUP_SIZE({x}, {y}) void {name}({arguments}) {{\n" + "\n".join(self.lines) + "\n}\n"

    def arguments(self) -> list[str]:
        layout = self.layout
        result = ["int n", *(f"int K{d}" for d in range(layout.kept)), *(f"int R{d}" for d in range(layout.reduced))]
        if layout.split:
            result.append("int part")
        for prefix, letters, dtypes, const in (
            ("p", layout.loads, self.program.loads, "const "),
            ("q", layout.stores, [d for _, d in self.program.stores], ""),
        ):
            for slot, (letter, dtype) in enumerate(zip(letters, dtypes, strict=True)):
                a = f"{prefix}{slot}"
                result.append(f"GLOBAL {const}{C_TYPES[dtype]}* {a}")
                if layout.offsets:
                    result.append(f"int {a}o")
                if letter != "=":
                    result += [f"int {a}k{d}" for d in range(layout.kept)] + [f"int {a}r{d}" for d in range(layout.reduced)]
                    if letter == "g":
                        result.append(f"int {a}l")
        return result + [f"{C_TYPES[d]} m{i}" for i, d in enumerate(self.program.numbers)]

    # --- the frame

    def body(self) -> None:
        layout = self.layout
        if layout.lanes == "K":
            per_row = "n" if self.width == 1 else f"((n + {self.width - 1}) / {self.width})"
            if layout.kept:
                self.line(f"int item = ID(0), row = item / {per_row};")
                self.line(f"int lane = (item - row * {per_row}) * {self.width};")
                self.line(f"if (row >= {' * '.join(f'K{d}' for d in range(layout.kept))}) return;")
            else:
                self.line(f"int lane = ID(0) * {self.width};")
                self.line("if (lane >= n) return;")
            if self.width > 1:
                self.line("int rest = n - lane;")
        elif self.layout.schedule == "gpu":
            self.line("int row = GROUP(0), thread = THREAD(0);")
        else:
            self.line("int row = ID(0), j;")
            self.line(f"if (row >= {' * '.join(f'K{d}' for d in range(layout.kept)) or '1'}) return;")
        if layout.kept:
            self.line("int left = row;")
            for d in reversed(range(layout.kept)):
                self.line(f"int k{d} = left % K{d};" + (f" left /= K{d};" if d else ""))
        if layout.split:
            whole = "R0" if layout.reduced else "n"
            self.line(f"int first = GROUP(1) * part, last = min(first + part, {whole});")
        for a, letter in self.arrays():
            self.line(f"int {a}b = {self.base(a, letter)};")
        if layout.lanes == "K" and self.width > 1:
            self.open(f"if (rest >= {self.width})")
            self.stages(full=True)
            self.close()
            self.open("else")
            self.stages(full=False)
            self.close()
        else:
            self.stages(full=True)

    def arrays(self) -> list[tuple[str, str]]:
        """(name, letter) of everything that is read or written."""
        return [(f"p{i}", c) for i, c in enumerate(self.layout.loads)] + [(f"q{i}", c) for i, c in enumerate(self.layout.stores)]

    def base(self, a: str, letter: str) -> str:
        layout = self.layout
        terms = [f"{a}o"] if layout.offsets else []
        if letter == "=":
            if layout.lanes == "R":
                slot = int(a[1:])
                whole_row = not self.of_row[self.program.stores[slot][0]]
                if layout.split:
                    whole = "R0" if layout.reduced else "n"
                    terms.append(f"row * (({whole} + part - 1) / part) + GROUP(1)" if layout.kept else "GROUP(1)")
                elif layout.kept:
                    terms.append("row * n" if whole_row else "row")
            else:
                rows = ["row * n"] if layout.kept else []
                if layout.split:
                    count = "((R0 + part - 1) / part)"
                    rows = [f"(row * {count} + GROUP(1)) * n" if layout.kept else "GROUP(1) * n"]
                terms += [*rows, "lane"]
        else:
            terms += [f"k{d} * {a}k{d}" for d in range(layout.kept)]
            if layout.lanes == "K":
                terms += ["lane"] if letter == "c" else [f"lane * {a}l"] if letter == "g" else []
        return " + ".join(terms) or "0"

    # --- stages: a loop per level of reductions, then the stores

    def stages(self, full: bool) -> None:
        program = self.program
        row_values: dict[int, str] = {}
        for level in range(self.depth):
            reduces = [i for i, ins in enumerate(program.instructions) if ins.op == "reduce" and self.level[i] == level + 1]
            for i in reduces:
                ins = program.instructions[i]
                T = c_type(ins.dtype, self.width)
                self.line(f"{T} a{i} = ({T})({identity(ins.detail, ins.dtype)});")
            self.loop(level, reduces, row_values, full)
            for i in reduces:
                self.finish(i)
                row_values[i] = f"a{i}"
        row_stores = [s for s, (value, _) in enumerate(program.stores) if self.of_row[value] and self.depth]
        element_stores = [s for s in range(len(program.stores)) if s not in row_stores]
        if element_stores:
            self.loop(self.depth, [], row_values, full, element_stores)
        if row_stores:
            shared = self.layout.lanes == "R" and self.layout.schedule == "gpu"
            if shared:
                self.open("if (thread == 0)")
            names: dict[int, str] = dict(row_values)
            for s in row_stores:
                value, dtype = program.stores[s]
                self.store(s, self.emit(value, names, full, self.row_lanes), dtype, f"q{s}b", full, self.row_lanes)
            if shared:
                self.close()

    def loop(
        self, level: int, reduces: list[int], row_values: dict[int, str], full: bool, stores: list[int] | None = None
    ) -> None:
        """All elements once: combine what the reductions of this level need, or store."""
        layout, before = self.layout, self.indent
        wanted = [self.program.stores[s][0] for s in stores or ()] + [self.program.instructions[i].args[0] for i in reduces]
        for value in self.row_needs(wanted):
            self.emit(value, row_values, full, self.row_lanes)
        flat = layout.lanes == "R" and layout.schedule == "gpu"
        if flat:  # threads of the group go through the elements of the row together
            sizes = [f"R{d}" for d in range(layout.reduced)] + ["n"]
            outer = sizes[0] if not layout.split else None
            total = " * ".join(([outer] if outer else ["(last - first)"]) + sizes[1:])
            self.open(f"for (int t = thread; t < {total}; t += {GROUP})")
            self.line("int u = t;")
            self.line("int j = u % n;" if len(sizes) > 1 else "int j = u;")
            if len(sizes) > 1:
                self.line("u /= n;")
            for d in reversed(range(layout.reduced)):
                self.line(f"int r{d} = u{f' % R{d}' if d else ''};" + (f" u /= R{d};" if d else ""))
            if layout.split:
                self.line("r0 += first;" if layout.reduced else "j += first;")
        else:
            for d in range(layout.reduced):
                low, high = ("first", "last") if layout.split and d == 0 else ("0", f"R{d}")
                self.open(f"for (int r{d} = {low}; r{d} < {high}; ++r{d})")
        if self.indent == before:  # names of one pass over the element are not those of the next
            self.line("{")
            self.indent += 1
        index = {a: self.position(a, c) for a, c in self.arrays()}
        if layout.lanes == "R" and not flat:
            low, high = ("first", "last") if layout.split and not layout.reduced else ("0", "n")
            self.line(f"j = {low};")
            self.open(f"for (; j + {self.width} <= {high}; j += {self.width})" if self.width > 1 else f"for (; j < {high}; ++j)")
            self.element(level, reduces, row_values, index, True, stores)
            self.close()
            if self.width > 1:
                self.open(f"if (j < {high})")
                self.line(f"int rest = {high} - j;")
                self.element(level, reduces, row_values, index, False, stores)
                self.close()
        else:
            self.element(level, reduces, row_values, index, full, stores)
        while self.indent > before:
            self.close()

    def position(self, a: str, letter: str) -> str:
        """Index of the current element (the first lane)."""
        terms = [f"{a}b"]
        if letter == "=":
            if self.layout.lanes == "R":
                terms.append("j")
        else:
            terms += [f"r{d} * {a}r{d}" for d in range(self.layout.reduced)]
            if self.layout.lanes == "R":
                terms += ["j"] if letter == "c" else [f"j * {a}l"] if letter == "g" else []
        return " + ".join(terms)

    def row_needs(self, wanted: list[int]) -> list[int]:
        """The values that are the same for a whole row and on which `wanted` depend directly."""
        found: list[int] = []

        def visit(i: int) -> None:
            if self.of_row[i]:
                if self.program.instructions[i].op not in ("const", "number"):
                    found.append(i)
                return
            for a in self.program.instructions[i].args:
                visit(a)

        for i in wanted:
            visit(i)
        return found

    def element(
        self,
        level: int,
        reduces: list[int],
        row_values: dict[int, str],
        index: dict[str, str],
        full: bool,
        stores: list[int] | None,
    ) -> None:
        program = self.program
        names: dict[int, str] = dict(row_values)
        self.index = index
        kept = program.kept
        if kept is not None and program.stores[0][1] != program.instructions[kept].dtype:
            kept = None  # a half would be rounded
        if kept is not None and self.level[kept] < level:
            dtype = program.stores[0][1]
            names[kept] = self.declare(kept, self.read("q0", self.layout.stores[0], dtype, index["q0"], full), self.width)
        for i in reduces:
            ins = program.instructions[i]
            value = self.emit(ins.args[0], names, full, self.width)
            if kept is not None and ins.args[0] == kept:
                self.store(0, value, program.stores[0][1], index["q0"], full, self.width)
            if not full and self.layout.lanes == "R":
                masked = self.masked(value, ins.dtype, identity(ins.detail, ins.dtype))
                self.line(f"{c_type(ins.dtype, self.width)} w{i} = {masked};")
                value = f"w{i}"
            self.line(f"a{i} = {combine(ins.detail, ins.dtype, f'a{i}', value, self.width)};")
        for s in stores or ():
            stored, dtype = program.stores[s]
            self.store(s, self.emit(stored, names, full, self.width), dtype, index[f"q{s}"], full, self.width)

    def masked(self, value: str, dtype: str, neutral: str) -> str:
        lanes = ", ".join(str(i) for i in range(self.width))
        T = c_type(dtype, self.width)
        mask = f"((int{self.width})({lanes}) < (int{self.width})(rest))"
        return expression("where", dtype, [mask, value, f"(({T})({neutral}))"], self.width)

    def finish(self, i: int) -> None:
        """One value out of the lanes of an accumulator, or out of the threads of a group."""
        ins = self.program.instructions[i]
        if self.layout.lanes == "K":
            return
        if self.layout.schedule == "gpu":
            T = c_type(ins.dtype, 1)
            self.line(f"LOCAL {T} s{i}[{GROUP}];")
            self.line(f"s{i}[thread] = a{i};")
            self.line("BARRIER;")
            self.open(f"for (int half_ = {GROUP // 2}; half_ > 0; half_ /= 2)")
            joined = combine(ins.detail, ins.dtype, f"s{i}[thread]", f"s{i}[thread + half_]", 1)
            self.line(f"if (thread < half_) s{i}[thread] = {joined};")
            self.line("BARRIER;")
            self.close()
            self.line(f"a{i} = s{i}[0];")
            return
        if self.width == 1:
            return
        width, name = self.width, f"a{i}"
        while width > 1:
            width //= 2
            T = c_type(ins.dtype, width)
            self.line(f"{T} a{i}_{width} = {combine(ins.detail, ins.dtype, f'{name}.lo', f'{name}.hi', width)};")
            name = f"a{i}_{width}"
        self.scalar_of[i] = name

    @property
    def scalar_of(self) -> dict[int, str]:
        """Names of the accumulators that were joined to a scalar."""
        if not hasattr(self, "_scalar_of"):
            self._scalar_of: dict[int, str] = {}
        return self._scalar_of

    # --- values

    def emit(self, i: int, names: dict[int, str], full: bool, lanes: int) -> str:
        """The name (or text) of value i with this many lanes, computed here if it was not before."""
        ins = self.program.instructions[i]
        T = c_type(ins.dtype, lanes)
        if ins.op == "const":
            text = literal(ins.detail, ins.dtype)
            return text if lanes == 1 else f"(({T})({'-' if ins.dtype == 'bool' else ''}{text}))"
        if ins.op == "number":
            return f"m{ins.detail}" if lanes == 1 else f"(({T})(m{ins.detail}))"
        if i in names:
            name = self.scalar_of.get(i, names[i])
            row_scalar = self.of_row[i] and self.row_lanes == 1 and lanes > 1
            return f"(({T})({'-' if ins.dtype == 'bool' else ''}{name}))" if row_scalar else name
        if ins.op == "load":
            slot = ins.detail
            text = self.read(f"p{slot}", self.layout.loads[slot], self.program.loads[slot], self.index[f"p{slot}"], full)
        else:
            own = self.row_lanes if self.of_row[i] else lanes
            if self.of_row[i] and own != lanes:
                self.emit(i, names, full, own)
                return self.emit(i, names, full, lanes)
            args = [self.emit(a, names, full, lanes) for a in ins.args]
            text = self.compute(i, args, lanes)
        names[i] = self.declare(i, text, lanes)
        return names[i]

    def compute(self, i: int, args: list[str], lanes: int) -> str:
        op, dtype, _, detail = self.program.instructions[i]
        if op == "cast":
            return cast(args[0], detail, dtype, lanes)
        if op == "compare":
            return compare(detail[0], args[0], args[1], detail[1], lanes)
        if op in ("isnan", "isinf", "isfinite"):
            return expression(op, detail, args, lanes)
        found = vector_function(op, dtype, lanes)
        if found is not None:
            self.functions[found[0]] = found[1]
            return f"{found[0]}({args[0]})"
        found = function(op, dtype)
        if found is None:
            return expression(op, dtype, args, lanes)
        name, self.functions[name] = found[0], found[1]
        if lanes == 1:
            return f"{name}({', '.join(args)})"
        calls = ", ".join(f"{name}({', '.join(f'{a}.s{lane:x}' for a in self.named(args, dtype))})" for lane in range(lanes))
        return f"(({c_type(dtype, lanes)})({calls}))"

    def named(self, args: list[str], dtype: str) -> list[str]:
        return [a if a.isidentifier() else f"({a})" for a in args]

    def declare(self, i: int, text: str, lanes: int) -> str:
        self.line(f"{c_type(self.program.instructions[i].dtype, lanes)} v{i} = {text};")
        return f"v{i}"

    # --- memory

    def read(self, a: str, letter: str, dtype: str, index: str, full: bool) -> str:
        width, storage = self.width, C_TYPES[dtype]
        if letter == "s" or width == 1:
            one, register = read(dtype, a, index), c_type(REGISTER.get(dtype, dtype), width)
            return one if width == 1 else f"(({register})({'-' if dtype == 'bool' else ''}{one}))"
        if letter in "c=" and full:
            if dtype in NARROW:
                return NARROW[dtype].load_lanes.format(n=width, p=f"{a} + ({index})")
            text = f"vload{width}(0, {a} + ({index}))"
        else:
            stride = f"{a}l" if letter == "g" else "1"
            name = f"read_{storage}"
            register = "uchar" if dtype == "bool" else VECTOR_TYPES[REGISTER.get(dtype, dtype)]
            value = read("uint8" if dtype == "bool" else dtype, "p", "(i < rest ? i : rest - 1) * stride")
            self.functions[name] = (
                f"DEVICE {register}{width} {name}(GLOBAL const {storage}* p, int stride, int rest) {{\n"
                f"  {register} t[{width}];\n  for (int i = 0; i < {width}; ++i) t[i] = {value};\n"
                f"  return vload{width}(0, t);\n}}"
            )
            text = f"{name}({a} + ({index}), {stride}, {f'{width}' if full else 'rest'})"
        return f"(convert_int{width}({text}) != 0)" if dtype == "bool" else text

    def store(self, slot: int, value: str, dtype: str, index: str, full: bool, lanes: int) -> None:
        a, letter, storage = f"q{slot}", self.layout.stores[slot], C_TYPES[dtype]
        if lanes == 1:
            self.line(f"{write(dtype, a, index, value)};")
            return
        if dtype == "bool":
            value = f"convert_uchar{lanes}(-{value})"
        source = self.program.instructions[self.program.stores[slot][0]].dtype
        if letter != "g" and full:
            if dtype in NARROW:
                self.line(f"{NARROW[dtype].store_lanes.format(n=lanes, p=f'{a} + ({index})', v=value)};")
            else:
                self.line(f"vstore{lanes}({value}, 0, {a} + ({index}));")
            return
        name = f"write_{storage}_{C_TYPES[source]}"
        register = "uchar" if dtype == "bool" else VECTOR_TYPES[source]
        one = write(dtype, "p", "i * stride", "t[i]")
        self.functions[name] = (
            f"DEVICE void {name}({register}{lanes} v, GLOBAL {storage}* p, int stride, int rest) {{\n"
            f"  {register} t[{lanes}];\n  vstore{lanes}(v, 0, t);\n"
            f"  for (int i = 0; i < rest; ++i) {one};\n}}"
        )
        self.line(f"{name}({value}, {a} + ({index}), {f'{a}l' if letter == 'g' else '1'}, {lanes if full else 'rest'});")
