package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The upstream end for one session: seals filings, lists them in a checkpoint, closes. Holds secrets in memory only. */
final class Portal {
    private static final String PRINCIPAL = "portal";

    /** A record as it is to be written. */
    record Outgoing(String file, String topic, int partition, String key, byte[] value) {}

    private record Written(int partition, byte[] leaf) {}

    private final byte[] identity;
    private final int partitions;
    private final String topic;
    private final String tenant;
    private final Map<String, byte[]> secrets = new TreeMap<>();
    private final List<Written> written = new ArrayList<>();
    private final byte[] body;
    private final byte[] sessionId;

    /** Opens a session of two hours at most, and not beyond the end of one of its audiences' keys. */
    Portal(byte[] identity, String namespace, String instance, String tenant, int partitions, List<AudienceKey> keys,
            byte[] previous, long now) {
        this.identity = identity;
        this.partitions = partitions;
        this.tenant = tenant;
        this.topic = Kind.SUBMISSION.topic(namespace, tenant);
        byte[] salt = Bytes.random(16);
        long expires = now + 2 * 3600 * 1000L;
        Map<String, Object> audiences = new TreeMap<>();
        for (AudienceKey key : keys) {
            byte[] secret = Bytes.random(32);
            byte[] info = Derivation.sessionInfo(salt, PRINCIPAL, topic, tenant, key.audience(), key.epoch());
            secrets.put(key.audience(), secret);
            audiences.put(key.audience(), Map.of("audience", key.audience(), "epoch", key.epoch(),
                    "commitment", Derivation.commitment(secret),
                    "sealed", Hpke.seal(key.suite(), key.publicKey(), info, secret)));
            expires = Math.min(expires, key.notAfter());
        }
        Map<String, Object> value = new HashMap<>();
        value.put("salt", salt);
        value.put("producer", PRINCIPAL);
        value.put("instance", instance);
        value.put("topic", topic);
        value.put("tenant", tenant);
        value.put("created_at", now);
        value.put("expires_at", expires);
        value.put("previous", previous);
        value.put("audiences", List.copyOf(audiences.values()));
        body = Framing.write(Fields.make(Session.RECORD, value));
        sessionId = Bytes.sha256(body);
    }

    Outgoing session(String sessionsTopic) {
        byte[] signed = Signed.write(Session.RECORD, body, identity);
        return new Outgoing("session.bin", sessionsTopic, 0, Bytes.hex(sessionId), signed);
    }

    /** Seals a filing; its partition is that of its receipt number. */
    Outgoing seal(Filing filing, long now) {
        int partition = Derivation.partition(filing.receiptNumber, partitions);
        String eventId = eventId(now);
        Map<String, Object> values = new HashMap<>(filing.common);
        values.putAll(Map.of("session", sessionId, "kind", "submission", "producer", PRINCIPAL, "partition", partition,
                "sequence", written.stream().filter(each -> each.partition() == partition).count(), "event_id", eventId,
                "procedure_version", 1, "accepted_at", filing.acceptedAt, "produced_at", now));
        byte[] header = Framing.write(Fields.make("EventHeader", values));
        Map<String, byte[]> plaintexts = new TreeMap<>();
        plaintexts.put("review-" + tenant, filing.reviewSection());
        plaintexts.put("helpdesk-" + tenant, filing.helpdeskRecord());
        SealedEvent event = seal(header, plaintexts, secrets);
        byte[] value = event.write(true, null);
        Refusal.unless(value.length <= Limits.EVENT_BYTES, Reason.TOO_LARGE, "sealed event");
        written.add(new Written(partition, event.leaf()));
        return new Outgoing("event.bin", topic, partition, eventId, value);
    }

    /** Seals plaintexts under session secrets; with a mac if the router is among the audiences. */
    static SealedEvent seal(byte[] header, Map<String, byte[]> plaintexts, Map<String, byte[]> secrets) {
        List<SealedEvent.Section> sections = new ArrayList<>();
        plaintexts.forEach((audience, plaintext) -> {
            byte[] ciphertext = Derivation.sealSection(secrets.get(audience), header, audience, plaintext);
            sections.add(new SealedEvent.Section(audience, Bytes.sha256(ciphertext), ciphertext));
        });
        byte[] router = secrets.get("router");
        byte[] leaf = new SealedEvent(header, sections, null).leaf();
        return new SealedEvent(header, sections, router == null ? null : Derivation.mac(router, leaf));
    }

    /** Returns the checkpoint of each partition, then the close. */
    List<Outgoing> finish(String sessionsTopic, long now) {
        List<Outgoing> made = new ArrayList<>();
        List<Map<String, Object>> stopped = new ArrayList<>();
        for (int partition = 0; partition < partitions; partition++) {
            int here = partition;
            List<Map<String, Object>> entries = new ArrayList<>();
            written.stream().filter(each -> each.partition() == here)
                    .forEach(each -> entries.add(Map.of("leaf", each.leaf(), "void", false)));
            if (!entries.isEmpty()) {
                byte[] checkpoint = checkpoint(partition, entries, now);
                String key = "checkpoint/" + Bytes.hex(sessionId) + "/" + partition + "/0";
                made.add(new Outgoing("checkpoint.bin", topic, partition, key,
                        Signed.write(Checkpoint.RECORD, checkpoint, identity)));
                stopped.add(Map.of("partition", partition, "last_sequence", entries.size() - 1,
                        "last_checkpoint", Bytes.sha256(checkpoint)));
            }
        }
        byte[] close = Framing.write(Fields.make("SessionClose",
                Map.of("session", sessionId, "partitions", stopped, "closed_at", now)));
        made.add(new Outgoing("close.bin", sessionsTopic, 0, "close/" + Bytes.hex(sessionId),
                Signed.write("SessionClose", close, identity)));
        return made;
    }

    private byte[] checkpoint(int partition, List<Map<String, Object>> entries, long now) {
        Map<String, Object> value = new LinkedHashMap<>();
        value.put("session", sessionId);
        value.put("partition", partition);
        value.put("first_sequence", 0);
        value.put("entries", entries);
        value.put("previous", null);
        value.put("produced_at", now);
        return Framing.write(Fields.make(Checkpoint.RECORD, value));
    }

    /** UUIDv7 (RFC 9562): 48 bits of time, the rest random. */
    static String eventId(long now) {
        String random = Bytes.hex(Bytes.random(10));
        String time = String.format("%012x", now);
        String variant = "89ab".substring(Character.digit(random.charAt(3), 16) & 3).substring(0, 1);
        return time.substring(0, 8) + "-" + time.substring(8) + "-7" + random.substring(0, 3) + "-" + variant
                + random.substring(4, 7) + "-" + random.substring(8, 20);
    }
}
