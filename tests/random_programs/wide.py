"""More templates: programs of `--wide` draw from these as well. Their matrices are well conditioned, and what rounds to fewer
digits or turns complex comes back within one statement."""

from __future__ import annotations

from .templates import templates

#: What a wide program's module has beside that of all: layers, and modules in modules that keep state.
MODULES = """
class Inner(xp.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", xp.zeros(4))

    def forward(self, x):
        self.total.add_(x.detach().reshape(-1, 4).mean(0))
        return xp.tanh(x) + self.total


class Block(xp.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.inner, self.norm = xp.nn.Linear(4, 4), Inner(), xp.nn.LayerNorm(4)
        self.register_buffer("seen", xp.zeros(()))

    def forward(self, x):
        self.seen += 1
        return self.norm(x + self.inner(self.linear(x)))

"""
LAYERS = """
        self.block, self.embedding = Block(), xp.nn.Embedding(9, 4)
        self.gru, self.lstm = xp.nn.GRU(4, 4, batch_first=True), xp.nn.LSTM(4, 2, batch_first=True, bidirectional=True)
        self.rnn, self.cell = xp.nn.RNN(4, 4, 2, batch_first=True), xp.nn.LSTMCell(4, 4)
        self.attention = xp.nn.MultiheadAttention(4, 2, batch_first=True)
        self.images = xp.nn.Sequential(xp.nn.Conv2d(1, 2, 3, padding=1), xp.nn.BatchNorm2d(2), xp.nn.ReLU())
        self.encoder = xp.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, norm_first=True)
        with xp.no_grad():
            for p in self.parameters():
                p.copy_(xp.tensor(rng.uniform(-0.5, 0.5, tuple(p.shape)).astype(dtype)))
"""

