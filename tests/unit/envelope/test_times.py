"""Times, epochs and names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.envelope.contracts import encode_body, schema_id
from hub.envelope.names import Kind, TopicName, kind_of_topic, parse_topic
from hub.envelope.reading_rules import moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.times import epoch_bounds, epoch_of, from_ms, in_japan, next_epoch, to_ms


def test_epoch_changes_at_midnight_in_japan() -> None:
    before = datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC)
    assert (epoch_of(before), epoch_of(before + timedelta(seconds=1))) == (202603, 202604)
    assert epoch_bounds(202604)[0] == before + timedelta(seconds=1)
    assert epoch_bounds(202612)[1] == epoch_bounds(202701)[0]
    assert next_epoch(202612) == 202701
    with pytest.raises(ValueError, match="month"):
        epoch_bounds(202613)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 11, 1), timezones=st.just(UTC)))
def test_times_keep_their_milliseconds(time: datetime) -> None:
    assert timedelta(0) <= time - from_ms(to_ms(time)) < timedelta(milliseconds=1)
    begin, end = epoch_bounds(epoch_of(time))
    assert begin <= time < end


def test_time_without_offset_or_out_of_range_is_refused() -> None:
    assert to_ms(datetime(1970, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))) == 0
    for bad in (datetime(2026, 1, 1), datetime(1969, 12, 31, tzinfo=UTC)):
        with pytest.raises(ValueError, match="time"):
            to_ms(bad)
    for milliseconds in (-1, 253_402_300_800_000):
        with pytest.raises(EnvelopeError):
            moment(milliseconds)


@pytest.mark.parametrize(
    ("topic", "name", "kind"),
    [
        ("eltax.submissions", TopicName("eltax", None, "submissions"), Kind.SUBMISSION),
        ("eltax.131041.status", TopicName("eltax", "131041", "status"), Kind.STATUS),
        ("rehearsal-1.131041.accepted", TopicName("rehearsal-1", "131041", "accepted"), Kind.ACCEPTED),
        ("eltax.131041.review", TopicName("eltax", "131041", "review"), None),
        ("eltax.dead-letters.router", None, None),
        ("eltax.submissions.g2", TopicName("eltax", None, "submissions", 2), Kind.SUBMISSION),
        ("eltax.131041.status.g12", TopicName("eltax", "131041", "status", 12), Kind.STATUS),
        ("eltax.131041.review.g2", TopicName("eltax", "131041", "review", 2), None),
        ("eltax.submissions.g1", None, None),
        ("eltax.submissions.g02", None, None),
        ("eltax.submissions.g1000", None, None),
        ("eltax.submissions.g２", None, None),
        ("eltax.submissions.g2.g2", None, None),
        ("eltax.131041.status.g1", None, None),
        ("eltax.131041.g2", None, None),
        ("eltax.dead-letters.router.g2", None, None),
        ("eltax.g2", TopicName("eltax", None, "g2"), None),
        ("eltax..status", None, None),
        ("submissions", None, None),
        ("", None, None),
    ],
)
def test_topics_are_read(topic: str, name: TopicName | None, kind: Kind | None) -> None:
    assert parse_topic(topic) == name and kind_of_topic(topic) is kind


def test_record_that_breaks_its_contract_is_not_encoded() -> None:
    with pytest.raises(EnvelopeError) as refused:
        encode_body("KeyDestroyed", {"audience": 1})
    assert refused.value.reason is Reason.MALFORMED
    with pytest.raises(LookupError):
        schema_id("Nothing")


@pytest.mark.parametrize(
    "topic", [".submissions", "eltax.", "eltax.131041.", ".131041.status", "..", "a.b.c.d", "a.13104.b"]
)
def test_topic_with_an_empty_or_odd_part_is_none(topic: str) -> None:
    assert parse_topic(topic) is None


@pytest.mark.parametrize("month", range(1, 13))
def test_epochs_follow_each_other_without_a_gap(month: int) -> None:
    epoch = 202600 + month
    begin, end = epoch_bounds(epoch)
    assert epoch_of(begin) == epoch == epoch_of(end - timedelta(milliseconds=1))
    assert epoch_of(end) == next_epoch(epoch) == (202701 if month == 12 else epoch + 1)


def test_time_that_japans_calendar_lacks_is_left_as_it_is() -> None:
    assert in_japan(datetime(2026, 3, 31, 15, tzinfo=UTC)).isoformat() == "2026-04-01T00:00:00+09:00"
    assert in_japan(datetime(2026, 4, 1, tzinfo=UTC)).tzname() == "JST"
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert in_japan(last) is last
