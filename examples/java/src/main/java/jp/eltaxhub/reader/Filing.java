package jp.eltaxhub.reader;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;

/**
 * A filing as `eltax-hub submit` takes it (one JSON document), and the two records that its sections hold. Values are
 * kept as sent. The derived fields of the contract (dates read into a calendar) stay empty, this portal applies no
 * rules of substance, and the helpdesk is shown no item at all: the strictest mask.
 */
final class Filing {
    private static final Set<String> MEMBERS = Set.of("procedure", "receipt_number", "tenant", "tax_item", "accepted_at",
            "checks", "rehearsal", "items", "attachments", "replaces", "withdraws");

    private static final Set<String> APART = Set.of("checks", "rehearsal", "items", "attachments");

    final String procedure;
    final String receiptNumber;
    final String tenant;
    final String taxItem;
    final long acceptedAt;
    final Map<String, Object> common = new HashMap<>();
    private final Contracts.Contract contract;
    private final JsonNode document;

    Filing(JsonNode document) {
        this.document = document;
        document.fieldNames().forEachRemaining(name -> known(MEMBERS.contains(name), name));
        procedure = text("procedure");
        receiptNumber = text("receipt_number");
        tenant = text("tenant");
        taxItem = optional("tax_item");
        acceptedAt = OffsetDateTime.parse(text("accepted_at")).toInstant().toEpochMilli();
        contract = Contracts.ofProcedure(procedure);
        known(contract != null, procedure);
        for (String name : MEMBERS) {
            if (!APART.contains(name)) {
                common.put(name, optional(name));
            }
        }
        common.put("calculation_check", check("calculation"));
        common.put("signature_check", check("signature"));
        common.put("rehearsal", document.path("rehearsal").asBoolean());
    }

    String check(String name) {
        return document.path("checks").path(name).asText();
    }

    /** The framed record of the review desk's section. */
    byte[] reviewSection() {
        Map<String, Object> values = new HashMap<>(common);
        values.put("attachments", attachments());
        if (document.hasNonNull("items")) {
            Schema items = contract.schema().getField("items").schema();
            values.put("items", items(nonNull(items), document.get("items")));
        }
        byte[] filing = Framing.write(Fields.make(contract.name(), values));
        Map<String, Object> section = Map.of("submission", filing, "rules", "0".repeat(16), "findings", List.of(),
                "large", List.of());
        return Framing.write(Fields.make("ReviewSection", section));
    }

    /** The framed record of the helpdesk's section. */
    byte[] helpdeskRecord() {
        Map<String, Object> values = new HashMap<>(common);
        values.put("attachments", document.path("attachments").size());
        values.put("items", List.of());
        return Framing.write(Fields.make("HelpdeskRecord", values));
    }

    private List<Object> attachments() {
        List<Object> made = new ArrayList<>();
        for (JsonNode each : document.path("attachments")) {
            made.add(Map.of("file_name", each.get("file_name").asText(), "media_type", each.get("media_type").asText(),
                    "content", Base64.getDecoder().decode(each.get("content_base64").asText())));
        }
        return made;
    }

    private static Map<String, Object> items(Schema schema, JsonNode given) {
        Map<String, Object> made = new HashMap<>();
        Set<String> names = new HashSet<>();
        for (Schema.Field field : schema.getFields()) {
            if (field.getObjectProp("derived_from") == null) {
                names.add(field.name());
                made.put(field.name(), item(nonNull(field.schema()), given.get(field.name())));
            }
        }
        for (Iterator<String> each = given.fieldNames(); each.hasNext();) {
            String name = each.next();
            known(names.contains(name), name);
        }
        return made;
    }

    private static Object item(Schema schema, JsonNode given) {
        if (given == null || given.isNull()) {
            return null;
        }
        return switch (schema.getType()) {
            case ARRAY -> {
                List<Object> rows = new ArrayList<>();
                given.forEach(row -> rows.add(items(schema.getElementType(), row)));
                yield rows;
            }
            case INT, LONG -> given.longValue();
            case BOOLEAN -> given.booleanValue();
            default -> given.textValue();
        };
    }

    private static Schema nonNull(Schema schema) {
        return schema.getType() != Schema.Type.UNION ? schema : schema.getTypes().stream()
                .filter(each -> each.getType() != Schema.Type.NULL).findFirst().orElseThrow();
    }

    private String text(String name) {
        known(document.path(name).isTextual(), name);
        return document.get(name).asText();
    }

    private String optional(String name) {
        return document.hasNonNull(name) ? text(name) : null;
    }

    private static void known(boolean good, String name) {
        if (!good) {
            throw new IllegalArgumentException("the filing: " + name + " is missing or unknown");
        }
    }
}
