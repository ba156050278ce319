#!/bin/sh
# Makes a virtual environment and installs a hashed lock into it. A run that follows an interrupted
# one starts anew. Usage, from the repository root: requirements/setup_venv.sh VENV LOCK
set -eu

venv=$1
lock=$2

say() { echo "setup: $*"; }
fail() {
    echo "setup: error: $*" >&2
    exit 1
}

free_space() { df -Pm "$venv" | awk 'NR == 2 { printf "%.1f GB", $4 / 1024 }'; }

is_311() { [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 3.11 ]; }

find_python() {
    for candidate in ${PYTHON:-python3.11 python3}; do
        if is_311 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 is needed, and neither 'python3.11' nor 'python3' is it. Install it" \
        "(Debian 12: apt-get install python3.11 python3.11-venv) or name it: make PYTHON=/path/to/python3.11"
}

# Debian ships the interpreter without ensurepip, which venv needs.
need_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # CI makes two environments at once: the second waits here and finds it installed.
        exec 9<"$0"
        flock 9
        if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
            say "installing python3.11-venv, which Debian ships apart from Python"
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3.11-venv >/dev/null
        fi
        exec 9<&-
        "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    fi
    fail "$1 cannot make virtual environments (no ensurepip)." \
        "Run: sudo apt-get install python3.11-venv, then make again"
}

# Two runs at once, of two terminals, would each take the other's environment apart: one waits.
if command -v flock >/dev/null; then
    exec 8<"$lock"
    flock -n 8 || say "waiting for another setup from $lock"
    flock 8
fi

# pip takes a package for installed as soon as its metadata is there, which it writes before most of
# the files. So what an interrupted installation left is not to be built on: the mark is removed at
# the end.
unfinished=$venv/.unfinished

if [ -e "$unfinished" ] || ! { [ -x "$venv/bin/pip" ] && is_311 "$venv/bin/python"; }; then
    python=$(find_python)
    need_venv_module "$python"
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
touch "$unfinished"

say "installing $lock into $venv (once; at most about 8 minutes and 4 GB)"
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes"
install() {
    $pip "$@" || fail "the installation into $venv has failed, see above; $(free_space) are free there." \
        "Make again to start it anew"
}
install -r requirements/bootstrap.lock
# Without build isolation the one source distribution (crcmod) is built by the pinned setuptools.
# It has a C extension and does without when there is no compiler.
install --no-build-isolation -r "$lock"
rm "$unfinished"
say "done"
