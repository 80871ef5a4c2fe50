"""Open a project folder: its task, documents, prices and models, ready to be measured."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

from levers.economics import PriceBook, Usage, answer_cost, at_lifetime
from levers.errors import LeversError, Problem, UserError
from levers.knowledge import Access, Chunking, Index, Query, load_access
from levers.knowledge.watch import Stamps, settled, stamps
from levers.ledger import digest, write_atomic
from levers.loop.records import SEED
from levers.model import Embedder, billed, is_hosted, known_reference
from levers.stack import Instruct, ModelRef, Retrieve, Stack
from levers.stack.answerer import searched
from levers.stack.shared import Shared
from levers.stack.workshop import CappedWorkshop, ProjectWorkshop
from levers.task import Case, Task, load
from levers.task.references import split_reference
from levers.trial.bench import Bench, Progress, silent
from levers.trial.graders import Kit
from levers.trial.measure import question
from levers.trial.shelf import Shelf

CURRENT = "stack.json"
STACKS = "stacks"


class Project:
    """One project, opened. Nothing heavy is loaded until a model or an index is needed."""

    def __init__(self, path: Path | str, progress: Progress = silent) -> None:
        """Read and check the project's files. Raises UserError with every problem at once."""
        self.task: Task = load(path, known_reference=known_reference, evidence_required=False)
        self.progress = progress
        self.access: Access = self._read_access()
        overrides = self.task.config.prices
        self.prices = PriceBook.load(self.task.root / overrides if overrides else None, overrides)
        shared = Shared(lambda: self.index, self.task.examples)
        self.workshop = ProjectWorkshop(
            self.task.root, self.task.state, self.task.config.models, self.access, shared, self._price
        )
        self._others: dict[tuple[str, Chunking], Index | None] = {}
        self._seen: Stamps | None = None

    @cached_property
    def index(self) -> Index | None:
        """The index of the documents as they are now; None when the project has none.

        Raises UserError for an access rule that matches nothing: what it is meant to close would be open to all.
        """
        whole = self._whole
        problems = whole.problems if whole else ()
        idle = [each for each in problems if (each.file, each.field) == (self.access.file, "rules.path")]
        if idle:
            raise UserError(idle)
        return whole

    @cached_property
    def _whole(self) -> Index | None:
        """The same, whatever the rules match: to be brought up to date, not to be shown."""
        return self._index()

    def index_for(self, stack: Stack) -> Index | None:
        """Return the index of the documents as they are now, cut and embedded as the index that the stack names.

        A stack whose index was purged gets the project's own.
        """
        return self._cut_for(stack, self.index)

    def _cut_for(self, stack: Stack, own: Index | None) -> Index | None:
        part = stack.part("retrieve")
        if own is None or not isinstance(part, Retrieve) or part.index == own.digest:
            return own
        try:
            made = self.workshop.made_with(part.index)
        except LeversError:
            return own
        if made == ("", Chunking()):
            return own
        if made not in self._others:
            self._others[made] = self._index(*made)
        return self._others[made]

    def _index(
        self, sharpened: str = "", chunking: Chunking | None = None, embedder: Embedder | None = None
    ) -> Index | None:
        if self.task.documents is None:
            return None
        prefix = self.task.config.knowledge.documents or ""
        progress = partial(self.progress, "embed passages")
        return self.workshop.build(self.task.documents, prefix, progress, chunking, sharpened, embedder)

    def refresh(self) -> Index | None:
        """Read the access rules and the documents again, and return the index of now for the stack in use.

        It tells its problems itself, a rule that matches nothing among them; it is not there to be searched.
        """
        self._let_go(self.stamps())
        return self._cut_for(self.stack(), self._whole)

    def follow(self) -> None:
        """Let go of access rules, index and bench if rules or documents changed; they are read again when needed.

        The verbs that answer, search and measure do this first, so that a project may stay open for days.
        Raises UserError when the access rules cannot be understood: then nothing is shown under those of before. Nor is
        anything while a rule matches nothing: the index is not opened then.
        """
        now = self.stamps()
        if self._seen is None or now != self._seen:
            self._let_go(now)

    def stamps(self) -> Stamps:
        """Return by what a changed document or access file is known, from now on."""
        file = self._access_file
        return stamps(self.task.documents, [file] if file else [])

    def _let_go(self, seen: Stamps) -> None:
        self.access = self._read_access()
        self.workshop.under(self.access)
        for name in ("index", "_whole", "bench"):
            self.__dict__.pop(name, None)
        self._others.clear()
        self._seen = seen if settled(seen) else None

    @property
    def _access_file(self) -> Path | None:
        named = self.task.config.knowledge.access
        return self.task.root / named if named else None

    def _read_access(self) -> Access:
        return load_access(self._access_file, self.task.config.knowledge.access)

    @cached_property
    def bench(self) -> Bench:
        """The bench to measure stacks on, with the price of the answering model."""
        return self.bench_for(self.task.config.models.answer)

    def bench_for(self, model: str) -> Bench:
        """Return the bench with the price of the model that answers, which is not the task's once one is distilled."""
        return Bench(
            task=self.task,
            workshop=self.workshop,
            library=self._shelf(self.workshop),
            cost_of=self.cost_of(ModelRef(id=model)),
            progress=self.progress,
            kit=self._kit(),
            price=self.prices.charged(billed(model)),
        )

    def capped(self, usd: float) -> tuple[Bench, CappedWorkshop]:
        """Return the bench with so much to spend on hosted models, judges included, and what counts the spending.

        Documents that a server has to embed yet are embedded now, under the same cap.

        Raises UserError for an amount under 0, BudgetError where embedding takes more; where a hosted model has no
        price, once it is asked.
        """
        if not usd >= 0:
            raise UserError(Problem(file="levers diagnose", field="cap", found=f"{usd:g}", expected="USD, 0 or more"))
        workshop = CappedWorkshop(self.workshop, usd)
        if embedder := workshop.embedder():
            self._index(embedder=embedder)  # what has to be embedded yet is paid under the cap, and kept
        kit = replace(self.bench.tools, open_model=lambda reference: workshop.model(ModelRef(id=reference)))
        return replace(self.bench, workshop=workshop, library=self._shelf(workshop), kit=kit), workshop

    def _shelf(self, workshop: ProjectWorkshop | CappedWorkshop) -> Shelf:
        """Open the documents to experiments, searched as a stack searches them."""

        def asked(case: Case, stack: Stack) -> Query:
            return searched(stack, question(case), workshop)

        return Shelf(self.index, lambda name: workshop.finder(name).index, asked)

    def _kit(self) -> Kit:
        """What graders may use: schemas, files, models and the access rules of this project."""
        return Kit(
            schemas=self.task.schemas,
            root=self.task.root,
            open_model=lambda reference: self.workshop.model(ModelRef(id=reference)),
            embedder=self.workshop.embedder,
            readable=self._readable if self.index else None,
            tables=self.task.config.knowledge.tables,
        )

    def _readable(self, reference: str, user: str | None) -> bool:
        """Tell whether a user may read the passages of a section; what the project does not hold is nobody's secret.

        A document without a section is what stands before its first heading, as a citation names it.
        """
        index = self.index
        if index is None:
            return True
        document, section = (reference, None) if index.section(reference) else split_reference(reference)
        return index.may_find(document, section or "", user) or not index.section(document)

    def start(self) -> Stack:
        """Return the plain prompt: the answer model and the team's brief, nothing else."""
        models = self.task.config.models
        return Stack(
            model=ModelRef(id=models.answer, cache=models.cache), parts=(Instruct(text=self.task.instructions),)
        )

    def stack(self, name: str | None = None) -> Stack:
        """Return a stack by name: `start`, a digest (or its beginning), or None for the one in use (else the start)."""
        if name == "start":
            return self.start()
        folder = self.task.state
        path = folder / CURRENT if name is None else self._named(name)
        if name is None and not path.is_file():
            return self.start()
        try:
            return Stack.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            shown, hint = path.relative_to(self.task.root).as_posix(), "delete the file; `levers run` writes it again"
            reason = str(error).split("\n", 1)[0]
            expected = "a stack as levers wrote it"
            raise UserError(Problem(file=shown, found=reason, expected=expected, hint=hint)) from None

    def keep(self, stack: Stack, use: bool = False) -> None:
        """Write a stack down under its digest, and make it the one in use if asked."""
        text = json.dumps(stack.model_dump(mode="json"), indent=2, ensure_ascii=False)
        write_atomic(self.task.state / STACKS / f"{stack.digest}.json", text)
        if use:
            write_atomic(self.task.state / CURRENT, text)

    def run_id(self) -> str:
        """Name a run by all that decides its outcome: task, documents, access, prices, models, version, seed."""
        models = self.task.config.models
        return digest(
            [
                version("levers"),
                SEED,
                self.task.digest,
                self.index.digest if self.index else None,
                self.access,
                self.prices,
                self.workshop.model(self.start().model).id,
                self._local_ids(),
                models,
            ],
            12,
        )

    def _local_ids(self) -> list[str]:
        """Return the ids of the local models that judge or compare: what they say changes with their weights."""
        config, reranker = self.task.config, self.workshop.reranker() if self.task.documents else None
        named = {name for name in (config.models.reference, *(spec.model for spec in config.graders)) if name}
        found = [self.workshop.model(ModelRef(id=name)).id for name in sorted(named) if not is_hosted(name)]
        return [*found, reranker.id] if reranker else found

    def cost_of(self, model: ModelRef) -> Callable[[Usage], float] | None:
        """Return what a usage of the model costs, its prompts cached for as long as it says; None without a price."""
        price = self.prices.charged(billed(model.id))
        lifetime = model.cache or self.task.config.models.cache
        return partial(answer_cost, price=at_lifetime(price, lifetime)) if price else None

    def _price(self, model: ModelRef) -> Callable[[Usage], float]:
        found = self.cost_of(model)
        if found is None:
            raise UserError(self.prices.uncapped(billed(model.id), self.task.config.prices))
        return found

    def _named(self, name: str) -> Path:
        found = sorted((self.task.state / STACKS).glob(f"{_safe(name)}*.json"))
        if len(found) == 1:
            return found[0]
        known = ", ".join(path.stem for path in sorted((self.task.state / STACKS).glob("*.json")))
        expected = f"`start` or {known}" if known else "`start`; no other stack has been kept yet"
        problem = f"{name}, the beginning of {len(found)} stacks" if found else f"{name}, no such stack"
        raise UserError(Problem(file=str(self.task.state.name), field="stack", found=problem, expected=expected))


def _safe(name: str) -> str:
    if not name.replace("-", "").isalnum():
        raise LeversError(f"{name!r} is no stack's name", "give `start` or a digest such as sha256-41a42521ad71db4b")
    return name if name.startswith("sha256-") else f"sha256-{name}"
