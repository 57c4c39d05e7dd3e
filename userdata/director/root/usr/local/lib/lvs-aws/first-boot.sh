#!/bin/sh
# Once, by cloud-init: from here on systemd brings a director up at every boot.
set -eu
systemctl try-restart systemd-journald.service # it runs already, and has limits now
"${0%/*}/install-packages.sh" keepalived ipvsadm nftables python3-boto3
# Linked only now: Keepalived does not start without this file, neither while it is being installed.
ln -sfn /etc/lvs-aws/keepalived.conf /etc/keepalived/keepalived.conf
systemd-sysusers lvs-aws.conf
"${0%/*}/start-units.sh" lvs-network.service lvs-agent.service keepalived.service
# On the console, where EC2 shows it: docs/changes.md waits for this line.
echo 'lvs-aws: this director is ready'
