"""Checks of MIDI on a real device: a USB interface that is unplugged and plugged in. Run in the guest as root."""

import time
from pathlib import Path

from bench_guest import Ear, clients, configure, event, plays, process, processes, sh, take, until

GADGET = Path("/sys/kernel/config/usb_gadget/bench")
PRODUCT = "Bench Drum"
FAR_END = "f_midi"  # the gadget's own card: what the interface was sent comes out here


def plug(*, in_: bool) -> None:
    """Plug the USB MIDI interface in or out."""
    (GADGET / "UDC").write_text("dummy_udc.0\n" if in_ else "\n")


def make_gadget() -> None:
    """Make a USB MIDI interface of software: dummy_hcd is the bus, this machine is at both of its ends."""
    for module in ("dummy_hcd", "libcomposite", "usb_f_midi", "snd-usb-audio", "snd-seq-midi"):
        sh("modprobe", module)
    until("configfs", GADGET.parent.is_dir)
    GADGET.mkdir()
    (GADGET / "idVendor").write_text("0x1d6b")
    (GADGET / "idProduct").write_text("0x0104")
    words, config, function = GADGET / "strings/0x409", GADGET / "configs/c.1", GADGET / "functions/midi.0"
    for folder in (words, config, function):
        folder.mkdir()
    (words / "product").write_text(PRODUCT)
    (config / "midi.0").symlink_to(function)


def usb_midi() -> str:
    """An interface that is unplugged is told and missed, not fatal; plugged in again, it sounds again."""
    make_gadget()
    plug(in_=True)
    until(f"a sequencer client {PRODUCT}", lambda: PRODUCT in clients())
    configure(take(), f"port:{PRODUCT}")
    until("playing", plays)
    with Ear(FAR_END) as ear:
        ear.hears()
    engine = process("engine")
    out_s = time.monotonic()
    plug(in_=False)
    lost_s = until("the loss told", lambda: event("lost", out_s))
    until("the interface gone", lambda: PRODUCT not in clients())
    assert processes("engine") == [engine], "the engine did not play on"
    in_s = time.monotonic()
    plug(in_=True)
    found_s = until("found again", lambda: event("found", in_s))
    with Ear(FAR_END) as ear:
        first_s = ear.hears()
    assert processes("engine") == [engine], "the engine did not play on"
    found, heard = found_s - in_s, first_s - in_s
    return f"lost after {lost_s - out_s:.1f} s, found {found:.1f} s after its return, heard {heard:.1f} s after it"
