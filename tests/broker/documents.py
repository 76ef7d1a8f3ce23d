"""A submission of an artificial person whose content is marked, so that it can be looked for."""

from __future__ import annotations

import base64
from typing import Any

SECRETS = {
    "name": "見本秘匿太郎",
    "kana": "ミホンヒトクタロウ",
    "address": "テスト区秘匿町9-8-7",
    "phone": "00-0000-4321",
    "remark": "架空の備考で秘匿すべき文章",
    "my_number": "900000000004",
    "attachment": "添付された架空の機密本文 CONFIDENTIAL-MARKER-7719",
}


def document(receipt: str, tenant: str = "131041") -> dict[str, Any]:
    """A submission with marked, artificial content."""
    return {
        "procedure": "vehicle-tax-secondary-liability-exemption",
        "receipt_number": receipt,
        "tenant": tenant,
        "tax_item": None,
        "accepted_at": "2025-12-01T09:30:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": {
            "submitted_on": "令和7年12月1日",
            "secondary_taxpayer_address": SECRETS["address"],
            "secondary_taxpayer_name": SECRETS["name"],
            "secondary_taxpayer_my_number": SECRETS["my_number"],
            "secondary_taxpayer_phone": SECRETS["phone"],
            "buyer_name": SECRETS["kana"],
            "sale_price": 1_234_567,
            "remarks": SECRETS["remark"] + "\n髙﨑𠮷辻\U000e0100\ue000ｶﾅ",
        },
        "attachments": [
            {
                "file_name": "秘匿資料.txt",
                "media_type": "text/plain",
                "content_base64": base64.b64encode(SECRETS["attachment"].encode() * 30).decode(),
            }
        ],
    }
