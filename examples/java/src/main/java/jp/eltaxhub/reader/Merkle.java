package jp.eltaxhub.reader;

import java.util.ArrayList;
import java.util.List;

/** Trees of leaves as in RFC 6962, 2.1: an event's leaf is a leaf hash already. */
final class Merkle {
    private Merkle() {}

    static byte[] root(List<byte[]> leaves) {
        if (leaves.isEmpty()) {
            return Bytes.sha256();
        }
        if (leaves.size() == 1) {
            return leaves.get(0);
        }
        int split = split(leaves.size());
        return node(root(leaves.subList(0, split)), root(leaves.subList(split, leaves.size())));
    }

    /** The path from a leaf to the root. */
    static List<byte[]> inclusion(int index, List<byte[]> leaves) {
        if (leaves.size() <= 1) {
            return List.of();
        }
        int split = split(leaves.size());
        List<byte[]> left = leaves.subList(0, split);
        List<byte[]> right = leaves.subList(split, leaves.size());
        return index < split
                ? with(inclusion(index, left), root(right))
                : with(inclusion(index - split, right), root(left));
    }

    /** What shows that the tree of the first {@code old} leaves is a beginning of this one. */
    static List<byte[]> consistency(int old, List<byte[]> leaves) {
        return consistency(old, leaves, true);
    }

    private static List<byte[]> consistency(int old, List<byte[]> leaves, boolean known) {
        if (old == leaves.size()) {
            return known ? List.of() : List.of(root(leaves));
        }
        int split = split(leaves.size());
        List<byte[]> left = leaves.subList(0, split);
        List<byte[]> right = leaves.subList(split, leaves.size());
        return old <= split
                ? with(consistency(old, left, known), root(right))
                : with(consistency(old - split, right, false), root(left));
    }

    private static List<byte[]> with(List<byte[]> path, byte[] last) {
        List<byte[]> made = new ArrayList<>(path);
        made.add(last);
        return made;
    }

    private static int split(int size) {
        return Integer.highestOneBit(size - 1);
    }

    private static byte[] node(byte[] left, byte[] right) {
        return Bytes.sha256(new byte[] {1}, left, right);
    }
}
