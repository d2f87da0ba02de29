#!/usr/bin/env bash
# Proves that it knows the integer square root of a block's number. Put what you prove in place of it.
#
#   prover.sh --input-path TASK --output-path RESULT      proves: exit 0 with a result, or 77 if there is no proof
#   prover.sh verify --input-path ENVELOPE                judges: one line of JSON says what it finds
set -euo pipefail

vkey="sha256:$(printf 'square root/1' | sha256sum | cut -d ' ' -f 1)" # changes when what is proved changes

# The first value of a key in a JSON file that push0 wrote, which has no spaces.
field() { grep -o "\"$1\":\"\?[^\",}]*" "$2" | head -n 1 | sed 's/^[^:]*:"\?//'; }
hex() { printf '0x%s' "$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')"; }
say() { printf '%s\n' "$1"; exit 0; }

mode=prove input='' output=''
[ "${1:-}" != verify ] || { mode=verify; shift; }
while [ $# -gt 0 ]; do
    case $1 in
    --input-path) input=$2 ;;
    --output-path) output=$2 ;;
    esac
    shift 2
done

number=$(field first "$input") # of the block that the task, or the proof, is about
if [ "$mode" = verify ]; then
    [ "$(field public_values "$input")" = "$(hex "$number")" ] || say '{"refused":"it is about another block"}'
    root=$(field proof "$input" | base64 -d 2> /dev/null | tr -d '\0') || say '{"refused":"its proof is no number"}'
    [[ $root =~ ^(0|[1-9][0-9]{0,9})$ ]] || say '{"refused":"its proof is no number"}'
    ((root <= 1 << 31)) || say '{"refused":"that is no root"}' # its square is a number that bash can hold
    ((root * root <= number && number < (root + 1) * (root + 1))) || say '{"refused":"that is not its root"}'
    say "{\"vkey\":\"$vkey\",\"claim\":{\"number\":$number}}"
fi

root=0
for ((bit = 1 << 30; bit > 0; bit >>= 1)); do
    (((root + bit) * (root + bit) > number)) || ((root += bit))
done
printf '{"format":"push0.result/1","vkey":"%s","mock":false,"public_values":"%s","proof":"%s"}' \
    "$vkey" "$(hex "$number")" "$(printf %s "$root" | base64)" > "$output"
