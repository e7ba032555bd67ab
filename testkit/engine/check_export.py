"""Loads a folder into transformers; any warning, and any difference from its weights, is a failure."""

import logging
import pathlib
import sys
import warnings

import safetensors.torch
import torch
import transformers


class Fail(logging.Handler):
    def emit(self, record):
        raise SystemExit(f"transformers says: {record.getMessage()}")


def main(folder):
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)  # temporary files of PyTorch's own
    logger = logging.getLogger("transformers")
    logger.setLevel(logging.WARNING)
    logger.handlers = [Fail(level=logging.WARNING)]
    model, report = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    if any(report.values()):
        raise SystemExit(f"keys do not agree: {report}")
    stored = {}
    for file in sorted(pathlib.Path(folder).glob("*.safetensors")):
        stored |= safetensors.torch.load_file(file)
    for name, p in model.named_parameters():
        if not torch.equal(p, stored[name].to(p.dtype)):
            raise SystemExit(f"{name} differs")
    tokens = torch.arange(7)[None] % model.config.vocab_size
    out = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=3, do_sample=False)
    if (pathlib.Path(folder) / "tokenizer.json").exists():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        text = "Light, naïve & 1704.\n"
        if tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) != text:
            raise SystemExit("the tokenizer does not round trip")
    print(type(model).__name__, sum(p.numel() for p in model.parameters()), "parameters, continues:", out[0, 7:].tolist())


if __name__ == "__main__":
    main(sys.argv[1])
