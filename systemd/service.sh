#!/bin/sh
# Install lalelu with its systemd units, or remove them: service.sh install|uninstall system|user
# What `make install-service` and its like call; they hand on these, all optional:
#   PREFIX          the folder for lalelu alone (/opt/lalelu; ~/.local/share/lalelu for one user)
#   DESTDIR         a folder to install below, for packages: nothing of this machine is touched
#   SERVICE_BIN     the folder of a lalelu command that is installed already; then PREFIX is not used
#   SERVICE_LIB     where units, users and rules of the machine go (/usr/local/lib; packages: /usr/lib)
#   SERVICE_MODELS  the networks to fetch, so that a start needs no network (lightning)
#   SERVICE_PINNED  no = whatever releases pyproject.toml allows, unchecked (default: those of requirements/, by hash)
#   PYTHON          the Python of the new environment (python3)
set -eu
umask 022
source=$(cd "$(dirname "$0")/.." && pwd)

fail() { echo "$*" >&2; exit 1; }
say() { echo "$*" >&2; }

[ $# = 2 ] || fail "usage: $0 install|uninstall system|user"
action=$1 scope=$2

DESTDIR=${DESTDIR:-}
SERVICE_BIN=${SERVICE_BIN:-}
SERVICE_LIB=${SERVICE_LIB:-/usr/local/lib}
SERVICE_MODELS=${SERVICE_MODELS-lightning}
SERVICE_PINNED=${SERVICE_PINNED:-yes}
case $scope in
    system)
        PREFIX=${PREFIX:-/opt/lalelu}
        config=/etc/lalelu/lalelu.yaml state=/var/lib/lalelu cache=/var/cache/lalelu
        [ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] ||
            fail "$action: only root can; use sudo, or make $action-user-service for yourself alone" ;;
    user)
        data=${XDG_DATA_HOME:-$HOME/.local/share}
        PREFIX=${PREFIX:-$data/lalelu}
        config=${XDG_CONFIG_HOME:-$HOME/.config}/lalelu/lalelu.yaml
        state=${XDG_STATE_HOME:-$HOME/.local/state}/lalelu cache=${XDG_CACHE_HOME:-$HOME/.cache}/lalelu ;;
    *) fail "usage: $0 install|uninstall system|user" ;;
esac
bin=${SERVICE_BIN:-$PREFIX/bin}
mark=$PREFIX/.installed-by-lalelu  # this folder is ours to remove

# unit files and sed take these as they are
for path in "$PREFIX" "$bin" "$SERVICE_LIB" "$DESTDIR/" "$config" "$state"; do
    case $path in
        *[!A-Za-z0-9/._+-]*) fail "the path $path is not used: only letters, digits and / . _ + - may stand in it" ;;
        /*) ;;
        *) fail "the path $path is not used: it must begin with /" ;;
    esac
done

# from -> to, of what is ours alone and goes away again
files() {
    if [ "$scope" = system ]; then
        for instance in "" @; do
            echo "lalelu.service.in $SERVICE_LIB/systemd/system/lalelu$instance.service"
            echo "lalelu-desk.service.in $SERVICE_LIB/systemd/system/lalelu-desk$instance.service"
        done
        echo "lalelu.slice $SERVICE_LIB/systemd/system/lalelu.slice"
        echo "lalelu-user.service.in $SERVICE_LIB/systemd/user/lalelu.service"
        echo "lalelu.sysusers.conf $SERVICE_LIB/sysusers.d/lalelu.conf"
        echo "lalelu.tmpfiles.conf $SERVICE_LIB/tmpfiles.d/lalelu.conf"
        echo "90-lalelu.rules $SERVICE_LIB/udev/rules.d/90-lalelu.rules"
        echo "../packaging/lalelu.1 ${SERVICE_LIB%/lib}/share/man/man1/lalelu.1"
    else
        echo "lalelu-user.service.in $data/systemd/user/lalelu.service"
        echo "../packaging/lalelu.1 $data/man/man1/lalelu.1"
    fi
}

place() {  # from to: with its names and paths filled in
    own="" of="" at="" file=$config folders=lalelu
    case $2 in  # several instruments, each by its name (%i)
        *@.service) own=-%i of=" (%i)" at=@%i file=/etc/lalelu/%i.yaml folders="lalelu lalelu/%i" ;;
    esac
    mkdir -p "$(dirname "$DESTDIR$2")"
    sed -e "s|@BINDIR@|$bin|g" -e "s|@PYTHON@|$(interpreter)|g" -e "s|@STATE@|$state|g" -e "s|@CONFIG@|$file|g" \
        -e "s|@NAME@|lalelu$at|g" -e "s|@DESK@|lalelu-desk$at|g" -e "s|@OF@|$of|g" \
        -e "s|@FOLDER@|lalelu$own|g" -e "s|@STATEDIRS@|$folders|g" "$source/systemd/$1" >"$DESTDIR$2"
    say "  $DESTDIR$2"
}

interpreter() {  # the Python that runs $bin/lalelu
    if [ -e "$DESTDIR$bin/python" ] || [ -e "$bin/python" ]; then
        echo "$bin/python"
    else
        sed -n '1s/^#! *\([^ ]*\).*/\1/p' "$bin/lalelu"
    fi
}

