#!/bin/sh
# director.sh install|remove: the original in the place of this project's director, also after a reboot, and back.
set -eu
units=/etc/systemd/system
kept=/opt/original/kept

install() {
    systemctl stop keepalived lvs-agent
    mkdir -p "$kept"
    [ -e "$kept/lvs-aws.conf" ] || mv "$units/keepalived.service.d/lvs-aws.conf" "$kept/"
    rm -f "$units/multi-user.target.wants/lvs-agent.service" "$units/multi-user.target.wants/lvs-network.service"
    ln -sfn /opt/original/keepalived.conf /etc/keepalived/keepalived.conf
    # Repair, kept of ours: forwarding on, redirects off (/etc/sysctl.d/60-lvs-aws.conf), and the source/destination check
    # is off. The rest of the data path goes.
    nft delete table ip lvs_aws 2>/dev/null || true
    ip link del vxs 2>/dev/null || true
    ip route del local "$1" dev lo 2>/dev/null || true
    rm -f /run/lvs-aws/status.json /run/lvs-aws/owner
    systemctl daemon-reload
    sync # a killed machine loses what is not on its disk
}

remove() {
    systemctl stop keepalived
    [ -e "$kept/lvs-aws.conf" ] && mv "$kept/lvs-aws.conf" "$units/keepalived.service.d/"
    ln -sfn /etc/lvs-aws/keepalived.conf /etc/keepalived/keepalived.conf
    rm -rf /opt/original
    systemctl daemon-reload
    /usr/local/lib/lvs-aws/start-units.sh lvs-network.service lvs-agent.service
    systemctl restart lvs-network lvs-agent
    systemctl --no-block start keepalived
    sync
}

"$@"
