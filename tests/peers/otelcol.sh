#!/usr/bin/env bash
# Builds the Go Collector 0.164 with the components that a gateway talks to: the
# otlp receiver, both OTLP exporters, file, debug, nop, batch, memory_limiter,
# attributes, resource, transform, filter, health_check. Leaves target/peers/otelcol (or $P/otelcol);
# needs Go >= 1.26 and its module proxy. Some three minutes when nothing is cached.
set -euo pipefail
P=${P:-target/peers}
mkdir -p "$P/src"
P=$(realpath "$P")
# One that an earlier version of this script left may lack what was added since.
if [ -x "$P/otelcol" ] && [[ $("$P/otelcol" components) == *'name: filter'* ]]; then exit 0; fi
O=$P/src/otelcol-build
rm -rf "$O"
mkdir -p "$O"
export GOFLAGS="-buildvcs=false -mod=mod" GOWORK=off
K=go.opentelemetry.io/collector
C=github.com/open-telemetry/opentelemetry-collector-contrib
V=v0.164.0  # collector modules
V1=v1.70.0  # their stable ones
OLD=v0.161.0
FILTER=v0.164.1  # transform, filter, and what attributes and resource match and change with

# go.opentelemetry.io/collector/internal/statusutil is imported by 0.164 and not
# published; as a package it stood inside the core module at 0.161.
go mod download "$K@$OLD"
mkdir -p "$O/statusutil"
for file in "$(go env GOMODCACHE)/$K@$OLD/internal/statusutil"/*.go; do
  case $file in *_test.go) ;; *) install -m 644 "$file" "$O/statusutil/" ;; esac
done
printf 'module %s/internal/statusutil\n\ngo 1.26.0\n' "$K" > "$O/statusutil/go.mod"

# attributes and resource import two modules that are not published either, through
# OTTL, without using what is in them: stand-ins are made of pkg/ottl 0.161, the
# last that held them.
go mod download "$C/pkg/ottl@$OLD"
src=$(go env GOMODCACHE)/$C/pkg/ottl@$OLD
module() { mkdir -p "$1"; printf 'module %s\n\ngo 1.26.0\n' "$2" > "$1/go.mod"; }
take() { mkdir -p "$2"; for f in "$1"/*.go; do case $f in *_test.go) ;; *) install -m 644 "$f" "$2/" ;; esac; done; }
cd "$O"
module xottl $C/pkg/ottl/xottl; F=xottl/ottlfuncs; mkdir -p $F
take "$src/ottlfuncs/internal/funcutil" $F/internal/funcutil
for f in all any filter find map_each map_keys reduce when; do install -m 644 "$src/ottlfuncs/func_$f.go" $F/; done
sed -i -E -e "s#$C/pkg/ottl/ottlfuncs#$C/pkg/ottl/xottl/ottlfuncs#" -e 's/\bottl\.Lambda/xottl.Lambda/g' \
  -e "s#^(\t)\"$C/pkg/ottl\"#&\n\1\"$C/pkg/ottl/xottl\"#" -e 's/(ottl\.NewFactory\(.*)\)$/\1, ottl.WithExperimental[K]())/' $F/*.go $F/internal/funcutil/lambda.go
sed -i "\#^\t\"$C/pkg/ottl\"\$#d" $F/internal/funcutil/lambda.go      # that file uses lambdas only
cat > xottl/lambda.go <<GO
// Package xottl names the lambda arguments that pkg/ottl keeps internal.
package xottl

import "$C/pkg/ottl/internal/lambda"

type (
	LambdaExpression[K any] = lambda.LambdaExpression[K]
	LambdaActivation[K any] = lambda.LambdaActivation[K]
)
GO
cat > $F/functions.go <<GO
package ottlfuncs

import "$C/pkg/ottl"

func ExperimentalConverters[K any]() []ottl.Factory[K] {
	return []ottl.Factory[K]{NewAllFactory[K](), NewAnyFactory[K](), NewFilterFactory[K](), NewFindFactory[K](), NewMapEachFactory[K](), NewMapKeysFactory[K](), NewReduceFactory[K](), NewWhenFactory[K]()}
}

func WithExperimentalConverters[K any](m map[string]ottl.Factory[K]) map[string]ottl.Factory[K] {
	for _, f := range ExperimentalConverters[K]() {
		m[f.Name()] = f
	}
	return m
}
GO

module xprofile $C/pkg/ottl/contexts/xprofile; F=xprofile/ottlfuncs; mkdir -p $F
take "$src/contexts/ottlprofile" xprofile/ottlprofile
for p in ctxprofile ctxprofilecommon logprofile; do take "$src/contexts/internal/$p" xprofile/internal/$p; done
install -m 644 "$src/ottlfuncs/func_profile_id.go" "$src/ottlfuncs/id_helpers.go" $F/
sed -i -E -e "s#contexts/ottlprofile\"#contexts/xprofile/ottlprofile\"#" -e "s#contexts/internal/(ctxprofile|ctxprofilecommon|logprofile)\"#contexts/xprofile/internal/\1\"#" \
  -e "s#pkg/ottl/ottlfuncs\"#pkg/ottl/contexts/xprofile/ottlfuncs\"#" -e 's/(ottl\.NewFactory\(.*)\)$/\1, ottl.WithExperimental[K]())/' \
  -e 's/ctxcommon\.ParseProfileID/parseProfileID/' xprofile/ottlprofile/*.go xprofile/internal/*/*.go $F/*.go
sed -i "\#contexts/internal/ctxcommon\"#d" xprofile/internal/ctxprofile/profile.go
cat > xprofile/internal/ctxprofile/id.go <<GO
package ctxprofile

import (
	"encoding/hex"
	"errors"

	"$K/pdata/pprofile"
)

func parseProfileID(s string) (id pprofile.ProfileID, err error) {
	if len(s) != 2*len(id) {
		return id, errors.New("profile ids must be 32 hex characters")
	}
	_, err = hex.Decode(id[:], []byte(s))
	return id, err
}
GO
cat > $F/functions.go <<GO
package ottlfuncs

import "$C/pkg/ottl"

func WithProfileConverters[K any](m map[string]ottl.Factory[K]) map[string]ottl.Factory[K] {
	f := NewProfileIDFactory[K]()
	m[f.Name()] = f
	return m
}
GO
# transform imports a third one, for one of its metric functions: where it cannot be had, that
# function is refused.
module expohisto $C/pkg/expohisto; mkdir -p expohisto/conversion
cat > expohisto/conversion/conversion.go <<GO
// Package conversion has the shape that the transform processor wants.
package conversion

import "errors"

type Buckets struct {
	Offset int32
	Counts interface {
		Len() int
		At(int) uint64
	}
}

type ExponentialHistogram struct {
	Count         uint64
	Scale         int32
	ZeroThreshold float64
	ZeroCount     uint64
	Positive      Buckets
	Negative      Buckets
}

func ToExplicit(ExponentialHistogram, []float64, string) ([]uint64, error) {
	return nil, errors.New("conversion of exponential histograms is not in this build")
}
GO
cd - > /dev/null

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
  - gomod: $C/processor/attributesprocessor $V
  - gomod: $C/processor/resourceprocessor $V
  - gomod: $C/processor/transformprocessor $FILTER
  - gomod: $C/processor/filterprocessor $FILTER
extensions:
  - gomod: $C/extension/healthcheckextension $V
providers:
  - gomod: $K/confmap/provider/envprovider $V1
  - gomod: $K/confmap/provider/fileprovider $V1
  - gomod: $K/confmap/provider/yamlprovider $V1
replaces:
  - $K/internal/statusutil => $O/statusutil
  - $C/pkg/ottl/xottl => $O/xottl
  - $C/pkg/ottl/contexts/xprofile => $O/xprofile
  - $C/pkg/expohisto => $O/expohisto
YAML
"$P/src/bin/builder" --config "$O/builder.yaml" --skip-get-modules --skip-compilation > "$O/build.log" 2>&1 || { tail -40 "$O/build.log"; exit 1; }
cd "$O/otelcol"
{
  printf 'module example.org/otelcol\n\ngo 1.26.0\n\nrequire %s\n' "$K/otelcol $V"
  printf 'require %s %s\n' "$C/internal/filter" "$FILTER" "$C/internal/coreinternal" "$FILTER"
  sed -nE -e 's/^.*gomod: (\S+ \S+).*/require \1/p' -e 's/^  - (\S+ => )/replace \1/p' ../builder.yaml
} > go.mod
# -e: some modules that only other modules' tests need cannot be had.
go mod tidy -e >> ../build.log 2>&1
go build -trimpath -ldflags='-s -w' -o otelcol . 2>> ../build.log || { tail -40 ../build.log; exit 1; }
install -m 755 otelcol "$P/otelcol"
"$P/otelcol" --version
