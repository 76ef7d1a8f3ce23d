package jp.eltaxhub.reader;

/** Why something is refused: the closed list at the end of docs/envelope.md, as far as a reader can meet it. */
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
    SECTION_MISMATCH;

    /** Returns the code as dead letters and metrics have it: {@code bad-mac}. */
    public String code() {
        return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
}
