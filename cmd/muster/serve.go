package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/alecthomas/kong"

	"muster/internal/config"
)

// serveCmd runs the server. Its flags are made from the table of settings.
type serveCmd struct {
	Config      string `help:"TOML file with settings ($$MUSTER_CONFIG)." placeholder:"FILE"`
	PrintConfig bool   `help:"Print the settings and where each comes from, as a TOML file, and exit."`
	kong.Plugins
	flags *config.Flags
}

// Help describes the command beyond its flags.
func (*serveCmd) Help() string {
	return "No setting is needed. Values come, weakest first, from the defaults, the file, the environment and flags. " +
		"The first start makes an access key and writes it into the file credentials in the data folder. " +
		"SIGINT or SIGTERM stops the server when requests under way are answered; a second one stops it at once."
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, sys system) error {
	loaded, err := config.Load(config.Input{File: c.Config, Getenv: sys.getenv, Flags: c.flags.Given()})
	if err != nil {
		return err
	}
	if c.PrintConfig {
		return loaded.Print(sys.stdout)
	}
	l, err := listen(ctx, "--listen", loaded.Listen)
	if err != nil {
		return err
	}
	log, flush := newLogger(sys.stderr, loaded.Config)
	defer flush()
	tuneGC()
	s, err := newServer(ctx, loaded.Config, l, log)
	if err != nil {
		return err
	}
	return s.run(ctx, func() { s.greet(sys.stdout) })
}

// greet tells people where the server is and how to talk to it.
func (s *server) greet(w io.Writer) {
	credentials := absolute(filepath.Join(s.cfg.Data, credentialsName))
	_, err := os.Stat(credentials)
	note := ""
	switch {
	case s.newKey:
		note = " (new: the first access key)"
	case err != nil && s.members != nil:
		note = " (not there; the first access key is on the node that has made it)"
	case err != nil:
		note = " (not there; muster keys create makes another key while no server runs)"
	}
	fmt.Fprintf(w, "Muster %s is ready.\n\n", version)
	fmt.Fprintf(w, "  endpoint     %s\n", s.url())
	for _, url := range s.devices.urls() {
		fmt.Fprintf(w, "  devices      %s%s\n", url, s.admits(url))
	}
	fmt.Fprintf(w, "  data         %s\n  credentials  %s%s\n\n", absolute(s.cfg.Data), credentials, note)
	fmt.Fprintf(w, "AWS clients, here with the AWS CLI:\n\n%s\n  aws --profile muster iot list-jobs\n\n",
		exports(credentials, s.url(), s.cfg.Region))
	fmt.Fprintf(w, "Muster's own commands, in another terminal:\n\n  muster jobs list%s\n\n", dataFlag(s.cfg.Data))
}

// admits says who gets in at a listener for devices, where that is not plain:
// elsewhere it takes a certificate or a signature.
func (s *server) admits(url string) string {
	if s.devices.plain != nil && url == "mqtt://"+s.devices.plain.Addr().String() {
		return " (every program on this machine, without credentials; --mqtt-listen off closes it)"
	}
	return ""
}

// dataFlag returns what Muster's own commands need to find a data folder.
func dataFlag(path string) string {
	if path == config.Default().Data {
		return ""
	}
	return " --data " + quote(absolute(path))
}

// exports returns the shell commands that point AWS clients at a server, one a
// line and indented. Keys are not in them, only where they are.
func exports(credentials, url, region string) string {
	form := "  export %s=%s\n"
	if runtime.GOOS == "windows" {
		form = "  $env:%s=%s\n"
	}
	var b strings.Builder
	for _, v := range [][2]string{
		{"AWS_SHARED_CREDENTIALS_FILE", quote(credentials)}, {"AWS_ENDPOINT_URL", quote(url)}, {"AWS_DEFAULT_REGION", quote(region)}, {"AWS_REGION", quote(region)},
	} {
		fmt.Fprintf(&b, form, v[0], v[1])
	}
	return b.String()
}

// quote returns s as a word of a shell command.
func quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,@%+="
	switch {
	case runtime.GOOS == "windows":
		return "'" + strings.ReplaceAll(s, "'", "''") + "'" // PowerShell
	case s != "" && strings.Trim(s, plain) == "":
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// absolute returns path from the root, so that it can be used in another terminal.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
