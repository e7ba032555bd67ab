"""The opponent: the same training step in PyTorch, with fused attention and torch.compile. Prints a line of JSON.

    python torch_step.py --model 1b --rows 8 --cols 2048 --compile

Parameters are float32 and products bf16 (autocast), gradients add up in float32, as in the engine. The loss is the sum over the
batch. torch 2.9 or later with CUDA.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

SHAPES = {  # hidden, layers, heads, key-value heads, intermediate, vocabulary: those of templar's presets
    "tiny": (128, 2, 4, 4, 384, 256),
    "150m": (768, 12, 12, 12, 2048, 32000),
    "1b": (2048, 16, 8, 8, 8192, 32000),
}


class Block(nn.Module):
    def __init__(self, hidden, heads, kv, inner):
        super().__init__()
        self.heads, self.kv, self.width = heads, kv, hidden // heads
        self.before_attention, self.before_mlp = nn.RMSNorm(hidden, 1e-5), nn.RMSNorm(hidden, 1e-5)
        self.q = nn.Linear(hidden, hidden, bias=False)
        self.k = nn.Linear(hidden, kv * self.width, bias=False)
        self.v = nn.Linear(hidden, kv * self.width, bias=False)
        self.o = nn.Linear(hidden, hidden, bias=False)
        self.gate, self.up = nn.Linear(hidden, inner, bias=False), nn.Linear(hidden, inner, bias=False)
        self.down = nn.Linear(inner, hidden, bias=False)

    def forward(self, x, cos, sin):
        rows, cols, hidden = x.shape

        def split(y, heads):
            return y.view(rows, cols, heads, self.width).transpose(1, 2)

        def rotate(y):
            a, b = y.float().chunk(2, -1)
            return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(y.dtype)

        n = self.before_attention(x)
        q, k, v = rotate(split(self.q(n), self.heads)), rotate(split(self.k(n), self.kv)), split(self.v(n), self.kv)
        mix = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.kv != self.heads)
        x = x + self.o(mix.transpose(1, 2).reshape(rows, cols, hidden))
        n = self.before_mlp(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


class Model(nn.Module):
    def __init__(self, hidden, layers, heads, kv, inner, vocabulary):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, hidden)
        self.blocks = nn.ModuleList(Block(hidden, heads, kv, inner) for _ in range(layers))
        self.norm, self.head = nn.RMSNorm(hidden, 1e-5), nn.Linear(hidden, vocabulary, bias=False)

    def forward(self, tokens, targets, cos, sin):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.cross_entropy(self.head(self.norm(x)).float().flatten(0, 1), targets.flatten(), reduction="sum")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="1b", choices=SHAPES)
    p.add_argument("--rows", type=int, default=8)
    p.add_argument("--cols", type=int, default=2048)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--device", default="cuda")
    p.add_argument("--peak", type=float, default=989e12)
    p.add_argument("--compile", action="store_true")
    o = p.parse_args()
    hidden, layers, heads, _, _, vocabulary = shape = SHAPES[o.model]
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    with torch.device(o.device):
        model = Model(*shape)
        for w in model.parameters():
            if w.dim() > 1:
                nn.init.normal_(w, std=0.02)
        inverse = 1 / 10000 ** (torch.arange(0, hidden // heads, 2) / (hidden // heads))
        angles = torch.arange(o.cols)[:, None] * inverse
        cos, sin = angles.cos(), angles.sin()
        tokens, targets = (torch.randint(vocabulary, (o.rows, o.cols)) for _ in range(2))
    forward = torch.compile(model) if o.compile else model
    cuda = o.device.startswith("cuda")

    def step():
        began = time.perf_counter()
        with torch.autocast(o.device.split(":")[0], torch.bfloat16):
            loss = forward(tokens, targets, cos, sin)
        loss.backward()
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - began, loss.item()

    first, loss = step()
    step()
    times = [step()[0] for _ in range(o.steps)]
    parameters = sum(w.numel() for w in model.parameters())
    count, median = o.rows * o.cols, statistics.median(times)
    flop = count * (6 * (parameters - vocabulary * hidden) + 6 * layers * o.cols * hidden)
    print(json.dumps({
        "engine": f"torch {torch.__version__}" + (", compiled" if o.compile else ""), "model": o.model, "parameters": parameters,
        "rows": o.rows, "cols": o.cols, "first_s": first, "batch_s": median, "batch_min_s": min(times), "tokens_per_s": count / median,
        "model_flops_per_s": flop / median, "mfu": flop / median / o.peak, "loss": loss / count,
        "peak_bytes": torch.cuda.max_memory_allocated() if cuda else 0,
    }))


main()
