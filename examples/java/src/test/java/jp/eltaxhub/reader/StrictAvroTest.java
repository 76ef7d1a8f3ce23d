package jp.eltaxhub.reader;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StrictAvroTest {
    private static final String RECEIPT = "0000000012" + "11".repeat(32) + "00" + "0c313331303431" + "02" + "61";

    private static Reason refused(String hex) {
        return assertThrows(Refusal.class, () -> Framing.read(Bytes.unhex(hex), "StoredReceipt")).reason();
    }

    /** Each row is what stands after session, partition, tenant "131041" and desk "a": entries, then stored_at. */
    @ParameterizedTest
    @CsvSource({
        "00 00, ''",
        "00 8000, MALFORMED",
        "8000 00, MALFORMED",
        "01 00 00, MALFORMED",
        "00 00 00, TRAILING_BYTES",
        "00, TRUNCATED",
        "feffffffffffffffff01 00 00, TOO_LARGE",
        "8040 00 00, TRUNCATED",
        "00 ffffffffffffffffffff01, MALFORMED",
        "00 ffffffffffffffffff02, MALFORMED",
        "00 feffffffffffffffff01, ''",
    })
    void onlyTheOneAllowedFormIsRead(String rest, String reason) {
        String hex = RECEIPT + rest.replace(" ", "");
        if (reason.isEmpty()) {
            assertArrayEquals(Bytes.unhex(hex), Framing.write(Framing.read(Bytes.unhex(hex)).value()));
        } else {
            assertEquals(Reason.valueOf(reason), refused(hex));
        }
    }

    @Test
    void aLengthCostsNothingUntilItsBytesAreThere() {
        byte[] bomb = Bytes.unhex("0000000009" + "02" + "feffffffffffffffff01" + "00");
        assertEquals(Reason.TRUNCATED, assertThrows(Refusal.class, () -> Framing.read(bomb)).reason());
    }

    @Test
    void anArrayOfTwoBlocksIsRefused() {
        String entry = "00" + "0261" + "22".repeat(32);
        String one = RECEIPT + "02" + entry + "00" + "00";
        assertEquals(1, Fields.records(Framing.read(Bytes.unhex(one)).value(), "entries").size());
        assertEquals(Reason.MALFORMED, refused(RECEIPT + "02" + entry + "02" + entry + "00" + "00"));
    }

    @Test
    void whatIsNoTextOrNoFrameIsRefused() {
        assertEquals(Reason.MALFORMED, refused(RECEIPT.replace("0261", "02ff") + "0000"));
        assertEquals(Reason.MALFORMED, refused(RECEIPT.replace("0261", "06eda080") + "0000"));
        assertEquals(Reason.NOT_FRAMED, refused("7b22"));
        assertEquals(Reason.NOT_FRAMED, refused("7b22696e666f"));
        assertEquals(Reason.UNKNOWN_SCHEMA, refused("00ffffffff00"));
        assertEquals(Reason.FOREIGN_SCHEMA, refused("000000000f00"));
    }

    @Test
    void whatIsWrittenIsReadAgain() {
        Map<String, Object> content = Map.of("key", new byte[] {1}, "value", new byte[0]);
        var written = Framing.write(Fields.make("DeadLetterContent", content));
        assertEquals("DeadLetterContent", Framing.read(written).name());
        assertArrayEquals(new byte[] {1}, Fields.bytes(Framing.read(written).value(), "key"));
        assertEquals(List.of(), Fields.texts(Framing.read(Framing.write(Fields.make("Trust", Map.of("namespace", "a",
                "serial", 1, "issued_at", 0, "principals", List.of(), "audiences", List.of())))).value(), "audiences"));
    }
}
