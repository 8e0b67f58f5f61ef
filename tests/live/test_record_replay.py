"""A recording is the support story: the same plan, byte for byte, without network and keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from site_of_work import Site

from command import drybill
from drybill.errors import Exit
from drybill.sandbox.seed import ENVIRONMENT, pax8_company


def offline(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    """Another machine: no keys, no journal, no network."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DRYBILL_STATE", str(state))


def test_a_replayed_run_has_the_same_plan(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.diff()  # the journal has seen this PSA before
    tape, plan, again = (tmp_path / name for name in ("tape.json", "plan.json", "again.json"))
    said = drybill("diff", site.mapping, "--record", str(tape), "--save", str(plan))
    assert said.code == Exit.DONE, said.err
    asked = len(site.store.requests())
    offline(monkeypatch, tmp_path / "elsewhere")
    replayed = drybill("diff", site.mapping, "--replay", str(tape), "--save", str(again))
    assert replayed.code == Exit.DONE, replayed.err
    assert len(site.store.requests()) == asked
    first, second = (json.loads(file.read_text("utf-8")) for file in (plan, again))
    assert second["digest"] == first["digest"]
    assert second["plan"] == first["plan"]


def test_a_recording_needs_its_mapping(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tmp_path / "tape.json"
    drybill("diff", site.mapping, "--record", str(tape))
    site.change('fields = ["increase"', 'fields = ["end", "increase"')
    said = drybill("diff", site.mapping, "--replay", str(tape))
    assert said.code == Exit.USAGE
    assert "another mapping" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["--replay", "x", "--apply"],
        ["--record", "x", "--replay", "x"],
        ["--record", "x", "--plan", "y"],
    ],
)
def test_what_makes_no_sense_is_refused(site: Site, words: list[str]) -> None:
    said = drybill("diff", site.mapping, *words, typed="")
    assert said.code == Exit.USAGE
    assert site.store.requests() == []


def test_a_recording_does_not_replace_what_the_run_reads(site: Site) -> None:
    before = Path(site.mapping).read_bytes()
    said = drybill("diff", site.mapping, "--record", site.mapping)
    assert (said.code, Path(site.mapping).read_bytes()) == (Exit.USAGE, before)
    assert "--record" in said.err


def test_no_secret_is_anywhere(site: Site, tmp_path: Path) -> None:
    """Every secret of the run is a canary, and the servers repeat them in their data."""
    names = ("SANDBOX_CLIENT_ID", "SANDBOX_COMPANY")  # which stand beside secrets
    secret = {name: value for name, value in ENVIRONMENT.items() if name not in names}
    company = site.store.get("pax8-company", pax8_company(250))
    assert company is not None
    # what a reader never fetched it cannot know: the second pair is the writer's alone
    read = [value for name, value in ENVIRONMENT.items() if "WRITE" not in name]
    company["name"] = "Wonderland " + " ".join(read)
    site.store.put("pax8-company", company)
    tape = tmp_path / "tape.json"
    outputs = [
        drybill("diff", site.mapping, "--record", str(tape), "--save", str(tmp_path / "p.json")),
        drybill("diff", site.mapping, "--format", "json", "--all"),
        drybill("runs", "show", "r"),
    ]
    plan = site.plan()
    outputs.append(site.apply(plan))
    site.store.add_fault("500", times=0)
    outputs.append(drybill("diff", site.mapping))
    kept = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.name.startswith("sandbox.db")
    ]
    texts = [said.out + said.err for said in outputs]
    texts += [path.read_bytes().decode("latin-1") for path in kept]
    for name, value in {**secret, "token": "pax8-practice-token"}.items():
        shown = [text for text in texts if value in text]
        assert not shown, (name, shown[0][max(shown[0].index(value) - 300, 0) :][:600])
