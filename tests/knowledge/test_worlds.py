"""Generated worlds of users, nested groups, rules and revocations: nobody sees, or can infer, what they may not read.

`LEVERS_WORLDS` sets how many, from `LEVERS_FIRST_WORLD` on; the suite tries a few, a release tries 10,000.
"""

import math
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, Index, Mode, Rule, build, open_index
from levers.knowledge.words import K1, B, words

WORLDS = int(os.environ.get("LEVERS_WORLDS", "6"))
FIRST = int(os.environ.get("LEVERS_FIRST_WORLD", "0"))
CHANGES = int(os.environ.get("LEVERS_CHANGES", "5"))  # of rights, in each world
USERS = ["ana", "ben", "eva", "kim", None, "stranger"]
GROUPS = ["staff", "legal", "o'brien", "a, b", "ünï"]
FOLDERS = ["", "hr/", "hr/pay/", "law/"]
RULES = {  # each with what it means, told apart from the code under test
    "**": lambda place: True,
    "hr/**": lambda place: place.startswith("hr/"),
    "docs/hr/*": lambda place: place == "hr/",
    "hr/pay/": lambda place: place == "hr/pay/",
    "law/*": lambda place: place == "law/",
}
NARROWING = {  # the same for sections: which folders' inner sections a rule narrows
    "**#inner": lambda place: True,
    "hr/**#in*": lambda place: place.startswith("hr/"),
    "docs/law/*#above": lambda place: place == "law/",  # the heading over the inner section
}
MODES: tuple[Mode, ...] = ("hybrid", "bm25", "dense")
SUBJECTS = ["tent", "boot", "rope", "price", "refund", "lamp", "margin"]


Place = tuple[str, str]
"""A document and the slug of a section in it."""


