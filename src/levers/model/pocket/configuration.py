"""The configuration of a pocket model."""

from typing import Any, NotRequired, TypedDict

from transformers import PretrainedConfig


class PassageMarks(TypedDict):
    """Tokens by which a numbered passage is known: `[`, `]`, the ten digits, what ends a line, what is an empty one.

    `question` is the word that begins what follows the passages. Fewer than `least` passages (2 where it is not said)
    see each other: of two that are much alike, the better one is found by comparing them.
    """

    open: int
    close: int
    digits: list[int]
    breaks: list[int]
    blanks: list[int]
    question: int
    least: NotRequired[int]


class PocketConfig(PretrainedConfig):  # type: ignore[misc,no-untyped-call,unused-ignore]
    """Sizes and special tokens of a pocket model.

    A token's embedding is the sum of two rows: one of `num_bases` word rows (shared by every spelling of a word) and
    one of `num_variants` spelling rows (bit 0: a space stands before it; the rest: 0 as is, 1 capitalised, 2 upper
    case). `vocab_size` counts tokens, `max_position_embeddings` the longest sequence. Without `passage_marks` passages
    see each other.
    """

    model_type = "pocket"

    def __init__(self, **kwargs: Any) -> None:
        self.vocab_size: int = kwargs.pop("vocab_size", 512)
        self.num_bases: int = kwargs.pop("num_bases", 512)
        self.num_variants: int = kwargs.pop("num_variants", 6)
        self.hidden_size: int = kwargs.pop("hidden_size", 384)
        self.intermediate_size: int = kwargs.pop("intermediate_size", 1536)
        self.num_hidden_layers: int = kwargs.pop("num_hidden_layers", 6)
        self.num_attention_heads: int = kwargs.pop("num_attention_heads", 12)
        self.max_position_embeddings: int = kwargs.pop("max_position_embeddings", 1536)
        self.layer_norm_eps: float = kwargs.pop("layer_norm_eps", 1e-12)
        self.hidden_dropout_prob: float = kwargs.pop("hidden_dropout_prob", 0.0)
        self.initializer_range: float = kwargs.pop("initializer_range", 0.02)
        self.system_token_id: int = kwargs.pop("system_token_id", 2)
        self.user_token_id: int = kwargs.pop("user_token_id", 3)
        self.assistant_token_id: int = kwargs.pop("assistant_token_id", 4)
        self.passage_marks: PassageMarks | None = kwargs.pop("passage_marks", None)
        kwargs.setdefault("pad_token_id", 0)
        kwargs.setdefault("eos_token_id", 1)
        kwargs.setdefault("tie_word_embeddings", False)
        super().__init__(**kwargs)
