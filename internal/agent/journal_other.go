//go:build !unix

package agent

import "os"

// openOwn opens a file that is the agent's alone, as far as the rights of its
// folder see to that.
func openOwn(name string, flags int) (*os.File, error) { return os.OpenFile(name, flags, 0o600) }
