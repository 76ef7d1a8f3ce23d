package jp.eltaxhub.reader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bouncycastle.crypto.generators.SCrypt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    @Test
    void wrongUsageAndWrongVectorsAreTold(@TempDir Path directory) throws IOException {
        assertEquals(2, Main.run(List.of()));
        assertEquals(2, Main.run(List.of("open", "--nonsense", "1")));
        assertEquals(2, Main.run(List.of("vectors")));
        Path vectors = Path.of("../../tests/vectors");
        for (String name : List.of("delivery-receipt", "envelope-v1", "events", "hpke", "key-files", "merkle", "negative",
                "primitives", "records", "rfc6962", "sessions", "world")) {
            Files.copy(vectors.resolve(name + ".json"), directory.resolve(name + ".json"));
        }
        Path events = directory.resolve("events.json");
        Files.writeString(events, Files.readString(events).replaceFirst("\"leaf\": \"..", "\"leaf\": \"00"));
        Files.delete(directory.resolve("key-files.json"));
        Files.writeString(directory.resolve("unknown.json"), "{}");
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PrintStream before = System.out;
        System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
        try {
            assertEquals(1, Main.run(List.of("vectors", directory.toString())));
        } finally {
            System.setOut(before);
        }
        List<String> failed = said.toString(StandardCharsets.UTF_8).lines().filter(each -> each.startsWith("FAIL")).toList();
        assertEquals(3, failed.size(), failed.toString());
        assertTrue(failed.get(0).contains("event: ") && failed.get(0).contains("leaf"));
        assertTrue(failed.get(1).contains("key-files.json") && failed.get(2).contains("unknown.json"));
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
