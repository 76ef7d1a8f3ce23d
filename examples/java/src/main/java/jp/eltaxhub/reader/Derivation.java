package jp.eltaxhub.reader;

import java.util.Arrays;
import java.util.List;

/** The keys that come from a session secret, the padding, the leaf, the partition. */
final class Derivation {
    private static final int KIB = 1024;

    /** An audience and the digest of its ciphertext, as a leaf takes them in. */
    record Digest(String audience, byte[] digest) {}

    private Derivation() {}

    /** HKDF-Expand with SHA-256. */
    static byte[] expand(byte[] key, byte[] info, int length) {
        byte[] made = Bytes.NONE;
        byte[] block = Bytes.NONE;
        for (int count = 1; made.length < length; count++) {
            block = Bytes.hmac(key, block, info, new byte[] {(byte) count});
            made = Bytes.join(made, block);
        }
        return Arrays.copyOf(made, length);
    }

    static byte[] sessionInfo(byte[] salt, String producer, String topic, String tenant, String audience, long epoch) {
        byte[] info = Bytes.join(Bytes.label("session"), salt);
        for (String text : List.of(producer, topic, tenant, audience, Long.toString(epoch))) {
            info = Bytes.join(info, Bytes.counted(text));
        }
        return info;
    }

    static byte[] commitment(byte[] secret) {
        return expand(secret, Bytes.label("commit"), 32);
    }

    static byte[] macKey(byte[] routerSecret) {
        return expand(routerSecret, Bytes.label("mac"), 32);
    }

    static byte[] eventKey(byte[] secret, byte[] header, String audience) {
        return expand(secret, Bytes.join(Bytes.label("section"), Bytes.sha256(header), Bytes.utf8(audience)), 32);
    }

    static byte[] mac(byte[] routerSecret, byte[] leaf) {
        return Bytes.hmac(macKey(routerSecret), leaf);
    }

    static byte[] leaf(byte[] header, List<Digest> sections) {
        byte[] data = Bytes.join(new byte[1], Bytes.u32(header.length), header);
        for (Digest each : sections) {
            data = Bytes.join(data, Bytes.counted(each.audience()), each.digest());
        }
        return Bytes.sha256(data);
    }

    /** Returns the size that a plaintext of {@code length} bytes is padded to: 1 to 32 KiB, Padmé above. */
    static int paddedBytes(int length) {
        int need = length + 1;
        for (int size = KIB; size <= 32 * KIB; size *= 2) {
            if (need <= size) {
                return size;
            }
        }
        int exponent = 31 - Integer.numberOfLeadingZeros(need);
        int significant = 32 - Integer.numberOfLeadingZeros(exponent);
        int step = 1 << (exponent - significant);
        return (need + step - 1) / step * step;
    }

    static byte[] pad(byte[] plaintext) {
        byte[] made = Arrays.copyOf(plaintext, paddedBytes(plaintext.length));
        made[plaintext.length] = (byte) 0x80;
        return made;
    }

    /** Takes off exactly what {@link #pad} put on. Refuses with {@code padding}. */
    static byte[] unpad(byte[] padded) {
        int end = padded.length - 1;
        while (end >= 0 && padded[end] == 0) {
            end--;
        }
        boolean good = end >= 0 && padded[end] == (byte) 0x80 && padded.length == paddedBytes(end);
        Refusal.unless(good, Reason.PADDING, padded.length + " bytes");
        return Arrays.copyOf(padded, end);
    }

    static byte[] sealSection(byte[] secret, byte[] header, String audience, byte[] plaintext) {
        return Gcm.seal(eventKey(secret, header, audience), new byte[12], pad(plaintext), Bytes.NONE);
    }

    /** Opens a ciphertext. Refuses with {@code not-authentic} or {@code padding}. */
    static byte[] openSection(byte[] secret, byte[] header, String audience, byte[] ciphertext) {
        byte[] padded = Gcm.open(eventKey(secret, header, audience), new byte[12], ciphertext, Bytes.NONE);
        Refusal.unless(padded != null, Reason.NOT_AUTHENTIC, audience);
        return unpad(padded);
    }

    /** Kafka's own hash of the receipt number, as its Java client partitions by key. */
    static int partition(String receiptNumber, int partitions) {
        return (murmur2(Bytes.utf8(receiptNumber)) & 0x7fffffff) % partitions;
    }

    static int murmur2(byte[] data) {
        final int m = 0x5bd1e995;
        int hash = 0x9747b28c ^ data.length;
        int whole = data.length & ~3;
        for (int i = 0; i < whole; i += 4) {
            int k = data[i] & 0xff | (data[i + 1] & 0xff) << 8 | (data[i + 2] & 0xff) << 16 | data[i + 3] << 24;
            k *= m;
            hash = hash * m ^ (k ^ k >>> 24) * m;
        }
        for (int i = data.length - 1; i >= whole; i--) {
            hash ^= (data[i] & 0xff) << 8 * (i - whole);
        }
        if (whole < data.length) {
            hash *= m;
        }
        hash = (hash ^ hash >>> 13) * m;
        return hash ^ hash >>> 15;
    }
}
