"""Fits how far pocket copies from the replies to earlier, similar turns; every other weight stays as it is.

    python recipes/pocket/alike.py OUT --start FOLDER --examples 3000

The layer has 1,155 weights. It learns from labels shown by examples, where the reply to the most similar turn is right,
and from questions on passages with examples before them, where it is wrong. Without examples nothing changes.
"""

import argparse
import random
from pathlib import Path

import torch
from encoding import Batch, Encoded, collate, encode
from forms import Example
from labels import resemblance_task
from readings import shown_reading
from rich.progress import track
from small_tasks import few_shot
from train import export
from transformers import PreTrainedTokenizerFast

from levers.model.pocket.masking import attention_visibility, block_visibility, fold_passages
from levers.model.pocket.modeling import PocketForCausalLM, pick_labelled

RATE, TOKENS, SEED = 0.02, 3072, 11


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


def batches(tokenizer: PreTrainedTokenizerFast, toggle: list[int], count: int) -> list[Batch]:
    """Return examples in batches of about so many tokens, in the order they were drawn."""
    groups: list[list[Encoded]] = [[]]
    longest = 0
    for index in range(count):
        item = example(index, tokenizer, toggle)
        if item is None:
            continue
        longest = max(longest, len(item.ids))
        if longest * (len(groups[-1]) + 1) > TOKENS and groups[-1]:
            groups.append([])
            longest = len(item.ids)
        groups[-1].append(item)
    return [collate(group) for group in groups]


def loss_of(model: PocketForCausalLM, batch: Batch) -> torch.Tensor:
    """Return the mean loss a reply token; only the layer that is fitted gets a gradient."""
    with torch.no_grad():
        passage, shift = fold_passages(batch.ids, model.config)
        visible = attention_visibility(block_visibility(batch.ids, model.config, passage), batch.mask, 0)
        positions = torch.arange(batch.ids.shape[1])[None] - shift
        states = model.encode(model.embeddings(batch.ids), visible, positions)
        keys = model.head.copy_key(states)
    picked = pick_labelled(batch.labels)
    ids = batch.ids.masked_fill(batch.mask == 0, -1)
    logp, _ = model.score_labelled(states, keys, visible & (ids >= 0)[:, None, :], ids, picked)
    return -logp.sum() / picked[2].sum()


def main() -> None:
    """Read the command line, fit and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, required=True, help="the folder of weights to begin with")
    parser.add_argument("--examples", type=int, default=3000)
    arguments = parser.parse_args()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(arguments.start)
    model = PocketForCausalLM.from_pretrained(arguments.start, dtype=torch.float32).eval().requires_grad_(False)
    layer = model.head.copy_alike.requires_grad_(True)
    drawn = batches(tokenizer, model.embeddings.token_toggle.tolist(), arguments.examples)
    optimizer = torch.optim.Adam(layer.parameters(), lr=RATE)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, len(drawn))
    for batch in track(drawn, "fit"):
        loss_of(model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()
        falling.step()
    export(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
