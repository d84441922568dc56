#!/usr/bin/env bash
# Installs the OpenTelemetry Python SDK with both OTLP exporters in a virtual
# environment, target/peers/python (or $P/python). Needs python3 and its package index.
set -euo pipefail
P=${P:-target/peers}
mkdir -p "$P"
P=$(realpath "$P")
[ -e "$P/python/complete" ] && exit 0
rm -rf "$P/python"
python3 -m venv "$P/python"
"$P/python/bin/pip" install --quiet \
  opentelemetry-sdk==1.38.0 \
  opentelemetry-exporter-otlp-proto-grpc==1.38.0 \
  opentelemetry-exporter-otlp-proto-http==1.38.0
touch "$P/python/complete"
