"""Measures training steps of transformers' LlamaForCausalLM on the CPU: best seconds of a step, one line."""

import json
import sys
import time

import torch
import transformers


def main(model, rows, cols, threads, seconds):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**model, bos_token_id=None, eos_token_id=None))
    inputs = torch.randint(model["vocab_size"], (rows, cols))

    def step():
        logits = llama(input_ids=inputs, use_cache=False).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), inputs.flatten(), reduction="sum").backward()

    step()
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        once = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - once)
    print(json.dumps(dict(seconds=best, what=f"PyTorch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}")))


if __name__ == "__main__":
    o = json.loads(sys.argv[1])
    main(o["model"], o["rows"], o["cols"], o["threads"], o["seconds"])