FEWER_DIGITS = templates(
    """
    {v}.bfloat16().to({v}.dtype) | ({v}.bfloat16() * 2).to({v}.dtype) | {v}.bfloat16().relu().to({v}.dtype) |
    {v}.bfloat16().amax({d}).to({v}.dtype) | xp.cat([{v}.bfloat16(), {v}.bfloat16()], {d}).to({v}.dtype) |
    {v}.bfloat16().transpose({d}, -1).contiguous().to({v}.dtype) | ({v}.half() * 2).to({v}.dtype) |
    {v}.half().neg().to({v}.dtype) | xp.where({v} > 0, {v}.bfloat16(), 0.5).to({v}.dtype) |
    {v}.bfloat16().sort({d})[0].to({v}.dtype)
    """
)
COMPLEX = templates(
    """
    xp.fft.rfft({v}, dim={d}).abs() | xp.fft.fft({v}, dim={d}).real | xp.fft.irfft(xp.fft.rfft({v}), n={v}.shape[-1]) |
    xp.view_as_real(xp.fft.rfft({v})) | xp.complex({v}, {v} * 0.5).abs() |
    (xp.complex({v}, {w}) * xp.complex({w}, {v})).imag | xp.polar({v}.abs(), {v}).real |
    xp.complex({v}, {w}).conj().imag * 1 | xp.fft.fftshift({v}, dim={d}) | xp.fft.ifft(xp.complex({v}, {w}), dim={d}).real |
    (1 / (xp.complex({v}, {w}) + 9)).real | xp.complex({v}, {w}).sum({d}).real |
    xp.view_as_real(xp.complex({v}, {w}).transpose({d}, -1)) | xp.complex({v}, {w}).exp().real.tanh() |
    xp.fft.fftn({v}).real | xp.complex({v}, {w})[..., :1].imag
    """
)
CHOOSING = templates(
    """
    {v}[{v} > 0].sum() | {v}.masked_fill(({v} > 0) & ({w} < 1), 0.5) |
    xp.where({v} > 0.5, {v}, xp.where({v} < -0.5, -{v}, {w})) | {v}.masked_scatter({v} > 0, {w}.clone()) |
    {v}.masked_select({v} > 0).sum() | (~({v} > 0)).to({v}.dtype) | xp.logical_xor({v} > 0, {w} > 0).to({v}.dtype) |
    xp.where({v} > 0, 1.0, {v}) | xp.count_nonzero({v} > 0, dim={d}) | {v}[{v}.mean(-1) > 0].sum(0) |
    xp.nonzero({v} > 0).sum() | ({v} > 0).nonzero().shape[0] + {v} | {v}.sign() * ({v} != 0) |
    xp.where(({v} > 0).any({d}, keepdim=True), {v}, {w}) | xp.isclose({v}, {w}).to({v}.dtype) | {v}.heaviside({w}) |
    xp.where({v}.isnan().logical_or({v} > 1), {w}, {v}) | {v}.nan_to_num()
    """
)
SCATTERED = templates(
    """
    {v}.index_put((ids[0][:1],), {v}[:1] * 0.5) | {v}.index_put((ids[0],), {v}[:1], accumulate=True) |
    {v}.scatter_reduce({d}, {v}.argmin({d}, keepdim=True), {v}, "amax") |
    {v}.scatter_reduce({d}, {v}.argmax({d}, keepdim=True), {v}, "sum", include_self=False) |
    {v}.scatter_reduce({d}, {v}.argmin({d}, keepdim=True), {v}, "mean") |
    {v}.index_reduce({d}, ids[0][:1], {v}.narrow({d}, 0, 1), "amin") |
    {v}.index_copy({d}, ids[0][:1], {v}.narrow({d}, 0, 1) * 2) | {v}.put(ids[0][:1], {v}.reshape(-1)[:1]) |
    xp.zeros_like({v}).scatter_add({d}, {v}.argsort(dim={d}, stable=True), {v}) | {v}.slice_scatter({v}[:1] * 2, 0, 0, 1) |
    {v}.select_scatter({v}[-1] * 2, 0, 0) | F.one_hot(ids % 3, 3).sum(-2).to({v}.dtype) |
    xp.bincount(ids.flatten(), minlength=5) | xp.gather({v}, {d}, {v}.argmax({d}, keepdim=True)) | {v}[..., ids[0][:1]] |
    {v}[ids[0], ...] | {v}[:, [0]] | {v}[[0], ..., [0]]
    """
)
MANY = templates(
    """
    xp.cat([{v}, {w}, -{v}, {w} * 2, {v}[:1]]) | xp.cat([{v}, {w}, {v}, {w}, {v}, {w}, {v}, {w}], {d}) |
    xp.stack([{v}] * 5, {d}) | xp.cat([{v}[i:i + 1] * i for i in range(3)]) |
    xp.stack([{v}.mean(), {v}.max(), {v}.sum() * 0.1]) | xp.vstack([{v}, {w}, {v}]) |
    sum(part.sum() for part in {v}.split(2, {d})) | xp.cat(xp.split({v}, 1, {d})[::-1], {d}) | xp.dstack([{v}, {w}]) |
    xp.cat([{v}.flatten(), {w}.flatten()]) | xp.block_diag({v}.reshape(-1, {v}.shape[-1]), self.w)
    """
)
ALONG = templates(
    """
    {v}.cummax({d})[0] | {v}.cummin({d})[0] | {v}.cummax({d})[1] | {v}.diff(dim={d}) | xp.trapezoid({v}, dim={d}) |
    xp.cumulative_trapezoid({v}, dim={d}) | {v}.quantile(0.3, dim={d}) | {v}.kthvalue(1, {d})[0] |
    {v}.flip({d}).cumsum({d}).flip({d}) | {v}.sort({d}, descending=True)[0] | {v}.contiguous().mode({d})[0] |
    {v}.aminmax(dim={d})[1] | {v}.nansum({d}) | {v}.softmax({d}).cumsum({d}) | xp.std_mean({v}, {d}, correction=0)[1] |
    {v}.unfold({d}, 2, 1).amax(-1) | {v}.topk(1, {d}, largest=False)[0] | {v}.logsumexp(({d},), keepdim=True) |
    F.cosine_similarity({v}, {w}, dim={d}) | {v}.renorm(2, {d}, 1.5) | {v}.count_nonzero({d}) |
    xp.searchsorted({v}.sort(-1)[0].contiguous(), {w}.contiguous()) | xp.bucketize({v}, self.mean.sort()[0]) |
    {v}.argsort(dim={d}, stable=True)
    """
)
LOSSES = templates(
    """
    F.mse_loss({v}, {w}) | F.smooth_l1_loss({v}, {w}, reduction="none") | F.huber_loss({v}, {w}) |
    F.l1_loss({v}, {w}, reduction="sum") | F.binary_cross_entropy_with_logits({v}, {w}.detach().sigmoid()) |
    F.kl_div({v}.log_softmax(-1), {w}.softmax(-1), reduction="sum") |
    F.cross_entropy({v}.reshape(-1, {v}.shape[-1]), {w}.reshape(-1, {w}.shape[-1]).softmax(-1)) |
    F.soft_margin_loss({v}, {w}.sign()) | F.pairwise_distance({v}, {w}) | F.triplet_margin_loss({v}, {w}, -{v}) |
    F.margin_ranking_loss({v}, {w}, {w}.sign()) | F.softmin({v}, {d}) | xp.special.xlogy({v}.abs(), {w}.abs() + 1) |
    xp.remainder({v}, 2.5) | xp.copysign({v}, {w}) | xp.nextafter({v}, {w}) * 1 | F.hardswish({v}) | xp.asinh({v}) |
    xp.special.i0({v}.clamp(-2, 2)) | xp.digamma({v}.abs() + 1) | xp.lgamma({v}.abs() + 1) | xp.erfinv({v}.tanh() * 0.9)
    """
)
WRITE = templates(
    """
    {v}.index_put_((ids[0][:1],), {v}[:1] * 0.5) | {v}[{v} > 0] *= 0.5 | {v}[..., ::2] = {v}[..., :1] * 2 | {v}.mT.add_(1) |
    {v}.unflatten(-1, (2, -1))[..., 0] = 0.5 | {v}.squeeze().mul_(0.5) |
    {v}.narrow({d}, 0, 1).copy_({v}.narrow({d}, -1, 1)) | {v}.unbind({d})[0].add_(1) | {v}.chunk(2, {d})[0].mul_(2) |
    {v}.view(-1)[::2] = 0.5 | {v}.tril_() | {v}.unsqueeze_(0) | {v}.squeeze_() | {v}.transpose_(0, -1) |
    {v}.lerp_({v}.detach() * 2, 0.3) | {v}.addcmul_({v}.detach(), {v}.detach(), value=0.1) | {v}.clamp_max_(1) |
    {v}.cumsum_({d}) | {v}.scatter_({d}, {v}.argmin({d}, keepdim=True), 0.5) | {v}.diagonal().add_(1) |
    {v}[1:] += {v}[:-1].clone() | {v}.masked_scatter_({v} > 0, {v}.clone()) | {v}.expand(2, *{v}.shape)[0].mul_(0.5) |
    {v}[None][0] += 1 | {v}[..., None][..., 0] = 0.5 | {v}.movedim(0, -1)[..., 0].zero_() | {v}.flatten()[1:] += 1 |
    {v}.select({d}, 0).tanh_() | {v}.split(1, {d})[-1].add_(0.5) | {v}.detach().zero_()
    """
)
STATE = templates(
    """
    self.block.seen.mul_(2) | self.block.inner.total[0] = 0.5 | self.block.inner.total.copy_(self.mean) |
    self.mean = self.mean * 0.5 + 0.1 | self.block.inner.total += y.detach().mean(0) |
    self.count.copy_(self.block.seen + 1) | self.mean.data.mul_(0.5)
    """
)
#: Of a last dimension of four.
LAYER = templates(
    """
    self.block({v}) | self.block.inner({v}) | self.block.norm({v}) | self.embedding(({v}.abs() * 2).long().clamp(max=8)) |
    F.embedding_bag(ids, self.w, mode="mean") | self.embedding(ids) | xp.einsum("...c,cd->...d", {v}, self.w) |
    xp.tensordot({v}, self.w, 1) | F.pad({v}, (0, 1), mode="replicate") if {v}.ndim > 1 else {v}
    """
)
#: Of [samples, steps, 4].
LAYER_3D = templates(
    """
    self.gru({v})[0] | self.gru({v})[1][0] | self.lstm({v})[0] | self.rnn({v})[0] | self.cell({v}[:, 0])[1] |
    self.encoder({v}) | self.attention({v}, {v}, {v})[0] | self.attention({v}, {v}, {v})[1] | self.images({v}[:, None]) |
    self.attention({v}, {v}, {v}, attn_mask=xp.ones({v}.shape[1], {v}.shape[1], dtype=xp.bool).triu(1))[0] |
    self.gru({v}, {v}[:, 0].detach()[None].contiguous())[0] | F.pad({v}, (1, 2), mode="reflect") |
    F.pad({v}.mT, (1, 0), mode="circular") | F.pad({v}[:, None], (1, 1, 0, 1), mode="replicate") |
    F.interpolate({v}.mT, scale_factor=1.5, mode="linear") | F.interpolate({v}.mT, size=7) |
    F.interpolate({v}[:, None], scale_factor=2, mode="bilinear", align_corners=False) |
    F.interpolate({v}[:, None], scale_factor=2, mode="bicubic") |
    F.interpolate({v}.mT, scale_factor=2, mode="nearest-exact") | F.unfold({v}[:, None], (2, 2)) |
    F.fold(F.unfold({v}[:, None], (1, 2)), ({v}.shape[1], 4), (1, 2)) | F.max_pool2d({v}[:, None], 2, ceil_mode=True) |
    F.avg_pool2d({v}[:, None], 2, 1, 1, count_include_pad=False) | F.adaptive_avg_pool2d({v}[:, None], (2, 3)) |
    F.lp_pool1d({v}.mT, 2, 2) | F.adaptive_max_pool1d({v}.mT, 2) | F.conv1d({v}.mT, self.k, padding=2, dilation=2) |
    F.conv1d({v}.mT, self.k[:, :1], groups=4, padding=1) | F.max_pool1d({v}.mT, 3, 1, 1, return_indices=True)[1] |
    F.local_response_norm({v}.mT, 2) | F.pixel_shuffle({v}.mT[..., None], 2) |
    xp.linalg.inv({v}.mT @ {v} * 0.1 + xp.eye(4, dtype={v}.dtype, device={v}.device)) |
    xp.linalg.cholesky({v}.mT @ {v} * 0.1 + xp.eye(4, dtype={v}.dtype, device={v}.device)) |
    xp.linalg.solve({v}.mT @ {v} * 0.1 + xp.eye(4, dtype={v}.dtype, device={v}.device), {v}.mT) |
    xp.linalg.det({v}.mT @ {v} * 0.1 + xp.eye(4, dtype={v}.dtype, device={v}.device)) | xp.cdist({v}, {v} + 1) |
    xp.baddbmm({v}, {v}, self.w.expand({v}.shape[0], 4, 4)) | xp.linalg.vector_norm({v}, dim=(0, 1)) |
    xp.linalg.matrix_norm({v}) | xp.einsum("btc,bsc,bsd->btd", {v}, {v}, {v}) | {v}.mT.reshape({v}.shape[0], 2, 2, -1) |
    {v}.reshape({v}.shape[0], -1, 2, 2).transpose(1, 2) |
    F.scaled_dot_product_attention({v}, {v}, {v}, attn_mask=({v} @ {v}.mT) > -9)
    """
)
