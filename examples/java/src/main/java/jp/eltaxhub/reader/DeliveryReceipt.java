package jp.eltaxhub.reader;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/** A file that proves to anybody that the ward's desk has stored a filing. It has one form only. */
final class DeliveryReceipt {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'+00:00'").withZone(ZoneOffset.UTC);

    private DeliveryReceipt() {}

    /** Checks a receipt and returns the header it is about. Refuses what is not proved, or said in another way. */
    static Header verified(byte[] file, Trust trust, long now) {
        Refusal.unless(file.length <= Limits.EVENT_BYTES, Reason.TOO_LARGE, "delivery receipt");
        byte[] header;
        byte[] record;
        List<Derivation.Digest> sections = new ArrayList<>();
        try {
            JsonNode said = Json.MAPPER.readTree(file);
            header = Base64.getDecoder().decode(said.path("header").asText());
            record = Base64.getDecoder().decode(said.path("record").asText());
            for (JsonNode each : said.path("sections")) {
                byte[] digest = Bytes.unhex(each.path("digest").asText());
                sections.add(new Derivation.Digest(each.path("audience").asText(), digest));
            }
        } catch (IOException | IllegalArgumentException problem) {
            throw new Refusal(Reason.MALFORMED, "no delivery receipt");
        }
        Header about = Header.read(header);
        about.check();
        byte[] leaf = Derivation.leaf(header, sections);
        StoredReceipt receipt = StoredReceipt.validated(record, about.tenant(), trust, now);
        Refusal.unless(receipt.names(about, leaf), Reason.MALFORMED, "the receipt is about another event");
        byte[] due = Bytes.utf8(written(about, leaf, receipt, header, sections, record));
        Refusal.unless(Arrays.equals(due, file), Reason.MALFORMED, "it is written in another way");
        return about;
    }

    private static String written(Header about, byte[] leaf, StoredReceipt receipt, byte[] header,
            List<Derivation.Digest> sections, byte[] record) {
        StringBuilder made = new StringBuilder("{\n");
        member(made, " ", "format", "eltax-hub-delivery-receipt/1", ",\n");
        member(made, " ", "receipt_number", about.receiptNumber(), ",\n");
        member(made, " ", "procedure", about.procedure(), ",\n");
        member(made, " ", "accepted_at", TIME.format(Instant.ofEpochMilli(about.acceptedAt())), ",\n");
        member(made, " ", "tenant", about.tenant(), ",\n");
        member(made, " ", "event_id", about.eventId(), ",\n");
        member(made, " ", "leaf", Bytes.hex(leaf), ",\n");
        member(made, " ", "stored_at", TIME.format(Instant.ofEpochMilli(receipt.storedAt())), ",\n");
        member(made, " ", "desk", receipt.desk(), ",\n");
        member(made, " ", "header", Base64.getEncoder().encodeToString(header), ",\n");
        made.append(" \"sections\": [\n");
        for (int i = 0; i < sections.size(); i++) {
            made.append("  {\n");
            member(made, "   ", "audience", sections.get(i).audience(), ",\n");
            member(made, "   ", "digest", Bytes.hex(sections.get(i).digest()), "\n");
            made.append(i + 1 < sections.size() ? "  },\n" : "  }\n");
        }
        made.append(" ],\n");
        member(made, " ", "record", Base64.getEncoder().encodeToString(record), "\n");
        return made.append("}\n").toString();
    }

    private static void member(StringBuilder made, String indent, String name, String value, String end) {
        made.append(indent).append('"').append(name).append("\": ").append(Json.line(value)).append(end);
    }
}
