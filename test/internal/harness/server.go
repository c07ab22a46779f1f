package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
)

// Region is the region of every server, unless its Args say otherwise.
const Region = "us-east-1"

// Config says how to run a server. Only Data is needed.
type Config struct {
	// Data is the data folder. It may be new, or that of a server that has ended.
	Data string
	// Args are flags of muster serve after those of the harness: another store,
	// for example. They win.
	Args []string
	// Env is added to an environment that is almost empty.
	Env []string
	// UID, if not 0, is the user to run as, where we are root on Linux. Who is not
	// root runs the server as himself.
	UID uint32
}

// command returns the child process, not started.
func (c Config) command(p Program, args []string) *exec.Cmd {
	cmd := exec.Command(p.Path, args...)
	cmd.Env = environ(append(storeOf(c.Data), c.Env...))
	confine(cmd, c.UID)
	return cmd
}

// Server is a running server. Its methods are for one goroutine, except URL and
// Client.
type Server struct {
	cfg   Config
	cmd   *exec.Cmd
	child *child
	url   string
	log   string // file
}

// Start starts a server and returns when it serves. The error, if it ends or
// ctx does, has its log. Who starts one stops or kills it, and discards its log.
func Start(ctx context.Context, p Program, c Config) (*Server, error) {
	args := append([]string{"serve", "--data", c.Data, "--listen", "127.0.0.1:0", "--log-level", "warn"}, c.Args...)
	cmd := c.command(p, args)
	log, err := os.CreateTemp("", "muster-log-*")
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has its own
	cmd.Stderr = log
	s := &Server{cfg: c, cmd: cmd, log: log.Name()}
	// A server that was killed has left the address that it had.
	if err := os.Remove(s.endpoint()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.child, err = start(cmd); err != nil {
		return nil, fmt.Errorf("harness: start %s: %w", p.Path, err)
	}
	if err := s.ready(ctx); err != nil {
		err = fmt.Errorf("harness: %s: %w\n%s", strings.Join(args, " "), err, s.Log())
		return nil, errors.Join(err, s.Kill(), s.Discard())
	}
	return s, nil
}

// endpoint is the file in which a server says where it is.
func (s *Server) endpoint() string { return filepath.Join(s.cfg.Data, "endpoint") }

var errEnded = errors.New("the server has ended")

// ready waits until the server serves.
func (s *Server) ready(ctx context.Context) error {
	err := Until(ctx, 5*time.Millisecond, func(context.Context) error {
		text, err := os.ReadFile(s.endpoint())
		s.url = strings.TrimSpace(string(text))
		if err != nil && s.Ended() {
			return Final(errEnded)
		}
		return err
	})
	if err != nil {
		return err
	}
	return Until(ctx, 5*time.Millisecond, func(ctx context.Context) error {
		status, body, err := s.Get(ctx, "/readyz")
		switch {
		case err != nil && s.Ended():
			return Final(errEnded)
		case err == nil && status != http.StatusOK:
			return fmt.Errorf("/readyz answers %d %s", status, body)
		}
		return err
	})
}

// URL is where the server is, such as http://127.0.0.1:40123.
func (s *Server) URL() string { return s.url }

// PID is the id of its process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Data is its data folder.
func (s *Server) Data() string { return s.cfg.Data }

// CredentialsFile is where it has put its first access key, in the profile default.
func (s *Server) CredentialsFile() string { return filepath.Join(s.cfg.Data, "credentials") }

// Credentials returns its first access key.
func (s *Server) Credentials() (sigv4.Credentials, error) {
	c, _, err := client.FindCredentials(client.Sources{Data: s.cfg.Data})
	return c, err
}

// Client returns a client of Muster's own with the first access key. Requests
// are sent attempts times at most.
func (s *Server) Client(attempts int) (*client.Client, error) {
	credentials, err := s.Credentials()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Endpoint: s.url, Region: Region, Credentials: credentials, Attempts: attempts})
}

// Ended reports whether the process has ended.
func (s *Server) Ended() bool {
	select {
	case <-s.child.ended:
		return true
	default:
		return false
	}
}

// Stop asks the server to stop and waits for its end. It fails if the server
// does not say that all is well, with its log.
func (s *Server) Stop(ctx context.Context) error {
	if s.Ended() {
		return fmt.Errorf("harness: %w already: %s\n%s", errEnded, s.cmd.ProcessState, s.Log())
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.child.ended:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("harness: the server does not stop: %w\n%s", ctx.Err(), s.Log()), s.Kill())
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("harness: the server has stopped with %s\n%s", s.cmd.ProcessState, s.Log())
	}
	return nil
}

// Kill ends the server as a loss of power would end the process: at once,
// whatever it is doing. One that has ended is left alone.
func (s *Server) Kill() error {
	err := s.cmd.Process.Kill()
	<-s.child.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Discard removes the log of a server that has ended.
func (s *Server) Discard() error { return os.Remove(s.log) }

// Log returns the end of what the server has written to stderr.
func (s *Server) Log() string {
	const most = 64 << 10
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		return "…" + string(text[len(text)-most:])
	}
	return string(text)
}
