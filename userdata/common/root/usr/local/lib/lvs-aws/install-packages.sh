#!/bin/sh
# install-packages.sh PACKAGE...: install what is missing, however long the way to the mirror takes to open.
# A director's public address comes after its boot; a web server's way out needs an active director.
# Between attempts it runs `$PAUSE SECONDS`, or sleeps.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

installed() {
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || return 1
    done
}

apt() {
    # Source indexes and descriptions in other languages are most of what an update fetches.
    apt-get -q -y -o Acquire::Languages=none -o Acquire::IndexTargets::deb-src::Sources::DefaultEnabled=no \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 \
        -o APT::Update::Error-Mode=any -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"
}

attempt=1
delay=1
until installed "$@"; do
    echo "install-packages: attempt $attempt: $*"
    # An interrupted installation is mended first.
    dpkg --configure -a
    if apt update && apt install --no-install-recommends "$@"; then
        continue
    fi
    # An index that a lost power left empty would not be fetched again: the mirror says that it did not change.
    rm -rf /var/lib/apt/lists/*
    echo "install-packages: attempt $attempt failed, next in $delay s" >&2
    ${PAUSE:-sleep} "$delay"
    attempt=$((attempt + 1))
    delay=$((delay < 5 ? delay + 1 : 5))
done
echo "install-packages: all installed: $*"
