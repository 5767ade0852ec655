"""No identifier of a DICOM file is in anything that omnibench writes or prints."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.conftest import Bench
from tests.data.dicom.made import edited, volume, write_series

SECRETS = {
    "PatientName": "Secretname^Jane",
    "PatientID": "SECRETID-4711",
    "OtherPatientIDs": "SECRETOTHER-12",
    "PatientBirthDate": "19430219",
    "PatientAddress": "Secretstreet 5",
    "PatientComments": "secretcomment",
    "AccessionNumber": "SECRETACC99",
    "StudyID": "SECRETSTUDY7",
    "StudyDate": "20190417",
    "SeriesDate": "20190418",
    "AcquisitionDate": "20190419",
    "ContentDate": "20190420",
    "StudyDescription": "secretstudytext",
    "SeriesDescription": "axial secretseriestext",
    "ProtocolName": "secretprotocol",
    "InstitutionName": "Secrethospital",
    "StationName": "SECRETSTATION",
    "ReferringPhysicianName": "Secretdoctor^A",
    "OperatorsName": "Secretoperator^B",
    "DeviceSerialNumber": "SECRETSERIAL3",
    "ImageComments": "secretimagetext",
}
WORDS = [part for value in SECRETS.values() for part in value.replace("^", " ").split()]
WORDS = [word for word in WORDS if word not in ("axial", "A", "B", "5")]


def write_studies(root: Path) -> list[str]:
    """Write eight studies with identifiers in every element; return their UIDs.

    The table names one by its StudyInstanceUID; two are damaged, of which one holds identifiers
    where numbers are due, which pydicom quotes in its warnings and errors.
    """
    instances: list[str] = []
    for number in range(8):
        own = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
        instances += own.values()
        tags: dict[str, Any] = SECRETS | own | {"PatientID": f"{SECRETS['PatientID']}-{number}"}
        write_series(root / f"s{number}", volume((16, 16, 4), number), change=_private, **tags)
    edited(root / "s5" / "001", lambda dataset: dataset.pop("ImagePositionPatient"))
    for path in (root / "s6").iterdir():
        content = path.read_bytes().replace(b"-15.0", b"S3CRT")
        path.write_bytes(content.replace(b"MONOCHROME2", b"SECRETMONO "))
    names = [instances[0], "s1", "s2", "s3", "s4", "s5", "s6", "s7"]
    splits = ("train", "train", "val", "val", "test", "test", "train", "test")
    rows = [f"{name},{splits[k]},{'ab'[k % 2]}\n" for k, name in enumerate(names)]
    (root / "labels.csv").write_text(f"study,split,label\n{''.join(rows)}")
    return instances


def _private(index: int, dataset: Dataset) -> None:
    block = dataset.private_block(0x0099, "omnibench", create=True)
    block.add_new(1, "LO", SECRETS["PatientName"])


def texts(folder: Path) -> dict[str, str]:
    """Return the name and content of every file below a folder, archives unpacked."""
    contents = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        contents[str(path)] = path.read_bytes().decode("latin-1")
        if path.suffix == ".npy":
            contents[str(path)] += " ".join(map(str, np.load(path).ravel()[:10_000]))
        if zipfile.is_zipfile(path):
            with np.load(path) as arrays:
                for name in arrays:
                    contents[f"{path}:{name}"] = " ".join(map(str, arrays[name].ravel()))
    return contents


def test_no_output_holds_an_identifier(
    tmp_path: Path, bench: Bench, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    instances = write_studies(tmp_path / "set")
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: s\nrepetitions: 2\nbackbones: [{id: v, source: 'random:test_vit', pool: cls}]\n"
        "matrix: [{task: volumes, datasets: ['dicom:set'], adaptations: [mean], recipe: "
        "{input_size: 32, epochs: 2}}]\n"
    )
    caplog.set_level(0)
    outputs = {}
    for command in (
        ("plan", suite),
        ("data", "verify", f"dicom:{tmp_path / 'set'}"),
        ("run", suite),
        ("report", suite),
        ("data", "audit", f"dicom:{tmp_path / 'set'}", "--results", tmp_path / "results"),
    ):
        status, out, err = bench(*command)
        outputs[f"{command[:2]}"] = f"{out}{err}"
        assert status == 0, outputs
    assert any("records" in name for name in texts(tmp_path / "results"))
    outputs |= texts(tmp_path / "results") | texts(tmp_path / "data")
    outputs |= {"log": caplog.text, "warnings": str([str(w.message) for w in recwarn])}
    for name, content in outputs.items():
        for identifier in (*WORDS, *instances, "S3CRT", "SECRETMONO"):
            assert identifier.lower() not in content.lower(), f"{identifier} in {name}"
    assert "s5/001 does not tell its position" in outputs["('plan', " + repr(suite) + ")"]
