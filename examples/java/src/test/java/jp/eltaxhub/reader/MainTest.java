package jp.eltaxhub.reader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    private record Said(int status, String out, String err) {}

    private static Said run(List<String> arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream[] before = {System.out, System.err};
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        try {
            int status = Main.run(arguments);
            return new Said(status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(before[0]);
            System.setErr(before[1]);
        }
    }

    private static Path file(Path directory, String name, byte[] data) throws IOException {
        return Files.write(directory.resolve(name), data);
    }

    @Test
    void whatOneCommandSealsTheOtherOpens(@TempDir Path directory) throws IOException {
        World world = new World();
        byte[] passphrase = Bytes.utf8("見本の合言葉");
        Path keys = Files.createDirectory(directory.resolve("keys"));
        for (String audience : world.seeds.keySet()) {
            file(keys, audience, world.key(audience));
        }
        file(directory, "passphrase", Bytes.join(passphrase, Bytes.utf8("\n")));
        file(directory, "trust", world.signedTrust());
        file(directory, "pinned", Bytes.utf8(Bytes.hex(Signed.publicKey(world.administrator)) + "\n"));
        file(directory, "identity", World.keyFile(KeyFile.ED25519, world.portal, passphrase));
        file(directory, "review", World.keyFile(2, world.seeds.get("review-131041"), passphrase));
        file(directory, "filing", Bytes.utf8(World.document("R8-13104-000000017")));
        String at = directory + "/";
        List<String> trusting = List.of("--trust", at + "trust", "--administrator", at + "pinned", "--partitions", "6",
                "--passphrase-file", at + "passphrase", "--allow-weak");
        Said sealed = run(with(List.of("seal", "--identity", at + "identity", "--audience-keys", keys.toString(),
                "--filing", at + "filing", "--instance", "java-1", "--out", at + "out"), trusting));
        assertEquals(0, sealed.status(), sealed.err());
        JsonNode event = Json.MAPPER.readTree(sealed.out().lines().toList().get(1));

        List<String> opening = with(List.of("open", "--session", at + "out/session.bin", "--event", at + "out/event.bin",
                "--audience", "review-131041", "--key-file", at + "review", "--topic", event.get("topic").asText(),
                "--partition", event.get("partition").asText(), "--key", event.get("key").asText()), trusting);
        Said opened = run(with(opening, List.of("--checkpoint", at + "out/checkpoint.bin")));
        assertEquals(0, opened.status(), opened.err());
        JsonNode said = Json.MAPPER.readTree(opened.out());
        assertTrue(said.get("confirmed").asBoolean());
        assertEquals("見本一郎", said.at("/value/submission/items/decedent_name").asText());
        assertFalse(Json.MAPPER.readTree(run(opening).out()).get("confirmed").asBoolean());
        file(directory, "seeds", Bytes.utf8(Bytes.hex(world.seeds.get("helpdesk-131041")) + "\n"));
        List<String> bySeeds = new ArrayList<>(opening);
        bySeeds.set(bySeeds.indexOf("review-131041"), "helpdesk-131041");
        bySeeds.set(bySeeds.indexOf("--key-file"), "--seeds-file");
        bySeeds.set(bySeeds.indexOf(at + "review"), at + "seeds");
        Said masked = run(with(bySeeds, List.of("--suite", "X25519")));
        assertEquals("HelpdeskRecord", Json.MAPPER.readTree(masked.out()).get("record").asText(), masked.err());

        byte[] changed = Files.readAllBytes(directory.resolve("out/event.bin"));
        changed[changed.length - 40] ^= 1; // in the last ciphertext, before the mac
        file(directory, "out/event.bin", changed);
        Said refused = run(opening);
        assertEquals(1, refused.status());
        assertTrue(refused.err().startsWith("refused: digest-mismatch"), refused.err());
        file(directory, "review", World.keyFile(2, world.seeds.get("router"), passphrase));
        changed[changed.length - 40] ^= 1;
        file(directory, "out/event.bin", changed);
        assertTrue(run(opening).err().startsWith("refused: secret"));
    }

    private static List<String> with(List<String> some, List<String> more) {
        List<String> made = new ArrayList<>(some);
        made.addAll(more);
        return made;
    }

    @Test
    void wrongUsageAndWrongVectorsAreTold(@TempDir Path directory) throws IOException {
        assertEquals(2, Main.run(List.of()));
        assertEquals(2, Main.run(List.of("open", "--nonsense", "1")));
        assertEquals(2, Main.run(List.of("vectors")));
        Path vectors = Path.of("../../tests/vectors");
        for (String name : List.of("delivery-receipt", "envelope-v1", "events", "hpke", "key-files", "key-files-2",
                "merkle", "negative", "operations", "primitives", "records", "rfc6962", "sessions", "world")) {
            Files.copy(vectors.resolve(name + ".json"), directory.resolve(name + ".json"));
        }
        Path events = directory.resolve("events.json");
        Files.writeString(events, Files.readString(events).replaceFirst("\"leaf\": \"..", "\"leaf\": \"00"));
        Files.delete(directory.resolve("key-files.json"));
        Files.writeString(directory.resolve("unknown.json"), "{}");
        Said said = run(List.of("vectors", directory.toString()));
        assertEquals(1, said.status());
        List<String> failed = said.out().lines().filter(each -> each.startsWith("FAIL")).toList();
        for (String wanted : List.of("event: .*leaf.*", "key-files.json: .*missing", "unknown.json: .*nothing of")) {
            assertTrue(failed.stream().anyMatch(each -> each.matches("FAIL +" + wanted)), failed.toString());
        }
    }

    @Test
    void aKeyFileOpensUnderItsPassphraseOnly() {
        byte[] seeds = Bytes.random(32);
        byte[] passphrase = Bytes.utf8("見本の合言葉");
        byte[] file = World.keyFile(3, seeds, passphrase);
        KeyFile opened = KeyFile.open(file, passphrase, true);
        assertEquals("見本", opened.name());
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
