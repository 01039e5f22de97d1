"""`break`, `continue` and early `return` become variables and conditions, so that only `if` and loops are left.

What follows an `if` of which one branch leaves the block moves into the other branch; only where that is not enough, a flag says
whether control is still here. `while` and `for` get the flags that end them: in the test, or in `node.flags`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from typing import NamedTuple, final

from .flow import Try, always_raises, ends, exits
from .source import PREFIX

RESULT = PREFIX + "result"
RETURNED = PREFIX + "returned"


class _Loop(NamedTuple):
    broke: str
    continued: str


def read(name: str) -> ast.Name:
    """The value of a variable."""
    return ast.Name(name, ast.Load())


def assign(name: str, value: ast.expr) -> ast.Assign:
    """`name = value`."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def placed(node: ast.AST, at: ast.AST) -> ast.AST:
    """The node and all new nodes inside of it, at the place of another one; of a compound statement, at its first line."""
    for inner in ast.walk(node):
        if "lineno" in inner._attributes and not hasattr(inner, "lineno"):
            ast.copy_location(inner, at)
            if isinstance(at, ast.stmt) and at.end_lineno != at.lineno:
                # Python says that a call of several lines happens in its last one
                inner.end_lineno, inner.end_col_offset = at.lineno, at.col_offset  # type: ignore[attr-defined]
    return node


