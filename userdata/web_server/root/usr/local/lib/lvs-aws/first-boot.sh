#!/bin/sh
# Once, by cloud-init: from here on systemd brings a web server up at every boot.
set -eu
"${0%/*}/keep-routes.sh"
# Its new settings are read by networkd when it starts, and it runs already.
systemctl try-restart systemd-networkd.service
"${0%/*}/start-units.sh" lvs-return-path.service
"${0%/*}/install-packages.sh" nginx-light
rm -f /etc/nginx/sites-enabled/default
ln -sfn /etc/lvs-aws/nginx-site.conf /etc/nginx/sites-enabled/lvs-aws
"${0%/*}/start-units.sh" nginx.service
