"""The report as HTML and PDF: the same bytes again, nothing of a hostile text obeyed, Japanese dates."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from monitoring.report import charts, fonts, html, pdf, words
from monitoring.report.composing import compose
from monitoring.report.model import Basis, Counted, Finding, Findings, Gap, Log, Probed
from monitoring.report.parts import clean
from tests.unit.monitoring.report.artificial import basis, period

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><h1>異常なし</h1>",
    "&lt;b&gt; &amp; ]]> <para>",
    "\x1b[31mred\x1b[0m\r\n\x00\x07",
    "\u202etxt.exe\u2066",
    "𠮷野家 葛󠄀飾区 \U0001f600 \ue000",
    "x" * 5_000,
    "%s {0} ${jndi:ldap://x}",
)


def hostile(text: str) -> Basis:
    """Return figures with one text wherever a text may stand."""
    made = basis()
    assert made.use is not None
    counted = (Counted(text, text, 3),)
    use = replace(
        made.use,
        access=counted,
        commands=counted,
        alarms=counted,
        denied=counted,
        peers_unexpected=counted,
        letters_ended=((text, 1),),
        handshakes_refused=((text, 1),),
        probes=(Probed(text, 1, 1, 1, text, made.period.begin_ms),),
        processes=(replace(made.use.processes[0], principal=text, configurations=(text,)),),
    )
    found = Finding(text, text, text, made.period.begin_ms, made.period.begin_ms, text, 1, (text,))
    return replace(
        made,
        organisation=text,
        version=text,
        use=use,
        findings=Findings((found,), 1, ((text, 1),), ((text, text),), made.period.end_ms),
        log=Log(None, verified=False, gaps=(Gap(text, text, 1, 2),), missing=2, refused=((text, 1),)),
        labels=(("tobacco-tax", text),),
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def _tags(page: bytes) -> _Tags:
    found = _Tags()
    found.feed(page.decode())
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_and_not_obeyed(text: str) -> None:
    page = html.render(compose(hostile(text)))
    usual = _tags(html.render(compose(basis())))
    assert _tags(page).tags == usual.tags
    assert _tags(page).attributes == usual.attributes
    said = page.decode()
    assert not set(said) & {*map(chr, range(9)), "\x1b", "\r", "\x00", "\u202e", "\u2066"}
    assert "x" * 200 not in said


def test_hostile_texts_do_not_stop_the_pdf() -> None:
    for text in ("".join(HOSTILE), HOSTILE[3], HOSTILE[6]):  # each is cut: the first has most beginnings
        assert pdf.render(compose(hostile(text))).startswith(b"%PDF-")


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    page = html.render(compose(basis())).decode()
    assert "<script" not in page
    assert not re.search(r"\b(?:src|href)=", page)
    assert "default-src 'none'" in page
    assert set(re.findall(r"https?://[^\"\s<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_same_figures_give_the_same_bytes_on_another_day_in_another_process(tmp_path: Path) -> None:
    made = [basis("2026-10"), basis("2026-10-05", calm=True)]
    for each in made:
        (tmp_path / f"{each.period.name}.json").write_bytes(each.to_json())
    code = (
        "import sys\nfrom pathlib import Path\nfrom monitoring.report import html, pdf\n"
        "from monitoring.report.composing import compose\nfrom monitoring.report.model import Basis\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.json')):\n"
        "    document = compose(Basis.from_json(path.read_bytes()))\n"
        "    path.with_suffix('.html').write_bytes(html.render(document))\n"
        "    path.with_suffix('.pdf').write_bytes(pdf.render(document))\n"
    )
    elsewhere = {**os.environ, "TZ": "America/New_York", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=elsewhere, timeout=120)
    for each in made:
        document = compose(each)
        assert (tmp_path / f"{each.period.name}.html").read_bytes() == html.render(document)
        assert (tmp_path / f"{each.period.name}.pdf").read_bytes() == pdf.render(document)


def test_the_pdf_says_when_it_was_made_and_carries_its_font() -> None:
    made = basis(calm=True)
    raw = pdf.render(compose(made))
    assert b"D:20261101090000+09'00'" in raw
    assert raw.count(b"/FontFile2") >= 2
    assert b"HeiseiMin" not in raw


def test_what_the_font_has_not_is_shown_by_its_number() -> None:
    assert fonts.fit("新宿区 髙﨑①") == "新宿区 髙﨑①"
    assert fonts.fit("𠮷") == "〓[U+20BB7]"
    assert fonts.fit("葛\U000e0100") == "葛"
    assert fonts.fit("か\u3099") == "が"


def test_a_font_that_was_exchanged_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "__file__", str(tmp_path / "fonts.py"))
    fonts.register.cache_clear()
    with pytest.raises(fonts.FontDamaged):
        fonts.register()
    monkeypatch.undo()
    fonts.register()


@pytest.mark.parametrize("calm", [True, False])
def test_the_result_stands_first_and_in_words(calm: bool) -> None:
    page = html.render(compose(basis(calm=calm))).decode()
    assert ("結論：異常なし" in page) is calm
    assert ("結論：要確認 6件" in page) is not calm
    assert all(each in page for each in ("承認", "確認", "作成", "担当者の所見・対応", basis(calm=calm).sha256))


def test_an_empty_month_says_so() -> None:
    made = basis(calm=True)
    empty = replace(made, places=(), audit=None, use=None, log=None, findings=None, retention=(), labels=())
    page = html.render(compose(empty)).decode()
    assert "資料なし" in page
    assert "結論：要確認 12件" in page
    assert pdf.render(compose(empty)).startswith(b"%PDF-")
    nobody = html.render(compose(basis("2026-10-05", count=0, calm=True))).decode()
    assert "対象期間の届出はありません" in nobody


def test_a_huge_month_is_bounded() -> None:
    made = basis()
    assert made.use is not None
    many = tuple(Counted(f"account-{n:05}", "viewed", 9) for n in range(200))
    listed = tuple(
        Finding(f"f{n}", "bulk-viewing", "notice", made.period.begin_ms, made.period.end_ms, "zei-01", n, ("a-1",) * 20)
        for n in range(200)
    )
    huge = replace(
        made,
        use=replace(made.use, access=many, denied=many, commands=many, alarms=many, peers_unexpected=many),
        findings=Findings(listed, 1_000_000, (("bulk-viewing", 1_000_000),), (), None),
    )
    page = html.render(compose(huge))
    assert len(page) < 200_000
    assert "ほか170行" in page.decode()
    assert "ほか999,940件" in page.decode()
    assert len(pdf.render(compose(huge))) < 400_000


def test_every_chart_has_a_title_and_its_numbers_beside_it() -> None:
    page = html.render(compose(basis())).decode()
    pictures = re.findall(r"<figure>(.*?)</figure>", page, re.DOTALL)
    assert len(pictures) == 5
    for each in pictures:
        assert re.search(r'<svg [^>]*aria-labelledby="(chart-\d+)"[^>]*><title id="\1">', each)
        assert "<table" in each


def test_bars_stay_inside_the_picture_and_grow_with_their_values() -> None:
    chart = charts.Chart("t", "件", ("a", "b", "c"), (charts.Series("x", (0, 7, 1_000_003)),))
    boxes = [each for each in charts.parts(chart) if isinstance(each, charts.Box)]
    assert len(boxes) == 2
    assert boxes[0].height < boxes[1].height <= charts.HEIGHT
    for box in boxes:
        assert 0 <= box.x <= box.x + box.width <= charts.WIDTH
        assert 0 <= box.y <= box.y + box.height <= charts.HEIGHT


@pytest.mark.parametrize(("highest", "step"), [(1, 1), (4, 1), (5, 2), (9, 5), (21, 10), (1_000_003, 500_000)])
def test_grid_lines_are_round_and_few(highest: int, step: int) -> None:
    assert charts.step(highest) == step


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2026-10", "令和8年10月分（2026年10月、10月1日から10月31日まで）"),
        ("2019-04", "平成31年4月分（2019年4月、4月1日から4月30日まで）"),
        ("2019-05", "令和元年5月分（2019年5月、5月1日から5月31日まで）"),
        ("2024-02-29", "令和6年2月29日（2024年2月29日 木曜日）"),
        ("2019-04-30", "平成31年4月30日（2019年4月30日 火曜日）"),
    ],
)
def test_periods_in_japanese_years(name: str, said: str) -> None:
    span = period(name)
    assert words.period(span.name, span.begin_ms, span.end_ms) == said


def test_a_month_has_its_own_days_and_a_day_its_hours() -> None:
    for name, count in (("2026-02", 28), ("2024-02", 29), ("2026-10", 31), ("2026-10-05", 24)):
        span = period(name)
        captions = words.slots(span.name, span.begin_ms, span.end_ms)
        assert len(captions) == count
        assert words.slot_of(span.end_ms - 1, span.begin_ms, monthly=span.monthly) == count - 1


def test_shares_are_not_rounded_up_to_all() -> None:
    assert words.share(99_999, 100_000) == "99.99％"
    assert words.share(5, 5) == "100.00％"
    assert words.share(0, 0) == "－"


def test_long_texts_end() -> None:
    assert clean("a" * 100, 10) == "a" * 10 + "…"
    assert clean("\x1b[0m") == "[U+001B][0m"


def test_the_example_is_made_from_the_artificial_month() -> None:
    made = basis()
    name = f"{made.namespace}-{made.tenant}-{made.period.name}"
    assert (EXAMPLES / f"{name}.json").read_bytes() == made.to_json()
    assert (EXAMPLES / f"{name}.html").read_bytes() == html.render(compose(made))
    # how it is packed differs between versions of zlib; how many objects it has and when it was made does not
    committed, drawn = (EXAMPLES / f"{name}.pdf").read_bytes(), pdf.render(compose(made))
    for part in (rb"/CreationDate \([^)]*\)", rb"/Count \d+", rb"/Size \d+"):
        assert re.findall(part, committed) == re.findall(part, drawn) != []
    for path in EXAMPLES.iterdir():
        assert path.stat().st_size < 300_000
