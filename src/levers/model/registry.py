"""Model references, `provider/model`, to models. Heavy libraries are imported when a model needs them."""

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from levers.errors import MissingExtra, ModelError, Problem, UserError
from levers.model.contract import Embedder, Model, Reranker
from levers.model.weights import configured_window, looks_local, model_folder

if TYPE_CHECKING:
    from levers.model.budget import Budget
    from levers.model.hosted import HostedSettings
    from levers.model.wire import Wire

Job = Literal["answer", "embed", "rerank"]
# What a reference may look like, per job; the order is that of the hints.
_FORMS: dict[Job, tuple[str, ...]] = {
    "answer": ("pocket", "hf/<folder or hub id>", "openai/<model>", "openai-responses/<model>", "anthropic/<model>"),
    "embed": ("minilm", "hf/<folder or hub id>", "openai/<model>"),
    "rerank": ("minilm", "hf/<folder or hub id>"),
}
_EMBEDDED: dict[Job, str] = {"answer": "pocket", "embed": "minilm", "rerank": "minilm"}
STUDENT = "student"  # with the folder of one as its adapter; no name for levers.yaml, for a student is made here
HOSTED = ("openai", "openai-responses", "anthropic")
SHARPENED = "sharpened/"
_NAME = re.compile(r"[^\s]+")


def known_reference(reference: str, job: Job = "answer", root: Path | None = None) -> Problem | None:
    """Return what is wrong with a model reference, or None. Opens nothing; the caller sets file, line and field.

    `root` is the folder that relative `hf/` folders start from.
    """
    expected = ", ".join(_FORMS[job])
    provider, slash, name = reference.partition("/")
    if reference in _EMBEDDED.values():
        right = reference == _EMBEDDED[job]
        hint = f"{reference} does another job; the embedded model for this one is {_EMBEDDED[job]}"
    elif job == "rerank" and provider in HOSTED:
        right, hint = False, "rerankers run here: minilm, or a cross-encoder's folder as hf/<folder>"
    elif job == "embed" and provider in HOSTED and provider != "openai":
        right, hint = False, "embedding models behind a server are reached as openai/<model>"
    elif provider not in {"hf", *HOSTED} or not slash:
        right, hint = False, _did_you_mean(reference, job)
    elif not _NAME.fullmatch(name):
        right, hint = False, f"write the model's name after {provider}/, without spaces"
    elif provider == "hf" and looks_local(name) and not _exists(name, root):
        right, hint = False, "there is no such folder; give one with config.json and model.safetensors, or a hub id"
    else:
        return None
    if right:
        return None
    return Problem(file="levers.yaml", field="models", found=repr(reference), expected=expected, hint=hint)


def open_model(
    reference: str,
    *,
    base_url: str | None = None,
    adapter: Path | None = None,
    root: Path | None = None,
    settings: "HostedSettings | None" = None,
    budget: "Budget | None" = None,
) -> Model:
    """Open a language model. Weights load at the first ask; servers are called at the first ask.

    Args:
        reference: `pocket`, `hf/<folder or hub id>`, `openai/<model>` (chat completions), `openai-responses/<model>`
            or `anthropic/<model>`.
        base_url: another server that speaks the provider's protocol.
        adapter: a folder in PEFT's layout, for local models; or the folder of a `student`.
        root: the folder that relative `hf/` folders start from.
        settings: concurrency, timeout and retries of a hosted model.
        budget: spending cap of a hosted model.

    Raises:
        UserError: the reference is unknown, or an adapter is given for a hosted model.
        MissingExtra: a library this model needs is not installed.
        ModelError: the model's files are absent or damaged.
    """
    if reference == STUDENT and adapter is not None:
        return _open_student(adapter)
    problem = known_reference(reference, "answer", root)
    if problem is None and adapter is not None and is_hosted(reference):
        hint = "an adapter needs a local model: pocket or hf/"
        problem = Problem(file="levers.yaml", field="models.answer", found=repr(reference), hint=hint)
    if problem is not None:
        raise UserError(problem)
    if is_hosted(reference):
        return _open_hosted(reference, base_url, settings, budget)
    try:
        from levers.model.local import LocalModel
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return LocalModel(reference, _folder_of(reference, root), adapter)


def is_hosted(reference: str) -> bool:
    """Tell whether a reference names a model behind a server."""
    return reference.partition("/")[0] in HOSTED


def from_hub(reference: str, root: Path | None) -> bool:
    """Tell whether a local model is no folder here, so that it is looked for on the hub."""
    provider, _, name = reference.partition("/")
    return provider == "hf" and bool(name) and not looks_local(name) and not _exists(name, root)


def known_window(reference: str, root: Path | None) -> int | None:
    """Return how many tokens a model reads and writes at once, where its folder is here and says so; fetch nothing."""
    if reference != "pocket" and (not reference.startswith("hf/") or from_hub(reference, root)):
        return None
    try:
        return configured_window(_folder_of(reference, root))
    except ModelError:
        return None


