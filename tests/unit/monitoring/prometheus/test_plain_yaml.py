"""What the emitter writes, a YAML library reads as the same values."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.prometheus.limits import Limits
from monitoring.prometheus.plain_yaml import dump
from monitoring.prometheus.rules import files

_AWKWARD = (
    *("yes", "No", "null", "~", "1", "1.5", "0x10", "- a", "a: b", "#", "'", '"', "\\", "\n", "a\n  b", " ", "", "="),
    *("{{ $value }}", "\U0002ebe1", "\x00", "\u2028", "保存"),
)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(_AWKWARD)
_VALUES = st.recursive(
    _TEXTS | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=3))
def test_it_is_read_as_it_was_written(value: dict[str, object]) -> None:
    assert yaml.safe_load(dump(value, heading="one\ntwo")) == value  # type: ignore[arg-type]


def test_the_rule_files_are_mappings_with_one_group() -> None:
    for text in files(Limits.packaged()).values():
        assert len(yaml.safe_load(text)["groups"]) == 1
