"""Compares what `templar eval --gradients` computed with transformers, on the same folder and text.

Usage: check_eval.py MODEL TEXT LENGTH LOSS GRADIENTS, with the sequence length and the loss that eval used and printed.
"""

import sys

import safetensors.torch
import torch
import transformers


def main(folder, text, length, loss, gradients):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with open(text, encoding="utf-8", newline="") as f:
        tokens = tokenizer(f.read(), return_tensors="pt").input_ids[0]
    total = torch.zeros(())
    for at in range(0, len(tokens) - 1, int(length)):
        piece = tokens[at:at + int(length) + 1]
        logits = model(input_ids=piece[None, :-1], use_cache=False).logits[0]
        total = total + torch.nn.functional.cross_entropy(logits, piece[1:], reduction="sum")
    mean = total / (len(tokens) - 1)
    mean.backward()
    ours = safetensors.torch.load_file(gradients)
    worst = max(((ours[n] - p.grad).abs().max() / p.grad.abs().max()).item() for n, p in model.named_parameters())
    print(f"loss {mean.item():.8f}, ours {float(loss):.8f}; gradients differ by at most {worst:.2g} of a tensor's largest value")
    if abs(mean.item() - float(loss)) > 1e-5 or worst > 1e-3 or len(ours) != len(list(model.parameters())):
        raise SystemExit("too far apart")


if __name__ == "__main__":
    main(*sys.argv[1:])
