"""The small views that belong to one verb each: check, ask, search."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from levers.knowledge.chunkings import Reached, gap
from levers.loop import Checked
from levers.stack import Passage
from levers.task.importers import Written
from levers.verbs import Answered, Indexed, Ledger, Linted, Measured
from levers.verbs.results import START
from levers.view.words import count


def imported(found: Written) -> RenderableType:
    """`levers import`: what was taken over, and what to look at."""
    cases = ", ".join(f"{count} {partition}" for partition, count in found.cases.items() if count)
    documents = f", {found.documents} documents" if found.documents else ""
    lines = [f"{found.path} is ready: {cases} cases{documents}; graders: {', '.join(found.graders)}"]
    lines += [f"note: {note}" for note in found.notes]
    return Text("\n".join([*lines, f"next: levers check {found.path}"]))


def checked(found: Checked) -> RenderableType:
    """`levers check`: counts, gates, what the golden set can show, and every problem."""
    problems = [Text(str(problem)) for problem in found.problems]
    verdict = Text(f"{count(len(problems), 'problem')} to mend" if problems else "nothing to mend")
    if problems and not found.counts["cases"]:  # nothing was read that could be counted
        return Group(*problems, verdict)
    counts = Text(", ".join(_counted(name, number) for name, number in found.counts.items()))
    gates = Table("gate", "have", "least", "usual", "", "source", title="data gates", title_justify="left", box=None)
    for gate in found.gates:
        word = "met" if gate.met else f"below {gate.need:,}"
        word += ": it runs, but proves little" if gate.goal == "golden set" and not gate.met else ""
        gates.add_row(gate.goal, str(gate.have), f"{gate.need} {gate.unit}", str(gate.usual), word, gate.source)
    shown = [Text(line) for line in _differences(found.detectable_difference)]
    return Group(counts, gates, *shown, *(Text(note) for note in found.notes), *problems, verdict)


def _counted(name: str, number: int) -> str:
    nouns = {"cases": "case", "examples": "example", "documents": "document", "graders": "grader"}
    return count(number, nouns[name]) if name in nouns else f"{number:,} {name.replace('_', ' ')}"


def _differences(found: dict[str, float]) -> list[str]:
    """Say in points what each partition can show at least, and which ones are too small to show anything."""
    shown = [f"{name} {value * 100:.0f}" for name, value in found.items() if value < 1]
    lines = [f"{name}: too few cases to show any difference" for name, value in found.items() if value >= 1]
    if shown:
        head = "smallest difference the golden set can show (80 % power, 5 % level), in points: "
        lines.insert(0, head + ", ".join(shown))
    return lines


def answered(found: Answered) -> RenderableType:
    """`levers ask`: the answer, where it stands, what each step did, and whether documents were left unsearched."""
    answer, cost = found.answer, found.cost
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
    footer = []
    if found.unsearched:
        by = "start: the plain prompt" if found.stack == START else found.stack
        adds = "`levers run` or `levers pull retrieve` adds them."
        footer = [Text(f"answered by {by}, no documents searched. {adds}", "yellow")]
    return Group(Text(answer.text, "bold"), *failed, *citations, steps, bill, *footer)


def linted(found: Linted) -> RenderableType:
    """`levers lint`: each finding with its place, reason and fix."""
    if not found.findings:
        return Text(f"{found.prompt}: nothing to mend")
    parts: list[RenderableType] = []
    for each in found.findings:
        place = each.file if each.line is None else f"{each.file}:{each.line}"
        parts.append(Text(f"{place}: {each.rule}: {each.found}", "bold" if each.weight == "breaks" else ""))
        parts.append(Padding(Text(f"{each.reason}\nfix: {each.fix}"), (0, 0, 1, 4)))
    broken = sum(each.weight == "breaks" for each in found.findings)
    return Group(*parts, Text(f"{broken} to mend, {len(found.findings) - broken} to think about"))


def ledger(found: Ledger) -> RenderableType:
    """`levers ledger`: what is kept, what moved, what was spent of what cap."""
    moved = "" if found.moved is None else f"; {found.moved} moved"
    unset = "spending is not counted, for no cap is set (models: {cap: …} in levers.yaml)"
    of = unset if found.cap is None else f"${found.spent:.4f} of a cap of ${found.cap:.2f} spent"
    return Text(f"{count(found.kept, 'value')} kept{moved}; {of}")


def passages(found: tuple[Passage, ...]) -> RenderableType:
    """`levers search`: the passages, best first, with where each stands."""
    if not found:
        return Text("nothing found that this user may read")
    parts: list[RenderableType] = []
    for number, each in enumerate(found, start=1):
        page = f" page {each.page}" if each.page else ""
        place = f"[{number}] {each.document}#{each.section}{page} {each.start}-{each.end} (score {each.score:.4f})"
        parts += [Text(place, "bold"), Padding(Text(each.text), (0, 0, 1, 4))]
    return Group(*parts)


def indexed(found: Indexed) -> RenderableType:
    """`levers index`: what is held, what changed, what that took, and how soon a change showed."""
    took = found.update
    held = f"{count(found.documents, 'document')}, {count(found.passages, 'passage')}"
    lines = [f"{held}, index {found.digest}"]
    if took.anything:
        files = f"{took.added} added, {took.changed} changed, {took.removed} removed"
        lines.append(f"{files}; {took.embedded} passages embedded, {took.reused} kept; {took.seconds:.1f} s")
    else:
        lines.append(f"nothing changed; {took.seconds:.1f} s")
    if found.lag is not None:
        target = "" if found.wanted is None else f", target {found.wanted:.0f} s: {'met' if found.fresh else 'missed'}"
        lines.append(f"the last change showed after {found.lag:.1f} s{target}")
    if found.purged:
        lines.append("older versions and deleted text are gone")
    return Text("\n".join([*lines, *found.notes]))


def chunkings(found: list[Reached]) -> RenderableType:
    """`levers bench chunkings`: a row for each way of cutting, best first."""
    table = Table("chunking", "chunks", "recall@5", "95 %", "words shown", box=None)
    for each in found:
        interval = f"{each.low:.3f} to {each.high:.3f}"
        table.add_row(each.chunking.label, f"{each.chunks:,}", f"{each.recall:.3f}", interval, f"{each.words:,.0f}")
    most = gap(found[0], found[-1])
    said = f"best against worst: {most.difference:+.3f}, 95 % interval {most.low:+.3f} to {most.high:+.3f}"
    return Group(table, Text(f"{len(found[0].shares)} questions; {said}", "dim"))


def benched(found: list[Measured]) -> RenderableType:
    """`levers bench retrieval`: a row for each way of searching."""
    names = ("search", "words", "chunks", "nDCG@10", "95 %", "recall@5", "recall@10", "recall@100", "MRR@10", "ms")
    table = Table(*names, box=None)
    for each in found:
        table.add_row(
            each.mode + ", sharpened" * each.sharpened + ", reranked" * each.reranked,
            "whole" if each.words is None else str(each.words),
            f"{each.chunks:,}",
            f"{each.ndcg:.3f}",
            f"{each.low:.3f} to {each.high:.3f}",
            *(f"{each.recall[depth]:.3f}" for depth in (5, 10, 100)),
            f"{each.mrr:.3f}",
            f"{each.ms:.1f}",
        )
    return Group(table, Text(f"{found[0].queries} queries; ms: median of a search without embedding the query", "dim"))
