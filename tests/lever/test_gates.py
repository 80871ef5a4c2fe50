"""Guards before training: what is planted in the shipped examples is found, by line; the clean set raises no alarm."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from levers.errors import UserError
from levers.ledger import Message
from levers.lever.figures import gate_check
from levers.lever.gates import Guarded, check_force, inspect
from levers.task import Task, load
from levers.task.records import Case, Example
from levers.trial import Kit

SUPPORT = Path(__file__).parents[2] / "src/levers/examples/support"


@pytest.fixture(scope="module")
def task() -> Task:
    return load(SUPPORT)


def texts(example: Example) -> str:
    """Return the whole documents an example names."""
    names = {reference.partition("#")[0] for reference in example.evidence}
    return "\n".join((SUPPORT / name).read_text(encoding="utf-8") for name in sorted(names))


def guarded(task: Task, planted: list[Example]) -> Guarded:
    """Run the guards on the shipped examples with others planted after them."""
    last = task.examples[-1].line
    lined = [each.model_copy(update={"line": last + at}) for at, each in enumerate(planted, 1)]
    kit = Kit(schemas=task.schemas, root=task.root)
    return inspect(task.model_copy(update={"examples": (*task.examples, *lined)}), kit, texts)


def lines_after(task: Task, found: Guarded, kind: str) -> list[int]:
    return [each.line - task.examples[-1].line for each in found.of(kind)]


def ask(question: str, answer: str, evidence: tuple[str, ...] = (), handover: str = "no") -> Example:
    text = json.dumps({"answer": answer, "handover": handover})
    return Example(messages=(Message(role="user", content=question),), answer=text, evidence=evidence)


def misspelt(question: str, draw: random.Random) -> str:
    """Swap two letters within the longest word."""
    word = max(re.findall(r"[a-zA-Z]+", question), key=len)
    at = draw.randrange(1, len(word) - 2)
    return question.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :], 1)


def wanted(case: Case) -> str:
    assert isinstance(case.expected, dict)
    value = case.expected["answer"]
    return value if isinstance(value, str) else value[0]


def plant_leaks(cases: list[Case]) -> list[Example]:
    """Make forty leaks of forty held-out cases: exact, near, quoted, and by source with another wording."""
    draw = random.Random(8)
    asked = draw.sample(cases, 40)
    exact: list[Callable[[str], str]] = [str.upper, lambda text: f"  {text.rstrip('?.')} ", lambda text: f"{text} "]
    near: list[Callable[[str], str]] = [lambda text: misspelt(text, draw), lambda text: f"{text.rstrip('?')} please?"]
    quote: list[Callable[[str], str]] = [
        lambda text: f'A customer writes: "{text}" and then asks for the price of two ropes.',
        lambda text: f"Hello! {text} Thanks a lot for any help with this.",
    ]
    made = [ask(exact[at % 3](case.question), wanted(case)) for at, case in enumerate(asked[:10])]
    made += [ask(near[at % 2](case.question), wanted(case)) for at, case in enumerate(asked[10:20])]
    made += [ask(quote[at % 2](case.question), wanted(case)) for at, case in enumerate(asked[20:30])]
    source = [f"Tell the newcomer which detail number {at} the page gives" for at in range(10)]
    return made + [ask(text, wanted(case), case.evidence) for text, case in zip(source, asked[30:], strict=True)]


def test_the_clean_set_raises_no_alarm(task: Task) -> None:
    found = guarded(task, [])
    assert [each for each in found.findings if each.kind != "fact"] == []
    assert found.stops == () and found.left_out == frozenset()
    assert all(check.met for check in found.checks() if not check.goal.startswith("facts"))


def test_all_forty_planted_leaks_are_found(task: Task) -> None:
    # Questions of four words or more: what is said by chance cannot be told from what was copied.
    held = [
        case
        for case in task.cases
        if case.partition != "edge" and case.evidence and len(case.question) > 20 and len(case.question.split()) > 3
    ]
    found = guarded(task, plant_leaks(held))
    assert lines_after(task, found, "leak") == list(range(1, 41))
    assert {each.detail.split(" of golden")[0] for each in found.of("leak")} == {
        "the question",
        "nearly the question",
        "a quote",
        "the fact",
    }
    assert len(found.stops) == 40
    assert all(problem.file == "examples.jsonl" and problem.line and problem.hint for problem in found.stops)


def test_all_planted_contradictions_are_found(task: Task) -> None:
    draw = random.Random(9)
    picked = draw.sample([each for each in task.examples if len(each.question.split()) > 4], 20)
    manner: list[Callable[[str], str]] = [
        str.upper,
        lambda text: f"Hi, {text[0].lower()}{text[1:]}",
        lambda text: f"{text.rstrip('?')} please?",
        lambda text: misspelt(text, draw),
    ]
    planted = [ask(manner[at % 4](each.question), "a blue moon") for at, each in enumerate(picked)]
    found = guarded(task, planted)
    assert lines_after(task, found, "contradiction") == list(range(1, 21))
    assert [each.other for each in found.of("contradiction")] == [each.line for each in picked]


def test_what_the_graders_refuse_is_named_and_left_out(task: Task) -> None:
    plain = Example(messages=(Message(role="user", content="Is it raining on the pass?"),), answer="Yes, it rains.")
    found = guarded(task, [plain, ask("Who waters the plants of the desk?", "nobody", handover="perhaps")])
    assert lines_after(task, found, "format") == [1, 2]
    details = [each.detail for each in found.of("format")]
    assert "schema" in details[0] and "choice:handover" in details[1]
    assert found.stops == ()
    assert len(found.left_out) == 2


def test_many_refused_examples_stop_a_pull(task: Task) -> None:
    trees = ["alder", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "willow"]
    many = [
        Example(messages=(Message(role="user", content=f"What is the sense of {tree} {number}?"),), answer="None.")
        for number in range(6)
        for tree in trees
    ]
    assert len(guarded(task, many).stops) == 72


def test_personal_data_is_told_unless_the_documents_publish_it(task: Task) -> None:
    found = guarded(task, [ask("Who called about the torn tent?", "ana.kern@mail.example, +49 170 1234567")])
    assert [each.detail for each in found.of("personal data")] == [
        "e-mail address: ana.kern@mail.example",
        "phone number: +49 170 1234567",
    ]


def test_facts_point_to_retrieval_until_the_stack_retrieves(task: Task) -> None:
    kit = Kit(schemas=task.schemas, root=task.root)
    for grounded in (False, True):
        found = inspect(task, kit, texts, grounded)
        row = next(check for check in found.checks() if check.goal.startswith("facts"))
        assert row.met == grounded and not row.blocks
        said = " examples hold facts of the documents (first: line 1): retrieve before you tune, "
        assert any(said in note for note in found.notes()) != grounded
        assert len(found.of("fact")) > 400


def test_examples_that_say_nothing_are_no_facts_of_their_evidence(task: Task) -> None:
    silent = [Example(messages=(Message(role="user", content=text),), answer="{}") for text in ("Any?", "And you?")]
    shown = silent[0].model_copy(update={"evidence": task.examples[0].evidence})
    assert max(lines_after(task, guarded(task, [shown, silent[1]]), "fact")) < 1


def test_rare_labels_are_named(task: Task) -> None:
    few = [each for each in task.examples if '"handover": "no"' in each.answer]
    rare = [each for each in task.examples if '"handover": "yes"' in each.answer][:4]
    kit = Kit(schemas=task.schemas, root=task.root)
    found = inspect(task.model_copy(update={"examples": (*few, *rare)}), kit, texts)
    assert "label handover yes: 4 examples only" in found.notes()


def test_force_is_needed_and_recorded() -> None:
    clean = Guarded(file="examples.jsonl", examples=20)
    gate = gate_check("style", 20)
    with pytest.raises(UserError, match="at least 50 for style"):
        check_force(clean, [gate], force=False)
    assert check_force(clean, [gate], force=True) == ("forced past examples.jsonl: 20 examples",)
    assert check_force(clean, [gate_check("style", 60)], force=False) == ()
