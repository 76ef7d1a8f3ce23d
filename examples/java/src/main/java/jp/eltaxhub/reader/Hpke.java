package jp.eltaxhub.reader;

import org.bouncycastle.crypto.kems.MLKEMExtractor;
import org.bouncycastle.crypto.kems.MLKEMGenerator;
import org.bouncycastle.crypto.params.MLKEMParameters;
import org.bouncycastle.crypto.params.MLKEMPrivateKeyParameters;
import org.bouncycastle.crypto.params.MLKEMPublicKeyParameters;
import org.bouncycastle.math.ec.rfc7748.X25519;

/**
 * HPKE (RFC 9180) base mode with one message and empty aad: HKDF-SHA256, AES-256-GCM, and as KEM X25519 or X-Wing,
 * here with the two seeds (64 bytes of ML-KEM, 32 of X25519) instead of one that both are stretched from.
 */
final class Hpke {
    private static final byte[] XWING_LABEL = Bytes.utf8("\\.//^\\");
    private static final byte[] VERSION = Bytes.utf8("HPKE-v1");
    private static final int LATTICE_PUBLIC = 1184;
    private static final int LATTICE_CIPHERTEXT = 1088;
    private static final int LATTICE_SEEDS = 64;
    private static final int CURVE = 32;

    /** What there is to choose: the KEM. */
    enum Suite {
        MLKEM768_X25519(0x647a, LATTICE_SEEDS + CURVE, LATTICE_PUBLIC + CURVE, LATTICE_CIPHERTEXT + CURVE),
        X25519(0x0020, CURVE, CURVE, CURVE);

        final int kem;
        final int seedBytes;
        final int publicBytes;
        final int encapsulatedBytes;

        Suite(int kem, int seedBytes, int publicBytes, int encapsulatedBytes) {
            this.kem = kem;
            this.seedBytes = seedBytes;
            this.publicBytes = publicBytes;
            this.encapsulatedBytes = encapsulatedBytes;
        }

        /** What one encapsulation uses up. */
        int randomBytes() {
            return this == X25519 ? CURVE : 2 * CURVE;
        }

        /** Length of a sealed session secret. */
        int sealedBytes() {
            return encapsulatedBytes + 32 + Gcm.TAG;
        }
    }

    /** A shared secret and, when sealing, what carries it. */
    record Shared(byte[] secret, byte[] encapsulated) {}

    /** The key schedule's outcome. */
    record Schedule(byte[] key, byte[] nonce) {}

    private Hpke() {}

    /** Returns the public key of a pair of seeds. */
    static byte[] publicKey(Suite suite, byte[] seeds) {
        if (suite == Suite.X25519) {
            return curvePublic(seeds);
        }
        byte[] lattice = latticePrivate(seeds).getPublicKeyParameters().getEncoded();
        return Bytes.join(lattice, curvePublic(Bytes.slice(seeds, LATTICE_SEEDS, seeds.length)));
    }

    /** Opens {@code enc ‖ ciphertext}. Refuses with {@code secret}. */
    static byte[] open(Suite suite, byte[] seeds, byte[] info, byte[] message) {
        int split = suite.encapsulatedBytes;
        Refusal.unless(message.length >= split + Gcm.TAG, Reason.SECRET, "too short for " + suite);
        byte[] encapsulated = Bytes.slice(message, 0, split);
        Schedule schedule = schedule(suite, decapsulate(suite, seeds, encapsulated), info);
        byte[] opened = Gcm.open(schedule.key(), schedule.nonce(), Bytes.slice(message, split, message.length), Bytes.NONE);
        Refusal.unless(opened != null, Reason.SECRET, "does not open with this key");
        return opened;
    }

    /** Seals to a public key; fresh randomness each time. */
    static byte[] seal(Suite suite, byte[] publicKey, byte[] info, byte[] plaintext) {
        return seal(suite, publicKey, info, plaintext, Bytes.random(suite.randomBytes()));
    }

    /** The same with given randomness (of the lattice, then of the curve); only vectors have a use for that. */
    static byte[] seal(Suite suite, byte[] publicKey, byte[] info, byte[] plaintext, byte[] randomness) {
        Shared shared = encapsulate(suite, publicKey, randomness);
        Schedule schedule = schedule(suite, shared.secret(), info);
        return Bytes.join(shared.encapsulated(), Gcm.seal(schedule.key(), schedule.nonce(), plaintext, Bytes.NONE));
    }

