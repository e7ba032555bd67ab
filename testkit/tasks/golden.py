"""Writes models/ and golden.json: what lm-evaluation-harness gives for the documents of data/.

usage: golden.py           makes the models too
       golden.py --keep    uses those that are there
"""

import json
import os
import pathlib
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import lm_eval
import tokenizers
import torch
import transformers
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
DATA, MODELS = HERE / "data", HERE / "models"
HARNESS = pathlib.Path(lm_eval.__file__).parent / "tasks"
WINDOW = 128
SOURCES = {"hellaswag": "hellaswag/hellaswag.yaml", "piqa": "piqa/piqa.yaml", "arc_easy": "arc/arc_easy.yaml", "arc_challenge": "arc/arc_challenge.yaml", "openbookqa": "openbookqa/openbookqa.yaml",
           "winogrande": "winogrande/default.yaml"}


def tokenizer(kind):
    """One like LLaMA's, with <s> before each text, and one over bytes without."""
    if kind == "metaspace":
        t = tokenizers.Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
        trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=special, limit_alphabet=60)
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    else:
        t = tokenizers.Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        t.decoder = decoders.ByteLevel()
    t.train([str(f) for f in sorted(DATA.glob("*.jsonl"))], trainer)
    if kind == "metaspace":
        # Only the first three are special: bytes are ordinary tokens.
        raw = json.loads(t.to_str())
        raw["added_tokens"] = raw["added_tokens"][:3]
        t = tokenizers.Tokenizer.from_str(json.dumps(raw))
        t.post_processor = processors.TemplateProcessing("<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", t.token_to_id("<s>"))])
        return transformers.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", unk_token="<unk>", clean_up_tokenization_spaces=False)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|end|>", clean_up_tokenization_spaces=False)


def make(kind, seed):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(vocab_size=512, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48, max_position_embeddings=WINDOW,
                                      initializer_range=0.3, bos_token_id=1, eos_token_id=2 if kind == "metaspace" else 0)
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(MODELS / kind)
    tokenizer(kind).save_pretrained(MODELS / kind)


def local_tasks(folder):
    """Tasks of the harness that read our files."""
    for name, source in SOURCES.items():
        (folder / f"{name}.yaml").write_text(f"""include: {HARNESS / source}
task: made_{name}
dataset_path: json
dataset_name: null
training_split: null
validation_split: validation
test_split: null
dataset_kwargs: {{data_files: {{validation: {DATA / name}.jsonl}}}}
""")
    rows = {split: [json.loads(line) for line in (DATA / f"{name}.jsonl").open()] for split, name in (("test", "mmlu"), ("dev", "mmlu_dev"))}
    subjects = sorted({r["subject"] for r in rows["test"]})
    for s in subjects:
        for split in rows:
            (folder / f"{s}_{split}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows[split] if r["subject"] == s))
        (folder / f"mmlu_{s}.yaml").write_text(f"""include: {HARNESS / 'mmlu/default' / f'mmlu_{s}.yaml'}
task: made_mmlu_{s}
tag: null
dataset_path: json
dataset_name: null
dataset_kwargs: {{data_files: {{test: {folder}/{s}_test.jsonl, dev: {folder}/{s}_dev.jsonl}}}}
""")
    (folder / "mmlu.yaml").write_text("group: made_mmlu\ntask:\n" + "".join(f"  - made_mmlu_{s}\n" for s in subjects) + "aggregate_metric_list:\n  - metric: acc\n    weight_by_size: True\n")
    return TaskManager(include_path=str(folder)), subjects


def run(kind, manager, subjects):
    model = HFLM(pretrained=str(MODELS / kind), dtype="float32", device="cpu", batch_size=4)
    out = {}

    def measure(key, names, shots):
        r = lm_eval.simple_evaluate(model=model, tasks=names, num_fewshot=shots, task_manager=manager, log_samples=True)
        top = r["results"][names[0]]
        entry = {k.removesuffix(",none").replace(",none", ""): v for k, v in top.items() if k.startswith("acc")}
        leaves = [n for n in r["samples"]]
        entry["documents"] = []
        for leaf in sorted(leaves):
            for s in sorted(r["samples"][leaf], key=lambda s: s["doc_id"]):
                entry["documents"].append({"log_likelihoods": [ll for ll, _ in s["filtered_resps"]], "acc": s["acc"], "acc_norm": s.get("acc_norm")})
        if len(leaves) > 1:
            entry["subjects"] = {leaf.removeprefix("made_mmlu_"): {"acc": r["results"][leaf]["acc,none"], "acc_stderr": r["results"][leaf]["acc_stderr,none"]} for leaf in leaves}
        out[key] = entry

    for name in SOURCES:
        measure(name, [f"made_{name}"], 0)
    for shots in (0, 1):
        measure(f"mmlu_{shots}", ["made_mmlu"], shots)
    return out


def main():
    if "--keep" not in sys.argv:
        MODELS.mkdir(exist_ok=True)
        make("metaspace", 1)
        make("bytelevel", 2)
    golden = {"versions": {m.__name__: m.__version__ for m in (torch, transformers, tokenizers)} | {"lm_eval": __import__("importlib.metadata").metadata.version("lm_eval")}}
    with tempfile.TemporaryDirectory() as folder:
        manager, subjects = local_tasks(pathlib.Path(folder))
        golden["models"] = {kind: run(kind, manager, subjects) for kind in ("metaspace", "bytelevel")}
    with open(HERE / "golden.json", "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


main()
