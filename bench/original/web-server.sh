#!/bin/sh
# web-server.sh install VIRTUAL_IP|remove: the original's way back for replies, and ours again.
# The default route through the virtual IP is a repair itself: the original says nothing of replies, and without it none
# arrives. The neighbour settings are the kernel's own (ip-sysctl, neigh/default), which nothing in it changed.
set -eu

install() {
    nic=$(/usr/local/lib/lvs-aws/interface.sh)
    systemctl stop lvs-return-path
    nft delete table ip lvs_return 2>/dev/null || true
    ip link del lvs-hold 2>/dev/null || true
    for number in 5101 5102 5355; do
        ip rule del priority "$number" 2>/dev/null || true
    done
    ip route replace default via "$1" dev "$nic"
    for interface in default "$nic"; do
        cd "/proc/sys/net/ipv4/neigh/$interface"
        echo 30000 >base_reachable_time_ms
        echo 5 >delay_first_probe_time
        echo 1000 >retrans_time_ms
        echo 3 >ucast_solicit
        echo 100 >locktime
    done
}

remove() {
    systemctl start lvs-return-path
}

"$@"
