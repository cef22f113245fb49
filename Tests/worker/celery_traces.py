"""celery_worker.py with OpenTelemetry: the span of each run is a child of the webhook's, if SERVICEDESK_JOB_MEMBERS of the
responder has traceparent.

    pip install opentelemetry-sdk opentelemetry-instrumentation-celery opentelemetry-exporter-otlp-proto-http
    celery -A celery_traces worker      # and so on, as for celery_worker
"""

from celery.signals import worker_process_init
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from celery_worker import app


def exporter():
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


@worker_process_init.connect(weak=False)
def begin(**_):
    """Runs in each process of the pool, since the thread of the span processor does not survive a fork."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
