"""A project's workshop: opens the models and indexes that stacks name, and keeps every reply in the ledger."""

from collections.abc import Callable, Sequence
from pathlib import Path

from levers.economics import Usage
from levers.errors import LeversError
from levers.knowledge import Access, Chunking, Found, Index, Query, build, made_with, open_index
from levers.ledger import Purse, Replay, export, load
from levers.model import (
    Budget,
    Embedder,
    Model,
    QueryTuned,
    Replayed,
    ReplayedEmbedder,
    ReplayedReranker,
    Reranker,
    Spared,
    is_hosted,
    open_embedder,
    open_model,
    open_reranker,
    open_sharpened,
    open_sharpened_reranker,
    sharpened_name,
)
from levers.stack.records import Inline, ModelRef, Passage, Retrieve, Shots
from levers.stack.shared import Shared
from levers.task import AUTO, Models

LEDGER = "ledger.sqlite"
INDEXES = "indexes"
ADAPTERS = "adapters"
EMBEDDERS = "embedders"

PriceOf = Callable[[ModelRef], Callable[[Usage], float]]
"""From a model, and how long it keeps a prompt's beginning, to what its usage costs in USD.

Raises UserError where no price is known.
"""


def unpriced(model: ModelRef) -> Callable[[Usage], float]:
    """Refuse to price: for workshops without a price book."""
    raise LeversError(f"a spending cap needs a price for {model.id}", "give the workshop a price book")


