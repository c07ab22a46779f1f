package handler

// As returns the command that is run for a user.
func (h *Host) As(user string, argv []string) ([]string, error) { return h.as(user, argv) }

// PartPrefix returns how the names of the parts of a file begin.
func PartPrefix(name string) string { return newPart(name).prefix }

// UnitOf returns the service in the text of a cgroup file.
func UnitOf(cgroup string) string { return unitOf(cgroup) }