def billed(reference: str) -> str:
    """Return the id that a model's prices stand under.

    One model costs the same over both protocols of OpenAI, and a student costs machine time as pocket does.
    """
    return "pocket" if reference == STUDENT else reference.replace("openai-responses/", "openai/", 1)


def _open_student(folder: Path) -> Model:
    try:
        from levers.model.student import StudentModel
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return StudentModel(folder)


def _open_hosted(
    reference: str, base_url: str | None, settings: "HostedSettings | None", budget: "Budget | None"
) -> Model:
    provider, _, name = reference.partition("/")
    try:
        from levers.model.hosted import HostedModel

        return HostedModel(_wire(provider, name, base_url), settings, budget)
    except ImportError as error:
        extra = "anthropic" if provider == "anthropic" else "openai"
        raise MissingExtra(error.name or extra, extra) from error


def _wire(provider: str, name: str, base_url: str | None) -> "Wire":
    if provider == "anthropic":
        from levers.model.anthropic_messages import MessagesWire

        return MessagesWire(name, base_url)
    if provider == "openai-responses":
        from levers.model.openai_responses import ResponsesWire

        return ResponsesWire(name, base_url)
    from levers.model.openai_chat import ChatWire

    return ChatWire(name, base_url)


def open_embedder(
    reference: str,
    *,
    base_url: str | None = None,
    root: Path | None = None,
    settings: "HostedSettings | None" = None,
    budget: "Budget | None" = None,
) -> Embedder:
    """Open an embedding model: `minilm`, `hf/<folder or hub id>` or `openai/<model>`; else as `open_model`."""
    problem = known_reference(reference, "embed", root)
    if problem is not None:
        raise UserError(problem)
    if reference.startswith("openai/"):
        try:
            from levers.model.hosted_embed import HostedEmbedder
        except ImportError as error:
            raise MissingExtra("openai", "openai") from error
        return HostedEmbedder(reference.removeprefix("openai/"), base_url, settings, budget)
    try:
        from levers.model.embed import FolderEmbedder, MiniLM
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return MiniLM() if reference == "minilm" else FolderEmbedder(reference, _folder_of(reference, root))


def open_reranker(reference: str, *, root: Path | None = None) -> Reranker:
    """Open a reranker: `minilm` (late interaction over its tokens), or a cross-encoder as `hf/<folder or hub id>`.

    Raises as `open_embedder`.
    """
    problem = known_reference(reference, "rerank", root)
    if problem is not None:
        raise UserError(problem.model_copy(update={"field": "models.rerank"}))
    try:
        from levers.model.rerank import CrossEncoder, LateInteraction

        if reference != "minilm":
            return CrossEncoder(reference, _folder_of(reference, root))
        from levers.model.embed import MiniLM
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return LateInteraction(MiniLM())


def open_sharpened(folder: Path) -> Embedder:
    """Open the query side that sharpen left in a folder; its id is `sharpened/<folder's name>@<digest of its weights>`.

    Raises:
        MissingExtra: a library it needs is not installed.
        ModelError: the folder or its weights were deleted.
    """
    try:
        from levers.model.embed import MiniLM
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return MiniLM(folder, f"{SHARPENED}{folder.name}")


def open_sharpened_reranker(folder: Path) -> Reranker:
    """Open late interaction between the tokens of a sharpened query side and minilm's; raises as `open_sharpened`."""
    try:
        from levers.model.embed import MiniLM
        from levers.model.rerank import LateInteraction
        from levers.model.sides import QueryTunedTokens
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return LateInteraction(QueryTunedTokens(MiniLM(folder, f"{SHARPENED}{folder.name}"), MiniLM()))


def sharpened_name(embedder: str) -> str:
    """Return the folder's name out of a sharpened embedder's id; empty for every other embedder."""
    return embedder.removeprefix(SHARPENED).partition("@")[0] if embedder.startswith(SHARPENED) else ""


def _folder_of(reference: str, root: Path | None) -> Path:
    if reference == "pocket":
        from levers.model.pocket import weights_path

        return weights_path()
    return model_folder(reference.removeprefix("hf/"), root)


def _exists(name: str, root: Path | None) -> bool:
    try:
        return Path(name).expanduser().is_dir() or (root is not None and (root / name).is_dir())
    except (OSError, ValueError, RuntimeError):  # too long or odd to be a path, or the home of nobody
        return False


def _did_you_mean(reference: str, job: Job) -> str:
    provider, slash, name = reference.partition("/")
    near = difflib.get_close_matches(provider.lower(), [_EMBEDDED[job], "hf", "huggingface", *HOSTED], n=1)
    if not near:
        return "a server of the OpenAI format is openai/<model> with base_url" if slash else "write provider/model"
    guess = near[0].replace("huggingface", "hf")
    return f"did you mean {guess}?" if guess == _EMBEDDED[job] else f"did you mean {guess}/{name or '<model>'}?"
