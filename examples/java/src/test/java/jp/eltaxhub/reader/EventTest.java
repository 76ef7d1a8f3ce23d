package jp.eltaxhub.reader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class EventTest {
    private static final String REVIEW = "review-" + World.TENANT;
    private static final String HELPDESK = "helpdesk-" + World.TENANT;

    private final World world = new World();
    private Trust trust;
    private Portal portal;
    private Session session;
    private Portal.Outgoing sent;
    private SealedEvent event;

    @BeforeEach
    void aSealedEvent() {
        trust = world.trust();
        portal = world.portal();
        session = Session.validated(portal.session("rehearsal.sessions").value(), trust, World.NOW);
        sent = portal.seal(World.filing("R8-13104-000000017"), World.NOW);
        event = SealedEvent.read(sent.value());
    }

    private static void refused(Reason reason, Executable doing) {
        assertEquals(reason, assertThrows(Refusal.class, doing).reason());
    }

    private Header inspect(SealedEvent judged, Inspection.Ciphertexts present, String own) {
        var place = new Inspection.Place(sent.topic(), sent.partition(), Bytes.utf8(sent.key()), World.PARTITIONS);
        return Inspection.inspect(judged, session, trust, place, present, own, secret("router"));
    }

    private byte[] secret(String audience) {
        return session.open(audience, World.suite(audience), world.seeds.get(audience));
    }

    private SealedEvent with(int index, byte[] digest, byte[] ciphertext) {
        List<SealedEvent.Section> sections = new ArrayList<>(event.sections());
        sections.set(index, new SealedEvent.Section(sections.get(index).audience(), digest, ciphertext));
        return new SealedEvent(event.header(), sections, event.mac());
    }

    @Test
    void whatWasSealedIsOpenedByItsAudience() {
        Header header = inspect(event, Inspection.Ciphertexts.ALL, null);
        byte[] plaintext = Derivation.openSection(secret(REVIEW), event.header(), REVIEW, event.section(REVIEW).ciphertext());
        String said = Json.line(Json.plain(Sections.read(header, REVIEW, plaintext)));
        assertTrue(said.contains("見本一郎") && said.contains("架空花子"));
        SealedEvent copy = SealedEvent.read(event.write(false, HELPDESK));
        inspect(copy, Inspection.Ciphertexts.OWN, HELPDESK);
        assertEquals(Bytes.hex(event.leaf()), Bytes.hex(copy.leaf()));
    }

    @Test
    void aCheckpointNamesTheEventAndTheNextOneMustFollow() {
        List<Portal.Outgoing> finish = portal.finish("rehearsal.sessions", World.NOW);
        Checkpoint first = Checkpoint.validated(finish.get(0).value(), session, trust, World.NOW);
        first.follows(null);
        assertEquals(first.key(), finish.get(0).key());
        Header header = Header.read(event.header());
        assertTrue(first.confirms(header, event.leaf()));
        assertFalse(first.confirms(header, Bytes.sha256(event.leaf())));
        refused(Reason.BROKEN_CHAIN, () -> first.follows(first));
    }

    @Test
    void aSectionIsItsAudiencesAndNobodyElses() {
        byte[] ciphertext = event.section(REVIEW).ciphertext();
        refused(Reason.NOT_AUTHENTIC, () -> Derivation.openSection(secret(HELPDESK), event.header(), REVIEW, ciphertext));
        refused(Reason.NOT_AUTHENTIC, () -> Derivation.openSection(secret(REVIEW), event.header(), HELPDESK, ciphertext));
        refused(Reason.SECRET, () -> session.open(REVIEW, World.suite("router"), world.seeds.get("router")));
        refused(Reason.NOT_ADDRESSED, () -> session.open("portal", World.suite("router"), world.seeds.get("router")));
        byte[] key = Derivation.eventKey(secret(REVIEW), event.header(), REVIEW);
        byte[] twice = Derivation.pad(Derivation.pad(new byte[10]));
        byte[] longer = java.util.Arrays.copyOf(twice, 1025);
        for (byte[] padded : List.of(Bytes.NONE, new byte[1024], new byte[] {(byte) 0x80}, longer)) {
            byte[] sealed = Gcm.seal(key, new byte[12], padded, Bytes.NONE);
            refused(Reason.PADDING, () -> Derivation.openSection(secret(REVIEW), event.header(), REVIEW, sealed));
        }
    }

    @Test
    void whatWasChangedOnTheWayIsRefused() {
        byte[] ciphertext = event.section(REVIEW).ciphertext().clone();
        byte[] digest = event.section(REVIEW).digest();
        refused(Reason.STRIPPED_CIPHERTEXT, () -> inspect(with(1, digest, null), Inspection.Ciphertexts.ALL, null));
        refused(Reason.FOREIGN_CIPHERTEXT, () -> inspect(event, Inspection.Ciphertexts.OWN, HELPDESK));
        refused(Reason.FOREIGN_CIPHERTEXT, () -> inspect(event, Inspection.Ciphertexts.NONE, null));
        ciphertext[5] ^= 1;
        refused(Reason.DIGEST_MISMATCH, () -> inspect(with(1, digest, ciphertext), Inspection.Ciphertexts.ALL, null));
        SealedEvent swapped = with(1, Bytes.sha256(ciphertext), ciphertext);
        refused(Reason.BAD_MAC, () -> inspect(swapped, Inspection.Ciphertexts.ALL, null));
        byte[] header = event.header().clone();
        header[header.length - 1] ^= 2;
        refused(Reason.HEADER_INVALID, () -> Header.read(header));
        SealedEvent unmarked = new SealedEvent(event.header(), event.sections(), null);
        refused(Reason.BAD_MAC, () -> inspect(unmarked, Inspection.Ciphertexts.ALL, null));
        List<SealedEvent.Section> turned = List.of(event.sections().get(1), event.sections().get(0));
        SealedEvent reordered = new SealedEvent(event.header(), turned, event.mac());
        refused(Reason.AUDIENCE_ORDER, () -> SealedEvent.read(reordered.write(true, null)));
    }

    @Test
    void whatLiesElsewhereIsRefused() {
        var place = new Inspection.Place(sent.topic(), sent.partition(), Bytes.utf8("x"), World.PARTITIONS);
        var other = new Inspection.Place(sent.topic(), sent.partition() + 1, Bytes.utf8(sent.key()), World.PARTITIONS);
        var foreign = new Inspection.Place("rehearsal.131041.status", sent.partition(), Bytes.utf8(sent.key()), World.PARTITIONS);
        var all = Inspection.Ciphertexts.ALL;
        refused(Reason.WRONG_KEY, () -> Inspection.inspect(event, session, trust, place, all, null, null));
        refused(Reason.WRONG_PARTITION, () -> Inspection.inspect(event, session, trust, other, all, null, null));
        refused(Reason.WRONG_TOPIC, () -> Inspection.inspect(event, session, trust, foreign, all, null, null));
        Portal second = world.portal();
        Session another = Session.validated(second.session("rehearsal.sessions").value(), trust, World.NOW);
        refused(Reason.FOREIGN_SESSION, () -> Inspection.inspect(event, another, trust, place, all, null, null));
    }

    @Test
    void aSessionCountsOnlyAsTheTrustListAllows() {
        byte[] record = portal.session("rehearsal.sessions").value();
        refused(Reason.INVALID_SESSION, () -> Session.validated(record, trust, World.NOW - Limits.AHEAD_MS - 1));
        world.right.put("dataset", "status");
        refused(Reason.NOT_PERMITTED, () -> Session.validated(record, world.trust(), World.NOW));
        world.right.put("dataset", "submissions");
        world.minimumEpoch = 202605;
        refused(Reason.OLD_EPOCH, () -> Session.validated(record, world.trust(), World.NOW));
        world.minimumEpoch = 0;
        world.suites.remove("X25519");
        refused(Reason.SUITE, () -> Session.validated(record, world.trust(), World.NOW));
        world.suites.add("X25519");
        world.identity.put("revoked_at", World.NOW);
        refused(Reason.REVOKED, () -> Session.validated(record, world.trust(), World.NOW));
        world.identity.remove("revoked_at");
        world.identity.put("not_before", World.NOW + 1);
        refused(Reason.UNTRUSTED, () -> Session.validated(record, world.trust(), World.NOW));
    }

    @Test
    void aSignatureIsOverThisRecordAndThisBody() {
        byte[] record = portal.session("rehearsal.sessions").value();
        record[record.length - 2] ^= 1;
        refused(Reason.BAD_SIGNATURE, () -> Session.validated(record, trust, World.NOW));
        byte[] body = Signed.read(portal.session("rehearsal.sessions").value()).body();
        Signed otherwise = Signed.read(Signed.write("Checkpoint", body, world.portal));
        assertFalse(otherwise.signedBy("Session", Signed.publicKey(world.portal)));
        assertTrue(otherwise.signedBy("Checkpoint", Signed.publicKey(world.portal)));
    }
}
