"""What a function's statements read, write and leave: the facts that the rewriter decides by.

All functions speak of the variables of one function. Functions defined in it have variables of their own; what those take from
around them counts as read where they are defined, and as live from then on, since they may be called at any time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, final

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Try: tuple[type, ...] = (ast.Try, ast.TryStar)

#: Methods of lists, dicts and sets that change them; those that change how many items there are.
RESIZING = frozenset({"append", "extend", "insert", "pop", "remove", "clear"})
MUTATING = RESIZING | {"sort", "reverse", "update", "setdefault", "popitem", "add", "discard"}

#: After a name in a set of live variables: some read of it may come before it has a value.
RISKY = "?"


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The lists of statements inside a compound statement, without those of functions and classes."""
    if isinstance(statement, (Function, ast.ClassDef)):
        return []
    found = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    found += [handler.body for handler in getattr(statement, "handlers", [])]
    found += [case.body for case in getattr(statement, "cases", [])]
    return [block for block in found if block]


# --- names ----------------------------------------------------------------------------------------------------------------------


def loads(node: ast.AST) -> Iterator[ast.Name]:
    """The variables from around `node` that it reads, in functions inside of it as well."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load):
            yield node
        return
    hidden: set[str] = set()
    if isinstance(node, Comprehension):
        hidden = {name for generator in node.generators for name in stores(generator.target)}
    elif isinstance(node, Function):
        hidden = function_locals(node)
    for child in ast.iter_child_nodes(node):
        for name in loads(child):
            if name.id not in hidden:
                yield name


def stores(node: ast.AST) -> Iterator[str]:
    """The variables that `node` binds or deletes, without those of functions, comprehensions and handlers inside."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    if isinstance(node, (Function, ast.ClassDef)):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(node, Comprehension):
            yield from (e.target.id for e in ast.walk(child) if isinstance(e, ast.NamedExpr))
        else:
            yield from stores(child)


def nested_functions(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The functions and classes defined directly in these nodes."""
    for node in nodes:
        if isinstance(node, (Function, ast.ClassDef)):
            yield node
        else:
            yield from nested_functions(ast.iter_child_nodes(node))


def _declared(body: Sequence[ast.AST], kind: type) -> set[str]:
    return {
        name
        for node in body
        if not isinstance(node, (Function, ast.ClassDef))
        for name in (node.names if isinstance(node, kind) else _declared(list(ast.iter_child_nodes(node)), kind))  # type: ignore[attr-defined]
    }


def parameters(node: Function) -> set[str]:
    """The names of a function's parameters."""
    a = node.args
    return {arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if arg is not None}


def function_locals(node: Function) -> set[str]:
    """The variables that belong to a function."""
    body: list[Any] = [node.body] if isinstance(node, ast.Lambda) else node.body
    bound = {name for statement in body for name in stores(statement)} | _handler_names(body)
    return (bound | parameters(node)) - _declared(body, ast.Nonlocal) - _declared(body, ast.Global)


def _handler_names(body: Sequence[ast.AST]) -> set[str]:
    """The names of `except ... as name`: Python unbinds them where the handler ends."""
    found: set[str] = set()
    for node in body:
        if not isinstance(node, (Function, ast.ClassDef)):
            found |= {node.name} if isinstance(node, ast.ExceptHandler) and node.name else set()
            found |= _handler_names(list(ast.iter_child_nodes(node)))
    return found


def shared_writes(body: Sequence[ast.AST]) -> set[str]:
    """The variables that functions defined here declare `nonlocal`: a call may change them."""
    found: set[str] = set()
    for function in nested_functions(body):
        inner = getattr(function, "body", [])
        inner = inner if isinstance(inner, list) else [inner]
        found |= _declared(inner, ast.Nonlocal) | shared_writes(inner)
    return found


def nonlocals(body: Sequence[ast.AST]) -> set[str]:
    """The variables that a function itself declares `nonlocal`."""
    return _declared(body, ast.Nonlocal)


def mutations(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The variables whose list, dict or tensor `node` changes in place, and whether that may change how many items it has."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and isinstance(inner.func.value, ast.Name):
            if inner.func.attr in MUTATING:
                yield inner.func.value.id, inner.func.attr in RESIZING
        elif isinstance(inner, ast.Subscript) and not isinstance(inner.ctx, ast.Load):
            root: ast.AST = inner
            while isinstance(root, ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):
                yield root.id, isinstance(inner.ctx, ast.Del)
        elif isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name):
            yield inner.target.id, isinstance(inner.op, ast.Add)


def only_appended(name: str, body: Sequence[ast.stmt]) -> bool:
    """Return whether statements of this block itself append to the list, and nothing else touches it."""
    appends = 0
    for statement in body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == name
            and call.func.attr == "append"
        ):
            appends += 1
    return (
        appends > 0 and sum(n.id == name for s in body for n in loads(s)) == appends and not any(name in stores(s) for s in body)
    )


