"""inline: put small knowledge into the prompt. Under about 10,000 tokens an index is overkill."""

from typing import Any

from levers.diagnosis import ProbeName
from levers.economics import threshold
from levers.errors import Problem, UserError
from levers.knowledge import Found
from levers.ledger import Record
from levers.lever.figures import Terms, quote, tokens
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.plan import Quote
from levers.stack import Inline
from levers.stack.shared import laid_out


class Settings(Record):
    """Nothing to set: all public documents go in."""


class InlineLever:
    """Gives every question all public documents; cheap to build, paid for with every prompt."""

    name = "inline"
    probes: tuple[ProbeName, ...] = ("knowledge",)
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ("documents",)

    def quote(self, situation: Situation) -> Quote:
        """Quote from the knowledge probe, with the documents' length as the running cost."""
        documents = public_documents(situation)
        length = sum(tokens(text) for _, text in documents)
        limit = threshold("inline")
        blocked = ""
        if not documents:
            blocked = "the project has no public documents"
        elif length > limit.low:
            blocked = f"the documents are about {length:,.0f} tokens; beyond {limit.low:,.0f} retrieve ({limit.source})"
        elif situation.stack.part("inline"):
            blocked = "the documents are in the prompt already"
        elif situation.stack.part("retrieve"):
            blocked = "the stack retrieves from the same documents already"
        terms = Terms(
            answers="knowledge",
            settings={},
            added_tokens=length,
            freshness="the documents of the last pull, as they are now",
            blocked=blocked,
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Put every public document into the system message."""
        parse(Settings, self.name, settings)
        documents = public_documents(situation)
        if not documents:
            raise UserError(
                Problem(file="levers.yaml", field="knowledge.documents", expected="public documents to inline")
            )
        names = ", ".join(name for name, _ in documents)
        changed = f"{len(documents)} documents are in the system message"
        return Pulled(stack=situation.stack.with_part(Inline(documents=documents)), changed=changed, material=names)


def public_documents(situation: Situation) -> tuple[tuple[str, str], ...]:
    """Return name and text of every document that anybody may read and no newer one replaces."""
    index = situation.index()
    if index is None:
        return ()
    texts: dict[str, list[Found]] = {}
    for found in index.chunks():
        if index.may_find(found.document, found.section):
            texts.setdefault(found.document, []).append(found)
    return tuple((name, laid_out(pieces)) for name, pieces in texts.items())
