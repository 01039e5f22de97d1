"""What libraries ask of PyTorch's inside means the same here: `torch._foreach_*`, `torch.utils._pytree`, `torch.overrides`."""

from __future__ import annotations

import importlib
from collections import OrderedDict, defaultdict, deque, namedtuple
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError
from frazil.utils import _pytree

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

Point = namedtuple("Point", "x y")

TREES = [
    {"b": 1, "a": [2, (3, None)]},
    OrderedDict(z=1, y=[2]),
    Point(1, [2, 3]),
    deque([1, {"k": 2}], maxlen=5),
    defaultdict(list, a=[1], b=[2, 3]),
    [],
    7,
    None,
]
FOREACH = sorted(name for name in dir(torch) if name.startswith("_foreach_"))
#: Names that are left out: private to PyTorch's newest optimisers.
ABSENT = {"_foreach_powsum"}
SHAPES = [(3,), (2, 2), ()]


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: type(tree).__name__)
def test_containers_are_taken_apart_as_there(tree: Any) -> None:
    theirs = torch.utils._pytree
    leaves, spec = _pytree.tree_flatten(tree)
    assert leaves == theirs.tree_flatten(tree)[0]
    assert spec.num_leaves == len(leaves)
    assert _pytree.tree_unflatten(leaves, spec) == tree
    negative = [lambda n: n and -n, tree]
    assert _pytree.tree_map(*negative) == theirs.tree_map(*negative)
    assert type(_pytree.tree_map(*negative)) is type(tree)
    only = (int, str, tree)
    assert _pytree.tree_map_only(*only) == theirs.tree_map_only(*only)
    two = [lambda a, b: (a, b), tree, tree]
    assert _pytree.tree_map(*two) == theirs.tree_map(*two)
    inner = [tree, lambda value: isinstance(value, list)]
    assert _pytree.tree_leaves(*inner) == theirs.tree_leaves(*inner)
    assert _pytree.tree_all_only(int, bool, tree) == theirs.tree_all_only(int, bool, tree)
    assert _pytree.tree_any(lambda n: n == 2, tree) == theirs.tree_any(lambda n: n == 2, tree)


def _calls(name: str) -> list[tuple[Any, ...]]:
    """Arguments after the list of tensors: functions of the module and of the tensors of each shape."""
    base = name.removeprefix("_foreach_").rstrip("_")
    scalars = [0.5, 1.5, 2.5]
    tensors = "tensors"
    if base in ("add", "sub"):
        return [(2.0,), (scalars,), (tensors,)]
    if base in ("mul", "div", "pow", "maximum", "minimum", "clamp_max", "clamp_min"):
        return [(2.0,), (scalars,), (tensors,)]
    if base in ("addcmul", "addcdiv"):
        return [(tensors, tensors), (tensors, tensors, 0.5), (tensors, tensors, scalars)]
    if base == "lerp":
        return [(tensors, 0.25), (tensors, tensors)]
    if base == "copy":
        return [(tensors,)]
    if base == "norm":
        return [(), (1,), (float("inf"),)]
    if base == "mm":
        return []
    return [()]


def _tensors(module: ModuleType, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [module.tensor(rng.uniform(0.1, 0.9, shape).astype(np.float32)) for shape in SHAPES]


@pytest.mark.parametrize("name", [name for name in FOREACH if name not in ABSENT])
def test_functions_over_lists(name: str) -> None:
    for call in _calls(name):
        seen = []
        for module in (fz, torch):
            own = _tensors(module, 0)
            arguments = [_tensors(module, 1 + i) if value == "tensors" else value for i, value in enumerate(call)]
            result = getattr(module, name)(own, *arguments)
            assert (result is None) or not name.endswith("_") or module is torch
            seen.append([x.numpy() for x in (own if name.endswith("_") else result)])
        for mine, theirs in zip(*seen, strict=True):
            assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine, theirs, rtol=3e-6, atol=1e-6, err_msg=f"{name}{call}")


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ArgumentError, match="expected 3 values, one for each tensor, given 2"):
        fz._foreach_add(_tensors(fz, 0), [1.0, 2.0])
    assert not hasattr(fz, "_foreach_no_such")


def test_functions_of_a_program_hand_their_calls_on() -> None:
    for module in (fz, torch):

        class Plain:
            @classmethod
            def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                return NotImplemented

        class Loud(Plain):
            @classmethod
            def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                return func.__name__, [kind.__name__ for kind in types], len(args), kwargs

        given = (Plain(), Loud(), module.ones(1))
        assert module.overrides.has_torch_function(given)
        assert not module.overrides.has_torch_function_unary(module.ones(1)) or module is torch
        found = module.overrides.handle_torch_function(_named, given[:2], *given, n=1)
        assert found == ("_named", ["Loud", "Plain"], 3, {"n": 1})
        with pytest.raises(TypeError, match="no implementation found"):
            module.overrides.handle_torch_function(_named, (Plain(),), Plain())
        assert module.overrides.is_tensor_like(module.ones(1)) and module.overrides.is_tensor_like(Loud())


