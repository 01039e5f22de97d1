"""Weights that are computed, masked or fused: `nn.utils.parametrize`, `parametrizations`, `prune`, `fusion`."""

from __future__ import annotations

import copy

import pytest

import frazil as fz

nn = fz.nn
P, prune = nn.utils.parametrize, nn.utils.prune


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).T

    def right_inverse(self, x):
        return x.triu()


class Double(nn.Module):
    def forward(self, x):
        return x * 2


def test_a_parametrised_weight_is_computed_at_every_use_and_its_original_is_trained():
    layer = nn.Linear(3, 3)
    upper = layer.weight.detach().triu()
    P.register_parametrization(layer, "weight", Symmetric())
    assert isinstance(layer, nn.Linear) and type(layer).__name__ == "ParametrizedLinear" and P.is_parametrized(layer, "weight")
    fz.testing.assert_close(layer.weight.detach(), upper + upper.triu(1).T)
    assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    optimizer = fz.optim.SGD(layer.parameters(), lr=0.1)
    layer(fz.ones(2, 3)).sum().backward()
    optimizer.step()
    assert (layer.weight == layer.weight.T).all() and not (layer.weight.triu() == upper).all()
    layer.weight = fz.eye(3)
    fz.testing.assert_close(layer.parametrizations.weight.original.detach(), fz.eye(3))
    copied = copy.deepcopy(layer)
    fz.testing.assert_close(copied(fz.ones(1, 3)), layer(fz.ones(1, 3)))
    recorded = fz.jit.trace(layer, (fz.ones(1, 3),))
    fz.testing.assert_close(recorded(fz.ones(1, 3)), layer(fz.ones(1, 3)))


def test_parametrisations_follow_one_another_and_are_taken_off():
    layer = nn.Linear(2, 2, bias=False)
    weight, value = layer.weight, layer.weight.detach().clone()
    for _ in range(2):
        P.register_parametrization(layer, "weight", Double())
    fz.testing.assert_close(layer.weight.detach(), 4 * value)
    with pytest.raises(RuntimeError, match="right_inverse"):
        layer.weight = value
    with P.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight
    P.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and layer.weight is weight
    fz.testing.assert_close(layer.weight.detach(), 4 * value)
    with pytest.raises(RuntimeError, match="does not have"):
        P.remove_parametrizations(layer, "weight")
    with pytest.raises(RuntimeError, match="'nothing'"):
        P.register_parametrization(layer, "nothing", Double())
    with pytest.raises(RuntimeError, match="unsafe"):
        P.register_parametrization(layer, "weight", nn.Flatten(0))


def test_weight_norm_and_spectral_norm_as_parametrisations():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    fz.testing.assert_close(layer.weight.detach(), v.detach())
    with fz.no_grad():
        g.mul_(3)
    fz.testing.assert_close(layer.weight.detach(), 3 * v.detach())
    conv = nn.Conv2d(3, 4, 2)
    with fz.no_grad():
        conv.weight[0].mul_(10)  # one singular value far above the others, so that few rounds find it
    layer = nn.utils.parametrizations.spectral_norm(conv)
    for _ in range(30):
        layer(fz.ones(1, 3, 4, 4))
    assert fz.linalg.svdvals(layer.eval().weight.detach().reshape(4, -1))[0].item() == pytest.approx(1.0, rel=1e-3)
    layer.train()(fz.ones(1, 3, 4, 4)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None


def test_pruning_takes_the_least_of_what_is_left():
    layer = nn.Linear(4, 1)
    with fz.no_grad():
        layer.weight.copy_(fz.tensor([[1.0, -4.0, 2.0, -3.0]]))
    prune.l1_unstructured(layer, "weight", 1)
    assert layer.weight.tolist() == [[0, -4, 2, -3]]
    prune.l1_unstructured(layer, "weight", 1 / 3)
    assert layer.weight.tolist() == [[0, -4, 0, -3]] and layer.weight_mask.tolist() == [[0, 1, 0, 1]]
    layer(fz.ones(1, 4)).sum().backward()
    assert layer.weight_orig.grad.tolist() == [[0, 1, 0, 1]] and prune.is_pruned(nn.Sequential(layer))
    prune.remove(layer, "weight")
    assert layer.weight.tolist() == [[0, -4, 0, -3]] and not prune.is_pruned(layer)
    for wrong in (1.5, -1, 5):
        with pytest.raises(RuntimeError, match="amount"):
            prune.l1_unstructured(layer, "weight", wrong)
    with pytest.raises(RuntimeError, match="has to be pruned"):
        prune.remove(layer, "weight")


def test_pruning_of_channels_and_of_several_layers():
    layer = nn.Linear(2, 3)
    with fz.no_grad():
        layer.weight.copy_(fz.tensor([[1.0, 2.0], [0.5, 0.1], [5.0, 0.0]]))
    prune.ln_structured(layer, "weight", 1, n=2, dim=0)
    assert layer.weight.tolist() == [[1, 2], [0, 0], [5, 0]]
    prune.ln_structured(layer, "weight", 1, n=1, dim=0)
    assert layer.weight.tolist() == [[0, 0], [0, 0], [5, 0]]
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    with fz.no_grad():
        a.weight.copy_(fz.tensor([[1.0, 2.0]]))
        b.weight.copy_(fz.tensor([[3.0, 0.5]]))
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=2)
    assert a.weight.tolist() == [[0, 2]] and b.weight.tolist() == [[3, 0]]


