package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"muster/internal/agent"
)

// reportEvery is the pause between two reports on a download.
const reportEvery = 10 * time.Second

// newHTTPClient returns a client that waits for servers, but not for ever. How
// long a whole download takes is for the job's timeout to say.
func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // documented to be one
	t.ResponseHeaderTimeout = time.Minute
	return &http.Client{Transport: t}
}

// download fetches the file at a URL, its first argument, to a path, its second.
type download struct{ host *Host }

// Interrupted implements agent.Handler: until the file is complete it has another name.
func (download) Interrupted(agent.Call) agent.Verdict { return agent.Repeat }

// Run implements agent.Handler.
func (d download) Run(ctx context.Context, c agent.Call) agent.Outcome {
	if err := d.run(ctx, c); err != nil {
		return agent.Outcome{Reason: err.Error()}
	}
	return agent.Outcome{}
}

func (d download) run(ctx context.Context, c agent.Call) error {
	if len(c.Action.Args) != 2 {
		return errors.New("a download takes a URL and a path")
	}
	from, err := url.Parse(c.Action.Args[0])
	if err != nil || from.Scheme != "http" && from.Scheme != "https" {
		return errors.New("the URL is not one of http or https") // it may be a secret
	}
	to := c.Action.Args[1]
	if !filepath.IsAbs(to) {
		return fmt.Errorf("the path %q is not absolute", to)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return errors.New("the URL is not one of http or https")
	}
	resp, err := d.host.cfg.HTTP.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // whose text would show the URL, which may be signed
		}
		return fmt.Errorf("no answer from %s: %w", from.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", from.Host, resp.Status)
	}
	body := &counted{r: resp.Body, size: resp.ContentLength, report: c.Report, last: time.Now()}
	if c.Action.User != "" {
		return d.saveAs(ctx, c.Action.User, to, body)
	}
	return save(to, body)
}

// save puts a file in its place when it is complete and on the disk.
func save(name string, r io.Reader) error {
	part := name + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		_ = os.Remove(part) // the first error is the one to tell
	}
	return err
}

// saveAs does the same with the rights of a user.
func (d download) saveAs(ctx context.Context, user, name string, r io.Reader) error {
	out := d.host.runAs(ctx, user, process{argv: saveArgv(name), stdin: r})
	if out.Reason != "" {
		return fmt.Errorf("%s: %s", out.Reason, out.Stderr)
	}
	return nil
}

// saveArgv returns a command that saves its standard input as a file. The name
// is an argument of the shell's, not a part of its program.
func saveArgv(name string) []string {
	return []string{"sh", "-c", `cat >"$1.part" && mv -f "$1.part" "$1"`, "sh", name}
}

// counted reports how much of a file has been read.
type counted struct {
	r          io.Reader
	size, read int64 // size is -1 if it is not known
	report     func(map[string]string)
	last       time.Time
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	if err == io.EOF && c.size >= 0 && c.read < c.size {
		err = io.ErrUnexpectedEOF
	}
	if c.size > 0 && c.report != nil && time.Since(c.last) >= reportEvery {
		c.last = time.Now()
		c.report(map[string]string{"percent": fmt.Sprint(100 * c.read / c.size)})
	}
	return n, err
}
