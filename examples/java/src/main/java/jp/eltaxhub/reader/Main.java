package jp.eltaxhub.reader;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;

/** The command line. Exit status: 0 good, 1 refused or different, 2 wrong usage. */
public final class Main {
    private static final String USAGE = """
            usage: java -jar eltax-hub-reader.jar COMMAND OPTIONS

              vectors DIRECTORY [--write FILE]
                  check every vector of tests/vectors; write an event sealed here, in the form of the vectors
              open --trust FILE --administrator FILE --session FILE --event FILE [--checkpoint FILE]...
                   --topic NAME --partition N --partitions N --key KAFKA-KEY --audience NAME
                   (--key-file FILE --passphrase-file FILE [--allow-weak] | --suite NAME --seeds-file FILE)
                  judge a recorded event, open one audience's section, print its record as JSON
              seal --trust FILE --administrator FILE --identity FILE --passphrase-file FILE [--allow-weak]
                   --audience-keys DIRECTORY --filing FILE --partitions N --instance NAME [--previous HEX]
                   --out DIRECTORY
                  write a session, a sealed event, its checkpoint and the close, as files

            --administrator is a file of public keys in hex, one per line; --trust a signed trust list.
            """;

    private Main() {}

    /** Runs one command. */
    public static void main(String[] arguments) {
        System.exit(run(List.of(arguments)));
    }

    static int run(List<String> arguments) {
        try {
            String command = arguments.isEmpty() ? "" : arguments.get(0);
            List<String> rest = arguments.subList(Math.min(1, arguments.size()), arguments.size());
            switch (command) {
                case "vectors" -> {
                    return Vectors.run(new Options(rest, Set.of("write")));
                }
                case "open" -> OpenCommand.run(new Options(rest, OpenCommand.OPTIONS));
                case "seal" -> SealCommand.run(new Options(rest, SealCommand.OPTIONS));
                default -> throw new Options.Usage("which command?");
            }
            return 0;
        } catch (Options.Usage problem) {
            System.err.println(problem.getMessage() + "\n\n" + USAGE);
            return 2;
        } catch (Refusal | KeyFile.Unusable problem) {
            System.err.println("refused: " + problem.getMessage());
            return 1;
        } catch (IOException | IllegalArgumentException problem) {
            System.err.println(problem);
            return 1;
        }
    }

    /** Reads the trust list, under whichever of the pinned keys it is signed with. */
    static Trust trust(Options options) throws IOException {
        byte[] record = Files.readAllBytes(options.path("trust"));
        Refusal last = new Refusal(Reason.UNTRUSTED, "no administrator is pinned");
        for (String line : Files.readString(options.path("administrator")).split("\\R")) {
            try {
                if (!line.isBlank()) {
                    return new Trust(record, Bytes.unhex(line.strip()));
                }
            } catch (Refusal problem) {
                last = problem;
            }
        }
        throw last;
    }
}
