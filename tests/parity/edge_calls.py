"""Calls of what frazil shares with PyTorch: `T` is the library, `F` its functions, `M` its layers with PyTorch's weights.

One line each: the call, then the tensors x, y, z, w it takes: shapes, with p for positive numbers,
u for 0 to 1, s for ascending ones, i for 0 and 1, b for bool.
"""

from __future__ import annotations

ONE = """
neg abs sign exp expm1 exp2 log log1p log2 log10 sqrt rsqrt reciprocal square sin cos tan asin acos atan sinh cosh tanh
asinh acosh atanh erf erfc sigmoid floor ceil trunc frac logical_not bitwise_not isnan isinf isfinite nan_to_num sum
mean amax amin argmax argmin all any prod max min median std var norm relu selu celu positive round clone sinc deg2rad
rad2deg signbit logit isposinf isneginf isreal aminmax msort nansum nanmean diff cov corrcoef unique unique_consecutive
sgn count_nonzero ravel t unbind atleast_1d atleast_2d atleast_3d fliplr flipud rot90 diag diag_embed diagflat trace
adjoint flatten squeeze argsort sort nonzero argwhere trapezoid numel histc is_nonzero is_floating_point tril triu
zeros_like ones_like det slogdet inverse pinverse
"""
TWO = """
add sub mul div floor_divide remainder fmod maximum minimum atan2 logaddexp hypot xlogy eq ne lt le gt ge logical_and
logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift pow rsub float_power
fmax fmin logaddexp2 copysign heaviside matmul mm mv dot vdot inner outer cross kron dist allclose isclose equal isin
ldexp
"""
LINES = """
T.lerp(x, y, z) | 2 3; 2 3; 2 3
T.lerp(x, y, 0.3) | 2 3; 2 3
T.addcmul(x, y, z, value=2) | 2 3; 2 3; 2 3
T.addcdiv(x, y, z, value=2) | 2 3; 2 3; 2 3p
T.sum(x, 1) | 2 3
T.sum(x, (0, 1), keepdim=True) | 2 3
T.mean(x, 1) | 2 3
T.mean(x, (0, 1), keepdim=True) | 2 3
T.amax(x, 1) | 2 3
T.amin(x, 0, keepdim=True) | 2 3
T.max(x, 1) | 2 3
T.min(x, 0, keepdim=True) | 2 3
T.max(x, y) | 2 3; 2 3
T.min(x, y) | 2 3; 2 3
T.argmax(x, 1) | 2 3
T.argmin(x, 0, keepdim=True) | 2 3
T.all(x, 1) | 2 3
T.any(x, 1) | 2 3
T.prod(x, 1) | 2 3
T.cumsum(x, 1) | 2 3
T.cumprod(x, 1) | 2 3
T.logsumexp(x, 1) | 2 3
T.logsumexp(x, (0, 1)) | 2 3
T.median(x, 1) | 2 3
T.kthvalue(x, 2, 1) | 2 3
T.quantile(x, 0.5) | 2 3
T.quantile(x, y, 1) | 2 3; 2u
T.var(x, 1) | 2 3
T.std(x, 1, correction=0) | 2 3
T.std(x, (0, 1)) | 2 3
T.var_mean(x, 1) | 2 3
T.std_mean(x, 1) | 2 3
T.norm(x, 1) | 2 3
T.norm(x, 2, 1) | 2 3
T.norm(x, 0.5, 0) | 2 3
T.norm(x, float("inf"), 1) | 2 3
T.norm(x, -float("inf"), 1) | 2 3
T.linalg.vector_norm(x, 3) | 2 3
T.linalg.matrix_norm(x) | 2 3
T.renorm(x, 2, 0, 1.0) | 2 3
T.nansum(x, 1) | 2 3
T.count_nonzero(x, 1) | 2 3
T.aminmax(x, dim=1) | 2 3
T.sort(x, 1, descending=True) | 2 3
T.argsort(x, 1) | 2 3
T.topk(x, 2, 1) | 2 3
T.diff(x, n=2, dim=1) | 2 4
T.histc(x, 4) | 2 3
T.histc(x, 4, -1, 1) | 2 3
T.searchsorted(x, y) | 3s; 2 3
T.bucketize(x, y) | 2 3; 3s
T.bincount(x) | 3i
T.bincount(x, y) | 3i; 3
T.clamp(x, -0.5, 0.5) | 2 3
T.clamp(x, 0, 1) | 2 3
T.clamp(x, y, z) | 2 3; 2 3; 2 3
T.clamp(x, min=y) | 2 3; 2 3
T.clamp_min(x, 0.5) | 2 3
T.round(x, decimals=1) | 2 3
T.nan_to_num(x, 1.0, 2.0, 3.0) | 2 3
T.pow(x, 2) | 2 3
T.pow(x, -1) | 2 3
T.pow(x, 0) | 2 3
T.pow(x, 0.5) | 2 3
T.pow(2, x) | 2 3
T.pow(-2, x) | 2 3
x ** -2 | 2 3
2 ** x | 2 3
x // 2 | 2 3
x // 0 | 2 3
x % 2 | 2 3
x % 0 | 2 3
5 % x | 2 3
5 // x | 2 3
T.fmod(x, 0) | 2 3
T.div(x, 0, rounding_mode="floor") | 2 3
T.div(x, y, rounding_mode="floor") | 2 3; 2 3
T.div(x, y, rounding_mode="trunc") | 2 3; 2 3
T.div(x, 2, rounding_mode="trunc") | 2 3
1 / x | 2 3
x / 0 | 2 3
x - 1.5 | 2 3
x * 2 | 2 3
x + True | 2 3
-x | 2 3
~x | 2 3
abs(x) | 2 3
x & 1 | 2 3
x << 1 | 2 3
T.add(x, y, alpha=2) | 2 3; 2 3
T.sub(x, y, alpha=0.5) | 2 3; 2 3
T.logit(x, eps=0.1) | 2 3
T.where(z, x, y) | 2 3; 2 3; 2 3b
T.where(x > 0, x, 0.0) | 2 3
T.masked_fill(x, y, 1.5) | 2 3; 2 3b
T.masked_fill(x, y, 1) | 2 3; 2 3b
T.masked_select(x, y) | 2 3; 2 3b
T.masked_scatter(x, y, z) | 2 3; 2 3b; 6
T.gather(x, 1, y) | 2 3; 2 3i
T.take_along_dim(x, y, 1) | 2 3; 2 3i
T.take(x, y) | 2 3; 2i
T.index_select(x, 1, y) | 2 3; 2i
T.index_add(x, 0, y, z) | 3 2; 2i; 2 2
T.index_copy(x, 0, y, z) | 3 2; 2i; 2 2
T.index_fill(x, 0, y, 2.0) | 3 2; 2i
T.index_put(x, (y,), z) | 3 2; 2i; 2 2
T.scatter(x, 0, y, z) | 3 2; 1 2i; 1 2
T.scatter(x, 0, y, 2.0) | 3 2; 1 2i
T.scatter_add(x, 0, y, z) | 3 2; 1 2i; 1 2
T.scatter_reduce(x, 0, y, z, "amax") | 3 2; 1 2i; 1 2
T.scatter_reduce(x, 0, y, z, "prod") | 3 2; 1 2i; 1 2
T.scatter_reduce(x, 0, y, z, "mean", include_self=False) | 3 2; 1 2i; 1 2
T.repeat_interleave(x, 2, 0) | 2 3
T.repeat_interleave(x, y, 0) | 2 3; 2i
x[y] | 3 2; 2i
x[y, 1:] | 3 2; 2i
x[:, y] | 2 3; 2i
x[y] | 2 3; 2 3b
x[y] | 2 3; 2b
x[1:, None] | 2 3
x[..., 0] | 2 3
x[::2] | 3 2
x[[0, 1]] | 2 3
T.select(x, 1, 0) | 2 3
T.narrow(x, 1, 0, 2) | 2 3
T.diagonal(x, 1) | 3 3
T.select_scatter(x, y, 0, 1) | 2 3; 3
T.slice_scatter(x, y, 0, 1) | 3 2; 2 2
T.diagonal_scatter(x, y) | 3 3; 3
T.cat([x, y], 1) | 2 3; 2 3
T.cat([x, y]) | 2 3; 2 3
T.stack([x, y], 1) | 2 3; 2 3
T.hstack([x, y]) | 2 3; 2 3
T.vstack([x, y]) | 2 3; 2 3
T.dstack([x, y]) | 2 3; 2 3
T.column_stack([x, y]) | 3; 3 2
T.block_diag(x, y) | 2 3; 2
T.cartesian_prod(x, y) | 2; 3
T.combinations(x) | 3
T.vander(x) | 3
T.meshgrid(x, y, indexing="ij") | 2; 3
T.split(x, 2, 1) | 2 3
T.split(x, [1, 2], 1) | 2 3
T.chunk(x, 2, 1) | 2 3
T.tensor_split(x, 2, 1) | 2 3
T.hsplit(x, 2) | 2 4
T.vsplit(x, 2) | 2 3
T.reshape(x, (3, -1)) | 2 3
x.view(-1) | 2 3
x.view(3, -1) | 2 3
x.expand(4, -1, -1) | 2 3
x.repeat(2, 1) | 2 3
x.unfold(1, 2, 1) | 2 3
x.unfold(0, 2, 2) | 4 3
x.type(T.float64) | 2 3
x.contiguous() | 2 3
x.item() | 1
x.tolist() | 2 3
x.T | 2 3
x.mT | 2 3
x.view_as(y) | 2 3; 3 2
T.broadcast_to(x, (4, 2, 3)) | 2 3
T.permute(x, (1, 0)) | 2 3
T.transpose(x, 0, 1) | 2 3
T.movedim(x, 0, 1) | 2 3
T.unsqueeze(x, 1) | 2 3
T.squeeze(x, 1) | 2 1
T.flatten(x, 0, 1) | 2 3
T.unflatten(x, 1, (3, -1)) | 2 3
T.unbind(x, 1) | 2 3
T.flip(x, (0, 1)) | 2 3
T.roll(x, 1, 1) | 2 3
T.roll(x, 1) | 2 3
T.rot90(x, 1, (0, 1)) | 2 3
T.tile(x, (2,)) | 2 3
T.tril(x, 1) | 2 3
T.triu(x, -1) | 2 3
T.einsum("ij,jk->ik", x, y) | 2 3; 3 2
T.einsum("ii->i", x) | 3 3
T.bmm(x, y) | 2 2 3; 2 3 2
T.tensordot(x, y, 1) | 2 3; 3 2
T.addmm(x, y, z, beta=2) | 2 2; 2 3; 3 2
T.addmm(x, y, z, beta=0) | 2 2; 2 3; 3 2
T.addmv(x, y, z) | 2; 2 3; 3
T.addr(x, y, z) | 2 3; 2; 3
T.baddbmm(x, y, z) | 2 2 2; 2 2 3; 2 3 2
T.addbmm(x, y, z) | 2 2; 2 2 3; 2 3 2
T.matmul(x, y) | 2 2 3; 3
T.chain_matmul(x, y) | 2 3; 3 2
T.matrix_power(x, 2) | 2 2
T.cdist(x, y) | 2 3; 4 3
T.cdist(x, y, p=1.0) | 2 3; 4 3
T.cross(x, y) | 2 3; 2 3
T.cumulative_trapezoid(x) | 2 3
T.trapezoid(x, dx=0.5) | 2 3
T.full_like(x, 2) | 2 3
T.cosine_similarity(x, y, 1) | 2 3; 2 3
T.softmax(x, 1) | 2 3
T.softmax(x, 0, dtype=T.float64) | 2 3
T.log_softmax(x, 1) | 2 3
F.softmin(x, 1) | 2 3
F.gelu(x) | 2 3
F.gelu(x, approximate="tanh") | 2 3
F.silu(x) | 2 3
F.mish(x) | 2 3
F.softplus(x, 2, 1) | 2 3
F.logsigmoid(x) | 2 3
F.leaky_relu(x, 0.2) | 2 3
F.elu(x, 0.5) | 2 3
F.celu(x, 0.5) | 2 3
F.selu(x) | 2 3
F.relu(x) | 2 3
F.relu6(x) | 2 3
F.hardtanh(x, -0.5, 0.5) | 2 3
F.hardtanh(x) | 2 3
F.hardsigmoid(x) | 2 3
F.hardswish(x) | 2 3
F.softsign(x) | 2 3
F.hardshrink(x) | 2 3
F.softshrink(x) | 2 3
F.tanhshrink(x) | 2 3
F.threshold(x, 0.1, 3) | 2 3
F.threshold(x, 0, 3) | 2 3
F.rrelu(x) | 2 3
F.glu(x, 1) | 2 4
F.prelu(x, y) | 2 3; 3
F.prelu(x, y) | 2 3; 1
F.sigmoid(x) | 2 3
F.tanh(x) | 2 3
F.dropout(x, 0.5, False) | 2 3
F.normalize(x, dim=1) | 2 3
F.linear(x, y, z) | 2 3; 4 3; 4
F.bilinear(x, y, z) | 2 3; 2 2; 4 3 2
F.embedding(y, x) | 3 2; 2 2i
F.embedding_bag(y, x) | 3 2; 2 2i
F.embedding_bag(y, x, mode="max") | 3 2; 2 2i
F.one_hot(x, 3) | 2i
F.one_hot(x) | 2i
F.cosine_similarity(x, y) | 2 3; 2 3
F.pairwise_distance(x, y) | 2 3; 2 3
F.conv1d(x, y, z) | 2 3 5; 4 3 2; 4
F.conv1d(x, y, padding="same") | 3 5; 4 3 2
F.conv2d(x, y, z, stride=2, padding=1) | 2 3 4 4; 2 3 2 2; 2
F.conv2d(x, y, groups=2) | 2 4 4 4; 2 2 2 2
F.conv3d(x, y) | 1 2 2 2 2; 1 2 2 2 2
F.conv_transpose1d(x, y, z) | 2 3 4; 3 2 2; 2
F.conv_transpose2d(x, y, stride=2) | 1 2 3 3; 2 2 2 2
F.max_pool1d(x, 2) | 2 3 5
F.max_pool1d(x, 2, return_indices=True) | 2 3 5
F.max_pool2d(x, 2, 1, 1) | 2 3 4 4
F.max_pool3d(x, 2) | 1 2 2 2 2
F.avg_pool1d(x, 2) | 2 3 5
F.avg_pool2d(x, 2, padding=1, count_include_pad=False) | 2 3 4 4
F.avg_pool3d(x, 2) | 1 2 2 2 2
F.lp_pool1d(x, 2.0, 2) | 2 3 4
F.lp_pool2d(x, 2.0, 2) | 2 3 4 4
F.adaptive_avg_pool1d(x, 2) | 2 3 5
F.adaptive_avg_pool2d(x, (2, 1)) | 2 3 4 4
F.adaptive_avg_pool3d(x, 1) | 1 2 2 2 2
F.adaptive_max_pool1d(x, 2) | 2 3 5
F.adaptive_max_pool2d(x, (2, 1)) | 2 3 4 4
F.adaptive_avg_pool2d(x, 0) | 2 3 4 4
F.adaptive_max_pool2d(x, 0) | 2 3 4 4
F.batch_norm(x, y, z) | 4 3; 3; 3p
F.batch_norm(x, None, None, y, z, training=True) | 4 3; 3; 3
F.instance_norm(x) | 2 3 4
F.group_norm(x, 2, y, z) | 2 4 3; 4; 4
F.layer_norm(x, (3,), y, z) | 2 3; 3; 3
F.layer_norm(x, x.shape[1:]) | 2 3
F.rms_norm(x, (3,), y) | 2 3; 3
F.local_response_norm(x, 2) | 2 3 4
F.pad(x, (1, 2)) | 2 3
F.pad(x, (-1, 1), value=2.0) | 2 3
F.pad(x, (1, 1), mode="reflect") | 2 3 4
F.pad(x, (1, 1), mode="replicate") | 2 3 4
F.pad(x, (1, 1), mode="circular") | 2 3 4
F.interpolate(x, scale_factor=2) | 1 2 3
F.interpolate(x, size=(2, 3), mode="bilinear") | 1 2 4 4
F.interpolate(x, scale_factor=0.5, mode="area") | 1 2 4 4
F.pixel_shuffle(x, 2) | 1 4 2 2
F.pixel_unshuffle(x, 2) | 1 1 4 4
F.channel_shuffle(x, 2) | 1 4 2 2
F.unfold(x, 2) | 1 2 3 3
F.fold(x, (3, 3), 2) | 1 4 4
F.affine_grid(x, (2, 1, 2, 2), align_corners=False) | 2 2 3
F.grid_sample(x, y, align_corners=False) | 1 2 3 3; 1 2 2 2
F.scaled_dot_product_attention(x, y, z) | 2 3 4; 2 3 4; 2 3 4
F.scaled_dot_product_attention(x, y, z, is_causal=True) | 2 3 4; 2 3 4; 2 3 4
F.scaled_dot_product_attention(x, y, z, attn_mask=w) | 2 3 4; 2 3 4; 2 3 4; 3 3b
F.scaled_dot_product_attention(x, y, z, attn_mask=w) | 2 3 4; 2 3 4; 2 3 4; 3 3
F.scaled_dot_product_attention(x, y, z, attn_mask=w, is_causal=True) | 2 3 4; 2 3 4; 2 3 4; 3 3b
F.mse_loss(x, y) | 2 3; 2 3
F.mse_loss(x, y, reduction="none") | 2 3; 2 3
F.l1_loss(x, y) | 2 3; 2 3
F.smooth_l1_loss(x, y, beta=0.5) | 2 3; 2 3
F.huber_loss(x, y, delta=0.5) | 2 3; 2 3
F.kl_div(x, y, reduction="batchmean") | 2 3; 2 3u
F.kl_div(x, y, log_target=True, reduction="sum") | 2 3; 2 3
F.nll_loss(x, y) | 2 3; 2i
F.nll_loss(x, y, z) | 2 3; 2i; 3p
F.cross_entropy(x, y) | 2 3; 2i
F.cross_entropy(x, y, reduction="none") | 2 3; 2i
F.cross_entropy(x, y, label_smoothing=0.1) | 2 3; 2i
F.cross_entropy(x, y) | 2 3; 2 3u
F.binary_cross_entropy(x, y) | 2 3u; 2 3u
F.binary_cross_entropy_with_logits(x, y) | 2 3; 2 3u
F.binary_cross_entropy_with_logits(x, y, pos_weight=z) | 2 3; 2 3u; 3p
F.poisson_nll_loss(x, y) | 2 3; 2 3p
F.gaussian_nll_loss(x, y, z) | 2 3; 2 3; 2 3p
F.hinge_embedding_loss(x, y) | 2 3; 2 3
F.soft_margin_loss(x, y) | 2 3; 2 3
F.margin_ranking_loss(x, y, z) | 3; 3; 3
F.multi_margin_loss(x, y) | 2 3; 2i
F.multilabel_soft_margin_loss(x, y) | 2 3; 2 3u
F.cosine_embedding_loss(x, y, z) | 2 3; 2 3; 2
F.triplet_margin_loss(x, y, z) | 2 3; 2 3; 2 3
M.Linear(3, 4)(x) | 2 3
M.Bilinear(3, 2, 4)(x, y) | 2 3; 2 2
M.Embedding(3, 2)(x) | 2 2i
M.EmbeddingBag(3, 2)(x) | 2 2i
M.Conv1d(3, 4, 2)(x) | 2 3 5
M.Conv2d(3, 4, 2, padding=1)(x) | 2 3 4 4
M.Conv2d(2, 4, 2, padding_mode="circular", padding=1)(x) | 1 2 4 4
M.ConvTranspose2d(3, 2, 2)(x) | 2 3 4 4
M.BatchNorm1d(3)(x) | 4 3
M.BatchNorm1d(3).eval()(x) | 4 3
M.BatchNorm2d(3)(x) | 2 3 2 2
M.BatchNorm2d(3).eval()(x) | 2 3 2 2
M.InstanceNorm1d(3, affine=True)(x) | 2 3 4
M.InstanceNorm2d(3)(x) | 2 3 2 2
M.GroupNorm(2, 4)(x) | 2 4 3
M.LayerNorm(3)(x) | 2 3
M.RMSNorm(3)(x) | 2 3
M.PReLU(3)(x) | 2 3
M.RNN(3, 2, batch_first=True)(x) | 2 4 3
M.LSTM(3, 2)(x) | 4 2 3
M.LSTM(3, 2, 2, bidirectional=True)(x) | 4 2 3
M.GRU(3, 2)(x) | 4 2 3
M.RNNCell(3, 2)(x) | 2 3
M.LSTMCell(3, 2)(x) | 2 3
M.GRUCell(3, 2)(x, y) | 2 3; 2 2
M.MultiheadAttention(4, 2, batch_first=True)(x, y, y) | 2 3 4; 2 5 4
M.MultiheadAttention(4, 2)(x, x, x, need_weights=False) | 3 2 4
M.TransformerEncoderLayer(4, 2, 8, 0.0)(x) | 3 2 4
M.TransformerDecoderLayer(4, 2, 8, 0.0, batch_first=True)(x, y) | 2 3 4; 2 3 4
M.Flatten()(x) | 2 3 2
M.Unflatten(1, (3, 1))(x) | 2 3
M.AdaptiveAvgPool2d((1, None))(x) | 2 3 4 4
M.AdaptiveMaxPool2d(1)(x) | 2 3 4 4
M.MaxPool2d(2, ceil_mode=True)(x) | 2 3 5 5
M.AvgPool2d(2, ceil_mode=True)(x) | 2 3 5 5
M.LPPool1d(2, 2)(x) | 2 3 4
M.LocalResponseNorm(2)(x) | 2 3 4
M.Softmax2d()(x) | 2 3 2 2
M.Softmax(dim=1)(x) | 2 3
M.ReflectionPad2d(1)(x) | 2 3 3 3
M.ReplicationPad1d(1)(x) | 2 3 3
M.CircularPad1d(1)(x) | 2 3 3
M.ZeroPad2d(1)(x) | 2 3 3 3
M.ConstantPad1d(1, 2.0)(x) | 2 3
M.Upsample(scale_factor=2, mode="bilinear")(x) | 1 2 3 3
M.PixelShuffle(2)(x) | 1 4 2 2
M.Fold((3, 3), 2)(x) | 1 4 4
M.Unfold(2)(x) | 1 2 3 3
M.CosineSimilarity()(x, y) | 2 3; 2 3
M.PairwiseDistance()(x, y) | 2 3; 2 3
M.CrossEntropyLoss()(x, y) | 2 3 4; 2 4i
M.NLLLoss()(x, y) | 2 3; 2i
M.BCELoss()(x, y) | 2 3u; 2 3u
M.MSELoss()(x, y) | 2 3; 2 3
M.KLDivLoss()(x, y) | 2 3; 2 3u
M.SmoothL1Loss()(x, y) | 2 3; 2 3
M.HuberLoss()(x, y) | 2 3; 2 3
M.TripletMarginLoss()(x, y, z) | 2 3; 2 3; 2 3
"""


def lines() -> list[str]:
    """Every call, with its tensors."""
    one = [f"T.{name}(x) | {'3 3' if name in SQUARE else '2 3'}" for name in ONE.split()]
    vectors = {"dot", "vdot", "inner", "outer", "cross"}
    shapes = {"matmul": "2 3; 3 2", "mm": "2 3; 3 2", "mv": "2 3; 3", **dict.fromkeys(vectors, "3; 3")}
    two = [f"T.{name}(x, y) | {shapes.get(name, '2 3; 2 3')}" for name in TWO.split()]
    return [*one, *two, *LINES.strip().splitlines()]


SQUARE = {"trace", "det", "slogdet", "inverse", "pinverse"}
