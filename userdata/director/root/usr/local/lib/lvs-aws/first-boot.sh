#!/bin/sh
# Once, by cloud-init: from here on systemd brings a director up at every boot.
set -eu
lib=/usr/local/lib/lvs-aws
"$lib/install-packages.sh" keepalived ipvsadm nftables python3-boto3
# Linked only now: Keepalived does not start without this file, neither while it is being installed.
ln -sfn /etc/lvs-aws/keepalived.conf /etc/keepalived/keepalived.conf
systemctl is-enabled --quiet keepalived.service || systemctl --no-reload enable keepalived.service
systemctl --no-reload enable lvs-network.service lvs-agent.service
systemctl daemon-reload
systemctl restart lvs-network.service lvs-agent.service keepalived.service
