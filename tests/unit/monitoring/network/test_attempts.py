"""Attempts on peers that hang, drip, flood and lie: each ends, and none of it counts as refused."""

from __future__ import annotations

import random
import socket
import ssl
import struct
from datetime import timedelta
from pathlib import Path

import pytest

from hub.crypto.peers import MAX_BYTES, peer_certificate
from hub.transport import TlsIdentity
from monitoring.network import kafka
from monitoring.network.addresses import Address
from monitoring.network.controls import Certificates, Places, certificates, one_round, scraped, side_by_side
from monitoring.network.judgement import Control, Verdict, judged
from monitoring.network.kafka import CORRELATION, Answer, framed
from monitoring.network.line import Came, Deadline, Ended, Line
from monitoring.network.reach import SCRAPE, in_the_clear, is_open, let_in, seen, visit
from tests.unit.monitoring.network.peers import (
    NOW,
    Behaviour,
    Place,
    closes,
    drips,
    floods,
    hangs,
    over_tls,
    peer,
    says,
    says_and_closes,
)
from topics import declaration
from topics.expanding import expand

SHORT = 0.25
KAFKA = struct.pack(">iihi", 10, CORRELATION, 0, 0)
FATAL = b"\x15\x03\x03\x00\x02\x02\x28"
SENTENCES: dict[str, Behaviour] = {
    "hangs": hangs,
    "closes": closes,
    "drips": drips,
    "floods": floods,
    "speaks garbage": says(b"\x00" * 200),
    "announces 2 GiB": says(b"\x7f\xff\xff\xff"),
    "announces less than nothing": says(b"\xff\xff\xff\xff"),
    "speaks HTTP": says(b"HTTP/1.1 200 OK\r\n\r\n"),
    "answers something else": says(struct.pack(">iih", 6, CORRELATION + 1, 0)),
    "is only warned": says_and_closes(b"\x15\x03\x03\x00\x02\x01\x28"),
    "says half an alert": says_and_closes(FATAL[:5]),
    "says an alert and more": says_and_closes(FATAL + b"x"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def known(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    kept = tmp_path_factory.mktemp("kept")
    for name in ("canary", "expired"):
        place.authority.issue("canary", kept / name)
    return certificates(place.client(), kept, tmp_path_factory.mktemp("scratch"))


@pytest.mark.parametrize("what", SENTENCES)
def test_what_a_peer_says_in_the_clear_is_no_refusal_of_plaintext(what: str) -> None:
    with peer(SENTENCES[what]) as address:
        came, code = in_the_clear(address, seconds=SHORT)
    assert judged(Control.PLAINTEXT, came, code, contrast=True)[0] is Verdict.UNKNOWN


def test_kafka_in_the_clear_is_let_in_and_a_fatal_alert_is_a_refusal() -> None:
    with peer(says(KAFKA)) as address:
        assert in_the_clear(address, seconds=5) == (Came.ANSWERED, "")
    with peer(says(KAFKA[:5], KAFKA[5:])) as address:
        assert in_the_clear(address, seconds=5) == (Came.ANSWERED, "")
    with peer(says_and_closes(FATAL)) as address:
        assert in_the_clear(address, seconds=5) == (Came.ALERT, "fatal")


@pytest.mark.parametrize("what", SENTENCES)
def test_what_a_peer_says_instead_of_a_handshake_is_no_refusal_of_a_certificate(what: str, place: Place) -> None:
    with peer(SENTENCES[what]) as address:
        for newest in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            came, code = let_in(address, place.client(), seconds=SHORT, newest=newest)
            for control in (Control.UNKNOWN_CA, Control.EXPIRED, Control.NO_CERTIFICATE, Control.OLD_TLS):
                assert judged(control, came, code, contrast=True)[0] is Verdict.UNKNOWN
        assert not visit(address, place.client(), seconds=SHORT, metadata=True).good


@pytest.mark.parametrize("what", [each for each in SENTENCES if each != "hangs"])
def test_whoever_answers_anything_after_the_handshake_has_let_us_in(what: str, place: Place) -> None:
    with peer(over_tls(place.server(), SENTENCES[what])) as address:
        came, _ = let_in(address, None, seconds=5)
        assert came is (Came.CLOSED if what == "closes" else Came.ANSWERED)
        assert not visit(address, place.client(), seconds=SHORT, metadata=True).good, "and it is no broker"


def test_a_peer_that_is_silent_after_the_handshake_is_unknown(place: Place) -> None:
    with peer(over_tls(place.server(), hangs)) as address:
        assert let_in(address, None, seconds=SHORT) == (Came.HUNG, "")


def test_a_handshake_of_tls_1_2_is_let_in_by_itself(place: Place) -> None:
    old = ssl.TLSVersion.TLSv1_2
    with peer(over_tls(place.server(), hangs, maximum_version=old)) as address:
        assert let_in(address, place.client(), seconds=5, newest=old) == (Came.ANSWERED, "tlsv1-2")
        assert visit(address, place.client(), seconds=5, metadata=False).came is Came.ALERT
    with peer(over_tls(place.server(), hangs, minimum_version=ssl.TLSVersion.TLSv1_3)) as address:
        assert let_in(address, place.client(), seconds=5, newest=old) == (Came.ALERT, "protocol-version")


def test_a_refusal_that_comes_late_or_before_our_words_is_heard(place: Place) -> None:
    with peer(over_tls(place.server(), hangs, verify_mode=ssl.CERT_REQUIRED)) as address:
        for _ in range(20):
            assert let_in(address, None, seconds=5) == (Came.ALERT, "certificate-required")


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({"days": (-3, -1)}, "expired"),
        ({"days": (1, 2)}, "not-yet-valid"),
        ({"hosts": ("127.0.0.2",)}, "name"),
    ],
)
def test_a_visit_says_what_is_wrong_with_the_peers_certificate_and_shows_it(
    shown: dict[str, tuple[int, int]], code: str, place: Place
) -> None:
    issued = place.server(**shown)  # type: ignore[arg-type]
    with peer(over_tls(issued, says(KAFKA))) as address:
        found = visit(address, place.client(), seconds=5, metadata=False)
    assert (found.came, found.code, found.problem) == (Came.UNVERIFIED, code, f"unverified-{code}")
    assert found.certificate is not None
    assert found.certificate.subject == "broker"
    assert found.certificate.names == shown.get("hosts", ("127.0.0.1",))


def test_another_authoritys_listener_is_not_ours(place: Place, tmp_path: Path) -> None:
    with peer(over_tls(Place(tmp_path).server(), says(KAFKA))) as address:
        assert visit(address, place.client(), seconds=5, metadata=False).problem == "unverified-foreign-authority"


def test_a_good_visit_times_and_names_what_it_saw(place: Place) -> None:
    with peer(over_tls(place.server(), says(KAFKA))) as address:
        found = visit(address, place.client(), seconds=5, metadata=False)
    assert found.good and not found.problem
    assert found.protocol == "TLSv1.3" and found.cipher.startswith("TLS_")
    assert found.connect_seconds > 0 and found.handshake_seconds > 0
    assert found.certificate is not None and found.certificate.issuer == "eltax-hub authority"


def test_no_attempt_needs_more_than_files_that_may_be_missing(place: Place, tmp_path: Path) -> None:
    nowhere = TlsIdentity(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    with peer(over_tls(place.server(), says(KAFKA))) as address:
        assert let_in(address, nowhere, seconds=5)[0] is Came.UNTRIED
        assert visit(address, nowhere, seconds=5, metadata=False).came is Came.UNTRIED
        assert seen(address, seconds=5) is not None
    assert let_in(address, None, seconds=5)[0] is Came.UNREACHABLE
    assert seen(address, seconds=5) is None
    assert not is_open(address, seconds=1)
    assert visit(Address("no-such-host.invalid", 1), place.client(), seconds=5, metadata=False).came in {
        Came.UNREACHABLE, Came.HUNG
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", Verdict.ACCEPTED),
        (b"HTTP/1.0 302 Found\r\n\r\n", Verdict.ACCEPTED),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n", Verdict.REFUSED),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n", Verdict.REFUSED),
    ],
)
def test_metrics_without_a_certificate(answer: bytes, verdict: Verdict, place: Place, known: Certificates) -> None:
    with peer(over_tls(place.server(), says_and_closes(answer))) as address:
        assert {each.verdict for each in scraped(address, known, seconds=5)} == {verdict}


