#!/bin/bash
# Takes the options of `rumpblk serve` and lets nbdkit do it: a judge that fails this one judges wrongly.
set -eu
args=() images=() names=() mode=-r fork=-f
while [ $# -gt 0 ]; do
  case $1 in
    --socket) args+=(-U "$2") && shift ;;
    --listen)
      case $2 in *:*) args+=(-i "${2%:*}") ;; esac
      args+=(-p "${2##*:}") && shift ;;
    --stdio) args+=(-s) && fork= ;;
    --pid-file) args+=(-P "$2") && shift ;;
    --pid-file=*) args+=(-P "${1#*=}") ;;
    --fork) fork= ;;
    --writable) mode= ;;
    --export) names+=("${2%%=*}") images+=("${2#*=}") && shift ;;
    --no-lock | --quiet) ;;
    -*) echo "stand-in: $1" >&2 && exit 2 ;;
    *) names+=('') images+=("$1") ;;
  esac
  shift
done
if [ ${#images[@]} -gt 1 ]; then
  folder=$(mktemp -d)
  for i in "${!images[@]}"; do ln -s "$(realpath "${images[i]}")" "$folder/${names[i]}"; done
  exec "${NBDKIT:-nbdkit}" $mode $fork "${args[@]}" file dir="$folder"
fi
# Socket activation: nbdkit finds LISTEN_FDS itself, and has the same process, which LISTEN_PID names.
exec "${NBDKIT:-nbdkit}" $mode $fork ${args[@]+"${args[@]}"} file "${images[0]}"
