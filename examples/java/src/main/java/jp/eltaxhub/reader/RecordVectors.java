package jp.eltaxhub.reader;

import static jp.eltaxhub.reader.Vectors.encoded;
import static jp.eltaxhub.reader.Vectors.hex;
import static jp.eltaxhub.reader.Vectors.same;
import static jp.eltaxhub.reader.Vectors.suite;
import static jp.eltaxhub.reader.Vectors.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The vectors of one small world: its trust list, its signed records, sessions, events, HPKE messages, a receipt. */
final class RecordVectors {
    private RecordVectors() {}

    /** Who is trusted in the vectors, what time it is there, and the sessions that were announced. */
    record World(JsonNode said, Trust trust, long now, Map<String, Session> sessions) {
        static World of(Vectors run) throws IOException {
            JsonNode said = run.read("world.json");
            Trust trust = new Trust(hex(said, "trust"), hex(said, "administrator_public"));
            long now = said.get("now").asLong();
            Map<String, Session> sessions = new LinkedHashMap<>();
            for (JsonNode each : run.read("sessions.json")) {
                long created = each.at("/fields/created_at").asLong();
                Session made = Session.validated(hex(each, "signed"), trust, Math.max(now, created));
                sessions.put(Bytes.hex(made.id()), made);
            }
            return new World(said, trust, now, sessions);
        }

        /** Returns an audience's suite and seeds. */
        JsonNode audience(String name) {
            for (JsonNode each : said.get("audiences")) {
                if (text(each, "audience").equals(name)) {
                    return each;
                }
            }
            throw new IllegalArgumentException("no audience " + name);
        }
    }

    static void world(Vectors run, JsonNode file) {
        run.check("world: trust list", () -> {
            Trust trust = new Trust(hex(file, "trust"), hex(file, "administrator_public"));
            same("namespace", text(file, "namespace"), trust.namespace);
        });
        run.check("world: identities", () -> file.get("identities").forEach(each -> {
            same("public key", hex(each, "public"), Signed.publicKey(hex(each, "seed")));
            same("key id", hex(each, "key_id"), Signed.keyId(hex(each, "public")));
        }));
        run.check("world: keys of audiences", () -> file.get("audiences").forEach(each -> {
            same("public key", hex(each, "public"), Hpke.publicKey(suite(each), hex(each, "seeds")));
            same("key id", hex(each, "key_id"), Signed.keyId(hex(each, "public")));
        }));
    }

    static void records(Vectors run, JsonNode file) throws IOException {
        World world = World.of(run);
        for (JsonNode each : file) {
            run.check("record: " + text(each, "name"), () -> {
                signed(each);
                judged(each, world);
            });
        }
        run.check("record: checkpoints in a chain", () -> {
            Checkpoint before = null;
            for (JsonNode each : file) {
                if (text(each, "record").equals(Checkpoint.RECORD)) {
                    Checkpoint next = checkpoint(each, world);
                    next.follows(before);
                    before = next;
                }
            }
        });
    }

    /** Logs of operations: each line as a record, and the line before it in the one after. */
    static void operations(Vectors run, JsonNode file) {
        Map<String, byte[]> before = new LinkedHashMap<>();
        for (JsonNode each : file) {
            run.check("line: " + text(each, "name"), () -> {
                signed(each);
                JsonNode fields = each.get("fields");
                String log = text(fields, "log");
                same("key", text(each, "key"), "operation/" + log);
                same("line before", hex(fields, "previous"), before.getOrDefault(log, new byte[32]));
                before.put(log, hex(each, "hash"));
            });
        }
    }

