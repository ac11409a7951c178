"""Commands, called in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobdeck.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What the command writes as JSON; it must end with that code."""
    capsys.readouterr()
    assert main([*words, "--json"]) == code, words
    out = capsys.readouterr().out
    return json.loads(out) if out else None
