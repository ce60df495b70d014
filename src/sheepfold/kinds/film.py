"""Films and contact sheets of finished pictures.

A film is encoded once, as H.264 without B-frames, and wrapped twice: MP4 for pages and players, AVI for the old
screensavers, whose demuxer wants the stream in its plain byte form (Annex B) and counts its pictures by packets.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from PIL import Image

from sheepfold.kinds import pictures as rules
from sheepfold.kinds.seam import Product

CRF = 18  # libx264's scale: 18 is held to be visually lossless or nearly so
SHEET_CELLS = 40
_GAP_PX = 4
_GROUND = (16, 16, 18)
_SMPTE170M = 6  # the number of BT.601 in H.264's tables (ITU-T H.264, annex E)
_LIMITED_RANGE = 1

Reader = Callable[[Path], Image.Image]
"""Opens a picture as RGB; raises UndecodablePicture."""


def make_film(
    pictures: Sequence[Path], target: Path, fps: int, crf: int = CRF, read: Reader = rules.open_picture
) -> None:
    """Encode pictures of one size into an MP4 file with one frame each, `fps` a second; one is open at a time.

    An odd width or height is made even by repeating the last column or row. The same pictures give the same bytes
    with the same build of libx264. Raises ValueError for no pictures or different sizes, UndecodablePicture for an
    unreadable one.
    """
    if not pictures:
        raise ValueError("a film needs at least one picture")
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(target), "w", format="mp4", options=options) as container:
        stream = None
        for index, frame in enumerate(map(_frame, map(read, pictures))):
            if stream is None:
                stream = container.add_stream("libx264", rate=fps)
                _set_up(stream, frame, fps, crf)
            if (frame.width, frame.height) != (stream.width, stream.height):
                raise ValueError(f"{pictures[index].name} differs in size from the first picture")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))


def remux_to_avi(mp4: Path, avi: Path) -> None:
    """Wrap the very same encoded pictures of an MP4 film as AVI."""
    with av.open(str(mp4)) as source, av.open(str(avi), "w", format="avi", options={"fflags": "+bitexact"}) as target:
        read = source.streams.video[0]
        written = target.add_stream_from_template(read)
        written.time_base = 1 / Fraction(read.average_rate or 1)  # AVI fills finer steps with empty packets
        annex_b = BitStreamFilterContext("h264_mp4toannexb", read, written)
        written.codec_context.codec_tag = "H264"  # the filter passes MP4's `avc1` on, which would promise another form
        for packet in source.demux(read):
            for filtered in annex_b.filter(packet if packet.dts is not None else None):
                filtered.stream = written
                target.mux(filtered)


def make_sheet(
    pictures: Sequence[Path], target: Path, columns: int, cell_width: int, read: Reader = rules.open_picture
) -> None:
    """Write a JPEG with all pictures in rows of `columns`, each `cell_width` pixels wide.

    A picture taller than twice its width shows its upper part.
    """
    if not pictures:
        raise ValueError("a sheet needs at least one picture")
    cells = [_cell(read(path), cell_width) for path in pictures]
    columns = min(columns, len(cells))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    width = columns * (cell_width + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, sum(heights) + _GAP_PX * (len(rows) + 1)), _GROUND)
    top = _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            sheet.paste(cell, (_GAP_PX + column * (cell_width + _GAP_PX), top))
        top += height + _GAP_PX
    rules.save(sheet, target)


def make_products(
    pictures: Sequence[Path], folder: Path, fps: int, read: Reader = rules.open_picture
) -> list[Product]:
    """Make what every finished sequence has: film.mp4, film.avi, and sheet.jpg of at most SHEET_CELLS pictures."""
    film, old, sheet = folder / "film.mp4", folder / "film.avi", folder / "sheet.jpg"
    make_film(pictures, film, fps, read=read)
    remux_to_avi(film, old)
    make_sheet(spread(pictures, SHEET_CELLS), sheet, columns=5, cell_width=240, read=read)
    return [
        Product(film.name, film, "video/mp4"),
        Product(old.name, old, "video/x-msvideo"),
        Product(sheet.name, sheet, "image/jpeg"),
    ]


def spread(pictures: Sequence[Path], most: int) -> list[Path]:
    """Choose at most `most` pictures, evenly over the sequence and beginning with the first."""
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[index * len(pictures) // most] for index in range(most)]


def _frame(picture: Image.Image) -> av.VideoFrame:
    array = np.asarray(picture)
    odd = ((0, array.shape[0] % 2), (0, array.shape[1] % 2), (0, 0))
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.pad(array, odd, mode="edge")), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG")


def _set_up(stream: av.VideoStream, frame: av.VideoFrame, fps: int, crf: int) -> None:
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    stream.time_base = Fraction(1, fps)
    context = stream.codec_context
    context.max_b_frames = 0
    context.gop_size = 2 * fps
    context.thread_count = 2  # a fixed number: libx264's output depends on it
    context.flags |= av.codec.context.Flags.bitexact
    context.colorspace = context.color_primaries = context.color_trc = _SMPTE170M
    context.color_range = _LIMITED_RANGE
    stream.options = {"crf": str(crf), "preset": "medium", "bf": "0"}


def _cell(image: Image.Image, width: int) -> Image.Image:
    image = image.crop((0, 0, image.width, min(image.height, 2 * image.width)))
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)