    /** The body from its fields, its hash, and the signatures over it. */
    private static void signed(JsonNode vector) {
        String name = text(vector, "record");
        byte[] body = hex(vector, "body");
        same("schema id", vector.get("schema_id").asInt(), Contracts.of(name).id());
        same("body from its fields", body, encoded(name, vector.get("fields")));
        same("body read and written", body, Framing.write(Framing.read(body, name).value()));
        same("hash", hex(vector, "hash"), Bytes.sha256(body));
        if (!vector.has("signed")) {
            return;
        }
        same("what is signed", hex(vector, "signature_input"), Bytes.join(Bytes.label(name), body));
        Signed signed = Signed.read(hex(vector, "signed"));
        same("body in the signed record", body, signed.body());
        List<byte[]> seeds = new ArrayList<>();
        for (JsonNode each : vector.get("signatures")) {
            seeds.add(hex(each, "seed"));
            same("key id", hex(each, "key_id"), Signed.keyId(hex(each, "public")));
            same("signature", true, signed.signedBy(name, hex(each, "public")));
        }
        same("signed again", hex(vector, "signed"), Signed.write(name, body, seeds.toArray(byte[][]::new)));
    }

    private static void judged(JsonNode vector, World world) {
        byte[] record = vector.has("signed") ? hex(vector, "signed") : null;
        String tenant = text(world.said(), "tenant");
        long later = world.now() + Limits.SESSION_MS;
        switch (text(vector, "record")) {
            case Checkpoint.RECORD -> same("key", text(vector, "key"), checkpoint(vector, world).key());
            case AudienceKey.RECORD -> {
                AudienceKey key = AudienceKey.validated(record, world.trust(), world.now());
                same("public key", hex(world.audience(key.audience()), "public"), key.publicKey());
            }
            case SessionClose.RECORD -> {
                Session session = world.sessions().get(vector.at("/fields/session").asText());
                same("key", text(vector, "key"), SessionClose.validated(record, session, world.trust(), later).key());
            }
            case StoredReceipt.RECORD ->
                same("key", text(vector, "key"), StoredReceipt.validated(record, tenant, world.trust(), later).key());
            case "DeadLetterNotice" ->
                same("key", text(vector, "key"), Statements.notice(record, tenant, world.trust(), later));
            case "LetterResolved" ->
                same("key", text(vector, "key"), Statements.resolved(record, tenant, world.trust(), later));
            case "LetterTold" -> same("key", text(vector, "key"), Statements.told(record, tenant, world.trust(), later));
            case "KeyDestroyed" -> Statements.keyDestroyed(record, world.trust(), later);
            case "RoleReport" -> Statements.report(record, world.trust(), later);
            case "DeadLetter" -> {
                JsonNode operator = world.audience("quarantine");
                byte[] content = Statements.deadLetter(hex(vector, "body"), suite(operator), hex(operator, "seeds"));
                if (vector.has("content")) {
                    same("content", hex(vector, "content"), content);
                }
            }
            default -> { }
        }
    }

    private static Checkpoint checkpoint(JsonNode vector, World world) {
        Session session = world.sessions().get(vector.at("/fields/session").asText());
        long now = Math.max(world.now(), vector.at("/fields/produced_at").asLong());
        return Checkpoint.validated(hex(vector, "signed"), session, world.trust(), now);
    }

    static void sessions(Vectors run, JsonNode file) throws IOException {
        World world = World.of(run);
        for (JsonNode each : file) {
            run.check(text(each, "name"), () -> {
                signed(each);
                Session session = world.sessions().get(text(each, "id"));
                for (JsonNode one : each.get("opened")) {
                    Session.Audience audience = session.audience(text(one, "audience"));
                    byte[] seeds = hex(one, "seeds");
                    byte[] info = hex(one, "info");
                    byte[] secret = hex(one, "secret");
                    same("info", info, session.info(audience));
                    same("secret", secret, session.open(audience.name(), suite(one), seeds));
                    same("sealed", audience.sealed(), Bytes.join(hex(one, "enc"), hex(one, "ciphertext")));
                    same("sealed again", audience.sealed(), Hpke.seal(suite(one), Hpke.publicKey(suite(one), seeds), info,
                            secret, hex(one, "randomness")));
                    same("commitment", hex(one, "commitment"), Derivation.commitment(secret));
                    if (!one.get("mac_key").isNull()) {
                        same("mac key", hex(one, "mac_key"), Derivation.macKey(secret));
                    }
                }
            });
        }
    }

