"""Hardware support for bfloat16."""

import torch


def has_bf16_units(device: str) -> bool:
    """Whether matrix products in bfloat16 run on hardware built for them."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
