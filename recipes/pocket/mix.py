"""Mixes the weights of folders with the same tokenizer: their weighted mean, as one Hugging Face folder.

    python recipes/pocket/mix.py OUT FOLDER:SHARE FOLDER:SHARE ...

Weights averaged along one path of training often read better than any of them (Izmailov et al.: "Averaging Weights
Leads to Wider Optima and Better Generalization", UAI 2018).
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from train import export
from transformers import PreTrainedTokenizerFast

from levers.model.pocket.modeling import PocketForCausalLM


def _part(text: str) -> tuple[Path, float]:
    folder, _, share = text.rpartition(":")
    if not (Path(folder) / "model.safetensors").is_file():
        raise argparse.ArgumentTypeError(f"{text!r}: give a folder with model.safetensors and its share, FOLDER:0.35")
    return Path(folder), float(share)


def mixed(parts: list[tuple[Path, float]]) -> PocketForCausalLM:
    """Return the weighted mean of some folders' weights.

    What is no number with a fraction comes from the first, and so does a silent layer that another folder does not have
    yet.
    """
    model = PocketForCausalLM.from_pretrained(parts[0][0], dtype=torch.float32)
    whole = model.state_dict()
    tables = [load_file(folder / "model.safetensors") for folder, _ in parts]
    for (folder, _), table in zip(parts, tables, strict=True):
        later = PocketForCausalLM.LATER if table is not tables[0] else ()
        lacking = [name for name in whole if name not in table and not name.startswith(later)]
        if lacking:
            raise SystemExit(f"{folder} lacks {', '.join(lacking[:3])}: the first folder has to have every layer")
    for name, value in whole.items():
        held = [table.get(name, tables[0][name]) for table in tables]
        if value.is_floating_point():
            rows = zip(held, parts, strict=True)
            whole[name] = torch.stack([each.float() * share for each, (_, share) in rows]).sum(0)
        elif any(not torch.equal(value, each) for each in held[1:]):
            raise SystemExit(f"the folders differ in {name}: they were not made with one tokenizer")
    model.load_state_dict(whole)
    return model


def main() -> None:
    """Read the command line and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", type=_part, nargs="+", metavar="FOLDER:SHARE")
    arguments = parser.parse_args()
    if abs(sum(share for _, share in arguments.parts) - 1) > 1e-6:
        parser.error("the shares have to add up to 1")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(arguments.parts[0][0])
    export(mixed(arguments.parts), tokenizer, arguments.out)


if __name__ == "__main__":
    main()
