import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.data.image_files import FolderImages, as_read, survey
from omnibench.errors import DataError

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")


def save(folder: Path, name: str, mode: str = "L", size: tuple[int, int] = (6, 4)) -> str:
    Image.new(mode, size).save(folder / name)
    return name


@pytest.mark.parametrize(
    ("modes", "channels"),
    [(["L", "1"], 1), (["L", "LA"], 1), (["L", "RGB"], 3), (["RGBA"], 3), (["P"], 3)],
)
def test_channels(tmp_path: Path, modes: list[str], channels: int) -> None:
    files = [save(tmp_path, f"{mode}.png", mode) for mode in modes]
    assert survey(tmp_path, files) == (channels, 4, 6)


def test_colours_of_every_mode(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    colour = Image.fromarray(pixels)
    clear = colour.convert("RGBA")
    clear.putalpha(7)  # transparency is dropped, not blended
    palette = colour.quantize(24)
    palette.info["transparency"] = bytes(range(24))
    grey = colour.convert("L")
    for name, image in (("rgb", colour), ("rgba", clear), ("p", palette), ("l", grey)):
        image.save(tmp_path / f"{name}.png")
    images = FolderImages(tmp_path, ("rgb.png", "rgba.png", "p.png", "l.png"), (4, 4, 6, 3))
    actual = images.read(0, 4)
    np.testing.assert_array_equal(actual[0], pixels)
    np.testing.assert_array_equal(actual[1], pixels)
    np.testing.assert_array_equal(actual[2], palette.convert("RGBA").convert("RGB"))
    np.testing.assert_array_equal(actual[3], np.stack([np.asarray(grey)] * 3, axis=-1))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(images)).read(0, 4), actual)


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "a.png")
    assert FolderImages(tmp_path, ("a.png",), (1, 1, 2)).read(0, 1).tolist() == [[[0, 255]]]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(300, 200), (300, 200)], (200, 300)),  # (W, H) as in Pillow; (H, W) here
        ([(300, 200), (100, 400)], (400, 300)),
        ([(2000, 200), (100, 900)], (900, 2000)),
    ],
)
def test_one_size_for_all(
    tmp_path: Path, sizes: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    files = [save(tmp_path, f"{index}.png", size=size) for index, size in enumerate(sizes)]
    assert survey(tmp_path, files)[1:] == expected


@pytest.mark.parametrize(
    ("sides", "size", "decoded"),
    [
        ((700, 700), 768, (700, 700)),  # never enlarged
        ((768, 768), 768, (768, 768)),
        ((900, 600), 768, (768, 600)),
        ((900, 600), 224, (224, 224)),
        ((512, 300), 224, (512, 300)),  # small ones are resized by the encoder
    ],
)
def test_the_input_size_sets_the_size_that_images_are_decoded_at(
    tmp_path: Path, sides: tuple[int, int], size: int, decoded: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, sides, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    resized = FolderImages(tmp_path, ("a.png",), (1, *sides)).at(size)
    assert resized.shape == (1, *decoded)
    expected = Image.fromarray(pixels).resize(decoded[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resized.read(0, 1)[0], expected)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_images_are_turned_as_their_exif_says(tmp_path: Path, suffix: str, turn: int) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = 250  # the upper left corner tells all eight apart with the sides
    pixels[:8, :60] = 120
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", exif=exif, quality=95)
    expected = ImageOps.exif_transpose(Image.open(tmp_path / f"a.{suffix}")).convert("RGB")
    channels, height, width = survey(tmp_path, [f"a.{suffix}"])
    assert (channels, width, height) == (3, *expected.size)
    decoded_image = FolderImages(tmp_path, (f"a.{suffix}",), (1, height, width, 3)).read(0, 1)[0]
    np.testing.assert_array_equal(decoded_image, np.asarray(expected))


def test_of_a_cameras_several_pictures_the_first_is_read(tmp_path: Path) -> None:
    first, preview = (Image.new("RGB", (16, 8), colour) for colour in ((200, 0, 0), (0, 0, 200)))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview])
    assert survey(tmp_path, ["a.jpg"]) == (3, 8, 16)
    red, _, blue = FolderImages(tmp_path, ("a.jpg",), (1, 8, 16, 3)).read(0, 1)[0, 4, 8]
    assert (red > 150, blue < 50) == (True, True)


def deep_png(path: Path, colour: int, channels: int) -> None:
    """Write a PNG of 16 bits a channel, which Pillow opens as one of 8 unless it is grey."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + np.full(6 * channels, 1000, ">u2").tobytes() for _ in range(4))
    header = struct.pack(">IIBBBBB", 6, 4, 16, colour, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_are_refused_in_every_kind_of_png(
    tmp_path: Path, colour: int, channels: int
) -> None:
    deep_png(tmp_path / "deep.png", colour, channels)
    with pytest.raises(DataError, match=r"deep\.png has more than 8 bits.*window it to 8 bits"):
        survey(tmp_path, ["deep.png"])


def test_cmyk_is_read_as_its_colours(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 40, 90)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert survey(tmp_path, ["a.jpg"]) == (3, 16, 16)
    decoded_image = FolderImages(tmp_path, ("a.jpg",), (1, 16, 16, 3)).read(0, 1)[0]
    assert np.abs(decoded_image.mean(axis=(0, 1)) - (200, 40, 90)).max() < 4


def test_every_file_that_cannot_be_used_is_counted(tmp_path: Path) -> None:
    good = save(tmp_path, "good.png")
    names = [save(tmp_path, f"{index}.tif", "I") for index in range(5)]
    with pytest.raises(DataError, match=r"0\.tif has.*2\.tif has.*and 2 more files cannot be"):
        survey(tmp_path, [good, *names])


def test_resizing_averages(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "a.png")
    small = FolderImages(tmp_path, ("a.png",), (1, 8, 8)).read(0, 1)
    # point sampling would give 0 or 200
    assert np.abs(small.astype(int) - 100).max() <= 15


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("deep.png", np.zeros((4, 6), np.uint16)),
        ("deep.tif", np.zeros((4, 6), np.int32)),
        ("float.tif", np.zeros((4, 6), np.float32)),
    ],
)
def test_more_than_8_bits_are_refused(tmp_path: Path, name: str, array: Any) -> None:
    Image.fromarray(array).save(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name} has more than 8 bits.*window it to 8 bits"):
        survey(tmp_path, [name])


def test_stacks_are_refused(tmp_path: Path) -> None:
    pages = [Image.new("L", (6, 4)) for _ in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match=r"stack\.tif is a stack of 3 images"):
        survey(tmp_path, ["stack.tif"])


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = save(tmp_path, "bomb.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match=r"bomb\.png cannot be read.*bomb"):
        survey(tmp_path, [name])


@pytest.mark.filterwarnings("ignore:::PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_files_cut_anywhere_are_named_or_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    refused = 0
    for length in range(0, len(content), 5):
        path.write_bytes(content[:length])
        try:
            _, height, width = survey(tmp_path, [path.name])
            FolderImages(tmp_path, (path.name,), (1, height, width, 3)).read(0, 1)
        except DataError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > len(content) // 5 * 0.8


@pytest.mark.filterwarnings("ignore:::PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_flipped_bytes_raise_nothing_but_named_errors(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)  # huge sizes are slow to refuse
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    content = path.read_bytes()
    outcomes = set()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            survey(tmp_path, [path.name])
            FolderImages(tmp_path, (path.name,), (1, 8, 8, 3)).read(0, 1)
            outcomes.add("read")
        except DataError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.real_data
def test_real_radiographs(real_data: Path) -> None:
    root = real_data / "medpix"
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jp*g"))[:50]
    channels, height, width = survey(root, files)
    assert max(height, width) == 256
    shape = (50, height, width, 3) if channels == 3 else (50, height, width)
    images = FolderImages(root, tuple(files), shape).read(0, 50)
    assert images.std(axis=(1, 2)).min() > 1


Image = pytest.importorskip("PIL.Image")
BEFORE = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("sides", "turn", "options", "changed"),
    [
        ([(512, 300), (20, 30)], 1, {}, False),  # digests that records hold stay
        ([(513, 300)], 1, {}, True),
        ([(513, 300)], 1, {"sides": False}, False),
        ([(20, 30)], 6, {}, True),
        ([(20, 30)], 6, {"sides": False}, True),
        ([(512, 300), (20, 30)], 1, {"masks": ["mask.png"]}, True),
        ([(20, 30), (20, 30)], 1, {"masks": ["mask.png"]}, False),
        ([(20, 30)], 1, {"masks": ["turned.png"]}, True),
    ],
)
def test_files_that_are_read_otherwise_have_another_digest(
    tmp_path: Path, sides: list[tuple[int, int]], turn: int, options: dict[str, Any], changed: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    for index, side in enumerate(sides):
        Image.fromarray(np.zeros(side, np.uint8)).save(tmp_path / f"{index}.jpg", exif=exif)
    mask = Image.new("L", (30, 20))
    mask.save(tmp_path / "mask.png")
    exif[0x0112] = 3
    mask.save(tmp_path / "turned.png", exif=exif)
    names = [f"{index}.jpg" for index in range(len(sides))]
    (tmp_path / "broken.jpg").write_bytes(b"x")
    for _ in range(2):  # looked up, then recalled
        digest = as_read(BEFORE, tmp_path, [*names, "broken.jpg"], tmp_path / "data", **options)
        assert (digest != BEFORE) == changed
