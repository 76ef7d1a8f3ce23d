package jp.eltaxhub.reader;

import java.util.Locale;
import org.apache.avro.generic.GenericRecord;

/** What any reader of the topic may see of an event. */
record Header(byte[] session, Kind kind, String tenant, String producer, long partition, long sequence, String eventId,
        String receiptNumber, String procedure, long procedureVersion, String taxItem, long acceptedAt, long producedAt,
        GenericRecord cause, GenericRecord record) {

    /** The fields that session and partition fix; they come first, so that a hop can judge them before all else. */
    record Fixed(byte[] session, Kind kind, String tenant, String producer, long partition) {
        private static final int FIELDS = 5;

        /** Reads them. Refuses with {@code header-invalid}. */
        static Fixed read(byte[] data) {
            try {
                return of(Framing.prefix(data, "EventHeader", FIELDS));
            } catch (Refusal problem) {
                throw new Refusal(Reason.HEADER_INVALID, problem.getMessage());
            }
        }

        private static Fixed of(GenericRecord value) {
            Kind kind = Kind.valueOf(Fields.text(value, "kind").toUpperCase(Locale.ROOT));
            return new Fixed(Fields.bytes(value, "session"), kind, Fields.text(value, "tenant"),
                    Fields.text(value, "producer"), Fields.number(value, "partition"));
        }
    }

    /** Reads a header's bytes. Refuses whatever is not an allowed header with {@code header-invalid}. */
    static Header read(byte[] data) {
        GenericRecord value;
        try {
            value = Framing.read(data, "EventHeader").value();
        } catch (Refusal problem) {
            throw new Refusal(Reason.HEADER_INVALID, problem.getMessage());
        }
        Fixed fixed = Fixed.of(value);
        return new Header(fixed.session(), fixed.kind(), fixed.tenant(), fixed.producer(), fixed.partition(),
                Fields.number(value, "sequence"), Fields.text(value, "event_id"), Fields.text(value, "receipt_number"),
                Fields.text(value, "procedure"), Fields.number(value, "procedure_version"),
                Fields.text(value, "tax_item"), Fields.number(value, "accepted_at"),
                Fields.number(value, "produced_at"), Fields.record(value, "cause"), value);
    }

    /** Checks the fields that neither session nor partition fixes. */
    void check() {
        valid(partition >= 0 && sequence >= 0 && procedureVersion >= 1, "its numbers");
        valid(Limits.eventId(eventId), "event_id");
        int receipt = Bytes.utf8(receiptNumber).length;
        valid(receipt >= 1 && receipt <= Limits.RECEIPT_BYTES, "receipt_number");
        valid(Limits.name(procedure) && (taxItem == null || Limits.name(taxItem)), "procedure or tax_item");
        valid(Limits.time(acceptedAt) && Limits.time(producedAt), "its times");
        Refusal.unless((cause == null) == (kind == Kind.SUBMISSION), Reason.CAUSE, kind.symbol());
        valid(cause == null || Limits.eventId(Fields.text(cause, "event_id")), "cause");
    }

    private static void valid(boolean good, String what) {
        Refusal.unless(good, Reason.HEADER_INVALID, what);
    }
}
