"""The six-week mistake, on purpose: tune a catalogue's facts into the weights, change the catalogue, and look again.

    python examples/six_week_mistake.py            a minute or two on two cores
    python examples/six_week_mistake.py --again    and the tuning done again on the changed catalogue
    python examples/six_week_mistake.py --json

Version 1 of a made-up catalogue gives each product a price and a weight. pocket is tuned on every fact of it, asked in
several ways, without any passage; beside it stands the untuned pocket with the page that search finds. Both answer
questions worded as no example is. Then half of the facts change. The weights know nothing of it, the index is brought
up to date. Whatever comes out is printed.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import levers
from levers.loop import Project
from levers.stack import ModelRef, Question, Stack, assemble, messages
from levers.stack.records import Retrieve
from levers.stack.workshop import ADAPTERS
from levers.trial import Trial, compare
from levers.tuning import Sample, fit, recipe_for

TREES = [
    "Alder",
    "Birch",
    "Cedar",
    "Elm",
    "Fir",
    "Hazel",
    "Larch",
    "Maple",
    "Oak",
    "Pine",
    "Rowan",
    "Willow",
    "Aspen",
    "Beech",
    "Juniper",
    "Linden",
]
THINGS = ["tent", "stove"]
ASKED = {
    "price": ["What does the {} cost?", "How much is the {}?", "Tell me the price of the {}.", "The {}: how much?"],
    "weight": [
        "What does the {} weigh?",
        "How heavy is the {}?",
        "Tell me the weight of the {}.",
        "The {}: how heavy?",
    ],
}
HELD = {
    "dev": {"price": "What do you charge for the {}?", "weight": "How many grams has the {}?"},
    "test": {"price": "What is the price of the {}?", "weight": "What is the weight of the {}?"},
}
BRIEF = "Answer with the value alone, such as an amount or a weight, and no sentence around it.\n"
CONFIG = """name: catalogue
instructions: brief.md
golden: golden.jsonl
examples: examples.jsonl
knowledge: {documents: docs/}
models: {answer: pocket, embed: minilm}
graders: [{kind: contains}]
"""


class Fact(NamedTuple):
    """One fact of one product."""

    product: str
    about: str
    value: str


class Outcome(NamedTuple):
    """A stack's share of right answers on one version: of all questions, of changed facts, of unchanged ones."""

    stack: str
    version: int
    every: float
    changed: float
    unchanged: float
    seconds: float


def catalogue(products: int, seed: int = 6) -> list[list[Fact]]:
    """Return two versions of the facts; every second one differs."""
    draw = random.Random(seed)
    names = [f"{tree} {thing}" for thing in THINGS for tree in TREES][:products]
    prices, weights = (draw.sample(range(*span), 2 * products) for span in ((40, 400), (300, 3000)))
    versions = []
    for version in range(2):
        facts = []
        for at, name in enumerate(names):
            price, weight = (
                own[at + version * products * ((at + place) % 2)] for place, own in enumerate((prices, weights))
            )
            facts += [Fact(name, "price", f"{price} euros"), Fact(name, "weight", f"{weight} grams")]
        versions.append(facts)
    return versions


def write_project(folder: Path, facts: Sequence[Fact]) -> Path:
    """Write a project of one version: a page a product, every fact as examples, held-out questions."""
    (folder / "docs").mkdir(parents=True)
    for name in dict.fromkeys(fact.product for fact in facts):
        own = {fact.about: fact.value for fact in facts if fact.product == name}
        page = f"# {name}\n\nThe {name} costs {own['price']}. The weight of the {name} is {own['weight']}.\n"
        (folder / "docs" / _page(name)).write_text(page)
    examples = [
        {"prompt": form.format(fact.product), "completion": fact.value, "evidence": [f"docs/{_page(fact.product)}"]}
        for fact in facts
        for form in ASKED[fact.about]
    ]
    cases = [
        {
            "id": f"{fact.product} {fact.about}{' (dev)' if partition == 'dev' else ''}",
            "input": forms[fact.about].format(fact.product),
            "expected": fact.value,
            "partition": partition,
        }
        for partition, forms in HELD.items()
        for fact in facts
    ]
    for name, rows in (("examples.jsonl", examples), ("golden.jsonl", cases)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "brief.md").write_text(BRIEF)
    (folder / "levers.yaml").write_text(CONFIG)
    return folder


def _page(product: str) -> str:
    return f"{product.lower().replace(' ', '-')}.md"


