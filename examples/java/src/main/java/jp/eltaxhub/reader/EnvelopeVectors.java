package jp.eltaxhub.reader;

import static jp.eltaxhub.reader.Vectors.encoded;
import static jp.eltaxhub.reader.Vectors.hex;
import static jp.eltaxhub.reader.Vectors.members;
import static jp.eltaxhub.reader.Vectors.same;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** envelope-v1.json: two events with their sessions, and the sizes of padding. Also writes an event in that form. */
final class EnvelopeVectors {
    private EnvelopeVectors() {}

    static void check(Vectors run, JsonNode file) {
        for (JsonNode event : file.get("events")) {
            String name = event.at("/header_fields/kind").asText();
            run.check(name + ": session", () -> session(event));
            run.check(name + ": header, sections, leaf, mac", () -> event(event));
        }
        for (JsonNode each : file.get("padding")) {
            run.check("padding of " + each.get(0) + " bytes",
                    () -> same("size", each.get(1).asInt(), Derivation.paddedBytes(each.get(0).asInt())));
        }
    }

    private static void session(JsonNode vector) {
        byte[] body = hex(vector, "session_body");
        byte[] seed = hex(vector, "identity_seed");
        same("signed session", hex(vector, "signed_session"), Signed.write("Session", body, seed));
        Signed signed = Signed.read(hex(vector, "signed_session"));
        same("signature", true, signed.signedBy("Session", Signed.publicKey(seed)));
        same("session id", hex(vector, "session_id"), signed.hash());
        Session session = Session.read(signed.body());
        same("body from its fields", body, encoded("Session", vector.get("session")));
        for (JsonNode key : vector.get("keys")) {
            Hpke.Suite suite = Hpke.Suite.valueOf(key.get("suite").asText());
            String audience = key.get("audience").asText();
            same("public key", hex(key, "public_sha256"), Bytes.sha256(Hpke.publicKey(suite, hex(key, "seeds"))));
            same("info", hex(key, "info"), session.info(session.audience(audience)));
            byte[] secret = session.open(audience, suite, hex(key, "seeds"));
            same("secret", hex(key, "secret"), secret);
            same("commitment", session.audience(audience).commitment(), Derivation.commitment(secret));
            if (!key.get("mac_key").isNull()) {
                same("mac key", hex(key, "mac_key"), Derivation.macKey(secret));
            }
        }
    }

    private static void event(JsonNode vector) {
        SealedEvent event = SealedEvent.read(hex(vector, "value"));
        same("header bytes", hex(vector, "header"), event.header());
        Header header = Header.read(event.header());
        header.check();
        same("header from its fields", event.header(), encoded("EventHeader", vector.get("header_fields")));
        same("sections", vector.get("sections").size(), event.sections().size());
        Map<String, byte[]> plaintexts = new TreeMap<>();
        Map<String, byte[]> secrets = new TreeMap<>();
        vector.get("keys").forEach(each -> secrets.put(each.get("audience").asText(), hex(each, "secret")));
        for (JsonNode each : vector.get("sections")) {
            String audience = each.get("audience").asText();
            SealedEvent.Section section = event.section(audience);
            byte[] plaintext = hex(each, "plaintext");
            same("event key", hex(each, "event_key"),
                    Derivation.eventKey(secrets.get(audience), event.header(), audience));
            same("padded", each.get("padded_bytes").asInt(), Derivation.pad(plaintext).length);
            same("ciphertext", hex(each, "ciphertext"), section.ciphertext());
            same("digest", hex(each, "digest"), section.digest());
            same("digest of the ciphertext", section.digest(), Bytes.sha256(section.ciphertext()));
            same("plaintext", plaintext,
                    Derivation.openSection(secrets.get(audience), event.header(), audience, section.ciphertext()));
            plaintexts.put(audience, plaintext);
        }
        same("leaf", hex(vector, "leaf"), event.leaf());
        SealedEvent again = Portal.seal(event.header(), plaintexts, secrets);
        same("sealed again", hex(vector, "value"), again.write(true, null));
        if (!vector.get("mac").isNull()) {
            same("mac", hex(vector, "mac"), again.mac());
        }
        vector.get("output_sha256").properties().forEach(each -> same("copy for " + each.getKey(),
                Bytes.unhex(each.getValue().asText()), Bytes.sha256(event.write(false, each.getKey()))));
    }

