package handler

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"muster/internal/agent"
)

// reportEvery is the pause between two reports on a download.
const reportEvery = 10 * time.Second

var errStalled = errors.New("nothing came any more")

// newHTTPClient returns a client that waits for servers, but not for ever. How
// long a whole download takes is for the job's timeout to say. What is saved is
// what the server has, with its length: nothing is asked for in compressed form.
func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // documented to be one
	t.ResponseHeaderTimeout = time.Minute
	t.DisableCompression = true
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
	to := filepath.Clean(c.Action.Args[1])
	if !filepath.IsAbs(to) {
		return fmt.Errorf("the path %q is not absolute", to)
	}
	if os.IsPathSeparator(c.Action.Args[1][len(c.Action.Args[1])-1]) {
		return fmt.Errorf("the path %q is that of a folder", c.Action.Args[1])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = d.fetch(ctx, cancel, from, to, c)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// fetch downloads a file. It calls cancel when nothing comes any more.
func (d download) fetch(ctx context.Context, cancel context.CancelCauseFunc, from *url.URL, to string, c agent.Call) error {
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
	stall := time.AfterFunc(d.host.cfg.Stall, func() { cancel(errStalled) })
	defer stall.Stop()
	body := &counted{r: resp.Body, size: resp.ContentLength, report: c.Report, last: time.Now(), came: func() { stall.Reset(d.host.cfg.Stall) }}
	p := newPart(to)
	if c.Action.User != "" {
		return d.saveAs(ctx, c.Action.User, p, body)
	}
	return save(p, body)
}

// part is a file that is being saved. Until it is complete and on the disk, it
// has another name than its own in the same folder. Nobody can know that name
// before, so that nothing waits there to be written to.
type part struct {
	dir, base      string
	prefix, suffix string // of the other name; prefix is the same each time
}

func newPart(name string) part {
	sum := sha256.Sum256([]byte(name))
	return part{
		dir: filepath.Dir(name), base: filepath.Base(name),
		prefix: fmt.Sprintf(".muster-agent-%x-", sum[:8]), suffix: rand.Text() + ".part",
	}
}

// name returns the other name.
func (p part) name() string { return p.prefix + p.suffix }

// The programs of a shell that save a file with the rights of a user. Names are
// arguments of the shell's, not a part of its program.
const (
	// fetchScript saves its standard input as $1$2, and removes what earlier
	// attempts have left. With -C it writes to nothing that is there already.
	// What sync does with a file differs, and is enough everywhere.
	fetchScript = `rm -f "$1"*.part 2>/dev/null; set -C; cat >"$1$2" && sync "$1$2"`
	// placeScript puts $1, which has $3 bytes, in its place $2 in the folder $4.
	placeScript = `if [ -d "$2" ]; then echo "$2 is a folder" >&2; exit 1; fi
if [ "$(wc -c <"$1")" -ne "$3" ]; then echo "$1 does not have $3 bytes" >&2; exit 1; fi
mv -f "$1" "$2" && { sync "$4" 2>/dev/null || sync; }`
)

// saveAs does what save does with the rights of a user.
func (d download) saveAs(ctx context.Context, user string, p part, r *counted) error {
	run := func(ctx context.Context, stdin io.Reader, script string, args ...string) error {
		out := d.host.runAs(ctx, user, process{argv: append([]string{"sh", "-c", script, "sh"}, args...), stdin: stdin})
		if out.Reason != "" {
			return errors.New(strings.TrimSuffix(out.Reason+": "+strings.TrimSpace(out.Stderr), ": "))
		}
		return nil
	}
	name := filepath.Join(p.dir, p.name())
	err := run(ctx, r, fetchScript, filepath.Join(p.dir, p.prefix), p.suffix)
	if err == nil {
		err = run(ctx, nil, placeScript, name, filepath.Join(p.dir, p.base), fmt.Sprint(r.read), p.dir)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.host.cfg.Grace)
		defer cancel()
		_ = run(ctx, nil, `rm -f "$1"`, name) // the first error is the one to tell
	}
	return err
}

// counted reports how much of a file has been read.
type counted struct {
	r          io.Reader
	size, read int64 // size is -1 if it is not known
	report     func(map[string]string)
	last       time.Time
	came       func() // is called whenever something was read
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	c.came()
	if err == io.EOF && c.size >= 0 && c.read < c.size {
		err = io.ErrUnexpectedEOF
	}
	if c.size > 0 && c.report != nil && time.Since(c.last) >= reportEvery {
		c.last = time.Now()
		c.report(map[string]string{"percent": fmt.Sprint(100 * c.read / c.size)})
	}
	return n, err
}
