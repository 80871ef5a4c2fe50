"""The sources' worked examples, computed again from their own inputs: which agree, and what follows where not."""

from collections.abc import Callable
from functools import cache
from math import ceil, floor

from levers.economics.memory import GB, HALF, Training, training_memory
from levers.economics.ownership import Offer, Ownership, ownership
from levers.economics.ranges import Range, fixed
from levers.economics.reference import Figure, cost
from levers.economics.shapes import shape
from levers.economics.totals import DAYS_PER_MONTH, breakeven, monthly
from levers.errors import Problem, UserError
from levers.ledger import Record

SUPPORT_PER_DAY = fixed("answers a day", 10_000, "S3", unit="answers a day")
NOMINAL_70B = 70e9


class Check(Record):
    """One published figure against what follows from the example's inputs: ranges in `unit`, alike to the cent or not.

    `note` says what the difference is; `working` how the result comes about.
    """

    what: str
    published: tuple[float, float]
    follows: tuple[float, float]
    unit: str
    working: str
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Tell whether both ends agree to the cent (or the hundredth of a unit)."""
        return all(round(one, 2) == round(other, 2) for one, other in zip(self.published, self.follows, strict=True))


class Scenario(Record):
    """A source's worked example: its inputs, and every figure it publishes, checked."""

    name: str
    claim: str
    source: str
    inputs: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Tell whether every published figure follows from the inputs."""
        return all(check.agrees for check in self.checks)


def scenarios() -> tuple[Scenario, ...]:
    """Return every worked example of the sources, computed."""
    return _all()


def scenario(name: str) -> Scenario:
    """Return one worked example. Raises UserError naming the known ones."""
    known = {each.name: each for each in _all()}
    if name not in known:
        raise UserError(Problem(file="scenario", found=repr(name), expected=f"one of {', '.join(known)}"))
    return known[name]


def support_offers() -> dict[str, Offer]:
    """Return S3's three ways of answering a support chat, as it gives them: per answer, set-up, infrastructure."""
    rows: dict[str, tuple[float, tuple[float, float] | None, tuple[float, float] | None]] = {
        "prompting": (0.01, None, None),
        "retrieval": (0.015, (15_000, 30_000), (500, 2_000)),
        "tuning": (0.005, (20_000, 50_000), (500, 3_000)),
    }
    return {
        name: Offer(
            name=name,
            kind=name,
            per_answer=fixed(f"{name}: per answer", per_answer, "S3, modelled"),
            setup=_ranges(f"{name}: set-up", setup),
            per_month=_ranges(f"{name}: infrastructure", infra),
        )
        for name, (per_answer, setup, infra) in rows.items()
    }


def _ranges(name: str, ends: tuple[float, float] | None) -> tuple[Range, ...]:
    return (Range(name=name, low=ends[0], high=ends[1], source="S3, modelled"),) if ends else ()


@cache
def _all() -> tuple[Scenario, ...]:
    makers: tuple[Callable[[], Scenario], ...] = (
        _prompt_wall, _distillation_spend, _distillation_payback, *_support(), _managed, _self_hosted, _cache,
        _full_70b, _lora_70b, _qlora_70b, _consumer_card, _one_48gb_card,
    )  # fmt: skip
    return tuple(make() for make in makers)


def _both(value: float) -> tuple[float, float]:
    return value, value


def _prompt_wall() -> Scenario:
    per_answer = 60_000 * cost("GPT-4o input").low / 1e6
    day = per_answer * 10_000
    return Scenario(
        name="prompt-wall",
        claim="A prompt of 60,000 tokens at 10,000 questions a day is what makes prompting too dear",
        source="S2",
        inputs=(("tokens", "60,000 per question"), ("volume", "10,000 a day"), ("price", "$2.50 per 1M tokens")),
        checks=(
            Check(
                what="a day",
                published=_both(1500),
                follows=_both(day),
                unit="USD",
                working="60,000 x 10,000 x $2.50 / 1M",
            ),
            Check(
                what="a month",
                published=_both(45_000),
                follows=_both(monthly(per_answer, 10_000)),
                unit="USD",
                working=f"a day x {DAYS_PER_MONTH}",
            ),
        ),
    )


def _distillation_spend() -> Scenario:
    per_answer = 2_000 * 5 / 1e6
    note = "2,000 tokens at $5 per 1M are one cent; 500,000 of them are $5,000"
    return Scenario(
        name="distillation-spend",
        claim="What 500,000 questions a day cost before distillation",
        source="S2",
        inputs=(("tokens", "2,000 per question"), ("volume", "500,000 a day"), ("price", "$5 per 1M tokens")),
        checks=(
            Check(
                what="a day", published=_both(1500), follows=_both(per_answer * 500_000), unit="USD",
                working="500,000 x 2,000 x $5 / 1M", note=note,
            ),
            Check(
                what="a month", published=_both(45_000), follows=_both(monthly(per_answer, 500_000)), unit="USD",
                working=f"a day x {DAYS_PER_MONTH}", note=note,
            ),
        ),
    )  # fmt: skip


