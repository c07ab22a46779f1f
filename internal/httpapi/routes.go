package httpapi

import "muster/internal/auth"

//go:generate go test -run ^TestCoverage$ . -update

const (
	control = auth.ControlPlane
	data    = auth.DataPlane
)

// routes returns the operations of AWS that Muster serves: the whole API, one
// line each. Published operations that are not here answer 501 by name.
func (a *API) routes() []route {
	return []route{
		// Job executions, for their devices.
		{"GET /things/{thingName}/jobs", "GetPendingJobExecutions", data, "iotjobsdata:GetPendingJobExecutions", handle(a.getPendingJobExecutions)},
		{"GET /things/{thingName}/jobs/{jobId}", "DescribeJobExecution", data, "iotjobsdata:DescribeJobExecution", handle(a.deviceDescribeJobExecution)},
		{"PUT /things/{thingName}/jobs/$next", "StartNextPendingJobExecution", data, "iotjobsdata:StartNextPendingJobExecution", handle(a.startNextPendingJobExecution)},
		{"POST /things/{thingName}/jobs/{jobId}", "UpdateJobExecution", data, "iotjobsdata:UpdateJobExecution", handle(a.updateJobExecution)},

		// Jobs.
		{"PUT /jobs/{jobId}", "CreateJob", control, "iot:CreateJob", handle(a.createJob)},
		{"GET /jobs/{jobId}", "DescribeJob", control, "iot:DescribeJob", handle(a.describeJob)},
		{"PATCH /jobs/{jobId}", "UpdateJob", control, "iot:UpdateJob", handle(a.updateJob)},
		{"PUT /jobs/{jobId}/cancel", "CancelJob", control, "iot:CancelJob", handle(a.cancelJob)},
		{"DELETE /jobs/{jobId}", "DeleteJob", control, "iot:DeleteJob", handle(a.deleteJob)},
		{"GET /jobs/{jobId}/job-document", "GetJobDocument", control, "iot:GetJobDocument", handle(a.getJobDocument)},
		{"GET /jobs", "ListJobs", control, "iot:ListJobs", handle(a.listJobs)},
		{"POST /jobs/{jobId}/targets", "AssociateTargetsWithJob", control, "iot:AssociateTargetsWithJob", handle(a.associateTargetsWithJob)},

		// Job executions, for operators.
		{"GET /jobs/{jobId}/things", "ListJobExecutionsForJob", control, "iot:ListJobExecutionsForJob", handle(a.listJobExecutionsForJob)},
		{"GET /things/{thingName}/jobs", "ListJobExecutionsForThing", control, "iot:ListJobExecutionsForThing", handle(a.listJobExecutionsForThing)},
		{"GET /things/{thingName}/jobs/{jobId}", "DescribeJobExecution", control, "iot:DescribeJobExecution", handle(a.describeJobExecution)},
		{"PUT /things/{thingName}/jobs/{jobId}/cancel", "CancelJobExecution", control, "iot:CancelJobExecution", handle(a.cancelJobExecution)},
		{"DELETE /things/{thingName}/jobs/{jobId}/executionNumber/{executionNumber}", "DeleteJobExecution", control, "iot:DeleteJobExecution", handle(a.deleteJobExecution)},

		// Things.
		{"POST /things/{thingName}", "CreateThing", control, "iot:CreateThing", handle(a.createThing)},
		{"GET /things/{thingName}", "DescribeThing", control, "iot:DescribeThing", handle(a.describeThing)},
		{"PATCH /things/{thingName}", "UpdateThing", control, "iot:UpdateThing", handle(a.updateThing)},
		{"DELETE /things/{thingName}", "DeleteThing", control, "iot:DeleteThing", handle(a.deleteThing)},
		{"GET /things", "ListThings", control, "iot:ListThings", handle(a.listThings)},

		// Thing types.
		{"POST /thing-types/{thingTypeName}", "CreateThingType", control, "iot:CreateThingType", handle(a.createThingType)},
		{"GET /thing-types/{thingTypeName}", "DescribeThingType", control, "iot:DescribeThingType", handle(a.describeThingType)},
		{"PATCH /thing-types/{thingTypeName}", "UpdateThingType", control, "iot:UpdateThingType", handle(a.updateThingType)},
		{"POST /thing-types/{thingTypeName}/deprecate", "DeprecateThingType", control, "iot:DeprecateThingType", handle(a.deprecateThingType)},
		{"DELETE /thing-types/{thingTypeName}", "DeleteThingType", control, "iot:DeleteThingType", handle(a.deleteThingType)},
		{"GET /thing-types", "ListThingTypes", control, "iot:ListThingTypes", handle(a.listThingTypes)},

		// Thing groups and their members.
		{"POST /thing-groups/{thingGroupName}", "CreateThingGroup", control, "iot:CreateThingGroup", handle(a.createThingGroup)},
		{"GET /thing-groups/{thingGroupName}", "DescribeThingGroup", control, "iot:DescribeThingGroup", handle(a.describeThingGroup)},
		{"PATCH /thing-groups/{thingGroupName}", "UpdateThingGroup", control, "iot:UpdateThingGroup", handle(a.updateThingGroup)},
		{"DELETE /thing-groups/{thingGroupName}", "DeleteThingGroup", control, "iot:DeleteThingGroup", handle(a.deleteThingGroup)},
		{"GET /thing-groups", "ListThingGroups", control, "iot:ListThingGroups", handle(a.listThingGroups)},
		{"PUT /thing-groups/addThingToThingGroup", "AddThingToThingGroup", control, "iot:AddThingToThingGroup", handle(a.addThingToThingGroup)},
		{"PUT /thing-groups/removeThingFromThingGroup", "RemoveThingFromThingGroup", control, "iot:RemoveThingFromThingGroup", handle(a.removeThingFromThingGroup)},
		{"PUT /thing-groups/updateThingGroupsForThing", "UpdateThingGroupsForThing", control, "iot:UpdateThingGroupsForThing", handle(a.updateThingGroupsForThing)},
		{"GET /thing-groups/{thingGroupName}/things", "ListThingsInThingGroup", control, "iot:ListThingsInThingGroup", handle(a.listThingsInThingGroup)},
		{"GET /things/{thingName}/thing-groups", "ListThingGroupsForThing", control, "iot:ListThingGroupsForThing", handle(a.listThingGroupsForThing)},

		// Tags of jobs, thing groups and thing types.
		{"POST /tags", "TagResource", control, "iot:TagResource", handle(a.tagResource)},
		{"POST /untag", "UntagResource", control, "iot:UntagResource", handle(a.untagResource)},
		{"GET /tags", "ListTagsForResource", control, "iot:ListTagsForResource", handle(a.listTagsForResource)},

		{"GET /endpoint", "DescribeEndpoint", control, "iot:DescribeEndpoint", handle(a.describeEndpoint)},
	}
}
