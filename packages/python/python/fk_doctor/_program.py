"""Finds the program and runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Iterable, Optional, Union

from ._report import Report, read

Database = Union[str, "os.PathLike[str]", Any]
"""A path, a URL, or an object with a ``url``, such as an engine of SQLAlchemy"""

_REPORTED = (0, 1, 4)
"""The exit codes with a report: clean, findings, incomplete"""


class FkDoctorError(RuntimeError):
    """The program could not scan. ``exit_code`` is its own: the book explains each."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def find_program() -> str:
    """Returns the path of the program: beside this Python, else on ``PATH``."""
    name = "fk-doctor" + (sysconfig.get_config_var("EXE") or "")
    user_scheme = sysconfig.get_preferred_scheme("user") if sys.version_info >= (3, 10) else None
    folders = [sysconfig.get_path("scripts")]
    if user_scheme is not None:
        folders.append(sysconfig.get_path("scripts", scheme=user_scheme))
    for folder in folders:
        path = Path(folder, name)
        if path.is_file():
            return str(path)
    found = shutil.which("fk-doctor")
    if found is None:
        raise FkDoctorError("the program fk-doctor is neither beside this Python nor on PATH: pip install fk-doctor", 3)
    return found


def scan(
    database: Optional[Database] = None,
    *,
    config: Optional[Union[str, "os.PathLike[str]"]] = None,
    baseline: Optional[Union[str, "os.PathLike[str]"]] = None,
    fail_on: Optional[str] = None,
    tables: Iterable[str] = (),
    redact: bool = False,
    timeout: Optional[str] = None,
    options: Iterable[str] = (),
) -> Report:
    """Scans a database and returns the report. Nothing is written to the database.

    Without a database, the program reads ``DATABASE_URL``. ``options`` are further options of ``fk-doctor scan``.
    Raises ``FkDoctorError`` if the database cannot be read, or if an option is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="fk-doctor-") as folder:
        file = Path(folder, "report.json")
        command = [find_program(), "scan", "--color=never", "--format=table", f"--format=json={file}"]
        for option, value in (("config", config), ("baseline", baseline), ("fail-on", fail_on), ("timeout", timeout)):
            if value is not None:
                command.append(f"--{option}={os.fspath(value)}")
        command += [f"--table={table}" for table in tables]
        command += ["--redact"] if redact else []
        command += options
        environment = dict(os.environ)
        if database is not None:
            text = address(database)
            if "://" in text and "@" in text:
                # Other users can see the arguments of a program, and a URL may have a password.
                environment["DATABASE_URL"] = text
            else:
                command += ["--", text]
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
        if run.returncode not in _REPORTED or not file.exists():
            raise FkDoctorError(run.stderr.strip() or f"exit code {run.returncode}", run.returncode)
        return read(json.loads(file.read_text(encoding="utf-8")), run.stdout, run.returncode)


def address(database: Database) -> str:
    """Returns a database as an argument of the program."""
    if isinstance(database, (str, os.PathLike)):
        return os.fspath(database)
    url = getattr(database, "url", None)
    if url is None:
        raise TypeError(f"expected a path, a URL or an engine with a url, found {type(database).__name__}")
    render = getattr(url, "render_as_string", None)
    text = str(render(hide_password=False) if render else url)
    if text in ("sqlite://", "sqlite:///:memory:"):
        raise ValueError("the database is in the memory of this process: fk-doctor needs a file or a server")
    return text
