"""Lines that PyTorch refuses, and lines that both compute: `T` is the library, `t` its `tensor`, `F` and `nn` its modules.

A line may begin with statements, each followed by `;;`.
"""

REFUSED = """
T.arange(4.).unfold(0, 5, 1)
T.arange(4.).unfold(0, 2, 0)
F.softmax(t([1, 2]), 0)
F.log_softmax(t([1, 2]), 0)
F.elu(t([1, -2]))
F.selu(t([1, -2]))
F.celu(t([1, -2]))
F.leaky_relu(t([1, -2]))
F.hardshrink(t([1]))
F.softshrink(t([1]))
F.logsigmoid(t([1]))
F.glu(t([1, 2]))
F.prelu(t([1]), t([1]))
F.prelu(t([1.]), t([1.], dtype=T.float64))
F.relu(t([True]))
T.abs(t([True]))
T.floor(t([True]))
T.argmax(t([True]))
t([1.]) - t([True])
t([1.]) - True
T.frac(t([1]))
T.hypot(t([1]), t([2]))
T.lerp(t([1.]), t([2.], dtype=T.float64), 0.5)
T.matmul(T.ones(2, 2, dtype=T.bool), T.ones(2, 2, dtype=T.bool))
t([1]) // 0
t([1]) % t([0])
T.fmod(t([1, 2]), t([1, 0]))
T.div(t([1]), 0, rounding_mode="trunc")
F.scaled_dot_product_attention(T.ones(2, 3), T.ones(2, 3), T.ones(2, 3), T.ones(2, 2, dtype=T.bool), is_causal=True)
T.quantile(T.ones(3), t([0.5, 1.5]))
T.quantile(t([1, 2]), 0.5)
T.quantile(T.ones(0), 0.5)
T.median(T.ones(2, 0), 1)
T.histc(t([1., float("nan")]), 2)
T.histc(t([1, 2]), 2)
T.kthvalue(t([True]), 1)
F.conv1d(T.ones(1, 2, 5), T.ones(1, 2, 0))
F.conv2d(T.ones(1, 2, 0, 3), T.ones(1, 2, 1, 1), padding=1)
F.max_pool2d(T.ones(2, 0, 4, 4), 2)
F.avg_pool1d(T.ones(0, 4), 2)
F.adaptive_avg_pool2d(T.ones(1, 2, 0, 3), 2)
F.adaptive_max_pool1d(T.ones(1, 2, 0), 2)
F.adaptive_max_pool1d(t([[[1, 2]]]), 1)
F.interpolate(T.ones(1, 0, 3), scale_factor=2)
F.interpolate(t([[[1, 2]]]), scale_factor=2)
F.unfold(T.ones(1, 0, 3, 3), 2)
F.unfold(t([[[[1, 2], [3, 4]]]]), 2)
F.pad(T.ones(1, 0, 3), (1, 1), mode="reflect")
F.layer_norm(T.ones(3), ())
F.batch_norm(t([[1]]), t([1]), t([1]))
F.smooth_l1_loss(t([1]), t([2]))
F.huber_loss(t([1]), t([2]))
F.kl_div(t([1]), t([2]))
F.multi_margin_loss(T.ones(2, 3), t(1))
F.triplet_margin_loss(T.ones(3), T.ones(2, 3), T.ones(2, 3))
F.grid_sample(T.ones(1, 1, 2, 2), T.ones(1, 1, 1, 2, dtype=T.float64))
F.bilinear(t(1.), t([1.]), T.ones(1, 1, 1))
F.embedding(t([0]), t(1.))
F.group_norm(t(1.), 1)
T.cdist(t([1.]), t([1.]))
T.cdist(t([[1]]), t([[1]]))
T.allclose(t([1.]), t([1]))
T.meshgrid(t([1.]), t([1]))
T.cross(t([1., 2, 3]), t([1, 2, 3]))
T.addmm(T.ones(1, 1, dtype=T.float64), T.ones(1, 1), T.ones(1, 1))
T.add(t([1]), t([2]), alpha=0.5)
T.fliplr(t([1.]))
T.flatten(t(1.), 0, 1)
T.cartesian_prod(t(1.), t([2.]))
T.slice_scatter(T.ones(3), t(1.), 0, 0, 2)
T.select_scatter(T.ones(0, 3), T.ones(3), 0, 1)
T.tensordot(t(1.), t(1.), 1)
T.combinations(t(1.))
T.vander(t(1.))
T.trapezoid(t(1.))
T.unbind(t(1.))
T.ones(2, 3).view(2.0, 3)
T.ones(4).chunk(2.0)
T.eye(2.0)
T.randint(0, 5.0, (2,))
T.tril(T.ones(2, 2), 1.0)
T.rot90(T.ones(2, 2), 1.0)
nn.BatchNorm1d(3)(t(1.))
nn.Softmax2d()(t(1.))
nn.Conv2d(2, 3, 1, groups=2)
T.quantile(T.ones(3), -0.5)
T.quantile(T.ones(3), 1.5)
T.flip(T.ones(2, 3), (0, 0))
T.flip(T.ones(2, 3), (1, -1))
F.rrelu(T.ones(3), 0.5, 0.1)
T.empty(3).log_normal_(0, -1)
T.empty(3).cauchy_(0, -1)
F.mse_loss(T.ones(3), T.ones(3), reduction="summ")
F.kl_div(T.ones(3), T.ones(3), reduction="summ")
F.poisson_nll_loss(T.ones(3), T.ones(3), reduction="summ")
F.multi_margin_loss(T.ones(2, 3), t([0, 1]), p=3)
F.gaussian_nll_loss(T.ones(2, 3), T.ones(2, 3), -T.ones(2, 3))
F.triplet_margin_loss(T.ones(2, 3), T.ones(2, 3), T.ones(2, 3), margin=-1)
F.embedding(t([-1]), T.ones(3, 2))
F.embedding(t([3]), T.ones(3, 2))
F.embedding(t([1.0]), T.ones(3, 2))
F.embedding(t([1], dtype=T.uint8), T.ones(3, 2))
F.embedding(t([0, 1]), T.ones(3, 2), padding_idx=5)
F.one_hot(t([-1]), 3)
F.one_hot(t([3]), 3)
F.one_hot(t([1]), 0)
F.one_hot(t([], dtype=T.int64))
F.one_hot(t([-1]))
F.one_hot(t([1], dtype=T.int32), 3)
T.index_select(T.ones(3, 2), 0, t([-1]))
T.index_select(T.ones(3, 2), 0, t([3]))
T.index_select(T.ones(3, 2), 2, t([0]))
T.index_select(T.ones(3, 2), 0, t([0.0]))
T.index_select(T.ones(3, 2), 0, t([True, False, True]))
T.index_select(T.ones(3, 2), 0, t([0], dtype=T.int16))
T.index_select(T.ones(3, 2), 0, t([[0]]))
T.index_select(t(3.0), 0, t([1]))
T.index_select(t(3.0), 0, t([0, 0]))
T.gather(T.ones(3, 2), 0, t([[-1, 0]]))
T.gather(T.ones(3, 2), 0, t([[3, 0]]))
T.gather(T.ones(3, 2), 1, t([[0, 0], [0, 0], [0, 0], [0, 0]]))
T.gather(T.ones(3, 2), 0, t([[0, 0, 0]]))
T.gather(T.ones(3, 2), 0, t([0]))
T.gather(T.ones(3, 2), 0, t([[0, 0]], dtype=T.int16))
T.gather(T.ones(3, 2), 0, t([[True, False]]))
T.gather(t(3.0), 0, t(1))
T.take_along_dim(T.ones(3, 2), t([[0.0, 0]]), 0)
T.take_along_dim(T.ones(3, 2), t([0, 1]), 0)
T.take(T.arange(6.), t([-7]))
T.take(T.arange(6.), t([6]))
T.take(T.arange(6.), t([1], dtype=T.int32))
T.zeros(3).scatter(0, t([-1]), 1.0)
T.zeros(3).scatter(0, t([3]), 1.0)
T.zeros(3).scatter(0, t([0, 1]), t([1.0]))
T.zeros(3, 2).scatter(0, t([[0, 1, 0]]), T.ones(1, 3))
T.zeros(3).scatter(0, t([0]), t([1]))
T.zeros(3).scatter(0, t([0]), t([1.0], dtype=T.float64))
T.zeros(3).scatter(0, t([0.0]), t([1.0]))
T.ones(3).scatter(0, t([0]), t([3.0]), reduce="mean")
T.zeros(3).scatter(1, t([0]), 1.0)
T.zeros(3).scatter_(0, t([-1]), 1.0)
T.zeros(3).scatter_add(0, t([-1]), t([1.0]))
T.zeros(3).scatter_add(0, t([5]), t([1.0]))
T.zeros(3).scatter_add(0, t([0, 0, 1]), t([1.0]))
T.zeros(3).scatter_reduce(0, t([-1]), t([1.0]), "sum")
T.zeros(3).scatter_reduce(0, t([4]), t([1.0]), "amax")
T.zeros(3).index_add(0, t([-1]), t([1.0]))
T.zeros(3).index_add(0, t([3]), t([1.0]))
T.zeros(3).index_add(0, t([0]), t([1]))
T.zeros(3).index_add(0, t([0]), t([1.0, 2.0]))
T.zeros(3).index_add(0, t([0.0]), t([1.0]))
T.zeros(3).index_add(0, t([[0]]), t([1.0]))
T.zeros(3).index_copy(0, t([-1]), t([1.0]))
T.zeros(3).index_copy(0, t([3]), t([1.0]))
T.zeros(3).index_copy(0, t([0]), t([1]))
T.zeros(3).index_copy(0, t([0], dtype=T.int32), t([1.]))
T.zeros(3).index_fill(0, t([3]), 1.0)
T.zeros(3).index_fill(0, t([-4]), 1.0)
T.zeros(3).index_fill(0, t([0]), t([1.0]))
T.zeros(3).index_add(0, t([0, 1]), t(1.0))
T.zeros(3).index_put((t([3]),), t(1.0))
T.zeros(3).index_put((t([-4]),), t(1.0))
T.zeros(3).index_put((t([0, 1]),), t([1.0, 2.0, 3.0]))
T.zeros(3).index_put((t([0, 1]),), t([1, 2]))
T.arange(3)[t([3])]
T.arange(3)[t([-4])]
T.arange(3)[t([0.0])]
T.arange(3)[t([0], dtype=T.int16)]
T.arange(3)[3]
T.arange(3)[-4]
T.arange(3)[0, 0]
T.arange(3)[1.0]
T.arange(3)["a"]
T.arange(3)[::-1]
T.arange(3)[t([True, False])]
T.arange(6).reshape(2, 3)[t([True, False, True])]
T.bincount(t([-1, 0]))
T.bincount(t([0.0]))
T.bincount(t([[0]]))
T.bincount(t([0]), minlength=-1)
T.bincount(t([0, 1]), weights=t([1.0]))
T.repeat_interleave(t([1, 2]), t([1, -1]))
T.repeat_interleave(t([1, 2]), t([1, 2, 3]))
T.repeat_interleave(t([1, 2]), t([1.0, 2.0]))
T.repeat_interleave(t([1, 2]), -1)
F.nll_loss(T.zeros(2, 3), t([0, 3]))
F.nll_loss(T.zeros(2, 3), t([0, -1]))
F.nll_loss(T.zeros(2, 3), t([0]))
F.nll_loss(T.zeros(2, 3), t([0.0, 1.0]))
F.nll_loss(T.zeros(2, 3), t([0, 1], dtype=T.int32))
F.nll_loss(T.zeros(3), t(5))
F.nll_loss(T.zeros(2, 3), t([0, 1]), weight=t([1.0, 2.0]))
F.nll_loss(T.zeros(2, 3), t([0, 1]), reduction="avg")
F.nll_loss(T.zeros(2, 3, 4), T.zeros(2, 3, dtype=T.int64))
F.cross_entropy(T.zeros(2, 3), t([0, 3]))
F.cross_entropy(T.zeros(2, 3), t([0, -1]))
F.cross_entropy(T.zeros(2, 3), t([0.0, 1.0]))
F.cross_entropy(T.zeros(2, 3), t([0, 1], dtype=T.int32))
F.cross_entropy(T.zeros(2, 3), t([True, False]))
F.cross_entropy(T.zeros(2, 3), T.zeros(2, 3, dtype=T.int64))
F.cross_entropy(T.zeros(2, 3), T.ones(2, 3), ignore_index=1)
F.cross_entropy(T.zeros(2, 3), t([0, 1]), label_smoothing=1.5)
F.cross_entropy(T.zeros(2, 3), t([0, 1]), weight=t([1.0]))
F.cross_entropy(T.zeros(2, 3), t([0, 1]), weight=t([[1.0, 1., 1.]]))
F.cross_entropy(T.zeros(2, 3), t([0, 1]), weight=t([1, 1, 1]))
F.cross_entropy(T.zeros(2, 3), t([0, 1]), weight=t([1., 1, 1], dtype=T.float64))
F.cross_entropy(T.zeros(2, 3), t([0, 1]), reduction="average")
F.cross_entropy(T.zeros(2, 3), t([0, 1, 2]))
F.cross_entropy(T.zeros(2, 3, dtype=T.int64), t([0, 1]))
F.binary_cross_entropy(t([0.5]), t([1.5]))
F.binary_cross_entropy(t([1.5]), t([1.0]))
F.binary_cross_entropy(t([-0.5]), t([1.0]))
F.binary_cross_entropy(t([0.5]), t([-0.5]))
F.binary_cross_entropy(t([0.5]), t([1]))
F.binary_cross_entropy(t([0.5, 0.5]), t([1.0]))
F.binary_cross_entropy(t([float("nan")]), t([1.0]))
F.binary_cross_entropy(t([0.5]), t([1.0]), weight=t([1.0, 2.0]))
F.binary_cross_entropy_with_logits(t([0.5, 1]), t([1.0]))
F.binary_cross_entropy_with_logits(t([0.5]), t([1]))
F.mse_loss(T.zeros(2, 3), T.zeros(2))
F.mse_loss(T.zeros(2, dtype=T.int64), T.zeros(2, dtype=T.int64))
F.l1_loss(T.zeros(2, 3), T.zeros(2))
F.smooth_l1_loss(T.zeros(2), T.zeros(2), beta=-1.0)
F.huber_loss(T.zeros(2), T.zeros(2), delta=0.0)
F.huber_loss(T.zeros(2), T.zeros(2), delta=-1.0)
F.margin_ranking_loss(T.zeros(2), T.zeros(2, 1), T.ones(2))
F.cosine_embedding_loss(T.zeros(2, 3), T.zeros(2, 3), T.ones(2, 1))
F.multi_margin_loss(T.zeros(2, 3), t([0, 5]))
F.embedding_bag(t([0, 3]), T.ones(3, 2), t([0]))
F.embedding_bag(t([0, -1]), T.ones(3, 2), t([0]))
F.embedding_bag(t([0, 1]), T.ones(3, 2), t([1]))
F.embedding_bag(t([0, 1]), T.ones(3, 2), t([0, 3]))
T.arange(3.)[t([], dtype=T.float32)]
T.arange(3.)[::0]
t(3)[0]
T.arange(3.)[0.5:]
x = T.zeros(2, 3);; x[0] = T.ones(2, 3);; x
x = T.zeros(3);; x[[0, 1]] = t([1., 2., 3.]);; x
x = T.zeros(3);; x[[5]] = 1.;; x
x = T.zeros(3);; x[0] = t([1., 2.]);; x
x = T.zeros(3);; x[t([0.])] = 1.;; x
x = T.zeros(3);; x.masked_fill_(t([1,0,1],dtype=T.uint8), 1.);; x
T.masked_fill(T.arange(3.), t([1,0,1],dtype=T.uint8), 5.)
T.masked_select(T.arange(3.), t([1,0,1],dtype=T.uint8))
T.masked_scatter(T.arange(3.), t([1,0,1],dtype=T.uint8), T.ones(3))
T.masked_scatter(T.arange(3.), t([True,False,True]), T.ones(1))
T.masked_scatter(T.arange(3.), t([True,False,True]), T.ones(2, dtype=T.float64))
T.masked_fill(T.arange(3.), t([True,False,True]), T.ones(3))
T.where(t([1,0,1]), T.arange(3.), T.zeros(3))
T.where(t([1.,0,1]), T.arange(3.), T.zeros(3))
t([1, 2])[t([[True, False]])]
T.zeros(0)[0]
"""

