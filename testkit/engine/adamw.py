"""Writes adamw.json: steps of PyTorch's AdamW behind clip_grad_norm_, as README.md describes."""

import json
import pathlib

import torch

OUT = pathlib.Path(__file__).parent / "adamw.json"
PARAMETERS, STEPS = 37, 6

CASES = {  # learning rates by step, then what stays
    "defaults": dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, max_norm=0.0),
    "sparseloco": dict(betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, max_norm=1.0),
    "tight clip": dict(betas=(0.9, 0.95), eps=1e-6, weight_decay=0.0, max_norm=0.01),
    "no betas": dict(betas=(0.0, 0.0), eps=1e-3, weight_decay=0.5, max_norm=2.0),
}


def run(seed, betas, eps, weight_decay, max_norm):
    g = torch.Generator().manual_seed(seed)
    p = torch.nn.Parameter(torch.randn(PARAMETERS, generator=g))
    optimizer = torch.optim.AdamW([p], lr=1.0, betas=betas, eps=eps, weight_decay=weight_decay, foreach=False)
    case = dict(beta1=betas[0], beta2=betas[1], eps=eps, weight_decay=weight_decay, max_norm=max_norm,
                params=p.tolist(), steps=[])
    for step in range(STEPS):
        rate = 1e-2 / (1 + step)
        scale = 10.0 ** torch.randint(-4, 2, (PARAMETERS,), generator=g)
        gradient = torch.randn(PARAMETERS, generator=g) * scale
        gradient[step] = 0
        p.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([p], max_norm if max_norm > 0 else float("inf"))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        state = optimizer.state[p]
        case["steps"].append(dict(
            learning_rate=rate, gradient=gradient.tolist(), norm=norm.item(), params=p.detach().tolist(),
            first_moment=state["exp_avg"].tolist(), second_moment=state["exp_avg_sq"].tolist()))
    return case


cases = {name: run(seed, **options) for seed, (name, options) in enumerate(CASES.items(), 1)}
OUT.write_text(json.dumps(dict(torch=torch.__version__, cases=cases), indent=None, separators=(",", ":")) + "\n")
