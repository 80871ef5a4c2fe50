"""tune: fit a small adapter (LoRA) to the reviewed examples, each in the very prompt the stack would send."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import Field

from levers.diagnosis import ProbeName
from levers.errors import LeversError, Problem, UserError
from levers.ledger import Record
from levers.lever.after import check_after
from levers.lever.figures import Terms, quote
from levers.lever.gates import check_force, check_lengths, data_gate, guard, inspect, record_force
from levers.lever.pilots import known_pilots, pilot_gates, run_pilots
from levers.lever.room import room_of_needs
from levers.lever.samples import lay_out
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.model import is_hosted
from levers.plan import GateCheck, Quote
from levers.stack import Stack
from levers.stack.shared import is_public
from levers.stack.workshop import ADAPTERS
from levers.task.records import Task
from levers.trial import Kit
from levers.tuning import Fitted, Method, Progress, Recipe, Sample, fit, recipe_for, rehearse, window_of
from levers.tuning.pilot import SHARES, Piloted

HELD_OUT = 10  # one example in ten decides which epoch is kept
LEAST_KNOWN = 0.2  # above this share of cases without their facts, tuning would teach guessing


# What more practice on the team's own examples may cure beside what its probes hand over.
TEACHES = ("format", "instruction", "tone", "consistency", "reasoning", "capability", "unexplained")


class Settings(Record):
    """The recipe's dials; what is None keeps the recipe's own default for the model.

    `rehearsal` is the share of the prompts that are learnt again under other instructions, with the untuned replies.
    """

    method: Method | None = None
    r: int | None = Field(default=None, ge=1)
    alpha: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    lora_plus: float | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    virtual_tokens: int | None = Field(default=None, ge=1)
    micro_batch: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    checkpointing: bool | None = None
    packing: bool | None = None
    seed: int | None = None
    rehearsal: float = Field(default=0.0, ge=0, le=1)
    force: bool = False


class TuneLever:
    """Puts behaviour (form, tone, labels) into weights; facts stay in the context."""

    name = "tune"
    probes: tuple[ProbeName, ...] = ("format", "instruction", "tone")
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ("examples",)

    def quote(self, situation: Situation) -> Quote:
        """Quote from the probes of form, label and tone together; the data gate is the field's for such a goal."""
        task = situation.bench.task
        piloted = known_pilots(situation.workshop.state, situation.stack, task)
        terms = Terms(
            answers="format, tone, instruction, consistency",
            settings={},
            project="lora, 7-8B",
            effort="days to weeks",
            freshness="until retrained",
            gates=(
                *_gates(situation, piloted),
                *(guard(situation).checks() if task.examples else ()),
                *_lengths(situation),
            ),
            blocked=_blocked(situation),
            pilot=piloted,
            reach=room_of_needs(situation, lambda need: need.name in TEACHES),
        )
        return quote(self.name, self.probes, situation, terms)

    def check(self, task: Task, settings: dict[str, Any], stack: Stack) -> None:
        """Refuse what guards and data gates stop, unless it is forced; what pilots foresee is the pull's to ask."""
        guarded = inspect(task, Kit(schemas=task.schemas, root=task.root), lambda _: "")
        usable = len(task.examples) - len(guarded.left_out)
        gates = () if known_pilots(task.state, stack, task) else (data_gate(task, usable),)
        check_force(guarded, gates, parse(Settings, self.name, settings).force)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Tune on the examples whose facts stand in their prompts, and load the adapter in the stack."""
        task = situation.bench.task
        piloted = known_pilots(situation.workshop.state, situation.stack, task)
        ready = _prepare(situation, settings, _gates(situation, piloted))
        base, samples, recipe = situation.stack.model.id, ready.samples, ready.recipe
        fitted = fit(
            base,
            [*_teaching(samples), *ready.rehearsed],
            samples[::HELD_OUT],
            recipe,
            situation.workshop.state / ADAPTERS,
            on_progress=lambda now: _tell(situation, now),
            root=task.root,
        )
        notes = ready.notes
        notes += tuple(f"{name.replace('_', ' ')} {recipe.explain()[name]}" for name in _shown(recipe))
        notes += (
            f"dev loss per epoch, the untuned model first: {', '.join(f'{loss:.3f}' for loss in fitted.dev_losses)}",
            f"epoch {fitted.best_epoch} of {len(fitted.losses)} kept: {_right(fitted)}",
            f"{fitted.trainable_parameters:,} of {fitted.total_parameters:,} weights trained",
        )
        model = situation.stack.model.model_copy(update={"adapter": fitted.adapter.name})
        again = f", {len(ready.rehearsed)} of them rehearsed" if ready.rehearsed else ""
        lines = f"{task.config.examples}: {fitted.examples} to learn from{again}, {len(samples[::HELD_OUT])} held out"
        stack = situation.stack.model_copy(update={"model": model})
        after = check_after(situation, stack)
        return Pulled(
            stack=stack,
            changed=f"{_sort(recipe)} on {base}, {recipe.epochs} epochs at {recipe.learning_rate:g}",
            material=lines,
            notes=(*notes, *after.notes),
            worse=() if ready.chosen.force else after.worse,
        )

    def pilot(self, situation: Situation, settings: dict[str, Any], shares: Sequence[float] = SHARES) -> Piloted:
        """Tune on growing parts of the examples and forecast what all of them, and more, would bring."""
        data = _gates(situation)  # what earlier pilots foresaw stops no others
        ready = _prepare(situation, settings, data)
        base, held = situation.stack.model.id, ready.samples[::HELD_OUT]
        taught = (_teaching(ready.samples), ready.rehearsed)
        return run_pilots(situation, taught, held, lambda examples: _recipe(base, ready.chosen, examples), shares)


class _Ready(NamedTuple):
    """What a tuning starts from: samples in their prompts, the recipe, what was said on the way, and what was chosen.

    `rehearsed` are prompts of the samples learnt from, under other instructions, with the untuned model's replies.
    """

    samples: list[Sample]
    rehearsed: list[Sample]
    recipe: Recipe
    notes: tuple[str, ...]
    chosen: Settings


def _prepare(situation: Situation, settings: dict[str, Any], gates: Sequence[GateCheck]) -> _Ready:
    """Run guards and hold to the gates, lay the examples out, and settle the recipe.

    Raises:
        UserError: a guard or gate stops it, a setting is unknown, or there are no examples.
    """
    chosen = parse(Settings, TuneLever.name, settings)
    task, impossible = situation.bench.task, _impossible(situation.stack)
    if impossible:
        expected = "a stack whose model runs here and answers at once"
        raise UserError(Problem(file="levers pull tune", field="STACK", found=impossible, expected=expected))
    guarded = guard(situation)
    if not task.examples:
        raise UserError(Problem(file=task.config.examples or "levers.yaml", expected="examples to tune on"))
    forced = check_force(guarded, gates, chosen.force)
    record_force(situation.workshop.state, TuneLever.name, situation.stack, forced)
    laid = lay_out(situation, [each for each in task.examples if each.line not in guarded.left_out])
    if not _teaching(laid.samples):
        found, expected = f"{len(laid.samples)} to tune on", "two at least: to learn from, and to decide by"
        hint = "bring more reviewed examples; those that are left out teach nothing"
        raise UserError(Problem(file=task.config.examples or "levers.yaml", found=found, expected=expected, hint=hint))
    notes = (
        *forced,
        *guarded.notes(),
        f"{laid.restricted} examples left out: not everybody may read their evidence, and an adapter serves every user",
        f"{laid.left_out} examples left out: what they rest on is not in their prompts (they would teach guessing)",
        f"{laid.handed} examples got their evidence in the place of a passage, for search misses it",
    )
    recipe = _recipe(situation.stack.model.id, chosen, len(_teaching(laid.samples)))
    rehearsed: list[Sample] = []
    if chosen.rehearsal:
        untuned = situation.workshop.model(situation.stack.model.model_copy(update={"adapter": None}))
        rehearsed = rehearse(untuned, _teaching(laid.samples), chosen.rehearsal, recipe.seed)
    return _Ready(laid.samples, rehearsed, recipe, notes, chosen)


def _recipe(base: str, chosen: Settings, examples: int) -> Recipe:
    """Return the recipe for so many examples to learn from, with what the team chose."""
    start = recipe_for(base, chosen.method or "lora", examples)
    return start.model_copy(update=chosen.model_dump(exclude_none=True, exclude={"force", "rehearsal"}))


def _teaching(samples: Sequence[Sample]) -> list[Sample]:
    """Return those that are learnt from; the rest decide which epoch is kept."""
    return [sample for place, sample in enumerate(samples) if place % HELD_OUT]


def _sort(recipe: Recipe) -> str:
    names = {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA", "qlora": "QLoRA"}
    if recipe.method in names:
        return f"{names[recipe.method]} r={recipe.r}"
    return "all weights" if recipe.method == "full" else f"{recipe.method} of {recipe.virtual_tokens} virtual tokens"


def _shown(recipe: Recipe) -> tuple[str, ...]:
    """Name the dials that a reader asks for first; all of them stand in the adapter's recipe.yaml."""
    sizes: tuple[str, ...] = ("r", "alpha", "target_modules") if recipe.low_rank else ()
    sizes = ("virtual_tokens",) if recipe.method in {"prefix", "prompt"} else sizes
    return (*sizes, "learning_rate", "epochs", "batch_size")


