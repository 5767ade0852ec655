"""`export`: a pretrained backbone, or what a cell trained, in a format of others."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from omnibench.context import using_data
from omnibench.errors import RequestError
from omnibench.exporters import exporters
from omnibench.record_files import WEIGHTS, checked_file
from omnibench.session import Places, Session
from omnibench.terminal import echo
from omnibench.weights_record import find_record_with_weights, find_weights_record

HEX = frozenset("0123456789abcdef")


def export(digest: str, folder: Path, form: str, places: Places) -> None:
    """Write the weights that a cell left.

    Args:
        folder: absent or empty.
        form: an entry of `exporters`.

    Raises:
        RequestError: no such format or record, several of them, or a folder that is no new one.
        StoreError: the weights are not as the training left them.
    """
    session = Session.open(places)
    exporter = exporters.get(form)
    digest = digest.removeprefix("record:").removeprefix("pretrain-")
    if len(digest) < 8 or not HEX.issuperset(digest):
        raise RequestError(
            f"'{digest}' is no digest; give 8 to 64 hex digits, as in pretrain-1234abcd of "
            "`bench.py list backbones`"
        )
    record, ending = find_record_with_weights(session.results, digest), WEIGHTS
    if record is None:
        record, ending = find_weights_record(session.results, digest), "safetensors"
    if "leaves" in record["spec"]:
        raise RequestError(
            f"'{digest}' is a backbone that {record['spec']['task']} trained, and `export` writes "
            f"pretrained ones; use it here, as record:{digest}"
        )
    weights = checked_file(record["path"], record, ending)
    with using_data(session.data), _whole_or_absent(folder):
        how = exporter(record, weights, folder)
    echo(f"written: {folder}")
    echo(how)


@contextlib.contextmanager
def _whole_or_absent(folder: Path) -> Iterator[None]:
    """Make a folder for the block, and take it away with what is in it where the block fails.

    Raises:
        RequestError: it is no folder, holds something already, or cannot be made.
    """
    is_new = not os.path.lexists(folder)
    if not is_new and not folder.is_dir():
        raise RequestError(f"{folder} is no folder; name a new one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise RequestError(
            f"{folder} cannot be made or read ({error.strerror}); name another"
        ) from None
    if not is_empty:
        raise RequestError(f"{folder} is not empty; name a new folder")
    try:
        yield
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