COMPUTED = """
F.threshold(t([float("nan"), 1., -1.]), 0, 3)
F.unfold(t([[[[float("inf"), 1.], [2., 3.]]]]), 2, padding=1)
F.fold(F.unfold(t([[[[float("inf"), 1.], [2., 3.]]]]), 2, padding=1), (2, 2), 2, padding=1)
F.unfold(T.arange(60.).reshape(1, 2, 5, 6), (2, 3), 2, 1, (1, 2))
F.fold(T.arange(48.).reshape(1, 12, 4), (4, 4), (2, 3), 1, (0, 1), (2, 2))
F.adaptive_avg_pool2d(T.ones(1, 2, 3, 3), 0)
F.adaptive_max_pool2d(T.ones(1, 2, 3, 3), (0, 2))
F.layer_norm(T.ones(2, 0), (0,))
F.conv1d(T.ones(0, 2, 5), T.ones(3, 2, 2))
F.batch_norm(T.ones(2, 3, dtype=T.float16), T.zeros(3), T.ones(3))
F.layer_norm(T.arange(3., dtype=T.float16), (3,), T.ones(3))
F.smooth_l1_loss(t([float("inf"), 1.]), t([0., 0.]), reduction="none")
F.relu6(t([-1, 7]))
F.mse_loss(T.ones(2), t([True, False]))
F.scaled_dot_product_attention(T.ones(2, 0), T.ones(2, 0), T.ones(2, 3))
T.median(T.ones(0))
T.median(T.ones(0, dtype=T.int64))
T.histc(T.ones(0), 3)
T.kron(t(2.), t([1., 2.]))
T.kron(T.ones(2, 1, 2), t([1., 2.]))
T.trapezoid(T.ones(2, 0))
T.matrix_power(t([[float("inf"), 1.], [0., 1.]]), 1)
T.vander(t([1, 2], dtype=T.uint8))
T.chunk(T.ones(0), 3)
T.max(t([[True, False]]), 1)
t([2, -1, -1, 1]) ** t([-1, -3, -2, -5])
T.select_scatter(T.ones(2, 2), t([3, 4]), 0, 1)
T.tril_indices(2, 2, dtype=T.int32)
T.std(t([3e4, -3e4], dtype=T.float16))
T.copysign(t([1.], dtype=T.float16), t([-1.]))
T.addr(T.ones(1, 1, dtype=T.bool), t([1.]), t([2.]))
t([], dtype=T.int64) % 0
x = T.ones(2, 0, requires_grad=True);; x[t([0, 1])].sum().backward();; x.grad
x = t([-12., 0.5], requires_grad=True);; F.gelu(x, approximate="tanh").sum().backward();; x.grad
x = t([float("nan"), -2.], requires_grad=True);; x.abs().sum().backward();; x.grad
x = t([float("nan"), 2.], requires_grad=True);; x.max().backward();; x.grad
x = t([[1., 1.]], requires_grad=True);; F.adaptive_max_pool1d(x, 1).sum().backward();; x.grad
x = t([2., 2., 1.], requires_grad=True);; T.median(x).backward();; x.grad
x = t([float("inf"), -1.]);; w = t([0.5], requires_grad=True);; F.prelu(x, w).sum().backward();; w.grad
x = t([float("inf"), 0.5], requires_grad=True);; F.huber_loss(x, T.zeros(2)).backward();; x.grad
T.chunk(T.ones(4), np.int64(2))[1]
F.embedding(t([1], dtype=T.int32), T.ones(3, 2))
F.embedding(t([0, 1]), T.ones(3, 2), padding_idx=-1)
F.one_hot(t([], dtype=T.int64), 3)
T.index_select(t(3.0), 0, t([0]))
T.gather(T.ones(3, 2), 0, t([[0, 0]], dtype=T.int32))
T.gather(t(3.0), 0, t([0]))
T.gather(t([3.0]), 0, t(0))
T.take_along_dim(T.ones(3, 2), t([[-1, 0]]), 0)
T.take(T.arange(6.), t([-1]))
T.zeros(3).scatter(0, t([0], dtype=T.int32), t([1.0]))
T.zeros(3).scatter(0, t([0]), 1.0, reduce="add")
T.ones(3).scatter_reduce(0, t([1, 1]), t([2.0, 5.0]), "mean")
T.ones(3, dtype=T.int64).scatter_reduce(0, t([1, 1]), t([2, 5]), "mean")
T.zeros(3).index_fill(0, t([-1]), 1.0)
T.zeros(3).index_fill(0, t([0]), t(1.0))
T.zeros(3).index_fill(0, t(0), 1.0)
t(3.0).index_fill(0, t([0]), 1.0)
t(3.0).index_fill(0, t(0), 1.0)
t(3.0).index_add(0, t([0]), t(1.0))
t(3.0).index_add(0, t(0), t(1.0))
t(3.0).index_copy(0, t([0]), t([1.0]))
t(3.0).index_copy(0, t([0]), t(1.0))
t(3.0).index_copy(0, t(0), t(1.0))
T.zeros(3).index_copy(0, t(1), t(1.0))
T.zeros(3).index_put((t([-1]),), t(1.0))
T.zeros(3, 2).index_put((t([0, 1]),), t([1., 2.]))
T.arange(3)[t([-1])]
T.arange(3)[t([0], dtype=T.int32)]
T.bincount(t([], dtype=T.int64))
T.bincount(t([], dtype=T.int64), minlength=3)
T.bincount(t([1], dtype=T.uint8))
T.bincount(t([0, 1]), weights=t([1.0, 2.0]))
T.bincount(t([0, 1]), weights=t([1, 2]))
T.repeat_interleave(t([1, 2]), t([2]))
T.repeat_interleave(t([1, 2]), t(2))
T.repeat_interleave(t([0, 2, 1]))
T.repeat_interleave(t([[1, 2], [3, 4]]), t([1, 2]), dim=1)
T.repeat_interleave(t([[1, 2], [3, 4]]), t([0, 0]), dim=0)
T.repeat_interleave(t([1, 2]), t([1, 2]), output_size=3)
T.repeat_interleave(t(5), 3)
F.nll_loss(T.zeros(2, 3), t([0, -100]))
F.nll_loss(T.zeros(2, 3), t([-100, -100]))
F.nll_loss(T.zeros(2, 3), t([-100, -100]), reduction="sum")
F.nll_loss(T.zeros(2, 3), t([0, -1]), ignore_index=-1)
F.nll_loss(T.zeros(2, 3), t([0, 1], dtype=T.uint8))
F.nll_loss(T.zeros(3), t(1))
F.nll_loss(T.zeros(2, 3, 4), T.zeros(2, 4, dtype=T.int64))
F.cross_entropy(T.zeros(2, 3), t([0, -1]), ignore_index=-1)
F.cross_entropy(T.zeros(2, 3), t([0, 5]), ignore_index=5)
F.cross_entropy(T.zeros(2, 3), t([-100, -100]))
F.cross_entropy(T.zeros(2, 3), T.ones(2, 3))
F.cross_entropy(T.zeros(2, 3), T.ones(2, 3), ignore_index=-100)
F.cross_entropy(T.zeros(0, 3), T.zeros(0, dtype=T.int64))
F.cross_entropy(T.zeros(0, 3), T.zeros(0, dtype=T.int64), reduction="sum")
F.binary_cross_entropy_with_logits(t([0.5]), t([1.5]))
F.mse_loss(T.zeros(2, 3), T.zeros(3))
F.l1_loss(T.zeros(2, 3), T.zeros(3))
F.smooth_l1_loss(T.zeros(2), T.ones(2), beta=0.0)
F.kl_div(T.zeros(2, 3), T.zeros(2, 3), reduction="batchmean")
F.embedding_bag(t([0, 1, 2]), T.ones(3, 2), t([0, 2, 2]))
F.embedding_bag(t([0, 1, 2]), T.ones(3, 2), t([0, 2, 2]), mode="max")
T.arange(3.)[t([1,0,1],dtype=T.uint8)]
T.arange(3.)[t(1,dtype=T.uint8)]
T.arange(3.)[t(True)]
T.arange(3.)[True]
T.arange(3.)[False]
t(3.)[t(True)]
t(3.)[t(False)]
t(True)[t(True)]
t(3.)[t(3.) > 2]
T.arange(3.)[None][:,t([1,0,1],dtype=T.uint8)]
T.arange(3.)[[]]
T.arange(3.)[[[]]]
T.ones(3,2)[[]]
T.ones(3,2)[:, []]
T.arange(3.)[[True,False,True]]
T.arange(3.)[np.array([1,0,1],dtype=np.uint8)]
T.arange(3.)[np.array([1,0],dtype=np.int16)]
T.arange(3.)[range(2)]
T.arange(3.)[(0,)]
T.arange(3.)[([0,1],)]
T.arange(3.)[t(1):]
T.arange(3.)[np.int64(1)]
T.arange(3.)[np.int64(1):]
T.arange(3.)[t(1)]
T.ones(2,3)[1,[0,1]]
T.ones(2,3)[[0,1],[0,1]]
T.ones(2,3)[[[0,1],[0,1]]]
T.arange(3.)[np.array([])]
T.arange(3.)[2:1]
T.arange(3.)[5:]
T.arange(3.)[-7:]
t(3)[...]
t(3)[None]
t(3)[()]
x = T.zeros(3);; x[t([1,0,1],dtype=T.uint8)] = t([1., 2.]);; x
x = T.zeros(2, 3);; x[0] = T.ones(1, 3);; x
x = T.zeros(2, 3);; x[0] = T.ones(1, 1, 3);; x
x = T.zeros(2, 3);; x[:, 0] = T.ones(1, 2);; x
x = T.zeros(2, 3);; x[0, 0] = T.ones(1);; x
x = T.zeros(2, 3);; x[0, 0] = T.ones(1, 1);; x
x = T.zeros(2, 3);; x[[0, 1]] = T.ones(1, 2, 3);; x
x = T.zeros(2, 3);; x[[0]] = T.ones(1, 1, 1, 3);; x
x = T.zeros(2, 3);; x[x == 0] = T.ones(1, 6);; x
x = T.zeros(2, 3);; x[t([True, False])] = T.ones(1, 3);; x
x = T.zeros(2, 3);; x[t([True, False])] = T.ones(1, 1, 3);; x
x = T.zeros(3);; x[True] = 4.;; x
x = T.zeros(3);; x[False] = 4.;; x
x = T.zeros(3);; x[t(True)] = 4.;; x
x = t(0.);; x[x == 0] = 4.;; x
x = t(0.);; x[...] = 4.;; x
x = t(0.);; x[()] = 4.;; x
x = T.zeros(3);; x[[]] = 4.;; x
x = T.zeros(3);; x[1] = np.float64(3);; x
x = T.zeros(3, dtype=T.int64);; x[1] = 2.7;; x
x = T.zeros(3, dtype=T.int64);; x[1] = t(2.7);; x
x = T.zeros(3);; x[t([0, 0])] = t([1., 2.]);; x
x = T.zeros(3);; x[np.int64(1)] = 3;; x
T.masked_scatter(T.arange(3.), t([False,False,False]), T.ones(0))
T.masked_fill(T.arange(3), t([True,False,True]), 2.5)
T.masked_fill(T.arange(3), t([True,False,True]), t(2.5))
T.where(t([1,0,1],dtype=T.uint8), T.arange(3.), T.zeros(3))
T.where(t([True, False]), t([1, 2]), t([1.5, 2.5]))
T.where(t([True, False]), 1, 2.5)
T.where(t([True, False]), 1.0, 2.0)
T.where(t([True, False]))
T.arange(6).reshape(2, 3)[t([[True, False, True], [False, False, True]])]
T.arange(6).reshape(2, 3)[:, t([True, False, True])]
T.arange(6).reshape(2, 3)[1:, None, [0, 2]]
T.arange(24).reshape(2, 3, 4)[[0, 1], :, [0, 2]]
T.arange(24).reshape(2, 3, 4)[:, [0, 1], [0, 2]]
T.arange(24).reshape(2, 3, 4)[0, :, [0, 2]]
T.arange(24).reshape(2, 3, 4)[t(0), :, [0, 2]]
T.arange(24).reshape(2, 3, 4)[None, [0], :, [0, 2]]
T.zeros(0, 3)[[]]
T.zeros(0, 3)[t([], dtype=T.int64)]
T.zeros(3, 0)[1]
T.zeros(3, 0)[[1, 2]]
T.zeros(3)[t([[0, 1], [1, 2]])]
"""
