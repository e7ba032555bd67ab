"""Writes vectors of the pattern engine: patterns, texts, and the parts that Hugging Face's tokenizers split them into.

usage: patterns.py COUNT SEED FILE
"""

import json
import random
import sys

from tokenizers import Regex, pre_tokenizers

FIXED = [
    r"\d+", r"\w+", r"[^\S\n]+", r"\D+", r"[\w-]+", r"^[^\n]", r"\B\p{L}\p{L}", r"[^\n]$", r"\b", r"\B", r"^", r"$", r"\n$", r"\A.", r".\z", r"b\Z", r"\Ga",
    r"\Qa.\E", r"\h+", r"\H+", r"[[:alpha:]]+", r"[[:^alpha:]]+", r"[[:punct:]]", r"\p{Punct}", r"[[:word:]&&[^a-c]]+", r"[a-z&&[^aeiou]]+", r"[^a&&b]",
    r"[^\s\p{L}\p{N}]+", r"[]a]", r"[a-c-]+", r"[+--]", r"[0-9-a]", r"a++a", r"a*+b", r"(?>a+)b", r"a{2}+", r"a{2}?", r"a{,2}", r"a{1,2}?", r"(?:a+?)?", r"(?:a?)*b",
    r"(?i:ss)", r"(?i:[ß])", r"(?i)straße", r"(?i:st)", r"(?i:ﬁ)", r"(?i)İ", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"a(?i)b|c", r"(?i)[^a-z]+", r"(?i)\p{Lu}+", r"(?i)[\p{Lu}]+",
    r"(?m:a.b)", r"a.b", r"\N", r"\O", r"\R", r"(?x: a b )", r"(a)\1", r"(?<n>a)b\k<n>", r"(?<=a)b", r"(?<!a)b", r"(?<=a|bc)d", r"(?<=a+)d", r"(?<=\s)\S", r"(?=a)", r"a(?!b)",
    r"\x{61}\u0062\x63", r"\101", r"\t|\n|\r", r"\e|\a|\v|\f", r"[\b]", r"\pL", r"\p{^L}", r"\P{L}+", r"\p{Han}+", r"\p{Greek}", r"\p{In_Basic_Latin}+", r"\p{Emoji}", r"\p{M}",
    r"\s+(?!\S)|\s+", r" ?\p{L}+| ?\p{N}+", r"\p{N}{1,3}(?=(?:\p{N}{3})*\b)", r"x*", r"a|", r"()", r"(?:)", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\s*[\r\n]+", r"(?i:ff)i", r"[a-z]{2,3}?", r"(?:ab){2}",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[一-龥぀-ゟ゠-ヿ]+", r"\p{N}{1,3}",
]
ATOMS = [r"a", r"b", r".", r"\d", r"\w", r"\s", r"\S", r"\W", r"\D", r"\h", r"[ab]", r"[^a]", r"[\s\d]", r"[^\S\n]", r"\p{L}", r"\p{Lu}", r"\P{N}", r"[[:upper:]b]", r"[\w&&[^_]]",
         r"^", r"$", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\G", r"(?=a)", r"(?!b)", r"(?<=a)", r"(?<!\s)", r"ß", r"é", r"ſ", r"\n", r"'", r"\R", r"\x{e9}", r"[à-ÿ]", r"\-", r"s"]
QUANTIFIERS = ["", "", "", "", "*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{,2}", "{2,}", "{1,3}?", "{0,1}", "+*", "?*", "*?+"]
PIECES = ["a", "b", "ab", "A", "B", "é", "É", "ß", "SS", "ss", "ſ", "st", "ﬆ", "ﬁ", "fi", "İ", "i\u0307", "ı", "K", "\u212a", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\u0085", "1", "٣", "²", "½", "中", "_", "-", "'", "'s",
          "'S", ".", "!", "$", "\u0301", "\u200d", "\U0001f642", "ǅ", "\U00010d40", "\U00010d4a", "\ua7cb", "\u1c89", "f", "F", "d", "c", "\x0b", "\x1b", "\u3000", "α", "Σ", "ς", "x", "aa", "123", "1234567"]


def pattern(rng, depth=0):
    out = []
    for _ in range(rng.randrange(1, 4)):
        roll = rng.random()
        if depth < 2 and roll < 0.25:
            opening = rng.choice(["(?:", "(", "(?>", "(?i:", "(?m:", "(?=", "(?!", "(?<!", "(?<=", "(?-i:"])
            atom = opening + pattern(rng, depth + 1) + ")"
        else:
            atom = rng.choice(ATOMS)
        out.append(atom + rng.choice(QUANTIFIERS))
    text = "".join(out)
    if rng.random() < 0.3:
        text += "|" + "".join(rng.choice(ATOMS) + rng.choice(QUANTIFIERS) for _ in range(rng.randrange(3)))
    return "(?i)" + text if depth == 0 and rng.random() < 0.2 else text


def main():
    count, seed, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = random.Random(seed)
    rows, at = [], 0
    while len(rows) < count:
        p = FIXED[at] if at < len(FIXED) else pattern(rng)
        at += 1
        try:
            split = pre_tokenizers.Split(Regex(p), "isolated")
        except Exception:
            continue  # the original refuses it
        texts = ["".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 14))) for _ in range(6)]
        try:
            rows.append({"pattern": p, "cases": [[t, [s for s, _ in split.pre_tokenize_str(t)]] for t in texts]})
        except BaseException:
            continue  # it gives up on one of the texts
    with open(out, "w", encoding="utf-8") as f:
        for r in rows:
            f.write(json.dumps(r) + "\n")


if __name__ == "__main__":
    main()
