#!/usr/bin/env bash
# Installs telemetrygen 0.161.0 as target/peers/telemetrygen (or $P/telemetrygen).
# Needs Go >= 1.26 and its module proxy.
set -euo pipefail
P=${P:-target/peers}
mkdir -p "$P"
P=$(realpath "$P")
[ -x "$P/telemetrygen" ] && exit 0
GOBIN="$P" GOFLAGS=-buildvcs=false GOWORK=off \
  go install github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v0.161.0
