"""A report as data: strings and numbers ready to be set, nothing left to compute. Templates only lay them out."""

from dataclasses import dataclass

from levers.loop.openings import Opened


@dataclass(frozen=True)
class Shape:
    """One stroke or mark of a chart: an SVG path, the class that styles it, and what it says when pointed at."""

    path: str
    look: str
    says: str = ""


@dataclass(frozen=True)
class Label:
    """One text in a chart; `anchor` is SVG's text-anchor."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    look: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart of fixed size in CSS pixels, drawn for one width of page; `says` is its text for those who hear it."""

    width: int
    height: int
    says: str
    shapes: tuple[Shape, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class TargetRow:
    """A target, wanted against reached."""

    name: str
    wanted: str
    reached: str
    met: bool
    provenance: str


@dataclass(frozen=True)
class Headline:
    """What a reader takes away who reads no further."""

    sentence: str
    before: str
    before_span: str
    after: str
    after_span: str
    cases: str
    difference: str
    targets: tuple[TargetRow, ...]
    targets_met: bool
    stopped: str


@dataclass(frozen=True)
class ComparisonRow:
    """A line of a step's table: one partition and measure, before against after."""

    what: str
    cases: str
    before: str
    after: str
    after_span: str
    difference: str
    difference_span: str
    p_value: str
    detectable: str
    moved: str
    reading: str


@dataclass(frozen=True)
class GateRow:
    """A data gate: what is wanted, what there is, and the source of the wish."""

    text: str
    met: bool
    source: str


@dataclass(frozen=True)
class Figure:
    """A figure with its provenance and the number of the note that names its source."""

    text: str
    provenance: str
    note: int


@dataclass(frozen=True)
class OptionRow:
    """One lever in a plan."""

    lever: str
    verdict: str
    why: str
    answers: str
    settings: str
    gain: str
    gain_span: str
    credit: str
    credit_span: str
    unlocks: str
    one_time: Figure
    per_answer: Figure
    latency: Figure
    gates: tuple[GateRow, ...]
    effort: str
    freshness: str


@dataclass(frozen=True)
class PlanTable:
    """The levers side by side for one stack; `notes` are the sources, numbered from 1."""

    caption: str
    next: str
    options: tuple[OptionRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StepCard:
    """One step of the run."""

    number: int
    lever: str
    verdict: str
    why: str
    changed: str
    material: str
    settings: str
    stack: str
    stack_words: str
    cost: str
    latency: str
    p_value: str
    rows: tuple[ComparisonRow, ...]
    notes: tuple[str, ...]
    plan: PlanTable | None


@dataclass(frozen=True)
class NeedCell:
    """How many cases have a need at one stack; `width` in per cent of the largest cell."""

    cases: str
    share: str
    span: str
    width: float


@dataclass(frozen=True)
class NeedRow:
    """A need over the stacks that were diagnosed."""

    name: str
    meaning: str
    cells: tuple[NeedCell, ...]


@dataclass(frozen=True)
class NeedsTable:
    """Needs by stack: one column per diagnosed stack, in order."""

    columns: tuple[str, ...]
    rows: tuple[NeedRow, ...]
    failing: tuple[NeedCell, ...]


@dataclass(frozen=True)
class LatencyRow:
    """One step of answering: median and 95th percentile, with bar widths in per cent of the slowest."""

    step: str
    p50: str
    p95: str
    p50_width: float
    p95_width: float


@dataclass(frozen=True)
class LatencyGroup:
    """The steps of answering with one stack, "total" last."""

    stack: str
    rows: tuple[LatencyRow, ...]


@dataclass(frozen=True)
class PassageBox:
    """A passage the model was shown."""

    number: int
    document: str
    section: str
    heading: str
    text: str
    cited: bool


@dataclass(frozen=True)
class NeedBox:
    """A need of one case, why, and what usually helps with it."""

    name: str
    detail: str
    because: str
    helps: str = ""


@dataclass(frozen=True)
class TriedRow:
    """One experiment on a case."""

    changed: str
    passed: bool
    score: str
    answer: str


@dataclass(frozen=True)
class GradeRow:
    """One grader's word."""

    grader: str
    verdict: str
    why: str


@dataclass(frozen=True)
class CaseCard:
    """A failing development case, from question to experiments; `story` tells it in sentences."""

    id: str
    user: str
    tags: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]
    question: str
    expected: tuple[str, ...]
    evidence: tuple[str, ...]
    answered: str
    needs: tuple[NeedBox, ...]
    grades: tuple[GradeRow, ...]
    passages: tuple[PassageBox, ...]
    tried: tuple[TriedRow, ...]
    story: tuple[str, ...] = ()

    @property
    def need_names(self) -> str:
        """The names of its needs, for the filter."""
        return " ".join(dict.fromkeys(need.name for need in self.needs))


@dataclass(frozen=True)
class CaseList:
    """The failing cases that fit, how many there are by need, and how many were left out for the page's size.

    `total` counts all that fail; `sampled` counts those that were looked at where not all of them were.
    """

    cards: tuple[CaseCard, ...]
    filters: tuple[tuple[str, int], ...]
    total: int
    measured: int
    left_out: int
    sampled: int | None = None


@dataclass(frozen=True)
class Fact:
    """A name and a value."""

    name: str
    value: str


@dataclass(frozen=True)
class OpeningRow:
    """One opening of the test set."""

    step: int
    stack: str
    reason: str


@dataclass(frozen=True)
class Drawn:
    """A chart at the widths it is drawn for: a page's and a phone's."""

    wide: Chart
    narrow: Chart


@dataclass(frozen=True)
class OwnershipRow:
    """What one kept stack costs: an answer, a passing one, once, a month, two years, and its pay-back on the start."""

    stack: str
    per_answer: str
    per_pass: str
    once: str
    month: str
    year_1: str
    year_2: str
    pays_back: str


@dataclass(frozen=True)
class OwnershipSection:
    """Total cost of ownership of the kept stacks: two charts, a table, and where the figures are from."""

    traffic: str
    years: Drawn
    curves: Drawn
    rows: tuple[OwnershipRow, ...]
    note: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Since:
    """What a run's own record does not know: openings of its test cases outside of it, and whether its task changed."""

    opened: tuple[Opened, ...] = ()
    changed: bool = False


@dataclass(frozen=True)
class ReportPage:
    """Everything on the page."""

    title: str
    task: str
    subtitle: str
    changed: str
    headline: Headline
    final_parts: tuple[Fact, ...]
    quality: Drawn
    steps: tuple[StepCard, ...]
    needs: NeedsTable
    cost: Drawn | None
    cost_note: str
    ownership: OwnershipSection | None
    latency: tuple[LatencyGroup, ...]
    closing: PlanTable
    cases: CaseList
    unseen: tuple[Fact, ...]
    openings: tuple[OpeningRow, ...]
    opened_elsewhere: str
    origins: tuple[Fact, ...]
    methods: tuple[Fact, ...]
