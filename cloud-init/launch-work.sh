#!/bin/bash
# Makes the place of a run, starts `conductor work` in it, and removes it. systemd runs this as root for every connection to
# /run/conductor-agents/work.sock, which is its standard input and output; the argument is the connection's number. On the first line is
# what is wanted; nothing that doesn't match exactly is looked at any further:
#   open ID WORKSPACE MEMORY_BYTES TASKS CPU_PERCENT SECONDS DISK_BYTES
#         makes the place, answers `ready`, and watches it as long as the connection is there; `ended REASON` when nothing runs any more
#   join ID     the connection becomes standard input and output of `conductor work` in that place
#   remove ID   ends it and deletes everything of it; `done`
#   list        `run ID` for each that is there; `done`
# What can't be done is answered with `refused REASON TEXT`.
set -euo pipefail
umask 077
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
instance=$1

STATE=/var/lib/spoq-runs
RUNTIME=/run/spoq-runs
WORKSPACES=/home/spoq/.local/state/spoq/workspaces
LIB=/usr/local/lib/spoq
# Accounts without a name, one for each run. systemd's own tables leave these numbers to nobody.
FIRST_UID=1900000000
MAX_RUNS=1000
WATCH_SECONDS=0.5
MEASURE_TICKS=10

id='[a-z0-9][a-z0-9-]{0,62}'
name='[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
number='[1-9][0-9]{0,14}'

say() { printf '%s\n' "$*"; }
refuse() { # reason text
  say "refused $1 $2"
  exit 0
}

main() {
  local line
  IFS= read -r -n 400 -t 10 line || refuse invalid 'There was no request.'
  if [[ $line =~ ^open\ ($id)\ ($name)\ ($number)\ ($number)\ ($number)\ ($number)\ ($number)$ ]]; then
    run=${BASH_REMATCH[1]} workspace=${BASH_REMATCH[2]}
    # The name is a group of two.
    limits=("${BASH_REMATCH[@]:4:5}")
    open_place
  elif [[ $line =~ ^join\ ($id)$ ]]; then
    run=${BASH_REMATCH[1]}
    join_place
  elif [[ $line =~ ^remove\ ($id)$ ]]; then
    run=${BASH_REMATCH[1]}
    remove_place
  elif [ "$line" = list ]; then
    list_places
  else
    refuse invalid 'The request is none that is known.'
  fi
}

open_place() {
  local base
  lock_run --nonblock || refuse busy 'The place of this run is in use.'
  trap end_place EXIT
  has_room || refuse disk 'There is too little free space on the disk of this box for a run.'
  base=$WORKSPACES/$workspace/repo.git
  # The owner's programs can put a link there, which would show a run something else.
  [ "$(realpath -e -- "$base" 2>/dev/null)" = "$base" ] || refuse not_found "There is no workspace $workspace."
  make_place
  mkdir -p "$RUNTIME/$run"
  rm -f "$RUNTIME/$run"/*
  # For join: which unit it belongs to, and the rest of what its process is started with.
  printf '%s\n' "$instance" "$workspace" "${limits[@]}" >"$RUNTIME/$run/place"
  ending=removed
  say ready
  watch_place
}

make_place() {
  local place=$STATE/$run uid
  mkdir -p "$place"
  exec 8>"$RUNTIME/.accounts.lock"
  flock 8
  uid=$(cat "$place/uid" 2>/dev/null || :)
  if [ -z "$uid" ]; then
    uid=$(free_account) || refuse full 'There are too many runs on this box. Discard some.'
    echo "$uid" >"$place/uid"
  fi
  exec 8>&-
  # In reach of root alone: what is below can't be swapped for a link by a run.
  [ -d "$place/home" ] || install -d -m 0700 -o "$uid" -g "$uid" "$place/home"
  [ -d "$place/tmp" ] || install -d -m 1777 -o "$uid" -g "$uid" "$place/tmp"
  printf '%s\n' 'root:x:0:0:root:/root:/usr/sbin/nologin' 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin' \
    "agent:x:$uid:$uid:agent:/home/agent:/bin/bash" >"$place/passwd"
  printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' "agent:x:$uid:" >"$place/group"
  chmod 0644 "$place/passwd" "$place/group"
}

# The lowest that no place has.
free_account() {
  local taken uid
  taken=" $(cat "$STATE"/*/uid 2>/dev/null | tr '\n' ' ')"
  for ((uid = FIRST_UID; uid < FIRST_UID + MAX_RUNS; uid++)); do
    [[ $taken = *" $uid "* ]] || {
      echo "$uid"
      return 0
    }
  done
  return 1
}

# As long as the connection is there. It ends by itself with the conductor, however that ends.
watch_place() {
  local line status tick=0
  while :; do
    status=0
    IFS= read -r -n 1 -t "$WATCH_SECONDS" line || status=$?
    if [ "$status" -le 128 ]; then # closed, or something was said, which isn't done
      ending=asked
    elif [ -e "$RUNTIME/$run/result" ]; then
      ending=$(cat "$RUNTIME/$run/result")
    elif ! has_room || ! has_kept_to_its_limit "$tick"; then
      ending=disk
    else
      tick=$((tick + 1))
      continue
    fi
    return 0
  done
}

