"""Tries each of the connections that the Celery recipe makes, and prints what came of it."""

import celery_worker

app, store = celery_worker.app, celery_worker.store
pings = {
    "broker": lambda: app.connection_for_write().default_channel.client.ping(),
    "results": lambda: app.backend.client.ping(),
    "recipe": store.ping,
}
for name, ping in pings.items():
    try:
        ping()
        print(name, "is connected")
    except Exception as error:
        print(name, error)