def _blocked(situation: Situation) -> str:
    task, stack = situation.bench.task, situation.stack
    if _impossible(stack):
        return _impossible(stack)
    if stack.model.adapter:
        return "tuned already; more or better examples would have to come first"
    knowledge = situation.diagnosis.needs.get("knowledge")
    if knowledge and knowledge.share > LEAST_KNOWN and task.documents and not stack.part("retrieve"):
        return f"{knowledge.share:.0%} of the cases lack facts: retrieve them first, tuning teaches behaviour (S0)"
    return ""


def _impossible(stack: Stack) -> str:
    """Say why a stack cannot be tuned here, whoever asks; empty where it can."""
    if is_hosted(stack.model.id):
        return "the model is hosted; tuning here needs local weights"
    if stack.part("reason"):
        return "the stack reasons before it answers, and the examples hold no reasoning to learn"
    return ""


def _gates(situation: Situation, piloted: Piloted | None = None) -> tuple[GateCheck, ...]:
    """Return what pilots foresee; where none are known the field's data gate, for the examples that may be learnt."""
    if piloted:
        return pilot_gates(piloted)
    task, index = situation.bench.task, situation.index()
    left_out = guard(situation).left_out if task.examples else frozenset()
    usable = sum(each.line not in left_out and is_public(each, index) for each in task.examples)
    return (data_gate(task, usable),)


def _lengths(situation: Situation) -> tuple[GateCheck, ...]:
    """Return the row for the model's window; none where the model is hosted, a student or not here."""
    base, task = situation.stack.model.id, situation.bench.task
    if not task.examples or not base.startswith(("pocket", "hf/")):
        return ()
    try:
        window = window_of(base, recipe_for(base), task.root)
    except LeversError:
        return ()
    return (check_lengths(situation, window),)


def _tell(situation: Situation, now: Progress) -> None:
    situation.bench.progress("tune", now.step, now.steps)


def _right(fitted: Fitted) -> str:
    if not fitted.dev_right:
        return "the last, for none were held out"
    return f"most held-out tokens right ({fitted.dev_right[fitted.best_epoch]:.1%}), then the lowest loss"
