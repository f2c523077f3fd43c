"""What may stand in a `v4l2:` address. Pure."""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from lalelu.registry import AdapterOptions

FIRST_DEVICE: Final = "/dev/video0"

FormatName: TypeAlias = Literal["MJPG", "YUYV", "GREY", "NV12"]
StampName: TypeAlias = Literal["auto", "soe", "eof", "packet"]


class V4L2Options(AdapterOptions):
    """`target` is the device's path. What is asked for and not granted stops the start."""

    target: str = FIRST_DEVICE
    size: Annotated[str, Field(pattern=r"^[1-9]\d{1,3}x[1-9]\d{1,3}$")] = "640x480"  # px, WIDTHxHEIGHT
    fps: Annotated[float, Field(ge=5, le=500)] = 100.0
    format: FormatName = "MJPG"
    # how long each row is exposed; none = as the camera has it, mostly its automatic exposure
    exposure_ms: Annotated[float, Field(ge=0.1, le=200.0)] | None = None
    gain: Annotated[int, Field(ge=0, le=65_535)] | None = (
        None  # the driver's unit; none = as the camera has it
    )
    scale: Literal["auto", "1", "2", "4"] = "auto"  # JPEG is decoded at one over this of its size
    buffers: Annotated[int, Field(ge=2, le=16)] = 4  # pictures that the driver may fill before we look
    # which moment the driver's stamp marks: the first row's exposure begins (soe), the last row is read (eof), the
    # first packet arrives (packet); auto believes the driver's flag, except uvcvideo's, which means the packet
    stamp: StampName = "auto"
    readout_ms: Annotated[float, Field(ge=0.0, le=50.0)] = 0.0  # from the first row's readout to the last's

    @field_validator("target")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError(f"write the device's path, as in v4l2:{FIRST_DEVICE}")
        return value or FIRST_DEVICE

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.exposure_ms is not None and self.exposure_ms > 1000.0 / self.fps:
            raise ValueError(
                f"exposure_ms {self.exposure_ms:g} is longer than a frame at {self.fps:g} fps; "
                f"at most {1000.0 / self.fps:.3g} ms fit"
            )
        if self.scale not in ("auto", "1") and self.format != "MJPG":
            raise ValueError(
                f"scale {self.scale} is for MJPG; {self.format} is not coded, so leave scale out"
            )
        if self.format in ("YUYV", "NV12") and (self.width % 2 or self.height % 2):
            raise ValueError(
                f"size {self.size} is odd; {self.format} has one colour for two pixels, so make it even"
            )
        return self

    @property
    def width(self) -> int:
        """The picture's width in px."""
        return int(self.size.partition("x")[0])

    @property
    def height(self) -> int:
        """The picture's height in px."""
        return int(self.size.partition("x")[2])
