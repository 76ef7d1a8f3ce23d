package jp.eltaxhub.reader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bouncycastle.crypto.generators.SCrypt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    @Test
    void wrongUsageAndWrongVectorsAreToldApartByTheStatus(@TempDir Path directory) throws IOException {
        assertEquals(2, Main.run(List.of()));
        assertEquals(2, Main.run(List.of("open", "--nonsense", "1")));
        assertEquals(2, Main.run(List.of("vectors")));
        Path vectors = Path.of("../../tests/vectors");
        for (String name : List.of("delivery-receipt", "envelope-v1", "events", "hpke", "key-files", "merkle", "negative",
                "primitives", "records", "rfc6962", "sessions", "world")) {
            Files.copy(vectors.resolve(name + ".json"), directory.resolve(name + ".json"));
        }
        assertEquals(0, Main.run(List.of("vectors", directory.toString())));
        Path events = directory.resolve("events.json");
        String text = Files.readString(events);
        Files.writeString(events, text.replaceFirst("\"leaf\": \"..", "\"leaf\": \"00"));
        assertEquals(1, Main.run(List.of("vectors", directory.toString())));
        Files.delete(events);
        assertEquals(1, Main.run(List.of("vectors", directory.toString())));
        Files.writeString(events, text);
        Files.writeString(directory.resolve("unknown.json"), "{}");
        assertEquals(1, Main.run(List.of("vectors", directory.toString())));
    }

    @Test
    void aKeyFileOpensUnderItsPassphraseOnly() {
        byte[] salt = Bytes.random(16);
        byte[] nonce = Bytes.random(12);
        byte[] seeds = Bytes.random(32);
        byte[] passphrase = Bytes.utf8("見本の合言葉");
        byte[] clear = Bytes.join(Bytes.utf8("ELTAXKEY"), new byte[] {1, 3, 4, 8, 1}, salt, nonce,
                Bytes.u16(6), Bytes.utf8("review"));
        byte[] key = SCrypt.generate(passphrase, salt, 16, 8, 1, 32);
        byte[] file = Bytes.join(clear, Gcm.seal(key, nonce, seeds, clear));
        KeyFile opened = KeyFile.open(file, passphrase, true);
        assertEquals("review", opened.name());
        assertTrue(Bytes.same(seeds, opened.seeds()));
        assertThrows(KeyFile.Unusable.class, () -> KeyFile.open(file, passphrase, false));
        assertThrows(KeyFile.Unusable.class, () -> KeyFile.open(file, Bytes.utf8("x"), true));
        for (int at = 0; at < file.length; at++) {
            byte[] changed = file.clone();
            changed[at] ^= 1;
            assertThrows(KeyFile.Unusable.class, () -> KeyFile.open(changed, passphrase, true), "byte " + at);
        }
    }
}
