"""Files become documents, whatever the pieces they come in; what is bad or too large is refused by itself."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.lines import Document, split_documents

MOST = 100


def split(data: bytes, name: str, piece: int | None = None, most: int = MOST) -> list[tuple[int | None, Any]]:
    size = piece or len(data) or 1
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return [
        (each.number, each.data if isinstance(each, Document) else each.problems[0].rule)
        for each in split_documents(pieces, name, most)
    ]


A, B = b'{"a":1}', b'{"b":"]},{"}'
LONG = b'{"a":"' + b"x" * 200 + b'"}'
TABLE: dict[str, tuple[bytes, str, list[tuple[int | None, Any]]]] = {
    "one object": (A, "-", [(1, A)]),
    "one object in .json": (A, "x.json", [(1, A)]),
    "lines": (A + b"\n" + B + b"\n", "-", [(1, A), (2, B)]),
    "lines in .json": (A + b"\n" + B, "x.json", [(1, A), (2, B)]),
    "empty lines keep their numbers": (A + b"\n\n \t\r\n" + B, "x.jsonl", [(1, A), (4, B)]),
    "CRLF": (A + b"\r\n" + B + b"\r\n", "-", [(1, A + b"\r"), (2, B + b"\r")]),
    "byte order mark": (b"\xef\xbb\xbf" + A + b"\n" + B, "-", [(1, A), (2, B)]),
    "several lines, one object": (b'{\n"a":\n1}\n', "-", [(1, b'{\n"a":\n1}\n')]),
    "first line broken": (b"{bad\n" + A, "-", [(1, b"{bad"), (2, A)]),
    "no JSON, lines": (b"bad\n" + A, "-", [(1, b"bad"), (2, A)]),
    "no JSON, .json": (b"bad\nbad", "x.json", [(1, b"bad\nbad")]),
    "CP932 line": ("{見本}\n".encode("cp932") + A, "-", [(1, "{見本}".encode("cp932")), (2, A)]),
    "array": (b"[" + A + b",\n " + B + b" ]\n", "x.json", [(1, A), (2, B)]),
    "array with a bad element": (b"[" + A + b", nonsense, " + B + b"]", "-", [(1, A), (2, b"nonsense"), (3, B)]),
    "array with nothing between commas": (b"[" + A + b",," + B + b"]", "-", [(1, A), (2, "json.syntax"), (3, B)]),
    "array that ends with a comma": (b"[" + A + b",]", "-", [(1, A), (2, "json.syntax")]),
    "array without end": (b"[" + A + b"," + B, "-", [(1, A), (2, "json.syntax")]),
    "array and something after it": (b"[" + A + b"] x", "-", [(1, A), (2, "json.syntax")]),
    "quotes and backslashes": (b'[{"a":"\\"]\\\\"},{}]', "-", [(1, b'{"a":"\\"]\\\\"}'), (2, b"{}")]),
    "nested": (b"[[[]],{}]", "-", [(1, b"[[]]"), (2, b"{}")]),
    "long line": (LONG + b"\n" + A, "-", [(1, "json.too-large"), (2, A)]),
    "long last line": (A + b"\n" + LONG, "-", [(1, A), (2, "json.too-large")]),
    "long element": (b"[" + LONG + b"," + A + b"]", "-", [(1, "json.too-large"), (2, A)]),
    "long object": (b'{\n"a":"' + b"x" * 200 + b'"}', "x.json", [(1, "json.too-large")]),
    "empty": (b"", "-", [(None, "json.empty")]),
    "empty .json": (b"", "x.json", [(None, "json.empty")]),
    "empty .jsonl": (b"\n \n", "x.jsonl", [(None, "json.empty")]),
    "empty array": (b"[ ]", "-", [(None, "json.empty")]),
    "mark only": (b"\xef\xbb\xbf", "-", [(None, "json.empty")]),
}


@pytest.mark.parametrize(("data", "name", "found"), TABLE.values(), ids=TABLE.keys())
@pytest.mark.parametrize("piece", [None, 1, 2, 5], ids=["whole", "bytes", "pairs", "fives"])
def test_a_file_is_cut_the_same_in_whatever_pieces_it_comes(
    data: bytes, name: str, found: list[tuple[int | None, Any]], piece: int | None
) -> None:
    assert split(data, name, piece) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(st.lists(JSON, min_size=1, max_size=6), st.sampled_from([None, 2]), st.integers(1, 40))
def test_elements_of_any_array_come_out_as_they_went_in(values: list[Any], indent: int | None, piece: int) -> None:
    data = json.dumps(values, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
    found = split(data, "x.json", piece, most=10**6)
    assert [json.loads(each.decode("utf-8", "surrogatepass")) for _, each in found] == values
    assert [number for number, _ in found] == list(range(1, len(values) + 1))


@given(st.binary(max_size=400), st.sampled_from(["-", "x.json", "x.jsonl"]), st.integers(1, 50))
def test_no_bytes_make_it_raise_and_nothing_over_the_limit_comes_out(data: bytes, name: str, piece: int) -> None:
    for _, each in split(data, name, piece, most=50):
        assert isinstance(each, str) or len(each) <= 50


@pytest.mark.parametrize(
    "head", [b"", b"[", b'{"a":"', b'{\n"a":"', b'["'], ids=["text", "array", "line", "object", "string"]
)
@pytest.mark.parametrize("name", ["-", "x.json", "x.jsonl"])
def test_a_huge_document_is_read_to_its_end_in_bounded_memory(head: bytes, name: str) -> None:
    def stream() -> Iterator[bytes]:
        yield head
        piece = b"x" * 2**20
        for _ in range(200):
            yield piece

    tracemalloc.start()
    try:
        found = list(split_documents(stream(), name, 2**20))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    refused = {each.problems[0].rule for each in found if not isinstance(each, Document)}
    assert refused & {"json.too-large", "json.syntax"}
    assert all(len(each.data) < 10 for each in found if isinstance(each, Document))


def test_an_array_longer_than_memory_is_cut_as_it_comes() -> None:
    def stream() -> Iterator[bytes]:
        yield b"["
        for _ in range(2_000):
            yield LONG + b","
        yield A + b"]"

    tracemalloc.start()
    try:
        count = sum(1 for _ in split_documents(stream(), "-", 1_000))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert count == 2_001
