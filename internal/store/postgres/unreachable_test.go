package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/internal/apierr"
	"muster/internal/job"
	"muster/internal/pgtest"
	"muster/internal/store/postgres"
)

// refusal returns the error of a store that must not open, which must be one line
// without the password that the tests use.
func refusal(t *testing.T, address string) string {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: address})
	if err == nil {
		_ = s.Close()
		t.Fatal("the store is open")
	}
	text := err.Error()
	t.Log(text)
	if strings.ContainsAny(text, "\n\t") {
		t.Errorf("it is more than one line: %q", text)
	}
	for _, secret := range []string{"hunter", "ter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in it: %s", text)
		}
	}
	return text
}

// TestConnectionsThatFail tells where to, why not and what to do.
func TestConnectionsThatFail(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	base := s.URL(t)
	for _, sql := range []string{
		`CREATE ROLE locked LOGIN PASSWORD 'swordfish'`, `CREATE ROLE barred LOGIN`, `CREATE ROLE crowd LOGIN CONNECTION LIMIT 0`,
		`CREATE ROLE reader LOGIN`, `ALTER ROLE reader SET default_transaction_read_only = on`,
		`CREATE ROLE poor LOGIN`, `CREATE SCHEMA theirs`, `GRANT USAGE ON SCHEMA theirs TO poor`, `CREATE SCHEMA secret`,
		`CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'`,
		`CREATE DATABASE closed`, `REVOKE CONNECT ON DATABASE closed FROM PUBLIC`,
	} {
		run(t, base, sql)
	}
	admit(t, s, base, "host all locked all scram-sha-256", "host all barred all reject")
	at := func(change func(*url.URL)) string {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	as := func(user string, more ...string) string {
		return at(func(u *url.URL) {
			u.User = url.UserPassword(user, "hunter2")
			u.RawQuery = strings.Join(append([]string{"sslmode=disable"}, more...), "&")
		})
	}
	to := func(server net.Listener, query string) string {
		return "postgres://u:hunter2@" + server.Addr().String() + "/db?" + query
	}
	for _, c := range []struct {
		name, address string
		want          []string
	}{
		{"nobody listens", "postgres://u:hunter2@127.0.0.1:1/db", []string{
			`postgres: cannot connect to 127.0.0.1:1, database "db", user "u": connection refused: is the server running`,
		}},
		{"on several servers", "postgres://u@127.0.0.1:1,127.0.0.1:2/db?password=hunter2", []string{
			`cannot connect to 127.0.0.1:1, 127.0.0.1:2, database "db", user "u": connection refused: is the server running`,
		}},
		{"on a socket", "postgres://u:hunter2@/db?host=/none", []string{"/none/.s.PGSQL.5432", "there is no such socket: is the server running"}},
		{"as words", "host=127.0.0.1 port=1 user=u password='hunter2 x' sslpassword=hunter2 dbname=db", []string{"connection refused"}},
		{"a name that is none", "postgres://u:hunter2@nowhere.invalid/db", []string{
			`cannot connect to nowhere.invalid:5432`, "the name nowhere.invalid does not resolve", "is it spelled right",
		}},
		{"no such database", at(func(u *url.URL) { u.Path = "/none" }), []string{`database "none" does not exist: create it (createdb)`}},
		{"a wrong password", as("locked"), []string{`password authentication failed for user "locked": check user and password`}},
		{"no password", at(func(u *url.URL) { u.User = url.User("locked") }), []string{"check user and password"}},
		{"a user whom pg_hba.conf bars", as("barred"), []string{"pg_hba.conf rejects", "check the name of the user"}},
		{"with and without TLS", strings.Replace(as("barred"), "disable", "prefer", 1), []string{"pg_hba.conf rejects"}},
		{"no such user", as("nobody"), []string{`role "nobody" does not exist: check the name of the user`}},
		{"too many connections", as("crowd"), []string{`too many connections for role "crowd": raise max_connections`, "--store-conns"}},
		{"a database that is not open to all", at(func(u *url.URL) { u.User, u.Path = url.User("poor"), "/closed" }), []string{"permission denied for database", "GRANT"}},
		{"a setting that there is not", as("muster", "swift=on"), []string{`unrecognized configuration parameter "swift": correct the settings`}},
		{"a server without TLS", as("muster", "sslmode=require"), []string{"the server does not do TLS", "sslmode=disable"}},
		{"a role that may only read", as("reader"), []string{"the server takes no changes", "name the primary", "default_transaction_read_only"}},
		{"a schema that is the role's to read", as("poor", "search_path=theirs"), []string{
			"permission denied for schema theirs", `GRANT USAGE, CREATE ON SCHEMA "theirs" TO "poor"`,
		}},
		{"a schema that is not there", as("muster", "search_path=none"), []string{"search_path (none) names no schema", "CREATE SCHEMA"}},
		{"a schema that the role may not use", as("poor", "search_path=secret"), []string{"search_path (secret) names no schema", "GRANT USAGE"}},
		{"a database with another encoding", at(func(u *url.URL) { u.Path = "/latin" }), []string{"has encoding LATIN1", "createdb --encoding=UTF8"}},
		{"something else that listens", to(hangsUp(t), "sslmode=disable"), []string{"closed at once: is it PostgreSQL"}},
		{"a certificate of nobody's", to(withTLS(t, "127.0.0.1"), "sslmode=verify-full"), []string{"unknown authority", "sslrootcert=FILE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := refusal(t, c.address)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("got %q, want it to say %q", text, want)
				}
				if strings.Count(text, want) > 1 {
					t.Errorf("it says %q more than once: %q", want, text)
				}
			}
		})
	}
}

