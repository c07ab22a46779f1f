package handler

// As returns the command that is run for a user.
func (h *Host) As(user string, argv []string) ([]string, error) { return h.as(user, argv) }

// SaveArgv returns the command that saves a file for a user.
func SaveArgv(name string) []string { return saveArgv(name) }

// UnitOf returns the service in the text of a cgroup file.
func UnitOf(cgroup string) string { return unitOf(cgroup) }
