"""A project's workshop: opens the models and indexes that stacks name, and keeps every reply in the ledger."""

from collections.abc import Callable, Sequence
from pathlib import Path

from levers.errors import LeversError
from levers.knowledge import Access, Found, Index, build, open_index
from levers.ledger import Replay
from levers.model import Embedder, Model, Replayed, ReplayedEmbedder, open_embedder, open_model
from levers.stack.records import ModelRef, Passage, Retrieve

LEDGER = "ledger.sqlite"
INDEXES = "indexes"
ADAPTERS = "adapters"


class IndexFinder:
    """An index seen as the retrieve part needs it."""

    def __init__(self, index: Index) -> None:
        """Search this index."""
        self.index = index

    def find(self, queries: Sequence[str], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
        """Return the part's `k` passages for each query, under the user's rights."""
        found = self.index.search(queries, users=[user] * len(queries), k=part.k, mode=part.mode)
        return [tuple(passage(each) for each in passages) for passages in found]


class ProjectWorkshop:
    """The workshop of one project folder. Everything it makes lies under `state`."""

    def __init__(self, root: Path, state: Path, embed: str, access: Access, base_url: str | None = None) -> None:
        """Open the ledger; models and indexes open when a stack first names them."""
        self.state = state
        self.access = access
        self._root = root
        self._embed = embed
        self._base_url = base_url
        self._models: dict[tuple[str, str | None], Model] = {}
        self._finders: dict[str, IndexFinder] = {}
        self._embedder: Embedder | None = None
        self._replay = Replay(state / LEDGER)

    def model(self, reference: ModelRef) -> Model:
        """Open the model of that reference, its adapter included."""
        key = (reference.id, reference.adapter)
        if key not in self._models:
            adapter = self.adapter(reference.adapter) if reference.adapter else None
            base_url = self._base_url if reference.id.startswith("openai/") else None
            model = open_model(reference.id, base_url=base_url, adapter=adapter, root=self._root)
            self._models[key] = Replayed(model, self._replay)
        return self._models[key]

    def adapter(self, name: str) -> Path:
        """Return the folder of an adapter. Raises LeversError when it is not there."""
        folder = self.state / ADAPTERS / name
        if not folder.is_dir():
            raise LeversError(f"there is no adapter {name}", "pull tune again: the adapter was deleted")
        return folder

    def finder(self, index: str) -> IndexFinder:
        """Open the index of that digest."""
        if index not in self._finders:
            opened = open_index(self.state / INDEXES, index, self.embedder(), self.access)
            self._finders[index] = IndexFinder(opened)
        return self._finders[index]

    def build(self, documents: Path, prefix: str, on_progress: Callable[[int, int], None] | None = None) -> Index:
        """Index a folder of documents, or open the index that has this content."""
        index = build(documents, prefix, self.access, self.embedder(), self.state / INDEXES, on_progress=on_progress)
        self._finders[index.digest] = IndexFinder(index)  # under the access rules of now
        return index

    def embedder(self) -> Embedder:
        """Open the embedding model."""
        if self._embedder is None:
            base_url = self._base_url if self._embed.startswith("openai/") else None
            embedder = open_embedder(self._embed, base_url=base_url, root=self._root)
            self._embedder = ReplayedEmbedder(embedder, self._replay)
        return self._embedder

    def close(self) -> None:
        """Close the ledger."""
        self._replay.close()


def passage(found: Found) -> Passage:
    """Turn what search found into a passage as a stack shows it."""
    return Passage(**found.model_dump())
