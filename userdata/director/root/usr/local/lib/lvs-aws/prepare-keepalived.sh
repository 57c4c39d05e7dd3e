#!/bin/sh
# What keepalived.conf includes and writes to: the network card's name is known on the machine only.
set -eu
systemd-tmpfiles --create lvs-aws.conf
nic=$(/usr/local/lib/lvs-aws/interface.sh)
echo "\$NIC=$nic" >/run/lvs-aws/interface.conf
