package wire

import "encoding/json"

// Document is a job document in a response: a JSON string that holds its text
// over HTTP, the JSON value itself over MQTT. The zero Document is none, and is
// left out by fields with omitzero.
type Document struct {
	text     string
	embedded bool
}

// NewDocument returns the document of the given text, which must be valid
// JSON, in its HTTP form. [EncodeMessage] turns it into its MQTT form.
func NewDocument(text string) Document { return Document{text: text} }

// Text returns the document's JSON text as it was stored.
func (d Document) Text() string { return d.text }

// embed returns the document in its MQTT form.
func (d Document) embed() Document {
	d.embedded = d.text != ""
	return d
}

// MarshalJSON returns the form of the surface. The encoder that calls it fails
// when an embedded document is not JSON.
func (d Document) MarshalJSON() ([]byte, error) {
	if d.embedded {
		return []byte(d.text), nil
	}
	return Encode(d.text)
}

// UnmarshalJSON takes either form. A document that is itself a JSON string
// can only be told apart over HTTP, so a string is always read as the text.
func (d *Document) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		*d = Document{}
		return json.Unmarshal(data, &d.text)
	}
	*d = Document{text: string(data), embedded: true}
	return nil
}
