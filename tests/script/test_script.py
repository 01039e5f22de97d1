"""What can be scripted, what stays Python, and what a scripted thing still is."""

from __future__ import annotations

import copy
import functools
import inspect
import linecache
import pickle
import sys
import zlib

import numpy as np
import pytest

import frazil as fz

from .harness import differences
from .programs import PROGRAMS


def agree(fn, *inputs):
    assert not differences(fn, [args if isinstance(args, tuple) else (args,) for args in inputs])


def nodes(fn, *args):
    """The names of the ops of a recording, in bodies and branches too."""
    return [node.op_name for node in fz.jit.trace(fn, args).graph.walk()]


UP, DOWN = fz.tensor([1.0, 2.0]), fz.tensor([-1.0, -3.0, -2.0])


class TestWhatCanBeScripted:
    def test_lambda(self):
        pair = fz.jit.script(lambda x: x * 2 if x.sum() > 0 else -x), fz.jit.script(lambda x: x * 3 if x.sum() > 0 else x - 1)
        for fn in pair:
            agree(fn, UP, DOWN)

    def test_closures_defaults_and_keywords(self):
        factor = fz.tensor(3.0)

        @fz.jit.script
        def fn(x, limit=2.0, *rest, sign=-1, **options):
            """The docstring."""
            if x.max() > limit:
                return x * factor * sign
            return x

        agree(fn, UP, fz.tensor([5.0]), DOWN)
        assert fn.__doc__ == "The docstring." and fn.__name__ == "fn" and "limit=2.0" in str(inspect.signature(fn))
        assert fz.jit.trace(fn, UP, {"sign": 1})(fz.tensor([4.0]), sign=1).tolist() == [12.0]

    def test_a_closure_that_changes_later(self):
        factor = 2

        @fz.jit.script
        def fn(x):
            return x * factor if x.sum() > 0 else x

        assert fz.jit.trace(fn, UP)(UP).tolist() == [2.0, 4.0]
        factor = 5
        assert fz.jit.trace(fn, UP)(UP).tolist() == [5.0, 10.0]

    def test_methods(self):
        class Thing:
            __power = 3

            def __init__(self, scale):
                self.scale = scale

            @fz.jit.script
            def run(self, x):
                return self.__scaled(x) if x.sum() > 0 else type(self).other(x)

            def __scaled(self, x):
                return x * self.scale if x[0] > 0 else x**self.__power

            @staticmethod
            def other(x):
                return -x if x.min() < -2 else x

            @classmethod
            @fz.jit.script
            def made(cls, x):
                return cls(2).run(x)

        thing = Thing(4)
        for fn in (thing.run, Thing.made, fz.jit.script(Thing(5).run)):
            program = fz.jit.trace(fn, UP)
            for x in (UP, DOWN, fz.tensor([-1.0, 4.0]), fz.tensor([-1.0])):
                assert program(x).tolist() == fn(x).tolist()

    def test_super_and_inheritance(self):
        class Base(fz.nn.Module):
            def forward(self, x):
                return x + 1 if x.sum() > 0 else x

        class Derived(Base):
            def forward(self, x):
                if x.max() > 1:
                    return super().forward(x) * 2
                return super().forward(x)

        agree(fz.jit.script(Derived()), UP, DOWN, fz.tensor([0.5]))

    def test_decorators_between(self):
        def doubled(fn):
            @functools.wraps(fn)
            def around(*args):
                result = fn(*args)
                return result * 2 if result.sum() < 100 else result

            return around

        @fz.jit.script
        @fz.no_grad()
        @doubled
        def fn(x):
            return x * 10 if x[0] > 0 else x

        agree(fn, UP, DOWN, fz.tensor([50.0]))

    def test_partial_and_callable_objects(self):
        class Clip:
            def __init__(self, limit):
                self.limit = limit

            def __call__(self, x):
                return x if x.max() < self.limit else x / x.max()

        def scaled(by, x):
            return x * by if x.sum() > 0 else x

        twice, clip = functools.partial(scaled, 2), Clip(3)
        agree(fz.jit.script(lambda x: clip(twice(x))), UP, DOWN, fz.tensor([5.0]))

    def test_functions_for_control_flow_ops(self):
        def step(carry, x):
            return (carry + x if x > 0 else carry), carry

        agree(fz.jit.script(lambda x: fz.scan(step, fz.zeros(()), x)), UP, DOWN, fz.tensor([1.0, -1.0, 1.0]))

    def test_twice_is_once(self):
        fn = fz.jit.script(fz.jit.script(lambda x: x if x.sum() > 0 else -x))
        agree(fn, UP, DOWN)


