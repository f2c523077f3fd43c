#!/bin/sh
# Make dist/lalelu_VERSION_ARCH.deb: lalelu as a service, with its Python packages (pinned, checked by hash) and the
# network's files. What `make deb` calls. Needs dpkg-deb, and /usr/bin/python3 with venv; uses the network.
#   PYTHON             the distribution's Python that the package is for (/usr/bin/python3)
#   DEB_MODELS         the networks to bring along (lightning)
#   DEB_COMPRESSION    gzip, xz (smaller, and minutes longer) or zstd (gzip)
set -eu
umask 022
source=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
DEB_MODELS=${DEB_MODELS:-lightning}
DEB_COMPRESSION=${DEB_COMPRESSION:-gzip}

fail() { echo "$*" >&2; exit 1; }
command -v dpkg-deb >/dev/null || fail "dpkg-deb is not there; a Debian package is made on Debian, or with its dpkg"
command -v "$PYTHON" >/dev/null || fail "PYTHON is $PYTHON, which is not there"

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$source/pyproject.toml")
arch=$(dpkg --print-architecture)
python=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$("$PYTHON" -c 'import sys; print("%d.%d~" % (sys.version_info[0], sys.version_info[1] + 1))')
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/root
mkdir "$root"

DESTDIR=$root PREFIX=/opt/lalelu PYTHON=$PYTHON SERVICE_LIB=/usr/lib SERVICE_MODELS='' SERVICE_BIN='' SERVICE_PINNED=yes \
    sh "$source/systemd/service.sh" install system

# What a service never runs: the installer, other processors' plug-ins, other formats' readers, headers, tests.
site=$root/opt/lalelu/lib/python$python/site-packages
(
    cd "$site"
    rm -rf pip pip-* setuptools setuptools-* pkg_resources _distutils_hack distutils-precedence.pth
    rm -rf openvino/include openvino/cmake openvino/tools openvino/libs/cache.json onnx/backend/test
    rm -f openvino/libs/libopenvino_intel_[gn]pu_plugin.so
    for reader in tensorflow pytorch paddle gguf tensorflow_lite jax; do
        rm -rf openvino/libs/libopenvino_"$reader"_frontend.so* openvino/frontend/"$reader"
    done
    rm -f numpy/_core/*_tests.*.so
    find . -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
)
find "$site" -type f -exec chmod 644 {} +
find "$root/opt/lalelu/bin" -type f ! -name lalelu -delete

# The network's files, ready to run; systemd-tmpfiles copies them to where the service looks.
network=$stage/network
cache=${LALELU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lalelu}
fetch_and_convert='
import os, shutil, sys
from pathlib import Path
from lalelu.models import catalogue, fetch
from lalelu.models.progress import StderrProgress
from lalelu.models.store import onnx_path
models, network = [catalogue.find(name) for name in sys.argv[2:]], Path(sys.argv[1])
fetch.fetch(models, StderrProgress())
for path in (fetch.folder() / file.name for model in models for file in model.files):
    (network / "models").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, network / "models" / path.name)
os.environ["LALELU_CACHE"] = str(network)
for model in models:
    onnx_path(model.name)
'
# shellcheck disable=SC2086  # DEB_MODELS may be several names
(cd "$stage" && PYTHONPATH=$site LALELU_CACHE=$cache "$PYTHON" -B -c "$fetch_and_convert" "$network" $DEB_MODELS)
share=$root/usr/share/lalelu
for path in "$network"/*/*; do
    kind=$(basename "$(dirname "$path")") file=$(basename "$path")
    install -D -m 644 "$path" "$share/$kind/$file"
    echo "d /var/cache/lalelu/$kind 0755 lalelu lalelu"  # said once, by awk
    echo "C /var/cache/lalelu/$kind/$file 0644 lalelu lalelu - /usr/share/lalelu/$kind/$file"
done | awk '!seen[$0]++' >>"$root/usr/lib/tmpfiles.d/lalelu.conf"

gzip -9n "$root/usr/share/man/man1/lalelu.1"
mkdir -p "$root/usr/bin" "$root/usr/share/doc/lalelu" "$root/usr/share/lintian/overrides"
ln -s /opt/lalelu/bin/lalelu "$root/usr/bin/lalelu"
install -m 644 "$source/packaging/copyright" "$source/README.md" "$root/usr/share/doc/lalelu/"
install -m 644 "$source/systemd/README.md" "$root/usr/share/doc/lalelu/service.md"
gzip -9n <"$source/CHANGELOG.md" >"$root/usr/share/doc/lalelu/CHANGELOG.md.gz"
printf 'lalelu (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' "$version" \
    "$(sed -n 's/^Maintainer: //p' "$source/packaging/control.in")" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" |
    gzip -9n >"$root/usr/share/doc/lalelu/changelog.gz"
install -m 644 "$source/packaging/lintian-overrides" "$root/usr/share/lintian/overrides/lalelu"

# Compiled now, for this Python alone (see Depends): the service may write nothing there.
"$PYTHON" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" "$root/opt/lalelu/lib" ||
    fail "some modules could not be compiled"

control=$root/DEBIAN
mkdir "$control"
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$arch|" -e "s|@SIZE@|$size|" -e "s|@PYTHON@|$python|" -e "s|@NEXT@|$next|" \
    "$source/packaging/control.in" >"$control/control"
echo /etc/lalelu/lalelu.yaml >"$control/conffiles"
for script in postinst prerm postrm; do install -m 755 "$source/packaging/$script" "$control/"; done
(cd "$root" && find . -path ./DEBIAN -prune -o -type f ! -path ./etc/lalelu/lalelu.yaml -printf '%P\0' | sort -z |
    xargs -0 md5sum >DEBIAN/md5sums)

mkdir -p "$source/dist"
name=lalelu_${version}_$arch.deb
dpkg-deb --root-owner-group -Z"$DEB_COMPRESSION" --build "$root" "$stage/$name"
mv "$stage/$name" "$source/dist/$name"  # whole, or not at all
echo "dist/$name: $(du -m "$source/dist/$name" | cut -f1) MB, installed $((size / 1024)) MB"
