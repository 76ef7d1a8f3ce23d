package jp.eltaxhub.reader;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;

/** Records as JSON: hashes in lower-case hex, other bytes in base64, a framed record within as a record. */
final class Json {
    static final ObjectMapper MAPPER = new ObjectMapper()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private Json() {}

    static String line(Object value) {
        try {
            return MAPPER.writeValueAsString(value);
        } catch (IOException problem) {
            throw new IllegalStateException(problem);
        }
    }

    static Object plain(Object value) {
        if (value instanceof GenericRecord record) {
            Map<String, Object> made = new LinkedHashMap<>();
            for (Schema.Field field : record.getSchema().getFields()) {
                made.put(field.name(), plain(field, record.get(field.pos())));
            }
            return made;
        }
        if (value instanceof List<?> several) {
            return several.stream().map(Json::plain).toList();
        }
        if (value instanceof GenericFixed fixed) {
            return Bytes.hex(fixed.bytes());
        }
        if (value instanceof ByteBuffer) {
            return Base64.getEncoder().encodeToString(Fields.bytesOf(value));
        }
        return value == null || value instanceof Number || value instanceof Boolean ? value : value.toString();
    }

    private static Object plain(Schema.Field field, Object value) {
        if (field.name().equals("submission") && value instanceof ByteBuffer) {
            return plain(Framing.read(Fields.bytesOf(value)).value());
        }
        return plain(value);
    }
}
