"""Programs add, describe, fetch and put away base models like the page does."""

from tests.conftest import SignedIn
from tests.tokens import api_client


def test_a_program_adds_fetches_and_puts_away(owner: SignedIn) -> None:
    program = api_client(owner)
    given = {"name": "Haus", "repository": "acme/house", "family": "stable_diffusion", "commercial": "yes"}
    added = program.post("/api/v1/own-base-models/hub", json=given)
    assert added.status_code == 201 and added.json()["commercial"] is True
    key = added.json()["id"]
    assert key in [one["key"] for one in program.get("/api/v1/base-models").json()["items"]]
    assert program.get(f"/api/v1/base-models/{key}").json()["source"] == "acme/house"
    told = program.get(f"/api/v1/base-models/{key}/files").json()
    assert (told["job"]["state"], told["state"], told["job_id"]) == ("queued", "queued", told["job"]["id"])
    assert program.post(f"/api/v1/base-models/{key}/files").status_code == 202
    assert program.delete(f"/api/v1/base-models/{key}/files").status_code == 409, "it is on its way"
    changed = program.put(f"/api/v1/own-base-models/{key}", json={"name": "Neu", "licence": "MIT"})
    assert (changed.json()["name"], changed.json()["commercial"]) == ("Neu", None)
    assert program.delete(f"/api/v1/own-base-models/{key}").status_code == 204
    assert program.get("/api/v1/own-base-models").json()["items"] == []
    assert [one["id"] for one in program.get("/api/v1/own-base-models?archived=true").json()["items"]] == [key]
    assert program.post(f"/api/v1/own-base-models/{key}/take-back").json()["archived_at"] is None


def test_the_token_goes_in_and_never_comes_out(owner: SignedIn) -> None:
    program = api_client(owner)
    answers = [
        program.get("/api/v1/hub-token"),
        program.put("/api/v1/hub-token", json={"token": "hf_VerySecret"}),
        program.get("/api/v1/hub-token"),
        program.put("/api/v1/hub-token", json={"token": "two words"}),
        program.delete("/api/v1/hub-token"),
        program.delete("/api/v1/hub-token"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 422, 204, 404]
    assert [answers[0].json()["is_set"], answers[2].json()["is_set"]] == [False, True]
    assert not any("VerySecret" in answer.text for answer in answers)
