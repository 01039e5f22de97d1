"""`Module`: members, state, hooks, text."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.register_buffer("scale", fz.ones(2))
        self.register_buffer("cache", fz.zeros(1), persistent=False)

    def forward(self, x: Any) -> Any:
        return self.second(fz.relu(self.first(x))) * self.scale


def names(pairs: Any) -> list[str]:
    return [name for name, _ in pairs]


# ---------------------------------------------------------------------------------------------------------------- attributes


def test_members_are_found_by_kind() -> None:
    net = Net()
    assert names(net.named_parameters()) == ["first.weight", "first.bias", "second.weight"]
    assert names(net.named_buffers()) == ["scale", "cache"]
    assert names(net.named_children()) == ["first", "second"]
    assert names(net.named_modules()) == ["", "first", "second"]
    assert list(net.state_dict()) == ["scale", "first.weight", "first.bias", "second.weight"]
    assert len(list(net.parameters())) == 3
    assert len(list(net.parameters(recurse=False))) == 0
    assert names(net.named_parameters(prefix="net")) == ["net.first.weight", "net.first.bias", "net.second.weight"]


@pytest.mark.parametrize("value", [nn.Linear(1, 1), nn.Parameter(fz.ones(1))], ids=["module", "parameter"])
def test_assigning_before_init_says_so(value: Any) -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.member = value

    with pytest.raises(AttributeError, match=r"cannot assign (module|parameters) before Module.__init__\(\) call"):
        Early()


def test_using_a_module_whose_init_was_skipped_names_the_cure() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match=r"Lazy.__init__ must call super\(\).__init__\(\) first"):
        Lazy().weight


def test_a_missing_attribute_is_an_attribute_error_with_a_suggestion() -> None:
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'frist'") as caught:
        Net().frist
    assert caught.value.name == "frist"
    assert not hasattr(Net(), "frist")


def test_a_name_moves_between_kinds() -> None:
    net = Net()
    net.thing = 3
    net.thing = nn.Parameter(fz.ones(1))
    assert "thing" in dict(net.named_parameters())
    net.thing = nn.ReLU() if net.thing is None else None
    net.thing = nn.Parameter(fz.ones(2))
    del net.thing
    net.thing = nn.ReLU()
    assert "thing" in dict(net.named_children())
    net.scale = fz.zeros(2)
    assert dict(net.named_buffers())["scale"].tolist() == [0, 0]
    with pytest.raises(TypeError, match="cannot assign 'int' as parameter 'weight'"):
        net.first.weight = 3
    with pytest.raises(TypeError, match="cannot assign 'Tensor' as child module 'first'"):
        net.first = fz.ones(1)
    with pytest.raises(TypeError, match="cannot assign 'str' as buffer 'scale'"):
        net.scale = "x"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.register_parameter("a.b", None), KeyError, "can.{1,2}t contain"),
        (lambda m: m.register_parameter("", None), KeyError, "can.{1,2}t be empty"),
        (lambda m: m.register_parameter("first", None), KeyError, "attribute 'first' already exists"),
        (lambda m: m.register_parameter("p", fz.ones(1)), TypeError, "frazil.nn.Parameter or None required"),
        (lambda m: m.register_buffer("b", 3), TypeError, "cannot assign 'int' object to buffer 'b'"),
        (lambda m: m.register_buffer("forward", None), KeyError, "attribute 'forward' already exists"),
        (lambda m: m.add_module("m", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.add_module("a.b", nn.ReLU()), KeyError, "can.{1,2}t contain"),
        (lambda m: m.train(1), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.to(fz.int64), TypeError, "only accepts floating point or complex dtypes"),
        (lambda m: m.to(dtype=fz.float32, unknown=1), TypeError, "unknown argument"),
        (lambda m: nn.Module()(1), NotImplementedError, 'missing the required "forward" function'),
        (lambda m: m.get_submodule("first.deep"), AttributeError, "Linear has no attribute `deep`"),
        (lambda m: m.get_submodule("first.weight"), AttributeError, "`weight` is not an nn.Module"),
        (lambda m: m.get_parameter("first"), AttributeError, "`first` is not an nn.Parameter"),
        (lambda m: m.get_buffer("first.weight"), AttributeError, "`weight` is not a buffer"),
        (lambda m: m.load_state_dict(3), TypeError, "Expected state_dict to be dict-like"),
        (lambda m: m.first.get_extra_state(), RuntimeError, "no extra state"),
        (lambda m: nn.Parameter([1.0]), TypeError, "expected a Tensor, given a list"),
    ],
)
def test_misuse_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(Net())


def test_a_non_leaf_is_no_parameter() -> None:
    net = Net()
    product = nn.Parameter(fz.ones(1)) * 2
    assert not isinstance(product, nn.Parameter)
    with pytest.raises(TypeError, match="frazil.nn.Parameter or None required"):
        net.register_parameter("p", product)


def test_members_by_dotted_name() -> None:
    net = nn.Sequential(Net())
    assert net.get_submodule("") is net
    assert net.get_submodule("0.first") is net[0].first
    assert net.get_parameter("0.first.weight") is net[0].first.weight
    assert net.get_buffer("0.scale") is net[0].scale
    other = nn.Linear(3, 4)
    net.set_submodule("0.first", other)
    assert net[0].first is other
    with pytest.raises(AttributeError, match="has no attribute `third`"):
        net.set_submodule("0.third", other, strict=True)


def test_dir_lists_members_but_not_numbers() -> None:
    listed = dir(nn.Sequential(nn.ReLU()))
    assert "forward" in listed and "0" not in listed
    assert {"first", "scale", "weight"} <= {*dir(Net()), *dir(nn.Linear(1, 1))}


def test_a_shared_module_counts_once() -> None:
    shared = nn.Linear(2, 2)
    net = nn.Sequential(shared, nn.ReLU(), shared)
    assert len(list(net.parameters())) == 2
    assert names(net.named_parameters(remove_duplicate=False)) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert names(net.named_modules()) == ["", "0", "1"]
    assert names(net.named_modules(remove_duplicate=False)) == ["", "0", "1", "2"]
    assert len(list(net.children())) == 2
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


# ----------------------------------------------------------------------------------------------------------- change everything


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    net = Net()
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "Linear", "Net"]


def test_conversions_keep_parameters_the_same_objects() -> None:
    net = Net()
    net.register_buffer("count", fz.zeros(1, dtype=fz.int64))
    net(fz.ones(1, 3)).sum().backward()
    before = list(net.parameters())
    assert net.double() is net
    assert all(p is q for p, q in zip(before, net.parameters(), strict=True))
    assert {p.dtype for p in net.parameters()} == {fz.float64}
    assert net.first.weight.grad.dtype is fz.float64
    assert (net.scale.dtype, net.count.dtype) == (fz.float64, fz.int64)
    assert net.half().first.weight.dtype is fz.float16
    assert net.float().first.weight.dtype is fz.float32
    assert net.to("cpu", fz.float64).scale.dtype is fz.float64
    assert net.to(fz.ones(1)).scale.dtype is fz.float32
    assert net.type(fz.float64).count.dtype is fz.float64
    assert net.first.weight.requires_grad and net.first.weight.is_leaf


def test_an_optimizer_keeps_training_a_converted_module() -> None:
    fz.manual_seed(3)  # with some weights nothing passes the ReLU
    net = Net()
    optimizer = fz.optim.SGD(net.parameters(), lr=0.1)
    net.double()
    before = net.first.weight.detach().clone()
    net(fz.ones(1, 3, dtype=fz.float64)).sum().backward()
    optimizer.step()
    assert not fz.equal(before, net.first.weight)


def test_modes_gradients_and_flags_reach_all() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Linear(1, 1)))
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_(True)
    net(fz.ones(1, 1)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad is not None and float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_copies_are_independent_and_keep_sharing_inside() -> None:
    shared = nn.Linear(2, 2)
    net = nn.Sequential(shared, shared, nn.BatchNorm1d(2))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin[0] is twin[1] and twin[0] is not shared
        assert isinstance(twin[0].weight, nn.Parameter) and twin[0].weight.requires_grad
        with fz.no_grad():
            twin[0].weight.add_(1)
        assert not fz.equal(twin[0].weight, shared.weight)
        assert list(twin.state_dict()) == list(net.state_dict())


# -------------------------------------------------------------------------------------------------------------------- state


def test_a_state_dict_shares_memory_and_is_detached() -> None:
    net = Net()
    state = net.state_dict()
    assert not state["first.weight"].requires_grad
    assert net.state_dict(keep_vars=True)["first.weight"] is net.first.weight
    with fz.no_grad():
        net.first.weight.fill_(7)
    assert float(state["first.weight"].max()) == 7
    assert next(iter(net.state_dict(prefix="a."))) == "a.scale"


def test_loading_copies_values_into_the_same_parameters() -> None:
    a, b = Net(), Net()
    weight = b.first.weight
    result = b.load_state_dict(a.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert b.first.weight is weight
    for name, value in a.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), b.state_dict()[name].numpy(), err_msg=name)


def test_every_problem_is_listed_at_once_and_nothing_changed() -> None:
    net = Net()
    state = {name: value + 1 for name, value in net.state_dict().items()}
    del state["scale"]
    state["extra.thing"] = fz.ones(1)
    state["first.weight"] = fz.ones(2, 2)
    state["second.weight"] = "text"
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "scale". \n'
        '\tUnexpected key(s) in state_dict: "extra.thing". \n'
        "\tsize mismatch for first.weight: copying a param with shape frazil.Size([2, 2]) from checkpoint, "
        "the shape in current model is frazil.Size([4, 3]).\n"
        '\tWhile copying the parameter named "second.weight", expected frazil.Tensor or Tensor-like object from '
        "checkpoint but received <class 'str'>"
    )
    for name, value in before.items():
        np.testing.assert_array_equal(value.numpy(), net.state_dict()[name].numpy(), err_msg=name)


def test_not_strict_loads_what_fits_and_reports_the_rest() -> None:
    net = Net()
    result = net.load_state_dict({"first.bias": fz.ones(4), "other": fz.ones(1)}, strict=False)
    assert result.missing_keys == ["scale", "first.weight", "second.weight"]
    assert result.unexpected_keys == ["other"]
    assert net.first.bias.tolist() == [1, 1, 1, 1]
    with pytest.raises(RuntimeError, match="size mismatch for first.bias"):
        net.load_state_dict({"first.bias": fz.ones(5)}, strict=False)


def test_loading_by_assignment_takes_the_tensors_themselves() -> None:
    net = Net()
    state = {name: value.to(fz.float64) for name, value in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert net.first.weight.dtype is fz.float64 and isinstance(net.first.weight, nn.Parameter)
    assert net.scale is state["scale"]


def test_a_batch_norm_loads_a_state_from_before_batches_were_counted() -> None:
    old = dict(nn.BatchNorm1d(2).state_dict())
    del old["num_batches_tracked"]
    layer = nn.BatchNorm1d(2)
    layer(fz.tensor([[1.0, 2.0], [3.0, 5.0]]))
    layer.load_state_dict(old)
    assert int(layer.num_batches_tracked) == 0
    versioned = nn.BatchNorm1d(2).state_dict()
    del versioned["num_batches_tracked"]
    with pytest.raises(RuntimeError, match='Missing key.*"num_batches_tracked"'):
        layer.load_state_dict(versioned)


def test_extra_state_travels_with_the_state_dict() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    a, b = nn.Sequential(Counting()), nn.Sequential(Counting())
    a[0].count = 5
    b.load_state_dict(a.state_dict())
    assert b[0].count == 5
    with pytest.raises(RuntimeError, match='Missing key.*"0._extra_state"'):
        b.load_state_dict({})


def test_a_subclass_may_translate_old_keys() -> None:
    class Renamed(nn.Linear):
        def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
            if prefix + "w" in state_dict:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
            super()._load_from_state_dict(state_dict, prefix, *args)

    net = nn.Sequential(Renamed(2, 2, bias=False))
    given = {"0.w": fz.ones(2, 2)}
    net.load_state_dict(given)
    assert net[0].weight.tolist() == [[1, 1], [1, 1]]
    assert list(given) == ["0.w"]  # the caller's dict is left alone


def test_state_hooks() -> None:
    net = nn.Linear(1, 1, bias=False)
    calls: list[str] = []
    net.register_state_dict_pre_hook(lambda module, prefix, keep_vars: calls.append(f"before {prefix}"))
    net.register_state_dict_post_hook(lambda module, state, prefix, metadata: state.update(added=fz.ones(1)))
    net.register_load_state_dict_pre_hook(lambda module, state, *args: state.pop("added", None))
    net.register_load_state_dict_post_hook(lambda module, keys: calls.append(f"after {keys.missing_keys}"))
    state = net.state_dict()
    assert list(state) == ["weight", "added"]
    net.load_state_dict(state)
    assert calls == ["before ", "after []"]


# --------------------------------------------------------------------------------------------------------------------- hooks


def test_forward_hooks_see_and_replace() -> None:
    net = nn.ReLU()
    order: list[str] = []
    net.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    net.register_forward_hook(lambda module, args, output: order.append("second"))
    net.register_forward_hook(lambda module, args, output: order.append("first"), prepend=True)
    handle = net.register_forward_hook(lambda module, args, output: output * 10)
    assert net(fz.tensor([1.0])).tolist() == [20]
    assert order == ["first", "second"]
    handle.remove()
    handle.remove()
    assert net(fz.tensor([1.0])).tolist() == [2]
    with net.register_forward_hook(lambda module, args, output: output * 5):
        assert net(fz.tensor([1.0])).tolist() == [10]
    assert net(fz.tensor([1.0])).tolist() == [2]


def test_hooks_with_keyword_arguments() -> None:
    class Scale(nn.Module):
        def forward(self, x: Any, *, by: float = 1.0) -> Any:
            return x * by

    net = Scale()
    seen: list[Any] = []
    net.register_forward_pre_hook(lambda module, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True)
    net.register_forward_hook(lambda module, args, kwargs, output: seen.append(kwargs), with_kwargs=True)
    assert net(fz.tensor([1.0]), by=2.0).tolist() == [3]
    assert seen == [{"by": 3.0}]
    net.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\)"):
        net(fz.tensor([1.0]), by=2.0)


def test_a_hook_can_ask_to_be_called_when_forward_fails() -> None:
    net = nn.Linear(2, 2)
    calls: list[str] = []
    net.register_forward_hook(lambda module, args, output: calls.append("plain"))
    net.register_forward_hook(lambda module, args, output: calls.append("always"), always_call=True)
    with pytest.raises(ValueError, match="linear"):
        net(fz.ones(3, 3))
    assert calls == ["always"]
    net(fz.ones(1, 2))
    assert calls == ["always", "plain", "always"]


def test_backward_hooks_see_and_replace_gradients() -> None:
    net = nn.Linear(2, 3)
    seen: dict[str, Any] = {}
    net.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2,))

    def after(module: Any, grad_input: Any, grad_output: Any) -> Any:
        seen["input"], seen["output"] = grad_input[0].clone(), grad_output[0].clone()
        return (grad_input[0] * 10,)

    net.register_full_backward_hook(after)
    x = fz.ones(4, 2, requires_grad=True)
    net(x).sum().backward()
    assert seen["output"].tolist() == [[2.0] * 3] * 4
    np.testing.assert_allclose(seen["input"].numpy(), 2 * net.weight.detach().numpy().sum(0) * np.ones((4, 2)), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), 10 * seen["input"].numpy())


def test_a_backward_hook_without_differentiable_input_still_runs() -> None:
    net = nn.Linear(2, 3)
    seen: list[Any] = []
    net.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((grad_input, grad_output[0].shape)))
    net(fz.ones(4, 2)).sum().backward()
    assert seen == [((None,), (4, 3))]


def test_backward_hooks_see_none_for_results_that_have_no_gradient() -> None:
    class Two(nn.Module):
        def forward(self, x: Any, w: Any) -> Any:
            return x * 2, w * 3

    net, seen = Two(), []
    net.register_full_backward_hook(lambda module, into, out: seen.append(([g is None for g in into], [g is None for g in out])))
    x, w = fz.ones(2, requires_grad=True), fz.ones(2, requires_grad=True)
    net(x, w)[0].sum().backward()
    assert seen == [([False, False], [False, True])]
    assert x.grad.tolist() == [2, 2] and w.grad.tolist() == [0, 0]


def test_backward_hooks_of_a_module_that_returns_a_dict_are_not_called_and_it_says_so() -> None:
    class Named(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"y": x * 2}

    net, seen = Named(), []
    net.register_full_backward_hook(lambda *_: seen.append("called"))
    x = fz.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="hooks of Named are not called.*returned a dict"):
        y = net(x)["y"]
    y.sum().backward()
    assert x.grad.tolist() == [2, 2] and seen == []


def test_parameters_in_containers_reach_backward() -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.ParameterList([fz.full((1,), float(i)) for i in range(3)])
            self.named = nn.ParameterDict({"a": fz.ones(1)})

        def forward(self, x: Any) -> Any:
            return sum(x * w for w in self.weights) * self.named["a"]

    net = Weighted()
    net(fz.tensor([2.0])).backward()
    assert [float(w.grad) for w in net.weights] == [2, 2, 2]
    assert float(net.named["a"].grad) == 6


# ------------------------------------------------------------------------------------------------------------------ containers


def test_sequential_is_a_list_of_modules() -> None:
    a, b, c = nn.Linear(1, 1), nn.ReLU(), nn.Tanh()
    net = nn.Sequential(a, b)
    assert net.append(c) is net
    assert (len(net), net[0], net[-1], list(net)) == (3, a, c, [a, b, c])
    assert isinstance(net[1:], nn.Sequential) and list(net[1:]) == [b, c]
    net.insert(1, c)
    assert list(net) == [a, c, b, c] and list(net._modules) == ["0", "1", "2", "3"]
    assert net.pop(1) is c
    del net[0]
    assert list(net) == [b, c] and list(net._modules) == ["0", "1"]
    net[0] = a
    net.extend([b])
    assert list(net) == [a, c, b]
    assert list(net + nn.Sequential(b)) == [a, c, b, b]
    assert list(net * 2) == [a, c, b, a, c, b]
    assert a in net
    with pytest.raises(IndexError, match="index 5 is out of range"):
        net[5]
    with pytest.raises(ValueError, match="only objects of Sequential class"):
        net + [a]  # type: ignore[operator]
    with pytest.raises(ValueError, match="Non-positive multiplication factor"):
        net * 0
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_sequential_of_named_modules() -> None:
    from collections import OrderedDict

    net = nn.Sequential(OrderedDict(hidden=nn.Linear(2, 3), act=nn.ReLU()))
    assert list(net.state_dict()) == ["hidden.weight", "hidden.bias"]
    assert net.hidden is net[0]
    assert list(net[:1]._modules) == ["hidden"]


def test_module_list_and_dict() -> None:
    a, b = nn.Linear(1, 1), nn.ReLU()
    both = nn.ModuleList([a])
    both += [b]
    assert list(both + [a]) == [a, b, a]
    assert list(both[::-1]) == [b, a]
    with pytest.raises(TypeError, match="extend should be called with an iterable"):
        both.extend(3)  # type: ignore[arg-type]
    heads = nn.ModuleDict({"x": a})
    heads.update([("y", b)])
    assert list(heads) == ["x", "y"] and list(heads.keys()) == ["x", "y"] and "y" in heads and len(heads) == 2
    assert heads.pop("y") is b and dict(heads.items()) == {"x": a} and list(heads.values()) == [a]
    del heads["x"]
    heads.clear()
    assert len(heads) == 0
    with pytest.raises(KeyError):
        heads["none"]
    with pytest.raises(NotImplementedError):
        both(1)


def test_parameter_list() -> None:
    weights = nn.ParameterList([fz.ones(2), 3])
    weights.append(fz.zeros(1))
    assert len(weights) == 3 and weights[1] == 3 and isinstance(weights[-1], nn.Parameter)
    assert names(weights.named_parameters()) == ["0", "2"]
    weights[1] = fz.ones(1)
    assert len(list(weights.parameters())) == 3
    assert len(weights[1:]) == 2
    assert float(weights.pop(1).sum()) == 1 and len(weights) == 2
    assert repr(nn.ParameterList([fz.ones(2, 3), 3])) == (
        "ParameterList(\n    (0): Parameter containing: [frazil.float32 of size 2x3]\n    (1): Object of type: int\n)"
    )
    with pytest.raises(TypeError, match="should be called with an iterable"):
        nn.ParameterList(3)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="should not be called"):
        weights(1)


def test_parameter_dict() -> None:
    weights = nn.ParameterDict({"a": fz.ones(2)})
    weights["b"] = 3
    assert list(weights) == ["a", "b"] and weights.get("c", 5) == 5 and "a" in weights and len(weights) == 2
    assert isinstance(weights.setdefault("c", fz.ones(1)), nn.Parameter)
    assert [key for key, _ in weights.items()] == list(weights.keys()) == ["a", "b", "c"]
    assert weights.pop("b") == 3
    weights.clear()
    assert len(weights) == 0 and not list(weights.parameters())
    with pytest.raises(KeyError):
        weights["a"]
    with pytest.raises(KeyError, match="already exists"):
        weights["keys"] = fz.ones(1)
    with pytest.raises(TypeError, match="not a string"):
        weights[1] = fz.ones(1)  # type: ignore[index]


def test_repr_shows_the_tree() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.ReLU()) for _ in range(2)])
            self.head = nn.Linear(1, 2)

        def extra_repr(self) -> str:
            return "one line\nanother"

    assert repr(Model()) == (
        "Model(\n"
        "  one line\n"
        "  another\n"
        "  (blocks): ModuleList(\n"
        "    (0-1): 2 x Sequential(\n"
        "      (0): Linear(in_features=1, out_features=1, bias=True)\n"
        "      (1): ReLU()\n"
        "    )\n"
        "  )\n"
        "  (head): Linear(in_features=1, out_features=2, bias=True)\n"
        ")"
    )


def test_a_parameter_is_a_tensor_that_says_so() -> None:
    p = nn.Parameter(fz.tensor([1.0]))
    assert repr(p) == "Parameter containing:\ntensor([1.], requires_grad=True)"
    assert p.requires_grad and p.is_leaf and not nn.Parameter(fz.ones(1), requires_grad=False).requires_grad
    source = fz.zeros(2)
    shared = nn.Parameter(source)
    source[0] = 5
    assert shared.tolist() == [5, 0]
    assert isinstance(copy.deepcopy(p), nn.Parameter)


def test_a_buffer_is_registered_by_assigning_it() -> None:
    layer = fz.nn.Linear(1, 1)
    layer.kept, layer.other = fz.nn.Buffer(fz.ones(2)), fz.nn.Buffer(fz.zeros(1), persistent=False)
    assert [name for name, _ in layer.named_buffers()] == ["kept", "other"]
    assert list(layer.state_dict()) == ["weight", "bias", "kept"]
    assert isinstance(layer.kept, fz.nn.Buffer) and not isinstance(layer.weight, fz.nn.Buffer)
    layer.kept = fz.zeros(3)
    assert layer.state_dict()["kept"].shape == (3,)


def test_the_old_backward_hook_is_the_full_one() -> None:
    layer, seen = fz.nn.Linear(1, 1), []
    layer.register_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_output[0].tolist()))
    layer(fz.ones(1, 1)).sum().backward()
    assert seen == [[[1.0]]]


def test_a_deep_copy_of_a_module_has_no_gradients() -> None:
    """Its own training would add to them."""
    net = nn.Linear(2, 1)
    net(fz.ones(1, 2)).sum().backward()
    assert all(p.grad is None for p in copy.deepcopy(net).parameters())
    leaf = fz.ones(2, requires_grad=True)
    leaf.sum().backward()
    assert copy.deepcopy(leaf).grad.tolist() == [1, 1]


def test_the_norm_of_complex_gradients_counts_their_magnitudes() -> None:
    w, v = nn.Parameter(fz.tensor([0j, 0j])), nn.Parameter(fz.zeros(1))
    w.grad, v.grad = fz.tensor([3j, 0j]), fz.tensor([4.0])
    assert nn.utils.clip_grad_norm_([w, v], 1.0).item() == 5.0
    np.testing.assert_allclose(w.grad.numpy(), [0.6j, 0], rtol=1e-6)
    np.testing.assert_allclose(v.grad.numpy(), [0.8], rtol=1e-6)
