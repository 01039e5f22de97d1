"""Two models that write text, and the loop that writes: ordinary Python, and one ONNX file when exported."""

from __future__ import annotations

from corpus import END, VOCABULARY

import frazil as fz
from frazil import nn
from frazil.nn import functional as F


def choose(logits, temperature, top_k, generator):
    """A token by the logits [V]: the likeliest if temperature is 0, else drawn from the top_k likeliest (0: from all)."""
    if temperature == 0:
        return logits.argmax()
    if top_k > 0:
        least = logits.sort(descending=True).values[top_k - 1]
        logits = logits.masked_fill(logits < least, -fz.inf)
    return fz.multinomial(F.softmax(logits / temperature, dim=-1), 1, generator=generator)[0]


class Writer(nn.Module):
    """A model of the next token. `forward(tokens [N, T], memory)` gives logits [N, T, V] and what it remembers of the tokens."""

    def blank(self, size: int):
        """The memory of having read nothing, `size` times."""
        raise NotImplementedError

    @fz.jit.script
    def generate(self, prompt, max_new_tokens, temperature, top_k, seed):
        """The prompt, int64[T], continued by at most max_new_tokens tokens, or up to the end of the page."""
        generator = fz.Generator().manual_seed(seed)
        logits, memory = self(prompt[None], self.blank(1))
        token = choose(logits[0, -1], temperature, top_k, generator)
        written = [token]
        count = 1
        while count < max_new_tokens and token != END:
            logits, memory = self(token.reshape(1, 1), memory)
            token = choose(logits[0, -1], temperature, top_k, generator)
            written.append(token)
            count += 1
        return fz.cat([prompt, fz.stack(written)])


class LSTMWriter(Writer):
    """Layers of LSTM."""

    def __init__(self, width: int = 256, layers: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width // 2)
        self.lstm = nn.LSTM(width // 2, width, layers, batch_first=True, dropout=dropout)
        self.head = nn.Linear(width, VOCABULARY)

    def blank(self, size: int):
        shape = (self.lstm.num_layers, size, self.lstm.hidden_size)
        return fz.zeros(shape), fz.zeros(shape)

    def forward(self, tokens, memory):
        hidden, memory = self.lstm(self.embedding(tokens), memory)
        return self.head(hidden), memory


class Block(nn.Module):
    """Attention to what came before, and a perceptron. Remembers keys and values."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.before_perceptron = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, positions, mask, memory):
        n, t, width = x.shape
        heads = self.attention(self.before_attention(x)).view(n, t, 3 * self.heads, width // self.heads).transpose(1, 2)
        query, key, value = heads.chunk(3, dim=1)
        query, key = (F.rotary_embedding(part, *positions) for part in (query, key))
        key, value = fz.cat([memory[0], key], dim=2), fz.cat([memory[1], value], dim=2)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.dropout(self.out(found.transpose(1, 2).reshape(n, t, width)))
        return x + self.dropout(self.perceptron(self.before_perceptron(x))), (key, value)


class TransformerWriter(Writer):
    """A small GPT with rotary positions, so that it has no longest text. Its memory grows with every token."""

    def __init__(self, width: int = 128, heads: int = 4, layers: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.head.weight = self.embedding.weight

    def blank(self, size: int):
        nothing = fz.zeros(size, self.heads, 0, self.width // self.heads)
        return [(nothing, nothing) for _ in self.blocks]

    def forward(self, tokens, memory):
        read, new = memory[0][0].shape[2], tokens.shape[1]
        positions = F.rotary_positions(new, self.width // self.heads, offset=read)
        mask = fz.arange(read + new) <= read + fz.arange(new)[:, None]
        x = self.embedding(tokens)
        remembered = []
        for block, kept in zip(self.blocks, memory, strict=True):
            x, kept = block(x, positions, mask, kept)
            remembered.append(kept)
        return self.head(self.norm(x)), remembered


MODELS = {"lstm": LSTMWriter, "transformer": TransformerWriter}
