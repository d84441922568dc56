#!/usr/bin/env bash
# Builds the program that answers what the reference's OTTL library makes of
# statements, in tests/ottl/answer: target/peers/ottl (or $P/ottl). Needs Go >= 1.26
# and its module proxy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
P=${P:-target/peers}
mkdir -p "$P"
P=$(realpath "$P")
cd "$here/../ottl"
GOFLAGS=-buildvcs=false GOWORK=off go build -trimpath -o "$P/ottl" ./answer