def tune_facts(project: Project, epochs: int, rate: float) -> tuple[Stack, float]:
    """Tune on every example as it stands, past all guards; return the stack and the seconds."""
    start = project.start()
    asked = [Question(id=f"line {each.line}", input=each.question) for each in project.task.examples]
    drafts = assemble(start, asked, project.workshop)
    samples = [
        Sample(messages=messages(draft), answer=each.answer, line=each.line)
        for draft, each in zip(drafts, project.task.examples, strict=True)
    ]
    recipe = recipe_for("pocket").model_copy(
        update={"epochs": epochs, "learning_rate": rate, "r": 32, "alpha": 64, "batch_size": 32}
    )

    def tell(now: object) -> None:
        step, steps = getattr(now, "step", 0), getattr(now, "steps", 1)
        if step % 20 == 0 or step == steps:
            print(f"tune {step}/{steps}", end="\r", file=sys.stderr, flush=True)

    fitted = fit("pocket", samples, (), recipe, project.task.state / ADAPTERS, tell)
    return Stack(model=ModelRef(id="pocket", adapter=fitted.adapter.name), parts=start.parts), fitted.seconds


def retrieval(project: Project) -> tuple[Stack, float]:
    """Index the documents as they are now; return the stack that shows the best page, and the seconds."""
    begun = time.perf_counter()
    index = project.index
    assert index is not None
    part = Retrieve(index=index.digest, k=1)
    return project.start().model_copy(update={"parts": (*project.start().parts, part)}), time.perf_counter() - begun


def measure(
    project: Project, stack: Stack, name: str, version: int, moved: set[str], seconds: float
) -> tuple[Outcome, Trial]:
    """Ask every held-out question."""
    trial = project.bench.trial(stack, "test", name)

    def share(ids: set[str]) -> float:
        own = [each.passed for each in trial.outcomes if each.case in ids]
        return sum(own) / max(1, len(own))

    every = {each.case for each in trial.outcomes}
    return Outcome(name, version, trial.quality, share(moved), share(every - moved), seconds), trial


def run(products: int, epochs: int, rate: float, again: bool) -> dict[str, object]:
    """Make the mistake and measure it."""
    old, new = catalogue(products)
    moved = {f"{one.product} {one.about}" for one, other in zip(old, new, strict=True) if one != other}
    with tempfile.TemporaryDirectory() as scratch:
        folders = [write_project(Path(scratch) / f"v{n}", facts) for n, facts in ((1, old), (2, new))]
        warned = [note for note in levers.check(folders[0]).notes if "retrieve" in note]
        first, second = (levers.load(folder) for folder in folders)
        tuned, training = tune_facts(first, epochs, rate)
        (second.task.state / ADAPTERS).mkdir(parents=True, exist_ok=True)
        (second.task.state / ADAPTERS / str(tuned.model.adapter)).symlink_to(
            first.task.state / ADAPTERS / str(tuned.model.adapter)
        )
        rows, trials = [], []
        for version, project in enumerate((first, second), 1):
            shown, indexing = retrieval(project)
            plan = [("tuned on version 1", tuned, training if version == 1 else 0.0), ("retrieval", shown, indexing)]
            if again and version == 2:
                plan.append(("tuned again", *tune_facts(second, epochs, rate)))
            for name, stack, seconds in plan:
                outcome, trial = measure(project, stack, name, version, moved, seconds)
                rows.append(outcome)
                trials.append(trial)
        told = [compare(trials[0], trials[1]), compare(trials[2], trials[3])]
    return {
        "questions": len(old),
        "changed": len(moved),
        "guard": warned,
        "rows": [row._asdict() for row in rows],
        "retrieval_against_tuned": [
            {"version": at, "difference": each.difference, "p_value": each.p_value} for at, each in enumerate(told, 1)
        ],
    }


def shown(found: dict[str, object]) -> str:
    """Return the table."""
    lines = [f"{found['questions']} questions, {found['changed']} facts change", *map(str, found["guard"])]  # type: ignore[call-overload]
    lines.append(f"{'':24}{'version':>8}{'all':>8}{'changed':>9}{'unchanged':>11}{'made in':>10}")
    for row in found["rows"]:  # type: ignore[attr-defined]
        shares = f"{row['every']:>8.0%}{row['changed']:>9.0%}{row['unchanged']:>11.0%}"
        lines.append(f"{row['stack']:24}{row['version']:>8}{shares}{row['seconds']:>8.1f} s")
    for row in found["retrieval_against_tuned"]:  # type: ignore[attr-defined]
        lines.append(
            f"version {row['version']}: retrieval {row['difference']:+.0%} over tuning, p = {row['p_value']:.4f}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--products", type=int, default=12, help="at most 32")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--again", action="store_true", help="tune on the changed catalogue too")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = run(given.products, given.epochs, given.rate, given.again)
    print(json.dumps(found, indent=2) if given.json else shown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
