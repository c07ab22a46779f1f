package thing

// maxName is the length of the name of a thing, type or group in characters
// [iot-api, CreateThing].
const maxName = 128

// IsName reports whether s can be the name of a thing, a thing type or a thing
// group: for names that are taken out of something, such as an ARN. Members of
// requests, of any kind, have been checked by package wire when they come here.
func IsName(s string) bool {
	for i := range len(s) {
		if !inName(s[i]) {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ':' || c == '_' || c == '-'
}
