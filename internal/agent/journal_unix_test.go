//go:build unix

package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/agent"
)

// TestJournalThatSomebodyElseHasPlanted has links in the place of the journal:
// the agent would write over what they lead to.
func TestJournalThatSomebodyElseHasPlanted(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(old, file string) error{"a symbolic link": os.Symlink, "a link": os.Link} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim := filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(victim, filepath.Join(dir, "journal")); err != nil {
				t.Fatal(err)
			}
			a, err := agent.New(agent.Config{Thing: "t", Transport: newServer(), Handlers: (&hands{}).find, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "journal") {
				t.Errorf("got error %v", err)
			}
			text, err := os.ReadFile(victim)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "content", string(text), "precious")
		})
	}
}
