"""Sends numbered spans, log records and metric points with the Python SDK.

usage: send.py grpc|http <endpoint> <items>
Exits 1 when any export failed.
"""

import logging
import sys

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

protocol, endpoint, items = sys.argv[1], sys.argv[2], int(sys.argv[3])
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporters = [kind(endpoint=endpoint, insecure=True) for kind in (OTLPSpanExporter, OTLPLogExporter, OTLPMetricExporter)]
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    paths = {OTLPSpanExporter: "traces", OTLPLogExporter: "logs", OTLPMetricExporter: "metrics"}
    exporters = [
        kind(endpoint=f"{endpoint}/v1/{path}", compression=Compression.Gzip) for kind, path in paths.items()
    ]

failures = []


def watch(exporter, success):
    """Notes every export of `exporter` that does not end in `success`."""
    export = exporter.export

    def watched(*args, **kwargs):
        result = export(*args, **kwargs)
        if result is not success:
            failures.append(type(exporter).__name__)
        return result

    exporter.export = watched
    return exporter


spans, records, points = exporters
resource = Resource.create({"service.name": "python"})

tracing = TracerProvider(resource=resource)
tracing.add_span_processor(BatchSpanProcessor(watch(spans, SpanExportResult.SUCCESS)))
for number in range(items):
    with tracing.get_tracer("interop").start_as_current_span(f"span {number}") as span:
        span.set_attribute("number", number)

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(watch(records, LogExportResult.SUCCESS)))
logger = logging.getLogger("interop")
logger.propagate = False
logger.addHandler(LoggingHandler(logger_provider=logs))
for number in range(items):
    logger.warning("record %d", number)

reader = PeriodicExportingMetricReader(watch(points, MetricExportResult.SUCCESS))
metrics = MeterProvider(resource=resource, metric_readers=[reader])
counter = metrics.get_meter("interop").create_counter("numbers")
for number in range(items):
    counter.add(1, {"number": number})

for provider in (tracing, logs, metrics):
    provider.shutdown()
sys.exit(f"failed: {failures}" if failures else 0)
