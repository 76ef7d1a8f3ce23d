package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.generic.GenericRecord;

/** The leaves that a producer wrote to one partition since its last checkpoint, in order. */
record Checkpoint(byte[] hash, byte[] session, long partition, long firstSequence, List<Entry> entries, byte[] previous,
        long producedAt) {
    /** One event; void if the broker refused it for good. */
    record Entry(byte[] leaf, boolean isVoid) {}

    static final String RECORD = "Checkpoint";

    /** Reads a signed checkpoint of a session and checks who signed it. */
    static Checkpoint validated(byte[] record, Session session, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), RECORD).value();
        List<Entry> entries = new ArrayList<>();
        for (GenericRecord each : Fields.records(value, "entries")) {
            entries.add(new Entry(Fields.bytes(each, "leaf"), Fields.flag(each, "void")));
        }
        Checkpoint made = new Checkpoint(signed.hash(), Fields.bytes(value, "session"),
                Fields.number(value, "partition"), Fields.number(value, "first_sequence"), entries,
                Fields.bytes(value, "previous"), Fields.number(value, "produced_at"));
        boolean numbers = made.partition >= 0 && made.firstSequence >= 0 && Limits.time(made.producedAt)
                && made.firstSequence <= Long.MAX_VALUE - entries.size();
        Refusal.unless(numbers, Reason.MALFORMED, "its numbers");
        Refusal.unless(Arrays.equals(made.session, session.id()), Reason.FOREIGN_SESSION, RECORD);
        boolean first = made.firstSequence == 0 && made.previous == null;
        Refusal.unless(first || made.previous != null, Reason.BROKEN_CHAIN, "it begins in the middle");
        session.checkStatement(signed, RECORD, made.producedAt, trust, now);
        return made;
    }

    /** The Kafka key. */
    String key() {
        return "checkpoint/" + Bytes.hex(session) + "/" + partition + "/" + firstSequence;
    }

    /** Checks that this one comes right after {@code before} (null: that it is a partition's first). */
    void follows(Checkpoint before) {
        boolean good = before == null
                ? firstSequence == 0 && previous == null
                : before.partition == partition && Arrays.equals(before.hash, previous)
                        && firstSequence == before.firstSequence + before.entries.size();
        Refusal.unless(good, Reason.BROKEN_CHAIN, "checkpoint from sequence " + firstSequence);
    }

    /** Whether it says that this event was written at its place. */
    boolean confirms(Header header, byte[] leaf) {
        long place = header.sequence() - firstSequence;
        if (header.partition() != partition || place < 0 || place >= entries.size()) {
            return false;
        }
        Entry entry = entries.get((int) place);
        return !entry.isVoid() && Bytes.same(entry.leaf(), leaf);
    }
}
