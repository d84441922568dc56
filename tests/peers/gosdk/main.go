// Sends numbered spans, log records and metric points with the Go SDK.
//
// usage: gosdk grpc|http <host:port> <items>
// Exits 1 when any export failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	api "go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

var failed atomic.Bool

func main() {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		failed.Store(true)
		fmt.Fprintln(os.Stderr, err)
	}))
	items, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = send(context.Background(), os.Args[1], os.Args[2], items)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || failed.Load() {
		os.Exit(1)
	}
}

func send(ctx context.Context, protocol, endpoint string, items int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var (
		spans   trace.SpanExporter
		records sdklog.Exporter
		points  metric.Exporter
		err     error
	)
	if protocol == "grpc" {
		spans, err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure(), otlptracegrpc.WithCompressor("gzip"))
		if err == nil {
			records, err = otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(endpoint), otlploggrpc.WithInsecure())
		}
		if err == nil {
			points, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(endpoint), otlpmetricgrpc.WithInsecure())
		}
	} else {
		spans, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(endpoint), otlptracehttp.WithInsecure(), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		if err == nil {
			records, err = otlploghttp.New(ctx, otlploghttp.WithEndpoint(endpoint), otlploghttp.WithInsecure())
		}
		if err == nil {
			points, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(endpoint), otlpmetrichttp.WithInsecure())
		}
	}
	if err != nil {
		return err
	}
	where := resource.NewSchemaless(attribute.String("service.name", "gosdk"))

	tracing := trace.NewTracerProvider(trace.WithBatcher(spans), trace.WithResource(where))
	for i := range items {
		_, span := tracing.Tracer("interop").Start(ctx, "span "+strconv.Itoa(i))
		span.SetAttributes(attribute.Int("number", i))
		span.End()
	}

	logging := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)), sdklog.WithResource(where))
	for i := range items {
		var record log.Record
		record.SetTimestamp(time.Now())
		record.SetBody(attribute.StringValue("record " + strconv.Itoa(i)))
		logging.Logger("interop").Emit(ctx, record)
	}

	// One instrument, one point an attribute set.
	metering := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(points)), metric.WithResource(where), metric.WithCardinalityLimit(0))
	counter, err := metering.Meter("interop").Int64Counter("numbers")
	if err != nil {
		return err
	}
	for i := range items {
		counter.Add(ctx, 1, api.WithAttributes(attribute.Int("number", i)))
	}
	return errors.Join(tracing.Shutdown(ctx), logging.Shutdown(ctx), metering.Shutdown(ctx))
}
