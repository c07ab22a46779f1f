package job_test

import (
	"encoding/json"
	"strings"
	"testing"

	"muster/internal/apierr"
	"muster/internal/job"
)

func TestCheckPlaceholders(t *testing.T) {
	t.Parallel()
	const (
		role         = "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document."
		unterminated = "One or more parameters or placeholders are not terminated."
		pair         = "Empty package name and version name have to be used in pair."
	)
	unserved := func(kind string) string {
		return "The job document holds a placeholder ${aws:iot:" + kind + ":...}, which this server does not support."
	}
	local := func(name string) string {
		return "Local placeholder, ${" + name + "}, is only valid inside of presign url upload"
	}
	tests := []struct {
		name, document, want string
	}{
		{"a document without placeholders is fine", `{"operation":"reboot","cost":"5$","set":"{}"}`, ""},
		{"a variable of the device's shell stays", `{"run":"echo ${HOME} ${x:-${y}} $(id)"}`, ""},
		{"a shell's variable need not end", `{"run":"echo ${HOME"}`, ""},
		{"an unknown kind stays", `{"u":"${aws:iot:something:else}"}`, ""},
		{"a placeholder of another service stays", `{"u":"${aws:greengrass:parameter:x}"}`, ""},
		{"a presigned URL needs a role", `{"u":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/b/fw.bin}"}`, role},
		{"so does version 2", `{"u":"${aws:iot:s3-presigned-url-v2:https://b.s3.amazonaws.com/k%3FversionId%3D1}"}`, role},
		{"so does an upload with local names", `{"u":"${aws:iot:s3-presigned-url-upload:https://s3.amazonaws.com/b/${thingName}/${jobId}}"}`, role},
		{"so does an upload without a bucket", `{"u":"${aws:iot:s3-presigned-url-upload}"}`, role},
		{"a URL within a longer string is found", `{"run":"curl '${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}' -o k"}`, role},
		{"a URL in a member's name is found", `{"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}":1}`, role},
		{"the second of two is found", `["${aws:iot:something:else}","${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}"]`, role},
		{"one within a shell's variable is found", `{"run":"${X:-${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}}"}`, role},
		{"one within an unknown kind is found", `{"run":"${aws:iot:x:${aws:iot:parameter:y}}"}`, unserved("parameter")},
		{"a parameter belongs to a managed template", `{"u":"${aws:iot:parameter:x}"}`, unserved("parameter")},
		{"a signature is not made here", `{"s":"${aws:iot:code-sign-signature:s3://us-east-1.b/k@v}"}`, unserved("code-sign-signature")},
		{"the attributes of a package are not known", `{"p":"${aws:iot:package:fw:version:1.0:attributes}"}`, unserved("package")},
		{"nor is one of them", `{"p":"${aws:iot:package:fw:version:$default:attributes:url}"}`, unserved("package")},
		{"nor is the only package of a job", `{"p":"${aws:iot:package::version::attributes:url}"}`, unserved("package")},
		{"no package has an artifact", `{"p":"${aws:iot:package:fw:version:1.0:artifact-location:s3-presigned-url}"}`,
			"Package fw version 1.0 does not have an associated artifact to generate an S3 presigned url."},
		{"a removed version cannot be named", `{"p":"${aws:iot:package:fw:version:$null:attributes}"}`,
			"$null is not allowed to be referenced as a package version in job documents."},
		{"a version needs a package", `{"p":"${aws:iot:package::version:1.0:attributes}"}`, pair},
		{"a package needs a version", `{"p":"${aws:iot:package:fw:version::attributes}"}`, pair},
		{"the braces of the document do not end a placeholder", `{"u":"${aws:iot:parameter:x"}`, unterminated},
		{"nor does the next string", `{"u":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k","v":"}"}`, unterminated},
		{"a nested one must end, too", `{"u":"${aws:iot:s3-presigned-url-upload:https://s3.amazonaws.com/b/${thingName}"}`, unterminated},
		{"an unknown kind must end, too", `["${aws:iot:"]`, unterminated},
		{"the thing's name belongs into an upload", `{"t":"${thingName}"}`, local("thingName")},
		{"so does the job's", `{"t":"a-${jobId}"}`, local("jobId")},
		{"so does the number", `{"t":"${executionNumber}"}`, local("executionNumber")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !json.Valid([]byte(tt.document)) {
				t.Fatalf("%s is not JSON", tt.document)
			}
			err := job.CheckPlaceholders(tt.document)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want || (err != nil && !apierr.Is(err, apierr.Invalid)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzCheckPlaceholders shows that whatever is around it, a placeholder that
// cannot be served never passes, and that nothing is refused without one.
func FuzzCheckPlaceholders(f *testing.F) {
	f.Add("", "")
	f.Add("${", "}")
	f.Add("${aws:iot:x:", "}${HOME}")
	f.Add("$", "${thingName}")
	f.Fuzz(func(t *testing.T, before, after string) {
		quoted, err := json.Marshal(before + after)
		if err != nil {
			t.Fatal(err)
		}
		if err := job.CheckPlaceholders(string(quoted)); err != nil && !strings.Contains(string(quoted), "${") {
			t.Errorf("%s is refused: %v", quoted, err)
		}
		planted, err := json.Marshal(before + "${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}" + after)
		if err != nil {
			t.Fatal(err)
		}
		if job.CheckPlaceholders(string(planted)) == nil {
			t.Errorf("%s passes", planted)
		}
	})
}
