#!/bin/bash
# Makes a bare Ubuntu or Debian a Spoq box. All files it speaks of have been written before; it may be run again at any time.
# Log: /var/log/spoq-setup.log
set -euo pipefail
exec > >(tee -a /var/log/spoq-setup.log) 2>&1
export DEBIAN_FRONTEND=noninteractive
. /usr/local/lib/spoq/setup.conf

step() { echo "spoq-setup: $(date -u +%FT%TZ) $*"; }
# Mirrors, name servers and package locks of a fresh machine need patience.
retry() { local n; for n in 1 2 3 4 5 6; do "$@" && return; echo "spoq-setup: try $n failed: $*"; sleep $((n * 5)); done; "$@"; }

step 'packages'
retry apt-get -o DPkg::Lock::Timeout=300 update
retry apt-get -o DPkg::Lock::Timeout=300 -y -o Dpkg::Options::=--force-confold install caddy ca-certificates curl openssh-server sudo ufw unattended-upgrades

step 'account'
getent group spoq >/dev/null || groupadd spoq
id spoq >/dev/null 2>&1 || useradd --create-home --gid spoq --shell /bin/bash spoq
usermod --append --groups sudo spoq
usermod --append --groups spoq caddy

step 'firewall'
ufw --force reset >/dev/null
ufw default deny incoming
ufw default allow outgoing
ufw limit 22/tcp
ufw allow 443/tcp
ufw --force enable

step 'sshd'
mkdir -p /run/sshd
sshd -t
systemctl reload-or-restart ssh

step 'conductor and spoq'
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp /usr/local/lib/spoq/SHA256SUMS "$work/SHA256SUMS"
[ -s "$work/SHA256SUMS" ] || retry curl -fsSL --retry 5 -o "$work/SHA256SUMS" "$SPOQ_RELEASES_URL/SHA256SUMS"
for name in conductor spoq; do
  file="$name-linux-$arch"
  retry curl -fsSL --retry 5 -o "$work/$file" "$SPOQ_RELEASES_URL/$file"
  (cd "$work" && awk -v file="$file" '$2 == file' SHA256SUMS | sha256sum --check --strict -)
  install -m 0755 "$work/$file" "/usr/local/bin/.$name.new"
  mv "/usr/local/bin/.$name.new" "/usr/local/bin/$name"
done
chown root:spoq /etc/conductor/config.toml
chmod 0640 /etc/conductor/config.toml
systemctl daemon-reload
systemctl enable conductor
systemctl restart conductor

step 'caddy'
caddy validate --adapter caddyfile --config /etc/caddy/Caddyfile
systemctl enable caddy
systemctl restart caddy

step 'done'
