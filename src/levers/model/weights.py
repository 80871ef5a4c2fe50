"""Where a local model's files lie, and the digest that names them. Loads nothing heavy."""

import hashlib
import json
import sys
import textwrap
from pathlib import Path

from levers.errors import MissingExtra, ModelError
from levers.ledger import digest

# Everything in a model folder that decides its replies; a README or a picture does not.
_DECISIVE = (".safetensors", ".json", ".jinja", ".txt", ".model")
_HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
_GPU_NODES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of NVIDIA, AMD and Windows' Linux
_CHUNK = 1 << 20
_known: dict[tuple[str, int, int], str] = {}


def file_digest(path: Path) -> str:
    """Return the sha256 of a file as hex. A file is read once per process while its size and time stay the same."""
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _known:
        total = hashlib.sha256()
        with path.open("rb") as file:
            while part := file.read(_CHUNK):
                total.update(part)
        _known[key] = total.hexdigest()
    return _known[key]


def folder_digest(folder: Path) -> str:
    """Name a model or adapter folder by the content of its weights, configuration and tokenizer files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _DECISIVE)
    return digest([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def model_folder(name: str, root: Path | None = None) -> Path:
    """Return the folder of an `hf/` model: a local folder (relative to `root` first), else a hub id in the local cache.

    A hub id that is not in the cache is fetched, unless HF_HUB_OFFLINE=1.

    Raises:
        ModelError: there is no such folder, and no such model in the cache or on the hub.
        MissingExtra: the name is a hub id and huggingface_hub is not installed.
    """
    for folder in [*([root / name] if root else []), Path(name).expanduser()]:
        if folder.is_dir():
            return folder
    if looks_local(name):
        hint = "give a folder with config.json and model.safetensors, or a hub id"
        raise ModelError(f"hf/{name}: no such folder", hint)
    return _from_hub(name)


def configured_window(folder: Path) -> int | None:
    """Return how many tokens a model folder's configuration says that it reads, None where it does not say."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    window = config.get("max_position_embeddings", config.get("n_positions"))
    return window if isinstance(window, int) and window > 0 else None


def looks_local(name: str) -> bool:
    """Tell whether the name after `hf/` can only be a folder: a path, rather than a hub id of one or two words."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def is_whole_model(adapter: Path) -> bool:
    """Tell whether a folder of `tune` holds a model with all its weights, as full tuning leaves it, not an adapter."""
    return (adapter / "config.json").is_file() and not (adapter / "adapter_config.json").is_file()


def check_adapter(adapter: Path) -> None:
    """Refuse an adapter folder that is not PEFT's layout with safetensors.

    Raises:
        ModelError: a file is missing; pickled weights are never loaded.
    """
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            hint = "pull the tune lever again, or save the adapter as safetensors"
            raise ModelError(f"adapter {adapter.name}: no {name}", hint)


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtra("huggingface_hub", "local") from error
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        said = str(error).strip() or type(error).__name__
        reason = textwrap.shorten(said.splitlines()[0], 200, placeholder=" …")
        hint = "check the name; with HF_HUB_OFFLINE=1 only models already in the local cache can be used"
        raise ModelError(f"hf/{name}: not a folder, and not to be had from the hub ({reason})", hint) from error


def device() -> str:
    """Return where local models compute: "cuda" where torch finds a GPU, else "cpu".

    Linux shows every GPU as a device; where there is none, torch, which takes a second to load, is not asked.
    """
    if "torch" not in sys.modules and sys.platform.startswith("linux"):
        if not any(Path(node).exists() for node in _GPU_NODES):
            return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def precision() -> str:
    """Return the number format that local models compute in: bfloat16 on a GPU, float32 on a CPU."""
    return "bfloat16" if device() == "cuda" else "float32"
