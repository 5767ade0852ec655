"""How image files are read, as a part of their dataset's source digest.

Before, images were cut to WHOLE_SIDE px, EXIF's orientation was not looked at, and masks of several
sizes were never scored at their own. Files that this changes have another digest, others the same.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from omnibench.data.folder_images import WHOLE_SIDE, Header, header
from omnibench.data.remembered import remembered
from omnibench.errors import DataError


def as_read(
    digest: str,
    root: Path,
    images: Sequence[str],
    data_dir: Path,
    *,
    sides: bool = True,
    masks: Sequence[str] = (),
) -> str:
    """Return the digest of files and of how they are read.

    Args:
        digest: of the files alone.
        images: names from the root on.
        sides: whether images above WHOLE_SIDE are read otherwise than before.
        masks: names of their masks, which are turned as well, and which several sizes matter to.
    """
    question = f"reading 3 of {digest}, sides {sides}, masks {bool(masks)}"
    changed = remembered(data_dir, question, lambda: _is_changed(root, images, masks, sides))
    if not changed:
        return digest
    return f"sha256:{hashlib.sha256(f'{digest} reading 2'.encode()).hexdigest()}"


def _is_changed(root: Path, images: Sequence[str], masks: Sequence[str], sides: bool) -> bool:
    headers = _headers(root, images)
    sizes = {image.size for image in headers}
    return (
        any(file.is_turned for file in [*headers, *_headers(root, masks)])
        or (sides and any(max(size) > WHOLE_SIDE for size in sizes))
        or (bool(masks) and len(sizes) > 1)
    )


def _headers(root: Path, names: Sequence[str]) -> list[Header]:
    headers: list[Header] = []
    for name in names:
        with contextlib.suppress(DataError):  # whoever reads it says so
            headers.append(header(root / name))
    return headers
