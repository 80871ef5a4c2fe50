"""Write a project whose staff ask by part numbers and abbreviations of their own, which no embedder knows.

    python recipes/support/parts.py OUT
    levers pull retrieve -p OUT --set k=2
    levers pull sharpen -p OUT

It is the shipped shop with twelve pages more: the spare parts of twelve of its products, ten to a page, each with
price, shelf and delivery time. The pages call everything by its public name. The workshop's questions call a product by
its number and a part by its abbreviation (the tables below), and those stand in no document. A third of the 120 parts
are asked for in golden cases, the others in pairs to learn from: what a pair says of one part is no answer for another,
only the numbers and abbreviations are the same.
"""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from levers.task import init

PRODUCTS = {
    "Squall shell jacket": "KV7",
    "Dunlin down bag": "DUX",
    "Torrin boots": "HB2",
    "Harrow shoes": "QL4",
    "Sedge mat": "GG1",
    "Curlew bag": "ZB5",
    "Skarn 55 pack": "R55Z",
    "Joey child carrier": "JKN",
    "Stilt poles": "VP3",
    "Brook filter": "WF8",
    "Merle tent": "TN5",
    "Ember stove": "BRX",
}
PARTS = {
    "Zip slider": "RVX",
    "Buckle": "KLP",
    "Repair patch": "FLK",
    "Cord stopper": "TNK",
    "Carry bag": "HLS",
    "Webbing strap": "GRT",
    "Elastic cord": "GMZ",
    "Seam tape": "NHT",
    "Rubber foot": "PFT",
    "Name badge": "WPN",
}
ASKED = ("What does a {part} for the {product} cost?", "price {product} {part}", "{part} of {product}: how much?")
TAUGHT = (
    *("Where is the {part} for {product}?", "{product} {part} shelf", "How long does a {part} for a {product} take?"),
    *("{part}, {product}, delivery?", "I need the {product}'s {part}"),
)


def write(folder: Path) -> tuple[int, int]:
    """Write the project; return how many golden cases and pairs it has."""
    init(folder)
    chance = random.Random(20)
    golden, pairs = [], []
    (folder / "docs" / "spares").mkdir()
    for product, number in PRODUCTS.items():
        page, name = f"# Spare parts: {product}\n", product.lower().replace(" ", "-")
        asked = set(chance.sample(list(PARTS), 4))
        for part, short in PARTS.items():
            price = f"€{chance.randint(2, 19)}.{chance.choice(['20', '50', '80'])}"
            shelf, days = f"{chance.choice('ABCDEF')}{chance.randint(10, 99)}", chance.randint(2, 21)
            said = f"The {part.lower()} costs {price}. It lies on shelf {shelf} and arrives in {days} days."
            page += f"\n## {part}\n\n{said}\n"
            evidence = [f"docs/spares/{name}.md#{part.lower().replace(' ', '-')}"]
            words = {"product": number, "part": short}
            if part in asked:
                golden.append(_case(chance.choice(ASKED).format(**words), price, evidence, len(golden)))
            else:
                pairs += [_pair(wording.format(**words), f"shelf {shelf}", evidence) for wording in TAUGHT]
        (folder / "docs" / "spares" / f"{name}.md").write_text(page, encoding="utf-8")
    chance.shuffle(pairs)
    for name, rows in (("golden", golden), ("examples", pairs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return len(golden), len(pairs)


def _case(question: str, price: str, evidence: list[str], at: int) -> dict[str, Any]:
    expected = {"answer": price, "handover": "no"}
    partition = "test" if at % 3 == 2 else "dev"
    return {"id": f"part-{at}", "input": question, "expected": expected, "partition": partition, "evidence": evidence}


def _pair(question: str, answer: str, evidence: list[str]) -> dict[str, Any]:
    said = json.dumps({"answer": answer, "handover": "no"})
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
    return {"messages": turns, "evidence": evidence}


if __name__ == "__main__":
    where = Path(sys.argv[1])
    if where.exists():
        shutil.rmtree(where)
    cases, taught = write(where)
    sys.stdout.write(f"{where}: {cases} golden cases, {taught} pairs\n")
