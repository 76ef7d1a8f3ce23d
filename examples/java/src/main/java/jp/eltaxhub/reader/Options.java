package jp.eltaxhub.reader;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** {@code --name value} pairs, flags, and what stands alone. */
final class Options {
    private static final Set<String> FLAGS = Set.of("allow-weak");

    final List<String> alone = new ArrayList<>();
    private final Map<String, List<String>> named = new HashMap<>();

    /** A command line that cannot be understood. */
    static final class Usage extends RuntimeException {
        private static final long serialVersionUID = 1;

        Usage(String message) {
            super(message);
        }
    }

    Options(List<String> arguments, Set<String> allowed) {
        for (int i = 0; i < arguments.size(); i++) {
            String each = arguments.get(i);
            if (!each.startsWith("--")) {
                alone.add(each);
                continue;
            }
            String name = each.substring(2);
            if (!allowed.contains(name)) {
                throw new Usage("unknown option " + each);
            }
            boolean flag = FLAGS.contains(name);
            if (!flag && i + 1 == arguments.size()) {
                throw new Usage(each + " needs a value");
            }
            named.computeIfAbsent(name, ignored -> new ArrayList<>()).add(flag ? "" : arguments.get(++i));
        }
    }

    boolean has(String name) {
        return named.containsKey(name);
    }

    String one(String name) {
        List<String> found = named.getOrDefault(name, List.of());
        if (found.size() != 1) {
            throw new Usage("--" + name + " is needed, once");
        }
        return found.get(0);
    }

    String oneOr(String name, String otherwise) {
        return has(name) ? one(name) : otherwise;
    }

    int number(String name) {
        try {
            return Integer.parseInt(one(name));
        } catch (NumberFormatException problem) {
            throw new Usage("--" + name + " is no number");
        }
    }

    Path path(String name) {
        return Path.of(one(name));
    }

    List<Path> paths(String name) {
        return named.getOrDefault(name, List.of()).stream().map(Path::of).toList();
    }
}
