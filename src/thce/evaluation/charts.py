"""Small charts as inline SVG: no library, no script, colours from the page's own variables, so light, dark and print follow.

Every function returns one `<svg>` string. Colours are classes `s0` to `s5` of the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 860


class Dot(NamedTuple):
    """A value with its interval, in one row of a dot chart; `series` picks the colour."""

    value: float
    low: float
    high: float
    series: int
    name: str


def dots(rows: Sequence[tuple[str, Sequence[Dot]]], left: int = 170, title: str = "") -> str:
    """Rows of dots with intervals on a scale from 0 to 100 %; several dots of one row stand below each other."""
    step, gap, top = 13, 12, 8
    height = top + sum(len(marks) * step + gap for _, marks in rows) + 22
    scale = _scale(left, WIDTH - 52, 0.0, 1.0)
    parts = [_grid_x(scale, (0, 0.25, 0.5, 0.75, 1), top, height - 20, percent=True)]
    y = float(top)
    for label, marks in rows:
        middle = y + (len(marks) * step + gap) / 2
        parts.append(_text(left - 10, middle + 4, label, "end"))
        y += gap / 2
        for mark in marks:
            y += step / 2
            a, b, at = scale(mark.low), scale(mark.high), scale(mark.value)
            tip = f"{mark.name}: {percent(mark.value)} ({percent(mark.low)} to {percent(mark.high)})"
            parts.append(
                f'<g class="s{mark.series}"><title>{escape(tip)}</title><line x1="{a:.1f}" x2="{b:.1f}" y1="{y:.1f}" '
                f'y2="{y:.1f}" class="whisker"/><circle cx="{at:.1f}" cy="{y:.1f}" r="4"/></g>'
            )
            parts.append(_text(WIDTH - 46, y + 4, percent(mark.value), "start", "small"))
            y += step / 2
        y += gap / 2
    return _svg(WIDTH, height, parts, title)


class Line(NamedTuple):
    """Points of one line, in order of x."""

    name: str
    series: int
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """What an axis shows and from where to where; `share` prints percent."""

    label: str
    low: float
    high: float
    share: bool = False


def lines(data: Sequence[Line], x: Axis, y: Axis, width: int = 350, diagonal: bool = False, markers: bool = False) -> str:
    """A line chart; `diagonal` adds the line of x = y, `markers` a dot per point."""
    height, left, right, bottom = 230, 62, 22, 38
    across, up = _scale(left, width - right, x.low, x.high), _scale(height - bottom, 12, y.low, y.high)
    parts: list[str] = []
    for at in _ticks(y):
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{up(at):.1f}" y2="{up(at):.1f}"/>')
        parts.append(_text(left - 6, up(at) + 4, _number(at, y), "end", "small"))
    for at in _ticks(x):
        parts.append(_text(across(at), height - bottom + 16, _number(at, x), "middle", "small"))
    if diagonal:
        ends = f'x1="{across(x.low):.1f}" y1="{up(y.low):.1f}" x2="{across(x.high):.1f}" y2="{up(y.high):.1f}"'
        parts.append(f'<line class="diagonal" {ends}/>')
    for line in data:
        path = " ".join(f"{across(_clip(a, x)):.1f},{up(_clip(b, y)):.1f}" for a, b in line.points)
        parts.append(f'<polyline class="line s{line.series}" points="{path}"><title>{escape(line.name)}</title></polyline>')
        if markers:
            parts += [
                f'<circle class="s{line.series}" cx="{across(_clip(a, x)):.1f}" cy="{up(_clip(b, y)):.1f}" r="3"/>'
                for a, b in line.points
            ]
    parts.append(_text((left + width) / 2, height - 6, x.label, "middle", "small"))
    parts.append(f'<g transform="translate(12 {height / 2 - 12}) rotate(-90)">{_text(0, 0, y.label, "middle", "small")}</g>')
    return _svg(width, height, parts, f"{y.label} by {x.label}")


def bars(rows: Sequence[tuple[str, float, str]], left: int = 330, title: str = "") -> str:
    """Horizontal bars, longest scale of its own: (label, value, text at the end)."""
    step, top = 22, 4
    height = top + step * len(rows) + 4
    scale = _scale(left, WIDTH - 90, 0.0, max((value for _, value, _ in rows), default=1.0) or 1.0)
    parts: list[str] = []
    for number, (label, value, text) in enumerate(rows):
        y = top + number * step
        parts.append(_text(left - 10, y + 15, label, "end"))
        parts.append(
            f'<rect class="s0" x="{left}" y="{y + 4}" width="{max(1.0, scale(value) - left):.1f}" height="14" rx="2"/>'
        )
        parts.append(_text(scale(value) + 8, y + 15, text, "start", "small"))
    return _svg(WIDTH, height, parts, title)


def stacked(rows: Sequence[tuple[str, Mapping[str, float]]], series: Mapping[str, int], title: str = "") -> str:
    """Horizontal bars of shares that sum to 1; `series` gives each part's colour class."""
    step, top, left = 28, 4, 150
    scale = _scale(left, WIDTH - 14, 0.0, 1.0)
    parts: list[str] = []
    for number, (label, shares) in enumerate(rows):
        y, done = top + number * step, 0.0
        parts.append(_text(left - 10, y + 17, label, "end"))
        for name, share in shares.items():
            if share > 0:
                a, b = scale(done), scale(done + share)
                tip = escape(f"{label}: {name} {percent(share)}")
                box = f'x="{a:.1f}" y="{y + 3}" width="{max(0.5, b - a - 1.5):.1f}" height="20" rx="2"'
                parts.append(f'<rect class="s{series[name]}" {box}><title>{tip}</title></rect>')
                if b - a > 44:
                    parts.append(_text((a + b) / 2, y + 17, percent(share), "middle", f"small on{series[name]}"))
            done += share
    return _svg(WIDTH, top + step * len(rows) + 4, parts, title)


