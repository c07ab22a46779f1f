"""Devices with version 2 of AWS's SDK for Python.

On either of its clients for jobs, over either version of MQTT, each lives the
life below. The argument is JSON: where the server listens, which files prove who
a device is, and the things, of which each has two jobs. Prints the name of each
thing that is done.
"""

import datetime
import json
import os
import queue
import sys
from concurrent.futures import Future, ThreadPoolExecutor

from awscrt import mqtt, mqtt5, mqtt_request_response
from awsiot import ServiceStreamOptions, V2ServiceException, iotjobs, mqtt5_client_builder, mqtt_connection_builder

SOON = 20  # seconds
settings = json.loads(sys.argv[1])
mutual = dict(
    endpoint=settings["host"], port=settings["port"], ca_filepath=settings["ca"],
    cert_filepath=settings["cert"], pri_key_filepath=settings["key"],
)


class Rejected(Exception):
    """Has what the SDK has decoded."""

    def __init__(self, error):
        super().__init__(repr(error))
        self.error = error


def connect3(client_id):
    connection = mqtt_connection_builder.mtls_from_path(client_id=client_id, clean_session=True, keep_alive_secs=30, **mutual)
    connection.connect().result(SOON)
    return connection, lambda: connection.disconnect().result(SOON)


def connect5(client_id):
    connected, stopped = Future(), Future()
    client = mqtt5_client_builder.mtls_from_path(
        client_id=client_id, keep_alive_interval_sec=30,
        on_lifecycle_connection_success=connected.set_result,
        on_lifecycle_connection_failure=lambda failure: connected.set_exception(failure.exception),
        on_lifecycle_stopped=stopped.set_result,
        **mutual,
    )
    client.start()
    connected.result(SOON)

    def close():
        client.stop()
        stopped.result(SOON)

    return client, close


class Client1:
    """The client that subscribes, publishes and matches replies in steps."""

    def __init__(self, connection, thing):
        self.jobs, self.thing = iotjobs.IotJobsClient(connection), thing
        self.pending, self.subscribed = {}, set()

    def ask(self, operation, request, **fields):
        topic = {"thing_name": self.thing} | ({"job_id": fields["job_id"]} if "job_id" in fields else {})
        if (operation, fields.get("job_id")) not in self.subscribed:
            name = request.__name__.replace("Request", "SubscriptionRequest")
            for how, settle in (("accepted", self.accepted), ("rejected", self.rejected)):
                subscribe = getattr(self.jobs, f"subscribe_to_{operation}_{how}")
                subscribe(getattr(iotjobs, name)(**topic), mqtt.QoS.AT_LEAST_ONCE, settle)[0].result(SOON)
            self.subscribed.add((operation, fields.get("job_id")))
        token = f"token-{len(self.pending)}"
        self.pending[token] = Future()
        publish = getattr(self.jobs, f"publish_{operation}")
        publish(request(thing_name=self.thing, client_token=token, **fields), mqtt.QoS.AT_LEAST_ONCE).result(SOON)
        return self.pending[token].result(SOON)

    def accepted(self, reply):
        self.pending[reply.client_token].set_result(reply)

    def rejected(self, error):
        self.pending[error.client_token].set_exception(Rejected(error))

    def listen(self, put):
        for subscribe, request, kind in (
            (self.jobs.subscribe_to_job_executions_changed_events, iotjobs.JobExecutionsChangedSubscriptionRequest, "notify"),
            (self.jobs.subscribe_to_next_job_execution_changed_events, iotjobs.NextJobExecutionChangedSubscriptionRequest, "notify-next"),
        ):
            tell = lambda event, kind=kind: put((kind, event))
            subscribe(request(thing_name=self.thing), mqtt.QoS.AT_LEAST_ONCE, tell)[0].result(SOON)


class Client2:
    """The client that has requests and streams."""

    def __init__(self, connection, thing):
        options = mqtt_request_response.ClientOptions(
            max_request_response_subscriptions=6, max_streaming_subscriptions=2, operation_timeout_in_seconds=SOON
        )
        self.jobs, self.thing, self.streams = iotjobs.IotJobsClientV2(connection, options), thing, []

    def ask(self, operation, request, **fields):
        try:
            return getattr(self.jobs, operation)(request(thing_name=self.thing, **fields)).result(SOON)
        except V2ServiceException as e:
            raise Rejected(e.modeled_error) if e.modeled_error else e

    def listen(self, put):
        for create, request, kind in (
            (self.jobs.create_job_executions_changed_stream, iotjobs.JobExecutionsChangedSubscriptionRequest, "notify"),
            (self.jobs.create_next_job_execution_changed_stream, iotjobs.NextJobExecutionChangedSubscriptionRequest, "notify-next"),
        ):
            status = queue.Queue()
            stream = create(request(thing_name=self.thing), ServiceStreamOptions(
                incoming_event_listener=lambda event, kind=kind: put((kind, event)),
                subscription_status_listener=status.put,
                deserialization_failure_listener=lambda failure, kind=kind: put((kind, failure)),
            ))
            stream.open()
            self.streams.append(stream)
            event = status.get(timeout=SOON)
            assert event.type == mqtt_request_response.SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED, event


