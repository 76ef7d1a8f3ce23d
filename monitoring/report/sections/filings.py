"""Sections on filings: where they are, how long they took, what was set aside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from monitoring.report.charts import Series
from monitoring.report.document import Part, Table, Text
from monitoring.report.judging import place
from monitoring.report.model import DELAY_EDGES_MS, Basis
from monitoring.report.parts import captions_of, clean, limited, picture, table
from monitoring.report.words import PLACES, number, seconds, share

_ATTACHMENT: Final = ("attachment-part", "添付ファイルの分割部分")


def flow(basis: Basis) -> Iterable[Part]:
    """Where the filings of the period are, by place and by procedure."""
    held = [(label, place(basis, kind)) for kind, label in PLACES.items()]
    yield Table(
        "受付から保存までの件数（受付時刻が対象期間のもの）",
        ("箇所", "保有", "未確認", "60秒超", "送信中", "無効", "隔離", "内容の識別（ハッシュ値の合計）"),
        tuple(
            (label, *(["資料なし"] + ["－"] * 6))
            if found is None
            else (
                label,
                *(
                    number(each)
                    for each in (
                        found.held,
                        found.unconfirmed,
                        found.confirmed_late,
                        found.pending,
                        found.void,
                        found.dead_letters,
                    )
                ),
                found.digest[:16],
            )
            for label, found in held
        ),
        (22, 9, 9, 10, 9, 7, 7, 28),
        frozenset(range(1, 7)),
    )
    desks = [(label, dict(found.by_procedure)) for label, found in held[1:] if found is not None]
    labels = dict((_ATTACHMENT, *basis.labels))
    names = sorted({name for _, each in desks for name in each}, key=lambda name: (name not in labels, name))
    shown = [(clean(labels.get(name, name)), *(number(each.get(name, 0)) for _, each in desks)) for name in names]
    if shown:
        yield Table(
            "手続別の件数",
            ("手続", *(label for label, _ in desks)),
            limited(shown),
            (52, *([48 // len(desks)] * len(desks))),
            frozenset(range(1, 1 + len(desks))),
        )
    captions = captions_of(basis)
    review, portal = place(basis, "review"), place(basis, "portal")
    counted = portal if portal is not None else review
    if counted is not None:
        yield picture("受付件数の推移", "件", captions, [Series("受付", counted.by_slot)])


def delays(basis: Basis) -> Iterable[Part]:
    """How long they took from being made to being stored at the desk."""
    review = place(basis, "review")
    found = review.delays if review is not None else None
    if found is None:
        yield Text("審査部門の資料がありません。")
        return
    edges = [edge // 1_000 for edge in DELAY_EDGES_MS]
    captions = (*(f"{edge}秒以内" for edge in edges), f"{edges[-1]}秒超")
    yield Table(
        "作成から審査部門での保存までの時間（1件ごとの値から算出）",
        ("件数", "中央値", "99％値", "最大", "30秒以内", "30秒以内の割合"),
        (
            (
                number(found.count),
                *((seconds(each) if found.count else "－") for each in (found.p50, found.p99, found.longest)),
                number(found.within),
                share(found.within, found.count),
            ),
        ),
        (16, 16, 16, 16, 18, 18),
        frozenset(range(6)),
    )
    yield picture("所要時間の分布", "件", captions, [Series("届出", found.spread)])


def letters(basis: Basis) -> Iterable[Part]:
    """What was set aside, and what became of it."""
    if basis.audit is None:
        yield Text("監査記録の資料がありません。")
        return
    words = {"replayed": "再送", "discarded": "破棄", "held": "窓口で保留"}
    groups = (("発生", basis.audit.dead_letters), ("受付拒否", basis.audit.refused), ("処理", basis.audit.resolved))
    yield table(
        "期間内の隔離記録",
        ("区分", "理由・処理", "件数"),
        ((label, clean(words.get(name, name)), number(count)) for label, rows in groups for name, count in rows),
        (20, 60, 20),
        {2},
    )
