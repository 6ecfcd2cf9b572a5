"""The report of a scan as Python values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional


@dataclass(frozen=True)
class Relation:
    """A relation and its coverage. The numbers are 0 if it could not be checked: see ``coverage``."""

    id: str
    coverage: str
    """``checked``, ``partial`` or ``unchecked``"""
    reason: Optional[str]
    """The reason why rows were not checked"""
    rows: int
    orphan_rows: int
    missing_keys: int


@dataclass(frozen=True)
class Finding:
    code: str
    """Such as ``orphan``: ``fk-doctor code orphan`` explains it"""
    severity: str
    """``error``, ``warning`` or ``note``"""
    relation: str
    message: str
    help: str
    rows: int
    missing_keys: int


@dataclass(frozen=True)
class Report:
    verdict: str
    """``clean``, ``findings``, ``partial`` or ``incomplete``"""
    exit_code: int
    relations: tuple[Relation, ...]
    findings: tuple[Finding, ...]
    text: str
    """The report for people"""
    json: Mapping[str, Any]
    """The whole report in the format ``fk-doctor/scan@1``"""

    @property
    def is_clean(self) -> bool:
        """True if everything was checked and nothing fails the scan."""
        return self.verdict == "clean"

    @property
    def orphan_rows(self) -> int:
        """The number of rows without a parent, each relation counted by itself."""
        return sum(relation.orphan_rows for relation in self.relations)


def read(report: Mapping[str, Any], text: str, exit_code: int) -> Report:
    """Returns the report of the JSON that ``scan`` wrote."""
    return Report(
        verdict=report["verdict"],
        exit_code=exit_code,
        relations=tuple(_relation(relation) for relation in report["relations"]),
        findings=tuple(_finding(finding) for finding in report["findings"]),
        text=text,
        json=report,
    )


def _relation(relation: Mapping[str, Any]) -> Relation:
    return Relation(
        id=relation["id"],
        coverage=relation["coverage"],
        reason=relation["reason"],
        rows=relation["rows"],
        orphan_rows=relation["orphan_rows"],
        missing_keys=relation["missing_keys"],
    )


def _finding(finding: Mapping[str, Any]) -> Finding:
    return Finding(
        code=finding["code"],
        severity=finding["severity"],
        relation=finding["relation"],
        message=finding["message"],
        help=finding["help"],
        rows=finding["rows"],
        missing_keys=finding["missing_keys"],
    )
