"""The traced recipe with the work of the tests; each span is a line in the file spans in $WORK."""

import celery_traces
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

import celery_probe
import work


def exporter():
    spans = open(f"{work.directory}/spans", "a", buffering=1)
    return ConsoleSpanExporter(out=spans, formatter=lambda span: span.to_json(indent=None) + "\n")


celery_traces.exporter = exporter
app = celery_probe.app
