"""Find the USB device behind the camera's node and how it saves power. Reads /sys, changes nothing."""

from dataclasses import dataclass
from pathlib import Path

from lalelu.doctor.machine import SYS, text_of
from lalelu.registry import parse_uri


@dataclass(frozen=True, slots=True)
class UsbCamera:
    """A camera on USB."""

    device: str  # its name below /sys/bus/usb/devices
    product: str
    vendor_id: str  # four hexadecimal digits, as udev's rules want them
    product_id: str
    control: str  # power/control: `auto` lets it be suspended, `on` does not
    megabits: str  # a second


def look_at_usb(uri: str, sys: Path = SYS) -> UsbCamera | None:
    """Return the USB device of a `v4l2:` or `opencv:` camera; None where it is none."""
    name, target, _ = parse_uri(uri)
    if name == "v4l2":
        node = Path(target or "/dev/video0").resolve().name  # below /dev/v4l are links
    elif name == "opencv" and target.isdecimal():
        node = f"video{target}"
    else:
        return None
    folder = (sys / "class/video4linux" / node / "device").resolve()
    for place in (folder, *folder.parents):
        control = text_of(place / "power/control").strip()
        vendor_id = text_of(place / "idVendor").strip()
        if vendor_id:
            return UsbCamera(
                device=place.name,
                product=" ".join(text_of(place / "product").split()) or "no name",
                vendor_id=vendor_id,
                product_id=text_of(place / "idProduct").strip(),
                control=control,
                megabits=text_of(place / "speed").strip(),
            )
    return None