    static byte[] decapsulate(Suite suite, byte[] seeds, byte[] encapsulated) {
        if (suite == Suite.X25519) {
            return dhkem(agree(seeds, encapsulated), encapsulated, curvePublic(seeds));
        }
        byte[] inner = new MLKEMExtractor(latticePrivate(seeds))
                .extractSecret(Bytes.slice(encapsulated, 0, LATTICE_CIPHERTEXT));
        byte[] curve = Bytes.slice(seeds, LATTICE_SEEDS, seeds.length);
        byte[] ephemeral = Bytes.slice(encapsulated, LATTICE_CIPHERTEXT, encapsulated.length);
        return combine(inner, agree(curve, ephemeral), ephemeral, curvePublic(curve));
    }

    private static Shared encapsulate(Suite suite, byte[] publicKey, byte[] randomness) {
        byte[] seed = Bytes.slice(randomness, randomness.length - CURVE, randomness.length);
        byte[] ephemeral = curvePublic(seed);
        if (suite == Suite.X25519) {
            return new Shared(dhkem(agree(seed, publicKey), ephemeral, publicKey), ephemeral);
        }
        byte[] curve = Bytes.slice(publicKey, LATTICE_PUBLIC, publicKey.length);
        var lattice = new MLKEMPublicKeyParameters(MLKEMParameters.ml_kem_768, Bytes.slice(publicKey, 0, LATTICE_PUBLIC));
        var inner = MLKEMGenerator.internalGenerateEncapsulated(lattice, Bytes.slice(randomness, 0, CURVE));
        byte[] secret = combine(inner.getSecret(), agree(seed, curve), ephemeral, curve);
        return new Shared(secret, Bytes.join(inner.getEncapsulation(), ephemeral));
    }

    private static MLKEMPrivateKeyParameters latticePrivate(byte[] seeds) {
        return new MLKEMPrivateKeyParameters(MLKEMParameters.ml_kem_768, Bytes.slice(seeds, 0, LATTICE_SEEDS));
    }

    private static byte[] curvePublic(byte[] seed) {
        byte[] made = new byte[CURVE];
        X25519.scalarMultBase(seed, 0, made, 0);
        return made;
    }

    /** An all-zero outcome is refused: RFC 9180, 7.1.4; in the hybrid by docs/envelope.md. */
    private static byte[] agree(byte[] seed, byte[] publicKey) {
        byte[] made = new byte[CURVE];
        Refusal.unless(X25519.calculateAgreement(seed, 0, publicKey, 0, made, 0), Reason.SECRET, "point of small order");
        return made;
    }

    private static byte[] combine(byte[] lattice, byte[] curve, byte[] ephemeral, byte[] curvePublic) {
        return Bytes.sha3(lattice, curve, ephemeral, curvePublic, XWING_LABEL);
    }

    /** RFC 9180, 4.1. */
    private static byte[] dhkem(byte[] shared, byte[] encapsulated, byte[] publicKey) {
        byte[] suite = Bytes.join(Bytes.utf8("KEM"), Bytes.u16(Suite.X25519.kem));
        byte[] key = extract(suite, Bytes.NONE, "eae_prk", shared);
        return expand(suite, key, "shared_secret", Bytes.join(encapsulated, publicKey), 32);
    }

    /** RFC 9180, 5.1, mode 0. */
    static Schedule schedule(Suite kem, byte[] shared, byte[] info) {
        byte[] suite = Bytes.join(Bytes.utf8("HPKE"), Bytes.u16(kem.kem), Bytes.u16(1), Bytes.u16(2));
        byte[] nobody = extract(suite, Bytes.NONE, "psk_id_hash", Bytes.NONE);
        byte[] context = Bytes.join(new byte[1], nobody, extract(suite, Bytes.NONE, "info_hash", info));
        byte[] secret = extract(suite, shared, "secret", Bytes.NONE);
        return new Schedule(expand(suite, secret, "key", context, 32), expand(suite, secret, "base_nonce", context, 12));
    }

    private static byte[] extract(byte[] suite, byte[] salt, String name, byte[] material) {
        byte[] key = salt.length == 0 ? new byte[32] : salt;
        return Bytes.hmac(key, VERSION, suite, Bytes.utf8(name), material);
    }

    private static byte[] expand(byte[] suite, byte[] key, String name, byte[] info, int length) {
        return Derivation.expand(key, Bytes.join(Bytes.u16(length), VERSION, suite, Bytes.utf8(name), info), length);
    }

    /** Makes the seeds of a new key pair; for tests and for vectors. */
    static byte[] newSeeds(Suite suite) {
        return Bytes.random(suite.seedBytes);
    }
}
