"""The portal end as one object: role directory in, submissions in, answers out.

It composes the journal, the sealed producer and the reader of receipts for the role `portal`; the rules are
in `portal.submitting`, the guarantees in `hub.producing`.
"""

from __future__ import annotations
