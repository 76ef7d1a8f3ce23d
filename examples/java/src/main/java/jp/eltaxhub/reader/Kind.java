package jp.eltaxhub.reader;

/** What a topic carries. */
enum Kind {
    SUBMISSION("submissions"),
    STATUS("status"),
    ACCEPTED("accepted");

    final String dataset;

    Kind(String dataset) {
        this.dataset = dataset;
    }

    /** The symbol in a header. */
    String symbol() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }

    /** Returns the topic of this kind for a tenant. */
    String topic(String namespace, String tenant) {
        return this == SUBMISSION ? namespace + "." + dataset : namespace + "." + tenant + "." + dataset;
    }

    /** Returns the kind of events that a session's topic takes, or null. */
    static Kind of(String topic, String namespace, String tenant) {
        for (Kind each : values()) {
            if (each.topic(namespace, tenant).equals(topic)) {
                return each;
            }
        }
        return null;
    }
}
