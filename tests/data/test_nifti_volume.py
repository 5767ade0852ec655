import gzip
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from nibabel.testing import data_path
from numpy.typing import NDArray

from omnibench.data.declaration import Declaration
from omnibench.data.nifti_volume import PADDING, DamagedVolumeError, Volume
from omnibench.errors import DataError
from tests.data.nifti_files import values_of, write

OWN = Declaration()
FLIPS = list(itertools.product((1, -1), repeat=3))


def shown(ras: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return the slices of a volume in RAS+ as radiologists look at them, written out."""
    right, front, head = ras.shape
    if axis == 0:
        return np.stack([ras[x].T[::-1, ::-1] for x in range(right)])
    if axis == 1:
        return np.stack([ras[:, y].T[::-1, ::-1] for y in range(front)])
    return np.stack([ras[:, :, z].T[::-1, ::-1] for z in range(head)])


def test_a_slice_has_the_front_at_the_top_and_the_right_at_the_left(tmp_path: Path) -> None:
    values = np.zeros((4, 5, 6), np.int16)
    values[3, 4, 2] = 9  # the most right and front of the third slice from the feet
    volume = Volume.from_header(write(tmp_path / "a.nii", values), OWN)
    slices = volume.load()
    assert volume.shape == slices.shape == (6, 5, 4)
    assert np.argwhere(slices).tolist() == [[2, 0, 0]]
    sagittal = Volume.from_header(tmp_path / "a.nii", Declaration(axis="sagittal"))
    assert np.argwhere(sagittal.load()).tolist() == [[3, 3, 0]]
    coronal = Volume.from_header(tmp_path / "a.nii", Declaration(axis="coronal"))
    assert np.argwhere(coronal.load()).tolist() == [[4, 3, 0]]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_permuted_and_flipped_files_of_one_volume_give_equal_slices(
    order: tuple[int, int, int], tmp_path: Path
) -> None:
    ras, lengths = values_of(), np.array([1.0, 1.5, 3.0])
    expected = shown(ras, 2)
    places = (10.0 + 3.0 * np.arange(5)).tolist()
    for flips in FLIPS:
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        affine[:3, 3] = [-4, 2, 10]
        stored = ras.transpose(order)
        for place, (axis, sign) in enumerate(zip(order, flips, strict=True)):
            affine[axis, place] = sign * lengths[axis]
            if sign < 0:
                stored = np.flip(stored, place)
                affine[axis, 3] += lengths[axis] * (ras.shape[axis] - 1)
        volume = Volume.from_header(write(tmp_path / "a.nii.gz", stored, affine), OWN)
        np.testing.assert_array_equal(volume.load(), expected)
        np.testing.assert_allclose(volume.places, places)


def test_the_orientation_is_that_of_nibabel() -> None:
    path = Path(str(data_path)) / "anatomical.nii"
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image.from_filename(path))
    volume = Volume.from_header(path, OWN)
    values = volume.load().astype(float) * volume.slope + volume.intercept
    np.testing.assert_allclose(values, shown(canonical.get_fdata(), 2))
    heights = [(canonical.affine @ [0, 0, z, 1])[2] for z in range(canonical.shape[2])]
    np.testing.assert_allclose(volume.places, heights, rtol=1e-5)


@pytest.mark.parametrize(
    ("lengths", "axis"), [((1, 1, 1), 2), ((3, 1, 1), 0), ((1, 3, 1), 1), ((3, 3, 1), 1)]
)
def test_slices_follow_the_longest_voxels(
    lengths: tuple[float, float, float], axis: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.nii", values_of(), np.diag([*lengths, 1.0]))
    volume = Volume.from_header(path, OWN)
    np.testing.assert_array_equal(volume.load(), shown(values_of(), axis))
    assert np.allclose(np.diff(volume.places), lengths[axis])


def test_an_oblique_volume_is_turned_by_its_nearest_axes(tmp_path: Path) -> None:
    angle = np.deg2rad(20)
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = [5, 6, 7]
    volume = Volume.from_header(write(tmp_path / "a.nii", values_of(), affine), OWN)
    np.testing.assert_array_equal(volume.load(), shown(values_of(), 2))
    normal = np.cross(affine[:3, 0], affine[:3, 1])  # both of 1 mm
    expected = [(affine @ [0, 0, z, 1])[:3] @ normal for z in range(5)]
    np.testing.assert_allclose(volume.places, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
def test_values_stay_as_they_were_stored(dtype: type, end: str, tmp_path: Path) -> None:
    values: NDArray[Any] = (values_of() % 200).astype(dtype)
    volume = Volume.from_header(write(tmp_path / f"a{end}", values), OWN)
    assert volume.load().dtype == dtype and np.dtype(volume.dtype) == dtype
    np.testing.assert_array_equal(volume.load(), shown(values, 2))
    assert volume.holds_grey_levels == (dtype == np.uint8)


def test_slope_and_intercept_are_told_and_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(values_of(), np.diag([1.0, 1, 3, 1]))
    image.header.set_slope_inter(2, -1024)
    nibabel.save(image, path)
    volume = Volume.from_header(path, OWN)
    values = volume.load().astype(float) * volume.slope + volume.intercept
    np.testing.assert_allclose(
        values, shown(nibabel.Nifti1Image.from_filename(path).get_fdata(), 2)
    )
    assert volume.slope == 2 and not volume.holds_grey_levels


def test_a_fourth_axis_of_one_is_no_fourth_dimension(tmp_path: Path) -> None:
    volume = Volume.from_header(write(tmp_path / "a.nii", values_of()[..., None]), OWN)
    np.testing.assert_array_equal(volume.load(), shown(values_of(), 2))


def test_resampling_is_torchs_trilinear_one(tmp_path: Path) -> None:
    values = values_of((8, 6, 5)).astype(np.float32)
    path = write(tmp_path / "a.nii", values)
    volume = Volume.from_header(path, Declaration(spacing=(2.0, 1.0, 1.5)))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (4, 6, 10), mode="trilinear", align_corners=False
    )[0, 0].numpy()
    assert volume.shape == (10, 6, 4)
    np.testing.assert_allclose(volume.load(), shown(expected, 2), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(volume.places, -0.75 + 1.5 * np.arange(10))


def test_resampled_whole_numbers_are_rounded(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(0, 80, 10, dtype=np.int16)[:, None, None], (8, 4, 4)).copy()
    path = write(tmp_path / "a.nii", ramp, np.diag([1.0, 1, 1, 1]))
    volume = Volume.from_header(path, Declaration(spacing=(0.4, 1.0, 1.0)))
    centres = (np.arange(20) + 0.5) * 0.4 - 0.5
    expected = np.clip(centres * 10, 0, 70)
    values = volume.load()[0, 0, ::-1]
    assert values.dtype == np.int16
    np.testing.assert_allclose(values, expected, atol=0.5 + 1e-6)


def test_slices_are_chosen_before_resampling(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", values_of(), np.diag([4.0, 1, 1, 1]))
    assert Volume.from_header(path, Declaration(spacing=(1.0, 1.0, 1.0))).axis == 0


def test_a_spacing_that_makes_too_many_voxels_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", values_of(), np.diag([1e6, 1e6, 1e6, 1]))
    with pytest.raises(DamagedVolumeError, match=r"would have 2\.1e\+20 voxels"):
        Volume.from_header(path, Declaration(spacing=(1.0, 1.0, 1.0)))
    assert Volume.from_header(path, OWN).shape == (5, 6, 7)


SHEARED = np.diag([1.0, 1, 3, 1])
SHEARED[0, 2] = 1
SINGULAR = np.diag([1.0, 0, 3, 1])


def test_what_is_no_volume_is_refused_by_its_file(tmp_path: Path) -> None:
    values, diagonal = values_of(), np.diag([1.0, 1, 3, 1])
    colours = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    turned = nibabel.Nifti1Image(values, diagonal)
    turned.set_qform(np.diag([-1.0, 1, 3, 1]), 1)
    nibabel.save(turned, tmp_path / "two.nii")
    other = nibabel.Nifti1Image(values, diagonal)
    other.header.set_qform(np.diag([1.0, 1, 5, 1]), 1)
    other.header.set_sform(diagonal, 2)
    nibabel.save(other, tmp_path / "sizes.nii")
    write(tmp_path / "empty.nii", np.zeros((4, 4, 0), np.int16))
    write(tmp_path / "4d.nii", np.zeros((4, 4, 4, 3), np.int16))
    write(tmp_path / "2d.nii", np.zeros((4, 4), np.int16))
    write(tmp_path / "rgb.nii", colours)
    write(tmp_path / "complex.nii", values.astype(np.complex64))
    write(tmp_path / "codes.nii", values, codes=(0, 0))
    write(tmp_path / "shear.nii", values, SHEARED, codes=(0, 1))
    write(tmp_path / "singular.nii", values, SINGULAR, codes=(0, 1))
    whole = write(tmp_path / "whole.nii", values).read_bytes()
    (tmp_path / "short.nii").write_bytes(whole[:400])
    (tmp_path / "text.nii").write_text("no volume")
    (tmp_path / "none.nii").write_bytes(b"")
    (tmp_path / "plain.nii.gz").write_bytes(whole)
    (tmp_path / "huge.nii.gz").write_bytes(gzip.compress(_with_sides(whole, 30000)))
    (tmp_path / "folder.nii").mkdir()
    reasons = {
        "two": "a qform and an sform of different axes or voxels",
        "sizes": "a qform and an sform of different axes or voxels",
        "empty": "has no slice",
        "4d": r"is 4-D \(4 x 4 x 4 x 3\)",
        "2d": r"is 2-D \(4 x 4\)",
        "rgb": "holds colours",
        "complex": "or complex numbers",
        "codes": "tells no orientation",
        "shear": "has a sheared affine",
        "singular": "has a singular affine",
        "short": "is cut short",
        "text": "cannot be read as NIfTI",
        "none": "cannot be read as NIfTI",
        "folder": "it is a folder, not a file",
    }
    for name, reason in reasons.items():
        with pytest.raises(DamagedVolumeError, match=rf"{name}\.nii .*{reason}"):
            Volume.from_header(tmp_path / f"{name}.nii", OWN)
    for name in ("plain", "huge"):
        with pytest.raises(DamagedVolumeError, match=r"cannot be read as NIfTI|is cut short"):
            Volume.from_header(tmp_path / f"{name}.nii.gz", OWN)


def _with_sides(content: bytes, side: int) -> bytes:
    header = nibabel.Nifti1Header(content[:348])
    header["dim"][1:4] = side
    return bytes(header.binaryblock) + content[348:]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e35])
def test_values_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    values = values_of().astype(np.float64)
    values[1, 2, 3] = value
    volume = Volume.from_header(write(tmp_path / "a.nii.gz", values), OWN)
    with pytest.raises(DataError, match=r"a\.nii\.gz holds values that are not finite"):
        volume.load()


@pytest.mark.parametrize("damage", ["cut", "flipped", "trailer"])
def test_a_damaged_gzip_is_refused(damage: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii.gz", values_of((30, 30, 30)))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2 if damage == "flipped" else -6] ^= 0x55
    path.write_bytes(content)
    volume = Volume.from_header(path, OWN)
    with pytest.raises(DamagedVolumeError, match=r"a\.nii\.gz cannot be read"):
        volume.load()


def test_the_header_of_a_smaller_volume_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.nii", values_of((20, 20, 20))).read_bytes()
    (tmp_path / "other.nii").write_bytes(_with_sides(whole, 8))
    (tmp_path / "other.nii.gz").write_bytes(gzip.compress(_with_sides(whole, 8)))
    for name in ("other.nii", "other.nii.gz"):
        volume = Volume.from_header(tmp_path / name, OWN)
        with pytest.raises(DamagedVolumeError, match=r"14976 bytes beyond the 8 x 8 x 8 voxels"):
            volume.load()
    (tmp_path / "padded.nii").write_bytes(whole + bytes(PADDING))
    assert Volume.from_header(tmp_path / "padded.nii", OWN).load().shape == (20, 20, 20)


def test_nibabel_prints_nothing_of_a_header(tmp_path: Path) -> None:
    whole = bytearray(write(tmp_path / "a.nii", values_of()).read_bytes())
    whole[84:88] = bytes(4)  # a voxel of no size, which the affine tells
    (tmp_path / "a.nii").write_bytes(whole)
    command = "import sys; from omnibench.data.nifti_volume import Declaration, Path, Volume; "
    command += "print(Volume.from_header(Path(sys.argv[1]), Declaration()).sides)"
    process = subprocess.run(
        [sys.executable, "-c", command, tmp_path / "a.nii"], capture_output=True, text=True
    )
    assert (process.stdout, process.stderr) == ("(7, 6, 5)\n", "")
