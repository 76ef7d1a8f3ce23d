package jp.eltaxhub.reader;

import java.time.DateTimeException;
import java.time.OffsetDateTime;
import java.util.Objects;
import org.apache.avro.generic.GenericRecord;

/** What the plaintext of a section may be, and that it agrees with the header. */
final class Sections {
    private static final String PART = "attachment-part";

    private Sections() {}

    /** Reads a section's plaintext. Refuses with {@code plaintext-invalid} or {@code section-mismatch}. */
    static GenericRecord read(Header header, String audience, byte[] plaintext) {
        GenericRecord value;
        GenericRecord filing = null;
        try {
            value = Framing.read(plaintext, allowed(header, audience)).value();
            byte[] within = value.hasField("submission") ? Fields.bytes(value, "submission") : null;
            Contracts.Contract contract = within == null ? null : Contracts.ofProcedure(header.procedure());
            if (within != null) {
                filing = contract == null ? Framing.read(within).value() : Framing.read(within, contract.name()).value();
            }
        } catch (Refusal problem) {
            throw new Refusal(Reason.PLAINTEXT_INVALID, problem.getMessage());
        }
        boolean told = value.hasField("message") && value.get("message") != null;
        Refusal.unless(!told || audience.equals("portal"), Reason.PLAINTEXT_INVALID, "a message that is the filer's");
        agree(value, header);
        if (filing != null) {
            agree(filing, header);
        }
        if (header.kind() == Kind.ACCEPTED) {
            boolean own = audience.equals("tax-" + header.taxItem() + "-" + header.tenant());
            Refusal.unless(own, Reason.SECTION_MISMATCH, "tax_item is not the reader's");
            agree(value, "tax_item", header.taxItem());
        }
        return value;
    }

    /** Header and section must tell everybody the same. */
    private static void agree(GenericRecord said, Header header) {
        agree(said, "receipt_number", header.receiptNumber());
        agree(said, "tenant", header.tenant());
        if (header.kind() == Kind.SUBMISSION) {
            agree(said, "procedure", header.procedure());
            agree(said, "tax_item", header.taxItem());
            agree(said, "calculation_check", Fields.text(header.record(), "calculation_check"));
            agree(said, "signature_check", Fields.text(header.record(), "signature_check"));
            boolean good = !said.hasField("accepted_at") || header.acceptedAt() == time(Fields.text(said, "accepted_at"));
            Refusal.unless(good, Reason.SECTION_MISMATCH, "accepted_at");
        }
    }

    private static long time(String text) {
        try {
            return OffsetDateTime.parse(text).toInstant().toEpochMilli();
        } catch (DateTimeException problem) {
            throw new Refusal(Reason.PLAINTEXT_INVALID, "accepted_at");
        }
    }

    private static String allowed(Header header, String audience) {
        boolean part = header.procedure().equals(PART);
        return switch (header.kind()) {
            case SUBMISSION -> audience.startsWith("helpdesk-") ? "HelpdeskRecord"
                    : part ? "AttachmentPart" : "ReviewSection";
            case STATUS -> "Decision";
            case ACCEPTED -> part ? "AttachmentPart" : "AcceptedSubmission";
        };
    }

    private static void agree(GenericRecord said, String field, String wanted) {
        boolean good = !said.hasField(field) || Objects.equals(wanted, Fields.text(said, field));
        Refusal.unless(good, Reason.SECTION_MISMATCH, field);
    }
}
