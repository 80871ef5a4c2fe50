"""Models and embedders that never compute or pay twice: what was answered once comes from the ledger.

`Replayed(Absent(id), replay)` is the keyless replay for tests: recorded asks are answered, an unseen one is an error.
"""

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from levers.errors import ModelError
from levers.ledger import Replay, digest, new_owner
from levers.model.contract import Ask, Compared, Embedder, Model, Reply, Reranker

_CHUNK = 64
_POLL = 0.05


@runtime_checkable
class Streams(Protocol):
    """A model that gives replies as they come, so that a kill loses only what is under way."""

    def stream(self, asks: Sequence[Ask]) -> Iterator[dict[int, Reply]]:
        """Yield {place among the asks: reply}, each place once, in any order; what comes together is kept together."""


@runtime_checkable
class StreamsVectors(Protocol):
    """An embedder that gives vectors as they come, so that a refused call loses nothing that was paid before it."""

    def stream(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> Iterator[dict[int, NDArray[np.float32]]]:
        """Yield {place among the texts: unit vector}, each place once, in any order."""


class Replayed:
    """A model in front of a ledger. Keys are digests of the model's id and the ask; error replies are not kept.

    Equal asks of one batch are asked once and share the reply, usage included: what an answer costs, not what was paid.
    Equal asks under way at the same time, in another thread or process, are asked once too: the others wait.
    """

    def __init__(self, model: Model, replay: Replay) -> None:
        """Put `replay` before `model`."""
        self._model = model
        self._replay = replay
        self.outages = 0
        """Replies lost to outages so far."""

    @property
    def id(self) -> str:
        """The id of the model behind."""
        return self._model.id

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer from the ledger where it can, else from the model; what comes is kept as it comes."""
        replies = {place: reply for done in self.stream(asks) for place, reply in done.items()}
        return [replies[place] for place in range(len(asks))]

    def stream(self, asks: Sequence[Ask]) -> Iterator[dict[int, Reply]]:
        """Give {place among the asks: reply}: first what the ledger holds, then the rest as it comes and is kept."""
        places: dict[str, list[int]] = {}
        for place, ask in enumerate(asks):
            places.setdefault(digest(["reply", self.id, ask], 32), []).append(place)
        for named in self._found({key: asks[found[0]] for key, found in places.items()}):
            yield {place: reply for key, reply in named.items() for place in places[key]}

    def _found(self, asks: dict[str, Ask]) -> Iterator[dict[str, Reply]]:
        owner = new_owner()
        known = self._kept(asks)
        missing = {key: ask for key, ask in asks.items() if key not in known}
        if known:
            yield known
        while missing:
            mine = self._replay.claim(missing, owner)
            try:
                known = self._kept(mine)  # what another finished between our look and our claim
                if known:
                    yield known
                yield from self._asked({key: ask for key, ask in missing.items() if key in mine - known.keys()}, owner)
            finally:
                self._replay.release(owner)
            missing = {key: ask for key, ask in missing.items() if key not in mine}
            if missing:  # under way elsewhere; asked here if it comes to nothing there
                time.sleep(_POLL)
                known = self._kept(missing)
                missing = {key: ask for key, ask in missing.items() if key not in known}
                if known:
                    yield known

    def _kept(self, keys: Iterable[str]) -> dict[str, Reply]:
        return {key: Reply.model_validate(value) for key, value in self._replay.get(keys).items()}

    def _asked(self, asks: dict[str, Ask], owner: str) -> Iterator[dict[str, Reply]]:
        # Shortest first and whole chunks, so that the chunks after a kill are those of an undisturbed run.
        names = sorted(asks, key=lambda key: (sum(len(each.content) for each in asks[key].messages), key))
        for fresh in self._fresh([asks[name] for name in names]):
            named = {names[place]: reply for place, reply in fresh.items()}
            self.outages += sum(reply.outage for reply in named.values())
            good = {key: reply.model_dump() for key, reply in named.items() if reply.finish != "error"}
            if self._replay.put(good, owner) < len(good):  # another was first: its replies are the ledger's
                named |= self._kept(good)
            yield named

    def _fresh(self, asks: list[Ask]) -> Iterator[dict[int, Reply]]:
        if not asks:
            return
        if isinstance(self._model, Streams):
            yield from self._model.stream(asks)
            return
        for start in range(0, len(asks), _CHUNK):
            replies = self._model.answer(asks[start : start + _CHUNK])
            yield dict(enumerate(replies, start))


class Absent:
    """A model that cannot be asked: behind a ledger it makes an unseen ask an error that says how to record it."""

    def __init__(self, model_id: str) -> None:
        """Stand in for the model of that id."""
        self.id = model_id

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Raise ModelError: nothing was recorded for these asks."""
        last = asks[0].messages[-1].content[:80] if asks and asks[0].messages else ""
        hint = "record once with the real model in front of the same ledger"
        raise ModelError(f"{self.id}: {len(asks)} ask(s) are not in the record, the first ends {last!r}", hint)


class Spared:
    """Counts the seconds that kept vectors of questions and kept scores took when they were computed.

    Whoever measures how long a search takes adds what was spared meanwhile: a ledger gives them at once.
    """

    def __init__(self) -> None:
        """Begin at nothing."""
        self.seconds = 0.0

    def count(self, kept: Iterable[Any]) -> None:
        """Add the seconds beside values of a ledger; older ones have none."""
        self.seconds += sum(value[1] for value in kept if isinstance(value, list))


class ReplayedEmbedder:
    """An embedder in front of a ledger; vectors are kept as base64 of little-endian float32.

    Those of questions are kept with the seconds that each took.
    """

    def __init__(self, embedder: Embedder, replay: Replay, spared: Spared | None = None) -> None:
        """Put `replay` before `embedder`; `spared` counts what that saves searches."""
        self._embedder = embedder
        self._replay = replay
        self._spared = spared or Spared()

    @property
    def id(self) -> str:
        """The id of the embedder behind."""
        return self._embedder.id

    @property
    def dimension(self) -> int:
        """Length of one vector."""
        return self._embedder.dimension

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Embed a batch, computing only texts that are new; equal texts are computed once."""
        keys = [digest(["vector", self.id, kind, text], 32) for text in texts]
        kept = self._replay.get(keys)
        known = {key: _unpack(value) for key, value in kept.items()}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        names, timed = list(missing), kind == "query"
        if timed:
            self._spared.count(kept.values())
        started = time.perf_counter()
        for came in self._fresh(list(missing.values()), kind):
            seconds = (time.perf_counter() - started) / len(came) if timed and came else None
            fresh = {names[place]: vector for place, vector in came.items()}
            known.update(fresh)
            self._replay.put({name: _pack(vector, seconds) for name, vector in fresh.items()})
            started = time.perf_counter()
        if not keys:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([known[key] for key in keys])

    def _fresh(self, texts: list[str], kind: Literal["query", "passage"]) -> Iterator[dict[int, NDArray[np.float32]]]:
        if isinstance(self._embedder, StreamsVectors):
            yield from self._embedder.stream(texts, kind)
            return
        for start in range(0, len(texts), _CHUNK * 8):
            yield dict(enumerate(self._embedder.embed(texts[start : start + _CHUNK * 8], kind), start))


class ReplayedReranker:
    """A reranker in front of a ledger: what a question and its passages were scored once is not computed again.

    Scores are kept with the seconds that each question's took.
    """

    def __init__(self, reranker: Reranker, replay: Replay, spared: Spared | None = None) -> None:
        """Put `replay` before `reranker`; `spared` counts what that saves searches."""
        self._reranker = reranker
        self._replay = replay
        self._spared = spared or Spared()

    @property
    def id(self) -> str:
        """The id of the reranker behind."""
        return self._reranker.id

    def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
        """Score a batch, computing only questions whose passages or weights are others than before."""
        keys = [digest(["scores", self.id, *each], 32) for each in asked]
        kept = self._replay.get(keys)
        known = {key: _unpack(value) for key, value in kept.items()}
        self._spared.count(kept.values())
        missing = {key: each for key, each in zip(keys, asked, strict=True) if key not in known}
        if missing:
            started = time.perf_counter()
            fresh = dict(zip(missing, self._reranker.score(list(missing.values())), strict=True))
            seconds = (time.perf_counter() - started) / len(missing)
            self._replay.put({key: _pack(scores, seconds) for key, scores in fresh.items()})
            known |= fresh
        return [known[key] for key in keys]


def _pack(vector: NDArray[np.float32], seconds: float | None) -> str | list[Any]:
    text = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return text if seconds is None else [text, seconds]


def _unpack(value: str | list[Any]) -> NDArray[np.float32]:
    text = value if isinstance(value, str) else value[0]
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