def test_metrics_in_the_clear_and_of_nobody(known: Certificates, place: Place) -> None:
    with peer(says_and_closes(b"HTTP/1.0 200 OK\r\n\r\n")) as address:
        verdicts = [each.verdict for each in scraped(address, known, seconds=SHORT)]
    assert Verdict.ACCEPTED in verdicts
    assert scraped(address, known, seconds=SHORT) == [], "nobody listens, and nothing is shown"
    with peer(hangs) as address:
        assert {each.verdict for each in scraped(address, known, seconds=SHORT)} == {Verdict.UNKNOWN}
    with peer(over_tls(place.server(), hangs, verify_mode=ssl.CERT_REQUIRED)) as address:
        first, *_ = scraped(address, known, seconds=SHORT)
        assert (first.verdict, first.code) == (Verdict.REFUSED, "alert-certificate-required")
    assert SCRAPE.startswith(b"GET ")


TOPOLOGY = expand(declaration.load(), "rehearsal")


@pytest.mark.parametrize("what", SENTENCES)
def test_a_round_among_such_peers_ends_and_refuses_nothing(what: str, known: Certificates) -> None:
    with peer(SENTENCES[what]) as address, peer(SENTENCES[what]) as other:
        places = Places((address,), (other,), (other.port, address.port), here=True)
        found = one_round(places, known, TOPOLOGY, 0, seconds=SHORT)
    assert {each.verdict for each in found.tried} == {Verdict.UNKNOWN}
    assert {each.control for each in found.tried} == {*Control} - {Control.SCRAPE}


