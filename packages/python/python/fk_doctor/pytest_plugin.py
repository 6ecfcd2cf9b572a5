"""The fixture ``fk_doctor`` for pytest."""

from __future__ import annotations

from typing import Any

import pytest

from ._program import Database, scan
from ._report import Report


class FkDoctor:
    """Scans databases in tests."""

    def scan(self, database: Database, **options: Any) -> Report:
        """Returns the report of a scan. The options are those of :func:`fk_doctor.scan`."""
        return scan(database, **options)

    def assert_clean(self, database: Database, **options: Any) -> Report:
        """Fails the test with the report unless everything was checked and nothing was found."""
        __tracebackhide__ = True
        report = scan(database, **options)
        if not report.is_clean:
            pytest.fail(f"the verdict of fk-doctor is {report.verdict}\n\n{report.text}", pytrace=False)
        return report


@pytest.fixture(scope="session")
def fk_doctor() -> FkDoctor:
    """Scans a database for rows without a parent: ``fk_doctor.assert_clean("app.db")``."""
    return FkDoctor()
