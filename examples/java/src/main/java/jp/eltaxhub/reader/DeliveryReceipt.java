package jp.eltaxhub.reader;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.avro.generic.GenericRecord;

/** A file that proves to anybody that the ward's desk has stored a filing. */
final class DeliveryReceipt {
    private DeliveryReceipt() {}

    /** Checks a receipt and returns the header it is about. Refuses what is not proved. */
    static Header verified(byte[] file, Trust trust, long now) {
        JsonNode said;
        byte[] headerBytes;
        byte[] record;
        List<Derivation.Digest> digests = new ArrayList<>();
        try {
            said = Json.MAPPER.readTree(file);
            headerBytes = Base64.getDecoder().decode(said.path("header").asText());
            record = Base64.getDecoder().decode(said.path("record").asText());
            for (JsonNode each : said.path("sections")) {
                digests.add(new Derivation.Digest(each.path("audience").asText(), Bytes.unhex(each.path("digest").asText())));
            }
        } catch (IOException | IllegalArgumentException problem) {
            throw new Refusal(Reason.MALFORMED, "no delivery receipt");
        }
        Header header = Header.read(headerBytes);
        header.check();
        byte[] leaf = Derivation.leaf(headerBytes, digests);
        Signed signed = Signed.read(record);
        GenericRecord receipt = Framing.read(signed.body(), "StoredReceipt").value();
        String desk = Fields.text(receipt, "desk");
        long storedAt = Fields.number(receipt, "stored_at");
        Refusal.unless(storedAt <= now + Limits.AHEAD_MS, Reason.MALFORMED, "stored_at is ahead");
        Refusal.unless(desk.equals("review-" + header.tenant()), Reason.UNTRUSTED, desk);
        trust.verify(signed, "StoredReceipt", desk, storedAt);
        boolean about = header.tenant().equals(Fields.text(receipt, "tenant"))
                && header.partition() == Fields.number(receipt, "partition")
                && Arrays.equals(header.session(), Fields.bytes(receipt, "session"));
        boolean named = Fields.records(receipt, "entries").stream().anyMatch(each ->
                Fields.number(each, "sequence") == header.sequence()
                && header.eventId().equals(Fields.text(each, "event_id"))
                && Bytes.same(leaf, Fields.bytes(each, "leaf")));
        Refusal.unless(about && named, Reason.MALFORMED, "the receipt is about another event");
        boolean repeats = header.receiptNumber().equals(said.path("receipt_number").asText())
                && header.procedure().equals(said.path("procedure").asText())
                && header.tenant().equals(said.path("tenant").asText())
                && header.eventId().equals(said.path("event_id").asText())
                && Bytes.hex(leaf).equals(said.path("leaf").asText()) && desk.equals(said.path("desk").asText());
        Refusal.unless(repeats, Reason.MALFORMED, "its other members say anything else");
        return header;
    }
}
