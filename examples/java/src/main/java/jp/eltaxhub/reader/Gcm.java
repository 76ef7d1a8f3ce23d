package jp.eltaxhub.reader;

import java.security.GeneralSecurityException;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** AES-256-GCM with a tag of 16 bytes behind the ciphertext. */
final class Gcm {
    static final int TAG = 16;

    private Gcm() {}

    static byte[] seal(byte[] key, byte[] nonce, byte[] plaintext, byte[] aad) {
        try {
            return cipher(Cipher.ENCRYPT_MODE, key, nonce, aad).doFinal(plaintext);
        } catch (GeneralSecurityException problem) {
            throw new IllegalStateException(problem);
        }
    }

    /** Returns the plaintext, or null if the ciphertext is not authentic. */
    static byte[] open(byte[] key, byte[] nonce, byte[] ciphertext, byte[] aad) {
        try {
            return ciphertext.length < TAG ? null : cipher(Cipher.DECRYPT_MODE, key, nonce, aad).doFinal(ciphertext);
        } catch (AEADBadTagException problem) {
            return null;
        } catch (GeneralSecurityException problem) {
            throw new IllegalStateException(problem);
        }
    }

    private static Cipher cipher(int mode, byte[] key, byte[] nonce, byte[] aad) throws GeneralSecurityException {
        Cipher made = Cipher.getInstance("AES/GCM/NoPadding");
        made.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(8 * TAG, nonce));
        made.updateAAD(aad);
        return made;
    }
}