def test_fusion_gives_one_layer_that_does_both():
    for conv, bn, x, transpose in (
        (nn.Conv2d(3, 4, 2, bias=False), nn.BatchNorm2d(4), fz.randn(2, 3, 5, 5), False),
        (nn.ConvTranspose1d(3, 4, 2), nn.BatchNorm1d(4), fz.randn(2, 3, 5), True),
    ):
        bn(fz.randn(8, 4, *x.shape[2:]))  # statistics other than the first
        conv.eval()
        bn.eval()
        fz.testing.assert_close(nn.utils.fuse_conv_bn_eval(conv, bn, transpose)(x), bn(conv(x)), rtol=1e-4, atol=1e-5)
    linear, bn = nn.Linear(3, 4), nn.BatchNorm1d(4)
    bn(fz.randn(8, 4))
    with pytest.raises(RuntimeError, match="eval"):
        nn.utils.fuse_linear_bn_eval(linear, bn)
    fused = nn.utils.fuse_linear_bn_eval(linear.eval(), bn.eval())
    x = fz.randn(2, 3)
    fz.testing.assert_close(fused(x), bn(linear(x)), rtol=1e-4, atol=1e-5)


class EveryOther(prune.BasePruningMethod):
    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        mask = default_mask.clone()
        mask.view(-1)[::2] = 0
        return mask


def test_a_way_of_pruning_of_ones_own_sees_what_is_left_and_can_be_global():
    layer = nn.Linear(8, 1)
    EveryOther.apply(layer, "weight")
    assert layer.weight_mask.tolist() == [[0, 1] * 4]
    prune.l1_unstructured(layer, "weight", 1)
    EveryOther.apply(layer, "weight")
    assert int(layer.weight_mask.sum()) == 1
    (hook,) = layer._forward_pre_hooks.values()
    assert hook._tensor_name == "weight" and [type(way) for way in hook] == [EveryOther, prune.L1Unstructured, EveryOther]
    fz.testing.assert_close(layer(fz.ones(1, 8)), (layer.weight_orig * layer.weight_mask).sum().reshape(1, 1) + layer.bias)
    prune.remove(layer, "weight")
    assert not layer._forward_pre_hooks and int((layer.weight != 0).sum()) == 1
    layers = [nn.Linear(3, 1), nn.Linear(3, 1)]
    prune.global_unstructured([(one, "weight") for one in layers], pruning_method=EveryOther)
    assert [one.weight_mask.tolist() for one in layers] == [[[0, 1, 0]], [[1, 0, 1]]]
    with pytest.raises(fz.errors.ArgumentError, match="not LnStructured"):
        prune.global_unstructured([(layers[0], "bias")], prune.LnStructured, amount=1, n=2)
    assert prune.LnStructured(1, n=2, dim=0).prune(fz.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[0, 0], [3, 4]]


@pytest.mark.parametrize("way", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (2, 4), (2, 4, 3)])
def test_an_orthogonal_weight_stays_so_while_it_is_trained(way, shape):
    layer = nn.Module()
    layer.weight = nn.Parameter(fz.randn(*shape, generator=fz.Generator().manual_seed(0)))
    nn.utils.parametrizations.orthogonal(layer, orthogonal_map=way)
    first = layer.weight.detach()
    optimizer = fz.optim.SGD(layer.parameters(), lr=0.5)
    (layer.weight * fz.arange(float(first.numel())).reshape(shape)).sum().backward()
    optimizer.step()
    for weight in (first, layer.weight.detach()):
        square = weight @ weight.mT if shape[-2] < shape[-1] else weight.mT @ weight
        fz.testing.assert_close(square, fz.eye(square.shape[-1]).expand_as(square), atol=1e-5, rtol=0)
    assert (layer.weight - first).abs().max() > 0.1
    layer.weight = first
    fz.testing.assert_close(layer.weight.detach(), first, atol=1e-5, rtol=0)


def test_an_orthogonal_weight_without_a_base_cannot_always_be_assigned():
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="cayley", use_trivialization=False)
    with pytest.raises(NotImplementedError, match="cayley"):
        layer.weight = fz.eye(3)