def test_a_listener_in_the_clear_is_open_even_if_it_is_the_declared_one(known: Certificates) -> None:
    with peer(says(KAFKA)) as address:
        found = one_round(Places((address,)), known, TOPOLOGY, 0, seconds=SHORT)
    open_ = {each.control for each in found.tried if each.verdict is not Verdict.UNKNOWN}
    assert open_ == {Control.PLAINTEXT}
    assert [each.verdict for each in found.tried if each.control in open_] == [Verdict.ACCEPTED]


def test_doors_that_should_not_be_there(known: Certificates) -> None:
    with peer(hangs) as nobody:
        pass
    with peer(says(KAFKA)) as clear, peer(says_and_closes(FATAL)) as tls, peer(hangs) as silent:
        doors = (clear.port, tls.port, silent.port, nobody.port)
        found = one_round(Places((nobody,), (), doors, here=True), known, TOPOLOGY, 0, seconds=SHORT)
        assert dict(found.undeclared) == {clear: "kafka", tls: "tls", silent: "something"}
        elsewhere = one_round(Places((nobody,), (), doors), known, TOPOLOGY, 0, seconds=SHORT)
        assert elsewhere.undeclared == (), "this machine's ports are looked at only if that is wished"
    accepted = {(each.control, each.listener) for each in found.tried if each.verdict is Verdict.ACCEPTED}
    undeclared = {(Control.UNDECLARED, str(each)) for each in (clear, tls, silent)}
    assert accepted == undeclared | {(Control.PLAINTEXT, str(clear))}


def test_without_control_certificates_their_controls_are_unknown(place: Place, tmp_path: Path) -> None:
    bare = certificates(place.client(), tmp_path / "none", tmp_path / "scratch")
    assert bare.canary is None and bare.expired is None
    with peer(over_tls(place.server(), says(KAFKA))) as address:
        found = one_round(Places((), (address,)), bare, TOPOLOGY, 0, seconds=5)
    verdicts = {each.control: (each.verdict, each.code) for each in found.tried}
    assert verdicts[Control.EXPIRED] == (Verdict.UNKNOWN, "untried-no-certificate")
    assert verdicts[Control.NO_CERTIFICATE][0] is Verdict.ACCEPTED, "this peer asks for none"


def test_an_expired_certificate_proves_nothing_where_its_like_in_time_is_refused_too(
    place: Place, known: Certificates, tmp_path: Path
) -> None:
    start = NOW - timedelta(days=2)
    made = place.authority.issue("canary", tmp_path, not_before=start, not_after=start + timedelta(days=1))
    expired = TlsIdentity(made.certificate, made.private_key, made.ca)
    strangers = Place(tmp_path / "strangers")
    picky = over_tls(place.server(), says(KAFKA), verify_mode=ssl.CERT_REQUIRED)
    for canary, wanted in (
        (known.canary, (Verdict.REFUSED, "alert-certificate-expired")),
        (strangers.client("canary"), (Verdict.UNKNOWN, "no-contrast")),
        (None, (Verdict.UNKNOWN, "no-contrast")),
    ):
        with peer(picky) as address:
            kept = Certificates(known.own, known.foreign, canary, expired)
            found = one_round(Places((), (address,)), kept, TOPOLOGY, 0, seconds=5)
        verdicts = {each.control: (each.verdict, each.code) for each in found.tried}
        assert verdicts[Control.EXPIRED] == wanted
        assert verdicts[Control.UNKNOWN_CA] == (Verdict.REFUSED, "alert-unknown-ca")


