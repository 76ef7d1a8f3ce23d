package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericRecord;

/** A public header, one ciphertext per audience, the router's mac. */
record SealedEvent(byte[] header, List<Section> sections, byte[] mac) {
    /** One ciphertext for one audience, or null where a hop removed what is not its reader's. */
    record Section(String audience, byte[] digest, byte[] ciphertext) {}

    static SealedEvent read(byte[] data) {
        Refusal.unless(Framing.idOf(data) == Contracts.of("SealedEvent").id(), Reason.FOREIGN_SCHEMA, "no sealed event");
        Refusal.unless(data.length <= Limits.EVENT_BYTES, Reason.TOO_LARGE, "sealed event");
        GenericRecord value = Framing.read(data, "SealedEvent").value();
        List<Section> sections = new ArrayList<>();
        for (GenericRecord each : Fields.records(value, "sections")) {
            sections.add(new Section(Fields.text(each, "audience"), Fields.bytes(each, "digest"),
                    Fields.bytes(each, "ciphertext")));
        }
        SealedEvent made = new SealedEvent(Fields.bytes(value, "header"), sections, Fields.bytes(value, "mac"));
        Refusal.unless(made.header.length <= Limits.HEADER_BYTES, Reason.TOO_LARGE, "header");
        List<String> order = sections.stream().map(Section::audience).toList();
        boolean ascending = Limits.ascending(order) && !order.contains(""); // the order begins after the empty name
        Refusal.unless(ascending, Reason.AUDIENCE_ORDER, "sections");
        Refusal.unless(order.stream().allMatch(Limits::audience), Reason.MALFORMED, "name of an audience");
        return made;
    }

    /** Writes it with all ciphertexts, or with that of {@code only} alone (the router's copy). */
    byte[] write(boolean all, String only) {
        List<Map<String, Object>> written = new ArrayList<>();
        for (Section each : sections) {
            Map<String, Object> made = new HashMap<>();
            made.put("audience", each.audience());
            made.put("digest", each.digest());
            made.put("ciphertext", all || each.audience().equals(only) ? each.ciphertext() : null);
            written.add(made);
        }
        Map<String, Object> value = new HashMap<>();
        value.put("header", header);
        value.put("sections", written);
        value.put("mac", mac);
        return Framing.write(Fields.make("SealedEvent", value));
    }

    byte[] leaf() {
        return Derivation.leaf(header, sections.stream()
                .map(each -> new Derivation.Digest(each.audience(), each.digest())).toList());
    }

    Section section(String audience) {
        return sections.stream().filter(each -> each.audience().equals(audience)).findFirst().orElse(null);
    }
}
