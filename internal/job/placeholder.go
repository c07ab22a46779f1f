package job

import (
	"strings"

	"muster/internal/apierr"
)

// servicePrefix begins what the service resolves. Of other uses of ${, such as
// a shell's variables, only the three local names are not the device's own.
const servicePrefix = "aws:iot:"

// CheckPlaceholders fails with apierr.Invalid if the document holds a
// placeholder that is not terminated, or one that the service resolves and
// Muster does not: a device must never get it raw. The texts are the
// documented ones where there are any [jobs-managing, CreateJob errors].
// Placeholders of unknown kinds stay as they are.
//
// document must be JSON text. Placeholders are looked for in the text as it
// stands, like the service does: one that is spelled with escapes is none.
func CheckPlaceholders(document string) error {
	for {
		_, rest, found := strings.Cut(document, "${")
		if !found {
			return nil
		}
		if err := checkPlaceholder(rest); err != nil {
			return err
		}
		document = rest // and not what is behind its end: placeholders may nest
	}
}

// checkPlaceholder returns why the placeholder whose inside text begins with
// cannot be served, or nil.
func checkPlaceholder(text string) error {
	if service, ours := strings.CutPrefix(text, servicePrefix); ours {
		body, terminated := placeholderBody(service)
		if !terminated {
			return apierr.New(apierr.Invalid, "One or more parameters or placeholders are not terminated.")
		}
		return checkService(body)
	}
	for _, local := range []string{"thingName}", "jobId}", "executionNumber}"} {
		if strings.HasPrefix(text, local) {
			return apierr.New(apierr.Invalid, "Local placeholder, ${%s, is only valid inside of presign url upload", local)
		}
	}
	return nil
}

// placeholderBody returns what text holds up to the brace that closes a
// placeholder, and whether there is one. Placeholders within it are skipped,
// and none goes past the end of the JSON string that it is in.
func placeholderBody(text string) (body string, terminated bool) {
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '"':
			return "", false
		case '{':
			if i > 0 && text[i-1] == '$' {
				depth++
			}
		case '}':
			if depth--; depth == 0 {
				return text[:i], true
			}
		}
	}
	return "", false
}

// checkService returns why KIND:ARGUMENT cannot be served, or nil.
func checkService(body string) error {
	kind, argument, _ := strings.Cut(body, ":")
	switch kind {
	case "s3-presigned-url", "s3-presigned-url-v2", "s3-presigned-url-upload":
		return apierr.New(apierr.Invalid, "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
	case "package":
		return checkPackage(argument)
	case "parameter", "code-sign-signature":
		return apierr.New(apierr.Invalid, "The job document holds a placeholder ${aws:iot:%s:...}, which this server does not support.", kind)
	}
	return nil
}

// checkPackage returns why NAME:version:VERSION:WHAT cannot be served.
func checkPackage(argument string) error {
	name, rest, _ := strings.Cut(argument, ":version:")
	version, what, _ := strings.Cut(rest, ":")
	switch {
	case version == "$null":
		return apierr.New(apierr.Invalid, "$null is not allowed to be referenced as a package version in job documents.")
	case (name == "") != (version == ""):
		return apierr.New(apierr.Invalid, "Empty package name and version name have to be used in pair.")
	case strings.HasPrefix(what, "artifact"):
		return apierr.New(apierr.Invalid, "Package %s version %s does not have an associated artifact to generate an S3 presigned url.", name, version)
	}
	return apierr.New(apierr.Invalid, "The job document holds a placeholder ${aws:iot:package:...}, which this server does not support.")
}
