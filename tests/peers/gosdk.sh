#!/usr/bin/env bash
# Builds the sender on the Go SDK in gosdk/: target/peers/gosdk (or $P/gosdk).
# Needs Go >= 1.26 and its module proxy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
P=${P:-target/peers}
mkdir -p "$P"
P=$(realpath "$P")
cd "$here/gosdk"
GOFLAGS=-buildvcs=false GOWORK=off go build -trimpath -o "$P/gosdk" .
