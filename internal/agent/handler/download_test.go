//go:build unix

package handler_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/agent"
	"muster/internal/agent/handler"
)

// files is a server of files, good and bad.
func files(t *testing.T) (url string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("the file is wanted in another form than it has")
		}
		fmt.Fprint(w, "content")
	})
	mux.HandleFunc("GET /empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "content")
	})
	mux.HandleFunc("GET /aborted", func(w http.ResponseWriter, _ *http.Request) { // without a length
		fmt.Fprint(w, "content")
		_ = http.NewResponseController(w).Flush() // else nothing is sent at all
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("GET /stalled", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "content")
		_ = http.NewResponseController(w).Flush() // else nothing is sent at all
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// sudo puts a sudo into the path that runs programs as the tests do.
func (m *machine) sudo() { m.script(m.bin, "sudo", `echo "$*" >>`+m.log+`; shift 4; exec "$@"`) }

// left returns the names in a folder.
func left(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// text returns what is in a file.
func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// write makes a file.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDownload downloads into a folder with the files old and folder, with the
// agent's rights and with those of a user.
func TestDownload(t *testing.T) {
	t.Parallel()
	url := files(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, tt := range map[string]struct {
		url, to string
		reason  string
	}{
		"a file":                          {url: url + "/file?secret", to: "DIR/new"},
		"an empty one":                    {url: url + "/empty", to: "DIR/new"},
		"a name that is a trap":           {url: url + "/file", to: `DIR/x"; touch hacked; $(touch hacked) *`},
		"over one that is there":          {url: url + "/file", to: "DIR/old"},
		"one that is not there":           {url: url + "/none?secret", to: "DIR/old", reason: "404"},
		"one that breaks off":             {url: url + "/short", to: "DIR/old", reason: "unexpected EOF"},
		"one that breaks off, and is new": {url: url + "/short", to: "DIR/new", reason: "unexpected EOF"},
		"without a length, too":           {url: url + "/aborted", to: "DIR/old", reason: "unexpected EOF"},
		"one that stops coming":           {url: url + "/stalled", to: "DIR/old", reason: "nothing came any more"},
		"from nobody":                     {url: gone.URL + "/x?secret", to: "DIR/new", reason: "no answer from"},
		"by another scheme":               {url: "file:///etc/passwd?secret", to: "DIR/new", reason: "not one of http or https"},
		"from no URL":                     {url: ":secret", to: "DIR/new", reason: "not one of http or https"},
		"to a path that is relative":      {url: url + "/file", to: "new", reason: "not absolute"},
		"to no path":                      {url: url + "/file", to: "", reason: "not absolute"},
		"to a folder that is not there":   {url: url + "/file", to: "DIR/x/new", reason: "irectory"},
		"to a folder":                     {url: url + "/file", to: "DIR/folder", reason: "folder"},
		"to a folder, as it says":         {url: url + "/file", to: "DIR/new/", reason: "that of a folder"},
	} {
		for _, user := range []string{"", "joe"} {
			t.Run(strings.TrimSuffix(name+" for "+user, " for "), func(t *testing.T) {
				t.Parallel()
				m := newMachine(t)
				m.sudo()
				if strings.HasSuffix(tt.url, "/stalled") {
					m.cfg.Stall = 100 * time.Millisecond
				}
				dir := t.TempDir()
				write(t, filepath.Join(dir, "old"), "a longer content")
				if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
					t.Fatal(err)
				}
				before := left(t, dir)
				to := strings.Replace(tt.to, "DIR", dir, 1)
				out := m.run(agent.Action{Handler: "download-file.sh", Args: []string{tt.url, to}, User: user})
				if strings.Contains(out.Reason, "secret") {
					t.Errorf("the reason gives the URL away: %s", out.Reason)
				}
				if (out.Reason == "") != (tt.reason == "") || !strings.Contains(out.Reason, tt.reason) {
					t.Errorf("got reason %q, want %q", out.Reason, tt.reason)
				}
				if tt.reason != "" {
					same(t, "files after a failure", left(t, dir), before)
					same(t, "old file after a failure", text(t, filepath.Join(dir, "old")), "a longer content")
					same(t, "files in the folder", left(t, filepath.Join(dir, "folder")), "")
					return
				}
				wanted := "content"
				if strings.HasSuffix(tt.url, "/empty") {
					wanted = ""
				}
				same(t, "content", text(t, to), wanted)
				same(t, "other files", strings.Contains(left(t, dir), ".part"), false)
				if user != "" && !strings.HasPrefix(m.recorded(), "-u joe -n -- sh -c ") {
					t.Errorf("called %s", m.recorded())
				}
			})
		}
	}
	if out := newMachine(t).run(agent.Action{Handler: "download-file.sh", Args: []string{"x"}}); out.Reason == "" {
		t.Error("a download without a path has succeeded")
	}
}

// TestDownloadForAUserIsOnTheDisk has programs that say what they are called with.
func TestDownloadForAUserIsOnTheDisk(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.script(m.bin, "sudo", `shift 4; PATH=`+m.bin+`:$PATH; export PATH; exec "$@"`)
	m.script(m.bin, "sync", `echo "sync $*" >>`+m.log)
	m.script(m.bin, "mv", `echo "mv $*" >>`+m.log+`; exec /bin/mv "$@"`)
	dir := t.TempDir()
	to := filepath.Join(dir, "f")
	out := m.run(agent.Action{Handler: "download-file.sh", Args: []string{files(t) + "/file", to}, User: "joe"})
	same(t, "reason", out.Reason, "")
	if m.recorded() == "" {
		t.Skip("the shell of this machine has tools of its own")
	}
	lines := strings.Split(m.recorded(), "\n")
	part := strings.TrimPrefix(lines[0], "sync ")
	same(t, "calls", lines, []string{"sync " + part, "mv -f " + part + " " + to, "sync " + dir})
}

// TestDownloadWritesToNothingThatWaits has links where a download writes.
func TestDownloadWritesToNothingThatWaits(t *testing.T) {
	t.Parallel()
	url := files(t)
	for _, link := range []string{"f", "f.part"} {
		for _, user := range []string{"", "joe"} {
			m := newMachine(t)
			m.sudo()
			dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
			write(t, victim, "precious")
			if err := os.Symlink(victim, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, "f")
			out := m.run(agent.Action{Handler: "download-file.sh", Args: []string{url + "/file", to}, User: user})
			same(t, "reason", out.Reason, "")
			same(t, "what "+link+" leads to", text(t, victim), "precious")
			same(t, "content", text(t, to), "content")
			if info, err := os.Lstat(to); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s is %v, %v", to, info.Mode(), err)
			}
		}
	}
}

func TestDownloadRemovesWhatWasLeft(t *testing.T) {
	t.Parallel()
	url := files(t)
	for _, user := range []string{"", "joe"} {
		m := newMachine(t)
		m.sudo()
		dir := t.TempDir()
		to := filepath.Join(dir, "f")
		write(t, filepath.Join(dir, handler.PartPrefix(to)+"X.part"), "half of it")
		others := handler.PartPrefix(filepath.Join(dir, "g")) + "X.part"
		write(t, filepath.Join(dir, others), "half of another")
		out := m.run(agent.Action{Handler: "download-file.sh", Args: []string{url + "/file", to}, User: user})
		same(t, "reason", out.Reason, "")
		same(t, "files", left(t, dir), others+" f")
	}
}

// TestDownloadFollowsLinks goes to its folder over links of root's and the
// agent's own, and of nobody else's.
func TestDownloadFollowsLinks(t *testing.T) {
	t.Parallel()
	url := files(t)
	for name, tt := range map[string]struct {
		link   string // DIR is the folder, which has the folder real
		owner  int
		reason string
	}{
		"a link":                    {link: "real"},
		"one that goes up":          {link: "../BASE/real/../real/."},
		"one from the top":          {link: "DIR/real"},
		"one that leads to itself":  {link: "link", reason: "too many"},
		"one that leads nowhere":    {link: "DIR/none", reason: "no such file"},
		"somebody else's":           {link: "real", owner: 12345, reason: "link of another user's"},
		"somebody else's, from top": {link: "DIR/real", owner: 12345, reason: "link of another user's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 {
				t.Skip("only root gives files away, and only with root's rights it matters")
			}
			m := newMachine(t)
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(dir, "link")
			target := strings.NewReplacer("DIR", dir, "BASE", filepath.Base(dir)).Replace(tt.link)
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
			if err := os.Lchown(link, tt.owner, -1); err != nil {
				t.Fatal(err)
			}
			out := m.run(agent.Action{Handler: "download-file.sh", Args: []string{url + "/file", link + "/f"}})
			if (out.Reason == "") != (tt.reason == "") || !strings.Contains(out.Reason, tt.reason) {
				t.Errorf("got reason %q, want %q", out.Reason, tt.reason)
			}
			wanted := ""
			if tt.reason == "" {
				wanted = "f"
			}
			same(t, "files", left(t, filepath.Join(dir, "real")), wanted)
		})
	}
}
