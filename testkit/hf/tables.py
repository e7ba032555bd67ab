"""Measures the character tables of Hugging Face's tokenizers and writes internal/tokenizer/ucd/tables.txt.

Nothing is taken from Unicode's own files: every set is what the engine answers, character by character, so that the tables
are those of the versions of Unicode that the engine's parts carry. Above plane 1, where sets are long runs, only windows
around the borders of blocks are asked. NAMES lists the properties to ask for, one a line.
"""

import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, AddedToken, models, normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).parents[2] / "internal/tokenizer/ucd/tables.txt"
BORDERS = [0x2A6E0, 0x2B740, 0x2B81E, 0x2CEA2, 0x2EBE1, 0x2EE5D, 0x30000, 0x3134A, 0x323B0, 0x3347A, 0x40000, 0xF0000, 0x100000, 0x10FFFF]
WINDOWS = [(0, 0xD800), (0xE000, 0x20010), (0x2F7F0, 0x2FA30), (0xDFFF0, 0xE0200)]
WINDOWS += [(b - 48, b + 48) for b in BORDERS] + [(p - 16, p + 16) for p in range(0x50000, 0x110000, 0x10000)]
POINTS = sorted({c for lo, hi in WINDOWS for c in range(lo, min(hi, 0x110000))})
PLACE = {c: i for i, c in enumerate(POINTS)}
BLOCK = 0x400  # characters in one text: long ones cost more than their length


def runs(points):
    """Ranges of ascending code points. What was not asked belongs to a range when both of its neighbours do."""
    out = []
    for c in points:
        if out and PLACE[c] == PLACE[out[-1][1]] + 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def measured(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = []
    for at in range(0, len(POINTS), BLOCK):
        for text, _ in split.pre_tokenize_str("".join(map(chr, POINTS[at:at + BLOCK]))):
            found += map(ord, text)
    return found


def encode(points):
    """Gap and length of each range, in hexadecimal; a length of one is left out."""
    out, at = [], 0
    for lo, hi in runs(points):
        out.append(f"{lo - at:x}" + (f"+{hi - lo:x}" if hi > lo else ""))
        at = hi
    return " ".join(out)


def lone(pre, c):
    return len(pre.pre_tokenize_str("a" + chr(c) + "a")) == 3


def word_probe():
    t = Tokenizer(models.BPE({"x": 0}, []))
    t.add_tokens([AddedToken("bb", single_word=True)])  # id 1
    return [c for c in POINTS if t.encode(chr(c) + "bb", add_special_tokens=False).ids[-1:] != [1]]


def inert():
    """Characters that the normaliser does not know although newer versions of Unicode give them a form or an order."""
    forms = {n: getattr(normalizers, n)() for n in ("NFD", "NFKD", "NFC")}
    out = []
    for c in POINTS:
        text = chr(c)
        if unicodedata.category(text) == "Cn":
            out.append(c)
        elif any(f.normalize_str(text) != unicodedata.normalize(n, text) for n, f in forms.items()):
            out.append(c)
        elif unicodedata.combining(text):
            probes = ["a" + text + "\u0327", "a\u0301" + text, "a\u0315" + text, "a" + text + "\u0334"]
            if any(forms["NFD"].normalize_str(p) != unicodedata.normalize("NFD", p) for p in probes):
                out.append(c)
    return out


def lower():
    """Pairs by from, to and step: runs of characters of one distance."""
    f = normalizers.Lowercase()
    out = []
    for c in POINTS:
        to = f.normalize_str(chr(c))
        if to == chr(c) or len(to) > 1:
            continue
        d = ord(to) - c
        last = out[-1] if out else None
        if last and last[2] == d and c - last[1] in (1, 2) and (last[0] == last[1] or c - last[1] == last[3]):
            last[1], last[3] = c, c - last[1]
        else:
            out.append([c, c, d, 1])
    return " ".join(f"{lo:x}-{hi:x}/{step}{d:+d}" for lo, hi, d, step in out)


def folds():
    """Classes of characters that match each other in (?i), and characters that match several."""
    cased = [c for c in POINTS if chr(c).lower() != chr(c) or chr(c).upper() != chr(c) or chr(c).casefold() != chr(c)]
    cased += [ord(k) for k in normalized_lower()]
    cased = sorted(set(cased))
    text = "\n".join(map(chr, cased))
    classes, seen = [], set()
    for c in cased:
        if c in seen:
            continue
        split = pre_tokenizers.Split(Regex(r"(?i)^[\x{%x}]$" % c), "removed", invert=True)
        members = sorted({ord(t) for t, _ in split.pre_tokenize_str(text) if len(t) == 1} | {c})
        if len(members) > 1:
            classes.append(members)
            seen.update(members)
    several = [(c, chr(c).casefold()) for c in cased if len(chr(c).casefold()) > 1]
    return classes, several


def normalized_lower():
    f = normalizers.Lowercase()
    return [x for c in POINTS for x in (chr(c), f.normalize_str(chr(c))) if f.normalize_str(chr(c)) != chr(c) and len(x) == 1]


def main():
    names = pathlib.Path(sys.argv[1]).read_text().split()
    sets = {}
    for name in names:
        try:
            points = measured(r"\p{%s}" % name)
        except Exception as err:
            print("left out:", name, err)
            continue
        sets.setdefault(encode(points), []).append(name)
    for name, pattern in (("\\w", r"\w"), ("\\d", r"\d"), ("\\s", r"\s"), ("\\h", r"\h")):
        sets.setdefault(encode(measured(pattern)), []).append(name)
    for kind in "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit".split():
        sets.setdefault(encode(measured("[[:%s:]]" % kind)), []).append(f"[:{kind}:]")
    sets.setdefault(encode([c for c in POINTS if lone(pre_tokenizers.Digits(individual_digits=True), c)]), []).append("rust:numeric")
    sets.setdefault(encode([c for c in POINTS if lone(pre_tokenizers.Punctuation(), c)]), []).append("rust:punctuation")
    strip = normalizers.StripAccents()
    sets.setdefault(encode([c for c in POINTS if strip.normalize_str("a" + chr(c)) == "a"]), []).append("rust:mark")
    trim = normalizers.Strip()
    sets.setdefault(encode([c for c in POINTS if trim.normalize_str(chr(c)) == ""]), []).append("rust:space")
    sets.setdefault(encode(word_probe()), []).append("rust:word")
    sets.setdefault(encode(inert()), []).append("rust:inert")
    classes, several = folds()
    with OUT.open("w", encoding="ascii") as f:
        f.write(f"# Measured by testkit/hf/tables.py of tokenizers {tokenizers.__version__}; do not edit.\n")
        for points, aliases in sorted(sets.items(), key=lambda kv: kv[1]):
            f.write(f"set {','.join(aliases)} {points}\n")
        f.write(f"lower {lower()}\n")
        f.write("fold " + " ".join("=".join(f"{c:x}" for c in m) for m in classes) + "\n")
        f.write("several " + " ".join(f"{c:x}=" + "+".join(f"{ord(x):x}" for x in s) for c, s in several) + "\n")
    print(len(sets), "sets,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
