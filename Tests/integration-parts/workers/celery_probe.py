"""The Celery recipe with the work of the tests. The first run of LATE-1 takes 2.5 s, after which Redis cannot be reached."""

import time

import celery_worker
from celery import current_task
from redis import ConnectionError

import work


def enhance(job):
    request = current_task.request
    shown = {name: request.get(name) for name in ("id", "argsrepr", "event", "delivery_id", "headers", "retries")}
    result = work.enhance(job, request=shown)
    if job["ticket_id"].startswith("LATE-") and work.runs_of(job) == 1:
        time.sleep(2.5)
        lose_redis_once()
    return result


def lose_redis_once():
    def pipeline():
        del celery_worker.store.pipeline
        raise ConnectionError("Redis is gone")

    celery_worker.store.pipeline = pipeline


celery_worker.enhance = enhance
app = celery_worker.app
