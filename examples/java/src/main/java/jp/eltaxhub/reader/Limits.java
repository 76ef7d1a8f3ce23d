package jp.eltaxhub.reader;

import java.util.List;

/** The limits and the small grammars of docs/envelope.md. */
final class Limits {
    static final int EVENT_BYTES = 8 << 20;
    static final int HEADER_BYTES = 4096;
    static final int RECEIPT_BYTES = 512;
    static final int BODY_BYTES = 4 << 20;
    static final long SESSION_MS = 24 * 3600 * 1000L;
    static final long AHEAD_MS = 10 * 60 * 1000L;

    private static final long YEAR_10000 = 253_402_300_800_000L;
    private static final String UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    private Limits() {}

    static boolean name(String text) {
        return !text.isEmpty() && Bytes.utf8(text).length <= 128;
    }

    static boolean audience(String text) {
        return text.matches("[\\x21-\\x7e]{1,63}");
    }

    static boolean tenant(String text) {
        return text.matches("[0-9]{6}");
    }

    static boolean time(long ms) {
        return ms >= 0 && ms < YEAR_10000;
    }

    static boolean epoch(long number) {
        return number >= 197001 && number <= 999912 && number % 100 >= 1 && number % 100 <= 12;
    }

    static boolean eventId(String text) {
        return text.matches(UUID7);
    }

    /** Whether texts ascend strictly; ASCII, so that order of text is order of bytes. */
    static boolean ascending(List<String> texts) {
        for (int i = 1; i < texts.size(); i++) {
            if (texts.get(i - 1).compareTo(texts.get(i)) >= 0) {
                return false;
            }
        }
        return true;
    }
}
