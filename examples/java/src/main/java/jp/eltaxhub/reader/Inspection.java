package jp.eltaxhub.reader;

import java.util.Arrays;
import java.util.List;

/** What a hop checks of an event, in the order of docs/envelope.md. */
final class Inspection {
    /** Where a record was read, and by whom: {@code reader} is an audience, or null where nobody's section is meant. */
    record Place(String topic, int partition, byte[] key, int partitions) {}

    /** Which ciphertexts a topic's records must have. */
    enum Ciphertexts { ALL, OWN, NONE }

    private Inspection() {}

    /**
     * Judges an event of {@code session}.
     *
     * @param own the reader's audience where it sees its own section only
     * @param routerSecret the router's session secret, or null for every other hop
     */
    static Header inspect(SealedEvent event, Session session, Trust trust, Place place, Ciphertexts present, String own,
            byte[] routerSecret) {
        Header.Fixed fixed = Header.Fixed.read(event.header());
        Refusal.unless(Arrays.equals(fixed.session(), session.id()), Reason.FOREIGN_SESSION, "header");
        Kind kind = Kind.of(session.topic(), trust.namespace, session.tenant());
        checkMac(event, kind, routerSecret);
        checkCiphertexts(event, present, own);
        checkSections(event, session, kind);
        Refusal.unless(fixed.kind() == kind, Reason.WRONG_TOPIC, "kind");
        if (present == Ciphertexts.ALL) {
            Refusal.unless(session.topic().equals(place.topic()), Reason.WRONG_TOPIC, place.topic());
        }
        Refusal.unless(fixed.tenant().equals(session.tenant()), Reason.WRONG_TENANT, "header");
        Refusal.unless(fixed.producer().equals(session.producer()), Reason.WRONG_PRODUCER, "header");
        Refusal.unless(fixed.partition() == place.partition(), Reason.WRONG_PARTITION, "header");
        Header header = Header.read(event.header());
        header.check();
        Refusal.unless(Arrays.equals(Bytes.utf8(header.eventId()), place.key()), Reason.WRONG_KEY, "not the event id");
        boolean within = session.createdAt() <= header.producedAt() && header.producedAt() < session.expiresAt();
        Refusal.unless(within, Reason.PRODUCED_OUTSIDE_SESSION, "produced_at");
        boolean may = trust.mayProduce(session.producer(), kind.dataset, session.tenant(), header.procedure());
        Refusal.unless(may, Reason.NOT_PERMITTED, header.procedure());
        int due = Derivation.partition(header.receiptNumber(), place.partitions());
        Refusal.unless(header.partition() == due, Reason.WRONG_PARTITION, "of its receipt number");
        return header;
    }

    private static void checkMac(SealedEvent event, Kind kind, byte[] routerSecret) {
        Refusal.unless((event.mac() != null) == (kind == Kind.SUBMISSION), Reason.BAD_MAC, kind.symbol());
        if (routerSecret != null) {
            boolean good = Bytes.same(Derivation.mac(routerSecret, event.leaf()), event.mac());
            Refusal.unless(good, Reason.BAD_MAC, "not the producer's");
        }
    }

    private static void checkCiphertexts(SealedEvent event, Ciphertexts present, String own) {
        for (SealedEvent.Section each : event.sections()) {
            boolean wanted = present == Ciphertexts.ALL || present == Ciphertexts.OWN && each.audience().equals(own);
            Refusal.unless(!wanted || each.ciphertext() != null, Reason.STRIPPED_CIPHERTEXT, each.audience());
            Refusal.unless(wanted || each.ciphertext() == null, Reason.FOREIGN_CIPHERTEXT, each.audience());
        }
        for (SealedEvent.Section each : event.sections()) {
            boolean good = each.ciphertext() == null || Bytes.same(Bytes.sha256(each.ciphertext()), each.digest());
            Refusal.unless(good, Reason.DIGEST_MISMATCH, each.audience());
        }
    }

    private static void checkSections(SealedEvent event, Session session, Kind kind) {
        List<String> named = event.sections().stream().map(SealedEvent.Section::audience).toList();
        List<String> open = session.audiences().stream().map(Session.Audience::name)
                .filter(each -> !each.equals("router")).toList();
        boolean good = kind == Kind.SUBMISSION ? named.equals(open) : !named.isEmpty() && open.containsAll(named);
        Refusal.unless(good, Reason.SECTIONS, String.join(" ", named));
    }
}
