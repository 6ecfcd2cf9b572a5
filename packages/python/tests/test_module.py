"""The module and the plugin, against the program of the installed wheel. ``ci/packages`` runs these tests."""

import sqlite3
import subprocess
import sys

import pytest

import fk_doctor as module

pytest_plugins = ["pytester"]

SCHEMA = """
CREATE TABLE users(id INTEGER PRIMARY KEY);
CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id));
INSERT INTO users VALUES (1);
INSERT INTO posts VALUES (1, 1);
"""
ORPHANS = "INSERT INTO posts VALUES (2, 7), (3, 7);"


def database(folder, script):
    path = folder / "app.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return path


def test_scan_of_a_clean_database(tmp_path):
    report = module.scan(database(tmp_path, SCHEMA))
    assert (report.verdict, report.exit_code, report.is_clean) == ("clean", 0, True)
    assert [(relation.id, relation.coverage) for relation in report.relations] == [("posts(user_id)->users(id)", "checked")]
    assert "1 of 1 relation checked" in report.text


def test_scan_with_orphans(tmp_path):
    report = module.scan(str(database(tmp_path, SCHEMA + ORPHANS)))
    assert (report.verdict, report.exit_code, report.orphan_rows) == ("findings", 1, 2)
    orphan = next(finding for finding in report.findings if finding.code == "orphan")
    assert (orphan.severity, orphan.rows, orphan.missing_keys) == ("error", 2, 1)
    assert orphan.relation == "posts(user_id)->users(id)"
    assert report.json["format"] == "fk-doctor/scan@1"


def test_unreadable_database_is_an_error(tmp_path):
    with pytest.raises(module.FkDoctorError) as error:
        module.scan(tmp_path / "absent.db")
    assert error.value.exit_code == 3
    assert "absent.db" in str(error.value)


def test_wrong_option_is_an_error(tmp_path):
    with pytest.raises(module.FkDoctorError) as error:
        module.scan(database(tmp_path, SCHEMA), fail_on="sometimes")
    assert error.value.exit_code == 2


def test_incomplete_scan_is_not_clean(tmp_path):
    report = module.scan(database(tmp_path, SCHEMA + "CREATE TABLE other(r INTEGER REFERENCES users(absent));"))
    assert report.verdict == "incomplete" and not report.is_clean


def test_database_in_memory_is_refused():
    class Url:
        def render_as_string(self, hide_password):
            return "sqlite://"

    class Engine:
        url = Url()

    with pytest.raises(ValueError):
        module.scan(Engine())


def test_password_of_a_url_is_no_argument(monkeypatch):
    seen = {}

    def run(command, **options):
        seen.update(command=command, url=options["env"]["DATABASE_URL"])
        return subprocess.CompletedProcess(command, 3, "", "error: no server")

    monkeypatch.setattr("fk_doctor._program.subprocess.run", run)
    with pytest.raises(module.FkDoctorError):
        module.scan("postgres://app:secret@db1/shop")
    assert seen["url"] == "postgres://app:secret@db1/shop"
    assert not any("secret" in word for word in seen["command"])


def test_module_runs_the_program(tmp_path):
    path = database(tmp_path, SCHEMA + ORPHANS)
    run = subprocess.run([sys.executable, "-m", "fk_doctor", "scan", str(path)], capture_output=True, text=True)
    assert run.returncode == 1
    assert "2 orphan rows" in run.stdout


def test_fixture_fails_the_test_with_the_report(pytester):
    pytester.makepyfile(
        f"""
        import sqlite3

        def make(tmp_path, script):
            connection = sqlite3.connect(tmp_path / "app.db")
            connection.executescript(script)
            connection.close()
            return tmp_path / "app.db"

        def test_clean(fk_doctor, tmp_path):
            fk_doctor.assert_clean(make(tmp_path, {SCHEMA!r}))

        def test_orphans(fk_doctor, tmp_path):
            fk_doctor.assert_clean(make(tmp_path, {SCHEMA + ORPHANS!r}))
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the verdict of fk-doctor is findings*", "*2 orphan rows in 1 of 1 relation*"])
