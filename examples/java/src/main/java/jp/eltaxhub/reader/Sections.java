package jp.eltaxhub.reader;

import org.apache.avro.generic.GenericRecord;

/** What the plaintext of a section may be, and that it agrees with the header. */
final class Sections {
    private static final String PART = "attachment-part";

    private Sections() {}

    /** Reads a section's plaintext. Refuses with {@code plaintext-invalid} or {@code section-mismatch}. */
    static GenericRecord read(Header header, String audience, byte[] plaintext) {
        GenericRecord value;
        GenericRecord said;
        try {
            value = Framing.read(plaintext, allowed(header, audience)).value();
            byte[] filing = value.hasField("submission") ? Fields.bytes(value, "submission") : null;
            said = filing == null ? value : Framing.read(filing).value();
        } catch (Refusal problem) {
            throw new Refusal(Reason.PLAINTEXT_INVALID, problem.getMessage());
        }
        agree(said, "receipt_number", header.receiptNumber());
        agree(said, "tenant", header.tenant());
        if (header.kind() == Kind.ACCEPTED) {
            boolean own = audience.equals("tax-" + header.taxItem() + "-" + header.tenant());
            Refusal.unless(own, Reason.SECTION_MISMATCH, "tax_item is not the reader's");
            agree(value, "tax_item", header.taxItem());
        }
        return value;
    }

    private static String allowed(Header header, String audience) {
        boolean part = header.procedure().equals(PART);
        return switch (header.kind()) {
            case SUBMISSION -> audience.startsWith("helpdesk-") ? "HelpdeskRecord" : part ? "AttachmentPart" : "ReviewSection";
            case STATUS -> "Decision";
            case ACCEPTED -> part ? "AttachmentPart" : "AcceptedSubmission";
        };
    }

    private static void agree(GenericRecord said, String field, String wanted) {
        boolean good = !said.hasField(field) || wanted.equals(Fields.text(said, field));
        Refusal.unless(good, Reason.SECTION_MISMATCH, field);
    }
}
