#!/bin/sh
# start-units.sh UNIT...: start units now and at every boot.
# `systemctl enable` would also run SysV's tools where a package brings an init script, which takes seconds and adds nothing.
set -eu
wants=/etc/systemd/system/multi-user.target.wants
mkdir -p "$wants"
for unit in "$@"; do
    path=/etc/systemd/system/$unit
    [ -e "$path" ] || path=/usr/lib/systemd/system/$unit
    ln -sfn "$path" "$wants/$unit"
done
# Only a unit that was loaded before its files came needs a reload, which runs every generator.
case $(systemctl show --property=NeedDaemonReload "$@") in
*yes*) systemctl daemon-reload ;;
esac
systemctl start "$@"
