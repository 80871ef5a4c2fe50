"""Charts as geometry: paths and labels in CSS pixels. Templates turn them into inline SVG; style sheets colour them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from levers.trial.records import Interval
from levers.view.records import Chart, Drawn, Label, Shape
from levers.view.words import money, percent, span

WIDE, NARROW = 952, 328


@dataclass(frozen=True)
class Measure:
    """A share with its interval; `name` is the partition it was measured on."""

    name: str
    share: float
    interval: Interval


@dataclass(frozen=True)
class Column:
    """One step on the horizontal axis and what was measured there; `kept` steps are joined by a line."""

    number: int
    label: str
    kept: bool
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Point:
    """One stack between cost (USD per answer) and quality."""

    number: int
    label: str
    kept: bool
    cost: float
    quality: float
    interval: Interval


@dataclass(frozen=True)
class Frame:
    """The plotting area and its scales: x over [0, 1] of the width, y over shares."""

    width: int
    height: int
    left: int = 44
    right: int = 18
    top: int = 16
    bottom: int = 46

    def x(self, part: float) -> float:
        """Place a part of the width."""
        return round(self.left + part * (self.width - self.left - self.right), 1)

    def y(self, share: float) -> float:
        """Place a share."""
        return round(self.top + (1 - min(max(share, 0.0), 1.0)) * (self.height - self.top - self.bottom), 1)


def quality_chart(columns: Sequence[Column], target: float | None) -> Drawn:
    """Draw quality per step, with intervals, for every partition; the target is a dashed line."""
    return Drawn(wide=_quality(columns, target, WIDE, 320), narrow=_quality(columns, target, NARROW, 300))


def cost_chart(points: Sequence[Point], target: float | None) -> Drawn:
    """Draw quality (with intervals) against cost per answer, one numbered mark per stack."""
    return Drawn(wide=_cost(points, target, WIDE, 320), narrow=_cost(points, target, NARROW, 300))


def mark(kind: str, x: float, y: float, size: float = 5) -> str:
    """Return the path of a mark: test is a square, edge a triangle, anything else a circle."""
    if kind == "test":
        return f"M{x - size:.1f} {y - size:.1f}h{2 * size}v{2 * size}h{-2 * size}z"
    if kind == "edge":
        return f"M{x:.1f} {y - size * 1.2:.1f}l{size * 1.2:.1f} {size * 2.1:.1f}h{-size * 2.4:.1f}z"
    return f"M{x - size:.1f} {y:.1f}a{size} {size} 0 1 0 {2 * size} 0a{size} {size} 0 1 0 {-2 * size} 0z"


def whisker(x: float, top: float, bottom: float, cap: float = 3) -> str:
    """Return the path of a vertical interval with caps."""
    return f"M{x - cap:.1f} {top:.1f}h{2 * cap}m{-cap} 0V{bottom:.1f}m{-cap} 0h{2 * cap}"


def ticks(most: float, wanted: int = 4) -> list[float]:
    """Return round tick values from 0 to at least `most`: steps of 1, 2 or 5 times a power of ten."""
    if not math.isfinite(most) or most <= 0:
        return [0.0, 1.0]
    rough = most / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [step * index for index in range(math.ceil(most / step - 1e-9) + 1)]


def _quality(columns: Sequence[Column], target: float | None, width: int, height: int) -> Chart:
    frame = Frame(width, height)
    shapes, labels = _axis(frame)
    _target(frame, target, shapes, labels)
    names = list(dict.fromkeys(measure.name for column in columns for measure in column.measures))
    gap = min(16.0, (frame.x(1) - frame.x(0)) / max(len(columns), 1) / (len(names) + 1))
    room = (frame.x(1) - frame.x(0)) / max(len(columns), 1) / 6.8  # characters that fit under one column
    named = all(len(_column_name(column)) <= room for column in columns)
    trails: dict[str, list[str]] = {name: [] for name in names}
    marks: list[Shape] = []
    for place, column in enumerate(columns):
        middle = frame.x((place + 0.5) / len(columns))
        for measure in column.measures:
            x = middle + gap * (names.index(measure.name) - (len(names) - 1) / 2)
            marks += _measure(frame, column, measure, x)
            if column.kept:
                trails[measure.name].append(f"{x:.1f} {frame.y(measure.share)}")
        labels += _column_labels(frame, column, middle, named)
    lines = [Shape("M" + "L".join(trail), f"trail {name}") for name, trail in trails.items() if len(trail) > 1]
    if not named:
        labels.append(Label(frame.x(0.5), height - 8, "step", look="quiet"))
    return Chart(width, height, _quality_words(columns, target), tuple([*shapes, *lines, *marks]), tuple(labels))


def _measure(frame: Frame, column: Column, measure: Measure, x: float) -> list[Shape]:
    faded = "" if column.kept else " out"
    says = f"{column.label}, {measure.name}: {percent(measure.share)} ({span(measure.interval)})"
    size = 4.5 if frame.width > NARROW else 4
    return [
        Shape(
            whisker(x, frame.y(measure.interval.high), frame.y(measure.interval.low)), f"whisker {measure.name}{faded}"
        ),
        Shape(mark(measure.name, x, frame.y(measure.share), size), f"mark {measure.name}{faded}", says),
    ]


def _column_labels(frame: Frame, column: Column, x: float, named: bool) -> list[Label]:
    base = frame.height - frame.bottom + 18
    if named:
        return [Label(x, base, _column_name(column)), Label(x, base + 15, f"step {column.number}", look="quiet")]
    return [Label(x, base, f"{column.number}{'' if column.kept else ' ✗'}")]


def _column_name(column: Column) -> str:
    return column.label if column.kept else f"{column.label} ✗"


def _quality_words(columns: Sequence[Column], target: float | None) -> str:
    parts = []
    for column in columns:
        figures = ", ".join(f"{each.name} {percent(each.share)} ({span(each.interval)})" for each in column.measures)
        parts.append(f"step {column.number}, {column.label}{'' if column.kept else ', rejected'}: {figures}")
    wish = f" The target is {percent(target)}." if target is not None else ""
    return f"Share of cases that pass after each step, with 95% intervals. {'; '.join(parts)}.{wish}"


def _axis(frame: Frame) -> tuple[list[Shape], list[Label]]:
    shapes, labels = [], []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = frame.y(share)
        shapes.append(Shape(f"M{frame.left} {y}H{frame.width - frame.right}", "base" if share == 0 else "grid"))
        labels.append(Label(frame.left - 8, y + 4, percent(share), "end", "quiet"))
    return shapes, labels


def _target(frame: Frame, target: float | None, shapes: list[Shape], labels: list[Label]) -> None:
    if target is None:
        return
    y = frame.y(target)
    shapes.append(Shape(f"M{frame.left} {y}H{frame.width - frame.right}", "target", f"target {percent(target)}"))
    labels.append(Label(frame.left + 4, y - 5, f"target {percent(target)}", "start", "aim"))


def _cost(points: Sequence[Point], target: float | None, width: int, height: int) -> Chart:
    frame = Frame(width, height)
    shapes, labels = _axis(frame)
    _target(frame, target, shapes, labels)
    grid = ticks(max(point.cost for point in points) * 1.05, 5 if width > NARROW else 3)
    most = grid[-1]
    base = height - frame.bottom
    for value in grid:
        x = frame.x(value / most)
        shapes.append(Shape(f"M{x} {base}v5", "base"))
        anchor = "end" if value == most else "middle"
        labels.append(Label(x, base + 18, money(value), anchor, "quiet"))
    labels.append(Label(frame.x(0.5), base + 38, "USD per answer", look="quiet"))
    kept = [f"{frame.x(point.cost / most)} {frame.y(point.quality)}" for point in points if point.kept]
    if len(kept) > 1:
        shapes.append(Shape("M" + "L".join(kept), "trail dev"))
    taken: list[tuple[float, float]] = []
    for point in points:
        x, y = frame.x(point.cost / most), frame.y(point.quality)
        faded = "" if point.kept else " out"
        says = (
            f"step {point.number}, {point.label}: {percent(point.quality)} ({span(point.interval)}) "
            f"at {money(point.cost)} per answer{'' if point.kept else ', rejected'}"
        )
        bars = whisker(x, frame.y(point.interval.high), frame.y(point.interval.low))
        shapes += [Shape(bars, f"whisker dev{faded}"), Shape(mark("dev", x, y), f"mark dev{faded}", says)]
        labels.append(_beside(frame, point, (x, y), taken))
    return Chart(width, height, _cost_words(points), tuple(shapes), tuple(labels))


def _beside(frame: Frame, point: Point, place: tuple[float, float], taken: list[tuple[float, float]]) -> Label:
    """Put a point's name where no other name stands: right or left of it, then lower and lower."""
    x, y = place
    text = (f"{point.number} {point.label}" if frame.width > NARROW else str(point.number)) + (
        "" if point.kept else " ✗"
    )
    room = 6.6 * len(text)
    right = x + 10 + room < frame.width - frame.right
    left_edge = x + 10 if right else x - 10 - room
    height = y + 4
    while any(abs(height - other) < 14 and left_edge < end for other, end in taken):
        height += 14
    taken.append((height, left_edge + room))
    return Label(x + (10 if right else -10), round(height, 1), text, "start" if right else "end")


def _cost_words(points: Sequence[Point]) -> str:
    parts = [
        f"step {point.number}, {point.label}{'' if point.kept else ', rejected'}: {percent(point.quality)} "
        f"({span(point.interval)}) at {money(point.cost)}"
        for point in points
    ]
    return f"Share of development cases that pass against cost per answer. {'; '.join(parts)}."
