package thing

import "muster/internal/apierr"

// checkVersion returns apierr.VersionMismatch if expected is given and is not
// the current version of what, such as "thing t1".
func checkVersion(what, name string, current int64, expected *int64) error {
	if expected == nil || *expected == current {
		return nil
	}
	return apierr.New(apierr.VersionMismatch, "expectedVersion %d is not the current version %d of %s %s", *expected, current, what, name)
}
