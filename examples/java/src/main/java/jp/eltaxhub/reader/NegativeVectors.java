package jp.eltaxhub.reader;

import static jp.eltaxhub.reader.Vectors.hex;
import static jp.eltaxhub.reader.Vectors.same;
import static jp.eltaxhub.reader.Vectors.suite;
import static jp.eltaxhub.reader.Vectors.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** negative.json: what must be refused, and with which code. What is good is judged in {@link RecordVectors}. */
final class NegativeVectors {
    private final RecordVectors.World world;
    private final List<AudienceKey> keys = new ArrayList<>();

    private NegativeVectors(RecordVectors.World world, JsonNode records) {
        this.world = world;
        for (JsonNode each : records) {
            if (text(each, "record").equals(AudienceKey.RECORD)) {
                keys.add(AudienceKey.validated(hex(each, "signed"), world.trust(), world.now()));
            }
        }
    }

    static void check(Vectors run, JsonNode file) throws IOException {
        NegativeVectors made = new NegativeVectors(RecordVectors.World.of(run), run.read("records.json"));
        for (JsonNode each : file.get("cases")) {
            String name = text(each, "judge") + ": " + text(each, "name");
            String code = text(each, "code");
            run.check("refused: " + name + ": " + code, () -> same("code", code, made.code(each)));
        }
    }

    /** The code that a case is refused with, or "accepted". */
    private String code(JsonNode vector) {
        byte[] value = vector.get("value").isNull() ? null : hex(vector, "value");
        String judge = text(vector, "judge");
        try {
            judge(judge, vector, value);
            return "accepted";
        } catch (KeyFile.Unusable problem) {
            return problem.code;
        } catch (Refusal problem) {
            return switch (judge) {
                case "trust" -> "trust.refused";
                case "delivery-receipt" -> "delivery-receipt";
                default -> problem.reason().code();
            };
        }
    }

    private void judge(String judge, JsonNode vector, byte[] value) {
        long now = vector.path("now").asLong(world.now());
        String tenant = text(world.said(), "tenant");
        switch (judge) {
            case "event" -> event(vector, value);
            case "session" -> {
                Session made = Session.validated(value, world.trust(), now, keys);
                made.checkPlace(world.trust().namespace, text(vector, "topic"), key(vector));
            }
            case "checkpoint" -> {
                Checkpoint made = Checkpoint.validated(value, session(vector), world.trust(), now);
                partition(vector, made.partition());
                under(vector, made.key());
            }
            case "close" -> under(vector, SessionClose.validated(value, session(vector), world.trust(), now).key());
            case "audience-key" -> under(vector, AudienceKey.validated(value, world.trust(), now).key());
            case "receipt" -> {
                StoredReceipt made = StoredReceipt.validated(value, tenant, world.trust(), now);
                partition(vector, made.partition());
                under(vector, made.key());
            }
            case "notice" -> under(vector, Statements.notice(value, tenant, world.trust(), now));
            case "resolved" -> under(vector, Statements.resolved(value, tenant, world.trust(), now));
            case "told" -> under(vector, Statements.told(value, tenant, world.trust(), now));
            case "key-destroyed" -> Statements.keyDestroyed(value, world.trust(), now);
            case "report" -> Statements.report(value, world.trust(), now);
            case "dead-letter" -> {
                JsonNode operator = world.audience("quarantine");
                Statements.deadLetter(value, suite(operator), hex(operator, "seeds"));
            }
            case "open-session" -> secret(Session.read(value), text(vector, "reader"));
            case "trust" -> new Trust(value, hex(world.said(), "administrator_public"));
            case "delivery-receipt" -> DeliveryReceipt.verified(value, world.trust(), now);
            case "key-file" ->
                KeyFile.open(value, Bytes.utf8(text(vector, "passphrase")), vector.get("allow_weak").asBoolean());
            default -> throw new IllegalArgumentException("no judge " + judge);
        }
    }

    /** All that a reader asks of a record, to the opened section. */
    private void event(JsonNode vector, byte[] value) {
        Map<String, Session> sessions = new HashMap<>(world.sessions());
        for (JsonNode each : vector.get("announced")) {
            Session made = Session.validated(Bytes.unhex(each.asText()), world.trust(), world.now());
            sessions.put(Bytes.hex(made.id()), made);
        }
        String reader = text(vector, "reader");
        SealedEvent event = SealedEvent.read(value);
        Session session = sessions.get(Bytes.hex(Header.Fixed.read(event.header()).session()));
        Refusal.unless(session != null, Reason.UNKNOWN_SESSION, "never announced");
        byte[] mac = reader.equals("router") ? secret(session, reader) : null;
        String topic = text(vector, "topic");
        Inspection.Ciphertexts present = topic.equals(session.topic()) ? Inspection.Ciphertexts.ALL
                : reader.equals("audit") ? Inspection.Ciphertexts.NONE : Inspection.Ciphertexts.OWN;
        var place = new Inspection.Place(topic, vector.get("partition").asInt(), key(vector),
                world.said().get("partitions").asInt());
        Header header = Inspection.inspect(event, session, world.trust(), place, present, reader, mac);
        if (mac == null && !reader.equals("audit")) {
            SealedEvent.Section section = event.section(reader);
            Refusal.unless(section != null, Reason.NOT_ADDRESSED, reader);
            byte[] secret = secret(session, reader);
            Sections.read(header, reader, Derivation.openSection(secret, event.header(), reader, section.ciphertext()));
        }
    }

    private byte[] secret(Session session, String audience) {
        JsonNode key = world.audience(audience);
        return session.open(audience, suite(key), hex(key, "seeds"));
    }

    private Session session(JsonNode vector) {
        return world.sessions().get(text(vector, "session"));
    }

    private static byte[] key(JsonNode vector) {
        return vector.hasNonNull("key") ? Bytes.utf8(text(vector, "key")) : null;
    }

    private static void partition(JsonNode vector, long found) {
        Refusal.unless(found == vector.get("partition").asLong(), Reason.WRONG_PARTITION, "another partition");
    }

    private static void under(JsonNode vector, String due) {
        boolean good = !vector.hasNonNull("key") || text(vector, "key").equals(due);
        Refusal.unless(good, Reason.WRONG_KEY, "not under " + due);
    }
}
