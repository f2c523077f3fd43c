"""The rim of a zone is where the detector says it is."""

import pytest
from pydantic import TypeAdapter

from lalelu.config.zones import Zone
from lalelu.gesture.zones import measure_of
from lalelu.kitpicture.rim import rim

ZONES = {
    "box": [-1.0, -1.2, 0.5, -0.4],
    "ellipse": [0.5, -0.8, 0.4, 0.2],
    "sector": [0.2, -0.5, 0.3, 0.9, 20.0, 200.0],
    "half_plane": [0.1, -0.3, 60.0],
}
IN_PICTURE = {"box": [0.1, 0.2, 0.5, 0.6]}


@pytest.mark.parametrize("frame", ["body", "image"])
@pytest.mark.parametrize("shape", ZONES)
def test_every_corner_lies_on_the_zone_s_rim(shape, frame):
    numbers = ZONES[shape]
    if frame == "image":
        numbers = IN_PICTURE.get(shape, [abs(number) for number in numbers])
    zone = TypeAdapter(Zone).validate_python({shape: numbers, "frame": frame})
    measure = measure_of(zone, None)
    up = -1.0 if frame == "image" else 1.0
    corners = rim(zone)
    assert len(corners) >= 4
    for x, y in corners:
        assert measure(x, up * y)[0] == pytest.approx(0.0, abs=1e-9)
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*corners, strict=True))
    out = 1e-3
    for x, y in ((left - out, low), (right + out, high), (left, low - out), (right, high + out)):
        assert shape == "half_plane" or measure(x, up * y)[0] > 0.0  # nothing of the zone lies beyond
