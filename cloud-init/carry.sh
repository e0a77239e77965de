#!/bin/bash
# Takes what is on this box to the machine that it moves to. The stack runs it as root over SSH (stacks/carry.ts), with its settings in
# front of it on standard input. It may be run again at any time. Everything it prints may be read by the box's owner; when it fails,
# its last line says why.
#   SPOQ_STAGE=copy    the box serves on: everything is copied, and then what has changed meanwhile
#   SPOQ_STAGE=switch  nobody works here any more: the last changes are copied
#   SPOQ_STAGE=return  the box stays here after all, and serves again
set -euo pipefail
# A connection that is cut must not stop it half-way: then what it says gets lost, and not what it does.
trap '' HUP PIPE

SET_UP_SECONDS=1200
CLOSED=/etc/ssh/sshd_config.d/05-spoq-moving.conf # there while spoq may not come in
# What a person keeps on a box. Programs of packages and what they keep in /var are not in it, nor is /etc: see leave_notes.
TREES=(/home /root /srv /opt /usr/local /var/www)
# What would begin to work on the new machine while it still does on this one.
WORK=(/var/spool/cron/crontabs /var/lib/conductor)
# What each machine has of its own.
OWN=(~root/.ssh ~root/before-the-move /usr/local/bin/conductor /usr/local/bin/spoq '/usr/local/bin/.*' /usr/local/lib/spoq)

CARRIED=/var/lib/spoq/carried # there once the new machine has everything: it may be in use, and what it has is newer

say() { echo "$*" 2>/dev/null || :; }
fail() {
  echo "$*" >&2 || :
  exit 1
}

main() {
  exec 9>/run/spoq-carry.lock
  flock --wait 1200 9 || fail 'Another move of this box does not end. Nothing was changed.'
  case $SPOQ_STAGE in
  copy) copy ;;
  switch) switch ;;
  return) wake ;;
  esac
}

copy() {
  require_no_mounts
  dial
  ! is_carried || return 0
  require_rsync
  require_room
  await_set_up
  carry_trees
  carry_trees # takes as long as what has changed during the first time
}

switch() {
  require_no_mounts
  dial
  ! is_carried || return 0
  await_quiet
  rest
  remote 'systemctl stop conductor-retry.timer conductor caddy'
  carry_trees "${WORK[@]}"
  carry_certificate
  carry_keys
  leave_notes
  remote "touch $CARRIED && systemctl start caddy conductor conductor-retry.timer"
  say 'Everything is on the new machine'
}

# From here on nobody changes anything on this machine.
rest() {
  printf 'DenyUsers spoq\n' >"$CLOSED"
  systemctl reload-or-restart ssh
  systemctl stop conductor-retry.timer conductor
  systemctl stop cron 2>/dev/null || : # not everywhere
  loginctl terminate-user spoq 2>/dev/null || :
  local until=$((SECONDS + 5))
  while [ "$SECONDS" -lt "$until" ]; do
    pkill -KILL -u spoq || return 0
    sleep 0.2
  done
  fail 'Programs of spoq do not end.'
}

wake() {
  rm -f "$CLOSED"
  systemctl reload-or-restart ssh
  systemctl start conductor conductor-retry.timer
  systemctl start cron 2>/dev/null || :
  say 'The box serves again where it was'
}

# One connection for everything: a firewall counts them. The key is in memory only, and goes with this run.
dial() {
  folder=$(mktemp -d /run/spoq-carry.XXXXXX)
  trap 'ssh -o ControlPath="$folder/line" -O exit next 2>/dev/null </dev/null || :; rm -rf "$folder"' EXIT
  (umask 077 && printf '%s\n' "$SPOQ_KEY" >"$folder/key")
  printf '%s %s\n' "$SPOQ_ADDRESS" "$SPOQ_HOST_KEY" >"$folder/known"
  cat >"$folder/config" <<CONFIG
Host next
  HostName $SPOQ_ADDRESS
  User root
  IdentityFile $folder/key
  IdentitiesOnly yes
  BatchMode yes
  UserKnownHostsFile $folder/known
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
  ConnectTimeout 10
  ServerAliveInterval 15
  ServerAliveCountMax 8
  ControlMaster auto
  ControlPath $folder/line
  ControlPersist yes
CONFIG
  local until=$((SECONDS + SET_UP_SECONDS)) told=
  # Until its own set-up has come to that point the new machine shows another host key, or none.
  until remote true 2>/dev/null; do
    [ "$SECONDS" -lt "$until" ] || fail "The new machine could not be reached at $SPOQ_ADDRESS."
    [ -n "$told" ] || say 'Waiting for the new machine'
    told=yes
    sleep 3
  done
}

