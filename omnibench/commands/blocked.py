"""What blocks cells, in few lines: what is absent in the same way stands together."""

import re
import textwrap
from collections.abc import Iterable, Iterator

WIDTH = 100
TOGETHER = 3  # of one kind from which on they share a line
COMMAND = re.compile("`[^`]*`")  # stays on one line
ELSEWHERE = ", or put "  # before what to do without a network, which differs from name to name


def blocked_lines(needs: Iterable[str], suite: str) -> Iterator[str]:
    """Yield a line for each thing that blocks cells, or for several that have one way out.

    Args:
        needs: "SUBJECT: what is wrong; the way out", as of `omnibench.states.needs`.
        suite: the suite as `doctor` takes it.
    """
    alike: dict[tuple[str, str], dict[str, str]] = {}  # -> name: need
    for need in needs:
        kind, name, way_out = _parts(need)
        alike.setdefault((kind, way_out), {})[name] = need
    for (kind, way_out), named in alike.items():
        if len(named) < TOGETHER:
            yield from (f"blocked: {need}" for need in named.values())
            continue
        text = f"blocked: {kind}{', '.join(named)} ({len(named)}): {way_out}"
        if any(ELSEWHERE in need for need in named.values()):
            text += f"; `bench.py doctor {suite}` says which files go where"
        whole = COMMAND.sub(lambda command: command[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
        yield textwrap.fill(
            whole, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        ).replace("\N{NO-BREAK SPACE}", " ")


def _parts(need: str) -> tuple[str, str, str]:
    """Return the kind and the name of a subject, and the way out with NAME in the name's place."""
    subject, colon, reason = need.partition(": ")
    if not colon:
        return need, "", ""
    kind, space, name = subject.rpartition(" ")
    whole_name = rf"(?<![\w.-]){re.escape(name)}(?![\w.-])"
    return f"{kind}{space}", name, re.sub(whole_name, "NAME", reason.partition(ELSEWHERE)[0])
