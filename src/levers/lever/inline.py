"""inline: put small knowledge into the prompt. Under about 10,000 tokens an index is overkill."""

from typing import Any

from levers.diagnosis import ProbeName
from levers.economics import threshold
from levers.errors import LeversError, Problem, UserError
from levers.knowledge import Found
from levers.ledger import Record
from levers.lever.figures import Terms, quote, tokens
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.plan import Quote
from levers.stack import Inline
from levers.stack.shared import laid_out
from levers.tuning import Recipe, window_of

_ANY = 10_000_000  # tokens: no limit but the model's own


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
        elif (window := _window(situation)) is not None and length > window:
            blocked = f"the documents are about {length:,.0f} tokens; the model reads {window:,} at most"
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


def overkill(situation: Situation) -> str:
    """Say why the documents belong into the prompt before an index is tried; empty where they do not, or did not help.

    Only public documents can stand in everybody's prompt: where one is not, or a section of one, search it is.
    """
    index, stack = situation.index(), situation.stack
    if index is None or stack.part("inline") or stack.part("retrieve"):
        return ""
    if any(attempt.lever == InlineLever.name for attempt in situation.attempts):
        return ""
    chunks = index.chunks()
    length = sum(tokens(text) for _, text in public_documents(situation))
    limit, window = threshold("inline"), _window(situation)
    if not chunks or length > limit.low or (window is not None and length > window):
        return ""
    if not all(index.may_find(each.document, each.section) for each in chunks):
        return ""
    return f"the documents are about {length:,.0f} tokens: put them into the prompt and cache it ({limit.source})"


def _window(situation: Situation) -> int | None:
    """Return the most tokens a local model reads, None for a hosted one."""
    model = situation.stack.model.id
    if not model.startswith(("pocket", "hf/")):
        return None
    try:
        return window_of(model, Recipe(max_length=_ANY), situation.bench.task.root)
    except LeversError:
        return None


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
