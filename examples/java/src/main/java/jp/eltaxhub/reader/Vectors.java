package jp.eltaxhub.reader;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;

/** `vectors`: derives every value of the committed vectors again; a line for each, and a status for all. */
final class Vectors {
    private static final Map<String, Family> FAMILIES = Map.ofEntries(
            Map.entry("delivery-receipt.json", RecordVectors::receipt),
            Map.entry("envelope-v1.json", EnvelopeVectors::check),
            Map.entry("events.json", RecordVectors::events),
            Map.entry("hpke.json", RecordVectors::hpke),
            Map.entry("key-files.json", RecordVectors::keyFiles),
            Map.entry("key-files-2.json", RecordVectors::keyFiles),
            Map.entry("merkle.json", MerkleVectors::ofEvents),
            Map.entry("negative.json", NegativeVectors::check),
            Map.entry("operations.json", RecordVectors::operations),
            Map.entry("primitives.json", RecordVectors::primitives),
            Map.entry("records.json", RecordVectors::records),
            Map.entry("rfc6962.json", MerkleVectors::ofTransparency),
            Map.entry("sessions.json", RecordVectors::sessions),
            Map.entry("world.json", RecordVectors::world));

    private final Path directory;
    private int failed;
    private int passed;

    /** What checks the vectors of one file. */
    interface Family {
        void check(Vectors run, JsonNode file) throws IOException;
    }

    /** One vector: ends without an exception if it holds. */
    interface Check {
        void run();
    }

    /** A value that is not the committed one. */
    private static final class Different extends RuntimeException {
        private static final long serialVersionUID = 1;

        Different(String what) {
            super(what);
        }
    }

    private Vectors(Path directory) {
        this.directory = directory;
    }

    static int run(Options options) throws IOException {
        if (options.alone.size() != 1) {
            throw new Options.Usage("vectors needs one directory");
        }
        Vectors made = new Vectors(Path.of(options.alone.get(0)));
        TreeSet<String> names = new TreeSet<>(FAMILIES.keySet()); // one that is missing fails, as one too many does
        try (Stream<Path> files = Files.list(made.directory)) {
            files.map(each -> each.getFileName().toString()).filter(each -> each.endsWith(".json")).forEach(names::add);
        }
        for (String name : names) {
            made.file(name);
        }
        System.out.println(made.passed + " passed, " + made.failed + " failed");
        if (options.has("write")) {
            JsonNode model = made.read("envelope-v1.json").get("events").get(0);
            Files.writeString(options.path("write"), Json.line(EnvelopeVectors.sealedAnew(model)) + "\n");
        }
        return made.failed == 0 && made.passed > 0 ? 0 : 1;
    }

    private void file(String name) throws IOException {
        Family family = FAMILIES.get(name);
        if (family == null || !Files.exists(directory.resolve(name))) {
            check(name, () -> {
                throw new Different(family == null ? "vectors that this program knows nothing of" : "missing");
            });
        } else {
            family.check(this, read(name));
        }
    }

    JsonNode read(String name) throws IOException {
        return Json.MAPPER.readTree(Files.readAllBytes(directory.resolve(name)));
    }

    void check(String name, Check check) {
        try {
            check.run();
            passed++;
            System.out.println("ok    " + name);
        } catch (RuntimeException problem) {
            failed++;
            System.out.println("FAIL  " + name + ": " + problem);
        }
    }

    static byte[] hex(JsonNode vector, String name) {
        return Bytes.unhex(vector.get(name).asText());
    }

    static String text(JsonNode vector, String name) {
        return vector.get(name).asText();
    }

    static Hpke.Suite suite(JsonNode vector) {
        return Hpke.Suite.valueOf(text(vector, "suite"));
    }

    /** Encodes a record from its fields in JSON, bytes in hex. */
    static byte[] encoded(String contract, JsonNode fields) {
        return Framing.write(Fields.make(contract, members(fields)));
    }

    static Map<String, Object> members(JsonNode object) {
        return Json.MAPPER.convertValue(object, new TypeReference<LinkedHashMap<String, Object>>() { });
    }

    static void same(String what, byte[] wanted, byte[] found) {
        if (!Bytes.same(wanted, found)) {
            throw new Different(what);
        }
    }

    static void same(String what, JsonNode wanted, List<byte[]> found) {
        same(what, wanted.size(), found.size());
        for (int i = 0; i < found.size(); i++) {
            same(what, Bytes.unhex(wanted.get(i).asText()), found.get(i));
        }
    }

    static void same(String what, Object wanted, Object found) {
        if (!String.valueOf(wanted).equals(String.valueOf(found))) {
            throw new Different(what + ": " + found + " instead of " + wanted);
        }
    }
}
