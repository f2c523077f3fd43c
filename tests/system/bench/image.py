"""Build what the system bench boots: Debian 12 by debootstrap, with lalelu's package installed. Needs root.

Two layers, each kept in the cache under a hash of what made it: the distribution's tree with the -rt kernel, and the
disk with the package in it. No loop device is used: `mke2fs -d` writes the disk from the tree.
"""

import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lalelu" / "system"
DISK_MB = 4096
SUITE = "bookworm"
BASE = (
    "systemd,systemd-sysv,udev,dbus,kmod,procps,util-linux,python3,alsa-utils,v4l-utils,initramfs-tools,zstd"
)
# vivid, snd-virmidi, dummy_hcd and usb_f_midi come with the kernel; v4l2loopback is built against it
KERNEL = ("linux-image-rt-amd64", "linux-headers-rt-amd64", "v4l2loopback-dkms")
# the kernel's drivers that no machine here has a use for: a third of the disk
UNUSED = (
    "gpu/drm",
    "infiniband",
    "hwmon",
    "iio",
    "media/dvb-frontends",
    "media/pci",
    "net",
    "scsi",
    "staging",
)
# debian package that brings each command
TOOLS = {"debootstrap": "debootstrap", "qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs"}

# for the initramfs, which is made when the kernel is installed
BASE_FILES = {
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
    "etc/initramfs-tools/conf.d/bench": "MODULES=list\nCOMPRESS=gzip\n",
}
# software emulation is some 15 times slower than a machine, and the network 100 times
PATIENT = "[Service]\nTimeoutStartSec=1800\nTimeoutStopSec=600\n"
FILES = {
    "etc/hostname": "bench\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    # the job comes as a tar on the second disk, so that the disk with the system need not change with a check
    "etc/systemd/system/bench.service": """[Unit]
Description=The system bench's checks
After=dbus.service
[Service]
Type=exec
RuntimeDirectory=bench
ExecStartPre=tar -xf /dev/vdb -C /run/bench
ExecStart=python3 -u /run/bench/agent.py
StandardOutput=journal+console
[Install]
WantedBy=multi-user.target
""",
    "etc/systemd/system/lalelu.service.d/bench.conf": PATIENT,
    "etc/systemd/system/lalelu-desk.service.d/bench.conf": PATIENT,
    # root's shell on the serial line, for a look inside
    "etc/systemd/system/serial-getty@ttyS0.service.d/bench.conf": """[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear %I linux
""",
    "etc/modules-load.d/bench.conf": "snd-seq\nvirtio_console\n",
    # vivid's default stamps lie in the future
    "etc/udev/rules.d/60-bench.rules": 'ACTION=="add", SUBSYSTEM=="video4linux", ATTR{name}=="vivid*", '
    'RUN+="/usr/bin/v4l2-ctl -d $devnode -c timestamp_source=1"\n',
    "etc/modprobe.d/bench.conf": "options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x00\n"
    "options v4l2loopback video_nr=9 card_label=film exclusive_caps=0 max_buffers=8\n",
}


@dataclass(frozen=True)
class Image:
    """What qemu boots."""

    disk: Path  # raw ext4, the whole root file system
    kernel: Path
    initrd: Path


def build(package: Path) -> Image:
    """Return the system with the .deb `package` installed, from the cache where nothing has changed."""
    _check_tools()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(package)


def _build(package: Path) -> Image:
    key = _key(_base_key(), repr(FILES), inspect.getsource(_install), package.read_bytes())
    folder = CACHE / f"system-{key}"
    image = Image(folder / "root.img", folder / "vmlinuz", folder / "initrd.img")
    if not folder.exists():
        _forget(f"system-{key}", "system-")
        tree = _base()
        with _unfinished(folder) as new:
            _install(tree, package, new)
    return image


def _check_tools() -> None:
    missing = [apt for command, apt in TOOLS.items() if shutil.which(command, path=_path()) is None]
    if missing:
        raise SystemExit(f"the system bench needs {', '.join(missing)}; apt-get install {' '.join(missing)}")
    if os.geteuid() != 0:
        raise SystemExit("the system bench builds an image by debootstrap, which only root can; use sudo")


def _base() -> Path:
    """Return the distribution's tree."""
    tree = CACHE / f"debian-{_base_key()}"
    if not tree.exists():
        _forget(tree.name, "debian-")
        with _unfinished(tree) as new:
            print(f"building {tree.name}: debootstrap and the -rt kernel (some minutes, once)", flush=True)
            _run("debootstrap", "--variant=minbase", f"--include={BASE}", SUITE, str(new))
            _write(new, BASE_FILES)
            _apt(new, *KERNEL)
            _chroot(new, "passwd", "-d", "root")
            shutil.rmtree(new / "var/cache/apt/archives")
            _forget_drivers(new)
    return tree


def _forget_drivers(tree: Path) -> None:
    (modules,) = (tree / "lib/modules").iterdir()
    drivers = modules / "kernel/drivers"
    for name in UNUSED:
        shutil.rmtree(drivers / name, ignore_errors=True)
    _chroot(tree, "depmod", modules.name)


def _install(tree: Path, package: Path, folder: Path) -> None:
    """Put the package into a copy of the tree and write the disk."""
    print(f"building the disk: {package.name} installed in Debian {SUITE}", flush=True)
    root = folder / "tree"
    _run("cp", "-a", str(tree), str(root))
    shutil.copy(package, root / "tmp/lalelu.deb")
    _write(root, FILES)
    _chroot(root, "systemctl", "enable", "bench.service")
    _apt(root, "/tmp/lalelu.deb")
    (root / "tmp/lalelu.deb").unlink()
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    (initrd,) = (root / "boot").glob("initrd.img-*")
    shutil.copy(kernel, folder / "vmlinuz")
    shutil.copy(initrd, folder / "initrd.img")
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(folder / "root.img"), f"{DISK_MB}M")
    shutil.rmtree(root)


def _write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _apt(tree: Path, *packages: str) -> None:
    _run("mount", "-t", "proc", "proc", str(tree / "proc"))
    try:
        _chroot(tree, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    finally:
        _run("umount", str(tree / "proc"))


def _chroot(tree: Path, *command: str) -> None:
    _run("chroot", str(tree), *command)


def _run(*command: str) -> None:
    log = CACHE / "build.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": _path()}
    with log.open("ab") as out:
        status = subprocess.run(
            command, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL, check=False
        )
    if status.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SystemExit(
            f"{tail}\n{' '.join(command)} ended with {status.returncode}; all it said is in {log}"
        )


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes its name only once it is whole."""
    new = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    yield new
    new.rename(folder)


def _forget(name: str, kind: str) -> None:
    """Remove older ones of a kind: each takes more than a gigabyte."""
    for old in CACHE.glob(f"{kind}*"):
        if old.name != name:
            shutil.rmtree(old)


def _base_key() -> str:
    recipe = [inspect.getsource(step) for step in (_base, _forget_drivers)]
    return _key(SUITE, BASE, repr(KERNEL), repr(UNUSED), repr(BASE_FILES), *recipe)


def _key(*parts: str | bytes) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update(part.encode() if isinstance(part, str) else part)
    return state.hexdigest()[:12]


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
