"""From a function to one that lets `runtime` decide what is Python and what is recorded.

    if x.sum() > 0:                    def then(): nonlocal y; y = x * 2
        y = x * 2               ->     def orelse(): nonlocal y; y = -x
    else:                              rt.if_(x.sum() > 0, then, orelse, get, put, variables)
        y = -x

`get` and `put` read and write the variables that the branches bind; `variables` says of each whether it is still needed.
"""

from __future__ import annotations

import ast
import copy
import itertools
import types
from collections.abc import Iterator, Sequence
from typing import Any, final
from weakref import WeakKeyDictionary, WeakSet

from . import flow
from .flow import RISKY, Function
from .lower import RESULT, assign, lower, placed, read
from .source import PREFIX, RUNTIME, THUNK, codes_in, compile_like, fail_at, find

#: What is known of a variable at an `if` or loop, for `runtime`: it is read later, perhaps without having a value; its list, dict
#: or tensor is changed in place; items come and go; a loop only appends to it.
LIVE, MAYBE, MUTATED, RESIZED, APPENDED = 1, 2, 4, 8, 16

#: How messages, and variables, call what an early return gives.
RETURNED_VALUE = "the returned value"

#: Flags of `rt.both` and `rt.either`: evaluating the second operand has no effect and cannot fail; only the truth is asked for.
PURE, TRUTH = 1, 2

_rewritten: WeakKeyDictionary[types.FunctionType, types.FunctionType] = WeakKeyDictionary()
_made: WeakSet[types.CodeType] = WeakSet()


#: The module whose functions rewritten code calls: `runtime`, which stands above this file and puts itself here.
_MODULE: list[types.ModuleType] = []


def runs_on(module: types.ModuleType) -> None:
    """Let rewritten code call the functions of `module`."""
    _MODULE[:] = [module]


def rewritten(fn: types.FunctionType) -> types.FunctionType:
    """The rewritten form of a plain Python function. Raises ScriptError where that is not possible."""
    if fn.__code__ in _made:
        return fn
    found = _rewritten.get(fn)
    if found is None:
        found = _rewritten[fn] = _rewrite(fn)
        _made.update(codes_in(found))
    return found


def _rewrite(fn: types.FunctionType) -> types.FunctionType:
    definition = find(fn)
    node = copy.deepcopy(definition.node)
    if isinstance(node, ast.Lambda):
        body: list[ast.stmt] = [ast.copy_location(ast.Return(node.body), node.body)]
        node = ast.copy_location(ast.FunctionDef(fn.__name__, node.args, body, []), node)
    elif isinstance(node, ast.AsyncFunctionDef):
        fail_at(
            node, fn.__code__.co_filename, fn.__name__, "script: async functions cannot be scripted. Make it a plain function"
        )
    _refuse_unsupported(node, fn)
    _Rewriter(fn.__code__.co_filename, fn.__name__).function(node)
    return compile_like(fn, node, definition.owner, _MODULE[0])


def _refuse_unsupported(function: ast.FunctionDef, fn: types.FunctionType) -> None:
    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (Function, ast.ClassDef)):
                continue
            for kinds, what, cure in _UNSUPPORTED:
                if isinstance(child, kinds):
                    fail_at(child, fn.__code__.co_filename, fn.__name__, f"script: {what} cannot be scripted. {cure}")
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in ("locals", "eval", "exec"):
                cure = "Name the variables that are meant"
                fail_at(child, fn.__code__.co_filename, fn.__name__, f"script: {child.func.id}() cannot be scripted. {cure}")
            walk(child)

    walk(function)


_UNSUPPORTED: tuple[tuple[Any, str, str], ...] = (
    ((ast.Yield, ast.YieldFrom), "generators (yield)", "Collect the values in a list and return that"),
    ((ast.Await, ast.AsyncFor, ast.AsyncWith), "async code", "Make it a plain function"),
    (ast.Global, "a function that binds global variables", "Take the value as an argument and return the new one"),
)