class World:
    """Documents with secrets in two sections each, and rights that change."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.pages: dict[str, tuple[str, set[str]]] = {}
        self.texts: dict[Place, tuple[str, str]] = {}  # heading path and text
        for at in range(self.chance.randint(3, 9)):
            place = self.chance.choice(FOLDERS)
            own = set(self.chance.sample(GROUPS, self.chance.choice([0, 0, 0, 1, 2])))
            name = f"docs/{place}d{at}.md"
            said = f"secret{at}x " + " ".join(self.chance.choices(SUBJECTS, k=self.chance.randint(2, 12)))
            deep = f"deep{at}x " + " ".join(self.chance.choices(SUBJECTS, k=self.chance.randint(2, 8)))
            self.pages[name] = (place, own)
            self.texts[name, "open"], self.texts[name, "inner"] = ("Open", said), ("Above > Inner", deep)
            head = f"---\ngroups: {sorted(own)!r}\n---\n" if own else ""
            write(folder, {name: f"{head}# Open\n\n{said}\n\n# Above\n\n## Inner\n\n{deep}\n"})
        self.members: dict[str, set[str]] = {group: set() for group in GROUPS}
        self.rules: list[tuple[str, set[str]]] = []
        for _ in range(6):
            self.change()

    def change(self) -> None:
        """A user joins or leaves a group, a group is put into another, a rule comes, goes or moves."""
        group, other = self.chance.sample(GROUPS, 2)
        user = self.chance.choice(USERS[:4])
        kind = self.chance.choice(["join", "leave", "move", "nest", "rule", "narrow", "unrule", "shuffle"])
        if kind == "join":
            self.members[group].add(user)
        elif kind == "leave":
            self.members[group].discard(user)
        elif kind == "move":
            self.members[group].discard(user)
            self.members[other].add(user)
        elif kind == "nest":
            self.members[group] ^= {other}
        elif kind in ("rule", "narrow"):
            named = {group, other} if self.chance.random() < 0.3 else {group}
            self.rules.append((self.chance.choice(list(RULES if kind == "rule" else NARROWING)), named))
        elif kind == "unrule" and self.rules:
            self.rules.pop(self.chance.randrange(len(self.rules)))
        else:
            self.chance.shuffle(self.rules)

    def access(self) -> Access:
        groups = {name: tuple(sorted(members)) for name, members in self.members.items()}
        rules = tuple(Rule(path=path, groups=tuple(sorted(named))) for path, named in self.rules)
        return Access(groups=groups, rules=rules)

    def inside(self, user: str | None, group: str, seen: frozenset[str] = frozenset()) -> bool:
        """Follow memberships downwards, from the group to the user; the code goes upwards."""
        if user in self.members[group]:
            return True
        nested = [each for each in self.members[group] & set(GROUPS) if each not in seen]
        return any(self.inside(user, each, seen | {group}) for each in nested)

    def open_to(self, user: str | None) -> set[Place]:
        allowed = set()
        for name, (place, own) in self.pages.items():
            ruled = [named for path, named in self.rules if path in RULES and RULES[path](place)]
            audience = own or (ruled[-1] if ruled else set())
            if audience and not any(self.inside(user, group) for group in audience):
                continue
            allowed.add((name, "open"))
            narrowed = [named for path, named in self.rules if path in NARROWING and NARROWING[path](place)]
            if not narrowed or any(self.inside(user, group) for group in narrowed[-1]):
                allowed.add((name, "inner"))
        return allowed

    def build(self, embedder: HashingEmbedder) -> Index:
        return build(self.folder / "docs", "docs", self.access(), embedder, self.folder / "indexes")


def bm25(texts: dict[str, str], query: str) -> dict[str, float]:
    """BM25 from its definition, over these texts and no others."""
    bags = {name: Counter(words(text)) for name, text in texts.items()}
    mean = sum(bag.total() for bag in bags.values()) / max(len(bags), 1)
    scores = dict.fromkeys(bags, 0.0)
    for word in words(query):
        holding = sum(word in bag for bag in bags.values())
        rarity = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
        for name, bag in bags.items():
            weight = bag[word] + K1 * (1 - B + B * bag.total() / mean)
            scores[name] += rarity * bag[word] * (K1 + 1) / weight if bag[word] else 0.0
    return {name: score for name, score in scores.items() if score > 0}


def shown(index: Index, user: str | None) -> set[Place]:
    """Everything that any way of searching brings this user, secrets asked for by name included."""
    queries = [" ".join(SUBJECTS), "secret0x secret1x deep0x deep1x secret2x deep2x secret3x secret4x"]
    found: set[Place] = set()
    for mode, hops in ((MODES[0], 1), (MODES[1], 1), (MODES[2], 1), (MODES[0], 2)):
        for passages in index.search(queries, users=[user] * 2, k=50, mode=mode, hops=hops):
            found |= {(passage.document, passage.section) for passage in passages}
    return found


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WORLDS))
def test_nobody_sees_or_infers_what_they_may_not_read(seed, tmp_path):
    world, embedder = World(seed, tmp_path), HashingEmbedder()
    index = world.build(embedder)
    for _ in range(CHANGES):
        world.change()
        old = open_index(tmp_path / "indexes", index.digest, embedder, world.access())
        new = world.build(embedder)
        told = " ".join(str(problem) for problem in (*new.problems, *old.problems))
        assert "secret" not in told and "deep" not in told
        for user in USERS:
            allowed = world.open_to(user)
            assert shown(old, user) <= allowed  # an old version, the rights of now: revocation is at once
            assert shown(new, user) == allowed
            whole = {name for name in world.pages if {(name, "open"), (name, "inner")} <= allowed}
            assert {name for name in world.pages if new.may_read(name, user)} == whole
            assert {name for name in world.pages if old.may_read(name, user)} <= whole
            for name, slug in world.texts:
                assert new.may_read(f"{name}#{slug}", user) == ((name, slug) in allowed)
            for name, slug in set(world.texts) - allowed:
                assert new.rank_of(world.texts[name, slug][1], name, slug, user=user) is None
            texts = {f"{name}#{slug}": "\n".join(world.texts[name, slug]) for name, slug in allowed}
            ranked = new.ranking(["tent price lamp"], users=[user], mode="bm25")[0]
            assert {each.reference: each.score for each in ranked} == pytest.approx(
                bm25(texts, "tent price lamp"), abs=2e-6
            )
        index = new
