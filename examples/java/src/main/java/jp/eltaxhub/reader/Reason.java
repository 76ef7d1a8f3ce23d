package jp.eltaxhub.reader;

import java.util.Arrays;
import java.util.Locale;

/** Why something is refused: the closed list at the end of docs/envelope.md. */
public enum Reason {
    NOT_FRAMED,
    UNKNOWN_SCHEMA,
    FOREIGN_SCHEMA,
    TRUNCATED,
    TRAILING_BYTES,
    MALFORMED,
    TOO_LARGE,
    AUDIENCE_ORDER,
    HEADER_INVALID,
    WRONG_KEY,
    WRONG_PARTITION,
    WRONG_TENANT,
    WRONG_TOPIC,
    WRONG_PRODUCER,
    PRODUCED_OUTSIDE_SESSION,
    CAUSE,
    UNKNOWN_SESSION,
    INVALID_SESSION,
    FOREIGN_SESSION,
    BAD_SIGNATURE,
    UNTRUSTED,
    REVOKED,
    NOT_PERMITTED,
    SUITE,
    OLD_EPOCH,
    EXPIRED,
    BROKEN_CHAIN,
    BAD_MAC,
    DIGEST_MISMATCH,
    STRIPPED_CIPHERTEXT,
    FOREIGN_CIPHERTEXT,
    SECTIONS,
    NOT_ADDRESSED,
    SECRET,
    COMMITMENT,
    NOT_AUTHENTIC,
    PADDING,
    PLAINTEXT_INVALID,
    SECTION_MISMATCH,
    TENANT_NOT_READY,
    TENANT_UNKNOWN,
    REFUSED_BY_BROKER,
    ERASED;

    /** Whether a text is a code of the list. */
    static boolean known(String code) {
        return Arrays.stream(values()).anyMatch(each -> each.code().equals(code));
    }

    /** Returns the code as dead letters and metrics have it: {@code bad-mac}. */
    public String code() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
