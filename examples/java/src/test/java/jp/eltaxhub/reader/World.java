package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bouncycastle.crypto.generators.SCrypt;

/** A small artificial world: administrator, portal, three audiences; everything made here, nothing taken from the hub. */
final class World {
    static final String TENANT = "131041";
    static final long NOW = System.currentTimeMillis();
    static final int PARTITIONS = 6;

    final byte[] administrator = Bytes.random(32);
    final byte[] portal = Bytes.random(32);
    final Map<String, byte[]> owners = new TreeMap<>();
    final Map<String, byte[]> seeds = new TreeMap<>();
    final Map<String, Object> identity = new HashMap<>();
    final Map<String, Object> right = new HashMap<>();
    final List<Object> suites = new ArrayList<>(List.of("MLKEM768_X25519", "X25519"));
    int minimumEpoch;

    World() {
        for (String audience : List.of("helpdesk-" + TENANT, "review-" + TENANT, "router")) {
            owners.put(audience, Bytes.random(32));
            seeds.put(audience, Hpke.newSeeds(suite(audience)));
        }
        identity.putAll(identity(portal));
        right.put("dataset", "submissions");
    }

    static Hpke.Suite suite(String audience) {
        return audience.startsWith("helpdesk") ? Hpke.Suite.X25519 : Hpke.Suite.MLKEM768_X25519;
    }

    private static Map<String, Object> identity(byte[] seed) {
        return Map.of("public_key", Signed.publicKey(seed), "not_before", NOW - 1000, "not_after", NOW + 1_000_000_000L);
    }

    private static Map<String, Object> principal(String name, Map<String, Object> identity, List<Object> rights) {
        Map<String, Object> made = new HashMap<>();
        made.put("name", name);
        made.put("instances", name.equals("portal") ? List.of("java-1") : null);
        made.put("identities", List.of(identity));
        made.put("may_produce", rights);
        return made;
    }

    Trust trust() {
        return new Trust(signedTrust(), Signed.publicKey(administrator));
    }

    byte[] signedTrust() {
        List<Object> principals = new ArrayList<>();
        List<Object> audiences = new ArrayList<>();
        owners.forEach((name, seed) -> {
            principals.add(principal(name, identity(seed), List.of()));
            audiences.add(Map.of("name", name, "owner", name, "minimum_epoch", minimumEpoch, "suites", suites));
        });
        principals.add(1, principal("portal", identity, List.of(right))); // names ascend
        byte[] body = Framing.write(Fields.make("Trust", Map.of("namespace", "rehearsal", "serial", 1, "issued_at", NOW,
                "principals", principals, "audiences", audiences)));
        return Signed.write("Trust", body, administrator);
    }

    /** A key file with a cost that only tests may use. */
    static byte[] keyFile(int suite, byte[] seeds, byte[] passphrase) {
        byte[] salt = Bytes.random(16);
        byte[] nonce = Bytes.random(12);
        byte[] head = {1, (byte) suite, 4, 8, 1};
        byte[] clear = Bytes.join(Bytes.utf8("ELTAXKEY"), head, salt, nonce, Bytes.u16(6), Bytes.utf8("見本"));
        return Bytes.join(clear, Gcm.seal(SCrypt.generate(passphrase, salt, 16, 8, 1, 32), nonce, seeds, clear));
    }

    /** A signed key of an audience. */
    byte[] key(String audience) {
        byte[] publicKey = Hpke.publicKey(suite(audience), seeds.get(audience));
        byte[] body = Framing.write(Fields.make(AudienceKey.RECORD, Map.of("audience", audience, "epoch", 202604,
                "key_id", Signed.keyId(publicKey), "suite", suite(audience).name(), "public_key", publicKey,
                "not_before", NOW - 1000, "not_after", NOW + 1_000_000_000L)));
        return Signed.write(AudienceKey.RECORD, body, owners.get(audience), administrator);
    }

    Portal portal() {
        Trust trust = trust();
        List<AudienceKey> keys = owners.keySet().stream()
                .map(each -> AudienceKey.validated(key(each), trust, NOW)).toList();
        return new Portal(portal, "rehearsal", "java-1", TENANT, PARTITIONS, keys, null, NOW);
    }

    static String document(String receipt) {
        return """
                {"procedure": "heir-representative-designation", "receipt_number": "%s", "tenant": "131041",
                 "tax_item": null, "accepted_at": "2026-04-01T11:00:00+09:00", "rehearsal": true,
                 "checks": {"calculation": "passed", "signature": "not_performed"},
                 "items": {"decedent_name": "見本一郎", "heirs": [{"heir_name": "架空花子"}]}}
                """.formatted(receipt);
    }

    static Filing filing(String receipt) {
        try {
            return new Filing(Json.MAPPER.readTree(document(receipt)));
        } catch (java.io.IOException problem) {
            throw new IllegalStateException(problem);
        }
    }
}
