package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.generic.GenericRecord;
import org.bouncycastle.math.ec.rfc8032.Ed25519;

/** A body as its signers saw it, and their signatures. Nobody encodes a body again. */
record Signed(byte[] body, List<Mark> marks) {
    /** One signature and the id of the key it is said to be made with. */
    record Mark(byte[] keyId, byte[] signature) {}

    static Signed read(byte[] data) {
        GenericRecord value = Framing.read(data, "SignedRecord").value();
        byte[] body = Fields.bytes(value, "body");
        Refusal.unless(body.length <= Limits.BODY_BYTES, Reason.TOO_LARGE, "body of a signed record");
        List<Mark> marks = new ArrayList<>();
        for (GenericRecord each : Fields.records(value, "signatures")) {
            marks.add(new Mark(Fields.bytes(each, "key_id"), Fields.bytes(each, "signature")));
        }
        Refusal.unless(!marks.isEmpty(), Reason.MALFORMED, "no signature");
        for (int i = 1; i < marks.size(); i++) {
            boolean up = Arrays.compareUnsigned(marks.get(i - 1).keyId(), marks.get(i).keyId()) < 0;
            Refusal.unless(up, Reason.MALFORMED, "key ids do not ascend");
        }
        return new Signed(body, marks);
    }

    /** Signs a body with the seed of each signer's key. */
    static byte[] write(String name, byte[] body, byte[]... seeds) {
        byte[] message = Bytes.join(Bytes.label(name), body);
        TreeMap<String, Object> marks = new TreeMap<>();
        for (byte[] seed : seeds) {
            byte[] signature = new byte[Ed25519.SIGNATURE_SIZE];
            Ed25519.sign(seed, 0, message, 0, message.length, signature, 0);
            byte[] id = keyId(publicKey(seed));
            marks.put(Bytes.hex(id), Map.of("key_id", id, "signature", signature));
        }
        return Framing.write(Fields.make("SignedRecord", Map.of("body", body, "signatures", List.copyOf(marks.values()))));
    }

    /** The record's hash; of a session its id. */
    byte[] hash() {
        return Bytes.sha256(body);
    }

    boolean hasMarkOf(byte[] publicKey) {
        return markOf(publicKey) != null;
    }

    /** Whether {@code publicKey} signed this body as a record of that short name. */
    boolean signedBy(String name, byte[] publicKey) {
        byte[] message = Bytes.join(Bytes.label(name), body);
        Mark mark = markOf(publicKey);
        return mark != null && Ed25519.verify(mark.signature(), 0, publicKey, 0, message, 0, message.length);
    }

    private Mark markOf(byte[] publicKey) {
        byte[] id = keyId(publicKey);
        return marks.stream().filter(each -> Arrays.equals(each.keyId(), id)).findFirst().orElse(null);
    }

    static byte[] keyId(byte[] publicKey) {
        return Bytes.slice(Bytes.sha256(publicKey), 0, 8);
    }

    static byte[] publicKey(byte[] seed) {
        byte[] made = new byte[Ed25519.PUBLIC_KEY_SIZE];
        Ed25519.generatePublicKey(seed, 0, made, 0);
        return made;
    }
}
