"""Models of sequences: words, speech, sounds."""

import inspect
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


def nano_gpt(start):
    """A small GPT with groups of parameters, tied weights, and generation by top-k."""

    @dataclass
    class GPTConfig:
        block_size: int = 8
        vocab_size: int = 16
        n_layer: int = 2
        n_head: int = 2
        n_embd: int = 8
        dropout: float = 0.0
        bias: bool = True

    class LayerNorm(nn.Module):
        def __init__(self, ndim, bias):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(ndim))
            self.bias = nn.Parameter(torch.zeros(ndim)) if bias else None

        def forward(self, input):
            return F.layer_norm(input, self.weight.shape, self.weight, self.bias, 1e-5)

    class CausalSelfAttention(nn.Module):
        def __init__(self, config, flash):
            super().__init__()
            assert config.n_embd % config.n_head == 0
            self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
            self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
            self.attn_dropout = nn.Dropout(config.dropout)
            self.n_head, self.n_embd, self.dropout = config.n_head, config.n_embd, config.dropout
            self.flash = flash and hasattr(torch.nn.functional, "scaled_dot_product_attention")
            ones = torch.ones(config.block_size, config.block_size)
            self.register_buffer("bias", torch.tril(ones).view(1, 1, config.block_size, config.block_size), persistent=False)

        def forward(self, x):
            B, T, C = x.size()
            q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
            k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            if self.flash:
                dropout_p = self.dropout if self.training else 0
                y = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=dropout_p, is_causal=True)
            else:
                att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
                att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
                y = self.attn_dropout(F.softmax(att, dim=-1)) @ v
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    class Block(nn.Module):
        def __init__(self, config, flash):
            super().__init__()
            self.ln_1 = LayerNorm(config.n_embd, bias=config.bias)
            self.attn = CausalSelfAttention(config, flash)
            self.ln_2 = LayerNorm(config.n_embd, bias=config.bias)
            self.mlp = nn.Sequential(
                nn.Linear(config.n_embd, 4 * config.n_embd), nn.GELU(), nn.Linear(4 * config.n_embd, config.n_embd)
            )

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.config = config
            self.transformer = nn.ModuleDict(
                dict(
                    wte=nn.Embedding(config.vocab_size, config.n_embd),
                    wpe=nn.Embedding(config.block_size, config.n_embd),
                    h=nn.ModuleList([Block(config, flash=i == 0) for i in range(config.n_layer)]),
                    ln_f=LayerNorm(config.n_embd, bias=config.bias),
                )
            )
            self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
            self.transformer.wte.weight = self.lm_head.weight
            self.apply(self._init_weights)
            for pn, p in self.named_parameters():
                if pn.endswith("c_proj.weight"):
                    torch.nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer))

        def _init_weights(self, module):
            if isinstance(module, nn.Linear):
                torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
                if module.bias is not None:
                    torch.nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

        def get_num_params(self):
            return sum(p.numel() for p in self.parameters()) - self.transformer.wpe.weight.numel()

        def forward(self, idx, targets=None):
            b, t = idx.size()
            assert t <= self.config.block_size, f"cannot forward sequence of length {t}"
            pos = torch.arange(0, t, dtype=torch.long, device=idx.device)
            x = self.transformer.wte(idx) + self.transformer.wpe(pos)
            for block in self.transformer.h:
                x = block(x)
            x = self.transformer.ln_f(x)
            if targets is None:
                return self.lm_head(x[:, [-1], :])
            logits = self.lm_head(x)
            return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

        def configure_optimizers(self, weight_decay, learning_rate, betas):
            param_dict = {pn: p for pn, p in self.named_parameters() if p.requires_grad}
            groups = [
                {"params": [p for p in param_dict.values() if p.dim() >= 2], "weight_decay": weight_decay},
                {"params": [p for p in param_dict.values() if p.dim() < 2], "weight_decay": 0.0},
            ]
            fused_available = "fused" in inspect.signature(torch.optim.AdamW).parameters
            extra = dict(fused=True) if fused_available and torch.cuda.is_available() else dict()
            return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, **extra)

        @torch.no_grad()
        def generate(self, idx, max_new_tokens, temperature=1.0, top_k=None):
            for _ in range(max_new_tokens):
                idx_cond = idx if idx.size(1) <= self.config.block_size else idx[:, -self.config.block_size :]
                logits = self(idx_cond)[:, -1, :] / temperature
                if top_k is not None:
                    v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
                    logits[logits < v[:, [-1]]] = -float("Inf")
                probs = F.softmax(logits, dim=-1)
                idx = torch.cat((idx, torch.multinomial(probs, num_samples=1)), dim=1)
            return idx

    model = start(GPT(GPTConfig()))
    optimizer = model.configure_optimizers(1e-1, 1e-2, (0.9, 0.95))
    rng = np.random.default_rng(0)
    data = torch.tensor(rng.integers(0, 16, 200), dtype=torch.int64)

    def get_batch(i):
        ix = np.random.default_rng(i).integers(0, len(data) - 8, 4)
        return torch.stack([data[k : k + 8] for k in ix]), torch.stack([data[k + 1 : k + 9] for k in ix])

    def step(i):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * 0.5 * (1 + math.cos(math.pi * i / 20))
        X, Y = get_batch(i)
        _, loss = model(X, Y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if i == 19:
            greedy = model.generate(X[:1, :3], 8, temperature=0.8, top_k=1)
            return loss + greedy.float().mean()
        return loss

    return step, model, (get_batch(0)[0],)


def rope_llama(start):
    """A llama whose rotary embeddings are products of complex numbers; grouped queries, RMS norms, SwiGLU."""

    def precompute_freqs_cis(dim, end, theta=10000.0):
        freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: (dim // 2)].float() / dim))
        t = torch.arange(end, device=freqs.device)
        freqs = torch.outer(t, freqs).float()
        return torch.polar(torch.ones_like(freqs), freqs)

    def reshape_for_broadcast(freqs_cis, x):
        assert freqs_cis.shape == (x.shape[1], x.shape[-1])
        return freqs_cis.view(*[d if i == 1 or i == x.ndim - 1 else 1 for i, d in enumerate(x.shape)])

    def apply_rotary_emb(xq, xk, freqs_cis):
        xq_ = torch.view_as_complex(xq.float().reshape(*xq.shape[:-1], -1, 2))
        xk_ = torch.view_as_complex(xk.float().reshape(*xk.shape[:-1], -1, 2))
        freqs_cis = reshape_for_broadcast(freqs_cis, xq_)
        xq_out = torch.view_as_real(xq_ * freqs_cis).flatten(3)
        xk_out = torch.view_as_real(xk_ * freqs_cis).flatten(3)
        return xq_out.type_as(xq), xk_out.type_as(xk)

    def repeat_kv(x, n_rep):
        bs, slen, n_kv_heads, head_dim = x.shape
        if n_rep == 1:
            return x
        return x[:, :, :, None, :].expand(bs, slen, n_kv_heads, n_rep, head_dim).reshape(bs, slen, n_kv_heads * n_rep, head_dim)

    class RMSNorm(torch.nn.Module):
        def __init__(self, dim, eps=1e-6):
            super().__init__()
            self.eps = eps
            self.weight = nn.Parameter(torch.ones(dim))

        def _norm(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

        def forward(self, x):
            return self._norm(x.float()).type_as(x) * self.weight

    class Attention(nn.Module):
        def __init__(self, dim=8, n_heads=2, n_kv_heads=1):
            super().__init__()
            self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, dim // n_heads
            self.wq = nn.Linear(dim, n_heads * self.head_dim, bias=False)
            self.wk = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
            self.wv = nn.Linear(dim, n_kv_heads * self.head_dim, bias=False)
            self.wo = nn.Linear(n_heads * self.head_dim, dim, bias=False)

        def forward(self, x, freqs_cis, mask):
            bsz, seqlen, _ = x.shape
            xq = self.wq(x).view(bsz, seqlen, self.n_heads, self.head_dim)
            xk = self.wk(x).view(bsz, seqlen, self.n_kv_heads, self.head_dim)
            xv = self.wv(x).view(bsz, seqlen, self.n_kv_heads, self.head_dim)
            xq, xk = apply_rotary_emb(xq, xk, freqs_cis=freqs_cis)
            keys = repeat_kv(xk, self.n_heads // self.n_kv_heads).transpose(1, 2)
            values = repeat_kv(xv, self.n_heads // self.n_kv_heads).transpose(1, 2)
            scores = torch.matmul(xq.transpose(1, 2), keys.transpose(2, 3)) / math.sqrt(self.head_dim) + mask
            scores = F.softmax(scores.float(), dim=-1).type_as(xq)
            return self.wo(torch.matmul(scores, values).transpose(1, 2).contiguous().view(bsz, seqlen, -1))

    class Llama(nn.Module):
        def __init__(self, dim=8, vocab=12):
            super().__init__()
            self.tok_embeddings = nn.Embedding(vocab, dim)
            self.attention, self.attention_norm, self.ffn_norm = Attention(dim), RMSNorm(dim), RMSNorm(dim)
            self.w1, self.w2, self.w3 = (nn.Linear(a, b, bias=False) for a, b in [(dim, 16), (16, dim), (dim, 16)])
            self.output = nn.Linear(dim, vocab, bias=False)
            self.freqs_cis = precompute_freqs_cis(4, 32)

        def forward(self, tokens):
            _bsz, seqlen = tokens.shape
            h = self.tok_embeddings(tokens)
            freqs_cis = self.freqs_cis[:seqlen]
            mask = torch.full((seqlen, seqlen), float("-inf"), device=tokens.device)
            mask = torch.triu(mask, diagonal=1)
            h = h + self.attention(self.attention_norm(h), freqs_cis, mask)
            x = self.ffn_norm(h)
            h = h + self.w2(F.silu(self.w1(x)) * self.w3(x))
            return self.output(h).float()

    model = start(Llama())
    rng = np.random.default_rng(1)
    tokens = torch.tensor(rng.integers(0, 12, (4, 9)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (tokens,)


def fnet(start):
    """Tokens mixed by Fourier transforms."""

    class FNetBlock(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.norm = nn.LayerNorm(dim)
            self.ff = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

        def forward(self, x):
            x = torch.fft.fft(torch.fft.fft(self.norm(x), dim=-1), dim=-2).real + x
            return self.ff(x) + x

    model = start(nn.Sequential(FNetBlock(6), FNetBlock(6), nn.Linear(6, 3)))
    rng = np.random.default_rng(2)
    x, y = torch.tensor(rng.standard_normal((4, 5, 6)).astype("f4")), torch.tensor(rng.integers(0, 3, (4, 5)))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def step(i):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def speech(start):
    """Spectra, convolutions, a bidirectional GRU, and CTC with sequences of several lengths."""

    class Speech(nn.Module):
        def __init__(self, n_bins=9, n_classes=5):
            super().__init__()
            self.conv = nn.Sequential(
                nn.Conv1d(n_bins, 8, 3, padding="same"), nn.BatchNorm1d(8), nn.Hardtanh(0, 20, inplace=True)
            )
            self.rnn = nn.GRU(8, 6, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(12, n_classes)

        def forward(self, spectrogram):
            x = self.conv(spectrogram).transpose(1, 2)
            x, _ = self.rnn(x)
            return F.log_softmax(self.fc(x), dim=2).transpose(0, 1)

    rng = np.random.default_rng(3)
    wave = torch.tensor(rng.standard_normal((3, 160)).astype("f4"))
    window = torch.hann_window(16)
    spectrum = torch.stft(wave, n_fft=16, hop_length=8, window=window, center=True, return_complex=True)
    x = torch.log1p(spectrum.abs() ** 2)
    targets = torch.tensor([1, 2, 3, 4, 4, 1, 2, 3, 3], dtype=torch.long)
    target_lengths, input_lengths = torch.tensor([4, 2, 3]), torch.full((3,), x.shape[-1], dtype=torch.long)
    model = start(Speech())
    criterion = nn.CTCLoss(blank=0, zero_infinity=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        loss = criterion(model(x), targets, input_lengths, target_lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def seq2seq(start):
    """Translation: packed sequences, attention with a mask, teacher forcing step by step."""
    PAD, SOS, EOS = 0, 1, 2

    class Encoder(nn.Module):
        def __init__(self, vocab=10, emb=6, hid=8):
            super().__init__()
            self.embedding = nn.Embedding(vocab, emb, padding_idx=PAD)
            self.rnn = nn.LSTM(emb, hid, bidirectional=True)
            self.fc = nn.Linear(hid * 2, hid)

        def forward(self, src, src_len):
            packed = pack_padded_sequence(self.embedding(src), src_len.to("cpu"), enforce_sorted=False)
            outputs, (hidden, cell) = self.rnn(packed)
            outputs, _ = pad_packed_sequence(outputs)
            return outputs, torch.tanh(self.fc(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)))

    class Decoder(nn.Module):
        def __init__(self, vocab=10, emb=6, hid=8):
            super().__init__()
            self.embedding = nn.Embedding(vocab, emb)
            self.attn, self.v = nn.Linear(hid * 3, hid), nn.Linear(hid, 1, bias=False)
            self.rnn = nn.GRUCell(hid * 2 + emb, hid)
            self.fc_out = nn.Linear(hid * 3 + emb, vocab)

        def forward(self, input, hidden, encoder_outputs, mask):
            src_len = encoder_outputs.shape[0]
            repeated = hidden.unsqueeze(1).repeat(1, src_len, 1)
            by_batch = encoder_outputs.permute(1, 0, 2)
            energy = torch.tanh(self.attn(torch.cat((repeated, by_batch), dim=2)))
            a = F.softmax(self.v(energy).squeeze(2).masked_fill(mask == 0, -1e10), dim=1)
            weighted = torch.bmm(a.unsqueeze(1), by_batch).squeeze(1)
            embedded = self.embedding(input)
            hidden = self.rnn(torch.cat((embedded, weighted), dim=1), hidden)
            return self.fc_out(torch.cat((hidden, weighted, embedded), dim=1)), hidden

    rng = np.random.default_rng(4)
    sentences = [[SOS, *rng.integers(3, 10, n), EOS] for n in (5, 2, 4)]
    src = pad_sequence([torch.tensor([int(t) for t in s]) for s in sentences], padding_value=PAD)
    src_len = torch.tensor([len(s) for s in sentences])
    trg = torch.flip(src, [0]).roll(1, 0)
    encoder, decoder = start(Encoder()), start(Decoder())
    params = list(encoder.parameters()) + list(decoder.parameters())
    optimizer = torch.optim.Adam(params, lr=1e-2)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)

    def step(i):
        encoder_outputs, hidden = encoder(src, src_len)
        mask = (src != PAD).permute(1, 0)
        outputs = torch.zeros(trg.shape[0], trg.shape[1], 10, device=src.device)
        input = trg[0, :]
        for t in range(1, trg.shape[0]):
            output, hidden = decoder(input, hidden, encoder_outputs, mask)
            outputs[t] = output
            teacher_force = (i + t) % 2 == 0
            input = trg[t] if teacher_force else output.argmax(1)
        loss = criterion(outputs[1:].view(-1, 10), trg[1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1)
        optimizer.step()
        return loss

    return step, None, None


def transformer(start):
    """nn.Transformer with sinusoidal positions and masks, and a warm-up by hand."""

    class PositionalEncoding(nn.Module):
        def __init__(self, d_model, max_len=50):
            super().__init__()
            pe = torch.zeros(max_len, d_model)
            position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
            div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
            pe[:, 0::2] = torch.sin(position * div_term)
            pe[:, 1::2] = torch.cos(position * div_term)
            self.register_buffer("pe", pe.unsqueeze(0))

        def forward(self, x):
            return x + self.pe[:, : x.size(1)].requires_grad_(False)

    class Translator(nn.Module):
        def __init__(self, vocab=11, d=8):
            super().__init__()
            self.d = d
            self.emb, self.pos = nn.Embedding(vocab, d), PositionalEncoding(d)
            self.transformer = nn.Transformer(d, 2, 1, 1, 16, dropout=0.0, batch_first=True, norm_first=True)
            self.generator = nn.Linear(d, vocab)

        def forward(self, src, tgt):
            tgt_mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1), device=tgt.device)
            pad = src == 0
            src, tgt = (self.pos(self.emb(t) * math.sqrt(self.d)) for t in (src, tgt))
            out = self.transformer(src, tgt, tgt_mask=tgt_mask, src_key_padding_mask=pad, memory_key_padding_mask=pad)
            return self.generator(out)

    model = Translator()
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
    start(model)
    rng = np.random.default_rng(5)
    src = torch.tensor(rng.integers(1, 11, (3, 6)))
    src[1, 4:] = 0
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    rate = lambda s: (8**-0.5) * min((s + 1) ** -0.5, (s + 1) * 10**-1.5) * 0.1
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=rate)

    def step(i):
        out = model(src, src[:, :-1])
        smooth = torch.full_like(out, 0.1 / 10).scatter_(2, src[:, 1:, None], 0.9)
        loss = nn.KLDivLoss(reduction="sum")(F.log_softmax(out, -1), smooth) / src.ne(0).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (src, src[:, :-1])


def mamba(start):
    """A selective state space: a scan as a loop, with a causal depthwise convolution."""

    class Mamba(nn.Module):
        def __init__(self, d_model=6, d_state=4, d_conv=3, expand=2):
            super().__init__()
            self.d_inner, self.d_state, self.dt_rank = expand * d_model, d_state, 2
            self.in_proj = nn.Linear(d_model, self.d_inner * 2, bias=False)
            self.conv1d = nn.Conv1d(self.d_inner, self.d_inner, d_conv, groups=self.d_inner, padding=d_conv - 1)
            self.x_proj = nn.Linear(self.d_inner, self.dt_rank + d_state * 2, bias=False)
            self.dt_proj = nn.Linear(self.dt_rank, self.d_inner, bias=True)
            A = torch.arange(1, d_state + 1, dtype=torch.float32).unsqueeze(0).repeat(self.d_inner, 1)
            self.A_log = nn.Parameter(torch.log(A))
            self.A_log._no_weight_decay = True
            self.D = nn.Parameter(torch.ones(self.d_inner))
            self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

        def selective_scan(self, u, delta, A, B, C, D):
            (b, l, d_in), n = u.shape, A.shape[1]
            deltaA = torch.exp(torch.einsum("bld,dn->bldn", delta, A))
            deltaB_u = torch.einsum("bld,bln,bld->bldn", delta, B, u)
            x = torch.zeros((b, d_in, n), device=deltaA.device)
            ys = []
            for i in range(l):
                x = deltaA[:, i] * x + deltaB_u[:, i]
                ys.append(torch.einsum("bdn,bn->bd", x, C[:, i, :]))
            return torch.stack(ys, dim=1) + u * D

        def forward(self, x):
            (b, l, d) = x.shape
            (x, res) = self.in_proj(x).split(split_size=[self.d_inner, self.d_inner], dim=-1)
            x = self.conv1d(x.transpose(1, 2))[:, :, :l].transpose(1, 2)
            x = F.silu(x)
            (delta, B, C) = self.x_proj(x).split(split_size=[self.dt_rank, self.d_state, self.d_state], dim=-1)
            y = self.selective_scan(x, F.softplus(self.dt_proj(delta)), -torch.exp(self.A_log.float()), B, C, self.D.float())
            return self.out_proj(y * F.silu(res))

    model = start(nn.Sequential(nn.Linear(2, 6), Mamba(), nn.Linear(6, 1)))
    rng = np.random.default_rng(6)
    x = torch.tensor(rng.standard_normal((3, 7, 2)).astype("f4"))
    y = x[..., :1].cumsum(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(i):
        loss = F.huber_loss(model(x), y, delta=0.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def mixture_of_experts(start):
    """Tokens sent to the two best of four experts, with a loss that balances them; low-rank adapters on frozen weights."""

    class LoRALinear(nn.Linear):
        def __init__(self, in_features, out_features, r=2, lora_alpha=4, **kwargs):
            nn.Linear.__init__(self, in_features, out_features, **kwargs)
            self.lora_A = nn.Parameter(self.weight.new_zeros((r, in_features)))
            self.lora_B = nn.Parameter(self.weight.new_zeros((out_features, r)))
            self.scaling, self.merged = lora_alpha / r, False
            self.weight.requires_grad = False
            nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

        def train(self, mode=True):
            nn.Linear.train(self, mode)
            if mode == self.merged:
                sign = -1 if mode else 1
                self.weight.data += sign * (self.lora_B @ self.lora_A) * self.scaling
                self.merged = not mode
            return self

        def forward(self, x):
            result = F.linear(x, self.weight, bias=self.bias)
            if not self.merged:
                result += (x @ self.lora_A.transpose(0, 1) @ self.lora_B.transpose(0, 1)) * self.scaling
            return result

    class MoE(nn.Module):
        def __init__(self, dim=6, experts=4, k=2):
            super().__init__()
            self.k, self.n = k, experts
            self.gate = nn.Linear(dim, experts, bias=False)
            self.experts = nn.ModuleList([nn.Sequential(nn.Linear(dim, 8), nn.Mish(), nn.Linear(8, dim)) for _ in range(experts)])

        def forward(self, x):
            flat = x.view(-1, x.shape[-1])
            probs = F.softmax(self.gate(flat), dim=1, dtype=torch.float)
            weights, selected = torch.topk(probs, self.k, dim=-1)
            weights /= weights.sum(dim=-1, keepdim=True)
            final = torch.zeros_like(flat)
            mask = F.one_hot(selected, num_classes=self.n).permute(2, 1, 0)
            for e in range(self.n):
                idx, top_x = torch.where(mask[e])
                if top_x.shape[0] == 0:
                    continue
                current = self.experts[e](flat[None, top_x].reshape(-1, flat.shape[-1])) * weights[top_x, idx, None]
                final.index_add_(0, top_x, current.to(flat.dtype))
            balance = self.n * (mask.float().mean(dim=(1, 2)) * probs.mean(0)).sum()
            return final.reshape(x.shape), balance

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.moe, self.out = LoRALinear(4, 6), MoE(), nn.Linear(6, 2)

        def forward(self, x):
            h = self.inp(x)
            routed, balance = self.moe(h)
            return self.out(h + routed), balance

    model = start(Model())
    rng = np.random.default_rng(7)
    x, y = torch.tensor(rng.standard_normal((3, 5, 4)).astype("f4")), torch.tensor(rng.standard_normal((3, 5, 2)).astype("f4"))
    optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-2)

    def step(i):
        model.train()
        out, balance = model(x)
        loss = (out - y).pow(2).mean() + 0.01 * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            again, _ = model(x)
        return loss + again.mean()

    return step, None, None


def crf(start):
    """A tagger whose loss sums over all paths, in the forward algorithm; the best path by Viterbi."""

    class CRF(nn.Module):
        def __init__(self, vocab=9, tags=4, hidden=6):
            super().__init__()
            self.tags = tags
            self.word_embeds = nn.EmbeddingBag(vocab, hidden, mode="mean")
            self.lstm = nn.LSTM(hidden, hidden // 2, num_layers=1, bidirectional=True)
            self.hidden2tag = nn.Linear(hidden, tags)
            self.transitions = nn.Parameter(torch.randn(tags, tags))

        def features(self, words):
            embedded = self.word_embeds(words.unsqueeze(1)).view(len(words), 1, -1)
            out, _ = self.lstm(embedded, (torch.zeros(2, 1, 3, device=words.device), torch.zeros(2, 1, 3, device=words.device)))
            return self.hidden2tag(out.view(len(words), -1))

        def partition(self, feats):
            alpha = feats[0]
            for feat in feats[1:]:
                alpha = torch.logsumexp(alpha.unsqueeze(1) + self.transitions, dim=0) + feat
            return torch.logsumexp(alpha, 0)

        def score(self, feats, tags):
            emitted = feats[torch.arange(len(tags)), tags].sum()
            return emitted + self.transitions[tags[:-1], tags[1:]].sum()

        def viterbi(self, feats):
            best, back = feats[0], []
            for feat in feats[1:]:
                best, where = (best.unsqueeze(1) + self.transitions).max(dim=0)
                best = best + feat
                back.append(where)
            path = [best.argmax().item()]
            for where in reversed(back):
                path.append(where[path[-1]].item())
            return path[::-1]

        def forward(self, words, tags):
            feats = self.features(words)
            return self.partition(feats) - self.score(feats, tags)

    model = start(CRF())
    rng = np.random.default_rng(8)
    words, tags = torch.tensor(rng.integers(0, 9, (3, 6))), torch.tensor(rng.integers(0, 4, (3, 6)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=1e-4)

    def step(i):
        model.zero_grad()
        loss = sum(model(w, t) for w, t in zip(words, tags)) / 3
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            path = model.viterbi(model.features(words[0]))
        return loss + sum(path)

    return step, model, (words[0], tags[0])


def word2vec(start):
    """Skip-grams with negative sampling, in dense and in sparse embeddings."""

    class SkipGram(nn.Module):
        def __init__(self, vocab=15, dim=5):
            super().__init__()
            self.u_embeddings, self.v_embeddings = nn.Embedding(vocab, dim), nn.Embedding(vocab, dim)
            nn.init.uniform_(self.u_embeddings.weight.data, -0.5 / dim, 0.5 / dim)
            nn.init.constant_(self.v_embeddings.weight.data, 0)

        def forward(self, pos_u, pos_v, neg_v):
            emb_u, emb_v, emb_neg_v = self.u_embeddings(pos_u), self.v_embeddings(pos_v), self.v_embeddings(neg_v)
            score = torch.sum(torch.mul(emb_u, emb_v), dim=1)
            score = -F.logsigmoid(torch.clamp(score, max=10, min=-10))
            neg_score = torch.bmm(emb_neg_v, emb_u.unsqueeze(2)).squeeze()
            neg_score = -torch.sum(F.logsigmoid(-torch.clamp(neg_score, max=10, min=-10)), dim=1)
            return torch.mean(score + neg_score)

    rng = np.random.default_rng(9)
    counts = rng.integers(1, 20, 15) ** 0.75
    pos_u, pos_v = (torch.tensor(rng.integers(0, 15, (20, 8))) for _ in range(2))
    neg = torch.tensor(rng.choice(15, (20, 8, 4), p=counts / counts.sum()))
    assert torch.multinomial(torch.tensor(counts), 4, replacement=True).shape == (4,)
    model = start(SkipGram())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def step(i):
        loss = model(pos_u[i], pos_v[i], neg[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        similar = F.cosine_similarity(model.u_embeddings.weight[None], model.u_embeddings.weight[:, None], dim=-1)
        return loss + similar.detach().topk(3, dim=1)[0].mean()

    return step, model, (pos_u[0], pos_v[0], neg[0])


def wavenet(start):
    """Dilated causal convolutions with gates and skips, over mu-law codes."""

    class CausalConv1d(nn.Conv1d):
        def __init__(self, in_channels, out_channels, kernel_size, dilation=1):
            self.__padding = (kernel_size - 1) * dilation
            super(CausalConv1d, self).__init__(in_channels, out_channels, kernel_size, padding=self.__padding, dilation=dilation)

        def forward(self, input):
            result = super(CausalConv1d, self).forward(input)
            return result[:, :, : -self.__padding] if self.__padding != 0 else result

    class WaveNet(nn.Module):
        def __init__(self, classes=8, residual=4, skip=6, layers=3):
            super().__init__()
            self.classes = classes
            self.causal = CausalConv1d(classes, residual, 2)
            self.filters = nn.ModuleList(CausalConv1d(residual, residual, 2, dilation=2**i) for i in range(layers))
            self.gates = nn.ModuleList(CausalConv1d(residual, residual, 2, dilation=2**i) for i in range(layers))
            self.res = nn.ModuleList(nn.Conv1d(residual, residual, 1) for _ in range(layers))
            self.skips = nn.ModuleList(nn.Conv1d(residual, skip, 1) for _ in range(layers))
            self.post = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, classes, 1))

        def forward(self, codes):
            x = F.one_hot(codes, self.classes).float().transpose(1, 2)
            x, skip = self.causal(x), 0
            for f, g, r, s in zip(self.filters, self.gates, self.res, self.skips):
                z = torch.tanh(f(x)) * torch.sigmoid(g(x))
                skip = skip + s(z)
                x = x + r(z)
            return self.post(skip)

    def mu_law_encode(x, quantization_channels):
        mu = quantization_channels - 1.0
        x_mu = torch.sign(x) * torch.log1p(mu * torch.abs(x)) / math.log1p(mu)
        return ((x_mu + 1) / 2 * mu + 0.5).to(torch.int64)

    t = torch.arange(24) / 24.0
    codes = mu_law_encode(torch.stack([torch.sin(2 * math.pi * k * t) for k in (1, 2)]), 8)
    model = start(WaveNet())
    optimizer = torch.optim.RAdam(model.parameters(), lr=1e-2)

    def step(i):
        out = model(codes[:, :-1])
        loss = F.cross_entropy(out, codes[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (codes,)


def char_rnn(start):
    """A language model with truncated backpropagation: states that are detached, and several layers."""

    def repackage_hidden(h):
        if isinstance(h, torch.Tensor):
            return h.detach()
        return tuple(repackage_hidden(v) for v in h)

    class RNNModel(nn.Module):
        def __init__(self, rnn_type, ntoken=12, ninp=6, nhid=6, nlayers=2):
            super().__init__()
            self.ntoken, self.rnn_type, self.nhid, self.nlayers = ntoken, rnn_type, nhid, nlayers
            self.encoder = nn.Embedding(ntoken, ninp)
            self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=0.0)
            self.decoder = nn.Linear(nhid, ntoken)
            nn.init.uniform_(self.encoder.weight, -0.1, 0.1)

        def forward(self, input, hidden):
            output, hidden = self.rnn(self.encoder(input), hidden)
            return F.log_softmax(self.decoder(output).view(-1, self.ntoken), dim=1), hidden

        def init_hidden(self, bsz):
            weight = next(self.parameters())
            if self.rnn_type == "LSTM":
                return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))
            return weight.new_zeros(self.nlayers, bsz, self.nhid)

    rng = np.random.default_rng(10)
    data = torch.tensor(rng.integers(0, 12, 3 * 41)).narrow(0, 0, 3 * 41).view(3, -1).t().contiguous()
    models = [start(RNNModel(kind)) for kind in ("LSTM", "GRU")]
    hiddens = [m.init_hidden(3) for m in models]
    criterion = nn.NLLLoss()

    def step(i):
        total = 0.0
        x, y = data[2 * i : 2 * i + 2], data[2 * i + 1 : 2 * i + 3].view(-1)
        for k, m in enumerate(models):
            m.zero_grad()
            hiddens[k] = repackage_hidden(hiddens[k])
            output, hiddens[k] = m(x, hiddens[k])
            loss = criterion(output, y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(m.parameters(), 0.25)
            for p in m.parameters():
                p.data.add_(p.grad, alpha=-1.0)
            total += loss.item()
        return total

    return step, models[0], (data[:4], models[0].init_hidden(3))


def sparse_words(start):
    """Bags of words with offsets, gradients of embeddings only where words were seen, SparseAdam's kind of tables."""

    class TextClassifier(nn.Module):
        def __init__(self, vocab=20, dim=6, classes=3):
            super().__init__()
            self.embedding = nn.EmbeddingBag(vocab, dim, sparse=False, mode="sum")
            self.fc = nn.Linear(dim, classes)
            self.init_weights()

        def init_weights(self):
            initrange = 0.5
            self.embedding.weight.data.uniform_(-initrange, initrange)
            self.fc.weight.data.uniform_(-initrange, initrange)
            self.fc.bias.data.zero_()

        def forward(self, text, offsets, weights=None):
            return self.fc(self.embedding(text, offsets, per_sample_weights=weights))

    rng = np.random.default_rng(11)
    model = start(TextClassifier())
    lengths = [3, 5, 2, 4]
    text = torch.tensor(rng.integers(0, 20, sum(lengths)))
    offsets = torch.tensor([0] + lengths[:-1]).cumsum(dim=0)
    weights = torch.tensor(rng.random(sum(lengths)).astype("f4"))
    labels = torch.tensor([0, 2, 1, 1])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[5, 12], gamma=0.3)

    def step(i):
        optimizer.zero_grad()
        loss = F.multi_margin_loss(model(text, offsets, weights if i % 2 else None), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (text, offsets)
