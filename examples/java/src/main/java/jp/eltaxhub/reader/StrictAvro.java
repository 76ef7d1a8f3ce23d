package jp.eltaxhub.reader;

import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;

/**
 * Walks an encoded value along its schema before anything is built from it, and accepts only the one allowed form:
 * numbers minimal, one block per array, UTF-8. Builds nothing, so that a count or a length costs nothing until the
 * bytes it promises are there.
 */
final class StrictAvro {
    /** How many items an array may have at most; told before they are looked at. */
    private static final Map<String, Integer> MOST = Map.of("SealedSection", 16, "NoticeDigest", 16, "RecordSignature", 8,
            "SessionAudience", 64, "CheckpointEntry", 4096, "StoredEvent", 4096, "ClosedPartition", 4096,
            "ReportEntry", 20_000);

    private final byte[] data;
    private int at;

    private StrictAvro(byte[] data, int from) {
        this.data = data;
        this.at = from;
    }

    /** Returns where the value ends that begins at {@code from}. */
    static int walk(Schema schema, byte[] data, int from) {
        StrictAvro walker = new StrictAvro(data, from);
        walker.value(schema);
        return walker.at;
    }

    private void value(Schema schema) {
        switch (schema.getType()) {
            case NULL -> { }
            case BOOLEAN -> {
                skip(1);
                malformedUnless(data[at - 1] == 0 || data[at - 1] == 1);
            }
            case INT -> {
                long number = number();
                malformedUnless(number == (int) number);
            }
            case LONG -> number();
            case BYTES -> skip(number());
            case STRING -> {
                int from = skip(number());
                malformedUnless(Bytes.textOrNull(Bytes.slice(data, from, at)) != null);
            }
            case FIXED -> skip(schema.getFixedSize());
            case ENUM -> index(schema.getEnumSymbols());
            case UNION -> value(schema.getTypes().get(index(schema.getTypes())));
            case RECORD -> schema.getFields().forEach(field -> value(field.schema()));
            case ARRAY -> array(schema.getElementType());
            default -> throw new IllegalStateException("contracts have no " + schema.getType());
        }
    }

    private void array(Schema items) {
        long count = number();
        malformedUnless(count >= 0);
        Integer most = items.getType() == Schema.Type.RECORD ? MOST.get(items.getName()) : null;
        Refusal.unless(most == null || count <= most, Reason.TOO_LARGE, count + " of " + items.getName());
        for (long each = 0; each < count; each++) {
            value(items); // at least one byte in every contract, or a count alone could keep us busy
        }
        if (count > 0) {
            malformedUnless(number() == 0);
        }
    }

    private int index(List<?> choices) {
        long index = number();
        malformedUnless(index >= 0 && index < choices.size());
        return (int) index;
    }

    /** Reads a zigzag number of at most ten bytes, without idle ones. */
    private long number() {
        long raw = 0;
        for (int shift = 0; ; shift += 7) {
            skip(1);
            byte next = data[at - 1];
            malformedUnless(shift < 63 || (next & 0xfe) == 0);
            raw |= (next & 0x7fL) << shift;
            if (next >= 0) {
                malformedUnless(next != 0 || shift == 0);
                return raw >>> 1 ^ -(raw & 1);
            }
        }
    }

    private int skip(long count) {
        malformedUnless(count >= 0);
        Refusal.unless(count <= data.length - at, Reason.TRUNCATED, "ends at byte " + data.length);
        int from = at;
        at += (int) count;
        return from;
    }

    private void malformedUnless(boolean good) {
        Refusal.unless(good, Reason.MALFORMED, "before byte " + at);
    }
}
