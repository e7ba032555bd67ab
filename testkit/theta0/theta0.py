"""Writes theta0.json from docs/spec/theta0.md alone: Python 3, no packages."""

import hashlib
import json
import math
import pathlib
import struct

OUT = pathlib.Path(__file__).parent / "theta0.json"
MASK = 0xFFFFFFFF


def quarter(x, a, b, c, d):
    for add, to, turn in ((b, d, 16), (d, b, 12), (b, d, 8), (d, b, 7)):
        base = a if to == d else c
        x[base] = (x[base] + x[add]) & MASK
        v = x[to] ^ x[base]
        x[to] = ((v << turn) | (v >> (32 - turn))) & MASK


def block(key, counter):
    """A ChaCha8 block as chacha8rand has it: only the key is added at the end."""
    x = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, counter, 0, 0, 0]
    for _ in range(4):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(x, *q)
    for i, k in enumerate(key):
        x[4 + i] = (x[4 + i] + k) & MASK
    return x


def words(seed):
    """The 64-bit words of chacha8rand (C2SP): sixteen blocks, four interleaved, the last 32 bytes the next key."""
    while True:
        key, out = struct.unpack("<8I", seed), []
        for group in range(0, 16, 4):
            four = [block(key, group + i) for i in range(4)]
            for word in range(16):
                out.extend(b[word] for b in four)
        data = struct.pack("<256I", *out)
        yield from struct.unpack("<124Q", data[:992])
        seed = data[992:]


def draw(purpose, seed, *numbers):
    data = b"templar draw\0" + purpose.encode() + b"\0" + seed + b"".join(struct.pack("<Q", n) for n in numbers)
    return words(hashlib.sha256(data).digest())


def poly(x, *c):
    total = c[-1]
    for v in reversed(c[:-1]):
        total = total * x + v
    return total


def logarithm(p):
    m, e = math.frexp(p)
    if m < 0.7071067811865476:
        m, e = 2 * m, e - 1
    s = (m - 1) / (m + 1)
    t = s * s
    return e * 0.6931471805599453 + 2 * s * poly(t, 1.0, 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13)


def normal(word):
    u = (2 * (word >> 12) + 1) / 2**53
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * poly(r, 3.3871327179, 50.434271938, 159.29113202, 59.109374720) / \
            poly(r, 1.0, 17.895169469, 78.757757664, 67.187563600)
    r = math.sqrt(-logarithm(min(u, 1 - u)))
    if r <= 5:
        r -= 1.6
        x = poly(r, 1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103) / poly(r, 1.0, 0.73700164250, 0.12021132975)
    else:
        r -= 5
        x = poly(r, 6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997) / poly(r, 1.0, 0.24197894225, 0.012258202635)
    return math.copysign(x, q)


def bits64(v):
    return struct.pack(">d", v).hex()


def values(tensor, seed, number, std):
    stream = draw("theta_0 " + tensor, struct.pack("<Q", seed) + bytes(24), number)
    return [struct.pack("<f", normal(next(stream)) * std) for _ in range(4096)]


def main():
    picked = [0, 1 << 63, (1 << 64) - 1, 0xFFF, 0x1000]
    picked += [1 << b for b in range(12, 64)] + [(1 << 64) - (1 << b) for b in range(12, 64)]
    edge = int((0.5 + 0.425) * 2**52) << 12  # where the functions change
    picked += [edge + (d << 12) for d in range(-3, 4)]
    far = int(math.exp(-25) * 2**52) << 12
    picked += [far + (d << 12) for d in range(-3, 4)]
    stream = draw("vectors", bytes(32))
    picked += [next(stream) for _ in range(200)]
    draws = []
    for tensor, seed, number, std in (("model.embed_tokens.weight", 1, 0, 0.02), ("model.embed_tokens.weight", 1, 7, 0.02),
                                      ("model.layers.1.mlp.down_proj.weight", 2**64 - 1, 3, 0.3)):
        v = values(tensor, seed, number, std)
        draws.append(dict(tensor=tensor, seed=seed, block=number, std=std, first=[x[::-1].hex() for x in v[:8]],
                          sha256=hashlib.sha256(b"".join(v)).hexdigest()))
    text = dict(normal=[dict(word=f"{w:016x}", value=bits64(normal(w))) for w in picked], draws=draws)
    OUT.write_text(json.dumps(text, indent=1) + "\n")


main()
