"""What a suite asks for and is not on this machine: each thing once, with the way to it."""

from collections.abc import Iterable, Iterator

from omnibench.findings import Finding


def absent(needs: Iterable[str]) -> Iterator[Finding]:
    """Yield weights, datasets and language models that are absent.

    Args:
        needs: "weights dino-small: how to get it", as `omnibench.sources` words them.
    """
    seen = set()
    for need in needs:
        name, _, fix = need.partition(": ")
        if name not in seen:
            seen.add(name)
            yield Finding(name, "FAIL", "absent", fix)
