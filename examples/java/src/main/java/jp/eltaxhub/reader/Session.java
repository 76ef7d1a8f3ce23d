package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.List;
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
        valid(!audiences.isEmpty() && audiences.size() <= Limits.AUDIENCES, audiences.size() + " audiences");
        List<String> order = audiences.stream().map(Audience::name).toList();
        valid(order.stream().allMatch(Limits::audience) && Limits.ascending(order), "order of its audiences");
        valid(audiences.stream().allMatch(each -> Limits.epoch(each.epoch())), "an epoch");
        valid(audiences.stream().allMatch(each -> suiteOf(each) != null), "length of a sealed secret");
        valid(topic.endsWith(".submissions") == order.contains("router"), "the audience router");
    }

    /** Reads a signed session and judges it: what it says, who signed it, whether that one may. */
    static Session validated(byte[] record, Trust trust, long now) {
        Signed signed = Signed.read(record);
        Session made = read(signed.body());
        valid(made.createdAt <= now + Limits.AHEAD_MS, "it is dated ahead");
        trust.verify(signed, RECORD, made.producer, made.createdAt);
        Kind kind = Kind.of(made.topic, trust.namespace, made.tenant);
        valid(kind != null, "its topic");
        Refusal.unless(trust.instance(made.producer, made.instance), Reason.UNTRUSTED, "instance " + made.instance);
        boolean may = trust.mayProduce(made.producer, kind.dataset, made.tenant, null);
        Refusal.unless(may, Reason.NOT_PERMITTED, made.producer + " on " + made.topic);
        for (Audience each : made.audiences) {
            Trust.Audience listed = trust.audience(each.name());
            Refusal.unless(listed.suites().contains(suiteOf(each)), Reason.SUITE, each.name());
            Refusal.unless(each.epoch() >= listed.minimumEpoch(), Reason.OLD_EPOCH, each.name());
        }
        return made;
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
