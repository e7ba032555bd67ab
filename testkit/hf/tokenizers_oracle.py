"""Compares the ids of random tokenizer.json files with those of Hugging Face's tokenizers.

usage: tokenizers_oracle.py TEMPLAR COUNT SEED
       tokenizers_oracle.py vectors COUNT SEED

Prints every difference that is not a refusal by name, and the figures; or writes vectors for the Go tests into testdata/.
"""

import collections
import json
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import patterns

WORDS = ["the", "The", "THE", " and", " of", "light", "Ray", "rays'", "it's", "IT'S", "don't", "ſ", "İstanbul", "straße", "Σίσυφος", "ΣΑΣ", "naïve", "e\u0301", "ﬁn", "中文", "日本語", "한국어", "नमस्ते", "🙂",
         "x_y", "12", "345", "6789", "٣٤", "²", "½", "\u00a0", "\u3000", "\u2028", "\u0085", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", ".", ",", "!", "--", "$", "+", "…", "«", "<x>", "<y>", "<|a|>", "▁", "\u200d",
         "\u1c89", "\ua7cb", "\U00010d40", "\U00010d50", "\u32ff", "\ua7f2", "\U0001ccd6", "\U00011938", "\u0344", "Å", "\u212b", "A\u0328\u0301", "\u180f", "a", "b", "ab", "aab", "and", "light and", "q", "[", "\u1e9e", "\u01c5", "\u0587"]
SPLITS = patterns.FIXED[:30] + patterns.FIXED[40:]


def text(rng):
    return "".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 24)))


def corpus():
    rng = random.Random(0)
    return [text(rng) for _ in range(400)] + [" the light and the rays of it" for _ in range(50)]


def vocabularies():
    """A byte-level one, and one over characters with byte fallback."""
    level = Tokenizer(models.BPE())
    level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    level.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    chars = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    chars.pre_tokenizer = pre_tokenizers.Metaspace()
    chars.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=520, limit_alphabet=60, show_progress=False,
                                                            special_tokens=["<unk>"] + [f"<0x{b:02X}>" for b in range(256)]))
    return json.loads(level.to_str())["model"], json.loads(chars.to_str())["model"]


