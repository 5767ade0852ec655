"""How image files are read, as a part of their dataset's source digest.

Before, images were cut to WHOLE_SIDE px, EXIF's orientation was not looked at, and masks of several
sizes were never scored at their own. Files that this changes have another digest, others the same.
"""

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
    of_masks: bool = False,
) -> str:
    """Return the digest of files and of how they are read.

    Args:
        digest: of the files alone.
        images: names from the root on.
        sides: whether images above WHOLE_SIDE are read otherwise than before.
        of_masks: whether they have masks, which several sizes matter to.
    """
    question = f"reading 2 of {digest}, sides {sides}, masks {of_masks}"
    changed = remembered(
        data_dir, question, lambda: _is_changed(root, images, sides=sides, of_masks=of_masks)
    )
    if not changed:
        return digest
    return f"sha256:{hashlib.sha256(f'{digest} reading 2'.encode()).hexdigest()}"


def _is_changed(root: Path, images: Sequence[str], *, sides: bool, of_masks: bool) -> bool:
    headers: list[Header] = []
    for name in images:
        try:
            headers.append(header(root / name))
        except DataError:  # whoever reads it says so
            continue
    return (
        any(image.is_turned for image in headers)
        or (sides and any(max(image.size) > WHOLE_SIDE for image in headers))
        or (of_masks and len({image.size for image in headers}) > 1)
    )
