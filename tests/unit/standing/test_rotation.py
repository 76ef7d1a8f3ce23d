"""The coming months' audience keys: made once, signed, found by who reads and chosen by who seals."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.crypto.errors import KeyMissing
from hub.enrolment import published_keys
from hub.envelope.records import AudienceKey
from hub.envelope.signed import Signed
from hub.envelope.times import epoch_bounds
from hub.envelope.validation import validate_audience_key
from hub.producing.audience_keys import SealingKey, choose
from hub.rotation import NobodyEnrolled, due, epochs_ahead, rotate
from hub.shut_out_book import BOOK
from tests.unit.standing.world import CHEAP, FIRST, NOW, Office, laid_out

REVIEW = f"review-{FIRST}"


def told() -> tuple[list[tuple[str, int]], Callable[[str, int], None]]:
    said: list[tuple[str, int]] = []
    return said, lambda audience, epoch: said.append((audience, epoch))


def announced(office: Office) -> dict[str, bytes]:
    return dict(published_keys(office.home))


def test_nothing_is_due_before_its_time_and_one_month_a_month() -> None:
    assert epochs_ahead(NOW, 3) == (202604, 202605, 202606)
    assert epochs_ahead(NOW + timedelta(days=250), 2) == (202612, 202701)


def test_keys_of_the_month_after_next_are_made_for_every_audience_once(office: Office) -> None:
    before, topology = announced(office), laid_out()
    audiences = {each.audience for each in topology.roles if each.audience is not None}
    said, used = told()
    done = rotate(office.home, topology, now=NOW, used=used, cost=CHEAP)
    assert {(each.audience, each.epoch) for each in done.made} == {(each, 202606) for each in audiences}
    assert sorted(said) == sorted((each.audience, each.epoch) for each in done.made)
    assert done.waiting == ()
    after = announced(office)
    assert {key: after[key] for key in before} == before
    assert rotate(office.home, topology, now=NOW, used=used, cost=CHEAP).made == ()
    assert announced(office) == after


def test_who_seals_chooses_the_new_key_when_its_month_begins_and_who_reads_has_it(office: Office) -> None:
    rotate(office.home, laid_out(), now=NOW, used=told()[1], cost=CHEAP)
    trust = office.role("router").trust
    for epoch, at in ((202605, epoch_bounds(202606)[0] - timedelta(seconds=1)), (202606, epoch_bounds(202606)[0])):
        known = []
        for name, value in announced(office).items():
            found = validate_audience_key(Signed.parse(value), trust, at, key=name.encode())
            if isinstance(found, AudienceKey) and found.audience == REVIEW:
                known.append(SealingKey(found, Signed.parse(value).hash))
        chosen = choose(REVIEW, known, None, at).key
        assert chosen.epoch == epoch
        assert office.keys(REVIEW).load_audience(REVIEW, epoch).key_id == chosen.key_id


def test_a_run_that_was_cut_short_announces_the_key_that_it_had_made(office: Office) -> None:
    rotate(office.home, laid_out(), now=NOW, used=told()[1], cost=CHEAP)
    made = office.keys(REVIEW).load_audience(REVIEW, 202606).key_id
    (file,) = (office.home / "audience-keys").glob(f"{REVIEW}_202606_*")
    file.unlink()
    rotate(office.home, laid_out(), now=NOW, used=told()[1], cost=CHEAP)
    assert file.exists()
    assert office.keys(REVIEW).load_audience(REVIEW, 202606).key_id == made


def test_an_epoch_whose_key_was_destroyed_gets_no_other(office: Office) -> None:
    store = office.keys(REVIEW)
    key = store.load_audience(REVIEW, 202605)
    store.destroy(REVIEW, 202605, key.key_id)
    rotate(office.home, laid_out(), now=NOW, used=told()[1], cost=CHEAP)
    with pytest.raises(KeyMissing):
        office.keys(REVIEW).load_audience(REVIEW, 202605)


def test_who_is_shut_out_is_given_nothing_and_is_named(office: Office) -> None:
    line = {"at": NOW.isoformat(), "done": "shut-out", "principal": REVIEW}
    (office.home / BOOK).write_text(json.dumps(line) + "\n")
    done = rotate(office.home, laid_out(), now=NOW, used=told()[1], cost=CHEAP)
    assert {(each.principal, each.epoch) for each in done.waiting} == {(REVIEW, 202606)}
    assert REVIEW not in {each.principal for each in done.made}
    with pytest.raises(KeyMissing):
        office.keys(REVIEW).load_audience(REVIEW, 202606)


def test_no_key_is_made_that_may_not_be_noted(office: Office) -> None:
    def full(audience: str, epoch: int) -> None:
        raise OSError(audience)

    before = announced(office)
    with pytest.raises(OSError):
        rotate(office.home, laid_out(), now=NOW, used=full, cost=CHEAP)
    assert announced(office) == before
    assert len(due(office.home, laid_out(), NOW)) == len({each.audience for each in laid_out().roles} - {None})


def test_a_home_without_keys_says_so(office: Office, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(NobodyEnrolled):
        rotate(tmp_path_factory.mktemp("empty"), laid_out(), now=NOW, used=told()[1], cost=CHEAP)