def _is_plain(node: ast.AST) -> bool:
    """Whether a nested function can be rewritten."""
    return not any(
        isinstance(inner, (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Global))
        for inner in ast.walk(node)
    ) and not isinstance(node, ast.AsyncFunctionDef)


def _tuple(names: Sequence[str], context: Any = ast.Load) -> ast.Tuple:
    return ast.Tuple([ast.Name(name, context()) for name in names], context())


def _thunk(value: ast.expr) -> ast.Lambda:
    return ast.Lambda(_arguments(THUNK, default=True), value)


def _arguments(*names: str, default: bool = False) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[],
        args=[ast.arg(name) for name in names],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[ast.Constant(None)] if default else [],
    )


def _runtime(name: str) -> ast.Attribute:
    return ast.Attribute(read(RUNTIME), name, ast.Load())


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(_runtime(name), list(args), [])


_PURE_NODES = (
    ast.Name,
    ast.Constant,
    ast.Attribute,
    ast.Compare,
    ast.UnaryOp,
    ast.BinOp,
    ast.BoolOp,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.boolop,
    ast.expr_context,
)


def _is_pure(node: ast.expr) -> bool:
    """Whether evaluating it has no effect and cannot fail."""
    return all(
        isinstance(inner, _PURE_NODES) and not isinstance(inner, (ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult))
        for inner in ast.walk(node)
    )


@final
class _Matches(ast.NodeTransformer):
    """`match` over plain values as `if`, so that what is matched may be a number of a tensor. Patterns that take things apart
    stay Python's."""

    def __init__(self, count: Iterator[int]) -> None:
        self._count = count

    def visit_Match(self, s: ast.Match) -> Any:
        self.generic_visit(s)
        if not all(_is_plain_pattern(case.pattern) for case in s.cases):
            return s
        subject = f"{PREFIX}subject_{next(self._count)}"
        chain: list[ast.stmt] = []
        for case in reversed(s.cases):
            test = _matches(case.pattern, subject)
            named = case.pattern.name if isinstance(case.pattern, ast.MatchAs) else None
            bound: list[ast.stmt] = [assign(named, read(subject))] if named else []
            if case.guard is not None:
                test = case.guard if test is None else ast.BoolOp(ast.And(), [test, case.guard])
            chain = [*bound, ast.If(test, case.body, chain)] if test is not None else [*bound, *case.body]
        return placed(ast.If(ast.Constant(True), [assign(subject, s.subject), *chain], []), s)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return node  # has its own turn

    visit_AsyncFunctionDef = visit_Lambda = visit_ClassDef = visit_FunctionDef  # type: ignore[assignment]


def _is_plain_pattern(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchOr):
        return all(_is_plain_pattern(p) and not isinstance(p, ast.MatchAs) for p in pattern.patterns)
    return isinstance(pattern, (ast.MatchValue, ast.MatchSingleton)) or (
        isinstance(pattern, ast.MatchAs) and pattern.pattern is None
    )


def _matches(pattern: ast.pattern, subject: str) -> ast.expr | None:
    """Whether a plain pattern matches; None where it always does."""
    if isinstance(pattern, ast.MatchValue):
        return ast.Compare(read(subject), [ast.Eq()], [pattern.value])
    if isinstance(pattern, ast.MatchSingleton):
        return ast.Compare(read(subject), [ast.Is()], [ast.Constant(pattern.value)])
    if isinstance(pattern, ast.MatchOr):
        return ast.BoolOp(ast.Or(), [_matches(p, subject) for p in pattern.patterns])  # type: ignore[misc]
    return None