# --- leaving a block ------------------------------------------------------------------------------------------------------------


def exits(statements: Iterable[ast.stmt]) -> set[str]:
    """Return how control may leave these statements early: "return", "break", "continue"."""
    found: set[str] = set()
    for statement in statements:
        if isinstance(statement, (ast.Return, ast.Break, ast.Continue)):
            found.add(type(statement).__name__.lower())
        inner = {kind for block in blocks(statement) for kind in exits(block)}
        if isinstance(statement, (ast.For, ast.While)):
            inner = (inner & {"return"}) | (exits(statement.orelse) & {"break", "continue"})
        found |= inner
    return found


def is_true(test: ast.expr) -> bool:
    """Return whether an expression is a true constant."""
    return isinstance(test, ast.Constant) and bool(test.value)


def ends(statements: Sequence[ast.stmt]) -> bool:
    """Return whether control never reaches the end of these statements."""
    for statement in statements:
        if isinstance(statement, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
            return True
        if isinstance(statement, ast.If) and statement.orelse and ends(statement.body) and ends(statement.orelse):
            return True
        if isinstance(statement, (ast.With,)) and ends(statement.body):
            return True
        if isinstance(statement, ast.While) and is_true(statement.test) and "break" not in exits(statement.body):
            return True
        if isinstance(statement, Try):
            sure = ends(statement.body) or ends(statement.orelse)  # type: ignore[attr-defined]
            if ends(statement.finalbody) or (sure and all(ends(handler.body) for handler in statement.handlers)):  # type: ignore[attr-defined]
                return True
    return False


def always_raises(statements: Sequence[ast.stmt]) -> bool:
    """Return whether a block can only end in `raise`."""
    return ends(statements) and not exits(statements)


# --- variables without a value --------------------------------------------------------------------------------------------------


@final
class Definedness:
    """Marks every read of a variable that may come before its first value: `node.risky`."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self._everything = frozenset(names)
        self._breaks: list[frozenset[str]] = []

    def block(self, statements: Iterable[ast.stmt], have: frozenset[str]) -> frozenset[str]:
        """The variables that have a value after the statements; all of them where control does not get there."""
        for statement in statements:
            have = self._statement(statement, have)
        return have

    def reads(self, node: ast.AST | None, have: frozenset[str]) -> frozenset[str]:
        """Look at an expression; what it binds has a value afterwards, unless it is evaluated on a condition."""
        if node is None:
            return have
        for name in loads(node):
            if name.id in self.names:
                name.risky = name.id not in have  # type: ignore[attr-defined]
        sure = isinstance(node, (ast.NamedExpr, ast.Compare))
        bound = [e.target.id for e in ast.walk(node) if isinstance(e, ast.NamedExpr)] if sure else []
        return have | set(bound)

    def _statement(self, s: ast.stmt, have: frozenset[str]) -> frozenset[str]:
        if isinstance(s, (ast.Return, ast.Raise)):
            self.reads(s, have)
            return self._everything
        if isinstance(s, ast.Break):
            self._breaks[-1] &= have
            return self._everything
        if isinstance(s, ast.Continue):
            return self._everything
        if isinstance(s, ast.If):
            have = self.reads(s.test, have)
            return self.block(s.body, have) & self.block(s.orelse, have)
        if isinstance(s, ast.While):
            have = self.reads(s.test, have)
            after, breaks = self._loop(s, have, have)
            return breaks if is_true(s.test) else after
        if isinstance(s, (ast.For, ast.AsyncFor)):
            have = self.reads(s.iter, have)
            return self._loop(s, have, have | set(stores(s.target)))[0]
        if isinstance(s, Try):
            body = self.block(s.body, have)  # type: ignore[attr-defined]
            ways = [self.block(s.orelse, body)]  # type: ignore[attr-defined]
            for handler in s.handlers:  # type: ignore[attr-defined]
                ways.append(self.block(handler.body, have | ({handler.name} if handler.name else set())))
            return self.block(s.finalbody, frozenset.intersection(*ways))  # type: ignore[attr-defined]
        if isinstance(s, ast.Match):
            have = self.reads(s.subject, have)
            ways = [have]
            for case in s.cases:
                inside = have | set(stores(case.pattern))
                ways.append(self.block(case.body, self.reads(case.guard, inside)))
            return frozenset.intersection(*ways)
        if isinstance(s, ast.With):
            for item in s.items:
                have = self.reads(item.context_expr, have)
                have |= set(stores(item.optional_vars)) if item.optional_vars else set()
            return self.block(s.body, have)
        if isinstance(s, ast.Delete):
            self.reads(s, have)
            return have - set(stores(s))
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name):
            s.target.risky = s.target.id in self.names and s.target.id not in have  # type: ignore[attr-defined]
        self.reads(s, have)
        return have | set(stores(s))

    def _loop(self, s: Any, have: frozenset[str], inside: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """What has a value after the loop, and what has one wherever it is left by `break`."""
        self._breaks.append(self._everything)
        self.block(s.body, inside)
        breaks = self._breaks.pop()
        return self.block(s.orelse, have) & breaks, breaks


# --- variables whose value is still needed --------------------------------------------------------------------------------------


@final
class Liveness:
    """Notes at every `if` and loop which variables are still read: `node.live`, of a loop also at the start of a round.

    A name with RISKY after it: it may be read without ever having got a value.
    """

    def __init__(self, always: set[str]) -> None:
        self.always = always

    def block(self, statements: Sequence[ast.stmt], live: set[str]) -> set[str]:
        """Return what is live before the statements, given what is live after them."""
        for statement in reversed(statements):
            live = self._statement(statement, live)
        return live

    def _reads(self, *nodes: ast.AST | None) -> set[str]:
        found: set[str] = set()
        for node in nodes:
            for name in loads(node) if node is not None else ():
                found |= {name.id, name.id + RISKY} if getattr(name, "risky", False) else {name.id}
        return found

    def _statement(self, s: ast.stmt, live: set[str]) -> set[str]:
        if isinstance(s, ast.If):
            s.live = live | self.always  # type: ignore[attr-defined]
            return self._reads(s.test) | self.block(s.body, live) | self.block(s.orelse, live)
        if isinstance(s, (ast.While, ast.For)):
            head = live | self._reads(getattr(s, "test", None)) | {*getattr(s, "flags", ())}
            while True:
                inside = self.block(s.body, head)
                if isinstance(s, ast.For):
                    inside = _without(inside, stores(s.target)) | self._reads(s.target)
                if inside <= head:
                    break
                head = head | inside
            s.live = head | self.always  # type: ignore[union-attr]
            return head | self._reads(getattr(s, "iter", None))
        if isinstance(s, (ast.With,)):
            live = self.block(s.body, live)
            return _without(live, [n for item in s.items for n in stores(item)]) | self._reads(*s.items)
        if isinstance(s, Try):
            after = live | self.block(s.finalbody, live)  # type: ignore[attr-defined]
            for handler in s.handlers:  # type: ignore[attr-defined]
                after |= self.block(handler.body, after) | self._reads(handler.type)
            after |= self.block(s.orelse, after)  # type: ignore[attr-defined]
            return after | self.block(s.body, after)  # type: ignore[attr-defined]
        if isinstance(s, ast.Match):
            found = live | self._reads(s.subject)
            for case in s.cases:
                found |= self.block(case.body, live) | self._reads(case.pattern, case.guard)
            return found
        reads = self._reads(s)
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name):
            reads |= {s.target.id, s.target.id + RISKY} if getattr(s.target, "risky", False) else {s.target.id}
        if isinstance(s, (ast.Return, ast.Raise)):
            return reads
        return _without(live, stores(s)) | reads


def _without(live: set[str], names: Iterable[str]) -> set[str]:
    gone = set(names)
    return live - gone - {name + RISKY for name in gone}
