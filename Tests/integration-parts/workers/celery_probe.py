"""The Celery recipe with the work of the tests."""

import celery_worker
from celery import current_task

import work


def enhance(job):
    request = current_task.request
    shown = {name: request.get(name) for name in ("id", "argsrepr", "event", "delivery_id", "headers", "retries")}
    return work.enhance(job, request=shown)


celery_worker.enhance = enhance
app = celery_worker.app
