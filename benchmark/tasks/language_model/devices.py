"""What a device can compute in."""

from collections.abc import Mapping


def has_bfloat16_units(device: str) -> bool:
    """Whether matrix products in bfloat16 are faster there than in float32."""
    import torch

    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    units: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return torch.device(device).type == "cpu" and any(units.get(name) for name in ("amx_bf16", "avx512_bf16"))


def lack_of_device(device: str, precision: str) -> str | None:
    """Why this machine cannot compute there; None where it can."""
    import torch

    kind, _, number = device.partition(":")
    module = torch.mps if kind == "mps" else torch.get_device_module(kind)
    there = module.device_count() if kind == "mps" or module.is_available() else 0
    if int(number or 0) >= there:
        return f"device: found '{device}', and this machine has {there} of {kind}. Write device: cpu, or run it on another machine."
    if precision == "bfloat16" and kind == "cuda" and not torch.cuda.is_bf16_supported():
        return f"precision: found 'bfloat16', which {device} cannot compute in. Write precision: float32, or auto."
    return None
