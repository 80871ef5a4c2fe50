"""The small views that belong to one verb each: check, ask, search."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from levers.loop import Checked
from levers.stack import Answer, Passage


def checked(found: Checked) -> RenderableType:
    """`levers check`: counts, gates, what the golden set can show, and every problem."""
    counts = Text(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.counts.items()))
    gates = Table("gate", "have", "least", "usual", "", "source", title="data gates", title_justify="left", box=None)
    for gate in found.gates:
        word = "met" if gate.met else "not met"
        gates.add_row(gate.goal, str(gate.have), f"{gate.need} {gate.unit}", str(gate.usual), word, gate.source)
    shown = Text(
        "smallest difference the golden set can show (80 % power, 5 % level): "
        + ", ".join(f"{name} {value:.2f}" for name, value in found.detectable_difference.items())
    )
    problems = [Text(str(problem)) for problem in found.problems]
    count = len(problems)
    verdict = Text(f"{count} problem{'s' if count != 1 else ''} to mend" if count else "nothing to mend")
    return Group(counts, gates, shown, *(Text(note) for note in found.notes), *problems, verdict)


def answered(answer: Answer, cost: float | None) -> RenderableType:
    """`levers ask`: the answer, where it stands, and what each step did."""
    citations = [
        Text(f"[{each.number}] {each.document}#{each.section} {each.start}-{each.end}: {each.quote}")
        for each in answer.citations
    ]
    steps = Table("step", "ms", "what", box=None)
    for step in answer.steps:
        steps.add_row(step.name, f"{step.seconds * 1000:.0f}", step.detail)
    usage = answer.usage
    paid = "no price known" if cost is None else f"${cost:.6f}"
    bill = Text(f"{usage.input + usage.cache_read + usage.cache_write} tokens in, {usage.output} out, {paid}", "dim")
    failed = [Text(f"error: {answer.error}", "red")] if answer.error else []
    return Group(Text(answer.text, "bold"), *failed, *citations, steps, bill)


def passages(found: tuple[Passage, ...]) -> RenderableType:
    """`levers search`: the passages, best first, with where each stands."""
    if not found:
        return Text("nothing found that this user may read")
    parts: list[RenderableType] = []
    for number, each in enumerate(found, start=1):
        place = f"[{number}] {each.document}#{each.section} {each.start}-{each.end} (score {each.score:.4f})"
        parts += [Text(place, "bold"), Padding(Text(each.text), (0, 0, 1, 4))]
    return Group(*parts)
