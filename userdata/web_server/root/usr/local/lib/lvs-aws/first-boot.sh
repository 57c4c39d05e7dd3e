#!/bin/sh
# Once, by cloud-init: from here on systemd brings a web server up at every boot.
set -eu
lib=/usr/local/lib/lvs-aws
# Read by networkd when it starts, and it runs already.
systemctl try-restart systemd-networkd.service
systemctl --no-reload enable lvs-return-path.service
systemctl daemon-reload
systemctl restart lvs-return-path.service
"$lib/install-packages.sh" nginx-light
rm -f /etc/nginx/sites-enabled/default
ln -sfn /etc/lvs-aws/nginx-site.conf /etc/nginx/sites-enabled/lvs-aws
systemctl is-enabled --quiet nginx.service || systemctl enable nginx.service
systemctl restart nginx.service