def normalizer(rng):
    kinds = [{"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Prepend", "prepend": rng.choice(["▁", "a", "é "])},
             {"type": "Strip", "strip_left": rng.random() < 0.5, "strip_right": rng.random() < 0.5}, {"type": "Nmt"},
             {"type": "Replace", "pattern": {"String": rng.choice([" ", "a", "the", "é"])}, "content": rng.choice(["▁", "", "xx"])},
             {"type": "Replace", "pattern": {"Regex": rng.choice([r"\s+", r"\d", r"(?i)the", r"^ ", r"[^\S\n]{2,}", r"\b"])}, "content": rng.choice([" ", "", "▁"])},
             {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}]
    chosen = [rng.choice(kinds) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
    return None if not chosen else chosen[0] if len(chosen) == 1 else {"type": "Sequence", "normalizers": chosen}


def split(rng):
    behavior = rng.choice(["Isolated", "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
    pattern = {"String": rng.choice([" ", "a", "the", ".", "\n"])} if rng.random() < 0.25 else {"Regex": rng.choice(SPLITS) if rng.random() < 0.6 else patterns.pattern(rng)}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": rng.random() < 0.3}


def pre_tokenizer(rng, level):
    kinds = [split(rng), split(rng), split(rng), {"type": "Digits", "individual_digits": rng.random() < 0.5}, {"type": "Punctuation", "behavior": rng.choice(["Isolated", "Removed", "Contiguous", "MergedWithNext", "MergedWithPrevious"])},
             {"type": "WhitespaceSplit"}, {"type": "Whitespace"}, {"type": "CharDelimiterSplit", "delimiter": rng.choice("a. ")}, {"type": "BertPreTokenizer"}, {"type": "UnicodeScripts"}]
    chosen = [rng.choice(kinds) for _ in range(rng.choice([0, 1, 1, 1, 2]))]
    if level:
        chosen.append({"type": "ByteLevel", "add_prefix_space": rng.random() < 0.3, "trim_offsets": True, "use_regex": rng.random() < 0.4})
    elif rng.random() < 0.7:
        chosen.append({"type": "Metaspace", "replacement": "▁", "prepend_scheme": rng.choice(["always", "first", "never"]), "split": rng.random() < 0.6})
    return None if not chosen else chosen[0] if len(chosen) == 1 else {"type": "Sequence", "pretokenizers": chosen}


def added(rng, vocab):
    contents = ["<x>", "<y>", "<|a|>", "and", "light and", "a", "▁", "the", "The", " ", "  ", "ﬁn", "İ", "É", "12", rng.choice(list(vocab)), "<x>", "q"]
    return [{"id": rng.randrange(2000), "content": rng.choice(contents), "single_word": rng.random() < 0.25, "lstrip": rng.random() < 0.25, "rstrip": rng.random() < 0.25,
             "normalized": rng.random() < 0.4, "special": rng.random() < 0.4} for _ in range(rng.choice([0, 0, 1, 2, 4, 7]))]


def make(rng, bases):
    level = rng.random() < 0.6
    model = json.loads(json.dumps(bases[0 if level else 1]))
    model["ignore_merges"] = rng.random() < 0.3
    if not level:
        model["fuse_unk"], model["byte_fallback"] = rng.random() < 0.5, rng.random() < 0.6
        if rng.random() < 0.2:
            model["unk_token"] = None
    if rng.random() < 0.1:
        model["merges"] += [model["merges"][rng.randrange(len(model["merges"]))] for _ in range(5)]
    if rng.random() < 0.3:
        model["merges"] = [" ".join(m) for m in model["merges"]]
    if rng.random() < 0.05:
        model["dropout"] = rng.choice([0.0, 0.5])
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added(rng, model["vocab"]), "normalizer": normalizer(rng),
            "pre_tokenizer": pre_tokenizer(rng, level), "post_processor": None, "decoder": None, "model": model}


def templar_ids(program, folder, spec, texts):
    """The ids of all texts but every tenth, which is held out, in one row; or what the program says."""
    folder = pathlib.Path(folder)
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    (folder / "in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    run = subprocess.run([program, "dataset", "build", "--out", folder / "out", "--tokenizer", folder / "tokenizer.json", folder / "in.jsonl"], capture_output=True, text=True)
    if run.returncode:
        return None, run.stderr.strip()
    (shard,) = (folder / "out/buckets/dataset/in").glob("shard-00000*") if (folder / "out/buckets/dataset/in").is_dir() else (folder / "out/buckets/dataset").rglob("*shard-00000*")
    tokens = int(re.search(r"^tokens +(\d+)", run.stdout, re.M).group(1))  # the store's file goes on behind them
    return list(struct.unpack(f"<{tokens}H", shard.read_bytes()[:2 * tokens])), ""


def write_vectors(count, seed):
    """The two vocabularies once, and stages over them with texts and ids."""
    out, rng, bases = pathlib.Path(__file__).parent / "testdata/tokenizers.jsonl", random.Random(seed), vocabularies()
    rows = [{"model": b} for b in bases]
    while len(rows) < count:
        spec = make(rng, bases)
        texts = [text(rng) for _ in range(6)]
        try:
            original = Tokenizer.from_str(json.dumps(spec))
            ids = [original.encode(t, add_special_tokens=False).ids for t in texts]
        except BaseException:
            continue
        model = spec.pop("model")
        for n, b in enumerate(bases):
            if model["vocab"] == b["vocab"] and model["merges"] == b["merges"]:
                flags = {k: v for k, v in model.items() if k not in ("vocab", "merges")}
                keys = ("added_tokens", "normalizer", "pre_tokenizer")
                rows.append({"base": n, "flags": flags, "file": {k: spec[k] for k in keys}, "texts": texts, "ids": ids})
    out.write_text("".join(json.dumps(r) + "\n" for r in rows))


def main():
    if sys.argv[1] == "vectors":
        return write_vectors(int(sys.argv[2]), int(sys.argv[3]))
    program, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng, bases = random.Random(seed), vocabularies()
    figures = collections.Counter()
    refusals = collections.Counter()
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))  # then the figures so far are printed
    while figures["compared"] + figures["refused"] < count and not stop:
        spec = make(rng, bases)
        texts = [text(rng) for _ in range(20)]
        texts[9] = texts[19] = "a the"
        try:
            original = Tokenizer.from_str(json.dumps(spec))
            want = [original.encode(t, add_special_tokens=False).ids for t in texts]
        except BaseException:
            continue  # the original refuses the file, or fails on a text
        if not want[9] or not want[0]:
            continue
        flat = [i for n, ids in enumerate(want) if n % 10 != 9 for i in ids]
        with tempfile.TemporaryDirectory() as folder:
            got, message = templar_ids(program, folder, spec, texts)
        if got is None and "not supported" in message:
            figures["refused"] += 1
            refusals[message.split("not supported")[0].rsplit(":", 1)[-1][:60]] += 1
            continue
        figures["compared"] += 1
        if got != flat:
            figures["different"] += 1
            shown = {k: v for k, v in spec.items() if k in ("added_tokens", "normalizer", "pre_tokenizer")}
            shown["model"] = {k: v for k, v in spec["model"].items() if k not in ("vocab", "merges")}
            print(json.dumps(shown), message[:300], flush=True)
            at = 0
            for n, ids in enumerate(want):
                if n % 10 == 9:
                    continue
                if got is not None and got[at:at + len(ids)] != ids:
                    print("  ", ascii(texts[n]), "\n   want", ids, "\n   got ", got[at:at + len(ids)])
                    break
                at += len(ids)
    print(dict(figures), dict(refusals))
    sys.exit(figures["different"] > 0)


if __name__ == "__main__":
    main()
