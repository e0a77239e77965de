# Waits until no answer is being written. converge.sh and carry.sh begin with it.

QUIET_SECONDS=${SPOQ_QUIET_SECONDS:-960} # the conductor ends an answer after 15 minutes

# New questions are answered by the old one until then. Stopping it lets answers end too, but nobody else is heard meanwhile.
await_quiet() {
  local until=$((SECONDS + QUIET_SECONDS)) running told=
  while running=$(count_running) && [ "$running" -gt 0 ] && [ "$SECONDS" -lt "$until" ]; do
    [ -n "$told" ] || say "Waiting for $running answers to end"
    told=yes
    sleep 0.5
  done
}

# Fails when there is no conductor to ask.
count_running() {
  ask 127.0.0.1:8080/api/status | grep -o '"running": *[0-9]*' | grep -o '[0-9]*$'
}

ask() { curl -fsS --max-time 5 "$@" 2>/dev/null </dev/null; }
