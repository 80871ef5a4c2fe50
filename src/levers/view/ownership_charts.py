"""Charts of ownership as geometry: two years of every stack as bars, and cost over time with the crossing points."""

from collections.abc import Sequence
from dataclasses import dataclass

from levers.view.charts import NARROW, WIDE, Frame, mark, ticks
from levers.view.records import Chart, Drawn, Label, Shape
from levers.view.words import count, money

LOOKS = ("dev", "test", "edge")
BAR = 16


@dataclass(frozen=True)
class Curve:
    """What one stack has cost after 0, 1, 2 … months in USD."""

    name: str
    costs: tuple[float, ...]


def years_chart(rows: Sequence[tuple[str, float, float]]) -> Drawn:
    """Draw year 1 and year 2 of every stack as two bars."""
    return Drawn(wide=_years(rows, WIDE), narrow=_years(rows, NARROW))


def curves_chart(curves: Sequence[Curve]) -> Drawn:
    """Draw the cost of every stack over time; where a line crosses the first, it has paid back or begins to lose."""
    return Drawn(wide=_curves(curves, WIDE, 320), narrow=_curves(curves, NARROW, 300))


def crossing(first: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the month at which two straight lines of cost cross, None where they do not within the months drawn."""
    gaps = [one - two for one, two in zip(first, other, strict=True)]
    for month in range(1, len(gaps)):
        before, after = gaps[month - 1], gaps[month]
        if before * after < 0 or (after == 0 and before != 0):
            return month - 1 + before / (before - after)
    return None


def _years(rows: Sequence[tuple[str, float, float]], width: int) -> Chart:
    left = 130 if width > NARROW else 92
    room = 2 * BAR + 18
    height = 30 + room * len(rows) + 34
    frame = Frame(width, height, left=left, right=64)
    grid = ticks(max(max(one, two) for _, one, two in rows) or 1.0, 5 if width > NARROW else 2)
    most, base = grid[-1], height - 34
    shapes = [Shape(f"M{frame.x(value / most)} 22V{base}", "base" if value == 0 else "grid") for value in grid]
    labels = [Label(frame.x(value / most), base + 18, money(value), look="quiet") for value in grid]
    for place, (name, one, two) in enumerate(rows):
        top = 28 + room * place
        labels.append(Label(left - 8, top + BAR + 4, name, "end"))
        for row, (year, cost) in enumerate((("year 1", one), ("year 2", two))):
            y = top + row * (BAR + 2)
            end = frame.x(cost / most)
            look = f"mark {LOOKS[row]}"
            shapes.append(
                Shape(f"M{frame.x(0)} {y}H{end}V{y + BAR - 2}H{frame.x(0)}z", look, f"{name}, {year}: {money(cost)}")
            )
            labels.append(Label(end + 6, y + BAR - 4, money(cost), "start", "quiet"))
    words = "; ".join(f"{name}: year 1 {money(one)}, year 2 {money(two)}" for name, one, two in rows)
    return Chart(width, height, f"Cost to own, USD. {words}.", tuple(shapes), tuple(labels))


def _curves(curves: Sequence[Curve], width: int, height: int) -> Chart:
    frame = Frame(width, height, left=64)
    months = len(curves[0].costs) - 1
    grid = ticks(max(max(curve.costs) for curve in curves) or 1.0)
    most, base = grid[-1], height - frame.bottom
    shapes = [
        Shape(f"M{frame.left} {frame.y(value / most)}H{width - frame.right}", "base" if value == 0 else "grid")
        for value in grid
    ]
    labels = [Label(frame.left - 8, frame.y(value / most) + 4, money(value), "end", "quiet") for value in grid]
    labels += [Label(frame.x(month / months), base + 18, str(month), look="quiet") for month in range(0, months + 1, 6)]
    labels.append(Label(frame.x(0.5), base + 38, "months", look="quiet"))
    taken: list[float] = []
    for place, curve in enumerate(curves):
        look = LOOKS[place % len(LOOKS)]
        points = [f"{frame.x(month / months)} {frame.y(cost / most)}" for month, cost in enumerate(curve.costs)]
        shapes.append(
            Shape(
                "M" + "L".join(points), f"trail {look}", f"{curve.name}: {money(curve.costs[-1])} after {months} months"
            )
        )
        labels.append(_name(frame, curve, most, taken))
        if place:
            shapes += _crossing(frame, curves[0], curve, most)
    return Chart(width, height, _words(curves), tuple(shapes), tuple(labels))


def _name(frame: Frame, curve: Curve, most: float, taken: list[float]) -> Label:
    y = frame.y(curve.costs[-1] / most) - 6
    step = 14 if y < frame.height / 2 else -14  # towards the middle, where no axis stands
    while any(abs(y - other) < 14 for other in taken):
        y += step
    taken.append(y)
    return Label(frame.x(1) - 4, round(y, 1), curve.name, "end")


def _crossing(frame: Frame, first: Curve, other: Curve, most: float) -> list[Shape]:
    month = crossing(first.costs, other.costs)
    if month is None:
        return []
    whole = int(month)
    end = min(whole + 1, len(first.costs) - 1)
    cost = first.costs[whole] + (first.costs[end] - first.costs[whole]) * (month - whole)
    says = f"{other.name} and {first.name} have cost the same after {month:.1f} months, {money(cost)}"
    place = (frame.x(month / (len(first.costs) - 1)), frame.y(cost / most))
    return [Shape(mark("dev", *place), "mark edge", says)]


def _words(curves: Sequence[Curve]) -> str:
    months = len(curves[0].costs) - 1
    parts = [f"{curve.name}: {money(curve.costs[-1])}" for curve in curves]
    crossings = [
        f"{curve.name} crosses {curves[0].name} after {month:.1f} months"
        for curve in curves[1:]
        if (month := crossing(curves[0].costs, curve.costs)) is not None
    ]
    met = "; ".join(crossings) or f"no line crosses that of {curves[0].name}"
    return f"Cost over {count(months, 'month')}, set-up included. {'; '.join(parts)}. Break-even: {met}."
