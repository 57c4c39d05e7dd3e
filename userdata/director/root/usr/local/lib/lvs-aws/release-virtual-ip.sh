#!/bin/sh
# cloud-init makes every address of the interface permanent on a machine's first boot (apply_full_imds_network_config).
# The virtual IP belongs on lo and to Keepalived alone: take it off the network card, now and for later boots.
set -eu
nic=$(/usr/local/lib/lvs-aws/interface.sh)
ip -4 -o address show dev "$nic" | sed -n "s|.* inet \(${VIRTUAL_IP:?}/[0-9]*\) .*|\1|p" | while read -r address; do
    echo "release-virtual-ip: $address was on $nic"
    file=$(sed -n 's/^NETWORK_FILE=//p' "/run/systemd/netif/links/$(cat "/sys/class/net/$nic/ifindex")" || true)
    if [ -n "$file" ]; then
        # An empty assignment drops the static addresses of the file (systemd.network(5)); DHCP's stays.
        mkdir -p "/etc/systemd/network/${file##*/}.d"
        printf '[Network]\nAddress=\n' >"/etc/systemd/network/${file##*/}.d/lvs-aws.conf"
        networkctl reload || true
    fi
    ip address del "$address" dev "$nic" 2>/dev/null || true
done
