package jp.eltaxhub.reader;

import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;

/**
 * Walks an encoded value along its schema before anything is built from it, and tells whether it is in the one allowed
 * form: numbers minimal, one block per array. Builds nothing, so that a count or a length costs nothing until the bytes
 * it promises are there.
 */
final class StrictAvro {
    /** How many items an array may have at most; told before they are looked at. */
    private static final Map<String, Integer> MOST = Map.of("SealedSection", 16, "NoticeDigest", 16, "RecordSignature", 8,
            "SessionAudience", 64, "CheckpointEntry", 4096, "StoredEvent", 4096, "ClosedPartition", 4096,
            "ReportEntry", 20_000);

    /** What a record longer than this may have of items in all its arrays. */
    private static final int LARGE_BYTES = 65_536;
    private static final int LARGE_ITEMS = 25_000;

    /** A trust list's, which is read behind the administrator's signature only. */
    private static final int TRUST_ITEMS = 150_000;

    private final byte[] data;
    private final int mostItems;
    private int at;
    private long items;
    private boolean otherwise;

    private StrictAvro(byte[] data, int from, int mostItems) {
        this.data = data;
        this.mostItems = mostItems;
        this.at = from;
    }

    /** Where a value ends, and whether it has another encoding than the allowed one. */
    record Walked(int end, boolean otherwise) {}

    /** Walks the value that begins at {@code from}. */
    static Walked walk(Schema schema, byte[] data, int from) {
        boolean trust = schema.getType() == Schema.Type.RECORD && schema.getName().equals("Trust");
        StrictAvro walker = new StrictAvro(data, from, trust ? TRUST_ITEMS : LARGE_ITEMS);
        walker.value(schema);
        return new Walked(walker.at, walker.otherwise);
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
                otherwise |= number != (int) number;
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

    private void array(Schema of) {
        Integer most = of.getType() == Schema.Type.RECORD ? MOST.get(of.getName()) : null;
        long here = 0;
        for (long count = number(); count != 0; count = number()) {
            malformedUnless(count > 0);
            otherwise |= here > 0;
            here += count;
            items += count;
            boolean bounded = most == null || count <= most && here <= most;
            bounded &= data.length <= LARGE_BYTES || count <= mostItems && items <= mostItems;
            Refusal.unless(bounded, Reason.TOO_LARGE, count + " of " + of.getName());
            for (long each = 0; each < count; each++) {
                value(of); // at least one byte in every contract, or a count alone could keep us busy
            }
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
                otherwise |= next == 0 && shift > 0;
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
