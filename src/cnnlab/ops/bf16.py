"""Hardware support for bfloat16."""

import torch


def has_bf16_units(device: str) -> bool:
    """Whether matrix products in bfloat16 run on hardware built for them."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.9
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def has_amx() -> bool:
    """Whether this CPU has Intel's matrix units (AMX) for bfloat16."""
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.9
        return torch.cpu._is_amx_tile_supported()
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
