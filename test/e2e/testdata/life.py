"""A job's life with the clients of botocore, on which boto3 stands.

Run by TestBotocore, with the server in the environment. The exit code tells.
"""

import datetime

import botocore.session
from botocore.exceptions import ClientError

session = botocore.session.get_session()
iot = session.create_client("iot")
device = session.create_client("iot-jobs-data")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        assert e.response["Error"]["Message"], e
        assert e.response["ResponseMetadata"]["RequestId"], e
        assert e.response["ResponseMetadata"]["RetryAttempts"] == 0, e
        return e.response
    raise AssertionError(f"{code} expected of {call}")


targets = [iot.create_thing(thingName=f"site:{i}")["thingArn"] for i in range(12)]
group = iot.create_thing_group(thingGroupName="site")["thingGroupArn"]
for arn in targets:
    iot.add_thing_to_thing_group(thingGroupArn=group, thingArn=arn)
job = iot.create_job(
    jobId="roll", targets=[group], document='{"a": "ü"}', tags=[{"Key": "k", "Value": "v"}], targetSelection="SNAPSHOT"
)
assert job["jobArn"].endswith(":job/roll"), job
assert iot.get_job_document(jobId="roll")["document"] == '{"a": "ü"}'
assert iot.list_tags_for_resource(resourceArn=job["jobArn"])["tags"] == [{"Key": "k", "Value": "v"}]

# $next goes out escaped in one operation and as it is in the other.
assert device.describe_job_execution(thingName="site:0", jobId="$next")["execution"]["status"] == "QUEUED"
x = device.start_next_pending_job_execution(thingName="site:0", statusDetails={"step": "1"}, stepTimeoutInMinutes=5)["execution"]
assert x["versionNumber"] == 2 and x["thingName"] == "site:0" and x["jobDocument"] == '{"a": "ü"}', x
assert abs(x["startedAt"] - datetime.datetime.now().timestamp()) < 600, x
device.update_job_execution(thingName="site:0", jobId="roll", status="SUCCEEDED", expectedVersion=2)
assert "execution" not in device.describe_job_execution(thingName="site:0", jobId="$next")
pending = device.get_pending_job_executions(thingName="site:0")
assert pending["inProgressJobs"] == [] and pending["queuedJobs"] == [], pending

refused("InvalidStateTransitionException", device.update_job_execution, thingName="site:0", jobId="roll", status="FAILED")
refused("ResourceNotFoundException", device.describe_job_execution, thingName="none", jobId="$next")
refused("InvalidRequestException", iot.create_job, jobId="a b", targets=[group], document="{}")
there = refused("ResourceAlreadyExistsException", iot.create_job, jobId="roll", targets=[group], document="{}")
assert there["resourceArn"] == job["jobArn"] and there["resourceId"] == "roll", there
refused("NotImplementedException", iot.list_job_templates)

pages = iot.get_paginator("list_job_executions_for_job").paginate(jobId="roll", PaginationConfig={"PageSize": 5})
listed = [s["thingArn"] for page in pages for s in page["executionSummaries"]]
assert sorted(listed) == sorted(targets), listed
x = iot.describe_job_execution(thingName="site:1", jobId="roll")["execution"]
assert isinstance(x["queuedAt"], datetime.datetime) and x["statusDetails"] == {}, x
iot.cancel_job_execution(thingName="site:1", jobId="roll", statusDetails={"why": "test"})
details = iot.describe_job(jobId="roll")["job"]["jobProcessDetails"]
assert (details["numberOfSucceededThings"], details["numberOfCanceledThings"], details["numberOfQueuedThings"]) == (1, 1, 10), details
iot.delete_job(jobId="roll", force=True)
print("botocore", botocore.__version__)
