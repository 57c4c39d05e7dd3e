#!/bin/sh
# install-packages.sh PACKAGE...: install what is missing, however long the way to the mirror takes to open.
# A director's public address comes after its boot; a web server's way out needs an active director.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

installed() {
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || return 1
    done
}

apt() {
    apt-get -q -y -o Acquire::Retries=1 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 \
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
    echo "install-packages: attempt $attempt failed, next in $delay s" >&2
    sleep "$delay"
    attempt=$((attempt + 1))
    delay=$((delay * 2 > 30 ? 30 : delay * 2))
done
echo "install-packages: all installed: $*"