def _distillation_payback() -> Scenario:
    traffic = 500_000

    def days(now: float) -> tuple[float, float]:
        soon = breakeven(0, now / traffic, 20_000, 200 / traffic, traffic)
        late = breakeven(0, now / traffic, 80_000, 400 / traffic, traffic)
        return (float(floor(soon.days)) if soon else 0.0, float(ceil(late.days)) if late else 0.0)

    stated = days(1500)
    return Scenario(
        name="distillation-payback",
        claim="When a distillation project has paid for itself",
        source="S2",
        inputs=(
            ("project", "$20,000 to $80,000"),
            ("now", "$5,000 a day, which follows from S2's inputs"),
            ("then", "$200 to $400 a day on own GPUs"),
        ),
        checks=(
            Check(
                what="break-even",
                published=(30, 90),
                follows=days(5000),
                unit="days",
                working="20,000 / (5,000 - 200) to 80,000 / (5,000 - 400), to whole days",
                note=f"1 to 3 months are published; even against the stated $1,500 a day it is {stated[0]:g} to "
                f"{stated[1]:g} days",
            ),
        ),
    )


def _support() -> tuple[Callable[[], Scenario], ...]:
    published: dict[str, tuple[float, tuple[float, float], tuple[float, float]]] = {
        "prompting": (3_000, (36_000, 36_000), (36_000, 36_000)),
        "retrieval": (4_500, (73_000, 84_000), (60_000, 78_000)),
        "tuning": (1_500, (58_000, 86_000), (22_000, 40_000)),
    }
    return tuple(
        lambda name=name, stated=stated: _support_scenario(name, *stated) for name, stated in published.items()
    )


def _support_scenario(name: str, month: float, year_1: tuple[float, float], year_2: tuple[float, float]) -> Scenario:
    offer = support_offers()[name]
    owned = ownership(offer, SUPPORT_PER_DAY)
    note = "set-up plus twelve months of answers and infrastructure"
    inputs = [("volume", "10,000 a day"), ("per answer", f"${offer.per_answer.low:g}")]
    inputs += [(each.name, f"${each.low:,.0f} to ${each.high:,.0f}") for each in offer.setup]
    inputs += [(each.name, f"${each.low:,.0f} to ${each.high:,.0f} a month") for each in offer.per_month]
    return Scenario(
        name=f"support-{name}",
        claim=f"A support chat at 10,000 questions a day, answered by {name}",
        source="S3",
        inputs=tuple(inputs),
        checks=(
            Check(
                what="answers, a month", published=_both(month), follows=_both(_answers(owned)), unit="USD",
                working=f"10,000 x {DAYS_PER_MONTH} x per answer",
            ),
            Check(
                what="year 1", published=year_1, follows=(owned.year_1.low, owned.year_1.high), unit="USD",
                working="set-up + 12 x (answers + infrastructure)", note=note,
            ),
            Check(
                what="year 2", published=year_2, follows=(owned.year_2.low, owned.year_2.high), unit="USD",
                working="12 x (answers + infrastructure)", note="twelve months of answers and infrastructure",
            ),
        ),
    )  # fmt: skip


def _answers(owned: Ownership) -> float:
    return next(line.low for line in owned.lines if line.kind == "answers")


def _infrastructure(kind: str) -> Scenario:
    parts: list[Figure] = [
        cost(f"{kind} {name}") for name in ("vector database", "embedding", "LLM inference", "reranking")
    ]
    total = cost(f"{kind} retrieval, total")
    return Scenario(
        name=f"retrieval-{kind}",
        claim=f"What {kind} infrastructure for retrieval costs a month, at 10,000 to 50,000 questions a day",
        source="S2",
        inputs=tuple((each.name, f"${each.low:,.0f} to ${each.high:,.0f}") for each in parts),
        checks=(
            Check(
                what="a month",
                published=(total.low, total.high),
                follows=(sum(each.low for each in parts), sum(each.high for each in parts)),
                unit="USD",
                working="the sum of its parts",
            ),
        ),
    )


def _managed() -> Scenario:
    return _infrastructure("managed")


def _self_hosted() -> Scenario:
    return _infrastructure("self-hosted")


