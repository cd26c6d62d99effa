#!/bin/bash
# Takes the options of qemu-nbd that QEMU's iotests give, and serves by $RUMPBLK_SERVE_PROGRAM; --list is qemu-nbd's own.
set -eu
for arg; do
  case $arg in -L | --list | -V | --version) exec qemu-nbd "$@" ;; esac
done
args=(--writable) name= file= address=127.0.0.1 port=
while [ $# -gt 0 ]; do
  case $1 in
    -k) args+=(--socket "$2") && shift ;;
    -b) address=$2 && shift ;;
    -p) port=$2 && shift ;;
    -x) name=$2 && shift ;;
    -f | -e) shift ;;
    -v | -t) ;;
    -r) unset 'args[0]' ;;
    --fork) args+=(--fork) ;;
    --pid-file=*) args+=(--pid-file "${1#*=}") ;;
    -*) echo "as-qemu-nbd: $1" >&2 && exit 2 ;;
    *) file=$1 ;;
  esac
  shift
done
if [ -n "$port" ]; then args+=(--listen "$address:$port"); fi
# What the server says of itself would be taken for the test's own output.
exec "$RUMPBLK_SERVE_PROGRAM" "${args[@]}" --export "$name=$file" 2>>"$RUMPBLK_SERVE_LOG"
