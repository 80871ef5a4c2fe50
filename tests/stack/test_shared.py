"""What stands in everybody's prompt is looked up again for every prompt: what is not public any more is left out."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, Index, Rule, build
from levers.ledger import Message
from levers.stack import Answer, Inline, ModelRef, Question, Shots, Stack, answer
from levers.stack.shared import Shared, public_text
from levers.task.records import Example
from levers.testing import ScriptedModel

PAY = "Dogs may come to work.\n\n# Pay\n\nPaid monthly.\n\n## Salaries\n\nNinety thousand.\n"
BARE = Stack(model=ModelRef(id="scripted"))
BOARD = {"board": ("eve",)}


class Desk(Shared):
    """A workshop over a folder of documents and some examples."""

    spared = 0.0

    def __init__(self, folder: Path, examples: Sequence[Example] = ()) -> None:
        super().__init__(lambda: self.index, examples)
        self.folder = folder
        self.index: Index | None = None
        self.look()

    def look(self, *rules: Rule) -> Index:
        access = Access(groups=BOARD, rules=rules)
        self.index = build(self.folder / "docs", "docs", access, HashingEmbedder(), self.folder / "indexes")
        return self.index

    def model(self, reference: ModelRef) -> ScriptedModel:
        return ScriptedModel(lambda ask: "so")

    def finder(self, index: str) -> "Desk":
        raise AssertionError(index)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    write(tmp_path, {"docs/pay.md": PAY, "docs/open.md": "# Open\n\nThe shop opens at nine.\n"})
    asked = (("How much?", "Ninety thousand.", "docs/pay.md#salaries"), ("When?", "At nine.", "docs/open.md#open"))
    return Desk(tmp_path, [example(*each) for each in asked])


def example(question: str, reply: str, *evidence: str) -> Example:
    return Example(messages=(Message(role="user", content=question),), answer=reply, evidence=evidence)


def inlining(desk: Desk) -> Stack:
    index = desk.index
    assert index is not None
    return BARE.with_part(Inline(documents=tuple((name, public_text(index, name)) for name in index.documents)))


def asked(stack: Stack, desk: Desk) -> Answer:
    return answer(stack, [Question(id="1", input="Well?", user="nobody")], desk)[0]


def told(found: Answer) -> str:
    return "; ".join(step.detail for step in found.steps if step.name in ("inline", "examples"))


def test_what_is_as_it_was_is_shown_as_it_was(desk: Desk) -> None:
    found = asked(inlining(desk), desk)
    assert "Ninety thousand." in str(found.prompt) and "opens at nine" in str(found.prompt)
    assert [step.name for step in found.steps] == ["answer"]


@pytest.mark.parametrize("path", ["pay.md", "**", "pay.md#salaries", "pay.md#pay"])
def test_an_inlined_text_that_is_not_public_any_more_reaches_no_prompt(desk: Desk, path: str) -> None:
    stack = inlining(desk)
    desk.look(Rule(path=path, groups=("board",)))
    found = asked(stack, desk)
    assert "Ninety thousand." not in str(found.prompt) and "docs/pay.md" in told(found)
    assert ("opens at nine" in str(found.prompt)) == (path != "**")
    assert ("Dogs may come" in str(found.prompt)) == ("#" in path)
    desk.look()
    assert "Ninety thousand." in str(asked(stack, desk).prompt)


def test_a_text_that_is_gone_reaches_no_prompt(desk: Desk) -> None:
    stack = inlining(desk)
    write(desk.folder, {"docs/pay.md": PAY.replace("Ninety thousand", "Secret now")})
    desk.look()
    edited = asked(stack, desk)
    assert "Ninety thousand." not in str(edited.prompt) and "Secret now." in str(edited.prompt)
    assert told(edited) == "not as they were, taken as they are now: docs/pay.md"
    (desk.folder / "docs/pay.md").unlink()
    desk.look()
    deleted = asked(stack, desk)
    assert "Pay" not in str(deleted.prompt) and told(deleted) == "not public any more, left out: docs/pay.md"
    desk.index = None
    assert asked(stack, desk).prompt[0].role == "user"


def test_an_example_is_shown_as_long_as_everybody_may_read_its_evidence(desk: Desk) -> None:
    stack = BARE.with_part(Shots(pairs=(("How much?", "Ninety thousand."), ("When?", "At nine."))))
    assert [each.content for each in asked(stack, desk).prompt] == [
        "How much?",
        "Ninety thousand.",
        "When?",
        "At nine.",
        "Well?",
    ]
    desk.look(Rule(path="pay.md#salaries", groups=("board",)))
    found = asked(stack, desk)
    assert [each.content for each in found.prompt] == ["When?", "At nine.", "Well?"]
    assert told(found) == "not public or no example any more, left out: 1"
    desk.look()
    write(desk.folder, {"docs/pay.md": PAY.replace("Salaries", "What we earn")})
    desk.look(Rule(path="pay.md#what-we-earn", groups=("board",)))
    assert "Ninety" not in str(asked(stack, desk).prompt)  # its section has another name, and other readers
    write(desk.folder, {"docs/pay.md": PAY})
    (desk.folder / "docs/open.md").unlink()
    desk.look()
    assert "At nine." not in str(asked(stack, desk).prompt)


def test_an_example_that_was_taken_out_of_the_file_is_not_shown(desk: Desk) -> None:
    stack = BARE.with_part(Shots(pairs=(("Who?", "Ana."), ("When?", "At nine.")), nearest=2))
    assert [each.content for each in asked(stack, desk).prompt] == ["When?", "At nine.", "Well?"]
