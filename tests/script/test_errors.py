"""A program that cannot be frozen says which line is the reason, what is wrong there, and what to write instead."""

from __future__ import annotations

import inspect
import linecache

import pytest

import frazil as fz
from frazil.errors import RecordError, ScriptError

from . import unfrozen

#: program -> what its message says: the names, the reason, the cure.
MESSAGES = {
    "dtype_differs": [
        "y is float32[x0, x1] where the condition holds",
        "int64[1] where it does not",
        "y = x.argmax()",
        ".to(fz.float32)",
    ],
    "rank_differs": ["y is float32[x0, x1]", "float32[1, x0, x1]", "number of dimensions", "Reshape"],
    "defined_in_one_branch": ["scale gets a value only where the condition holds", "scale = x.max()", "or in both branches"],
    "defined_in_a_loop_only": ["last gets its first value inside of a loop", "Give last a value"],
    "appends_to_an_outer_list": [".append() changes a list from outside", "Keep the list in a local variable"],
    "Counter": ["Counter.calls is set to 1", "buffer of the module"],
    "Memory": ["changes a dict from outside", "Keep the dict in a local variable"],
    "raises_on_data": ["ValueError is raised in a branch", "with nothing but that in the branch"],
    "tries_on_data": ["`try` in a branch", "Put the `try` around"],
    "yields": ["generators (yield)", "Collect the values in a list"],
    "binds_a_global": ["binds global variables", "Take the value as an argument"],
    "ternary_changes_kind": ["a if ... else b", "'none' in the other", "the same kind of value"],
    "loop_starts_with_none": ["best is None before the loop and float32[x1] after a round", "Give best a tensor"],
    "loop_changes_rank": ["y is float32[x0, x1] before the loop and float32[1, x0, x1] after", "y = y[None] + 1", "Reshape"],
    "loop_changes_kind": ["kind is 'positive' before the loop and 'seen' after a round", "only tensors and numbers can change"],
    "comprehension_chooses_by_data": ["Python itself runs over a sequence whose length", "Use a `for` statement"],
    "calls_itself": ["nested more than 50 deep", "a function that calls itself", "Write it as a loop"],
    "none_or_tensor": [
        "the returned value is float32[x0, x1] where the condition holds and None where it does not",
        "Make both alike",
    ],
    "chooses_a_module_by_data": ["which item of the list", "for k, item in enumerate(items)"],
    "returns_a_list_that_grew": ["returns a list that grew", "fz.stack"],
    "list_of_two_shapes": ["must have one shape and dtype, given float32[x0, x1] and float32[1, x1]", "in a list of their own"],
    "appends_what_changes": ["a tensor that the loop changes in place is appended", "h.clone()", "h = h + x"],
    "hands_a_grown_list_on": ["pad_sequence is given a list that grew", "fz.stack"],
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_names_line_reason_and_cure(name):
    program = getattr(unfrozen, name)
    lines, first = inspect.getsourcelines(program)
    marked = [first + i for i, line in enumerate(lines) if line.rstrip().endswith("# here")]
    fn = fz.jit.script(program() if isinstance(program, type) else program)
    with pytest.raises(ScriptError) as caught:
        fz.jit.trace(fn, fz.ones(3, 2))
    message = str(caught.value)
    assert [f"unfrozen.py:{line} in " for line in marked if f"unfrozen.py:{line} in " in message], f"{marked}: {message}"
    for part in MESSAGES[name]:
        assert part in message, message
    assert isinstance(caught.value, RecordError)


def test_every_program_of_the_page_is_tried():
    own = {name for name, value in vars(unfrozen).items() if getattr(value, "__module__", None) == unfrozen.__name__}
    assert own == set(MESSAGES)


def test_no_source_is_said():
    namespace: dict = {}
    exec("def made_up(x):\n    return x if x.sum() > 0 else -x", namespace)
    with pytest.raises(ScriptError, match="the source of made_up cannot be read.*Define it in a file"):
        fz.jit.trace(fz.jit.script(namespace["made_up"]), fz.ones(2))


def test_a_generator_that_decides_is_told_so():
    def positive(rows):
        for row in rows:
            if row.sum() > 0:
                yield row

    def program(x):
        return sum(positive(x))

    with pytest.raises(RecordError, match=r"(?s)cannot be rewritten.*of a generator.*fz\.where.*if row\.sum\(\) > 0"):
        fz.jit.trace(fz.jit.script(program), fz.ones(3, 2))


def test_async_is_refused():
    async def later(x):
        return x

    with pytest.raises(ScriptError, match="async functions cannot be scripted"):
        fz.jit.trace(fz.jit.script(later), fz.ones(2))


def test_script_wants_a_function():
    with pytest.raises(fz.errors.ArgumentError, match="given int"):
        fz.jit.script(3)


def test_an_error_in_the_program_has_its_own_lines():
    """The traceback of a recording shows the function's frame at the wrong line of the user, not one of generated code."""

    def broken(x):
        if x.sum() > 0:
            y = x @ x.unsqueeze(0) @ x
        else:
            y = x
        return y

    with pytest.raises(fz.errors.ShapeError) as caught:
        fz.jit.trace(fz.jit.script(broken), fz.ones(3))
    places = [(entry.name, linecache.getline(str(entry.path), entry.lineno + 1).strip()) for entry in caught.traceback]
    assert ("broken", "y = x @ x.unsqueeze(0) @ x") in places
    assert ("broken", "if x.sum() > 0:") in places


def test_a_variable_without_a_value_is_pythons_error():
    def unbound(x, flag):
        if flag:
            y = x
        return y

    scripted = fz.jit.script(unbound)
    for run in (lambda: scripted(fz.ones(2), False), lambda: scripted.rewritten(fz.ones(2), False)):
        with pytest.raises(UnboundLocalError, match="'y'"):
            run()


def test_a_failed_recording_leaves_python_as_it_was():
    """Lists and attributes are put back, and the program still runs."""

    class Model(fz.nn.Module):
        def __init__(self):
            super().__init__()
            self.notes = ["first"]

        def forward(self, x):
            kept = [x[0]]
            for row in x:
                kept.append(row)
            if x.sum() > 0:
                self.notes.append("again")
            return fz.stack(kept)

    model = fz.jit.script(Model())
    with pytest.raises(ScriptError, match="append"):
        fz.jit.trace(model, fz.ones(2, 2))
    assert model.notes == ["first"]
    assert "forward" in vars(model)
    assert model(fz.ones(2, 2)).shape == (3, 2) and model.notes == ["first", "again"]
