"""Adapters as PEFT saves them, both halves random, so that they change what a tiny model computes."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def save_lora(model: Path, out: Path, seed: int = 1, **settings: Any) -> Path:
    options: dict[str, Any] = {
        "r": 8,
        "lora_alpha": 16,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
    } | settings
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), LoraConfig(**options))
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    tuned.save_pretrained(str(out))
    return out
