#!/bin/sh
# Reads into the page cache what a machine's first boot will read. It loads and changes nothing that user data should.
set -eu
modprobe virtio_net
python3 - <<'PYTHON'
import contextlib
import importlib

import cloudinit.cmd.main
import cloudinit.config
import cloudinit.sources.DataSourceEc2

for module in ("write_files", "runcmd", "scripts_user", "set_hostname", "update_etc_hosts", "package_update_upgrade_install"):
    importlib.import_module(f"cloudinit.config.cc_{module}")
for module in ("network_manager", "networkd", "netplan", "eni"):
    importlib.import_module(f"cloudinit.net.{module}")
with contextlib.suppress(ImportError):
    import boto3

    boto3.session.Session(region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-").client("ec2")
PYTHON
for program in bash curl dhcpcd ip nft ipvsadm keepalived nginx nc dpkg-query apt-get systemctl networkctl resolvectl; do
  path=$(command -v "$program") || continue
  cat "$path" >/dev/null
done
cat /usr/lib/systemd/systemd-networkd /usr/lib/systemd/systemd-networkd-wait-online >/dev/null
find "/lib/modules/$(uname -r)/kernel/net" \
  \( -name 'ip_vs*' -o -name 'nf_*' -o -name 'nft_*' -o -name 'vxlan*' \) -exec cat {} + >/dev/null
sync
