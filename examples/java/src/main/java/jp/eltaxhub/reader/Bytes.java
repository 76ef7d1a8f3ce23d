package jp.eltaxhub.reader;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Byte strings: joining, naming, hashing, comparing. */
final class Bytes {
    static final byte[] NONE = {};

    private Bytes() {}

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    static byte[] slice(byte[] data, int from, int to) {
        return java.util.Arrays.copyOfRange(data, from, to);
    }

    static byte[] u16(int number) {
        return ByteBuffer.allocate(2).putShort((short) number).array();
    }

    static byte[] u32(int number) {
        return ByteBuffer.allocate(4).putInt(number).array();
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** u32(length) ‖ UTF-8. */
    static byte[] counted(String text) {
        byte[] data = utf8(text);
        return join(u32(data.length), data);
    }

    /** L(name): what keeps one use of a key apart from every other. */
    static byte[] label(String name) {
        return join(utf8("eltax-hub/v1/" + name), new byte[1]);
    }

    /** Returns the text, or null if the bytes are no UTF-8. */
    static String textOrNull(byte[] data) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString();
        } catch (CharacterCodingException problem) {
            return null;
        }
    }

    static String hex(byte[] data) {
        return HexFormat.of().formatHex(data);
    }

    static byte[] unhex(String text) {
        return HexFormat.of().parseHex(text);
    }

    static byte[] random(int count) {
        byte[] made = new byte[count];
        new java.security.SecureRandom().nextBytes(made);
        return made;
    }

    static byte[] sha256(byte[]... parts) {
        return digest("SHA-256", parts);
    }

    static byte[] sha3(byte[]... parts) {
        return digest("SHA3-256", parts);
    }

    private static byte[] digest(String name, byte[]... parts) {
        try {
            MessageDigest made = MessageDigest.getInstance(name);
            for (byte[] part : parts) {
                made.update(part);
            }
            return made.digest();
        } catch (GeneralSecurityException problem) {
            throw new IllegalStateException(problem);
        }
    }

    static byte[] hmac(byte[] key, byte[]... parts) {
        try {
            Mac made = Mac.getInstance("HmacSHA256");
            made.init(new SecretKeySpec(key, "HmacSHA256"));
            for (byte[] part : parts) {
                made.update(part);
            }
            return made.doFinal();
        } catch (GeneralSecurityException problem) {
            throw new IllegalStateException(problem);
        }
    }

    /** Compares in a time that says nothing about where two strings differ. */
    static boolean same(byte[] one, byte[] other) {
        return one != null && other != null && MessageDigest.isEqual(one, other);
    }
}