class TestWhatStaysPython:
    def test_without_a_recording_the_original_runs(self):
        frames = []

        @fz.jit.script
        def fn(x):
            if x.sum() > 0:
                frames.append(sys._getframe())
            return x

        fn(UP)
        assert frames[0].f_code is fn.__frazil_script__.__code__

    def test_python_values_are_decided_while_recording(self):
        @fz.jit.script
        def fn(x, mode="a", times=3):
            for k in range(times):
                if mode == "a" and k != 1:
                    x = x + k
            return [x for _ in range(2)]

        assert set(nodes(fn, UP)) == {"add"}

    def test_training_is_decided_while_recording(self):
        class Model(fz.nn.Module):
            def forward(self, x):
                return x * 2 if self.training else x

        model = fz.jit.script(Model())
        assert nodes(model.eval(), UP) == []
        assert nodes(model.train(), UP) == ["mul"]

    def test_known_sizes_are_decided(self):
        fn = fz.jit.script(lambda x: x * 2 if x.shape[0] + 1 > x.shape[0] else x)
        assert nodes(fn, UP) == ["mul"]
        assert "cond" in nodes(fz.jit.script(lambda x: x * 2 if x.shape[0] > 1 else x), UP)

    def test_print_runs_while_recording(self, capsys):
        @fz.jit.script
        def fn(x):
            print("sum", x.sum())
            return x

        fz.jit.trace(fn, UP)
        assert capsys.readouterr().out == "sum <float32[] in a recording>\n"

    def test_try_and_with_around_tensors(self):
        @fz.jit.script
        def fn(x, mode="none"):
            try:
                scale = {"two": 2.0}[mode]
            except KeyError as missing:
                scale = len(str(missing)) / 6
            finally:
                x = x + 1
            with fz.no_grad():
                if x.sum() > 0:
                    return x * scale
            return x

        agree(fn, UP, DOWN)

    def test_except_does_not_hide_what_cannot_be_recorded(self):
        @fz.jit.script
        def fn(x):
            try:
                return x * x.tolist()[0]
            except Exception:
                return x

        with pytest.raises(fz.errors.RecordError, match="tolist"):
            fz.jit.trace(fn, UP)

    def test_python_breaks_out_of_lists(self):
        layers = [fz.relu, fz.tanh, fz.sigmoid]

        @fz.jit.script
        def fn(x, last=1):
            for k, layer in enumerate(layers):
                x = layer(x)
                if k == last:
                    break
            return x

        assert nodes(fn, UP) == ["relu", "tanh"]

    def test_generators_are_called_as_they_are(self):
        def halves(x):
            yield x / 2
            yield x * 2

        agree(fz.jit.script(lambda x: sum(halves(x)) if x.sum() > 0 else x), UP, DOWN)


