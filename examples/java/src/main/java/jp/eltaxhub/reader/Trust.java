package jp.eltaxhub.reader;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.generic.GenericRecord;
import org.bouncycastle.math.ec.rfc8032.Ed25519;

/** Who is who, and who may produce what: the administrator's signed list. */
final class Trust {
    private record Identity(byte[] publicKey, long notBefore, long notAfter, boolean revoked) {}

    private record Right(String dataset, List<String> tenants, List<String> procedures) {}

    private record Principal(List<String> instances, List<Identity> identities, List<Right> rights) {}

    /** What to accept for an audience. */
    record Audience(String owner, long minimumEpoch, List<Hpke.Suite> suites) {}

    final String namespace;
    private final byte[] administrator;
    private final Map<String, Principal> principals = new HashMap<>();
    private final Map<String, Audience> audiences = new HashMap<>();

    /** Reads the list and checks it against the administrator's pinned public key. */
    Trust(byte[] record, byte[] administrator) {
        this.administrator = administrator;
        Signed signed = Signed.read(record);
        Refusal.unless(signed.signedBy("Trust", administrator), Reason.BAD_SIGNATURE, "trust list");
        GenericRecord value = Framing.read(signed.body(), "Trust").value();
        namespace = Fields.text(value, "namespace");
        Set<String> keys = new HashSet<>();
        check(ascending(value, "principals") && ascending(value, "audiences"), "order of its names");
        for (GenericRecord each : Fields.records(value, "principals")) {
            List<Identity> identities = Fields.records(each, "identities").stream().map(Trust::identity).toList();
            List<Right> rights = Fields.records(each, "may_produce").stream().map(Trust::right).toList();
            check(Limits.name(Fields.text(each, "name")), "name of a principal");
            for (Identity one : identities) {
                check(keys.add(Bytes.hex(one.publicKey())), "a key of two principals");
                check(Ed25519.validatePublicKeyPartial(one.publicKey(), 0), "no public key, or one of small order");
            }
            check(set(Fields.texts(each, "instances")), "order of instances");
            rights.forEach(one -> check(set(one.tenants()) && set(one.procedures()), "order of a right's lists"));
            principals.put(Fields.text(each, "name"), new Principal(Fields.texts(each, "instances"), identities, rights));
        }
        for (GenericRecord each : Fields.records(value, "audiences")) {
            List<Hpke.Suite> suites = Fields.texts(each, "suites").stream().map(Hpke.Suite::valueOf).toList();
            check(Limits.audience(Fields.text(each, "name")), "name of an audience");
            check(suites.equals(suites.stream().distinct().sorted().toList()), "order of suites");
            Audience made = new Audience(Fields.text(each, "owner"), Fields.number(each, "minimum_epoch"), suites);
            audiences.put(Fields.text(each, "name"), made);
        }
    }

    private static boolean ascending(GenericRecord value, String field) {
        return Limits.ascending(Fields.records(value, field).stream().map(each -> Fields.text(each, "name")).toList());
    }

    private static boolean set(List<String> texts) {
        return texts == null || Limits.ascending(texts);
    }

    private static void check(boolean good, String what) {
        Refusal.unless(good, Reason.MALFORMED, "trust list: " + what);
    }

    private static Identity identity(GenericRecord from) {
        return new Identity(Fields.bytes(from, "public_key"), Fields.number(from, "not_before"),
                Fields.number(from, "not_after"), from.get("revoked_at") != null);
    }

    private static Right right(GenericRecord from) {
        return new Right(Fields.text(from, "dataset"), Fields.texts(from, "tenants"), Fields.texts(from, "procedures"));
    }

    /** Checks that {@code principal} signed, with a key that speaks for it at {@code time} (milliseconds). */
    void verify(Signed record, String name, String principal, long time) {
        Principal known = principals.get(principal);
        Refusal.unless(known != null, Reason.UNTRUSTED, "no principal " + principal);
        List<Identity> there = known.identities().stream().filter(each -> record.hasMarkOf(each.publicKey())).toList();
        List<Identity> speaking = there.stream()
                .filter(each -> !each.revoked() && each.notBefore() <= time && time < each.notAfter()).toList();
        if (speaking.stream().anyMatch(each -> record.signedBy(name, each.publicKey()))) {
            return;
        }
        Refusal.unless(speaking.isEmpty(), Reason.BAD_SIGNATURE, name);
        Refusal.unless(there.stream().noneMatch(Identity::revoked), Reason.REVOKED, principal);
        throw new Refusal(Reason.UNTRUSTED, "signed by no key that spoke for " + principal);
    }

    /** Whether the administrator signed. */
    boolean administratorSigned(Signed record, String name) {
        return record.signedBy(name, administrator);
    }

    boolean instance(String principal, String instance) {
        Principal known = principals.get(principal);
        return known != null && (known.instances() == null || known.instances().contains(instance));
    }

    /** Whether a principal may produce; {@code procedure} null asks about any of them. */
    boolean mayProduce(String principal, String dataset, String tenant, String procedure) {
        Principal known = principals.get(principal);
        return known != null && known.rights().stream().anyMatch(right -> right.dataset().equals(dataset)
                && (right.tenants() == null || right.tenants().contains(tenant))
                && (procedure == null || right.procedures() == null || right.procedures().contains(procedure)));
    }

    /** Returns what to accept for an audience. Refuses one that is not listed. */
    Audience audience(String name, Reason otherwise) {
        Audience found = audiences.get(name);
        Refusal.unless(found != null, otherwise, "audience " + name + " is not listed");
        return found;
    }
}