    /** Seals the inputs of a vector anew, under fresh keys, secrets and encapsulations, in the form of the vectors. */
    static Map<String, Object> sealedAnew(JsonNode model) {
        Map<String, Object> session = new LinkedHashMap<>();
        for (String name : List.of("producer", "instance", "topic", "tenant")) {
            session.put(name, model.at("/session/" + name).asText());
        }
        session.put("salt", Bytes.random(16));
        session.put("created_at", model.at("/session/created_at").asLong());
        session.put("expires_at", model.at("/session/expires_at").asLong());
        session.put("previous", null);
        List<Object> audiences = new ArrayList<>();
        List<Object> keys = new ArrayList<>();
        Map<String, byte[]> secrets = new TreeMap<>();
        for (JsonNode key : model.get("keys")) {
            String audience = key.get("audience").asText();
            long epoch = 202604;
            Hpke.Suite suite = Hpke.Suite.valueOf(key.get("suite").asText());
            byte[] seeds = Hpke.newSeeds(suite);
            byte[] publicKey = Hpke.publicKey(suite, seeds);
            byte[] secret = Bytes.random(32);
            byte[] info = Derivation.sessionInfo((byte[]) session.get("salt"), (String) session.get("producer"),
                    (String) session.get("topic"), (String) session.get("tenant"), audience, epoch);
            secrets.put(audience, secret);
            Map<String, Object> said = new LinkedHashMap<>();
            said.put("audience", audience);
            said.put("suite", suite.name());
            said.put("seeds", seeds);
            said.put("public_sha256", Bytes.sha256(publicKey));
            said.put("info", info);
            said.put("secret", secret);
            said.put("mac_key", audience.equals("router") ? Derivation.macKey(secret) : null);
            keys.add(said);
            audiences.add(new TreeMap<>(Map.of("audience", audience, "epoch", epoch,
                    "commitment", Derivation.commitment(secret), "sealed", Hpke.seal(suite, publicKey, info, secret))));
        }
        session.put("audiences", audiences);
        byte[] body = Framing.write(Fields.make("Session", session));
        byte[] seed = Bytes.random(32);
        Map<String, Object> fields = members(model.get("header_fields"));
        fields.put("session", Bytes.sha256(body));
        byte[] header = Framing.write(Fields.make("EventHeader", fields));
        Map<String, byte[]> plaintexts = new TreeMap<>();
        model.get("sections").forEach(each -> plaintexts.put(each.get("audience").asText(), hex(each, "plaintext")));
        SealedEvent event = Portal.seal(header, plaintexts, secrets);

        Map<String, Object> made = new LinkedHashMap<>();
        made.put("schema_ids", model.get("schema_ids"));
        made.put("session", session);
        made.put("session_body", body);
        made.put("session_id", Bytes.sha256(body));
        made.put("identity_seed", seed);
        made.put("signed_session", Signed.write("Session", body, seed));
        made.put("keys", keys);
        made.put("header_fields", fields);
        made.put("header", header);
        made.put("sections", sections(event, plaintexts, secrets));
        made.put("leaf", event.leaf());
        made.put("mac", event.mac());
        made.put("value", event.write(true, null));
        Map<String, Object> copies = new LinkedHashMap<>();
        plaintexts.keySet().forEach(name -> copies.put(name, Bytes.sha256(event.write(false, name))));
        copies.put("none", Bytes.sha256(event.write(false, null)));
        made.put("output_sha256", copies);
        return inHex(made);
    }

    private static List<Object> sections(SealedEvent event, Map<String, byte[]> plaintexts, Map<String, byte[]> secrets) {
        List<Object> made = new ArrayList<>();
        for (SealedEvent.Section each : event.sections()) {
            byte[] plaintext = plaintexts.get(each.audience());
            byte[] key = Derivation.eventKey(secrets.get(each.audience()), event.header(), each.audience());
            made.add(new LinkedHashMap<>(Map.of("audience", each.audience(), "plaintext", plaintext,
                    "padded_bytes", Derivation.paddedBytes(plaintext.length), "event_key", key,
                    "ciphertext", each.ciphertext(), "digest", each.digest())));
        }
        return made;
    }

    @SuppressWarnings("unchecked")
    private static <T> T inHex(T value) {
        if (value instanceof byte[] data) {
            return (T) Bytes.hex(data);
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> made = new LinkedHashMap<>();
            map.forEach((name, each) -> made.put(name, inHex(each)));
            return (T) made;
        }
        return value instanceof List<?> list ? (T) list.stream().map(each -> inHex((Object) each)).toList() : value;
    }
}
