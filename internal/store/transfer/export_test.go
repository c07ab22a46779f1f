package transfer

// Names returns the names of all tables that must be empty in a new target.
func Names() []string { return all() }
