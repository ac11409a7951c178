"""Rules by which errors get hints: REST, and the commands over it."""

from __future__ import annotations

import json

import pytest

from jobdeck.cli.main import main
from jobdeck.store.database import Store
from tests.integration.api.caller import Caller


def test_rules_are_kept(api: Caller) -> None:
    body = {"pattern": r"ERP-\d", "hint": "Start the ERP.", "link": "https://wiki/erp"}
    answer = api.call("POST", "/hints", json={**body, "reason": "why"})
    made = answer.json()
    assert (answer.status_code, made["hint"]) == (201, "Start the ERP.")
    assert api.get("/hints")["items"] == [made]
    for wrong, field in (
        ({**body, "pattern": "("}, "pattern"),
        ({**body, "pattern": r"(a)\1"}, "pattern"),
        ({**body, "hint": ""}, "hint"),
        ({**body, "link": "javascript:x"}, "link"),
    ):
        assert api.problem("POST", "/hints", 422, json=wrong)["field"] == field
    assert api.call("DELETE", f"/hints/{made['id']}").status_code == 204
    api.problem("DELETE", f"/hints/{made['id']}", 404)
    assert api.get("/hints")["items"] == []


def test_commands(
    here: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBDECK_STORE", here.address)
    assert main(["hints", "add", "ORA-", "Ask the DBA.", "--link", "/wiki", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert main(["hints", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [made]
    assert main(["hints", "add", "(", "x"]) == 2
    assert "is not a pattern" in capsys.readouterr().err
    assert main(["hints", "remove", str(made["id"])]) == 0
    assert main(["hints", "remove", str(made["id"])]) == 1


def test_views_are_ones_own(
    api: Caller, here: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "Slow ones", "filter": "status:failed duration:>1m", "sort": "-duration,id"}
    answer = api.call("POST", "/views", json=body)
    made = answer.json()
    assert (answer.status_code, {name: made[name] for name in body}) == (201, body)
    again = api.call("POST", "/views", json={**body, "sort": ""}).json()
    assert again == {**made, "sort": ""}
    named = api.call("PATCH", f"/views/{made['id']}", json={"name": "Slow"}).json()
    assert api.get("/views")["items"] == [named] == [{**again, "name": "Slow"}]
    for wrong, field in (
        ({"name": " "}, "name"),
        ({"name": "x", "filter": "state:failed"}, "filter"),
        ({"name": "x", "sort": "size"}, "sort"),
    ):
        assert api.problem("POST", "/views", 422, json=wrong)["field"] == field

    # Somebody else, at the store itself, has others.
    monkeypatch.setenv("JOBDECK_STORE", here.address)
    assert main(["views", "save", "Mine", "flow:load", "since:2h", "--sort=-id", "--json"]) == 0
    mine = json.loads(capsys.readouterr().out)
    assert main(["views", "rename", str(mine["id"]), "Ours"]) == 0
    assert main(["views", "rename", str(made["id"]), "Ours"]) == 1
    capsys.readouterr()
    assert main(["views", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{**mine, "name": "Ours"}]
    assert main(["views", "delete", str(mine["id"])]) == 0
    assert main(["views", "delete", str(mine["id"])]) == 1

    assert api.call("DELETE", f"/views/{made['id']}").status_code == 204
    api.problem("DELETE", f"/views/{made['id']}", 404)
    assert api.get("/views")["items"] == []


def test_a_flow_is_checked(api: Caller) -> None:
    assert api.get("/flows/weather/check", params={"params": '{"city": "x"}'})["fits"]
    found = api.get("/flows/weather/check", params={"params": '{"days": 0}'})
    assert (found["fits"], sorted(found["problems"])) == (False, ["params.city", "params.days"])
    assert api.problem("GET", "/flows/weather/check?params=x", 422)["field"] == "params"
    api.problem("GET", "/flows/wether/check", 404)
