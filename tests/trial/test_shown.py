"""A trial holds what every case was shown against access rules and evidence: leaks are named, evidence is counted."""

from pathlib import Path

import pytest
from knowledge.conftest import HashingEmbedder, write
from trial.make import a_spec, a_task

from levers.economics import Origin, Price, Usage
from levers.knowledge import Access, Index, Rule, build
from levers.model import Reply
from levers.stack import Inline, ModelRef, Retrieve, Shots, Stack
from levers.stack.shared import public_text
from levers.stack.workshop import IndexFinder
from levers.task.records import Case
from levers.testing import ScriptedModel
from levers.trial import Trial
from levers.trial.bench import Bench
from levers.trial.records import Context, Slice
from levers.trial.shelf import Shelf
from levers.trial.statistics import wilson

PAGE = "Tents are made in Porto.\n\n# Salaries\n\nNinety thousand.\n\n# Leave\n\nThirty days.\n"
BOARD = Access(groups={"board": ("eve",)}, rules=(Rule(path="pay.md#salaries", groups=("board",)),))
BARE = Stack(model=ModelRef(id="scripted"))


class Careless:
    """A workshop that shows every passage of its index to everybody, and inlines what it is told to."""

    spared = 0.0

    def __init__(self, index: Index, everything: bool = False, usage: Usage = Usage(input=5)) -> None:  # noqa: B008
        self.index = index
        self.usage = usage
        self.everything = everything

    def model(self, reference: ModelRef) -> ScriptedModel:
        return ScriptedModel(lambda ask: Reply(text="so", usage=self.usage))

    def finder(self, index: str) -> "Careless":
        return self

    def inline(self, part: Inline) -> tuple[Inline, str]:
        return part, ""

    def shots(self, part: Shots) -> tuple[Shots, str]:
        return part, ""

    def find(self, queries, user, part):
        return IndexFinder(self.index).find(queries, "eve" if self.everything else user, part)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    write(tmp_path, {"docs/pay.md": PAGE})
    return build(tmp_path / "docs", "docs", BOARD, HashingEmbedder(), tmp_path / "indexes")


def asked(index: Index, stack: Stack, everything: bool = False) -> Trial:
    evidence = {"open": "docs/pay.md#leave", "closed": "docs/pay.md#salaries"}
    users = {"ana": "ben", "eve": "eve"}
    cases = [
        Case(
            id=f"{user}-{name}",
            input="salaries?",
            expected="so",
            partition="dev",
            evidence=(place,),
            user=users[user],
            tags=(name, "source:pay"),
        )
        for user in users
        for name, place in evidence.items()
    ]
    bench = Bench(
        task=a_task(cases, a_spec("exact")),
        workshop=Careless(index, everything),
        library=Shelf(index, lambda name: index),
    )
    return bench.trial(stack, "dev", "trial")


def test_an_attempt_is_counted_and_what_the_rules_hide_is_no_leak(index: Index) -> None:
    found = asked(index, BARE.with_part(Retrieve(index=index.digest, k=9)))
    assert found.leaks.attempts == 1 and found.leaks.leaks == ()
    shown = {outcome.case: {each.section for each in outcome.answer.passages} for outcome in found.outcomes}
    assert shown["ana-closed"] == {"", "leave"}  # what stands before the first heading is public, and no leak
    assert shown["eve-closed"] == {"", "leave", "salaries"}


def test_a_leak_names_its_case(index: Index) -> None:
    found = asked(index, BARE.with_part(Retrieve(index=index.digest, k=9)), everything=True)
    assert found.leaks.leaks == ("ana-open", "ana-closed")


def test_an_inlined_text_leaks_where_it_holds_what_the_user_may_not_read(index: Index) -> None:
    public = BARE.with_part(Inline(documents=(("docs/pay.md", public_text(index, "docs/pay.md")),)))
    assert "Porto" in str(public) and "Ninety" not in str(public)
    assert asked(index, public).leaks.leaks == ()
    whole = BARE.with_part(Inline(documents=(("docs/pay.md", PAGE.replace("# ", "")),)))
    assert asked(index, whole).leaks.leaks == ("ana-open", "ana-closed")
    gone = BARE.with_part(Inline(documents=(("docs/gone.md", "Once there."),)))
    assert len(asked(index, gone).leaks.leaks) == 4


def test_evidence_counts_by_section_and_only_where_its_user_may_read_it(index: Index) -> None:
    found = asked(index, BARE.with_part(Retrieve(index=index.digest, k=9))).context
    slices = {"closed": Slice(cases=1, recall=1.0), "open": Slice(cases=2, recall=1.0)}
    whole = wilson(3, 3)  # three cases are no certainty
    assert found == Context(cases=3, recall=1.0, interval=whole, whole=3, slices=slices)  # not ben's salaries
    nothing = asked(index, BARE).context
    assert nothing is not None and nothing.recall == 0 and nothing.whole == 0


def test_evidence_of_two_sections_is_half_shown_by_one_passage(index: Index) -> None:
    both = Case(
        id="1",
        input="what about leave?",
        expected="so",
        partition="dev",
        evidence=("docs/pay.md#leave", "docs/pay.md#salaries", "docs/gone.md"),
        user="eve",
    )
    workshop, library = Careless(index), Shelf(index, lambda name: index)
    bench = Bench(task=a_task([both], a_spec("exact")), workshop=workshop, library=library)

    def shown(stack: Stack) -> float:
        found = bench.trial(stack, "dev", "trial").context
        assert found is not None and found.cases == 1
        return found.recall

    assert shown(BARE.with_part(Retrieve(index=index.digest, k=1, mode="bm25"))) == 0.5
    assert shown(BARE.with_part(Inline(documents=(("docs/pay.md", PAGE),)))) == 1.0


def test_a_cost_names_the_prices_that_its_own_usage_was_charged_at(index: Index) -> None:
    """Cached tokens at a derived price make it an assumption; a price that was not needed does not."""
    listed, derived = Origin(provenance="price book", source="the list"), Origin(provenance="assumed", source="a tenth")
    price = Price(model="m", input=3, cache_read=0.3, output=15, origins={"input": listed, "cache_read": derived})
    case = Case(id="1", input="what about leave?", expected="so", partition="dev")
    for usage, source in ((Usage(input=5), "price book: the list"), (Usage(cache_read=5), "assumed: a tenth")):
        workshop, library = Careless(index, usage=usage), Shelf(index, lambda name: index)
        bench = Bench(task=a_task([case], a_spec("exact")), workshop=workshop, library=library, price=price)
        assert bench.trial(BARE, "dev", "trial").cost_source == source