def test_an_answer_that_announces_too_much_is_not_waited_for(place: Place) -> None:
    for size in (struct.pack(">i", 2**31 - 1), struct.pack(">i", kafka.MAX_ANSWER_BYTES + 1), struct.pack(">i", 3)):
        with peer(over_tls(place.server(), says(size))) as address:
            assert visit(address, place.client(), seconds=5, metadata=True).problem == "garbage-size"


def test_work_that_fails_is_nothing_and_the_rest_is_done() -> None:
    assert side_by_side(lambda number: 6 // number, [1, 0, 3] * 10) == [6, None, 2] * 10
    assert side_by_side(lambda each: each, []) == []


# answers, byte by byte


def _answered(body: bytes) -> Behaviour:
    return says(struct.pack(">ii", len(body) + 4, CORRELATION) + body)


def _metadata(host: bytes = b"broker-1", port: int = 9093, brokers: int = 1, topics: int = 1) -> bytes:
    broker = struct.pack(">ih", 1, len(host)) + host + struct.pack(">ih", port, -1)
    topic = struct.pack(">hh", 0, 4) + b"ns.t" + b"\0" + struct.pack(">i", 1)
    topic += struct.pack(">hiiiiii", 0, 0, 1, 1, 1, 1, 1)
    return struct.pack(">i", brokers) + broker * max(0, brokers) + struct.pack(">ii", 1, topics) + topic


def _ask(body: bytes) -> kafka.Cluster:
    with peer(_answered(body)) as address, Line(address, Deadline.after(5)) as line:
        return kafka.cluster(line)


def test_metadata_names_brokers_and_topics() -> None:
    assert _ask(_metadata()) == kafka.Cluster((Address("broker-1", 9093),), frozenset({"ns.t"}))


@pytest.mark.parametrize(
    "body",
    [
        _metadata(host=b"broker 1"),
        _metadata(host=b"\xff\xfe"),
        _metadata(host=b"a" * 300),
        _metadata(port=0),
        _metadata(port=70_000),
        struct.pack(">i", 2**31 - 1) + bytes(100),
        _metadata(brokers=65),
        _metadata(topics=2**30),
        _metadata()[:-1],
        b"",
    ],
)
def test_metadata_of_a_liar_is_garbage(body: bytes) -> None:
    with pytest.raises(Ended) as end:
        _ask(body)
    assert end.value.came is Came.GARBAGE


def test_any_bytes_are_an_answer_or_garbage() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    good = _metadata(brokers=3)

    class Fixed:
        """A line whose answer is there already."""

        def __init__(self, body: bytes) -> None:
            self.waiting = struct.pack(">ii", len(body) + 4, CORRELATION) + body

        def send(self, _: bytes) -> None: ...

        def exactly(self, count: int) -> bytes:
            part, self.waiting = self.waiting[:count], self.waiting[count:]
            return part

    for _ in range(3_000):
        body = bytearray(good[: chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(6)):
            if body:
                body[chance.randrange(len(body))] = chance.randrange(256)
        try:
            kafka.cluster(Fixed(bytes(body)))  # type: ignore[arg-type]
        except Ended as end:
            assert end.came is Came.GARBAGE


def test_an_answer_is_not_read_beyond_its_end() -> None:
    answer = Answer(struct.pack(">hh", 7, 5) + b"ab")
    assert answer.number("h") == 7
    with pytest.raises(Ended):
        answer.text()
    assert Answer(b"\xff\xff").text() == "", "null"
    assert framed(18, 0)[4:8] == struct.pack(">hh", 18, 0)


def test_certificates_of_strangers_are_read_or_none(place: Place) -> None:
    good = ssl.PEM_cert_to_DER_cert(place.server().certificate.read_text())
    read = peer_certificate(good)
    assert read is not None and read.names == ("127.0.0.1",)
    assert peer_certificate(b"") is None
    assert peer_certificate(good[:-1]) is None
    assert peer_certificate(good + bytes(MAX_BYTES)) is None
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(500):
        bad = bytearray(good)
        for _ in range(1 + chance.randrange(4)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        peer_certificate(bytes(bad))  # raises nothing


def test_a_peer_that_takes_no_connection_ends_at_the_deadline() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = Address("127.0.0.1", full.getsockname()[1])
        crowd = []
        try:
            for _ in range(4):  # the queue of the kernel is full then, and further ones wait
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex((address.host, address.port))
                crowd.append(one)
            with pytest.raises(Ended) as end:
                Line(address, Deadline.after(SHORT))
            assert (end.value.came, end.value.code) == (Came.HUNG, "connect")
        finally:
            for one in crowd:
                one.close()