class Device:
    """Makes requests by name and is told of changes in order."""

    def __init__(self, client):
        self.client, self.inbox = client, queue.Queue()
        client.listen(self.inbox.put)

    def pending(self):
        return self.client.ask("get_pending_job_executions", iotjobs.GetPendingJobExecutionsRequest)

    def describe(self, job_id, **fields):
        return self.client.ask("describe_job_execution", iotjobs.DescribeJobExecutionRequest, job_id=job_id, **fields)

    def start_next(self, **fields):
        return self.client.ask("start_next_pending_job_execution", iotjobs.StartNextPendingJobExecutionRequest, **fields)

    def update(self, job_id, status, **fields):
        return self.client.ask("update_job_execution", iotjobs.UpdateJobExecutionRequest, job_id=job_id, status=status, **fields)

    def told(self, kind):
        got, event = self.inbox.get(timeout=SOON)
        assert got == kind, (got, event)
        return event


def rejected(code, call, *arguments, **fields):
    try:
        reply = call(*arguments, **fields)
    except Rejected as e:
        assert e.error.code == code and e.error.message and e.error.timestamp, e
        return e.error.execution_state
    raise AssertionError(f"{code} expected, got {reply}")


def life(device, thing):
    """Finishes the first job of a thing and refuses the second."""
    first, second = f"{thing}-1", f"{thing}-2"
    pending = device.pending()
    assert pending.in_progress_jobs == [] and [x.job_id for x in pending.queued_jobs] == [first, second], pending
    x = device.describe("$next", include_job_document=True).execution
    assert (x.job_id, x.status, x.job_document["operation"]) == (first, iotjobs.JobStatus.QUEUED, "install"), x
    assert abs(datetime.datetime.now() - x.queued_at) < datetime.timedelta(minutes=10), x
    x = device.start_next(status_details={"step": "download"}).execution
    assert (x.job_id, x.status, x.version_number) == (first, iotjobs.JobStatus.IN_PROGRESS, 2), x

    again = dict(job_id=first, status=iotjobs.JobStatus.IN_PROGRESS, expected_version=2, status_details={"step": "install"})
    state = device.update(**again, include_job_execution_state=True).execution_state
    assert (state.status, state.status_details, state.version_number) == (iotjobs.JobStatus.IN_PROGRESS, {"step": "install"}, 3), state
    state = rejected(iotjobs.RejectedErrorCode.VERSION_MISMATCH, device.update, **again)
    assert state.version_number == 3, state
    device.update(first, iotjobs.JobStatus.SUCCEEDED, expected_version=3)
    event = device.told("notify")
    assert list(event.jobs) == ["QUEUED"] and [x.job_id for x in event.jobs["QUEUED"]] == [second], event
    event = device.told("notify-next")
    assert event.execution.job_id == second and event.execution.job_document["operation"] == "install", event
    state = rejected(iotjobs.RejectedErrorCode.INVALID_STATE_TRANSITION, device.update, first, iotjobs.JobStatus.FAILED)
    assert state.status == iotjobs.JobStatus.SUCCEEDED, state
    assert rejected(iotjobs.RejectedErrorCode.RESOURCE_NOT_FOUND, device.describe, "nothing") is None

    device.update(second, iotjobs.JobStatus.REJECTED)
    event = device.told("notify")
    assert event.jobs == {}, event
    event = device.told("notify-next")
    assert event.execution is None, event
    assert device.start_next().execution is None
    pending = device.pending()
    assert pending.in_progress_jobs == [] and pending.queued_jobs == [], pending


devices = {
    "sdk2py-1-3": (connect3, Client1),
    "sdk2py-1-5": (connect5, Client1),
    "sdk2py-2-3": (connect3, Client2),
    "sdk2py-2-5": (connect5, Client2),
}


def run(thing):
    connect, client = devices[thing]
    connection, close = connect(f"test-{thing}")
    life(Device(client(connection, thing)), thing)
    close()
    print(thing, flush=True)


assert list(devices) == settings["things"], settings
with ThreadPoolExecutor(len(devices)) as pool:
    list(pool.map(run, devices))

# The SDK's native threads outlive the interpreter and now and then free the same
# memory twice while it ends. All has been said by then.
os._exit(0)