def _named(*args: Any, n: int) -> None: ...


def test_prefixes_of_wrapped_models_are_taken_off() -> None:
    for module in (fz, torch):
        wrapped = OrderedDict(module.nn.Sequential(module.nn.Linear(2, 1)).state_dict())
        wrapped = OrderedDict((f"module.{key}", value) for key, value in wrapped.items())
        module.nn.modules.utils.consume_prefix_in_state_dict_if_present(wrapped, "module.")
        assert list(wrapped) == ["0.weight", "0.bias"]
    assert fz.nn.modules.utils._pair(3) == torch.nn.modules.utils._pair(3) == (3, 3)
    assert fz.nn.modules.utils._triple([1, 2]) == torch.nn.modules.utils._triple([1, 2])
    assert fz.nn.modules.utils._reverse_repeat_tuple((1, 2), 2) == torch.nn.modules.utils._reverse_repeat_tuple((1, 2), 2)


def test_many_tensors_as_one_are_pytorchs():
    """`torch._utils`, which programs of several processes use."""
    found = []
    for xp in (fz, torch):
        utils = importlib.import_module(f"{xp.__name__}._utils")
        tensors = [xp.arange(6.0).reshape(2, 3), xp.ones(()), xp.zeros(0), xp.arange(2.0)]
        flat = utils._flatten_dense_tensors(tensors)
        back = utils._unflatten_dense_tensors(flat * 2, tensors)
        mixed = [*tensors, xp.arange(3), xp.arange(9.0), xp.arange(5)]
        groups = [[tuple(t.shape) for t in group] for group in utils._take_tensors(mixed, 32)]
        sizes = [utils._element_size(d) for d in (xp.float32, xp.int8, xp.float64)]
        found.append((flat.tolist(), [t.tolist() for t in back], groups, sizes, utils._get_device_index("cuda:1")))
        with pytest.raises(ValueError, match="Expected a non cpu device"):
            utils._get_device_index("cpu")
    assert found[0] == found[1]


def test_named_tuples_by_their_private_names() -> None:
    for pytree in (_pytree, torch.utils._pytree):
        items, kind = pytree._namedtuple_flatten(Point(1, 2))
        assert (items, kind) == ([1, 2], Point) and pytree._namedtuple_unflatten([3, 4], kind) == Point(3, 4)


@pytest.mark.parametrize("kind", [list, tuple, dict, OrderedDict])
def test_containers_by_their_private_names(kind: Any) -> None:
    value, name = kind([("a", 1), ("b", 2)]), kind.__name__.lower()
    for pytree in (_pytree, torch.utils._pytree):
        items, context = getattr(pytree, f"_{name}_flatten")(value)
        assert getattr(pytree, f"_{name}_unflatten")(items, context) == value
        pairs, again = getattr(pytree, f"_{name}_flatten_with_keys")(value)
        assert again == context and [item for _, item in pairs] == items
        assert [key.get(value) for key, _ in pairs] == items and str(pairs[1][0]) == ("[1]" if kind in (list, tuple) else "['b']")


def test_batches_by_a_map_of_types() -> None:
    class Image:
        def __init__(self, x: Any) -> None:
            self.x = x

    for library in (fz, torch):
        module = importlib.import_module(f"{library.__name__}.utils.data._utils.collate")
        kinds = {**module.default_collate_fn_map, Image: lambda batch, *, collate_fn_map: [image.x for image in batch]}
        samples = [{"i": Image(n), "t": library.ones(2), "n": n} for n in range(2)]
        found = module.collate(samples, collate_fn_map=kinds)
        assert found["i"] == [0, 1] and found["t"].shape == (2, 2) and found["n"].tolist() == [0, 1]
        with pytest.raises(TypeError):
            module.collate(samples)
        assert module.collate_tensor_fn([library.ones(2)] * 3).shape == (3, 2)
        assert module.np_str_obj_array_pattern.search("U5")


def test_what_optimizers_of_libraries_import() -> None:
    for library in (fz, torch):
        module = importlib.import_module(f"{library.__name__}.optim.optimizer")
        assert repr(module.required) == "<required parameter>" and module.ParamsT is not None
        p = library.nn.Parameter(library.ones(2))

        class Halved(module.Optimizer):
            @module._use_grad_for_differentiable
            def step(self, seen: Any = library) -> bool:
                return bool(seen.is_grad_enabled())

        assert [Halved([p], {"differentiable": on}).step() for on in (True, False)] == [True, False]
        assert module._default_to_fused_or_foreach([p], True) == (False, False)


