"""The one family of errors that every room raises.

What to do next follows from the class, never from matching text. No error carries personal data,
record bytes or key material: only codes, counts and names of things we declared ourselves.
"""

from __future__ import annotations

from typing import ClassVar


class HubError(Exception):
    """The hub could not do what was asked."""

    code: ClassVar[str] = "hub"
    retriable: ClassVar[bool] = False
    hint: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, hint: str | None = None) -> None:
        """Make the error; `detail` names declared things only (a topic, a count), never content."""
        summary = (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(f"{summary} {detail}".strip() if detail else summary)
        self.detail = detail
        self.advice = self.hint if hint is None else hint
