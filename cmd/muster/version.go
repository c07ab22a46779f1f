package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints what this program is.
func (versionCmd) Run(sys system) error {
	_, err := fmt.Fprintf(sys.stdout, "muster %s (%s, %s/%s%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, revision())
	return err
}

// revision returns the commit that the program was built from, as far as Go knows.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return ", " + s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}
