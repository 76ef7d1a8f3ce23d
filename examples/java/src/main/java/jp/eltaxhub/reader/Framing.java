package jp.eltaxhub.reader;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Framed records: 0x00 ‖ u32 schema id ‖ Avro body. */
final class Framing {
    private static final int HEAD = 5;

    /** A record that was read, and the short name of its contract. */
    record Framed(String name, GenericRecord value) {}

    private Framing() {}

    /** Reads a record of one of the accepted names (any, if none is given). */
    static Framed read(byte[] data, String... accepted) {
        Contracts.Contract contract = Contracts.of(idOf(data));
        Refusal.unless(contract != null, Reason.UNKNOWN_SCHEMA, "not in the lock file");
        boolean wanted = accepted.length == 0 || List.of(accepted).contains(contract.name());
        Refusal.unless(wanted, Reason.FOREIGN_SCHEMA, contract.name());
        StrictAvro.Walked walked = StrictAvro.walk(contract.schema(), data, HEAD);
        Refusal.unless(walked.end() == data.length, Reason.TRAILING_BYTES, "after byte " + walked.end());
        Refusal.unless(!walked.otherwise(), Reason.MALFORMED, "encoded otherwise");
        GenericRecord value = decode(contract, data);
        Refusal.unless(Arrays.equals(write(contract, value), data), Reason.MALFORMED, "not its own encoding");
        return new Framed(contract.name(), value);
    }

    /** Reads the first fields of a framed record, whatever follows them. */
    static GenericRecord prefix(byte[] data, String name, int fields) {
        Contracts.Contract contract = Contracts.of(name);
        Refusal.unless(idOf(data) == contract.id(), Reason.FOREIGN_SCHEMA, "no " + name);
        List<Schema.Field> kept = contract.schema().getFields().subList(0, fields).stream()
                .map(each -> new Schema.Field(each, each.schema())).toList();
        Schema first = Schema.createRecord(name + "Prefix", null, contract.schema().getNamespace(), false, kept);
        StrictAvro.walk(first, data, HEAD);
        return decode(new Contracts.Contract(contract.id(), name, contract.version(), first), data);
    }

    /** Returns a frame's schema id. */
    static int idOf(byte[] data) {
        Refusal.unless(data != null && data.length >= HEAD && data[0] == 0, Reason.NOT_FRAMED, "no frame");
        return ByteBuffer.wrap(data).getInt(1);
    }

    private static GenericRecord decode(Contracts.Contract contract, byte[] data) {
        try {
            var reader = new GenericDatumReader<GenericRecord>(contract.schema());
            return reader.read(null, DecoderFactory.get().binaryDecoder(data, HEAD, data.length - HEAD, null));
        } catch (IOException | RuntimeException problem) {
            throw new Refusal(Reason.MALFORMED, contract.name());
        }
    }

    /** Writes a single number; vectors ask for it. */
    static byte[] number(long value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
            encoder.writeLong(value);
            encoder.flush();
        } catch (IOException problem) {
            throw new IllegalStateException(problem);
        }
        return out.toByteArray();
    }

    /** Writes a record under the id of its contract. */
    static byte[] write(GenericRecord value) {
        return write(Contracts.of(value.getSchema().getName()), value);
    }

    private static byte[] write(Contracts.Contract contract, GenericRecord value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(0);
        out.writeBytes(Bytes.u32(contract.id()));
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        try {
            new GenericDatumWriter<GenericRecord>(contract.schema()).write(value, encoder);
            encoder.flush();
        } catch (IOException problem) {
            throw new IllegalStateException(problem);
        }
        return out.toByteArray();
    }
}
