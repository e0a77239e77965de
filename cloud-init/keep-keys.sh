#!/bin/bash
# Keeps the owner's model keys for the conductor, as a credential that systemd gives to conductor.service and to nobody else.
#   keep  reads the document of all keys and keeps it instead of the one before: behind conductor-keys.socket, and on a machine that
#         a box moves to. Says `kept` when it is on the disk and will be loaded at the next start
#   show  writes it, for that move
# It takes bytes and understands nothing of them. They stand in no argument, and nothing but `kept` and errors is ever said.
set -euo pipefail
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

folder=/var/lib/spoq/keys
sealed=$folder/model-keys.cred
plain=$folder/model-keys
drop_in=/etc/systemd/system/conductor.service.d/50-model-keys.conf
limit=65536

keep() {
  mkdir -p "$folder"
  chmod 0700 "$folder"
  exec 9>"$folder/lock"
  flock --wait 20 9
  local draft=$folder/draft line
  head -c $((limit + 1)) >"$draft"
  if [ "$(stat -c %s "$draft")" -gt "$limit" ] || [ ! -s "$draft" ]; then
    rm -f "$draft"
    echo 'keep-keys: that is no document of keys' >&2
    return 1
  fi
  # What can't be sealed here (systemd before 250) root alone can read.
  if systemd-creds encrypt --with-key=host --name=model-keys "$draft" "$draft.cred" >/dev/null 2>&1; then
    sync "$draft.cred"
    mv -f "$draft.cred" "$sealed"
    line="LoadCredentialEncrypted=model-keys:$sealed"
  else
    rm -f "$draft.cred"
    sync "$draft"
    mv -f "$draft" "$plain"
    line="LoadCredential=model-keys:$plain"
  fi
  # After what it names: a unit whose credential is missing does not start.
  load "$line"
  rm -f "$draft"
  if [[ $line = LoadCredentialEncrypted=* ]]; then rm -f "$plain"; else rm -f "$sealed"; fi
  echo kept
}

load() {
  local text
  text=$(printf '[Service]\n%s' "$1")
  [ "$(cat "$drop_in" 2>/dev/null)" != "$text" ] || return 0
  mkdir -p "${drop_in%/*}"
  chmod 0755 "${drop_in%/*}"
  printf '%s\n' "$text" >"$drop_in.new"
  chmod 0644 "$drop_in.new"
  sync "$drop_in.new"
  mv -f "$drop_in.new" "$drop_in"
  systemctl daemon-reload
}

show() {
  if [ -e "$sealed" ]; then
    systemd-creds decrypt --name=model-keys "$sealed" -
  elif [ -e "$plain" ]; then
    cat "$plain"
  fi
}

case ${1:-} in
keep | show) "$1" ;;
*)
  echo 'usage: keep-keys.sh keep|show' >&2
  exit 64
  ;;
esac
