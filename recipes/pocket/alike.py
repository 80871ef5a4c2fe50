"""Fits how far pocket copies from the replies to earlier, similar turns; every other weight stays as it is.

    python recipes/pocket/alike.py OUT --start FOLDER --examples 3000

The layer has 1,155 weights. It learns from labels shown by examples, where the reply to the most similar turn is right,
and from questions on passages with examples before them, where it is wrong. Without examples nothing changes.
"""

import argparse
import random
from pathlib import Path

import torch
from beginning import passage_marks
from encoding import Encoded, collate, encode, grouped
from forms import Example
from labels import resemblance_task
from readings import shown_reading
from rich.progress import track
from small_tasks import few_shot
from train import TOKENS, export, score_replies
from transformers import PreTrainedTokenizerFast

from levers.model.pocket.modeling import PocketForCausalLM

RATE, SEED = 0.02, 11


def example(index: int, tokenizer: PreTrainedTokenizerFast, toggle: list[int]) -> Encoded | None:
    """Return example `index`, the same one each time; None if it is too long.

    Some labels stand in quotes, as enforced JSON writes them after examples without: the quotes are not learnt.
    """
    rng = random.Random(f"{SEED}/{index}")
    maker = rng.choices((resemblance_task, few_shot, shown_reading), (5, 2, 3))[0]
    drawn = maker(rng)
    if maker is not resemblance_task or rng.random() < 0.6:
        return encode(tokenizer, drawn, toggle)
    *before, (role, label) = drawn.messages
    coded = encode(tokenizer, Example((*before, (role, f'"{label}"'))), toggle)
    return coded and coded._replace(reply_at=coded.reply_at + 1)


def main() -> None:
    """Read the command line, fit and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, required=True, help="the folder of weights to begin with")
    parser.add_argument("--examples", type=int, default=3000)
    arguments = parser.parse_args()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(arguments.start)
    model = PocketForCausalLM.from_pretrained(arguments.start, dtype=torch.float32).eval().requires_grad_(False)
    model.config.passage_marks = passage_marks(tokenizer.get_vocab())
    layer = model.head.copy_alike.requires_grad_(True)
    toggle = model.embeddings.token_toggle.tolist()
    coded = (example(index, tokenizer, toggle) for index in range(arguments.examples))
    drawn = [collate(group) for group in grouped((item for item in coded if item is not None), TOKENS)]
    optimizer = torch.optim.Adam(layer.parameters(), lr=RATE)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, len(drawn))
    for batch in track(drawn, "fit"):
        scored = score_replies(model, batch)
        (-scored.logp.sum() / scored.real.sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
        falling.step()
    export(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
