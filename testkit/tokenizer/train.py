"""Trains the small tokenizers of README.md and writes them, the documents and their ids into testdata/."""

import bz2
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
OUT = HERE / "testdata"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
VOCABULARY = 640
CODE = """func (r *Reader) next(dst []float32) error {
\tfor i := range dst {
\t\tif err := r.read(&dst[i]); err != nil {
\t\t\treturn fmt.Errorf("value %d of %d: %w", i, len(dst), err)
\t\t}
\t}
\treturn nil
}

def mean(values, *, start=0.0):
    for value in values:
        start += value
    return start / len(values) if values else None
""" * 20


def corpus():
    """A book, some code, and some text that is not English."""
    book = bz2.open(HERE.parents[1] / "internal/data/corpus/opticks.txt.bz2", "rt", encoding="utf-8").read()
    foreign = "Größe naïve façade Ωμέγα Привет мир 你好 世界 こんにちは مرحبا नमस्ते 안녕 " * 20
    return [book[i:i + 1000] for i in range(0, 300_000, 1000)] + [CODE, foreign]


def byte_level(regex):
    t = Tokenizer(models.BPE())
    if regex:  # as Llama 3
        split = pre_tokenizers.Split(Regex(regex), behavior="isolated", invert=False)
        t.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:  # as GPT-2
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=["<|begin_of_text|>", "<|end_of_text|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator(corpus(), trainer)
    return t


def byte_fallback(metaspace):
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if metaspace:  # as Mistral and newer Llama 2 files
        t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    else:  # as Llama 2
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, limit_alphabet=90, show_progress=False)
    # The trainer sees single words: without a split it would learn whole sentences.
    learner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    learner.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    learner.train_from_iterator(corpus(), trainer)
    learned = json.loads(learner.to_str())
    whole = json.loads(t.to_str())
    whole["model"]["vocab"], whole["model"]["merges"] = learned["model"]["vocab"], learned["model"]["merges"]
    whole["added_tokens"] = [a for a in learned["added_tokens"] if a["id"] < 3]
    t = Tokenizer.from_str(json.dumps(whole))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def documents():
    rng = random.Random(7)
    text = corpus()
    alphabet = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "a", "B", "é", "e\u0301", "ſ", "ß", "中", "文", "🙂", "👩‍👩‍👧", "'s", "'S", "'LL",
                "'", "1", "23", "456", "٣", ".", ",", "--", "()", "{}", "==", "<s>", "</s>", "<|end_of_text|>", "▁", "\u0000", "\u200b", "\ufeff", "ﬁ", "½"]
    docs = ["", " ", "  ", "\n", "a", " a", "a ", "Hello, world!", "it's IT'S we'll WE'LL", "x\n\n\n  y", "   indented\n\t\tmore\n", "123456789 3.14",
            "<s>literal</s>", "▁▁ ▁", "func main() {\n\tfmt.Println(\"hi\")\n}\n", "tab\tnbsp\u00a0ideographic\u3000end  "]
    for _ in range(60):
        doc, at = rng.choice(text), rng.randrange(900)
        docs.append(doc[at:at + rng.randrange(1, 300)])
    for _ in range(160):
        docs.append("".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 40))))
    return docs


def write(name, tokenizer, docs):
    (OUT / f"{name}.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    ids = [tokenizer.encode(d, add_special_tokens=False).ids for d in docs]
    (OUT / f"{name}.ids.json").write_text("[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in ids) + "\n]\n")


def variants(level, fallback):
    """Stages that other files have, over the same vocabularies."""
    nfc = Tokenizer.from_str(level.to_str())
    nfc.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    nfc.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)])
    nfc.add_tokens([AddedToken("and", single_word=True), AddedToken("==", lstrip=True, rstrip=True), AddedToken("KIND", normalized=True)])
    always = Tokenizer.from_str(fallback.to_str())
    always.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    whole = Tokenizer.from_str(level.to_str())
    whole.model.ignore_merges = True
    whole.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]{2}|\s+(?!\S)|\s+"), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    unknown = json.loads(fallback.to_str())
    unknown["model"]["byte_fallback"] = False
    return {"nfkc": nfc, "always": always, "whole": whole, "unknown": Tokenizer.from_str(json.dumps(unknown))}


if __name__ == "__main__":
    docs = documents()
    (OUT / "documents.json").write_text(json.dumps(docs, indent=0) + "\n")
    level, fallback = byte_level(None), byte_fallback(metaspace=True)
    write("gpt2", level, docs)
    write("llama3", byte_level(LLAMA3), docs)
    write("llama2", byte_fallback(metaspace=False), docs)
    write("metaspace", fallback, docs)
    for name, tokenizer in variants(level, fallback).items():
        write(f"variant-{name}", tokenizer, docs[:120])
