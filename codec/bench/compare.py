"""Runs the published compression in PyTorch and ours on the same tensors, taking turns.

    python codec/bench/compare.py [--rounds 15] [--momentum FILE]

Prints the best time of each side, bytes of parameters a second, and the ratio; and the
same of processor time, which does not count waiting for other processes (where there
are some, set OMP_WAIT_POLICY=passive, or PyTorch's threads wait by spinning).
PyTorch runs two threads, ours two goroutines.
"""

import argparse
import math
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import torch

ROWS, COLS, SIDE, K, PEERS = 2048, 8192, 64, 32, 15


def basis(n):
    i, u = torch.arange(n, dtype=torch.float64), torch.arange(n, dtype=torch.float64)[:, None]
    d = torch.cos(math.pi * (2 * i + 1) * u / (2 * n)) * math.sqrt(2 / n)
    d[0] /= math.sqrt(2)
    return d.float()


D = basis(SIDE)


def chunks(x):
    return x.view(ROWS // SIDE, SIDE, COLS // SIDE, SIDE).transpose(1, 2)


def encode_einsum(x):
    return torch.einsum("yixj,ui,vj->yxuv", x.view(ROWS // SIDE, SIDE, COLS // SIDE, SIDE), D, D)


def encode_matmul(x):
    return D @ chunks(x) @ D.T


def top(coef):
    flat = coef.reshape(coef.shape[0], coef.shape[1], SIDE * SIDE)
    index = torch.topk(flat.abs(), K, dim=-1, sorted=False).indices
    return index, torch.gather(flat, -1, index)


WEIGHTS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)


def mean_gradient(sent):
    index = torch.cat([i for i, _ in sent], dim=-1)
    value = torch.cat([v / (v.norm() + 1e-8) for _, v in sent], dim=-1)
    coef = torch.zeros(ROWS // SIDE, COLS // SIDE, SIDE * SIDE)
    coef.scatter_reduce_(-1, index, value, reduce="mean", include_self=False)
    coef = coef.view(ROWS // SIDE, COLS // SIDE, SIDE, SIDE)
    return (D.T @ coef @ D).transpose(1, 2).reshape(ROWS, COLS)


def aggregate(sent):
    positive = (mean_gradient(sent) > 0).view(-1, 8).to(torch.uint8)
    return (positive * WEIGHTS).sum(dim=-1, dtype=torch.uint8)


def timed(f):
    """Seconds by the clock, and of processor time."""
    begin, cpu = time.perf_counter(), time.process_time()
    f()
    return time.perf_counter() - begin, time.process_time() - cpu


class Ours:
    def __init__(self, directory):
        root = pathlib.Path(__file__).resolve().parents[2]
        binary = os.path.join(directory, "serve.test")
        subprocess.run(["go", "test", "-c", "-o", binary, "./codec/bench"], cwd=root, check=True)
        env = dict(os.environ, CODEC_BENCH_DIR=directory)
        self.process = subprocess.Popen(
            [binary, "-test.run=TestServe", "-test.timeout=0"], env=env, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, stage, scheme="i8"):
        cpu = self.cpu()
        self.process.stdin.write(f"{stage} {scheme}\n")
        seconds = int(self.process.stdout.readline()) * 1e-9
        return seconds, self.cpu() - cpu

    def cpu(self):
        """Processor time of the process: Linux makes a clock's number of a process's."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def check(sent, directory):
    """Top-k must agree but where magnitudes tie within rounding; signs, from our top-k,
    wherever the mean is not within rounding of zero."""
    def read(name, dtype):
        return np.fromfile(os.path.join(directory, name), dtype=dtype)

    shape = (PEERS, ROWS // SIDE, COLS // SIDE, K)
    index = torch.from_numpy(read("index", np.uint16).astype(np.int64)).view(shape)
    value = torch.from_numpy(read("value", np.float32)).view(shape)
    theirs = torch.stack([v.abs().sort(dim=-1).values for _, v in sent])
    error = float((theirs - value.abs().sort(dim=-1).values).abs().max() / theirs.max())
    signs = torch.from_numpy(np.unpackbits(read("signs", np.uint8), bitorder="little").astype(bool))
    mean = mean_gradient(list(zip(index, value))).flatten()
    clear = mean.abs() > 2e-5 * mean.abs().max()
    wrong = int(((mean > 0) != signs)[clear].sum())
    print(f"kept magnitudes: largest error {error:.1e} of the largest; "
          f"signs: {wrong} differ of {int(clear.sum())} clear of zero ({mean.numel()} in all)")
    return error < 2e-5 and wrong == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--momentum", help="raw float32 of 2048 x 8192 values; default: Gaussian noise")
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.manual_seed(1)
    x = torch.randn(ROWS, COLS) * 1e-3
    if args.momentum:
        x = torch.from_numpy(np.fromfile(args.momentum, dtype=np.float32, count=ROWS * COLS)).view(ROWS, COLS)
    with tempfile.TemporaryDirectory() as directory:
        x.numpy().tofile(os.path.join(directory, "momentum.f32"))
        ours = Ours(directory)
        sent = [top(encode_matmul(x.roll(7 * p, 0).contiguous())) for p in range(PEERS)]
        ours("write", "f32")
        ours("aggregate")  # makes its gradients, once
        ok = check(sent, directory)
        best = {}
        for _ in range(args.rounds):
            for name, f in (
                ("encode torch", lambda: min(timed(lambda: top(encode_einsum(x))), timed(lambda: top(encode_matmul(x))))),
                ("encode ours", lambda: ours("encode")),
                ("aggregate torch", lambda: timed(lambda: aggregate(sent))),
                ("aggregate ours", lambda: ours("aggregate")),
                ("copy", lambda: ours("copy")),
            ):
                best.setdefault(name, []).append(f())
        ours.close()
    size = 4 * ROWS * COLS
    bandwidth = 2 * size / min(wall for wall, _ in best["copy"])
    print(f"PyTorch {torch.__version__}, 2 threads; ours, 2 goroutines; best of {args.rounds} rounds, taking turns; "
          f"load {os.getloadavg()[0]:.1f}")
    print(f"memory: {bandwidth / 1e9:.1f} GB/s copied (read + written, two threads)")
    print(f"{'':16}{'PyTorch':>20}{'ours':>20}{'ratio':>8}{'median':>8}{'processor time':>18}{'ratio':>8}{'of bandwidth':>14}")
    for stage, traffic in (("encode", size), ("aggregate", size / 32 + PEERS * size / 4 / 4096 * 72)):
        (a, cpu_a), (b, cpu_b) = zip(*best[stage + " torch"]), zip(*best[stage + " ours"])
        median = sorted(p / q for p, q in zip(a, b))[len(a) // 2]
        cpu_a, cpu_b = min(cpu_a), min(cpu_b)
        print(f"{stage:16}{rate(size, min(a)):>20}{rate(size, min(b)):>20}{min(a) / min(b):>7.1f}x{median:>7.1f}x"
              f"{cpu_a * 1e3:>10.0f},{cpu_b * 1e3:>4.0f} ms{cpu_a / cpu_b:>7.1f}x{traffic / min(b) / bandwidth:>13.0%}")
    return 0 if ok else 1


def rate(size, seconds):
    return f"{seconds * 1e3:.1f} ms {size / seconds / 1e9:.2f} GB/s"


if __name__ == "__main__":
    raise SystemExit(main())
