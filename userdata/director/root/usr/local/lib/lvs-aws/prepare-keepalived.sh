#!/bin/sh
# What keepalived.conf includes and writes to: the network card's name is known on the machine only.
set -eu
run=/run/lvs-aws
mkdir -p "$run"
[ -p "$run/vrrp.fifo" ] || mkfifo -m 600 "$run/vrrp.fifo"
nic=$(/usr/local/lib/lvs-aws/interface.sh)
echo "\$NIC=$nic" >"$run/interface.conf"
