package sigv4_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"muster/internal/auth/sigv4"
)

// The cases of the AWS Signature Version 4 test suite that a Go server can
// receive, and the example of the IAM guide. Their key and secret are published
// with them.
const (
	suiteKeyID  = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	suiteStamp  = "20150830T123600Z"
)

func suiteVerifier(t *testing.T) *sigv4.Verifier {
	t.Helper()
	cfg := config()
	cfg.Services = []string{"service", "iam"}
	cfg.Secret = func(context.Context, string) (string, error) { return suiteSecret, nil }
	cfg.Now = func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }
	return newVerifier(t, cfg)
}

func TestSuiteHeaderForm(t *testing.T) {
	t.Parallel()
	v := suiteVerifier(t)
	tests := []struct {
		name      string
		start     string // request line, then the headers to sign, one a line
		signed    string // their names
		body      string
		signature string
	}{
		{"vanilla", "GET /", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"query", "GET /?Param1=value1", "", "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"query order by key", "GET /?Param2=value2&Param1=value1", "", "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"query order after encoding", "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "", "", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		{"query in raw utf-8", "GET /?\u1234=bar", "", "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"path in raw utf-8", "GET /\u1234", "", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{"slash dot slash, not normalized", "GET /./", "", "", "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
		{"slashes, normalized", "GET //example//", "", "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{"pointless dot, normalized", "GET /./example", "", "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
		{"relative, normalized", "GET /example1/example2/../..", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"relative, not normalized", "GET /example/..", "", "", "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
		{"folded header", "GET /\nMy-Header1:value1\n  value2\n     value3", "my-header1;", "", "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
		{"header with spaces", "GET /\nMy-Header1: value1\nMy-Header2: \"a   b   c\"", "my-header1;my-header2;", "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"header given three times", "GET /\nMy-Header1:value2\nMy-Header1:value2\nMy-Header1:value1", "my-header1;", "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"order of header values", "GET /\nMy-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2", "my-header1;", "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"post", "POST /", "", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			line, headers, _ := strings.Cut(tt.start, "\n")
			r := parse(t, line+" HTTP/1.1\nHost:example.amazonaws.com\n"+headers+endLines(headers)+
				"Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "+
				"SignedHeaders=host;"+tt.signed+"x-amz-date, Signature="+tt.signature+"\nX-Amz-Date:"+suiteStamp+"\n\n"+tt.body)
			if _, err := authenticate(t, v, r); err != nil {
				t.Error(err)
			}
		})
	}
}

// endLines ends a block of header lines, if there are any.
func endLines(lines string) string {
	if lines == "" {
		return ""
	}
	return "\n"
}

func TestSuiteWithBody(t *testing.T) {
	t.Parallel()
	r := parse(t, `POST / HTTP/1.1
Content-Type:application/x-www-form-urlencoded; charset=utf-8
Host:example.amazonaws.com
Content-Length:13
x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, Signature=328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422
X-Amz-Date:20150830T123600Z

Param1=value1`)
	if _, err := authenticate(t, suiteVerifier(t), r); err != nil {
		t.Error(err)
	}
}

func TestGuideExample(t *testing.T) {
	t.Parallel()
	r := parse(t, `GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1
Host: iam.amazonaws.com
Content-Type: application/x-www-form-urlencoded; charset=utf-8
X-Amz-Date: 20150830T123600Z
Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7

`)
	if _, err := authenticate(t, suiteVerifier(t), r); err != nil {
		t.Error(err)
	}
}

func TestSuiteQueryForm(t *testing.T) {
	t.Parallel()
	v := suiteVerifier(t)
	const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tests := []struct {
		name, target, headers, signed, signature string
	}{
		{"relative, normalized", "/example/..?", "", "", "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"},
		{"slashes, not normalized", "//example//?", "", "", "822a5a9ba28072c5ab2bb4a6307d0c88276d40e49fec6b724c03fb4d4ba60fc2"},
		{"path in raw utf-8", "/\u1234?", "", "", "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44"},
		{"query of unreserved characters", "/?" + unreserved + "=" + unreserved + "&", "", "", "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf"},
		{"query order by key", "/?Param2=value2&Param1=value1&", "", "", "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"},
		{"query order after encoding", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1&", "", "", "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787"},
		{"signed headers", "/?", "My-Header1: value1\nMy-Header2: \"a   b   c\"\n", "%3Bmy-header1%3Bmy-header2", "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, "GET "+tt.target+"X-Amz-Algorithm=AWS4-HMAC-SHA256"+
				"&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date="+suiteStamp+
				"&X-Amz-SignedHeaders=host"+tt.signed+"&X-Amz-Expires=3600&X-Amz-Signature="+tt.signature+
				" HTTP/1.1\nHost:example.amazonaws.com\n"+tt.headers+"X-Amz-Date:"+suiteStamp+"\n\n")
			if _, err := authenticate(t, v, r); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSignerMakesTheSuitesSignature(t *testing.T) {
	t.Parallel()
	r := parse(t, "GET / HTTP/1.1\nHost:example.amazonaws.com\n\n")
	var s sigv4.Signer
	err := s.Sign(r, nil, sigv4.Credentials{KeyID: suiteKeyID, Secret: suiteSecret}, "us-east-1", "service",
		time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
		"SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
