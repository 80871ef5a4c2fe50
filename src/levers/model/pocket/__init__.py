"""`pocket`: the small language model that ships inside the package.

Importing this module loads nothing heavy. Call `register` before the first `AutoModelForCausalLM.from_pretrained`
of a pocket folder, and `weights_path` for the folder that came with the package.
"""

from pathlib import Path

__all__ = ["register", "weights_path"]


def weights_path() -> Path:
    """Return the folder of the shipped weights, in the ordinary Hugging Face layout.

    The folder holds `config.json`, `generation_config.json`, `model.safetensors` and the tokenizer's files.
    """
    return Path(__file__).parent / "weights"


def register() -> None:
    """Teach `AutoConfig`, `AutoModelForCausalLM` and `AutoTokenizer` the model type `pocket`.

    Safe to call any number of times. Imports torch and transformers.

    Raises:
        ImportError: torch or transformers is not installed; the message names the extra that brings them.
    """
    try:
        from levers.model.pocket import registration
    except ImportError as error:
        raise ImportError('pocket needs torch and transformers: pip install "levers[local]"') from error
    registration.register_classes()
