package jp.eltaxhub.reader;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** `seal`: writes the records of a session with one filing, as files, and what they are to be written under. */
final class SealCommand {
    static final Set<String> OPTIONS = Set.of("trust", "administrator", "identity", "passphrase-file", "allow-weak",
            "audience-keys", "filing", "partitions", "instance", "previous", "out");

    private SealCommand() {}

    static void run(Options options) throws IOException {
        long now = System.currentTimeMillis();
        Trust trust = Main.trust(options);
        Path passphrase = options.path("passphrase-file");
        KeyFile identity = KeyFile.open(options.path("identity"), passphrase, options.has("allow-weak"));
        if (identity.suite() != KeyFile.ED25519) {
            throw new Options.Usage("--identity is no identity key");
        }
        JsonNode document = Json.MAPPER.readTree(Files.readAllBytes(options.path("filing")));
        Filing filing = new Filing(document);
        List<AudienceKey> keys = new ArrayList<>();
        for (String audience : List.of("helpdesk-" + filing.tenant, "review-" + filing.tenant, "router")) {
            keys.add(keyOf(audience, options.path("audience-keys"), trust, now));
        }
        byte[] previous = options.has("previous") ? Bytes.unhex(options.one("previous")) : null;
        Portal portal = new Portal(identity.seeds(), trust.namespace, options.one("instance"), filing.tenant,
                options.number("partitions"), keys, previous, now);

        String sessions = trust.namespace + ".sessions";
        List<Portal.Outgoing> made = new ArrayList<>();
        made.add(portal.session(sessions));
        made.add(portal.seal(filing, now));
        made.addAll(portal.finish(sessions, now));
        Path out = Files.createDirectories(options.path("out"));
        for (Portal.Outgoing each : made) {
            Files.write(out.resolve(each.file()), each.value());
            System.out.println(Json.line(Map.of("file", each.file(), "topic", each.topic(), "partition", each.partition(),
                    "key", each.key())));
        }
    }

    /** Returns the audience's key that holds now; of several the one of the latest epoch. */
    private static AudienceKey keyOf(String audience, Path directory, Trust trust, long now) throws IOException {
        AudienceKey best = null;
        try (Stream<Path> files = Files.list(directory)) {
            for (Path path : files.sorted().toList()) {
                AudienceKey key = AudienceKey.validated(Files.readAllBytes(path), trust, now);
                if (key.audience().equals(audience) && key.holds(now) && (best == null || key.epoch() > best.epoch())) {
                    best = key;
                }
            }
        }
        Refusal.unless(best != null, Reason.EXPIRED, "no key of " + audience + " holds now");
        return best;
    }
}
