#!/usr/bin/env bash
# Makes a proof smaller, and hands its public values on: the file contract, without an SDK.
#
#   wrap.sh --input-path F --output-path F
#
# The input is the result of the stage before, as its prover wrote it (`give = "raw"`).
set -euo pipefail

while (($#)); do
    case $1 in
        --input-path) input=$2 ;;
        --output-path) output=$2 ;;
        *) echo "unknown argument: $1" >&2; exit 2 ;;
    esac
    shift 2
done

# The SDK writes results without spaces, each field on the same line.
field() { grep -o "\"$1\":\"[^\"]*\"" "$input" | head -n 1 | cut -d '"' -f 4; }

[[ $(field format) == push0.result/1 ]] || { echo "the input is no result" >&2; exit 1; }
public_values=$(field public_values)
proof=$(field proof | base64 --decode | gzip --best --no-name | base64 --wrap 0)
# There is no key. This names the rules: it is the SHA-256 of `push0 example: wrap/1`.
vkey=sha256:$(printf 'push0 example: wrap/1' | sha256sum | cut -d ' ' -f 1)
echo "progress 0.9"

# Whole or not at all: push0 looks at what stands there when this ends.
printf '{"format":"push0.result/1","vkey":"%s","mock":false,"public_values":"%s","proof":"%s"}' \
    "$vkey" "$public_values" "$proof" > "$output.new"
sync "$output.new"
mv "$output.new" "$output"
