#!/bin/sh
# Once, by cloud-init: from here on systemd brings a web server up at every boot.
set -eu
"${0%/*}/keep-routes.sh"
# Their new settings are read by these when they start, and they run already.
systemctl try-restart systemd-networkd.service systemd-journald.service
"${0%/*}/start-units.sh" lvs-return-path.service
# Under the name of Debian's own site, and before nginx comes: its installation leaves that name alone and starts ours.
mkdir -p /etc/nginx/sites-enabled
ln -sfn /etc/lvs-aws/nginx-site.conf /etc/nginx/sites-enabled/default
PAUSE=${0%/*}/wait-for-director.sh "${0%/*}/install-packages.sh" nginx
"${0%/*}/start-units.sh" nginx.service lvs-logs.timer
