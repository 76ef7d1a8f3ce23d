package jp.eltaxhub.reader;

import java.util.Arrays;
import org.apache.avro.generic.GenericRecord;

/** The key to seal to an audience in an epoch. */
record AudienceKey(String audience, long epoch, Hpke.Suite suite, byte[] publicKey, long notBefore, long notAfter) {
    static final String RECORD = "AudienceKey";

    /** Reads a signed key; its owner and the administrator must have signed, and it must be what the list allows. */
    static AudienceKey validated(byte[] record, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), RECORD).value();
        AudienceKey made = new AudienceKey(Fields.text(value, "audience"), Fields.number(value, "epoch"),
                Hpke.Suite.valueOf(Fields.text(value, "suite")), Fields.bytes(value, "public_key"),
                Fields.number(value, "not_before"), Fields.number(value, "not_after"));
        boolean times = Limits.time(made.notBefore) && Limits.time(made.notAfter) && made.notBefore < made.notAfter;
        boolean names = Limits.audience(made.audience) && Limits.epoch(made.epoch) && times
                && Arrays.equals(Signed.keyId(made.publicKey), Fields.bytes(value, "key_id"));
        Refusal.unless(names, Reason.MALFORMED, "key of " + made.audience);
        Trust.Audience listed = trust.audience(made.audience, Reason.UNTRUSTED);
        trust.verify(signed, RECORD, listed.owner(), now);
        Refusal.unless(trust.administratorSigned(signed, RECORD), Reason.UNTRUSTED, "without the administrator");
        Refusal.unless(listed.suites().contains(made.suite), Reason.SUITE, made.audience);
        boolean whole = made.publicKey.length == made.suite.publicBytes;
        Refusal.unless(whole, Reason.MALFORMED, "length of the key of " + made.audience);
        Refusal.unless(made.epoch >= listed.minimumEpoch(), Reason.OLD_EPOCH, made.audience);
        return made;
    }

    /** The Kafka key. */
    String key() {
        return audience + "/" + epoch + "/" + Bytes.hex(Signed.keyId(publicKey));
    }

    boolean holds(long now) {
        return notBefore <= now && now < notAfter;
    }
}
