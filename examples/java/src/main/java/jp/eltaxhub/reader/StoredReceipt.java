package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.List;
import org.apache.avro.generic.GenericRecord;

/** Events that a review desk holds durably. */
record StoredReceipt(byte[] session, long partition, String tenant, String desk, List<GenericRecord> entries,
        long storedAt) {
    static final String RECORD = "StoredReceipt";

    /** Reads a signed receipt about a tenant; it counts only from that tenant's review desk. */
    static StoredReceipt validated(byte[] record, String about, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), RECORD).value();
        StoredReceipt made = new StoredReceipt(Fields.bytes(value, "session"), Fields.number(value, "partition"),
                Fields.text(value, "tenant"), Fields.text(value, "desk"), Fields.records(value, "entries"),
                Fields.number(value, "stored_at"));
        List<String> order = new ArrayList<>();
        boolean formed = !made.entries.isEmpty() && made.partition >= 0 && Limits.time(made.storedAt);
        for (GenericRecord each : made.entries) {
            long sequence = Fields.number(each, "sequence");
            formed &= sequence >= 0 && Limits.eventId(Fields.text(each, "event_id"));
            order.add(String.format("%016x", sequence) + Bytes.hex(Fields.bytes(each, "leaf")));
        }
        Refusal.unless(formed && Limits.ascending(order), Reason.MALFORMED, "entries of a receipt");
        Refusal.unless(made.tenant.equals(about), Reason.WRONG_TENANT, made.tenant);
        Refusal.unless(made.desk.equals("review-" + made.tenant), Reason.NOT_PERMITTED, made.desk);
        Refusal.unless(made.storedAt <= now + Limits.AHEAD_MS, Reason.EXPIRED, "stored_at is ahead");
        trust.verify(signed, RECORD, made.desk, made.storedAt);
        return made;
    }

    /** The Kafka key. */
    String key() {
        return "stored/" + Bytes.hex(session) + "/" + partition + "/" + Fields.number(entries.get(0), "sequence");
    }

    /** Whether it names this event. */
    boolean names(Header header, byte[] leaf) {
        return Bytes.same(session, header.session()) && partition == header.partition() && tenant.equals(header.tenant())
                && entries.stream().anyMatch(each -> Fields.number(each, "sequence") == header.sequence()
                        && header.eventId().equals(Fields.text(each, "event_id"))
                        && Bytes.same(leaf, Fields.bytes(each, "leaf")));
    }
}
