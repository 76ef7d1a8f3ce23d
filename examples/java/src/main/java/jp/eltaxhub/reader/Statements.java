package jp.eltaxhub.reader;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.apache.avro.generic.GenericRecord;

/** What roles say of refused events, destroyed keys and what they hold. Each returns the Kafka key that it belongs under. */
final class Statements {
    private Statements() {}

    /** The router tells a tenant that an event of its became a dead letter. */
    static String notice(byte[] record, String tenant, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), "DeadLetterNotice").value();
        List<Derivation.Digest> digests = new ArrayList<>();
        for (GenericRecord each : Fields.records(value, "digests")) {
            digests.add(new Derivation.Digest(Fields.text(each, "audience"), Fields.bytes(each, "digest")));
        }
        List<String> order = digests.stream().map(Derivation.Digest::audience).toList();
        malformedUnless(order.stream().allMatch(Limits::audience), "name of an audience");
        Refusal.unless(Limits.ascending(order), Reason.AUDIENCE_ORDER, "digests");
        malformedUnless(Reason.known(Fields.text(value, "reason")), "reason");
        byte[] header = Fields.bytes(value, "header");
        Refusal.unless(header.length <= Limits.HEADER_BYTES, Reason.TOO_LARGE, "header");
        Refusal.unless(tenant.equals(Fields.text(value, "tenant")), Reason.WRONG_TENANT, "notice");
        said(signed, "DeadLetterNotice", "router", Fields.number(value, "noticed_at"), trust, now);
        Header about = Header.read(header);
        about.check();
        malformedUnless(about.tenant().equals(tenant), "header of another tenant");
        return "notice/" + Bytes.hex(Derivation.leaf(header, digests));
    }

    /** What the operator did with a dead letter, for everybody. */
    static String resolved(byte[] record, String tenant, Trust trust, long now) {
        Signed signed = Signed.read(record);
        return resolved(signed, "LetterResolved", signed.body(), tenant, trust, now);
    }

    /** The same with the rest, for those whom it concerns; its digest stands in what everybody is told. */
    static String told(byte[] record, String tenant, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord told = Framing.read(signed.body(), "LetterTold").value();
        byte[] resolved = Fields.bytes(told, "resolved");
        byte[] confided = Fields.bytes(told, "confided");
        GenericRecord rest = Framing.read(confided, "LetterConfided").value();
        GenericRecord value = Framing.read(resolved, "LetterResolved").value();
        byte[] digest = Bytes.sha256(Bytes.label("confided"), confided);
        malformedUnless(Bytes.same(digest, Fields.bytes(value, "confided")), "what was confided belongs to another");
        malformedUnless((rest.get("note") == null) == (value.get("reason") == null), "note");
        malformedUnless((rest.get("receipt") == null) == (value.get("event") == null), "receipt");
        return resolved(signed, "LetterTold", resolved, tenant, trust, now);
    }

    private static String resolved(Signed signed, String name, byte[] body, String tenant, Trust trust, long now) {
        GenericRecord value = Framing.read(body, "LetterResolved").value();
        boolean replayed = "replayed".equals(Fields.text(value, "kind"));
        malformedUnless(replayed || "discarded".equals(Fields.text(value, "kind")), "kind");
        malformedUnless((value.get("replayed_to") != null) == replayed, "replayed_to");
        malformedUnless((value.get("reason") == null) == replayed, "reason");
        long generation = Fields.number(value, "generation");
        malformedUnless(generation >= 0 && (value.get("former") != null) == (generation > 0), "generation");
        malformedUnless(Reason.known(Fields.text(value, "refused")), "refused");
        String of = Fields.text(value, "tenant");
        malformedUnless(of == null || Limits.tenant(of), "tenant");
        Refusal.unless(of == null || of.equals(tenant), Reason.WRONG_TENANT, "resolution");
        said(signed, name, "operator", Fields.number(value, "resolved_at"), trust, now);
        GenericRecord letter = Fields.record(value, "letter");
        return "resolved/" + Fields.text(letter, "topic") + "/" + Fields.number(letter, "partition") + "/"
                + Fields.number(letter, "offset");
    }

    /** A private key exists no more. */
    static String keyDestroyed(byte[] record, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), "KeyDestroyed").value();
        String audience = Fields.text(value, "audience");
        long epoch = Fields.number(value, "epoch");
        List<?> waivers = (List<?>) value.get("waivers");
        malformedUnless(Limits.audience(audience) && Limits.epoch(epoch), "audience or epoch");
        malformedUnless(Limits.ascending(waivers.stream().map(each -> Bytes.hex(Fields.bytesOf(each))).toList()), "waivers");
        String owner = trust.audience(audience, Reason.UNTRUSTED).owner();
        said(signed, "KeyDestroyed", owner, Fields.number(value, "destroyed_at"), trust, now);
        boolean waived = waivers.isEmpty() || trust.administratorSigned(signed, "KeyDestroyed");
        Refusal.unless(waived, Reason.UNTRUSTED, "waived without the administrator");
        return "destroyed/" + audience + "/" + epoch + "/" + Bytes.hex(Fields.bytes(value, "key_id"));
    }

    /** What one role holds. */
    static void report(byte[] record, Trust trust, long now) {
        Signed signed = Signed.read(record);
        GenericRecord value = Framing.read(signed.body(), "RoleReport").value();
        long part = Fields.number(value, "part");
        malformedUnless(part >= 1 && part <= Fields.number(value, "parts"), "part");
        Refusal.unless(trust.namespace.equals(Fields.text(value, "namespace")), Reason.WRONG_TOPIC, "report");
        said(signed, "RoleReport", Fields.text(value, "principal"), Fields.number(value, "created_at"), trust, now);
    }

    /** Reads a dead letter; from quarantine it is opened with the operator's key. Returns a framed content or null. */
    static byte[] deadLetter(byte[] record, Hpke.Suite suite, byte[] seeds) {
        GenericRecord value = Framing.read(record, "DeadLetter").value();
        malformedUnless(Reason.known(Fields.text(value, "reason")), "reason");
        GenericRecord quarantine = Fields.record(value, "quarantine");
        boolean clear = value.get("key") != null || value.get("value") != null;
        malformedUnless(Fields.flag(value, "authentic") == (quarantine == null), "authentic");
        malformedUnless(clear == (quarantine == null), "key and value");
        if (quarantine == null) {
            return null;
        }
        byte[] place = ByteBuffer.allocate(12).putInt((int) Fields.number(value, "partition"))
                .putLong(Fields.number(value, "offset")).array();
        byte[] info = Bytes.join(Bytes.label("quarantine"), Bytes.counted(Objects.toString(value.get("topic"))), place);
        boolean own = Arrays.equals(Signed.keyId(Hpke.publicKey(suite, seeds)), Fields.bytes(quarantine, "key_id"));
        Refusal.unless(own, Reason.SECRET, "sealed to another key");
        byte[] content = Hpke.open(suite, seeds, info, Fields.bytes(quarantine, "sealed"));
        Framing.read(content, "DeadLetterContent");
        return content;
    }

    private static void said(Signed signed, String name, String principal, long time, Trust trust, long now) {
        malformedUnless(Limits.time(time), "its time");
        Refusal.unless(time <= now + Limits.AHEAD_MS, Reason.EXPIRED, "it is dated ahead");
        trust.verify(signed, name, principal, time);
    }

    private static void malformedUnless(boolean good, String what) {
        Refusal.unless(good, Reason.MALFORMED, what);
    }
}
