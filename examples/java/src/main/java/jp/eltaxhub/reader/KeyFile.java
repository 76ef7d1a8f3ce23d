package jp.eltaxhub.reader;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.regex.Pattern;
import org.bouncycastle.crypto.generators.SCrypt;

/**
 * One private key in one file, under a passphrase.
 *
 * <pre>
 * file  = clear ‖ AES-256-GCM(file key, nonce, seeds, aad = clear)
 * file key = version 1: scrypt(passphrase, salt, N, r, p)
 *            version 2: HKDF-Expand(key, L("key file") ‖ salt), where the passphrase is "key-1:" ‖ key in hex; no N, r, p
 * clear = "ELTAXKEY" ‖ u8 version ‖ u8 suite ‖ u8 log2 N ‖ u8 r ‖ u8 p ‖ salt(16) ‖ nonce(12) ‖ u16 len(name) ‖ name
 * suite = 1 Ed25519 (seed of 32 bytes), 2 MLKEM768_X25519 (64 + 32), 3 X25519 (32), 4 ML-DSA-44 (32)
 * </pre>
 */
record KeyFile(String name, int suite, byte[] seeds) {
    static final int ED25519 = 1;

    private static final byte[] MAGIC = Bytes.utf8("ELTAXKEY");
    private static final Pattern RANDOM_KEY = Pattern.compile("key-1:[0-9a-f]{64}");
    private static final int FIXED = 43;
    private static final int LARGEST = 1024;

    /** A file that is damaged, too weak, or under another passphrase. */
    static final class Unusable extends RuntimeException {
        private static final long serialVersionUID = 1;

        /** {@code keystore.damaged} or {@code keystore.weak}. */
        final String code;

        Unusable(String code, String message) {
            super(code + ": " + message);
            this.code = code;
        }
    }

    static KeyFile open(Path file, Path passphraseFile, boolean allowWeak) throws IOException {
        return open(Files.readAllBytes(file), Bytes.utf8(Files.readString(passphraseFile).strip()), allowWeak);
    }

    static KeyFile open(byte[] data, byte[] passphrase, boolean allowWeak) {
        damagedUnless(data.length >= FIXED && data.length <= LARGEST, "length of the key file");
        damagedUnless(Arrays.equals(Bytes.slice(data, 0, 8), MAGIC), "not a key file");
        boolean stretched = data[10] != 0 || data[11] != 0 || data[12] != 0;
        damagedUnless(data[8] == (stretched ? 1 : 2), "not a key file of version 1 or 2");
        int suite = data[9];
        int log2n = data[10];
        int end = FIXED + (ByteBuffer.wrap(data).getShort(41) & 0xffff);
        int seedBytes = suite == 2 ? 96 : 32;
        damagedUnless(suite >= 1 && suite <= 4 && data.length == end + seedBytes + Gcm.TAG, "length of the key file");
        String name = Bytes.textOrNull(Bytes.slice(data, FIXED, end));
        damagedUnless(name != null, "its name is no UTF-8");
        byte[] salt = Bytes.slice(data, 13, 29);
        byte[] key = stretched
                ? stretched(passphrase, salt, log2n, data[11], data[12], allowWeak)
                : Derivation.expand(randomKey(passphrase), Bytes.join(Bytes.label("key file"), salt), 32);
        byte[] clear = Bytes.slice(data, 0, end);
        byte[] seeds = Gcm.open(key, Bytes.slice(data, 29, 41), Bytes.slice(data, end, data.length), clear);
        damagedUnless(seeds != null, "damaged key file, or another passphrase");
        return new KeyFile(name, suite, seeds);
    }

    private static byte[] stretched(byte[] passphrase, byte[] salt, int log2n, int r, int p, boolean allowWeak) {
        if (log2n < (allowWeak ? 1 : 17) || log2n > 20 || r != 8 || p != 1) {
            throw new Unusable("keystore.weak", "its scrypt cost is not 2^17 to 2^20, 8, 1");
        }
        return SCrypt.generate(passphrase, salt, 1 << log2n, r, p, 32);
    }

    private static byte[] randomKey(byte[] passphrase) {
        String said = new String(passphrase, StandardCharsets.US_ASCII);
        if (!RANDOM_KEY.matcher(said).matches()) {
            throw new Unusable("keystore.weak", "it is not stretched, and the passphrase is no random key");
        }
        return HexFormat.of().parseHex(said.substring(6));
    }

    /** The suite of an audience's key. */
    Hpke.Suite audienceSuite() {
        damagedUnless(suite == 2 || suite == 3, "this is no audience's key");
        return suite == 2 ? Hpke.Suite.MLKEM768_X25519 : Hpke.Suite.X25519;
    }

    private static void damagedUnless(boolean good, String what) {
        if (!good) {
            throw new Unusable("keystore.damaged", what);
        }
    }
}