def test_what_layers_of_libraries_import() -> None:
    ours, theirs = (importlib.import_module(f"{name}.nn.common_types") for name in ("frazil", "torch"))
    names = [name for name in dir(theirs) if name.startswith(("_size_", "_ratio_"))]
    assert not [name for name in names if not hasattr(ours, name)]
    assert fz.jit.interface(Point) is Point
    for library in (fz, torch):
        lists = importlib.import_module(f"{library.__name__}.jit.annotations")
        lists.BroadcastingList2[int]  # a type here, nothing there
        assert issubclass(library.jit.TracerWarning, Warning)
        assert library.serialization.DEFAULT_PROTOCOL == 2

        class Marked(library.Tensor):
            pass

        x = library.ones(1).as_subclass(Marked)
        assert type(x + 1) is Marked
        for disabled in (library._C.DisableTorchFunctionSubclass, library._C.DisableTorchFunction):
            with disabled():
                assert type(x + 1) is library.Tensor
        with library._C._AutoDispatchBelowAutograd():
            assert (library.ones(1) + 1).tolist() == [2.0]
        keys = library._C.DispatchKeySet(library._C.DispatchKey.AutocastCPU)
        with library._C._ExcludeDispatchKeyGuard(keys | library._C.DispatchKeySet(library._C.DispatchKey.AutocastCUDA)):
            assert (library.ones(1) + 1).tolist() == [2.0]


def test_modules_are_copied_by_name() -> None:
    for library in (fz, torch):
        graph_module = importlib.import_module(f"{library.__name__}.fx.graph_module")
        source, target = library.nn.Sequential(library.nn.BatchNorm1d(2)), library.nn.Module()
        graph_module._copy_attr(source, target, "0.running_mean")
        graph_module._copy_attr(source, target, "0.weight")
        assert [name for name, _ in target.named_buffers()] == ["0.running_mean"]
        assert [name for name, _ in target.named_parameters()] == ["0.weight"]
        same = graph_module._CodeOnlyModule(source.__dict__)
        assert getattr(same, "0") is source[0]


def test_limits_of_all_floats() -> None:
    names = [name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)]
    for name in names:
        theirs = getattr(torch, name)
        if hasattr(fz, name) and (theirs.is_floating_point or theirs.is_complex) and name != "float4_e2m1fn_x2":
            ours = fz.finfo(getattr(fz, name))
            for what in "bits max min eps tiny smallest_normal resolution dtype".split():
                assert getattr(ours, what) == getattr(torch.finfo(theirs), what), (name, what)


def test_optimizers_around_others_need_not_start_the_base_class() -> None:
    for library in (fz, torch):

        class Around(library.optim.Optimizer):
            def __init__(self, inner: Any) -> None:
                self.inner, self.defaults, self.param_groups, self.state = inner, inner.defaults, inner.param_groups, inner.state
                self._optimizer_step_pre_hooks = OrderedDict()  # what PyTorch's base class would have made
                self._optimizer_step_post_hooks = OrderedDict()

            def step(self, closure: Any = None) -> Any:
                return self.inner.step(closure)

        p = library.nn.Parameter(library.ones(2))
        p.sum().backward()
        Around(library.optim.SGD([p], lr=0.5)).step()
        assert p.tolist() == [0.5, 0.5]


def test_auxiliary_results_of_flex_attention() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 4)).astype("float32")
    found = []
    importlib.import_module("torch.nn.attention.flex_attention")._WARNINGS_SHOWN.add("flex_attention_performance")
    for library in (fz, torch):
        flex = importlib.import_module(f"{library.__name__}.nn.attention.flex_attention")
        q = library.from_numpy(x)
        mask = flex.create_block_mask(lambda b, h, i, j: i >= j, None, None, 5, 5, device="cpu")
        out, aux = flex.flex_attention(q, q, q, block_mask=mask, return_aux=flex.AuxRequest(lse=True))
        assert aux.max_scores is None
        found.append((out.numpy(), aux.lse.numpy()))
        with pytest.raises(ValueError, match="return_lse"):
            flex.flex_attention(q, q, q, return_lse=True, return_aux=flex.AuxRequest(lse=True))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    q = fz.from_numpy(x)
    _, aux = fz.nn.attention.flex_attention.flex_attention(
        q, q, q, return_aux=fz.nn.attention.flex_attention.AuxRequest(max_scores=True)
    )
    assert aux.lse is None  # PyTorch gives the largest scores on GPUs only
    np.testing.assert_allclose(aux.max_scores, ((q @ q.mT) / 2).amax(-1), rtol=1e-6)


def test_draws_of_gamma_numbers_and_shares_by_their_private_names() -> None:
    for library in (fz, torch):
        library.manual_seed(0)
        shape = library.full((20000, 2), 2.5, dtype=library.float64, requires_grad=True)
        numbers = library._standard_gamma(shape)
        np.testing.assert_allclose(numbers.detach().mean(0), [2.5, 2.5], atol=0.1)
        np.testing.assert_allclose(numbers.detach().var(0), [2.5, 2.5], atol=0.2)
        shares = library._sample_dirichlet(shape * library.tensor([1.0, 3.0]))
        np.testing.assert_allclose(shares.detach().sum(1), np.ones(20000))
        np.testing.assert_allclose(shares.detach().mean(0), [0.25, 0.75], atol=0.02)
        numbers.sum().backward()
        np.testing.assert_allclose(shape.grad.mean(), 1.0, atol=0.02)
