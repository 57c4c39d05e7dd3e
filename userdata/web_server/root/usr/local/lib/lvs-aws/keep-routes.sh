#!/bin/sh
# With the last address of a card all its routes go, ours too, and networkd takes the address when a link is lost.
# It is told not to: a link that comes back finds everything as it was (systemd.network(5), IgnoreCarrierLoss).
set -eu
nic=$(/usr/local/lib/lvs-aws/interface.sh)
file=$(sed -n 's/^NETWORK_FILE=//p' "/run/systemd/netif/links/$(cat "/sys/class/net/$nic/ifindex")")
[ -n "$file" ] || exit 0 # the card is not networkd's
mkdir -p "/etc/systemd/network/${file##*/}.d"
printf '[Network]\nIgnoreCarrierLoss=yes\n' >"/etc/systemd/network/${file##*/}.d/lvs-aws.conf"
