package jp.eltaxhub.reader;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.avro.generic.GenericRecord;

/** `open`: judges a recorded event as its audience would, opens that audience's section, and prints what it holds. */
final class OpenCommand {
    static final Set<String> OPTIONS = Set.of("trust", "administrator", "session", "event", "checkpoint", "topic",
            "partition", "partitions", "key", "audience", "key-file", "passphrase-file", "allow-weak", "suite",
            "seeds-file");

    private record Key(Hpke.Suite suite, byte[] seeds) {}

    private OpenCommand() {}

    static void run(Options options) throws IOException {
        long now = System.currentTimeMillis();
        Trust trust = Main.trust(options);
        Session session = Session.validated(Files.readAllBytes(options.path("session")), trust, now);
        SealedEvent event = SealedEvent.read(Files.readAllBytes(options.path("event")));
        String audience = options.one("audience");
        String topic = options.one("topic");
        var place = new Inspection.Place(topic, options.number("partition"), Bytes.utf8(options.one("key")),
                options.number("partitions"));
        boolean source = session.topic().equals(topic);
        var present = source ? Inspection.Ciphertexts.ALL : Inspection.Ciphertexts.OWN;
        Key key = key(options, audience, session);
        byte[] router = audience.equals("router") ? session.open(audience, key.suite(), key.seeds()) : null;
        Header header = Inspection.inspect(event, session, trust, place, present, audience, router);

        Map<String, Object> said = new LinkedHashMap<>();
        said.put("session", Bytes.hex(session.id()));
        said.put("leaf", Bytes.hex(event.leaf()));
        said.put("confirmed", confirmed(options, session, trust, header, event.leaf(), now));
        said.put("header", Json.plain(header.record()));
        if (router == null) {
            GenericRecord record = record(event, session, header, audience, key);
            said.put("audience", audience);
            said.put("record", record.getSchema().getName());
            said.put("value", Json.plain(record));
        }
        System.out.println(Json.line(said));
    }

    private static GenericRecord record(SealedEvent event, Session session, Header header, String audience, Key key) {
        SealedEvent.Section section = event.section(audience);
        Refusal.unless(section != null, Reason.NOT_ADDRESSED, audience);
        byte[] secret = session.open(audience, key.suite(), key.seeds());
        byte[] plaintext = Derivation.openSection(secret, event.header(), audience, section.ciphertext());
        return Sections.read(header, audience, plaintext);
    }

    /** Whether the checkpoints, in the order given, name the event; each must follow the one before. */
    private static boolean confirmed(Options options, Session session, Trust trust, Header header, byte[] leaf, long now)
            throws IOException {
        boolean found = false;
        Checkpoint before = null;
        for (Path path : options.paths("checkpoint")) {
            Checkpoint next = Checkpoint.validated(Files.readAllBytes(path), session, trust, now);
            next.follows(before);
            found |= next.confirms(header, leaf);
            before = next;
        }
        return found;
    }

    private static Key key(Options options, String audience, Session session) throws IOException {
        if (options.has("seeds-file")) {
            Hpke.Suite suite = Hpke.Suite.valueOf(options.one("suite"));
            byte[] seeds = Bytes.unhex(Files.readString(options.path("seeds-file")).strip());
            if (seeds.length != suite.seedBytes) {
                throw new Options.Usage("seeds of " + suite + " are " + suite.seedBytes + " bytes");
            }
            return new Key(suite, seeds);
        }
        KeyFile file = KeyFile.open(options.path("key-file"), options.path("passphrase-file"), options.has("allow-weak"));
        return new Key(file.audienceSuite(), file.seeds());
    }
}
