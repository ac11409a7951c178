"""Settings: flags before environment before file before defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobdeck.client import settings
from jobdeck.domain.errors import InvalidValue, Malformed


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    (tmp_path / "jobdeck.toml").write_text('port = 1\nworkers = 1\nhost = "file"\ngrace_s = 5\n')
    env = {"JOBDECK_PORT": "2", "JOBDECK_WORKERS": "2", "JOBDECK_TOKEN": ""}
    found = settings.read({"port": 3, "host": None}, env, tmp_path)
    assert (found.port, found.workers, found.host, found.grace_s) == (3, 2, "file", 5.0)
    assert found.token == ""
    assert found.given == {"port", "workers", "host", "grace_s"}


def test_without_anything_there_are_defaults(tmp_path: Path) -> None:
    found = settings.read({}, {}, tmp_path)
    assert found == settings.Settings()
    assert (found.store, found.port) == ("sqlite:///jobdeck.db", 8787)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("queues", "a, b,", ("a", "b")),
        ("queues", "", ()),
        ("durable", "yes", True),
        ("durable", "0", False),
        ("open_metrics", "off", False),
        ("base_path", "jobs/", "/jobs"),
        ("base_path", "/", ""),
        ("log_level", "debug", "debug"),
        ("grace_s", "2.5", 2.5),
    ],
)
def test_texts_are_read(tmp_path: Path, name: str, text: str, value: Any) -> None:
    env = {f"JOBDECK_{name.upper()}": text}
    assert getattr(settings.read({}, env, tmp_path), name) == value


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ({"JOBDECK_PORT": "http"}, "JOBDECK_PORT"),
        ({"JOBDECK_PORT": "70000"}, "port"),
        ({"JOBDECK_WORKERS": "-1"}, "workers"),
        ({"JOBDECK_GRACE_S": "nan"}, "grace_s"),
        ({"JOBDECK_GRACE_S": "inf"}, "grace_s"),
        ({"JOBDECK_SESSION_HOURS": "nan"}, "session_hours"),
        ({"JOBDECK_SESSION_HOURS": "0"}, "session_hours"),
        ({"JOBDECK_TOKEN": "schlüssel"}, "token"),
        ({"JOBDECK_LOG_LEVEL": "loud"}, "JOBDECK_LOG_LEVEL"),
        ({"JOBDECK_EXECUTOR": "kubernetes"}, "JOBDECK_EXECUTOR"),
        ({"JOBDECK_BASE_PATH": "/a b"}, "base_path"),
        ({"JOBDECK_BASE_PATH": "//evil.example"}, "base_path"),
        ({"JOBDECK_DURABLE": "perhaps"}, "JOBDECK_DURABLE"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, env: dict[str, str], where: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        settings.read({}, env, tmp_path)
    assert caught.value.field == where


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    file = tmp_path / "jobdeck.toml"
    file.write_text("port = ")
    with pytest.raises(Malformed, match=r"jobdeck\.toml"):
        settings.read({}, {}, tmp_path)
    file.write_text("prot = 1")
    with pytest.raises(InvalidValue, match="port"):
        settings.read({}, {}, tmp_path)
    file.write_text("[etl]\nlimit = 3")
    with pytest.raises(InvalidValue, match=r"jobdeck\.toml: etl: no such setting"):
        settings.read({}, {}, tmp_path)
    file.write_text('port = "http"')
    with pytest.raises(InvalidValue, match=r"jobdeck\.toml: port"):
        settings.read({}, {}, tmp_path)


def test_every_setting_is_in_the_table() -> None:
    fields = set(settings.Settings.__struct_fields__) - {"given"}
    assert {setting.name for setting in settings.SETTINGS} == fields
    for setting in settings.SETTINGS:
        assert setting.help
        assert setting.env == f"JOBDECK_{setting.name.upper()}"
