#!/bin/sh
# Makes the system that every booted machine of the sandbox starts from: Debian 12 as a vendor's cloud image has it, with the
# packages that cloud-init/setup.sh asks for, since machines of the sandbox have no way to an archive.
# Usage: build.sh FOLDER   Makes FOLDER/root (the tree) and FOLDER/tools (programs beside it). Needs root and debootstrap.
set -eu
folder=$1
root=$folder/root
say() { echo "step: $1" >&2; }
in_tree() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

say 'Debian 12'
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$folder/debootstrap.log" 2>&1 || {
  tail -n 5 "$folder/debootstrap.log" >&2
  exit 1
}

# The archives of this machine, where it is a Debian of the same release: they have the security updates, and are reached from here.
if [ "$(. /etc/os-release && echo "$ID-${VERSION_CODENAME:-}")" = debian-bookworm ]; then
  cp -a /etc/apt/sources.list "$root/etc/apt/" 2>/dev/null || true
  cp -a /etc/apt/sources.list.d/. "$root/etc/apt/sources.list.d/" 2>/dev/null || true
fi
apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/00build" || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing is started while packages are installed
chmod 0755 "$root/usr/sbin/policy-rc.d"

say 'packages'
in_tree apt-get update -qq
in_tree apt-get install -qq -y --no-install-recommends \
  systemd systemd-sysv dbus libpam-systemd cloud-init openssh-server sudo locales iproute2 iputils-ping netbase procps kmod cron less \
  bash-completion rsync mosh ca-certificates curl git openssl caddy ufw unattended-upgrades >"$folder/apt.log" 2>&1 || {
  tail -n 5 "$folder/apt.log" >&2
  exit 1
}

say 'ACME test server'
mkdir -p "$folder/tools"
in_tree sh -c 'cd /var/tmp && apt-get download -qq pebble' >/dev/null 2>&1 && dpkg-deb -x "$root"/var/tmp/pebble_*.deb "$folder/tools"
rm -f "$root"/var/tmp/pebble_*.deb

say 'settings'
sed -i 's/^# *en_US.UTF-8 /en_US.UTF-8 /' "$root/etc/locale.gen"
in_tree locale-gen >/dev/null
in_tree update-locale LANG=en_US.UTF-8
in_tree systemctl disable --quiet caddy ssh.socket 2>/dev/null
in_tree systemctl enable --quiet ssh systemd-networkd 2>/dev/null
# As in a cloud image: the datasource is known, and the network is the sandbox's business.
printf 'datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\n' >"$root/etc/cloud/cloud.cfg.d/90_sandbox.cfg"
# Hostinger runs /post_install once after an installation and keeps what it says.
cat >"$root/etc/systemd/system/post-install.service" <<'UNIT'
[Unit]
Description=The post-install script of the vendor
ConditionPathExists=/post_install
After=network-online.target cloud-init.service ssh.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c '/post_install >/post_install.log 2>&1'

[Install]
WantedBy=multi-user.target
UNIT
in_tree systemctl enable --quiet post-install 2>/dev/null
# Timers that want an archive, which there is none.
in_tree systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer 2>/dev/null
rm -f "$root"/etc/ssh/ssh_host_* "$root/usr/sbin/policy-rc.d" "$root/etc/apt/apt.conf.d/00build" "$root/etc/resolv.conf"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log
in_tree apt-get clean
: >"$root/etc/machine-id" # empty and not absent: no machine takes its first boot for the image's, which would enable every unit
rm -f "$folder"/*.log
