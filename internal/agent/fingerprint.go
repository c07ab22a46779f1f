package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
)

// signed is the part of a URL that is made anew each time a document is handed
// out, if the document asks for a signed URL.
var signed = regexp.MustCompile(`\?\S*(?i:signature)=\S*`)

// fingerprint returns what tells a document from others: a hash of what it
// says, however that is written, but for the signatures of URLs. There is none
// of no document.
func fingerprint(document string) string {
	if document == "" {
		return ""
	}
	text := []byte(document)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		if canonical, err := json.Marshal(unsigned(v)); err == nil {
			text = canonical
		}
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// unsigned returns v without the signatures in its strings. It changes v.
func unsigned(v any) any {
	switch v := v.(type) {
	case string:
		return signed.ReplaceAllString(v, "?")
	case []any:
		for i := range v {
			v[i] = unsigned(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = unsigned(v[name])
		}
	}
	return v
}
