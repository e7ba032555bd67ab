"""Runs SparseLoCo's compression in PyTorch and ours on the same tensors, taking turns.

    python codec/bench/compare_sparse.py [--rounds 15]

PyTorch finds the top 64 of each chunk of 64 x 64, splits their magnitudes at the mean into two groups, and packs
2-bit codes and 12-bit indices; ours codes indices near their entropy. Both unpack 15 payloads, clip norms to the median, average,
and round the mean to 4 bits a value with a magnitude a chunk; PyTorch leaves it as lists of positions and codes, ours codes it. PyTorch
runs two threads, ours two goroutines. Columns are those of compare.py. The script first compares what was
chosen, and the mean, and exits 1 if they differ beyond rounding.
"""

import argparse
import os
import tempfile

import numpy as np
import torch

from compare import COLS, PEERS, ROWS, SIDE, Ours, chunks, rate, timed

K = 64


def blocks(x):
    return chunks(x).reshape(-1, SIDE * SIDE)


def encode(x):
    flat = blocks(x)
    index = torch.topk(flat.abs(), K, dim=-1, sorted=False).indices
    index = torch.sort(index, dim=-1).values
    value = torch.gather(flat, -1, index)
    size = value.abs()
    high = size >= size.mean(dim=-1, keepdim=True)
    large = (size * high).sum(-1) / high.sum(-1).clamp(min=1)
    small = (size * ~high).sum(-1) / (~high).sum(-1).clamp(min=1)
    code = (high.to(torch.uint8) << 1 | (value < 0).to(torch.uint8)).view(-1, K // 4, 4)
    code = code[..., 0] | code[..., 1] << 2 | code[..., 2] << 4 | code[..., 3] << 6
    pairs = index.view(-1, K // 2, 2)
    word = pairs[..., 0] | pairs[..., 1] << 12
    packed = torch.stack((word & 255, word >> 8 & 255, word >> 16), dim=-1).to(torch.uint8)
    return packed, code, large, small


def decode(packed, code, large, small):
    byte = packed.to(torch.int32)
    word = byte[..., 0] | byte[..., 1] << 8 | byte[..., 2] << 16
    index = torch.stack((word & 4095, word >> 12), dim=-1).view(-1, K).long()
    code = torch.stack((code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6), dim=-1).view(-1, K)
    value = torch.where(code > 1, large[:, None], small[:, None])
    return index, torch.where((code & 1).bool(), -value, value)


def aggregate(payloads):
    decoded = [decode(*p) for p in payloads]
    return average([i for i, _ in decoded], [v for _, v in decoded])


def code4(mean):
    size = mean.abs()
    largest = size.amax(dim=-1, keepdim=True)
    level = (size * (8 / largest)).round_().clamp_(max=8).to(torch.uint8)
    at = level.flatten().nonzero().flatten()
    return largest, at, (level.flatten()[at] - 1) << 1 | (mean.flatten()[at] < 0).to(torch.uint8)


def average(index, value):
    value = torch.stack(value)
    norms = value.flatten(1).norm(dim=1)
    scale = (norms.median() / norms).clamp(max=1).view(-1, 1, 1)
    mean = torch.zeros(index[0].shape[0], SIDE * SIDE)
    for i, v in zip(index, value * scale):
        mean.scatter_add_(-1, i, v)
    return mean.div_(PEERS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    x = torch.randn(ROWS, COLS) * 1e-3
    with tempfile.TemporaryDirectory() as directory:
        x.numpy().tofile(os.path.join(directory, "momentum.f32"))
        ours = Ours(directory)
        ours("sparse-write")

        def read(name, dtype):
            return torch.from_numpy(np.fromfile(os.path.join(directory, name), dtype=dtype).astype(np.int64 if dtype == np.uint16 else dtype))

        index = read("index", np.uint16).view(PEERS, -1, K)
        value = read("value", np.float32).view(PEERS, -1, K)
        flat = blocks(x)
        theirs = torch.sort(torch.topk(flat.abs(), K, dim=-1).values).values
        same = torch.equal(theirs, torch.sort(torch.gather(flat, -1, index[0]).abs()).values)
        dense = average(index, list(value))
        payloads = [encode(x.roll(7 * p, 0).contiguous()) for p in range(PEERS)]
        mean = blocks(read("mean", np.float32).view(ROWS, COLS))
        error = float((dense - mean).abs().max() / dense.abs().max())
        print(f"top 64 {'agree' if same else 'DIFFER'}; largest error of the mean in 4 bits: {error:.3f} of the largest value")
        best = {}
        for _ in range(args.rounds):
            for name, f in (
                ("encode torch", lambda: timed(lambda: encode(x))),
                ("encode ours", lambda: ours("sparse-encode")),
                ("aggregate torch", lambda: timed(lambda: code4(aggregate(payloads)))),
                ("aggregate ours", lambda: ours("sparse-aggregate")),
            ):
                best.setdefault(name, []).append(f())
        ours.close()
    size = 4 * ROWS * COLS
    print(f"PyTorch {torch.__version__}, 2 threads; ours, 2 goroutines; best of {args.rounds} rounds, taking turns; load {os.getloadavg()[0]:.1f}")
    print(f"{'':16}{'PyTorch':>20}{'ours':>20}{'ratio':>8}{'median':>8}{'processor time':>18}{'ratio':>8}")
    for stage in ("encode", "aggregate"):
        (a, cpu_a), (b, cpu_b) = zip(*best[stage + " torch"]), zip(*best[stage + " ours"])
        median = sorted(p / q for p, q in zip(a, b))[len(a) // 2]
        cpu_a, cpu_b = min(cpu_a), min(cpu_b)
        print(f"{stage:16}{rate(size, min(a)):>20}{rate(size, min(b)):>20}{min(a) / min(b):>7.1f}x{median:>7.1f}x{cpu_a * 1e3:>10.0f},{cpu_b * 1e3:>4.0f} ms{cpu_a / cpu_b:>7.1f}x")
    return 0 if same and error < 0.07 else 1


if __name__ == "__main__":
    raise SystemExit(main())
