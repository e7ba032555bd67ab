"""Compares model folders with transformers: losses, ends of generation, and what an export keeps.

usage: models_oracle.py TEMPLAR COUNT SEED

Prints every difference that is not a refusal by name, and the figures.
"""

import collections
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import warnings

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
LETTERS = "abcdefgh"
DROPPED = object()


def tokenizer_file(rng):
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 3, **{c: 4 + i for i, c in enumerate(LETTERS)}}
    token = lambda i, c: {"id": i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    post = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")],
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": None,
            "post_processor": post if rng.random() < 0.6 else None, "decoder": None,
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                      "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": []}}


def tokenizer_config(rng):
    c = {"tokenizer_class": rng.choice(["LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", "PreTrainedTokenizerFast", "GPT2Tokenizer"]),
         "bos_token": rng.choice(["<s>", {"content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True, "__type": "AddedToken"}]),
         "eos_token": "</s>", "unk_token": "<unk>", "clean_up_tokenization_spaces": False, "model_max_length": rng.choice([64, 1e30])}
    for key in ("add_bos_token", "add_eos_token"):
        if rng.random() < 0.3:
            c[key] = rng.random() < 0.5
    if rng.random() < 0.3:
        c["added_tokens_decoder"] = {str(12 + i): {"content": t, "lstrip": rng.random() < 0.3, "normalized": rng.random() < 0.4, "rstrip": rng.random() < 0.3,
                                                   "single_word": rng.random() < 0.2, "special": rng.random() < 0.4} for i, t in enumerate(rng.sample(["bc", "ab", "<pad>", "de f"], rng.randrange(1, 3)))}
    if rng.random() < 0.2:
        c["pad_token"] = rng.choice(["<pad>", "</s>"])
    if rng.random() < 0.15:
        c["additional_special_tokens"] = ["<extra>"]
    return c


MUTATIONS = [
    ("use_cache", [1, 0, None, "yes"]), ("pretraining_tp", [1.0, None, 2]), ("torch_dtype", [None, "bfloat16", "auto"]), ("dtype", ["float32"]), ("attention_dropout", [0, 0.1]),
    ("rope_scaling", [None, {}, {"type": "linear", "factor": 2.0}, {"rope_type": "dynamic", "factor": 2.0}, {"rope_type": "default"}, {"type": "linear", "factor": 1.0},
                      {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}]),
    ("rope_theta", [500000.0, 10000, 100, DROPPED]), ("num_key_value_heads", [2, 1, None, DROPPED]), ("head_dim", [4, None, DROPPED, 8]), ("hidden_act", ["silu", "swish", "gelu", "relu"]),
    ("attention_bias", [True, False, None]), ("mlp_bias", [True, False]), ("tie_word_embeddings", [True, False, DROPPED]), ("rms_norm_eps", [1e-5, 1e-6, 1, DROPPED]),
    ("bos_token_id", [1, None, DROPPED, 3]), ("eos_token_id", [2, [2, 5], [2, 6, 7, 8], None, DROPPED, -1]), ("pad_token_id", [0, None, -1, DROPPED, 11]),
    ("max_position_embeddings", [64, 64.0, 32]), ("architectures", [["LlamaForCausalLM"], None, DROPPED, ["MistralForCausalLM"]]), ("initializer_range", [0.5, 0, None, DROPPED]),
    ("sliding_window", [None, 4]), ("partial_rotary_factor", [1.0, 0.5]), ("quantization_config", [None]), ("_name_or_path", ["x"]), ("transformers_version", [None, "5.0.0"]), ("unsloth_fixed", [True]),
    ("auto_map", [{}]), ("max_window_layers", [28]), ("rope_interleaved", [False]), ("logits_scaling", [1.0]), ("vocab_size", [16]), ("label2id", [{"a": float("nan")}]), ("Hidden_Size", [12]), ("HIDDEN_ACT", ["gelu"]),
]


def make(rng, folder):
    torch.manual_seed(rng.randrange(1 << 30))
    tied, kv = rng.random() < 0.3, rng.choice([1, 2])
    base = LlamaConfig(vocab_size=16, hidden_size=8, intermediate_size=12, num_hidden_layers=rng.choice([1, 2]), num_attention_heads=2, num_key_value_heads=kv,
                       max_position_embeddings=64, initializer_range=0.5, tie_word_embeddings=tied, bos_token_id=1, eos_token_id=2, attention_bias=False)
    model = LlamaForCausalLM(base)
    with torch.no_grad():
        model.lm_head.weight.mul_(4)
    model.save_pretrained(folder, max_shard_size=rng.choice(["5GB", "2KB"]))
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key, values in rng.sample(MUTATIONS, rng.choice([0, 1, 1, 2, 3])):
        value = rng.choice(values)
        config.pop(key, None)
        if value is not DROPPED:
            config[key] = value
    path.write_text(("\ufeff" if rng.random() < 0.02 else "") + json.dumps(config, indent=1))
    generation = rng.random()
    if generation < 0.3:
        (folder / "generation_config.json").unlink()
    elif generation < 0.6:
        (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 1, "eos_token_id": rng.choice([2, [2, 6], [5, 7, 9]]), "do_sample": False, "temperature": 0.6}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_file(rng)))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(rng)))
    if rng.random() < 0.2:
        (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>", "pad_token": {"content": "<pad>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}}))


