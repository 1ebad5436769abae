# What the shell that runs a page knows besides the page. Each step writes to a file of its own in
# /mnt/out, named after its line; `reached` says how far it came, and `fault` what failed.

_test_step() {
  exec >"/mnt/out/$1" 2>&1
  printf '%s\n' "$1" >>/mnt/out/reached
  : >/mnt/out/fault
  _test_statuses=()
}

# A command that fails ends the page, unless it was to fail.
_test_note() { _test_statuses+=("$1") && printf 'exit code %s: %s\n' "$1" "$2" >/mnt/out/fault; }
trap '_test_note "$?" "$BASH_COMMAND"' ERR

_test_has_failed() {
  [ "${_test_statuses[*]}" = "$1" ] && return
  printf 'exit codes [%s] instead of %s\n' "${_test_statuses[*]}" "$1" >/mnt/out/fault
  exit 1
}

# Waits until what runs in the background has printed these words. PRINTED is its file.
_test_until() {
  PRINTED=/mnt/out/$1
  for _ in {1..600}; do
    grep -qF -- "$2" "$PRINTED" && return
    kill -0 "$!" 2>/dev/null || break
    sleep 0.1
  done
  printf 'it does not say: %s\n' "$2" >/mnt/out/fault
  exit 1
}

# Ctrl-C in the terminal of what was started last.
interrupt() {
  kill -INT -- "-$!"
  wait "$!"
}

# Whether a piece of configuration is one: a server with it says that it is ready.
serves() {
  local log=/tmp/serves.log free=127.0.0.1:0
  rescind serve --config "$1" --set store.path="$(mktemp -d)" --set limitless.enabled=false \
    --set public.listen=$free --set verify.listen=$free --set admin.listen=$free 2>$log &
  for _ in {1..300}; do
    if grep -qs '"message":"ready"' $log; then kill -TERM "$!" && wait "$!" && return; fi
    kill -0 "$!" 2>/dev/null || break
    sleep 0.1
  done
  cat $log
  return 1
}

set -Eeuo pipefail
