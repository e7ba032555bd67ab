"""Writes the goldens that README.md describes into testdata/."""

import json
import pathlib

import numpy
import safetensors.torch
import torch
import transformers

OUT = pathlib.Path(__file__).parent / "testdata"
IGNORE = -100

BASE = dict(
    vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
    intermediate_size=40, max_position_embeddings=96, rope_theta=10000.0, rms_norm_eps=1e-5,
    tie_word_embeddings=False, initializer_range=0.2, bos_token_id=None, eos_token_id=None,
    attn_implementation="eager",
)
CASES = {  # overrides, rows, columns
    "plain": ({}, 3, 17),
    "grouped": (dict(hidden_size=36, num_attention_heads=6, num_key_value_heads=2, intermediate_size=29,
                     num_hidden_layers=1, vocab_size=53, rope_theta=500000.0, rms_norm_eps=1e-6), 2, 33),
    "tied": (dict(tie_word_embeddings=True, num_key_value_heads=1), 1, 80),
    "odd": (dict(hidden_size=42, num_attention_heads=7, num_key_value_heads=1, intermediate_size=37,
                 num_hidden_layers=3, vocab_size=67, rms_norm_eps=3e-6, initializer_range=0.1), 3, 19),
    "long": (dict(hidden_size=16, num_attention_heads=2, num_key_value_heads=1, intermediate_size=28,
                  num_hidden_layers=2, vocab_size=31, max_position_embeddings=600, rope_theta=20000.0), 1, 515),
}


def build(overrides, seed):
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**BASE, **overrides}))
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:  # norms: away from one
                p.add_(0.3 * torch.randn_like(p))
            p.copy_(p.to(torch.bfloat16))  # exact in the stored type
    return model


def batch(model, rows, cols, seed):
    g = torch.Generator().manual_seed(seed)
    inputs = torch.randint(model.config.vocab_size, (rows, cols), generator=g)
    targets = torch.randint(model.config.vocab_size, (rows, cols), generator=g)
    targets[torch.rand((rows, cols), generator=g) < 0.1] = IGNORE
    return inputs, targets


def loss_of(model, inputs, targets):
    logits = model(input_ids=inputs).logits.float()
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="sum")
    return loss, logits


def descend(model, inputs, targets, rate, sign):
    """The mean losses before each of ten steps."""
    losses, counted = [], (targets != IGNORE).sum()
    for _ in range(10):
        model.zero_grad()
        loss = loss_of(model, inputs, targets)[0] / counted
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(rate * (p.grad.sign() if sign else p.grad))
    return losses


def write(name, overrides, rows, cols, seed):
    model = build(overrides, seed)
    inputs, targets = batch(model, rows, cols, seed + 1)
    loss, logits = loss_of(model, inputs, targets)
    loss.backward()
    tensors = {n: p.grad.clone() for n, p in model.named_parameters()}
    tensors["logits"] = logits[0].detach().clone()
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(tensors, folder / "golden.safetensors", metadata={"format": "pt"})
    model.to(torch.bfloat16).save_pretrained(folder / "model", max_shard_size="20KB" if name == "odd" else "5GB")
    golden = dict(
        rows=rows, cols=cols, inputs=inputs.flatten().tolist(), targets=targets.flatten().tolist(), loss=loss.item(),
        sgd_rate=0.05, sgd=descend(build(overrides, seed), inputs, targets, 0.05, False),
        sign_rate=0.002, sign=descend(build(overrides, seed), inputs, targets, 0.002, True),
        seed=seed, torch=torch.__version__.split("+")[0], transformers=transformers.__version__, numpy=numpy.__version__,
    )
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, (name, (overrides, rows, cols)) in enumerate(CASES.items()):
        write(name, overrides, rows, cols, 1000 * (number + 1))
