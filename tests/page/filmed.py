"""A film beside a take."""

import gzip
import json

import cv2
import numpy as np

from lalelu.jpeg import encode_jpeg
from lalelu.takes.film import FROM, FilmWriter
from lalelu.takes.folder import film_of

PICTURES, PERIOD_MS, LEAD_MS = 60, 66, 50  # LEAD_MS: from the film's beginning to the take's first frame


def picture(number):
    """A dark room with a bright ball that goes to the right."""
    image = np.full((240, 320, 3), 40, np.uint8)
    cv2.circle(image, (20 + 4 * number, 120), 20, (200, 220, 120), cv2.FILLED)
    return encode_jpeg(image)


def film(take):
    """Film a take (`.take.gz`); return when the pictures were captured, in seconds from the take's first frame."""
    lines = gzip.decompress(take.read_bytes()).splitlines(keepends=True)
    begun_ns = json.loads(lines[1])["captured_ns"] - LEAD_MS * 1_000_000
    header = {**json.loads(lines[0]), FROM: begun_ns}
    take.write_bytes(gzip.compress(b"".join([json.dumps(header).encode() + b"\n", *lines[1:]]), mtime=0))
    times_ms = [number * PERIOD_MS for number in range(PICTURES)]
    with FilmWriter(film_of(take)) as writer:
        for number, time_ms in enumerate(times_ms):
            writer.write(time_ms, picture(number), 320, 240)
    return [round((time_ms - LEAD_MS) * 1e-3, 3) for time_ms in times_ms]
