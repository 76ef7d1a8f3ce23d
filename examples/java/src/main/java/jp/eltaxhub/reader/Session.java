package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.avro.generic.GenericRecord;

/** A producer's run for one topic and one tenant, and the sealed secrets of its audiences. */
record Session(byte[] id, byte[] salt, String producer, String instance, String topic, String tenant, long createdAt,
        long expiresAt, byte[] previous, List<Audience> audiences) {
    /** One audience's secret, sealed. */
    record Audience(String name, long epoch, byte[] commitment, byte[] sealed) {}

    static final String RECORD = "Session";

    /** Reads a session's body, with what can be said of it alone. */
    static Session read(byte[] body) {
        GenericRecord value = Framing.read(body, RECORD).value();
        List<Audience> audiences = new ArrayList<>();
        for (GenericRecord each : Fields.records(value, "audiences")) {
            audiences.add(new Audience(Fields.text(each, "audience"), Fields.number(each, "epoch"),
                    Fields.bytes(each, "commitment"), Fields.bytes(each, "sealed")));
        }
        Session made = new Session(Bytes.sha256(body), Fields.bytes(value, "salt"), Fields.text(value, "producer"),
                Fields.text(value, "instance"), Fields.text(value, "topic"), Fields.text(value, "tenant"),
                Fields.number(value, "created_at"), Fields.number(value, "expires_at"),
                Fields.bytes(value, "previous"), audiences);
        made.checkShape();
        return made;
    }

    private void checkShape() {
        boolean names = Limits.name(producer) && Limits.name(instance) && Limits.name(topic) && Limits.tenant(tenant);
        valid(names, "its names");
        valid(Limits.time(createdAt) && Limits.time(expiresAt), "its times");
        valid(createdAt < expiresAt && expiresAt - createdAt <= Limits.SESSION_MS, "its length");
        valid(!audiences.isEmpty(), "no audience");
        List<String> order = audiences.stream().map(Audience::name).toList();
        valid(order.stream().allMatch(Limits::audience), "name of an audience");
        Refusal.unless(Limits.ascending(order), Reason.AUDIENCE_ORDER, "audiences");
        valid(audiences.stream().allMatch(each -> Limits.epoch(each.epoch())), "an epoch");
        valid(topic.endsWith(".submissions") == order.contains("router"), "the audience router");
    }

    /** Reads a signed session and judges it: what it says, who signed it, whether that one may. */
    static Session validated(byte[] record, Trust trust, long now) {
        return validated(record, trust, now, List.of());
    }

    /** The same, and no session may outlive one of its audiences' keys as far as they are known. */
    static Session validated(byte[] record, Trust trust, long now, List<AudienceKey> keys) {
        Signed signed = Signed.read(record);
        Session made = read(signed.body());
        valid(made.createdAt <= now + Limits.AHEAD_MS, "it is dated ahead");
        Kind kind = Kind.of(made.topic, trust.namespace, made.tenant);
        String anyTenants = Pattern.quote(trust.namespace) + "\\.[0-9]{6}\\.(status|accepted)";
        Refusal.unless(kind != null || !made.topic.matches(anyTenants), Reason.WRONG_TENANT, made.topic);
        valid(kind != null, "its topic");
        for (Audience each : made.audiences) {
            Trust.Audience listed = trust.audience(each.name(), Reason.SUITE);
            Refusal.unless(listed.suites().contains(suiteOf(each)), Reason.SUITE, each.name());
            Refusal.unless(each.epoch() >= listed.minimumEpoch(), Reason.OLD_EPOCH, each.name());
            boolean outlives = keys.stream().anyMatch(key -> key.audience().equals(each.name())
                    && key.epoch() == each.epoch() && key.notAfter() < made.expiresAt);
            Refusal.unless(!outlives, Reason.EXPIRED, "it outlives the key of " + each.name());
        }
        Refusal.unless(trust.instance(made.producer, made.instance), Reason.UNTRUSTED, "instance " + made.instance);
        boolean may = trust.mayProduce(made.producer, kind.dataset, made.tenant, null);
        Refusal.unless(may, Reason.NOT_PERMITTED, made.producer + " on " + made.topic);
        trust.verify(signed, RECORD, made.producer, made.createdAt);
        return made;
    }

    /** Checks date and signer of a checkpoint or close: the session's producer or, for a lost machine, the administrator. */
    void checkStatement(Signed signed, String name, long time, Trust trust, long now) {
        boolean dated = createdAt <= time && time <= now + Limits.AHEAD_MS;
        Refusal.unless(dated, Reason.PRODUCED_OUTSIDE_SESSION, name);
        if (!trust.administratorSigned(signed, name)) {
            trust.verify(signed, name, producer, time);
        }
    }

    /** Checks where it was found: the sessions topic of its producer, under its id. */
    void checkPlace(String namespace, String found, byte[] key) {
        String due = topic.equals(Kind.SUBMISSION.topic(namespace, tenant)) ? namespace + ".sessions"
                : namespace + "." + tenant + ".sessions";
        Refusal.unless(due.equals(found), Reason.WRONG_TOPIC, found);
        Refusal.unless(key == null || Arrays.equals(Bytes.utf8(Bytes.hex(id)), key), Reason.WRONG_KEY, "not the session id");
    }

    /** Opens an audience's secret. Refuses with {@code not-addressed}, {@code secret} or {@code commitment}. */
    byte[] open(String audience, Hpke.Suite suite, byte[] seeds) {
        Audience sealed = audience(audience);
        Refusal.unless(sealed != null, Reason.NOT_ADDRESSED, audience);
        Refusal.unless(sealed.sealed().length == suite.sealedBytes(), Reason.SECRET, "sealed under another suite");
        byte[] secret = Hpke.open(suite, seeds, info(sealed), sealed.sealed());
        boolean announced = Bytes.same(Derivation.commitment(secret), sealed.commitment());
        Refusal.unless(announced, Reason.COMMITMENT, audience);
        return secret;
    }

    byte[] info(Audience audience) {
        return Derivation.sessionInfo(salt, producer, topic, tenant, audience.name(), audience.epoch());
    }

    /** Returns what is sealed to an audience, or null. */
    Audience audience(String name) {
        return audiences.stream().filter(each -> each.name().equals(name)).findFirst().orElse(null);
    }

    private static Hpke.Suite suiteOf(Audience audience) {
        for (Hpke.Suite each : Hpke.Suite.values()) {
            if (each.sealedBytes() == audience.sealed().length) {
                return each;
            }
        }
        return null;
    }

    private static void valid(boolean good, String what) {
        Refusal.unless(good, Reason.INVALID_SESSION, what);
    }
}