def lower(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a function without `break` and `continue`, and with `return` at the end only."""
    lowering = _Lowering()
    if "return" in exits(body[:-1]) or (not isinstance(body[-1], ast.Return) and "return" in exits(body)):
        end: list[ast.stmt] = [] if ends(body) else [ast.copy_location(ast.Return(ast.Constant(None)), body[-1])]
        for s in end:
            placed(s, body[-1])
        made = lowering.block([*body, *end], None)
        begin: list[ast.stmt] = [assign(RETURNED, ast.Constant(False))] if RETURNED in lowering.asked else []
        made = [*begin, *made, ast.Return(read(RESULT))]
        placed(made[0], body[0])
        placed(made[-1], body[-1])
    else:
        made = lowering.block(body, None, returns=False)
    return _Hoisting(lowering.asked).block(made)


@final
class _Lowering:
    def __init__(self) -> None:
        self.asked: set[str] = set()  # flags that some condition reads
        self._count = itertools.count(1)
        self._returns = True

    def block(self, statements: Sequence[ast.stmt], loop: _Loop | None, *, returns: bool = True) -> list[ast.stmt]:
        """The statements, ending where control always leaves."""
        self._returns = returns
        return self._block(list(statements), loop)

    def _block(self, statements: list[ast.stmt], loop: _Loop | None) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for position, s in enumerate(statements):
            rest = statements[position + 1 :]
            left, leaves = self._left([s], loop), ends([s])
            if isinstance(s, ast.Return) and self._returns:
                value = s.value or ast.Constant(None)
                made += self._at(s, assign(RESULT, value), assign(RETURNED, ast.Constant(True)))
                return made
            if isinstance(s, (ast.Break, ast.Continue)) and loop is not None:
                flag = loop.broke if isinstance(s, ast.Break) else loop.continued
                return made + self._at(s, assign(flag, ast.Constant(True)))
            if isinstance(s, (ast.While, ast.For)):
                made += self._loop(s, loop)
            elif isinstance(s, ast.If):
                if left and ends(s.body):
                    return made + [self._if(s, s.body, s.orelse + rest, loop)]
                if left and s.orelse and ends(s.orelse):
                    return made + [self._if(s, s.body + rest, s.orelse, loop)]
                made.append(self._if(s, s.body, s.orelse, loop))
            else:
                made.append(self._inside(s, loop))
            if leaves:
                return made
            if left and rest:
                return made + self._guarded(rest, left, loop)
        return made

    def _at(self, place: ast.stmt, *made: ast.stmt) -> list[ast.stmt]:
        for s in made:
            placed(s, place)
        return list(made)

    def _if(self, s: ast.If, body: list[ast.stmt], orelse: list[ast.stmt], loop: _Loop | None) -> ast.If:
        made = ast.If(s.test, self._block(body, loop) or self._at(s, ast.Pass()), self._block(orelse, loop))
        made.raises = always_raises(s.body), always_raises(s.orelse)  # type: ignore[attr-defined]
        return ast.copy_location(made, s)

    def _left(self, statements: list[ast.stmt], loop: _Loop | None) -> list[str]:
        """The flags that say whether control has left these statements."""
        kinds = exits(statements)
        flags = [RETURNED] if "return" in kinds and self._returns else []
        if loop is not None:
            flags += [loop.broke] if "break" in kinds else []
            flags += [loop.continued] if "continue" in kinds else []
        return flags

    def _guarded(self, rest: list[ast.stmt], flags: list[str], loop: _Loop | None) -> list[ast.stmt]:
        made = self._block(rest, loop)
        return self._at(rest[0], ast.If(self._none_of(flags), made, [])) if made else []

    def _none_of(self, flags: list[str]) -> ast.expr:
        self.asked.update(flags)
        tests: list[ast.expr] = [read(flag) for flag in flags]
        return ast.UnaryOp(ast.Not(), tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests))

    def _loop(self, s: ast.While | ast.For, outer: _Loop | None) -> list[ast.stmt]:
        if isinstance(s, ast.While) and any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(s.test)):
            # what the test binds is bound in the body
            leave = ast.If(ast.UnaryOp(ast.Not(), s.test), [ast.Break()], [])
            s = ast.copy_location(ast.While(ast.Constant(True), [leave, *s.body], s.orelse), s)
            placed(s, s)
        number = next(self._count)
        loop = _Loop(f"{PREFIX}broke_{number}", f"{PREFIX}continued_{number}")
        body = self._block(s.body, loop)
        if loop.continued in self.asked:
            body = self._at(s, assign(loop.continued, ast.Constant(False))) + body
        flags = [flag for flag in self._left(s.body, loop) if flag != loop.continued]
        begin: list[ast.stmt] = []
        if loop.broke in flags:
            begin = self._at(s, assign(loop.broke, ast.Constant(False)))
        made: ast.While | ast.For
        if isinstance(s, ast.While):
            test = s.test
            if flags:
                test = self._none_of(flags)
                if not (isinstance(s.test, ast.Constant) and s.test.value):
                    test = ast.BoolOp(ast.And(), [test, s.test])
            made = ast.While(test, body, [])
        else:
            made = ast.For(s.target, s.iter, body, [])
            made.flags = flags  # type: ignore[attr-defined]
            self.asked.update(flags)
        after: list[ast.stmt] = []
        if s.orelse:
            after = self._guarded(s.orelse, flags, outer) if flags else self._block(s.orelse, outer)
        return [*begin, ast.copy_location(placed(made, s), s), *after]  # type: ignore[list-item]

    def _inside(self, s: ast.stmt, loop: _Loop | None) -> ast.stmt:
        """A `with`, `try` or `match` with its blocks lowered."""
        if isinstance(s, ast.With):
            s.body = self._block(s.body, loop) or self._at(s, ast.Pass())
        elif isinstance(s, Try):
            flags = self._left(s.body, loop)  # type: ignore[attr-defined]
            s.body = self._block(s.body, loop)  # type: ignore[attr-defined]
            for handler in s.handlers:  # type: ignore[attr-defined]
                handler.body = self._block(handler.body, loop)
            if s.orelse:  # type: ignore[attr-defined]
                rest = s.orelse  # type: ignore[attr-defined]
                s.orelse = self._guarded(rest, flags, loop) if flags else self._block(rest, loop)  # type: ignore[attr-defined]
            s.finalbody = self._block(s.finalbody, loop)  # type: ignore[attr-defined]
        elif isinstance(s, ast.Match):
            for case in s.cases:
                case.body = self._block(case.body, loop) or self._at(s, ast.Pass())
        return s


def flag_of(s: ast.stmt) -> str | None:
    """The flag that a statement sets, if it is one that the lowering made."""
    if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name) and isinstance(s.value, ast.Constant):
        name = s.targets[0].id
        if s.value.value is True and name.startswith(PREFIX) and name != RESULT:
            return name
    return None


@final
class _Hoisting:
    """Flags that nobody asks go; `if test: flag = True; ...` becomes `flag = test; if flag: ...`, which is smaller recorded.

    Nothing is lost: where a flag may be set, it is False before, or control would not be there.
    """

    def __init__(self, asked: set[str]) -> None:
        self.asked = asked

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """The statements, changed."""
        made: list[ast.stmt] = []
        for s in statements:
            if flag_of(s) is not None and flag_of(s) not in self.asked:
                continue
            made += self._if(s) if isinstance(s, ast.If) else [self._inside(s)]
        return made

    def _inside(self, s: ast.stmt) -> ast.stmt:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(s, name, None)
            if isinstance(block, list) and not isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                filled = self.block(block)
                setattr(s, name, filled or ([ast.copy_location(ast.Pass(), s)] if block else []))
        for part in (*getattr(s, "handlers", ()), *getattr(s, "cases", ())):
            part.body = self.block(part.body) or [ast.copy_location(ast.Pass(), s)]
        return s

    def _if(self, s: ast.If) -> list[ast.stmt]:
        body, orelse = self.block(s.body), self.block(s.orelse)
        for block, other, test in (
            (body, orelse, s.test),
            (orelse, body, ast.copy_location(ast.UnaryOp(ast.Not(), s.test), s.test)),
        ):
            flags = [name for inner in block if (name := flag_of(inner)) is not None]
            if flags:
                made: list[ast.stmt] = [assign(flags[0], _truth(test))]
                made += [assign(flag, read(flags[0])) for flag in flags[1:]]
                block = [inner for inner in block if flag_of(inner) is None and not isinstance(inner, ast.Pass)]
                other = [inner for inner in other if not isinstance(inner, ast.Pass)]
                if block:
                    made.append(ast.If(read(flags[0]), block, other))
                elif other:
                    made.append(ast.If(ast.UnaryOp(ast.Not(), read(flags[0])), other, []))
                for inner in made:
                    ast.copy_location(placed(inner, s), s)
                return made
        new = ast.copy_location(ast.If(s.test, body or [ast.copy_location(ast.Pass(), s)], orelse), s)
        new.raises = getattr(s, "raises", (False, False))  # type: ignore[attr-defined]
        return [new]


def _truth(test: ast.expr) -> ast.expr:
    """The test as a truth value."""
    call = ast.Call(read(PREFIX + "truth"), [test], [])
    return placed(call, test)  # type: ignore[return-value]