def heat(rows: Sequence[str], columns: Sequence[str], counts: Mapping[tuple[str, str], int], title: str = "") -> str:
    """A confusion matrix; a cell's darkness is its share of the row, its number the count."""
    left, top = 84, 76
    cell = min(30, (WIDTH - left - 60) // max(1, len(columns)))
    width, height = WIDTH, top + 22 * len(rows) + 6
    parts: list[str] = []
    for place, name in enumerate(columns):
        x = left + place * cell + cell / 2
        parts.append(f'<g transform="translate({x + 4:.1f} {top - 8}) rotate(-60)">{_text(0, 0, name, "start", "small")}</g>')
    for line, name in enumerate(rows):
        y = top + line * 22
        total = sum(counts.get((name, other), 0) for other in columns)
        parts.append(_text(left - 8, y + 15, name, "end", "small"))
        for place, other in enumerate(columns):
            n = counts.get((name, other), 0)
            share = n / total if total else 0.0
            x = left + place * cell
            kind = "right" if name == other else "wrong"
            box = f'x="{x}" y="{y}" width="{cell - 2}" height="20" rx="2" style="fill-opacity:{_shade(share)}"'
            tip = escape(f"{name} answered as {other}: {n}")
            parts.append(f'<rect class="cell {kind}" {box}><title>{tip}</title></rect>')
            if n:
                size = "small" if 7 * len(str(n)) < cell else "tiny"
                parts.append(_text(x + cell / 2 - 1, y + 14, str(n), "middle", size + (" dark" if share > 0.55 else "")))
    return _svg(width, height, parts, title)


def legend(names: Sequence[tuple[str, int]]) -> str:
    """A line of coloured marks with their names."""
    marks = "".join(f'<span><i class="s{series}"></i>{escape(name)}</span>' for name, series in names)
    return f'<p class="legend">{marks}</p>'


def percent(value: float) -> str:
    """`43.1 %`; 100 % without a decimal."""
    return f"{100 * value:.0f} %" if value in (0.0, 1.0) else f"{100 * value:.1f} %"


def _shade(share: float) -> str:
    return f"{0.05 + 0.95 * share:.2f}" if share else "0.04"


def _svg(width: int, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height:.0f}" width="{width}" role="img" aria-label="{escape(title, quote=True)}">'
        + "".join(parts)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


class _scale:
    """Maps a value onto pixels."""

    def __init__(self, start: float, end: float, low: float, high: float) -> None:
        self.start, self.low = start, low
        self.factor = (end - start) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) * self.factor


def _grid_x(scale: _scale, at: Sequence[float], top: float, bottom: float, percent: bool) -> str:
    return "".join(
        f'<line class="grid" x1="{scale(value):.1f}" x2="{scale(value):.1f}" y1="{top}" y2="{bottom:.1f}"/>'
        + _text(scale(value), bottom + 14, f"{100 * value:.0f} %", "middle", "small")
        for value in at
    )


def _ticks(axis: Axis) -> list[float]:
    return [axis.low + (axis.high - axis.low) * part / 4 for part in range(5)]


def _number(value: float, axis: Axis) -> str:
    if axis.share:
        return f"{100 * value:.0f} %"
    span = axis.high - axis.low
    return f"{value:.{0 if span >= 8 else 1 if span >= 2 else 2 if span >= 0.1 else 4}f}"


def rounded_up(value: float) -> float:
    """The next larger of 1.2, 1.6, 2, 4 or 8 times a power of ten: a top of an axis whose quarters are short numbers."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.2, 1.6, 2, 4, 8, 12) if step * power >= value * (1 - 1e-9))


def _clip(value: float, axis: Axis) -> float:
    return min(max(value, axis.low), axis.high)