// admit puts lines in front of those that say who gets in.
func admit(t *testing.T, s *pgtest.Server, address string, lines ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	var file string
	err = c.QueryRow(t.Context(), `SHOW hba_file`).Scan(&file)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close(t.Context()) // all was asked
	s.Stop(t, syscall.SIGINT)
	before, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n" + string(before))
	if err != nil {
		t.Fatal(err)
	}
	if err = f.Close(); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
}

// serve calls fn with each connection to a listener, which ends with it.
func serve(t *testing.T, fn func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fn(c)
			_ = c.Close()
		}
	}()
	return l
}

// hangsUp reads what is asked and says nothing.
func hangsUp(t *testing.T) net.Listener {
	t.Helper()
	return serve(t, func(c net.Conn) { _, _ = io.ReadAtLeast(c, make([]byte, 1024), 8) })
}

// withTLS begins like a PostgreSQL with a certificate that nobody has signed.
func withTLS(t *testing.T, name string) net.Listener {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(name)}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	settings := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return serve(t, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 8)); err == nil {
			_, _ = c.Write([]byte("S"))
			_ = tls.Server(c, settings).HandshakeContext(context.WithoutCancel(t.Context()))
		}
	})
}

// TestStandby is refused at the start. A server that takes no changes any more
// makes calls fail until it does, or until another one has taken over.
func TestStandby(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	address := primary.URL(t)
	s := open(t, postgres.Config{URL: address})
	stock(t, s, 1)
	standby := primary.Standby(t)
	behind := strings.Replace(address, primary.Addr(), standby.Addr(), 1)
	for _, which := range []string{"", "&target_session_attrs=any", "&target_session_attrs=standby"} {
		text := refusal(t, behind+which)
		if !strings.Contains(text, standby.Addr()) || !strings.Contains(text, "takes no changes: name the primary and not a standby") {
			t.Errorf("%s: got %q", which, text)
		}
	}
	both := strings.Replace(address, primary.Addr(), standby.Addr()+","+primary.Addr(), 1)
	s = open(t, postgres.Config{URL: both, Log: slog.New(slog.DiscardHandler)})
	if x := asked(t, s, "t0"); x.Version != 1 {
		t.Errorf("of both: got version %d", x.Version)
	}
	primary.Stop(t, syscall.SIGKILL)
	if err := report(t.Context(), s, "t0", job.InProgress); !apierr.Is(err, apierr.Unavailable) || s.Health(t.Context()) == nil {
		t.Errorf("without a primary: got %v, health %v", err, s.Health(t.Context()))
	}
	standby.Promote(t)
	eventually(t, "the other one takes changes", func() bool {
		return report(t.Context(), s, "t0", job.InProgress) == nil && s.Health(t.Context()) == nil
	})
}

// TestServerThatTakesNoChangesForAWhile, as a managed one when its disk is full or
// it changes roles, costs requests but needs no hand.
func TestServerThatTakesNoChangesForAWhile(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	address := server.URL(t)
	s := open(t, postgres.Config{URL: address, Log: slog.New(slog.DiscardHandler)})
	stock(t, s, 1)
	set := func(value string) {
		run(t, address, `ALTER SYSTEM SET default_transaction_read_only = `+value)
		run(t, address, `SELECT pg_reload_conf()`)
	}
	set("on")
	eventually(t, "it takes no changes", func() bool {
		err := report(t.Context(), s, "t0", job.InProgress)
		if err != nil && !apierr.Is(err, apierr.Unavailable) {
			t.Fatal(err)
		}
		return err != nil
	})
	if err := s.Health(t.Context()); err == nil {
		t.Error("it is well")
	}
	set("off")
	eventually(t, "it takes changes again", func() bool {
		return report(t.Context(), s, "t0", job.InProgress) == nil && s.Health(t.Context()) == nil
	})
}
