package jp.eltaxhub.reader;

import static jp.eltaxhub.reader.Vectors.hex;
import static jp.eltaxhub.reader.Vectors.same;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** merkle.json and rfc6962.json: roots and proofs of the audit log. */
final class MerkleVectors {
    private MerkleVectors() {}

    static void ofEvents(Vectors run, JsonNode file) {
        List<byte[]> leaves = new ArrayList<>();
        file.get("leaves").forEach(each -> leaves.add(Bytes.unhex(each.asText())));
        for (JsonNode each : file.get("roots")) {
            int size = each.get("size").asInt();
            run.check("root of " + size + " leaves",
                    () -> same("root", hex(each, "root"), Merkle.root(leaves.subList(0, size))));
        }
        run.check("proofs that a leaf is in a tree", () -> file.get("inclusion").forEach(each -> same("path",
                each.get("path"), Merkle.inclusion(each.get("index").asInt(), first(leaves, each, "size")))));
        run.check("proofs that a tree has grown", () -> file.get("consistency").forEach(each -> same("path",
                each.get("path"), Merkle.consistency(each.get("first").asInt(), first(leaves, each, "second")))));
    }

    static void ofTransparency(Vectors run, JsonNode file) {
        List<byte[]> leaves = new ArrayList<>();
        file.get("inputs").forEach(each -> leaves.add(Bytes.sha256(new byte[1], Bytes.unhex(each.asText()))));
        run.check("roots of RFC 6962", () -> {
            for (int size = 0; size < file.get("roots").size(); size++) {
                same("root", Bytes.unhex(file.get("roots").get(size).asText()), Merkle.root(leaves.subList(0, size)));
            }
        });
        run.check("proofs of RFC 6962: inclusion", () -> file.get("inclusion").forEach(each -> same("path",
                each.get("proof"), Merkle.inclusion(each.get("index").asInt(), first(leaves, each, "size")))));
        run.check("proofs of RFC 6962: consistency", () -> file.get("consistency").forEach(each -> same("path",
                each.get("proof"), Merkle.consistency(each.get("old").asInt(), first(leaves, each, "size")))));
    }

    private static List<byte[]> first(List<byte[]> leaves, JsonNode vector, String size) {
        return leaves.subList(0, vector.get(size).asInt());
    }
}
