"""The kinds of sources, their keys, and how a mapping from a YAML file becomes one of them."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.narratives.sources import LABELS, SIDES, Record, Reject, SourceConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(SourceConfig):
    """`rows`: a file already in the narrative row shape, such as the synthetic narratives or an earlier collection."""

    path: str = "data/narratives/train.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(SourceConfig):
    """`jsonl`, `csv`, `parquet`: a table of your own. Files may be compressed (`.gz`), parquet by its own means."""

    path: str
    columns: dict[str, str] = field(default_factory=dict)
    """Which column holds what: `narrative`, any of `codes`, `icd10`, `cpt`, `hcpcs`, and optionally `id`, `family`,
    `kind`."""
    label: str = "given"
    encoding: str = "utf-8"
    delimiter: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class Mimic(SourceConfig):
    """`mimic-iv`: discharge summaries with the diagnoses and services billed for the stay."""

    notes: str
    """note/discharge.csv.gz of MIMIC-IV-Note."""
    diagnoses: str
    """hosp/diagnoses_icd.csv.gz of MIMIC-IV."""
    services: str | None = None
    """hosp/hcpcsevents.csv.gz of MIMIC-IV."""
    max_codes: int | None = None
    """At most this many codes per note, in billing order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MTSamples(SourceConfig):
    """`mtsamples`: transcribed sample reports without codes; codes are proposed by matching words (silver)."""

    path: str
    phrasebook: str = "data/phrasebook"
    max_codes: int | None = 5
    """At most this many proposed codes per note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub(SourceConfig):
    """`hub`: a data set of the Hugging Face hub, or a local folder in its layout, streamed."""

    dataset: str
    revision: str
    """Commit of the data set (40 hexadecimal digits), so that the collection can be repeated."""
    split: str = "train"
    subset: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    label: str = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated(SourceConfig):
    """`endpoint`: records that `thce data generate` wrote."""

    path: str


KINDS: dict[str, type[SourceConfig]] = {
    "rows": Rows,
    "jsonl": Table,
    "csv": Table,
    "parquet": Table,
    "mimic-iv": Mimic,
    "mtsamples": MTSamples,
    "hub": Hub,
    "endpoint": Generated,
}
T = TypeVar("T")
COLUMNS = ("id", "narrative", "codes", "icd10", "cpt", "hcpcs", "family", "kind")


def records(config: SourceConfig, book: CodeBook, reject: Reject) -> Iterator[Record]:
    """What a source holds, unchecked."""
    from thce.narratives import sources_files, sources_hub, sources_mimic, sources_mtsamples

    if isinstance(config, Mimic):
        return sources_mimic.records(config, reject)
    if isinstance(config, MTSamples):
        return sources_mtsamples.records(config, book, reject)
    if isinstance(config, Hub):
        return sources_hub.records(config, reject)
    if isinstance(config, Table):
        return sources_files.table(config, reject)
    if isinstance(config, Rows):
        return sources_files.narrative_rows(config.path)
    assert isinstance(config, Generated)
    return sources_files.generated(config.path)


def configure(value: Any, place: str) -> SourceConfig:
    """One entry of `sources` in a collection file, every key and type checked; raises `UserError` that names the
    key."""
    if not isinstance(value, Mapping) or value.get("source") not in KINDS:
        found = value.get("source") if isinstance(value, Mapping) else value
        near = difflib.get_close_matches(str(found), KINDS, n=1)
        raise UserError(f"{place}: source", f"`{found}` is no kind of source", f"use {near[0] if near else ', '.join(KINDS)}")
    config = build(KINDS[value["source"]], {key: item for key, item in value.items() if key != "source"}, place)
    columns = getattr(config, "columns", {})
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise UserError(f"{place}: columns.{unknown[0]}", "unknown key", f"use {', '.join(COLUMNS)}")
    if isinstance(config, Table | Hub) and not columns.keys() & {"codes", "icd10", "cpt", "hcpcs"}:
        raise UserError(f"{place}: columns", "no column holds codes", "map at least one of codes, icd10, cpt, hcpcs")
    if isinstance(config, Table | Hub) and "narrative" not in columns:
        raise UserError(f"{place}: columns.narrative", "missing", "name the column that holds the text")
    if getattr(config, "label", "given") not in LABELS:
        raise UserError(f"{place}: label", f"`{config.label}` is unknown", f"use {', '.join(LABELS)}")  # type: ignore[attr-defined]
    if config.side not in (None, *SIDES):
        raise UserError(f"{place}: side", f"`{config.side}` is unknown", f"use {', '.join(SIDES)}")
    if not 0 < config.sample <= 1:
        raise UserError(f"{place}: sample", f"must be above 0 and at most 1, not {config.sample}")
    if config.date_of_service is not None:
        try:
            date.fromisoformat(config.date_of_service)
        except ValueError:
            raise UserError(f"{place}: date_of_service", f"`{config.date_of_service}` is no day", "write 2026-01-15") from None
    return config


def build(kind: type[T], value: Any, place: str) -> T:
    """A dataclass from a mapping; keys without a default must be there, unknown ones must not."""
    if not isinstance(value, Mapping):
        raise UserError(place, f"must be a section with keys, not `{value}`")
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            raise UserError(
                f"{place}: {key}", "unknown key", f"did you mean `{near[0]}`?" if near else f"use {', '.join(fields)}"
            )
    hints = get_type_hints(kind)
    arguments = {}
    for name, item in fields.items():
        if name in value:
            arguments[name] = _typed(hints[name], value[name], f"{place}: {name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise UserError(f"{place}: {name}", "missing", "see configs/collect_example.yaml")
    return kind(**arguments)


def _typed(hint: Any, value: Any, place: str) -> Any:
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        hint = next(part for part in get_args(hint) if part is not type(None))
    origin = get_origin(hint) or hint
    if origin is float and type(value) is int:
        return float(value)
    wanted = {tuple: list, dict: Mapping}.get(origin, origin)
    inner = get_args(hint)
    fits = isinstance(value, wanted) and not (wanted is not bool and isinstance(value, bool))
    if fits and origin is tuple:
        fits = all(isinstance(part, inner[0]) for part in value)
    if fits and origin is dict:
        fits = all(isinstance(part, inner[1]) for part in value.values())
    if not fits:
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", tuple: "a list of texts"}
        raise UserError(place, f"must be {names.get(origin, 'a section of texts')}, not `{value}`")
    if type(value) is int and value < 1:
        raise UserError(place, f"must be at least 1, not {value}")
    return tuple(value) if origin is tuple else dict(value) if origin is dict else value