systemd_runs() {
    [ -z "$DESTDIR" ] || return 1
    if [ "$scope" = system ]; then [ -d /run/systemd/system ]; else [ -S "${XDG_RUNTIME_DIR:-}/systemd/private" ]; fi
}

control() { if [ "$scope" = system ]; then systemctl "$@"; else systemctl --user "$@"; fi; }

reload() {
    systemd_runs || return 0
    control daemon-reload
    if [ "$scope" = system ] && command -v udevadm >/dev/null; then
        udevadm control --reload
        udevadm trigger --action=add --sysname-match=cpu_dma_latency
        udevadm trigger --action=add --subsystem-match=usb --attr-match=bInterfaceClass=0e
    fi
}

# The system's service sees neither homes nor temporary files (ProtectHome=, PrivateTmp=).
check_in_sight() {
    [ "$scope" = system ] || return 0
    if [ -z "$SERVICE_BIN" ]; then
        python=$(command -v "${PYTHON:-python3}") || fail "PYTHON is ${PYTHON:-python3}, which is not there"
    elif [ -z "$DESTDIR" ]; then
        python=$(interpreter)
    else
        return 0
    fi
    for path in "$bin" "$(readlink -f "$python")"; do
        case $path in
            "/home"/* | "/root"/* | /tmp/* | /var/tmp/* | /run/user/*)
                fail "the service could not see $path: homes and temporary folders are hidden from it;" \
                    "choose a PREFIX such as /opt/lalelu and a PYTHON such as /usr/bin/python3" ;;
        esac
    done
}

pip() {  # environment, what to install
    environment=$1
    shift
    "$environment/bin/python" -m pip --disable-pip-version-check install --quiet --progress-bar off "$@"
}

# Only wheels whose checksums stand in requirements/, for lalelu itself and for what builds it.
install_pinned() {
    hashed="--require-hashes --only-binary :all:"
    # shellcheck disable=SC2086  # two options
    pip "$root" $hashed -r "$source/requirements/service.txt" ||
        fail "the pinned wheels do not fit this Python, or do not come; requirements/service.txt says which Pythons they" \
            "are for; PYTHON= names another, SERVICE_PINNED=no takes any releases"
    builder=$(mktemp -d)
    trap 'rm -rf "$builder"' EXIT
    "${PYTHON:-python3}" -m venv "$builder"
    # shellcheck disable=SC2086
    pip "$builder" $hashed -r "$source/requirements/build.txt"
    "$builder/bin/python" -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation \
        --wheel-dir "$builder/wheel" "$source"
    pip "$root" --no-deps --force-reinstall "$builder"/wheel/*.whl
}

install_lalelu() {
    root=$DESTDIR$PREFIX
    if [ -e "$root" ] && [ ! -e "$DESTDIR$mark" ] && [ -n "$(ls -A "$root")" ]; then
        fail "PREFIX is $PREFIX, which holds other things; name a folder for lalelu alone, such as $PREFIX/lalelu"
    fi
    say "lalelu, with what it needs:"
    mkdir -p "$root"
    touch "$DESTDIR$mark"
    "${PYTHON:-python3}" -m venv "$root" || fail "venv failed; on Debian: apt-get install python3-venv"
    if [ "$SERVICE_PINNED" = no ]; then pip "$root" "$source"; else install_pinned; fi
    if [ -n "$DESTDIR" ]; then  # scripts name their Python by its path
        grep -rlIF "$root" "$root/bin" "$root/pyvenv.cfg" | while read -r file; do
            sed -i "s|$root|$PREFIX|g" "$file"
        done
    fi
    say "  $root"
}

# shellcheck disable=SC2086  # SERVICE_MODELS may be several names
fetch_models() {
    [ -n "$SERVICE_MODELS" ] || return 0
    again="lalelu model fetch $SERVICE_MODELS"
    if [ "$scope" = system ]; then again="runuser -u lalelu -- env HOME=$cache LALELU_CACHE=$cache $bin/$again"; fi
    if [ -n "$DESTDIR" ]; then
        say "not done below DESTDIR: $again"
        return 0
    fi
    say "the network's files:"
    if [ "$scope" = system ]; then
        install -d -o lalelu -g lalelu "$cache"
        cd /
        runuser -u lalelu -- env HOME="$cache" LALELU_CACHE="$cache" "$bin/lalelu" model fetch $SERVICE_MODELS >&2 &&
            rm -rf "$cache/.npm"  # 144 MB, where the network's files came by npm
    else
        LALELU_CACHE=$cache "$bin/lalelu" model fetch $SERVICE_MODELS >&2
    fi || fail "all is installed but the network's files; the service must not fetch them. When there is a connection: $again"
}

install_all() {
    [ -z "$SERVICE_BIN" ] || [ -x "$bin/lalelu" ] || fail "SERVICE_BIN is $bin, where there is no command lalelu"
    check_in_sight
    [ -n "$SERVICE_BIN" ] || install_lalelu
    say "units and what they need:"
    files | while read -r from to; do place "$from" "$to"; done
    if [ -e "$DESTDIR$config" ]; then
        say "  $DESTDIR$config stays as it is"
    else
        place lalelu.yaml.in "$config"
    fi
    if [ "$scope" = system ] && [ -z "$DESTDIR" ]; then
        command -v systemd-sysusers >/dev/null || fail "systemd-sysusers, which makes the user lalelu, is not there"
        systemd-sysusers "$SERVICE_LIB/sysusers.d/lalelu.conf"
        systemd-tmpfiles --create "$SERVICE_LIB/tmpfiles.d/lalelu.conf"
    fi
    reload
    fetch_models
    user=$([ "$scope" = system ] || echo "--user ")
    say "next: edit $config, then  systemctl ${user}enable --now lalelu"
    say "when it ran already:  systemctl ${user}restart lalelu"
}

uninstall_all() {
    if systemd_runs; then
        control disable --now lalelu.service || say "it was not enabled"
        [ "$scope" = user ] || for unit in /etc/systemd/system/*.wants/lalelu@?*.service; do
            [ ! -L "$unit" ] || control disable --now "$(basename "$unit")"
        done
    fi
    say "removed:"
    files | while read -r _ to; do
        [ ! -e "$DESTDIR$to" ] || { rm "$DESTDIR$to" && say "  $DESTDIR$to"; }
    done
    if [ -e "$DESTDIR$mark" ]; then
        rm -rf "$DESTDIR$PREFIX" && say "  $DESTDIR$PREFIX"
    elif [ -z "$SERVICE_BIN" ]; then
        say "  (no lalelu in $DESTDIR$PREFIX; PREFIX= says where it was installed)"
    fi
    reload
    say "kept, because it is yours:"
    say "  $(dirname "$DESTDIR$config")  configuration"
    say "  $DESTDIR$state  ledgers"
    say "  $DESTDIR$cache  networks, among them those you imported"
    [ "$scope" = user ] || say "  the user and group lalelu, who own the files"
}

case $action in
    install) install_all ;;
    uninstall) uninstall_all ;;
    *) fail "usage: $0 install|uninstall system|user" ;;
esac
