package jp.eltaxhub.reader;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;

/** Reads and fills Avro's generic records in plain Java values. */
final class Fields {
    private Fields() {}

    static String text(GenericRecord from, String name) {
        Object found = from.get(name);
        return found == null ? null : found.toString();
    }

    static long number(GenericRecord from, String name) {
        return ((Number) from.get(name)).longValue();
    }

    static boolean flag(GenericRecord from, String name) {
        return (Boolean) from.get(name);
    }

    /** Returns the bytes of a field of type bytes or fixed, or null. */
    static byte[] bytes(GenericRecord from, String name) {
        return bytesOf(from.get(name));
    }

    static byte[] bytesOf(Object found) {
        if (found instanceof ByteBuffer buffer) {
            byte[] made = new byte[buffer.remaining()];
            buffer.duplicate().get(made);
            return made;
        }
        return found == null ? null : ((GenericFixed) found).bytes();
    }

    static GenericRecord record(GenericRecord from, String name) {
        return (GenericRecord) from.get(name);
    }

    @SuppressWarnings("unchecked")
    static List<GenericRecord> records(GenericRecord from, String name) {
        return (List<GenericRecord>) from.get(name);
    }

    /** Returns a list of strings, or null. */
    static List<String> texts(GenericRecord from, String name) {
        return from.get(name) instanceof List<?> found ? found.stream().map(Object::toString).toList() : null;
    }

    private static byte[] raw(Object value) {
        return value instanceof String hex ? Bytes.unhex(hex) : (byte[]) value;
    }

    /** Makes a record from plain values: byte[] or hex for bytes and fixed, String for enums, Map for records, List. */
    static GenericRecord make(String contract, Map<String, ?> values) {
        return (GenericRecord) avro(Contracts.of(contract).schema(), values);
    }

    /** Turns a plain value into what Avro's writer takes for {@code schema}. */
    static Object avro(Schema schema, Object value) {
        return switch (schema.getType()) {
            case UNION -> {
                Schema.Type wanted = value == null ? Schema.Type.NULL : null;
                for (Schema each : schema.getTypes()) {
                    if (each.getType() == wanted || (wanted == null && each.getType() != Schema.Type.NULL)) {
                        yield avro(each, value);
                    }
                }
                throw new IllegalArgumentException("null is not allowed");
            }
            case RECORD -> {
                GenericData.Record made = new GenericData.Record(schema);
                for (Schema.Field field : schema.getFields()) {
                    made.put(field.name(), avro(field.schema(), ((Map<?, ?>) value).get(field.name())));
                }
                yield made;
            }
            case ARRAY -> {
                List<Object> made = new ArrayList<>();
                ((List<?>) value).forEach(each -> made.add(avro(schema.getElementType(), each)));
                yield made;
            }
            case FIXED -> new GenericData.Fixed(schema, raw(value));
            case ENUM -> new GenericData.EnumSymbol(schema, value);
            case BYTES -> ByteBuffer.wrap(raw(value));
            case INT -> Math.toIntExact(((Number) value).longValue());
            case LONG -> ((Number) value).longValue();
            default -> value;
        };
    }
}
