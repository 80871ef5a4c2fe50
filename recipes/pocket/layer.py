"""Fits one late layer of pocket's copy head; every other weight stays as it is.

    python recipes/pocket/layer.py OUT --layer alike --start FOLDER --examples 2400
    python recipes/pocket/layer.py OUT --layer bare --start FOLDER --examples 1600
    python recipes/pocket/layer.py OUT --layer span --start FOLDER --examples 1600 --rate 0.002

`alike`: how far it copies from the replies to earlier, similar turns. It learns from labels shown by examples, where
the reply to the most similar turn is right, and from questions after examples of reading, where it is wrong.
`bare`: when a word that stands without a space gets one where copying begins. It learns from the whole mixture.
`span`: how far copying follows the marks of an answer's start and end. It learns from the whole mixture.
"""

import argparse
import random
from collections.abc import Callable
from pathlib import Path

import torch
from beginning import passage_marks
from encoding import Encoded, collate, encode, grouped
from forms import Example
from labels import resemblance_task
from readings import shown_reading
from rich.progress import track
from safetensors.torch import load_file
from small_tasks import few_shot
from tasks import draw
from train import TOKENS, export, score_replies
from transformers import PreTrainedTokenizerFast

from levers.model.pocket.modeling import PocketForCausalLM

RATE, SEED = 0.02, 11
Maker = Callable[[int, PreTrainedTokenizerFast, list[int]], Encoded | None]


def mixed(index: int, tokenizer: PreTrainedTokenizerFast, toggle: list[int]) -> Encoded | None:
    """Return example `index` of the training mixture; None if it is too long."""
    return encode(tokenizer, draw(SEED, index, 1.0).example, toggle)


def shown(index: int, tokenizer: PreTrainedTokenizerFast, toggle: list[int]) -> Encoded | None:
    """Return example `index` with examples before it, the same one each time; None if it is too long.

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


LAYERS: dict[str, Maker] = {"alike": shown, "bare": mixed, "span": mixed}


def main() -> None:
    """Read the command line, fit and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layer", choices=LAYERS, required=True)
    parser.add_argument("--start", type=Path, required=True, help="the folder of weights to begin with")
    parser.add_argument("--examples", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate; it falls to nothing")
    arguments = parser.parse_args()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(arguments.start)
    model = PocketForCausalLM.from_pretrained(arguments.start, dtype=torch.float32).eval().requires_grad_(False)
    if arguments.layer == "span" and "head.span.weight" not in load_file(arguments.start / "model.safetensors"):
        raise SystemExit(f"{arguments.start} marks no answers yet: train it first, then fit what its marks do")
    model.config.passage_marks = passage_marks(tokenizer.get_vocab())
    layer = getattr(model.head, f"copy_{arguments.layer}").requires_grad_(True)
    toggle = model.embeddings.token_toggle.tolist()
    coded = (LAYERS[arguments.layer](index, tokenizer, toggle) for index in range(arguments.examples))
    drawn = [collate(group) for group in grouped((item for item in coded if item is not None), TOKENS)]
    optimizer = torch.optim.Adam(layer.parameters(), lr=arguments.rate)
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
