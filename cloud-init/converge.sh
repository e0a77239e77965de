#!/bin/bash
# Brings a box that lives to what its stack wants: the owner's SSH password, and the release of conductor and spoq.
# The stack runs it as root over SSH (stacks/converge.ts), with its settings in front of it on standard input. What has no
# setting is left alone, and what is as it should be isn't touched. Everything it prints may be read by the box's owner; when it
# fails, its last line says why and what serves now.
set -euo pipefail
# A connection that is cut must not stop it half-way: then what it says gets lost, and not what it does.
trap '' HUP PIPE

BIN=/usr/local/bin
LIB=/usr/local/lib/spoq
STATE=/var/lib/spoq/converge
PREVIOUS=$BIN/.conductor.previous # there while a new conductor has not proved itself
HEALTH_SECONDS=${SPOQ_HEALTH_SECONDS:-30}

say() { echo "$*" 2>/dev/null || :; }
fail() {
  echo "$*" >&2 || :
  exit 1
}

main() {
  mkdir -p "$STATE"
  chmod 0700 "$STATE"
  exec 9>/run/spoq-converge.lock
  flock --wait 1200 9 || fail 'Another change of this box does not end. Nothing was changed.'
  [ -z "${SPOQ_PASSWORD_CRYPT:-}" ] || set_password
  [ -z "${SPOQ_RELEASE_URL:-}" ] || install_release
}

# Once for each that the stack wants: an owner who has changed it on the box since keeps what was chosen there.
set_password() {
  local wanted
  wanted=$(printf %s "$SPOQ_PASSWORD_CRYPT" | sha256sum)
  [ "$wanted" != "$(cat "$STATE/password" 2>/dev/null)" ] || return 0
  if [ "$(getent shadow spoq | cut -d: -f2)" != "$SPOQ_PASSWORD_CRYPT" ]; then
    printf 'spoq:%s\n' "$SPOQ_PASSWORD_CRYPT" | chpasswd --encrypted
    say 'The SSH password is changed'
  fi
  (umask 077 && printf '%s\n' "$wanted" >"$STATE/password.new")
  mv "$STATE/password.new" "$STATE/password"
}

install_release() {
  local arch
  arch=$(dpkg --print-architecture)
  # Both are here and whole before either is put in place.
  fetch conductor "conductor-linux-$arch"
  fetch spoq "spoq-linux-$arch"
  install_conductor
  if [ -e "$BIN/.spoq.new" ]; then mv -f "$BIN/.spoq.new" "$BIN/spoq"; fi
  remember_release
}

# What first boot installed from: run again, it must not bring back what it installed then.
remember_release() {
  local sums=$LIB/SHA256SUMS conf=$LIB/setup.conf
  [ "$(sort "$sums" 2>/dev/null)" != "$(printf '%s\n' "$SPOQ_DIGESTS" | sort)" ] || return 0
  { grep -v '^SPOQ_RELEASES_URL=' "$conf" || :; printf 'SPOQ_RELEASES_URL=%q\n' "$SPOQ_RELEASE_URL"; } >"$conf.new"
  printf '%s\n' "$SPOQ_DIGESTS" >"$sums.new"
  mv -f "$conf.new" "$conf"
  mv -f "$sums.new" "$sums"
}

# fetch <program> <file>: leaves <file> of the release at $BIN/.<program>.new, unless that is what is installed.
fetch() {
  local draft=$BIN/.$1.new digest had=0 vain=0 tries=0 has
  rm -f "$draft"
  digest=$(printf '%s\n' "$SPOQ_DIGESTS" | awk -v file="$2" '$2 == file { print $1 }')
  [ -n "$digest" ] || fail "The release has no $2. Nothing was changed."
  ! has_digest "$BIN/$1" "$digest" || return 0
  say "Downloading $2"
  # What is cut goes on from where it ended, until two tries in a row bring nothing or twenty have not brought all.
  until curl -fsSL --retry 4 -C - --connect-timeout 20 --max-time 900 -o "$draft" "$SPOQ_RELEASE_URL/$2" </dev/null; do
    has=$(stat --format %s "$draft" 2>/dev/null) || has=0
    if [ "$has" -gt "$had" ]; then vain=0; else vain=$((vain + 1)); fi
    tries=$((tries + 1))
    if [ "$vain" -ge 2 ] || [ "$tries" -ge 20 ]; then discard "$2 could not be downloaded from $SPOQ_RELEASE_URL."; fi
    had=$has
  done
  has_digest "$draft" "$digest" || discard "What $SPOQ_RELEASE_URL gave as $2 is not what was released."
  chmod 0755 "$draft"
  runuser -u nobody -- "$draft" --version >/dev/null 2>&1 </dev/null || discard "$2 does not run on this machine."
}

has_digest() { [ -e "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]; }
discard() {
  rm -f "$BIN"/.conductor.new "$BIN"/.spoq.new
  fail "$1 Nothing was changed."
}

# A run that was killed leaves a state that the next one goes on from: the new file in place or not, its process started or not.
install_conductor() {
  if [ -e "$BIN/.conductor.new" ]; then
    # One that has proved itself is never thrown away for one that has not.
    [ -e "$PREVIOUS" ] || [ ! -e "$BIN/conductor" ] || ln "$BIN/conductor" "$PREVIOUS"
    mv -f "$BIN/.conductor.new" "$BIN/conductor"
  fi
  if [ ! -e "$PREVIOUS" ] && runs_installed; then return 0; fi
  if ! runs_installed; then
    await_quiet
    restart
  fi
  is_well || roll_back
  rm -f "$PREVIOUS"
  say 'The new conductor answers'
}

restart() {
  systemctl stop conductor-files.service 2>/dev/null || : # the next who needs it starts the new one
  systemctl reset-failed conductor 2>/dev/null || : # its own tries have a limit, which would count against ours
  systemctl restart conductor || :                  # whether it is well is seen by asking it
}

# Whether the process that runs is the file that is installed.
runs_installed() {
  local pid
  pid=$(systemctl show --property MainPID --value conductor)
  [ "${pid:-0}" -gt 0 ] && [ "$(stat -Lc %d:%i "/proc/$pid/exe" 2>/dev/null)" = "$(stat -c %d:%i "$BIN/conductor")" ]
}

# Whether it answers on both its listeners, and still does so a little later.
is_well() {
  local until=$((SECONDS + HEALTH_SECONDS)) pid
  until runs_installed && answers; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.2
  done
  pid=$(systemctl show --property MainPID --value conductor)
  sleep 2
  runs_installed && answers && [ "$pid" = "$(systemctl show --property MainPID --value conductor)" ]
}

answers() {
  ask 127.0.0.1:8080/health >/dev/null && ask --unix-socket /run/conductor/remote.sock http://localhost/health >/dev/null
}

roll_back() {
  rm -f "$BIN/.spoq.new"
  [ -e "$PREVIOUS" ] || fail 'The conductor does not answer, and there is none to go back to.'
  journalctl --unit conductor --lines 3 --output cat --no-pager 2>/dev/null || :
  mv -f "$PREVIOUS" "$BIN/conductor"
  restart
  is_well || fail 'The new conductor was not well and was taken back; the one before it does not answer either.'
  fail 'The new conductor was not well and was taken back. The one before it serves again.'
}

main "$@"
exit