def _cache() -> Scenario:
    read = cost("cached input, read").low
    return Scenario(
        name="cache-discount",
        claim="A cached token costs about a tenth of the input price: a discount of 90 %",
        source="S0",
        inputs=(("read price", f"{read:g} of the input price"),),
        checks=(
            Check(
                what="discount", published=_both(90), follows=_both(round((1 - read) * 100, 9)), unit="%",
                working="1 - read price",
            ),
        ),
    )  # fmt: skip


def _full_70b() -> Scenario:
    return Scenario(
        name="full-70b-memory",
        claim="Full tuning takes about 8 times the model's size",
        source="S4",
        inputs=(("weights", "70 billion"), ("bytes", "16 a weight: Adam in mixed precision")),
        checks=(
            Check(
                what="times the 16-bit model", published=_both(8), follows=_both(16 / HALF), unit="times",
                working="16 bytes / 2 bytes; activations come on top",
            ),
        ),
    )  # fmt: skip


def _lora_70b() -> Scenario:
    estimate = training_memory(shape("llama-2-70b"), Training(method="lora", checkpointing=True)).peak / GB
    return Scenario(
        name="lora-70b-memory",
        claim="LoRA takes about 1.5 times the model's size, 140 GB for 70B",
        source="S4",
        inputs=(("weights", "70 billion in 16 bits: 140 GB"), ("rule", "1.5 times the model's size")),
        checks=(
            Check(
                what="the rule", published=_both(140), follows=_both(1.5 * NOMINAL_70B * HALF / GB), unit="GB",
                working="1.5 x 70B x 2 bytes", note="half as much again as the model is 210 GB",
            ),
            Check(
                what="the weights alone", published=_both(140), follows=_both(NOMINAL_70B * HALF / GB), unit="GB",
                working="70B x 2 bytes",
            ),
            Check(
                what="with all the rest", published=_both(140), follows=_both(round(estimate, 1)), unit="GB",
                working="weights + adapters + optimizer + activations: Llama 2 70B (69B), rank 16, 512 tokens, "
                "checkpointed",
                note="140 GB are the weights in bf16; adapters, optimizer and activations come on top",
            ),
        ),
    )  # fmt: skip


def _qlora_70b() -> Scenario:
    low, high = _qlora("llama-2-70b", 16, 512), _qlora("llama-2-70b", 32, 2048)
    return Scenario(
        name="qlora-70b-memory",
        claim="QLoRA takes about half the model's size, 40 GB for 70B",
        source="S4",
        inputs=(("weights", "70 billion in 16 bits: 140 GB"), ("rule", "0.5 times the model's size")),
        checks=(
            Check(
                what="the rule", published=_both(40), follows=_both(0.5 * NOMINAL_70B * HALF / GB), unit="GB",
                working="0.5 x 70B x 2 bytes", note="half of 140 GB is 70: the 40 is about right, the rule is not",
            ),
            Check(
                what="part by part", published=_both(40), follows=(round(low, 1), round(high, 1)), unit="GB",
                working="4-bit weights (35 GB) + constants + adapters + optimizer + activations: rank 16, 512 tokens "
                "to rank 32, 2,048 tokens, checkpointed",
                note="weights in 4 bits are 35 GB; with the rest between 40 and 48",
            ),
        ),
    )  # fmt: skip


def _qlora(name: str, rank: int, tokens: int) -> float:
    how = Training(method="qlora", rank=rank, tokens=tokens, checkpointing=True)
    return training_memory(shape(name), how).peak / GB


def _fit(name: str, claim: str, source: str, model: str, cards: tuple[int, ...], stated: bool) -> Scenario:
    need = _qlora(model, 16, 512)
    checks = tuple(
        Check(
            what=f"fits {card} GB (1 yes, 0 no)",
            published=_both(float(stated)),
            follows=_both(float(need <= card)),
            unit="",
            working=f"{need:.1f} GB needed at rank 16, 512 tokens, batch 1, checkpointed",
            note="" if (need <= card) == stated else f"the 4-bit weights alone are above {card} GB",
        )
        for card in cards
    )
    inputs = (("model", model), ("method", "QLoRA"), ("cards", ", ".join(f"{card} GB" for card in cards)))
    return Scenario(name=name, claim=claim, source=source, inputs=inputs, checks=checks)


def _consumer_card() -> Scenario:
    claim = "QLoRA tunes a 70B model on one consumer GPU"
    return _fit("qlora-consumer-card", claim, "S1", "llama-2-70b", (24, 32), True)


def _one_48gb_card() -> Scenario:
    claim = "QLoRA tunes a 65B model on one 48 GB GPU"
    return _fit("qlora-65b-48gb", claim, "S0", "llama-65b", (48,), True)
