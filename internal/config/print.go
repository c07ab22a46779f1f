package config

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/BurntSushi/toml"
)

// Print writes the configuration as a TOML file, with what each setting is for
// and where its value came from as comments. Loading that file gives the same
// configuration, but for passwords: there is nothing secret in it.
func (l *Loaded) Print(w io.Writer) error {
	var b strings.Builder
	for i, k := range keys() {
		if i > 0 {
			b.WriteByte('\n')
		}
		line, err := toml.Marshal(map[string]any{k.name: k.toTOML(&l.Config)})
		if err != nil {
			return fmt.Errorf("config: print %s: %w", k.name, err)
		}
		fmt.Fprintf(&b, "# %s\n%s # %s\n", k.help, strings.TrimSuffix(string(line), "\n"), cmp.Or(l.sources[k.name], "default"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// toTOML is the inverse of fromTOML.
func (k key) toTOML(c *Config) any {
	v := k.shown(k.get(c))
	if k.kind == boolean {
		return v == "true"
	}
	return v
}
