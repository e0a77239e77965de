#!/bin/bash
# Makes a bare Ubuntu (22.04, 24.04) or Debian (12) a Spoq box. The files it speaks of have been written before. It may be run
# again at any time: what is as it should be is left alone. Log: /var/log/spoq-setup.log
set -euo pipefail
umask 022
# Nothing asks, nothing restarts services behind our back (needrestart), and programs speak English where their words are read.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# shellcheck source=/dev/null
. /usr/local/lib/spoq/setup.conf

state=/var/lib/spoq # password and boot-token until they have done their work; what services were started with; set-up: it has all been done once
log=/var/log/spoq-setup.log
packages=(ca-certificates caddy curl git openssh-server sudo ufw unattended-upgrades)

exec 8>/run/spoq-setup.lock
flock 8
mkdir -p "$state" && chmod 0700 "$state"
[ -e "$log" ] || install -m 0640 -g adm /dev/null "$log"
begin=$(wc -l <"$log")
exec 3>&1 4>&2 > >(exec tee -a "$log") 2>&1
tee=$!
queue=$(mktemp -d /run/spoq-reports.XXXXXX)
reports=0
current=''

say() { echo "spoq-setup: $(date -u +%FT%TZ) $*"; }
# Mirrors, name servers and package locks of a fresh machine need patience.
retry() {
  local try
  for try in 1 2 3 4 5; do
    "$@" && return
    say "try $try failed: $1"
    sleep $((try * 4))
  done
  "$@"
}
is_first() { [ ! -e "$state/set-up" ]; }
is_member() { [[ " $(id -nG "$1") " = *" $2 "* ]]; }
# A file gets what comes on stdin, unless that is what it holds.
put() {
  local content
  content=$(cat)
  [ "$(cat "$1" 2>/dev/null)" = "$content" ] || printf '%s\n' "$content" >"$1"
}

# Tells the control plane how a step stands, in the background and in order. What can't be sent is tried again with the next; none of
# this ever fails the set-up. Curl reads the token from its file, so that no list of processes shows it.
report() { # step state [last lines]
  [ -s "$state/boot-token" ] && [ -n "$SPOQ_REPORT_URL" ] || return 0
  reports=$((reports + 1))
  printf '%s' "${3-}" >"$(printf '%s/%03d.%s.%s' "$queue" "$reports" "$1" "$2")"
  (flock -n 9 && send_reports) 8>&- 9>"$queue.lock" </dev/null >>"$log" 2>&1 &
}
send_reports() {
  local file name code
  while set -- "$queue"/* && [ -e "$1" ]; do
    file=$1
    name=${file##*/}
    code=$(curl -sS --connect-timeout 3 --max-time 5 -o /dev/null -w '%{http_code}' -H "@$state/boot-token" \
      --data-urlencode "step=$(cut -d. -f2 <<<"$name")" --data-urlencode "state=$(cut -d. -f3 <<<"$name")" \
      --data-urlencode "log@$file" "$SPOQ_REPORT_URL") || return 0
    # Refused is refused; a control plane that is overloaded or away is asked again.
    case $code in 429 | 5*) return 0 ;; *) rm -f "$file" ;; esac
  done
}
finish_reports() { (flock -w 15 9 && send_reports) 8>&- 9>"$queue.lock" </dev/null || :; }

on_exit() {
  local status=$?
  set +e
  if [ "$status" -ne 0 ]; then
    # All that was said has to be in the log before its last lines are read: tee ends when nobody writes to it any more.
    exec >&3 2>&4 3>&- 4>&-
    timeout 5 tail --pid="$tee" -f /dev/null
    [ -z "$current" ] || report "$current" failed "$(tail -n "+$((begin + 1))" "$log" | tail -n 15 | sed 's/^spoq-setup: [^ ]* //')"
    say "failed: ${current:-before the first step} (exit status $status)" | tee -a "$log"
  fi
  finish_reports
  [ "$status" -ne 0 ] || rm -f "$state/boot-token"
  rm -rf "$queue" "$queue.lock"
  exit "$status"
}
trap on_exit EXIT