class IndexFinder:
    """An index seen as the retrieve part needs it."""

    def __init__(self, index: Index) -> None:
        """Search this index."""
        self.index = index

    def find(self, queries: Sequence[Query], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
        """Return the part's `k` passages for each query, under the user's rights.

        Raises LeversError when the part was measured with a reranker that the project no longer names.
        """
        users = [user] * len(queries)
        found = as_in(self.index, part).search(queries, users=users, k=part.k, mode=part.mode, hops=part.hops)
        return [tuple(passage(each) for each in passages) for passages in found]


class ProjectWorkshop:
    """The workshop of one project folder. Everything it makes lies under `state`."""

    def __init__(
        self,
        root: Path,
        state: Path,
        models: Models,
        access: Access,
        shared: Shared,
        price: PriceOf = unpriced,
    ) -> None:
        """Open the ledger; models and indexes open when a stack first names them.

        `shared` knows what may stand in everybody's prompt. `price` says what a hosted model's usage costs; it is asked
        where the project caps its spending.
        """
        self.state = state
        self.access = access
        self._shared = shared
        self._root = root
        self._configured = models
        self._price = price
        self._purse = Purse(state / LEDGER) if models.cap is not None else None
        self._models: dict[tuple[str, str | None, str | None], Model] = {}
        self._opened: list[Replayed] = []
        self._finders: dict[str, IndexFinder] = {}
        self._embedders: dict[str, Embedder] = {}
        self._rerankers: dict[str, Reranker] = {}
        self._replay = Replay(state / LEDGER)
        self._spared = Spared()

    def model(self, reference: ModelRef) -> Model:
        """Open the model of that reference, its adapter included."""
        key = (reference.id, reference.adapter, reference.cache)
        if key not in self._models:
            self._models[key] = self.opened(reference, self._budget(reference))
        return self._models[key]

    def opened(self, reference: ModelRef, budget: Budget | None) -> Model:
        """Open a model under a budget, the ledger in front of it."""
        model = open_model(
            reference.id,
            base_url=self._server(reference.id),
            adapter=self.adapter(reference.adapter) if reference.adapter else None,
            root=self._root,
            budget=budget,
        )
        self._opened.append(Replayed(model, self._replay))
        return self._opened[-1]

    @property
    def spared(self) -> float:
        """Seconds that searches did not take so far, for the ledger kept what they ask for."""
        return self._spared.seconds

    @property
    def outages(self) -> int:
        """Count the replies that outages of servers have cost so far, whichever model was asked."""
        return sum(model.outages for model in self._opened)

    def cost(self, reference: str, usage: Usage) -> float | None:
        """Return what a model's usage costs in USD; None where no price is known."""
        try:
            return self._price(ModelRef(id=reference))(usage)
        except LeversError:
            return None

    def budget_within(self, reference: ModelRef, usd: float, purse: Purse) -> Budget:
        """Return a cap of so much for a hosted model, inside the project's own. Raises UserError without a price."""
        return Budget(usd, self._price(reference), purse, self._budget(reference))

    def adapter(self, name: str) -> Path:
        """Return the folder of an adapter. Raises LeversError when it is not there."""
        folder = self.state / ADAPTERS / name
        if not folder.is_dir():
            raise LeversError(f"there is no adapter {name}", "pull tune again: the adapter was deleted")
        return folder

    def finder(self, index: str) -> IndexFinder:
        """Open the index of that digest, with the embedder it was made with."""
        if index not in self._finders:
            sharpened = sharpened_name(made_with(self.state / INDEXES, index)[0])
            self._finders[index] = self.searching(index, self.embedder(sharpened), sharpened)
        return self._finders[index]

    def searching(self, index: str, embedder: Embedder, sharpened: str = "") -> IndexFinder:
        """Open an index anew, with this embedder for the questions."""
        opened = open_index(self.state / INDEXES, index, embedder, self.access)
        return IndexFinder(opened.reranked(self.reranker(sharpened)))

    def inline(self, part: Inline) -> tuple[Inline, str]:
        """Return the part with the public text of its documents as they are now, and a word on what changed."""
        return self._shared.inline(part)

    def shots(self, part: Shots) -> tuple[Shots, str]:
        """Return the part with the pairs that everybody may read now, and a word on what was left out."""
        return self._shared.shots(part)

    def under(self, access: Access) -> None:
        """Go on under other access rules: indexes that were opened under the old ones are opened anew."""
        self.access = access
        self._finders.clear()

    def build(
        self,
        documents: Path,
        prefix: str,
        on_progress: Callable[[int, int], None] | None = None,
        chunking: Chunking | None = None,
        sharpened: str = "",
        embedder: Embedder | None = None,
    ) -> Index:
        """Index a folder of documents, or open the index that has this content.

        `sharpened` names an embedder that sharpen made; without it the project's own embeds, opened anew where
        `embedder` is given.
        """
        where, embeds = self.state / INDEXES, embedder or self.embedder(sharpened)
        built = build(documents, prefix, self.access, embeds, where, chunking, on_progress)
        index = built.reranked(self.reranker(sharpened))
        self._finders[index.digest] = IndexFinder(index)  # under the access rules of now
        return index

    def made_with(self, index: str) -> tuple[str, Chunking]:
        """Return the sharpened embedder's name (empty for the project's own) and the chunking behind an index.

        Raises LeversError when it is not there.
        """
        embedder, chunking = made_with(self.state / INDEXES, index)
        return sharpened_name(embedder), chunking

    def embedder(self, sharpened: str = "") -> Embedder:
        """Open the project's embedding model, or the one of that name that sharpen made of it."""
        if sharpened not in self._embedders:
            if sharpened:
                if self._configured.embed != "minilm":
                    hint = "name minilm again, or pull retrieve and sharpen again"
                    raise LeversError(f"{sharpened} is a sharpened minilm, models.embed is another", hint)
                opened = open_sharpened(self.state / EMBEDDERS / sharpened)
                queries = ReplayedEmbedder(opened, self._replay, self._spared)
                self._embedders[sharpened] = QueryTuned(queries, self.embedder())
            else:
                self._embedders[sharpened] = self.opened_embedder(self._budget(self.embeds))
        return self._embedders[sharpened]

    @property
    def embeds(self) -> ModelRef:
        """The project's embedding model."""
        return ModelRef(id=self._configured.embed)

    def opened_embedder(self, budget: Budget | None) -> Embedder:
        """Open the project's embedding model under a budget, the ledger in front of it."""
        embed = self._configured.embed
        opened = open_embedder(embed, base_url=self._server(embed), root=self._root, budget=budget)
        return ReplayedEmbedder(opened, self._replay, self._spared)

    def embedder_within(self, usd: float, purse: Purse) -> Embedder:
        """Open the project's embedding model under a cap of so much, inside the project's own.

        Its price is looked up once something new is embedded: what is kept needs none. Raises UserError then.
        """
        embeds = self.embeds

        def cost(usage: Usage) -> float:
            return self._price(embeds)(usage)

        return self.opened_embedder(Budget(usd, cost, purse, self._budget(embeds)))

    def reranker(self, sharpened: str = "") -> Reranker | None:
        """Open the reranker; `auto` is minilm's where minilm embeds, else none.

        Beside a sharpened embedder, minilm's compares the tokens that the sharpened one gives to the question.
        """
        named = self._configured.rerank
        if named == AUTO:
            named = "minilm" if self._configured.embed == "minilm" else None
        if named is None:
            return None
        tuned = sharpened if named == "minilm" else ""
        if tuned not in self._rerankers:
            folder = self.state / EMBEDDERS / tuned
            opened = open_sharpened_reranker(folder) if tuned else open_reranker(named, root=self._root)
            self._rerankers[tuned] = ReplayedReranker(opened, self._replay, self._spared)
        return self._rerankers[tuned]

    def _server(self, reference: str) -> str | None:
        """Return `base_url` where it serves this reference: Anthropic's where that answers, else OpenAI's."""
        same = reference.startswith("anthropic/") == self._configured.answer.startswith("anthropic/")
        return self._configured.base_url if is_hosted(reference) and same else None

    def _budget(self, reference: ModelRef) -> Budget | None:
        """Return the project's cap for a hosted model. Raises UserError where the model has no price to hold it."""
        if self._purse is None or self._configured.cap is None or not is_hosted(reference.id):
            return None
        return Budget(self._configured.cap, self._price(reference), self._purse)

    def kept(self) -> tuple[int, float | None]:
        """Return how many values the ledger keeps, and USD spent under the project's cap; None without one."""
        return len(self._replay), self._purse.spent if self._purse else None

    def record(self, action: str, file: Path) -> int:
        """Export the ledger to a recording, or import one; return how many values moved."""
        return export(self._replay, file) if action == "export" else load(self._replay, file)

    def close(self) -> None:
        """Close the ledger."""
        self._replay.close()
        if self._purse is not None:
            self._purse.close()


class CappedWorkshop:
    """A project's workshop whose hosted models may spend so much together from now on; what is kept stays free."""

    def __init__(self, workshop: ProjectWorkshop, usd: float) -> None:
        """Allow `usd` more, within the project's own cap."""
        self._workshop = workshop
        self._usd = usd
        self._purse = Purse()
        self._models: dict[tuple[str, str | None], Model] = {}
        self._finders: dict[str, IndexFinder] = {}

    @property
    def spent(self) -> float:
        """USD spent through this workshop."""
        return self._purse.spent

    def model(self, reference: ModelRef) -> Model:
        """Open the model of that reference, under the cap where it is hosted."""
        if not is_hosted(reference.id):
            return self._workshop.model(reference)
        key = (reference.id, reference.cache)
        if key not in self._models:
            budget = self._workshop.budget_within(reference, self._usd, self._purse)
            self._models[key] = self._workshop.opened(reference, budget)
        return self._models[key]

    def embedder(self) -> Embedder | None:
        """Open the project's embedding model under the cap; None where no server embeds."""
        if not is_hosted(self._workshop.embeds.id):
            return None
        return self._workshop.embedder_within(self._usd, self._purse)

    def finder(self, index: str) -> IndexFinder:
        """Open the index of that digest; where a server embeds, its questions are embedded under the cap."""
        if index not in self._finders:
            embedder = self.embedder()
            if embedder is None:
                return self._workshop.finder(index)
            self._finders[index] = self._workshop.searching(index, embedder)
        return self._finders[index]

    @property
    def spared(self) -> float:
        """Seconds that searches did not take so far, for the ledger kept what they ask for."""
        return self._workshop.spared

    def inline(self, part: Inline) -> tuple[Inline, str]:
        """Return the part with the public text of its documents as they are now, and a word on what changed."""
        return self._workshop.inline(part)

    def shots(self, part: Shots) -> tuple[Shots, str]:
        """Return the part with the pairs that everybody may read now, and a word on what was left out."""
        return self._workshop.shots(part)


def as_in(index: Index, part: Retrieve) -> Index:
    """Return the index searched as a retrieve part says: with its reranker, or without one.

    Raises LeversError when the part names a reranker that the project does not.
    """
    if part.rerank is None:
        return index.reranked(None)
    if index.reranker is None or index.reranker.id != part.rerank:
        named = index.reranker.id if index.reranker else "none"
        hint = "name it again under models.rerank in levers.yaml, or pull retrieve again"
        raise LeversError(f"the stack reranks with {part.rerank}, the project with {named}", hint)
    return index


def passage(found: Found) -> Passage:
    """Turn what search found into a passage as a stack shows it."""
    return Passage(**found.model_dump())