    static void hpke(Vectors run, JsonNode file) {
        for (JsonNode each : file) {
            run.check("HPKE: " + text(each, "name"), () -> {
                Hpke.Suite suite = suite(each);
                byte[] seeds = hex(each, "seeds");
                byte[] info = hex(each, "info");
                same("KEM", each.get("kem_id").asInt(), suite.kem);
                same("public key", hex(each, "public"), Hpke.publicKey(suite, seeds));
                byte[] shared = Hpke.decapsulate(suite, seeds, hex(each, "enc"));
                same("shared secret", hex(each, "kem_shared_secret"), shared);
                Hpke.Schedule schedule = Hpke.schedule(suite, shared, info);
                same("key", hex(each, "key"), schedule.key());
                same("nonce", hex(each, "base_nonce"), schedule.nonce());
                same("sealed", hex(each, "sealed"), Bytes.join(hex(each, "enc"), hex(each, "ciphertext")));
                same("opened", hex(each, "plaintext"), Hpke.open(suite, seeds, info, hex(each, "sealed")));
                same("sealed again", hex(each, "sealed"),
                        Hpke.seal(suite, hex(each, "public"), info, hex(each, "plaintext"), hex(each, "randomness")));
            });
        }
    }

    static void events(Vectors run, JsonNode file) throws IOException {
        World world = World.of(run);
        for (JsonNode each : file) {
            run.check("event: " + text(each, "name"), () -> event(each, world));
        }
    }

    private static void event(JsonNode vector, World world) {
        Session session = world.sessions().get(text(vector, "session"));
        SealedEvent event = SealedEvent.read(hex(vector, "value"));
        same("header from its fields", hex(vector, "header"), encoded("EventHeader", vector.get("header_fields")));
        same("header", hex(vector, "header"), event.header());
        same("hash of the header", hex(vector, "header_sha256"), Bytes.sha256(event.header()));
        JsonNode router = world.audience("router");
        byte[] mac = vector.get("mac").isNull() ? null : session.open("router", suite(router), hex(router, "seeds"));
        var place = new Inspection.Place(text(vector, "topic"), vector.get("partition").asInt(),
                Bytes.utf8(text(vector, "key")), world.said().get("partitions").asInt());
        Header header = Inspection.inspect(event, session, world.trust(), place, Inspection.Ciphertexts.ALL, null, mac);
        Map<String, byte[]> plaintexts = new TreeMap<>();
        Map<String, byte[]> secrets = new TreeMap<>();
        if (mac != null) {
            secrets.put("router", mac);
        }
        for (JsonNode each : vector.get("sections")) {
            String audience = text(each, "audience");
            JsonNode key = world.audience(audience);
            byte[] secret = session.open(audience, suite(key), hex(key, "seeds"));
            secrets.put(audience, secret);
            plaintexts.put(audience, section(each, event, header, secret));
        }
        same("leaf", hex(vector, "leaf"), event.leaf());
        same("sealed again", hex(vector, "value"), Portal.seal(event.header(), plaintexts, secrets).write(true, null));
        if (mac != null) {
            same("mac key", hex(vector, "mac_key"), Derivation.macKey(mac));
            same("mac", hex(vector, "mac"), Derivation.mac(mac, event.leaf()));
        }
        for (JsonNode each : vector.get("routed")) {
            String keeps = each.get("keeps").isNull() ? null : text(each, "keeps");
            same("copy", hex(each, "value"), event.write(false, keeps));
            Inspection.inspect(SealedEvent.read(hex(each, "value")), session, world.trust(), place,
                    keeps == null ? Inspection.Ciphertexts.NONE : Inspection.Ciphertexts.OWN, keeps, null);
        }
    }

    /** Checks one section and returns its plaintext. */
    private static byte[] section(JsonNode vector, SealedEvent event, Header header, byte[] secret) {
        String audience = text(vector, "audience");
        byte[] plaintext = hex(vector, "plaintext");
        same("secret", hex(vector, "secret"), secret);
        same("plaintext from its fields", plaintext, encoded(text(vector, "record"), vector.get("fields")));
        same("record", text(vector, "record"), Sections.read(header, audience, plaintext).getSchema().getName());
        same("padded", hex(vector, "padded"), Derivation.pad(plaintext));
        same("unpadded", plaintext, Derivation.unpad(hex(vector, "padded")));
        byte[] info = Bytes.join(Bytes.label("section"), Bytes.sha256(event.header()), Bytes.utf8(audience));
        same("info of the event key", hex(vector, "event_key_info"), info);
        same("event key", hex(vector, "event_key"), Derivation.eventKey(secret, event.header(), audience));
        byte[] ciphertext = event.section(audience).ciphertext();
        same("ciphertext", hex(vector, "ciphertext"), ciphertext);
        same("digest", hex(vector, "digest"), Bytes.sha256(ciphertext));
        same("opened", plaintext, Derivation.openSection(secret, event.header(), audience, ciphertext));
        return plaintext;
    }