# Starts a unit anew if it isn't running or if anything that it was started with has changed.
settle() { # unit inputs [a check before it]
  local unit=$1 inputs
  inputs=$(sha256sum <<<"$2")
  if [ "$(cat "$state/$unit.started" 2>/dev/null)" = "$inputs" ] && systemctl is-active --quiet "$unit"; then return; fi
  "${@:3}"
  systemctl daemon-reload
  systemctl is-enabled --quiet "$unit" || systemctl enable "$unit"
  systemctl restart "$unit" || {
    journalctl --no-pager --quiet -n 12 -u "$unit" || :
    return 1
  }
  echo "$inputs" >"$state/$unit.started"
}

step_account() {
  if is_first; then clear_vendor_accounts; fi
  local label=${SPOQ_HOSTNAME%%.*}
  put /etc/hostname <<<"$label"
  [ "$(stat -c %a /etc/hostname)" = 644 ] || chmod 0644 /etc/hostname
  [ "$(uname -n)" = "$label" ] || hostname "$label"
  { grep -v '^127\.0\.1\.1[[:space:]]' /etc/hosts || :; echo "127.0.1.1 $SPOQ_HOSTNAME $label"; } | put /etc/hosts
  getent group spoq >/dev/null || groupadd spoq
  id spoq >/dev/null 2>&1 || useradd --create-home --key HOME_MODE=0750 --gid spoq --shell /bin/bash spoq
  is_member spoq sudo || usermod --append --groups sudo spoq
  if [ -s "$state/password" ]; then
    grep -qxF "spoq:$(getent shadow spoq | cut -d: -f2)" "$state/password" || chpasswd --encrypted <"$state/password"
    rm "$state/password"
  fi
}

# Images bring accounts (Contabo's admin, ubuntu), some with a password-less sudo. Nobody has lived in them and nobody shall.
clear_vendor_accounts() {
  local name uid
  while IFS=: read -r name _ uid _; do
    [ "$uid" -lt 1000 ] || [ "$uid" -ge 60000 ] || [ "$name" = spoq ] || userdel --force --remove "$name"
  done < <(getent passwd)
  rm -f /etc/sudoers.d/90-cloud-init-users
  [ ! -d /etc/sudoers.d ] || chmod 0750 /etc/sudoers.d
  install -d -m 0700 ~root/.ssh && install -m 0600 /dev/null ~root/.ssh/authorized_keys
  [[ $(getent shadow root) = root:!* ]] || passwd --lock root
  # The document that this machine was made from holds secrets; cloud-init's own copies are root's alone.
  [ ! -d /var/lib/cloud/seed ] || chmod -R go= /var/lib/cloud/seed
}

step_sshd() {
  if is_first; then quiet_distribution; fi
  # Absent from an image, it comes with the packages, and starts with our configuration.
  [ -x /usr/sbin/sshd ] || return 0
  mkdir -p /run/sshd
  sshd -t
  # Whatever else the image's own configuration says: these hold, or nothing goes on.
  local answer inputs
  for answer in 'root no' 'spoq yes'; do
    grep -qx "passwordauthentication ${answer#* }" <<<"$(sshd -T -C "user=${answer% *},host=x,addr=192.0.2.1")" || {
      say "sshd does not heed 10-spoq.conf: passwords of ${answer% *} should be: ${answer#* }"
      return 1
    }
  done
  inputs=$(sha256sum /etc/ssh/sshd_config.d/10-spoq.conf /etc/ssh/spoq_host_ed25519_key.pub)
  [ "$(cat "$state/ssh.started" 2>/dev/null)" != "$inputs" ] || return 0
  # Ubuntu 24.04 listens by ssh.socket, where the service may not run yet: this starts it.
  systemctl reload-or-restart ssh
  echo "$inputs" >"$state/ssh.started"
}