@final
class _Rewriter(ast.NodeTransformer):
    """Rewrites one function, and those defined in it."""

    def __init__(self, file: str, name: str) -> None:
        self.file, self.name = file, name
        self._count = itertools.count(1)
        self._locals: set[str] = set()
        self._shared: set[str] = set()
        self._first = ""  # the first parameter, which super() takes
        self._states: set[str] = set()  # variables that some `if` or loop binds

    # --- functions

    def function(self, node: ast.FunctionDef) -> None:
        """Rewrite a function in place."""
        own = flow.function_locals(node)
        outer = self._locals, self._shared, self._first, self._states
        arguments = [*node.args.posonlyargs, *node.args.args]
        self._first = arguments[0].arg if arguments else ""
        node.body = [_Matches(self._count).visit(s) for s in node.body]
        self._shared = flow.shared_writes(node.body)
        named = flow.parameters(node)
        flow.Definedness(own).block(node.body, frozenset(named))
        always = {
            name.id + mark
            for inner in flow.nested_functions(node.body)
            for name in flow.loads(inner)
            for mark in ("", RISKY)
            if not mark or getattr(name, "risky", False)
        }
        doc = node.body[:1] if ast.get_docstring(node, clean=False) is not None else []
        body = lower(node.body[len(doc) :] or [placed(ast.Pass(), node)])  # type: ignore[list-item]
        self._locals = own | flow.nonlocals(body) | {name for s in body for name in flow.stores(s)}
        flow.Liveness(always | self._shared).block(body, flow.nonlocals(body))
        self._states = set()
        last = body[-1]
        early = isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and last.value.id == RESULT
        made = self._block(body)
        if early:
            end = made[-1]
            assert isinstance(end, ast.Return) and end.value is not None
            end.value = placed(_call("returned", end.value), end)  # type: ignore[assignment]
        declared = [s for s in made if isinstance(s, ast.Nonlocal)]
        first = sorted(self._states - named - flow.nonlocals(body))
        start = [placed(assign(name, _runtime("UNDEFINED")), node) for name in first]
        node.body = [*doc, *declared, *start, *(s for s in made if not isinstance(s, ast.Nonlocal))]  # type: ignore[list-item]
        self._locals, self._shared, self._first, self._states = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args.defaults = [self.visit(d) for d in node.args.defaults]
        node.args.kw_defaults = [None if d is None else self.visit(d) for d in node.args.kw_defaults]
        if _is_plain(node):
            self.function(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        if _is_plain(node):
            outer, self._first = self._first, ""
            node.args.defaults = [self.visit(d) for d in node.args.defaults]
            node.body = self.visit(node.body)
            self._first = outer
        return node

    def _block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for s in statements:
            result = self.visit(s)
            made += result if isinstance(result, list) else [result]
        return made

    # --- control flow

    def _variables(self, s: ast.stmt, *parts: Sequence[ast.AST]) -> list[tuple[str, int]]:
        """The variables that a statement binds or changes, and what is known of each."""
        bound = {name for part in parts for node in part for name in flow.stores(node)} | self._shared
        changed: dict[str, bool] = {}
        for part in parts:
            for node in part:
                for name, resized in flow.mutations(node):
                    changed[name] = changed.get(name, False) or resized
        live: set[str] = getattr(s, "live", set())
        found = []
        for name in sorted((bound | changed.keys()) & self._locals):
            marks = LIVE * (name in live) | MAYBE * (name + RISKY in live)
            marks |= (MUTATED | RESIZED * changed[name]) if name in changed else 0
            if isinstance(s, (ast.For, ast.While)) and name not in self._shared and flow.only_appended(name, s.body):
                marks |= APPENDED * (not isinstance(s, ast.While) or name not in {n.id for n in flow.loads(s.test)})
            found.append((name, marks))
        return found

    def _state(self, s: ast.stmt, variables: list[tuple[str, int]]) -> tuple[list[ast.stmt], list[ast.expr]]:
        """The functions that read and write the variables, and the arguments that pass them on."""
        names = [name for name, _ in variables]
        self._states.update(names)
        number = next(self._count)
        get, put, values = f"{PREFIX}get_{number}", f"{PREFIX}put_{number}", f"{PREFIX}values"
        getter = self._def(get, [ast.Return(_tuple(names))])
        store: list[ast.stmt] = [ast.Assign([_tuple(names, ast.Store)], read(values))] if names else [ast.Pass()]
        putter = self._def(put, store, names, values)
        facts = ast.Constant(tuple(variables))  # type: ignore[arg-type]
        made = [placed(getter, s), placed(putter, s)]
        return made, [read(get), read(put), facts]  # type: ignore[return-value]

    def _def(self, name: str, body: Sequence[ast.stmt], names: Sequence[str] = (), *parameters: str) -> ast.FunctionDef:
        declared: list[ast.stmt] = [ast.Nonlocal(list(names))] if names else []
        return ast.FunctionDef(name, _arguments(*parameters), [*declared, *(body or [ast.Pass()])], [])

    def visit_If(self, s: ast.If) -> Any:
        variables = self._variables(s, s.body, s.orelse)
        names = [name for name, _ in variables]
        test = self.visit(s.test)
        number = next(self._count)
        then, orelse = f"{PREFIX}then_{number}", f"{PREFIX}else_{number}"
        made: list[ast.stmt] = [
            self._def(then, self._block(s.body), names),
            self._def(orelse, self._block(s.orelse), names),
        ]
        state, passed = self._state(s, variables)
        raises = ast.Constant(getattr(s, "raises", (False, False)))  # type: ignore[arg-type]
        call = ast.Expr(_call("if_", test, read(then), read(orelse), *passed, raises))
        return [placed(m, s) for m in (*made, *state, call)]

    def visit_While(self, s: ast.While) -> Any:
        variables = self._variables(s, s.body)
        names = [name for name, _ in variables]
        number = next(self._count)
        test, body = f"{PREFIX}test_{number}", f"{PREFIX}body_{number}"
        made: list[ast.stmt] = [
            self._def(test, [ast.Return(self.visit(s.test))]),
            self._def(body, self._block(s.body), names),
        ]
        state, passed = self._state(s, variables)
        call = ast.Expr(_call("while_", read(test), read(body), *passed))
        return [placed(m, s) for m in (*made, *state, call)]

    def visit_For(self, s: ast.For) -> Any:
        variables = self._variables(s, [s.target], s.body)
        names = [name for name, _ in variables]
        number = next(self._count)
        test, body, item = f"{PREFIX}test_{number}", f"{PREFIX}body_{number}", f"{PREFIX}item"
        bind = placed(ast.Assign([s.target], read(item)), s)
        made: list[ast.stmt] = [self._def(body, self._block([bind, *s.body]), names, item)]  # type: ignore[list-item]
        flags: list[str] = getattr(s, "flags", [])
        passed_test: ast.expr = ast.Constant(None)
        if flags:
            tests: list[ast.expr] = [read(flag) for flag in flags]
            left = tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)
            made.append(self._def(test, [ast.Return(self.visit(ast.UnaryOp(ast.Not(), left)))]))
            passed_test = read(test)
        state, passed = self._state(s, variables)
        call = ast.Expr(_call("for_", self.visit(s.iter), read(body), *passed, passed_test))
        return [placed(m, s) for m in (*made, *state, call)]

    def visit_Try(self, s: Any) -> Any:
        self.generic_visit(s)
        s.body = [placed(ast.Expr(_call("enter_try")), s), *s.body]
        if s.handlers:
            handler = ast.ExceptHandler(_runtime("RecordError"), None, [ast.Raise()])
            s.handlers = [placed(handler, s), *s.handlers]
        return s

    def visit_Raise(self, s: ast.Raise) -> Any:
        self.generic_visit(s)
        if s.exc is not None:
            s.exc = placed(_call("raised", s.exc), s)  # type: ignore[assignment]
        return s

    def visit_Assert(self, s: ast.Assert) -> Any:
        test = self.visit(s.test)
        message = _thunk(self.visit(s.msg)) if s.msg is not None else ast.Constant(None)
        return placed(ast.Expr(_call("assert_", test, message)), s)

    # --- assignments

    def visit_Assign(self, s: ast.Assign) -> Any:
        s.value = self.visit(s.value)
        if all(isinstance(target, ast.Name) for target in s.targets):
            return s
        if len(s.targets) == 1 and isinstance(s.targets[0], (ast.Attribute, ast.Subscript)):
            return placed(self._store(s.targets[0], s.value), s)
        made: list[ast.stmt] = []
        targets = []
        for target in s.targets:
            targets.append(self._plain_target(target, made))
        return [placed(m, s) for m in (ast.Assign(targets, s.value), *made)]

    def _plain_target(self, target: ast.expr, made: list[ast.stmt]) -> ast.expr:
        """The target with names in the place of attributes and items, which statements in `made` set afterwards."""
        if isinstance(target, (ast.Tuple, ast.List)):
            target.elts = [self._plain_target(element, made) for element in target.elts]
        elif isinstance(target, ast.Starred):
            target.value = self._plain_target(target.value, made)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            name = f"{PREFIX}part_{next(self._count)}"
            made.append(self._store(target, read(name)))
            return ast.Name(name, ast.Store())
        return target

    def _store(self, target: ast.Attribute | ast.Subscript, value: ast.expr) -> ast.stmt:
        place = self.visit(target.value)
        if isinstance(target, ast.Attribute):
            return ast.Expr(_call("set_attribute", place, ast.Constant(target.attr), value))
        return ast.Expr(_call("set_item", place, self._key(target.slice), value))

    def _key(self, key: ast.expr) -> ast.expr:
        """What stands in brackets, as an expression of its own."""
        if isinstance(key, ast.Slice):
            parts = [ast.Constant(None) if part is None else self.visit(part) for part in (key.lower, key.upper, key.step)]
            return _call("slice", *parts)
        if isinstance(key, ast.Tuple):
            return ast.Tuple([self._key(element) for element in key.elts], ast.Load())
        return self.visit(key)

    def visit_AnnAssign(self, s: ast.AnnAssign) -> Any:
        if s.value is None:
            return placed(ast.Pass(), s)
        return self.visit(ast.copy_location(ast.Assign([s.target], s.value), s))

    def visit_AugAssign(self, s: ast.AugAssign) -> Any:
        s.value = self.visit(s.value)
        operator = ast.Constant(type(s.op).__name__)
        if isinstance(s.target, ast.Name):
            old = self.visit(self._load(s.target))
            return placed(ast.Assign([s.target], _call("augment", old, operator, s.value)), s)
        place = self.visit(s.target.value)
        if isinstance(s.target, ast.Attribute):
            call = _call("augment_attribute", place, ast.Constant(s.target.attr), operator, s.value)
        else:
            call = _call("augment_item", place, self._key(s.target.slice), operator, s.value)
        return placed(ast.Expr(call), s)

    def _load(self, name: ast.Name) -> ast.Name:
        found = ast.copy_location(read(name.id), name)
        found.risky = getattr(name, "risky", False)  # type: ignore[attr-defined]
        return found

    def visit_Delete(self, s: ast.Delete) -> Any:
        made: list[ast.stmt] = []
        for target in s.targets:
            if isinstance(target, ast.Name):
                self._states.add(target.id)
                made.append(assign(target.id, _runtime("UNDEFINED")))
            elif isinstance(target, ast.Subscript):
                made.append(ast.Expr(_call("delete_item", self.visit(target.value), self._key(target.slice))))
            else:
                made.append(ast.Delete([target]))
        return [placed(m, s) for m in made]

    # --- expressions

    def visit_Name(self, node: ast.Name) -> Any:
        if isinstance(node.ctx, ast.Load):
            if node.id == PREFIX + "truth":
                return placed(_runtime("truth"), node)
            if getattr(node, "risky", False):
                return placed(_call("defined", _thunk(node), ast.Constant(node.id)), node)
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and self._first:
            node.args = [placed(read("__class__"), node), placed(read(self._first), node)]  # type: ignore[list-item]
            return node
        if isinstance(node.func, ast.Name) and node.func.id == PREFIX + "truth":
            return placed(_call("truth", self._condition(node.args[0])), node)
        self.generic_visit(node)
        return placed(ast.Call(_runtime("call"), [node.func, *node.args], node.keywords), node)

    def _condition(self, node: ast.expr) -> ast.expr:
        """An expression of which only the truth matters."""
        return self.visit_BoolOp(node, TRUTH) if isinstance(node, ast.BoolOp) else self.visit(node)

    def visit_BoolOp(self, node: ast.BoolOp, mode: int = 0) -> Any:
        if any(isinstance(inner, ast.NamedExpr) for value in node.values[1:] for inner in ast.walk(value)):
            fail_at(
                node,
                self.file,
                self.name,
                "script: `:=` in an operand of and/or that may not be evaluated cannot be scripted. Bind the name in a statement "
                "of its own",
            )
        result = self.visit(node.values[0])
        name = "both" if isinstance(node.op, ast.And) else "either"
        for value in node.values[1:]:
            how = mode | PURE * _is_pure(value)
            result = _call(name, result, _thunk(self.visit(value)), ast.Constant(how))
        return placed(result, node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        return placed(_call("get_item", self.visit(node.value), self._key(node.slice)), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return placed(_call("not_", self._condition(node.operand)), node)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        test = self._condition(node.test)
        return placed(_call("choose", test, _thunk(self.visit(node.body)), _thunk(self.visit(node.orelse))), node)

    def visit_Compare(self, node: ast.Compare) -> Any:
        names = [type(op).__name__ for op in node.ops]
        pure = all(_is_pure(c) for c in node.comparators[1:])
        self.generic_visit(node)
        if len(names) == 1:
            if names[0] in ("In", "NotIn"):
                found = _call("contains", node.comparators[0], node.left)
                return placed(found if names[0] == "In" else _call("not_", found), node)
            return node
        rest: list[ast.expr] = [_thunk(c) for c in node.comparators]
        operators = ast.Constant(tuple(names))  # type: ignore[arg-type]
        return placed(_call("chain", node.left, operators, ast.Tuple(rest, ast.Load()), ast.Constant(pure)), node)

    def _container(self, node: Any) -> Any:
        self.generic_visit(node)
        return placed(_call("fresh", node), node) if isinstance(getattr(node, "ctx", ast.Load()), ast.Load) else node

    visit_List = visit_Dict = visit_Set = _container

    def visit_ListComp(self, node: ast.ListComp | ast.GeneratorExp, lazy: bool = False) -> Any:
        (generator, *more), target = node.generators, node.generators[0].target
        names = [target] if isinstance(target, ast.Name) else getattr(target, "elts", [None])
        simple = not more and not generator.is_async and all(isinstance(n, ast.Name) for n in names)
        if not simple or any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node)):
            return self._comprehension(node) if lazy else placed(_call("fresh", self._comprehension(node)), node)
        ifs = generator.ifs
        test = ifs[0] if len(ifs) == 1 else ast.BoolOp(ast.And(), ifs) if ifs else None
        body = ast.Lambda(_arguments(*(n.id for n in names)), self.visit(node.elt))
        keep = ast.Constant(None) if test is None else ast.Lambda(_arguments(*(n.id for n in names)), self._condition(test))
        unpacked = ast.Constant(None if isinstance(target, ast.Name) else len(names))
        made = _call("list_of", self.visit(generator.iter), body, unpacked, keep, ast.Constant(lazy))
        return placed(made, node)

    def _comprehension(self, node: Any) -> Any:
        for generator in node.generators:
            generator.iter = self.visit(generator.iter)
            generator.ifs = [placed(_call("python_truth", self._condition(test)), test) for test in generator.ifs]
        for part in ("elt", "key", "value"):
            if hasattr(node, part):
                setattr(node, part, self.visit(getattr(node, part)))
        return node

    visit_SetComp = visit_DictComp = _comprehension

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> Any:
        return self.visit_ListComp(node, lazy=True)


def result_name(name: str) -> str:
    """Return what to call a variable in a message."""
    return RETURNED_VALUE if name == RESULT else name
