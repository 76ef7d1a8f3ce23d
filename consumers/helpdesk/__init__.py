"""The helpdesk: sees the masked subset that `schemas` declares, and what became of a receipt.

Opens the section `helpdesk-T` and no other: no 個人番号, no attachment, no full name reaches it.
"""
