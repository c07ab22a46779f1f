package wire

// Unserved is a member of a published request that Muster does not act on yet.
// It accepts null, {} and [], which ask for nothing, and refuses the rest:
// storing what is never obeyed would be worse than saying so.
type Unserved struct{}

func checkUnserved(raw []byte) *fault {
	if raw[0] == '{' || raw[0] == '[' {
		if next := raw[skipSpace(raw, 1)]; next == '}' || next == ']' {
			return nil
		}
	}
	return wrongType(raw, "absent or empty: this server does not support it")
}