remote() { ssh -F "$folder/config" next "$@" </dev/null; }

is_carried() { remote "test -e $CARRIED"; }

require_rsync() {
  local install='command -v rsync >/dev/null || apt-get -q -y -o DPkg::Lock::Timeout=300 install rsync'
  (export DEBIAN_FRONTEND=noninteractive && eval "$install") >/dev/null </dev/null || fail 'rsync could not be installed here.'
  # Its own set-up may be busy with packages for a while.
  remote "export DEBIAN_FRONTEND=noninteractive; $install" >/dev/null || fail 'rsync could not be installed on the new machine.'
}

# Another disk, or another computer's: what is on it stays behind, and with this machine it would be lost.
require_no_mounts() {
  local point tree
  while read -r _ _ _ _ point _; do
    for tree in "${TREES[@]}"; do
      [[ $point != "$tree"/* ]] ||
        fail "$point is mounted from elsewhere and can't be moved along. Copy away what is on it, unmount it, and move then."
    done
  done </proc/self/mountinfo
}

require_room() {
  local needed free
  needed=$( (list_trees | xargs du -scxk "${OWN[@]/#/--exclude=}" 2>/dev/null || :) | tail -n 1 | cut -f 1)
  free=$(remote 'df --output=avail -k /' | tail -n 1)
  say "$((needed / 1024)) MB are to be copied"
  [ "$needed" -lt "$free" ] ||
    fail "There are $((needed / 1024)) MB to be copied, and the new machine has $((free / 1024)) MB free."
}

# Its Caddy waits for a certificate until its name leads there, which it does not yet: it gets the one from here.
await_set_up() {
  local until=$((SECONDS + SET_UP_SECONDS)) carried=
  say 'Waiting for the new machine to be set up'
  until remote 'test -e /var/lib/spoq/set-up'; do
    [ "$SECONDS" -lt "$until" ] || fail 'The new machine was not set up in time.'
    if [ -z "$carried" ] && remote 'test -d /var/lib/caddy'; then
      carry_certificate
      carried=yes
    fi
    sleep 1
  done
}

carry_certificate() { carry /var/lib/caddy; }

# Sealed with the key of this machine, they are unsealed here and sealed there. They stand in no argument and in no file between.
carry_keys() {
  local keep=/usr/local/lib/spoq/keep-keys.sh
  [ -e /var/lib/spoq/keys ] || return 0
  [ "$("$keep" show | ssh -F "$folder/config" next "$keep keep")" = kept ] || fail "The owner's model keys could not be carried."
}

carry_trees() {
  local tree
  while read -r tree <&7; do carry "$tree"; done 7< <(list_trees "$@")
}

# Those that are here.
list_trees() {
  local tree
  for tree in "${TREES[@]}" "$@"; do
    [ ! -d "$tree" ] || echo "$tree"
  done
}

# As it is here, to the same place there: with owners by name, modes, links, times; what is not here goes.
carry() {
  local own status=0
  for own in "${OWN[@]}"; do set -- "$@" --exclude="$own"; done
  say "Copying $1"
  remote "mkdir -p $1"
  # Patterns begin at the root of what is copied: with --relative that is the root of the machine.
  rsync --archive --relative --no-implied-dirs --hard-links --acls --xattrs --sparse --one-file-system --delete --delete-delay "${@:2}" \
    --info=progress2 --outbuf=L -e "ssh -F $folder/config" "$1/" next:/ </dev/null 2>"$folder/said" |
    tr '\r' '\n' | tell_now_and_then || status=$?
  # 24: something has gone away while it was being copied. The next time knows.
  [ "$status" -eq 0 ] || [ "$status" -eq 24 ] || fail "$1 could not be copied: $(tail -n 1 "$folder/said")"
}

tell_now_and_then() {
  local line next=$((SECONDS + 5))
  while read -r line; do
    [ "$SECONDS" -lt "$next" ] || {
      say "  ${line%%(*}"
      next=$((SECONDS + 5))
    }
  done
}

# For the owner, who knows which of it is wanted on the new machine.
leave_notes() {
  local to='~root/before-the-move' # of the other machine
  remote "umask 077; mkdir -p $to"
  { tar -C / -cz --warning=no-file-changed etc || [ $? -eq 1 ]; } | ssh -F "$folder/config" next "umask 077; cat >$to/etc.tar.gz"
  apt-mark showmanual 2>/dev/null | ssh -F "$folder/config" next "umask 077; cat >$to/packages.txt"
}

main "$@"
exit
