package jp.eltaxhub.reader;

import java.util.Arrays;
import java.util.List;
import org.apache.avro.generic.GenericRecord;

/** The last sequence and checkpoint of each partition that a session wrote to. */
record SessionClose(byte[] session, List<GenericRecord> partitions, long closedAt) {
    static final String RECORD = "SessionClose";

    /** Reads a signed close of a session and checks who signed it. */
    static SessionClose validated(byte[] record, Session session, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), RECORD).value();
        SessionClose made = new SessionClose(Fields.bytes(value, "session"), Fields.records(value, "partitions"),
                Fields.number(value, "closed_at"));
        long before = -1;
        for (GenericRecord each : made.partitions) {
            long partition = Fields.number(each, "partition");
            boolean good = partition > before && Fields.number(each, "last_sequence") >= -1;
            Refusal.unless(good && Limits.time(made.closedAt), Reason.MALFORMED, "partition " + partition);
            before = partition;
        }
        Refusal.unless(Arrays.equals(made.session, session.id()), Reason.FOREIGN_SESSION, RECORD);
        session.checkStatement(signed, RECORD, made.closedAt, trust, now);
        return made;
    }

    /** The Kafka key. */
    String key() {
        return "close/" + Bytes.hex(session);
    }
}
