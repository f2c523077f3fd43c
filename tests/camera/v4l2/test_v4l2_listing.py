"""`lalelu devices` on the fake camera: which nodes are listed, and what is said of them."""

from pathlib import Path

import pytest
import videodev2 as v4l2
from fake_device import FakeDevice

from lalelu.commands.devices import CameraNode, cameras

STREAMS, TAKES = v4l2.V4L2_CAP_STREAMING, v4l2.V4L2_CAP_VIDEO_CAPTURE
PLANES, METADATA = v4l2.V4L2_CAP_VIDEO_CAPTURE_MPLANE, 0x00800000


@pytest.mark.parametrize(
    ("able", "problem"),
    [
        (TAKES | STREAMS, None),
        (PLANES | STREAMS, "gives pictures in several planes; write opencv:0"),
        (TAKES, "gives pictures not through memory; write opencv:0"),
    ],
)
def test_a_camera_is_listed_with_its_address_and_what_is_in_the_way(tmp_path, able, problem):
    (tmp_path / "video0").mkdir()
    (tmp_path / "video0" / "name").write_text("Fake cam\n")
    fake = FakeDevice()
    fake.capabilities = able
    listed = cameras(tmp_path, Path("/dev"), fake)
    assert listed == (CameraNode("/dev/video0", "Fake cam", "v4l2:/dev/video0", problem),)
    assert fake.handles == set()


def test_a_node_that_carries_only_metadata_is_not_listed(tmp_path):
    (tmp_path / "video0").mkdir()
    fake = FakeDevice()
    fake.capabilities = METADATA | STREAMS
    assert cameras(tmp_path, Path("/dev"), fake) == ()