class TestModules:
    class Model(fz.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = fz.nn.Linear(2, 2)
            self.register_buffer("total", fz.zeros(2))

        def forward(self, x):
            for row in x:
                if row.sum() > 0:
                    self.total = self.total + row
            return self.layer(x) + self.total

    def test_a_scripted_module_is_the_module(self):
        model = self.Model()
        names = [name for name, _ in model.named_parameters()]
        scripted = fz.jit.script(model)
        assert scripted is model and [name for name, _ in scripted.named_parameters()] == names
        assert sorted(scripted.state_dict()) == ["layer.bias", "layer.weight", "total"]

    def test_state_that_branches_in_loops_change(self):
        model, other = fz.jit.script(self.Model().eval()), self.Model().eval()
        other.load_state_dict(model.state_dict())
        program = fz.jit.trace(model, fz.ones(3, 2))
        for x in (fz.tensor([[1.0, 2.0], [-4.0, 1.0]]), fz.ones(4, 2), -fz.ones(1, 2)):
            assert np.allclose(program(x).detach().numpy(), other(x).detach().numpy())
            assert np.allclose(model.total.numpy(), other.total.numpy())

    def test_copies_are_scripted_and_independent(self):
        model = fz.jit.script(self.Model())
        twin = copy.deepcopy(model)
        twin.layer.weight.data.zero_()
        assert twin.forward.module is twin
        program = fz.jit.trace(twin, fz.ones(3, 2))
        assert np.allclose(program(fz.ones(1, 2)).detach().numpy(), twin.layer.bias.detach().numpy() + 1)

    def test_pickle(self):
        model = pickle.loads(pickle.dumps(fz.jit.script(PickledModel())))
        agree(model, UP, DOWN)

    def test_export_of_a_module_that_calls_scripted_code(self):
        class Outer(fz.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = fz.jit.script(TestModules.Gate())

            def forward(self, x):
                return self.inner(x) + 1

        report = fz.onnx.export(Outer().eval(), UP, samples=[(DOWN,)])
        assert report.operators["If"] == 1 and report.checks is not None

    class Gate(fz.nn.Module):
        def forward(self, x):
            if x.sum() > 0:
                return x * 2
            return x

    def test_a_layer_of_frazil_with_modules_of_the_user(self):
        agree(fz.jit.script(fz.nn.Sequential(fz.nn.Tanh(), self.Gate(), fz.nn.Softplus())), UP, DOWN)

    def test_names_of_parameters_are_kept(self):
        @fz.jit.script
        def fn(x):
            return model(x) if x.sum() > 0 else x

        model = fz.nn.Linear(2, 2)
        assert [value.name for value in fz.jit.trace(fn, fz.ones(1, 2)).graph.captured if value.kind == "param"] == [
            "weight",
            "bias",
        ]


class PickledModel(fz.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class TestTheGraph:
    def test_lines_are_those_of_the_user(self):
        @fz.jit.script
        def fn(x):
            if x.sum() > 0:
                y = x.exp()
            else:
                y = (
                    x.sin()  # second
                )
            return y

        lines, first = inspect.getsourcelines(fn.__frazil_script__)
        found = {node.op_name: node.source for node in fz.jit.trace(fn, UP).graph.walk()}
        for op, text in (("cond", "if x.sum() > 0:"), ("exp", "y = x.exp()"), ("sin", "x.sin()  # second")):
            assert lines[found[op].line - first].strip() == text
            assert found[op].function == "fn"

    def test_only_what_is_needed_is_carried(self):
        @fz.jit.script
        def fn(x):
            total = fz.zeros(())
            for row in x:
                square = row * row
                total = total + square
                unused = square + 1  # noqa: F841
            return total

        (loop,) = [node for node in fz.jit.trace(fn, UP).graph.nodes if node.op_name == "loop"]
        assert [value.name for value in loop.attrs["body"].inputs][1:] == ["total"]
        assert len(loop.outputs) == 1

    def test_an_early_return_needs_no_flag(self):
        @fz.jit.script
        def fn(x):
            if x.sum() > 3:
                return x
            if x.sum() < -3:
                return -x
            return x * 2

        assert sorted(nodes(fn, UP)) == sorted(["sum", "gt", "cond", "sum", "lt", "cond", "neg", "mul"])

    def test_cheap_conditions_are_operators(self):
        fn = fz.jit.script(lambda x: x * 2 if x[0] > 0 and x.sum() < 5 else x)
        assert nodes(fn, UP).count("cond") == 2  # x.sum() is a call: it may not be evaluated for nothing
        fn = fz.jit.script(lambda a, b: a * 2 if a > 0 and not b > 5 else a)
        assert nodes(fn, fz.tensor(1.0), fz.tensor(2.0)).count("cond") == 1

    def test_random_draws_in_loops_are_those_of_python(self):
        @fz.jit.script
        def fn(x):
            total = fz.zeros(())
            for row in x:
                if fz.rand(()) < 0.5:
                    total = total + fz.rand(()) * row
            return total

        program = fz.jit.trace(fn, fz.ones(3))
        for seed, size in ((0, 5), (1, 2), (2, 9)):
            fz.manual_seed(seed)
            expected = [fn(fz.ones(size)).item(), fz.rand(()).item()]
            fz.manual_seed(seed)
            assert [program(fz.ones(size)).item(), fz.rand(()).item()] == expected

    def test_recording_twice_gives_the_same(self):
        fn = fz.jit.script(lambda x: [row * 2 if row > 0 else row for row in x][-1])
        assert str(fz.jit.trace(fn, UP)) == str(fz.jit.trace(fn, UP))

    def test_gradients_inside_a_branch(self):
        @fz.jit.script
        def fn(x):
            x = x.detach().requires_grad_()
            y = (x**3).sum()
            (slope,) = fz.autograd.grad(y, x)
            if slope.sum() > 6:
                slope = slope / slope.sum()
            return slope

        agree(fn, UP, fz.tensor([0.1]), DOWN)


@pytest.mark.parametrize("name", ["line_search", "collatz", "RaggedRNN", "beam_search", "early_return", "gaussian_elimination"])
def test_exported_programs_pass_the_verification_of_every_export(name):
    fn, inputs = PROGRAMS[name]
    assert fz.onnx.export(fn, inputs[0]).checks is not None


class TestSizes:
    def test_a_condition_on_sizes_is_recorded(self):
        agree(fz.jit.script(lambda x: x[2:] if x.shape[0] > 2 else x * 2), fz.ones(4), fz.ones(2), fz.ones(1), fz.ones(7))

    def test_a_raise_on_sizes_is_an_assert(self):
        @fz.jit.script
        def fn(x):
            if x.shape[0] < 2:
                raise ValueError("too few")
            return x[1] if x[0] > 0 else x[0]

        program = fz.jit.trace(fn, fz.ones(3))
        assert [str(guard.holds) for guard in program.graph.guards] == ["x0 >= 2"]
        with pytest.raises(fz.errors.RecordError, match="x.shape\\[0\\]"):
            program(fz.ones(1))

    def test_a_variable_of_a_loop_that_must_run(self):
        @fz.jit.script
        def fn(x):
            for row in x:
                last = row * 2
            return last

        program = fz.jit.trace(fn, fz.ones(3))
        assert [str(guard.holds) for guard in program.graph.guards] == ["x0 >= 1"]
        agree(fn, fz.ones(3), fz.ones(1), fz.ones(5))


def test_recording_goes_on_with_numbers_of_tensors():
    @fz.jit.script
    def fn(x, k):
        n = int(k[0])
        if n > 2:
            n = n - 2
        y = fz.zeros(n) + x.sum()
        return y.sum(), max(n, 2), fz.arange(n), float(x[0]), bool(x[0] > 1), n

    agree(fn, (UP, fz.tensor([4])), (DOWN, fz.tensor([1])), (UP, fz.tensor([2])))


def rebound_after_a_branch(x, w):
    k = w * 3
    if x.sum() > -99:
        x = x * k
    k = w * 5
    return x * k


def rebound_after_a_loop(x, w):
    k = w * 3
    for _ in range(x.shape[0]):
        x = x * k
    k = w * 5
    return x * k


def an_item_set_after_a_branch(x, w):
    m = [w * 3]
    if x.sum() > -99:
        x = x * m[0]
    m[0] = w * 5
    return x * m[0]


def a_name_that_a_later_branch_forgets(x, w):
    k = w.exp()
    if x.sum() > -99:
        x = x * k
    if x.shape[0] > 4:
        k = k * 2
    return x


class Kept:
    k = None


def an_attribute_set_after_a_branch(x, w):
    Kept.k = w * 3
    if x.sum() > -99:
        x = x * Kept.k
    Kept.k = w * 5
    return x * Kept.k


def _gradients_of(fn):
    def run(x, w):
        leaves = [x.detach().requires_grad_(), w.detach().requires_grad_()]
        return fz.autograd.grad(fn(*(leaf * 1 for leaf in leaves)).sum(), leaves)

    return run


@pytest.mark.parametrize(
    "fn",
    [rebound_after_a_branch, rebound_after_a_loop, an_item_set_after_a_branch, a_name_that_a_later_branch_forgets],
    ids=lambda fn: fn.__name__,
)
def test_gradients_of_a_branch_read_variables_as_the_branch_did(fn):
    run = _gradients_of(fz.jit.script(fn))
    given = fz.tensor([1.0, 2.0]), fz.tensor([0.5, 0.7])
    for found, expected in zip(fz.jit.trace(run, given)(*given), run(*given), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "lines",
    [
        "v = v * 0.5; v[0] = 2",
        "v = v * 0.5 + v; v.unsqueeze(0)[..., 1:] = 2",
        "v = v + w; v.mul_(0.3); v = v.sin(); v += 1",
        "v = v + w; u = v.view(-1); u[0] = 2; u.mul_(0.3)",
        "v = v * 1; v.add_(w); w = v * 2; w.mul_(v)",
    ],
)
@pytest.mark.parametrize("header", ["if v.sum() > 0:", "for i in range(w.shape[0]):", "while k < 2 and v.sum() < 9.1:"])
def test_gradients_of_a_branch_or_body_that_writes_to_what_it_made(header, lines):
    text = f"def fn(v, w):\n    k = 0\n    {header}\n        {lines}; k += 1\n    return v * w\n"
    name = f"<written by {zlib.crc32(text.encode())}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    found: dict = {}
    exec(compile(text, name, "exec"), found)
    run = _gradients_of(fz.jit.script(found["fn"]))
    v, w = fz.tensor([0.1, 0.2]), fz.tensor([0.5, 0.7])
    recorded = fz.jit.trace(run, (v, w))
    for given in ((v, w), (w, v), (-v, w)):
        for a, b in zip(recorded(*given), run(*given), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


def test_a_gradient_that_would_read_something_else_is_refused():
    run = _gradients_of(fz.jit.script(an_attribute_set_after_a_branch))
    with pytest.raises(fz.errors.RecordError, match=r"once more, and now it computes something else.*attribute"):
        fz.jit.trace(run, (fz.tensor([1.0, 2.0]), fz.tensor([0.5, 0.7])))
