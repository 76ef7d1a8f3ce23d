"""What may be said of an error: its class, our code for it, the place in our program. Never its text."""

from __future__ import annotations

from schemas.errors import HubError


def described(error: BaseException) -> dict[str, object]:
    """Return class, code and place of an error: nothing of its text, arguments or local values.

    Of a group, the classes of its leaves (8 at most) are named.
    """
    leaves = _leaves(error)
    names = sorted({type(leaf).__name__ for leaf in leaves})[:8]
    codes = sorted({leaf.code for leaf in leaves if isinstance(leaf, HubError)})[:8]
    found: dict[str, object] = {"exception": ",".join(names)}
    if codes:
        found["code"] = ",".join(codes)
    where = _where(leaves[0])
    if where:
        found["where"] = where
    return found


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
