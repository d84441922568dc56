#!/usr/bin/env bash
# Builds the Go Collector 0.164 with the components that a gateway talks to: the
# otlp receiver, both OTLP exporters, file, debug, nop, batch, memory_limiter,
# health_check. Leaves target/peers/otelcol (or $P/otelcol); needs Go >= 1.26 and
# its module proxy. Some two minutes when nothing is cached.
set -euo pipefail
P=${P:-target/peers}
mkdir -p "$P/src"
P=$(realpath "$P")
[ -x "$P/otelcol" ] && exit 0
O=$P/src/otelcol-build
rm -rf "$O"
mkdir -p "$O"
export GOFLAGS="-buildvcs=false -mod=mod" GOWORK=off
K=go.opentelemetry.io/collector
C=github.com/open-telemetry/opentelemetry-collector-contrib
V=v0.164.0  # collector modules
V1=v1.70.0  # their stable ones
OLD=v0.161.0

# go.opentelemetry.io/collector/internal/statusutil is imported by 0.164 and not
# published; as a package it stood inside the core module at 0.161.
go mod download "$K@$OLD"
mkdir -p "$O/statusutil"
for file in "$(go env GOMODCACHE)/$K@$OLD/internal/statusutil"/*.go; do
  case $file in *_test.go) ;; *) install -m 644 "$file" "$O/statusutil/" ;; esac
done
printf 'module %s/internal/statusutil\n\ngo 1.26.0\n' "$K" > "$O/statusutil/go.mod"

[ -x "$P/src/bin/builder" ] || GOBIN="$P/src/bin" GOFLAGS=-buildvcs=false go install "$K/cmd/builder@$V"
cat > "$O/builder.yaml" <<YAML
dist: { name: otelcol, module: example.org/otelcol, output_path: $O/otelcol, version: 0.164.0 }
receivers:
  - gomod: $K/receiver/otlpreceiver $V
exporters:
  - gomod: $K/exporter/otlpexporter $V
  - gomod: $K/exporter/otlphttpexporter $V
  - gomod: $K/exporter/debugexporter $V
  - gomod: $K/exporter/nopexporter $V
  - gomod: $C/exporter/fileexporter $V
processors:
  - gomod: $K/processor/batchprocessor $V
  - gomod: $K/processor/memorylimiterprocessor $V
extensions:
  - gomod: $C/extension/healthcheckextension $V
providers:
  - gomod: $K/confmap/provider/envprovider $V1
  - gomod: $K/confmap/provider/fileprovider $V1
  - gomod: $K/confmap/provider/yamlprovider $V1
replaces:
  - $K/internal/statusutil => $O/statusutil
YAML
"$P/src/bin/builder" --config "$O/builder.yaml" --skip-get-modules --skip-compilation > "$O/build.log" 2>&1 || { tail -40 "$O/build.log"; exit 1; }
cd "$O/otelcol"
{
  printf 'module example.org/otelcol\n\ngo 1.26.0\n\nrequire %s\n' "$K/otelcol $V"
  sed -nE -e 's/^.*gomod: (\S+ \S+).*/require \1/p' -e 's/^  - (\S+ => )/replace \1/p' ../builder.yaml
} > go.mod
# -e: some modules that only other modules' tests need cannot be had.
go mod tidy -e >> ../build.log 2>&1
go build -trimpath -ldflags='-s -w' -o otelcol . 2>> ../build.log || { tail -40 ../build.log; exit 1; }
install -m 755 otelcol "$P/otelcol"
"$P/otelcol" --version