# Whether the disk has more free than runs must leave: space, and files.
has_room() {
  local block total free files free_files reserve
  read -r block total free files free_files < <(stat --file-system --format '%S %b %a %c %d' "$STATE")
  reserve=$((total * block / 1024 / 20))
  [ "$reserve" -gt "$SPOQ_RESERVE_KB" ] || reserve=$SPOQ_RESERVE_KB
  # A file system that counts no files has none of them.
  [ $((free * block / 1024)) -ge "$reserve" ] && [ $((free_files * 50)) -ge "$files" ]
}

# Measured now and then, beside the rest: a large tree takes its time.
has_kept_to_its_limit() { # tick
  local measured=$RUNTIME/$run/bytes bytes
  bytes=$(cat "$measured" 2>/dev/null || echo 0)
  if [ $(($1 % MEASURE_TICKS)) -eq 0 ] && ! is_measuring; then
    (timeout 60 nice du --summarize --one-file-system --block-size=1 "$STATE/$run" 2>/dev/null | cut -f 1 >"$measured.new" &&
      [ -s "$measured.new" ] && mv "$measured.new" "$measured") 9>&- </dev/null >/dev/null &
    measuring=$!
  fi
  [ "${bytes:-0}" -le "${limits[4]}" ]
}

is_measuring() { [ -n "${measuring:-}" ] && kill -0 "$measuring" 2>/dev/null; }

stop_unit() { systemctl stop "spoq-run-$run.service" 2>/dev/null || :; }

# shellcheck disable=SC2317 # the trap of open_place calls it
end_place() {
  stop_unit
  rm -rf "${RUNTIME:?}/$run" "$RUNTIME/$run.lock"
  [ -z "${ending:-}" ] || say "ended $ending" 2>/dev/null || :
}

# Whoever holds a lock deletes it: who gets one that has no name any more takes the next.
lock_run() { # flock's options
  while :; do
    exec 9>"$RUNTIME/$run.lock"
    flock "$@" 9 || return 1
    [ ! "$RUNTIME/$run.lock" -ef /dev/fd/9 ] || return 0
  done
}

join_place() {
  local place=$STATE/$run settings=() line uid owner memory tasks cpu seconds disk status=0
  { read -r owner && read -r workspace && read -r memory && read -r tasks && read -r cpu && read -r seconds && read -r disk; } \
    <"$RUNTIME/$run/place" 2>/dev/null || exit 1
  uid=$(cat "$place/uid")
  while IFS= read -r line; do
    [[ $line = '' || $line = '#'* ]] || settings+=("--property=$line")
  done <"$LIB/run-confinement.conf"
  # Nothing is removed from this list by what comes after it: systemd adds, and refuses what it doesn't know.
  settings+=(
    "--property=BindPaths=$place/home:/home/agent $place/tmp:/tmp $place/tmp:/var/tmp"
    "--property=BindReadOnlyPaths=$WORKSPACES/$workspace/repo.git:/run/spoq/base.git"
    "--property=BindReadOnlyPaths=$place/passwd:/etc/passwd $place/group:/etc/group"
    "--property=MemoryMax=$memory" "--property=TasksMax=$tasks" "--property=CPUQuota=$cpu%"
    "--property=RuntimeMaxSec=$seconds" "--property=LimitFSIZE=$disk"
    # The kernel counts these by account, also where control groups don't.
    "--property=LimitNPROC=$tasks"
    # Whatever ends the one that watches ends this.
    "--property=BindsTo=conductor-work@$owner.service" "--property=After=conductor-work@$owner.service"
    "--setenv=PATH=/home/agent/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  )
  systemctl reset-failed "spoq-run-$run.service" 2>/dev/null || :
  systemd-run --quiet --wait --pipe --unit="spoq-run-$run" --description="Run $run" "${settings[@]}" -- \
    /usr/bin/setpriv --reuid="$uid" --regid="$uid" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
    /usr/local/bin/conductor work --home /home/agent --workspace "$workspace" --repository /run/spoq/base.git || status=$?
  # Nobody asks any more when it was closed: then the folder is gone, or goes meanwhile.
  { describe_end "$status" >"$RUNTIME/$run/.result" && mv "$RUNTIME/$run/.result" "$RUNTIME/$run/result"; } 2>/dev/null || :
}

describe_end() { # exit status
  case $(systemctl show --property=Result --value "spoq-run-$run.service" 2>/dev/null) in
  timeout) echo time ;;
  oom-kill) echo memory ;;
  *) echo "lost it ended with $1" ;;
  esac
  systemctl reset-failed "spoq-run-$run.service" 2>/dev/null || :
}

remove_place() {
  local owner
  # The one that watches ends what it watches.
  if read -r owner 2>/dev/null <"$RUNTIME/$run/place"; then systemctl stop "conductor-work@$owner.service" || :; fi
  stop_unit
  lock_run --wait 30 || refuse busy 'The place of this run does not end.'
  # Out of the way first: what is half deleted is never taken for a place. rm follows no links.
  local gone
  if [ -e "$STATE/$run" ]; then
    gone=$(mktemp -d "$STATE/.gone.XXXXXX")
    mv "$STATE/$run" "$gone/"
  fi
  rm -rf --one-file-system "$STATE"/.gone.*
  rm -f "$RUNTIME/$run.lock"
  say 'done'
}

list_places() {
  local place
  for place in "$STATE"/*/; do
    [ ! -d "$place" ] || say "run $(basename "$place")"
  done
  say 'done'
}

main
exit
