package jp.eltaxhub.reader;

/** Something that breaks a rule of docs/envelope.md. The message never holds what a section says. */
public final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final Reason reason;

    /** Refuses for {@code reason}; {@code detail} says where, in field names and numbers. */
    public Refusal(Reason reason, String detail) {
        super(reason.code() + ": " + detail);
        this.reason = reason;
    }

    /** The code's place in the closed list. */
    public Reason reason() {
        return reason;
    }

    /** Refuses unless {@code good}. */
    static void unless(boolean good, Reason reason, String detail) {
        if (!good) {
            throw new Refusal(reason, detail);
        }
    }
}
