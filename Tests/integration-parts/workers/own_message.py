"""Reads a message of the responder, and has this Celery's own client send the same task with the same id and job."""

import json
import sys

import celery_worker

message = json.load(sys.stdin)
(arguments, _, _) = json.loads(message["body"])
celery_worker.enhance_ticket.soft_time_limit = None  # otherwise the client sends that of the task
celery_worker.enhance_ticket.apply_async(arguments, task_id=message["headers"]["id"])