    static void receipt(Vectors run, JsonNode file) throws IOException {
        World world = World.of(run);
        run.check("delivery receipt", () -> {
            Header header = DeliveryReceipt.verified(hex(file, "file"), world.trust(), Long.MAX_VALUE / 2);
            same("receipt number", file.at("/members/receipt_number").asText(), header.receiptNumber());
        });
    }

    static void keyFiles(Vectors run, JsonNode file) {
        for (JsonNode each : file) {
            run.check("key file: " + text(each, "suite") + ", 2^" + each.get("log2_n").asInt(), () -> {
                byte[] data = hex(each, "file");
                byte[] passphrase = Bytes.utf8(text(each, "passphrase"));
                KeyFile opened = KeyFile.open(data, passphrase, each.get("log2_n").asInt() < 17);
                same("name", text(each, "name"), opened.name());
                same("suite", each.get("suite_number").asInt(), opened.suite());
                same("seeds", hex(each, "seeds"), opened.seeds());
                byte[] clear = hex(each, "clear");
                same("clear part", clear, Arrays.copyOf(data, clear.length));
                same("sealed again", data, Bytes.join(clear,
                        Gcm.seal(hex(each, "file_key"), hex(each, "nonce"), opened.seeds(), clear)));
            });
        }
    }

    static void primitives(Vectors run, JsonNode file) {
        run.check("numbers", () -> file.get("longs").forEach(each -> {
            var schema = org.apache.avro.Schema.create(org.apache.avro.Schema.Type.LONG);
            byte[] data = hex(each, "encoded");
            same("end", data.length, StrictAvro.walk(schema, data, 0).end());
            same("encoded", data, Framing.number(Long.parseLong(text(each, "value"))));
        }));
        run.check("strings", () -> file.get("strings").forEach(each -> {
            var schema = org.apache.avro.Schema.create(org.apache.avro.Schema.Type.STRING);
            byte[] data = hex(each, "encoded");
            same("end", data.length, StrictAvro.walk(schema, data, 0).end());
            byte[] text = Bytes.utf8(text(each, "value"));
            same("bytes", text, Bytes.slice(data, data.length - text.length, data.length));
        }));
        run.check("frames", () -> file.get("frames").forEach(each -> same("framed", hex(each, "framed"),
                Bytes.join(new byte[1], Bytes.u32((int) each.get("schema_id").asLong()), hex(each, "body")))));
        run.check("labels", () -> file.get("labels").forEach(each ->
                same(text(each, "purpose"), hex(each, "label"), Bytes.label(text(each, "purpose")))));
        run.check("padding", () -> file.get("padding").forEach(each -> same("size", each.get("padded").asInt(),
                Derivation.paddedBytes(each.get("length").asInt()))));
        run.check("derivations", () -> {
            JsonNode given = file.get("derivations");
            byte[] secret = hex(given, "secret");
            same("commitment", hex(given, "commitment"), Derivation.commitment(secret));
            same("mac key", hex(given, "mac_key"), Derivation.macKey(secret));
            same("event key", hex(given, "event_key"),
                    Derivation.eventKey(secret, hex(given, "header"), text(given, "audience")));
        });
        run.check("partitions", () -> file.get("partitions").forEach(each -> {
            String receipt = text(each, "receipt_number");
            same("murmur2", each.get("murmur2").asLong(), Derivation.murmur2(Bytes.utf8(receipt)) & 0xffffffffL);
            each.get("of").properties().forEach(one -> same("of " + one.getKey(), one.getValue().asInt(),
                    Derivation.partition(receipt, Integer.parseInt(one.getKey()))));
        }));
    }
}
