package jp.eltaxhub.reader;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;

/** The contracts and the ids that the lock file gives them; both are taken into the jar when it is built. */
final class Contracts {
    private static final List<String> FOLDERS = List.of("envelope", "desk", "procedures", "audit");
    private static final Map<Integer, Contract> BY_ID = new HashMap<>();
    private static final Map<String, Contract> BY_NAME = new HashMap<>();

    /** One version of one record; the highest version of a name is the one that is written. */
    record Contract(int id, String name, int version, Schema schema) {}

    static {
        try (InputStream lock = Contracts.class.getResourceAsStream("/ids.json")) {
            for (JsonNode each : new ObjectMapper().readTree(lock).get("contracts")) {
                String name = each.get("name").asText();
                int version = each.get("version").asInt();
                Contract made = new Contract(each.get("id").asInt(), name, version, schema(name, version));
                BY_ID.put(made.id(), made);
                BY_NAME.merge(name, made, (a, b) -> a.version() > b.version() ? a : b);
            }
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private Contracts() {}

    private static Schema schema(String name, int version) throws IOException {
        for (String folder : FOLDERS) {
            String path = "/contracts/" + folder + "/" + name + "." + version + ".avsc";
            try (InputStream found = Contracts.class.getResourceAsStream(path)) {
                if (found != null) {
                    return new Schema.Parser().parse(found);
                }
            }
        }
        throw new IOException("no contract " + name + "." + version);
    }

    /** Returns the contract of an id, or null. */
    static Contract of(int id) {
        return BY_ID.get(id);
    }

    /** Returns the newest contract of a name. */
    static Contract of(String name) {
        Contract found = BY_NAME.get(name);
        if (found == null) {
            throw new IllegalArgumentException("no contract " + name);
        }
        return found;
    }

    /** Returns the contract that takes a procedure's filings, or null. */
    static Contract ofProcedure(String slug) {
        for (Contract each : BY_NAME.values()) {
            if (procedures(each.schema()).contains(slug)) {
                return each;
            }
        }
        return null;
    }

    @SuppressWarnings("unchecked")
    private static List<Object> procedures(Schema schema) {
        if (schema.getObjectProp("procedure") instanceof Map<?, ?> one) {
            return List.of(one.get("slug"));
        }
        if (schema.getObjectProp("procedures") instanceof List<?> several) {
            return ((List<Map<String, Object>>) several).stream().map(each -> each.get("slug")).toList();
        }
        return List.of();
    }
}