def run(*args):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    return r.stdout, r.stderr.strip() if r.returncode else ""


def original(folder, text, prompt):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    if not isinstance(model, LlamaForCausalLM):
        raise ValueError("another architecture")
    ids = tokenizer(text).input_ids
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
        loss = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:])).item()
        start = tokenizer(prompt).input_ids
        if model.generation_config.eos_token_id is not None and tokenizer.eos_token_id == start[-1]:
            start = start[:-1]  # an end behind the prompt is not continued from
        out = model.generate(torch.tensor([start]), max_new_tokens=8, do_sample=False, pad_token_id=0)[0][len(start):].tolist()
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    if out and out[-1] in ends:
        out.pop()
    return loss, len(ids) - 1, "".join(tokenizer.convert_ids_to_tokens(i) for i in out if i < len(tokenizer))


def main():
    program, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng, figures, refusals = random.Random(seed), collections.Counter(), collections.Counter()
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))  # then the figures so far are printed
    while figures["compared"] + figures["refused"] < count and not stop:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            m = folder / "m"
            make(rng, m)
            text = "".join(rng.choice(LETTERS + "  bcab") for _ in range(rng.randrange(3, 20)))
            (folder / "text").write_text(text)
            try:
                loss, tokens, generated = original(m, text, "ab")
            except Exception:
                figures["refused by the original"] += 1
                continue
            out, message = run(program, "eval", "--model", m, "--text", folder / "text", "--json")
            shown = {k: v for k, v in json.loads((m / "config.json").read_text("utf-8-sig")).items()}
            if message:
                named = re.search(r"not supported|need|only|differ|different things|cannot unmarshal|positive|says otherwise|embeddings for|tie_word_embeddings", message)
                figures["refused"] += 1
                refusals[re.sub(r"/tmp/\S+", "", message)[:90]] += 1
                if not named:
                    figures["different"] += 1
                    print("REFUSED", message, json.dumps(shown))
                continue
            figures["compared"] += 1
            got = json.loads(out)
            wrong = []
            if abs(got["loss"] - loss) > 2e-4 or got["tokens"] != tokens:
                wrong.append(f"loss {got['loss']:.5f} of {got['tokens']} tokens, not {loss:.5f} of {tokens}")
            out, message = run(program, "generate", "--model", m, "--prompt", "ab", "--tokens", 8, "--temperature", 0)
            if message or out.rstrip("\n") != generated:
                wrong.append(f"generates {out!r} {message}, not {generated!r}")
            _, message = run(program, "model", "export", m, "--out", folder / "x", "--dtype", "float32")
            if message:
                wrong.append("export: " + message)
            else:
                before, after = AutoConfig.from_pretrained(m), AutoConfig.from_pretrained(folder / "x")
                for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
                    a, b = getattr(before, key), getattr(after, key)
                    if a not in (None, -1) and a != b:
                        wrong.append(f"the export's {key} is {b}, not {a}")
                again = original(folder / "x", text, "ab")
                if abs(again[0] - loss) > 2e-4 or again[1:] != (tokens, generated):
                    wrong.append(f"the export gives {again}, not {(loss, tokens, generated)}")
            if wrong:
                figures["different"] += 1
                print("; ".join(wrong), json.dumps(shown), (m / "tokenizer_config.json").read_text(), (m / "generation_config.json").read_text() if (m / "generation_config.json").exists() else "")
    print(dict(figures))
    for message, n in refusals.most_common():
        print(n, message)
    sys.exit(figures["different"] > 0)


if __name__ == "__main__":
    main()