# What Ubuntu and Debian say at a log-in would push the welcome off a phone's screen. Programs lose their x and stay: a changed file of
# a package would keep it from being upgraded by itself.
quiet_distribution() {
  find /etc/update-motd.d -type f -perm /111 -exec chmod a-x {} + 2>/dev/null || :
  find /etc/update-motd.d -type l -delete 2>/dev/null || :
  [ -e /etc/legal ] || return 0
  install -d -m 0700 -o spoq -g spoq /home/spoq/.cache
  install -m 0644 -o spoq -g spoq /dev/null /home/spoq/.cache/motd.legal-displayed
  install -m 0644 -o spoq -g spoq /dev/null /home/spoq/.sudo_as_admin_successful
}

step_packages() {
  local name missing=()
  for name in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  # Everything is there on a prepared image: then no mirror is asked.
  [ ${#missing[@]} -gt 0 ] || return 0
  say "missing: ${missing[*]}"
  retry apt-get -q -o DPkg::Lock::Timeout=300 update
  if [[ " ${missing[*]} " = *' caddy '* ]] && ! apt-cache show caddy >/dev/null 2>&1; then add_caddy_archive; fi
  # Its package starts it at once. It is to begin when its name leads here: see step_caddy.
  [[ " ${missing[*]} " != *' caddy '* ]] || systemctl mask --runtime caddy
  retry install_packages "${missing[@]}"
}
install_packages() {
  dpkg --configure -a && apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install "$@"
}

# Ubuntu 22.04 has no Caddy. Its authors' archive does; it is believed only by the key whose fingerprint is written here.
add_caddy_archive() {
  local key=/usr/share/keyrings/spoq-caddy.asc found
  retry apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install ca-certificates curl gpg
  retry curl -fsSL --max-time 60 -o "$key" https://dl.cloudsmith.io/public/caddy/stable/gpg.key
  found=$(gpg --show-keys --with-colons "$key" | awk -F: '$1 == "pub" { pub = 1 } $1 == "fpr" && pub { print $10; pub = 0 }')
  if [ "$found" != 65760C51EDEA2017CEA2CA15155B6D79CA56EA34 ]; then
    rm -f "$key"
    say "the key of Caddy's archive is not the one that is known: $found"
    return 1
  fi
  put /etc/apt/sources.list.d/spoq-caddy.list \
    <<<"deb [signed-by=$key] https://dl.cloudsmith.io/public/caddy/stable/deb/debian any-version main"
  retry apt-get -q -o DPkg::Lock::Timeout=300 update
}

step_firewall() {
  local added port
  added=$(ufw show added)
  # On a machine that is new the vendor's rules go. Later on, others than ours are its owner's.
  if is_first && awk '/^ufw / && !/^ufw allow (22|443)\/tcp$/ { found = 1 } END { exit !found }' <<<"$added"; then
    ufw --force reset >/dev/null
    rm -f /etc/ufw/*.rules.[0-9]*
    added=''
  fi
  grep -qx 'IPV6=yes' /etc/default/ufw || sed -i 's/^IPV6=.*/IPV6=yes/' /etc/default/ufw
  grep -qx 'DEFAULT_INPUT_POLICY="DROP"' /etc/default/ufw || ufw default deny incoming
  for port in 22/tcp 443/tcp; do
    grep -qx "ufw allow $port" <<<"$added" || ufw allow "$port"
  done
  systemctl is-enabled --quiet ufw || systemctl enable ufw
  grep -qx 'Status: active' <<<"$(ufw status)" || ufw --force enable
}

# Not beside the steps before: when the firewall begins, a download that is under way hangs, since its answers belong to nothing that
# the firewall has seen begin.
step_programs() {
  local arch sums name digest
  arch=$(dpkg --print-architecture)
  sums=$(cat /usr/local/lib/spoq/SHA256SUMS)
  for name in conductor spoq; do
    digest=$(awk -v file="$name-linux-$arch" '$2 == file { print $1 }' <<<"$sums")
    if [ -z "$digest" ]; then
      say "there is no $name for $arch"
      return 1
    fi
    sha256sum --check --status <<<"$digest  /usr/local/bin/$name" 2>/dev/null || retry fetch_program "$name" "$name-linux-$arch" "$digest"
  done
}
fetch_program() { # name file digest: whole and right, or not at all
  local new=/usr/local/bin/.$1.new
  curl -fsSL --connect-timeout 20 --speed-limit 1024 --speed-time 60 -o "$new" "$SPOQ_RELEASES_URL/$2" &&
    sha256sum --check --status <<<"$3  $new" && chmod 0755 "$new" && mv "$new" "/usr/local/bin/$1" && return
  say "$2 could not be had as it should be"
  rm -f "$new"
  return 1
}

step_conductor() {
  # Not spoq's account: what runs for the customer can neither read the conductor's keys nor stop it.
  getent group conductor >/dev/null || groupadd --system conductor
  id conductor >/dev/null 2>&1 || useradd --system --gid conductor --home-dir /var/lib/conductor --no-create-home --shell /usr/sbin/nologin conductor
  [ "$(stat -c '%U:%G %a' /etc/conductor/config.toml)" = 'root:conductor 640' ] || {
    chown root:conductor /etc/conductor/config.toml
    chmod 0640 /etc/conductor/config.toml
  }
  # Where the owner hands over model keys. What they become, a drop-in, is none of what the conductor is started with here.
  settle conductor-keys.socket "$(sha256sum /etc/systemd/system/conductor-keys*)"
  # Runs are confined by what these files say; the conductor finds the socket when it starts.
  settle conductor-work.socket "$(sha256sum /etc/systemd/system/conductor-work*)"
  # What works for the conductor in the owner's home. Its socket can only be opened anew while nothing serves it.
  settle conductor-files.socket "$(sha256sum /etc/systemd/system/conductor-files.*)" systemctl stop conductor-files.service
  settle conductor "$(find /etc/systemd/system -maxdepth 1 -type f -name 'conductor*' -exec sha256sum {} + | sort; sha256sum /etc/conductor/*; stat -c '%s %y' /usr/local/bin/conductor)"
}

step_caddy() {
  await_name
  systemctl unmask --runtime caddy
  is_member caddy conductor || usermod --append --groups conductor caddy
  settle caddy "$(find /etc/caddy /etc/systemd/system/caddy.service.d -type f -exec sha256sum {} + 2>/dev/null | sort; id -nG caddy)" \
    runuser -u caddy -- caddy validate --adapter caddyfile --config /etc/caddy/Caddyfile
}

# Caddy asks for a certificate as soon as it runs. As long as its name leads elsewhere that fails, counts at Let's Encrypt (five times an
# hour at most), and is tried again minutes later. So it begins when the name leads here; or after ten minutes whatever is said, since it
# goes on trying, and a name server that can't be asked from here must not keep a box from its owner.
await_name() {
  ! has_certificate || return 0
  conductor name --wait 600 &
  local asking=$!
  while kill -0 "$asking" 2>/dev/null; do
    # A box that has moved gets the one that it had, before its name leads here.
    if has_certificate; then
      kill "$asking" 2>/dev/null || :
      return 0
    fi
    sleep 0.2
  done
  wait "$asking" || say 'Caddy begins all the same, and goes on trying to get its certificate'
}
has_certificate() { compgen -G "/var/lib/caddy/.local/share/caddy/certificates/*/$SPOQ_HOSTNAME/$SPOQ_HOSTNAME.crt" >/dev/null; }

say 'begins'
for current in account sshd packages firewall programs conductor caddy; do
  say "$current"
  report "$current" started
  "step_$current"
  report "$current" 'done'
done
[ -e "$state/set-up" ] || date -u +%FT%TZ >"$state/set-up"
say 'done'
