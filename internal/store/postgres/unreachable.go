package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// unreachable is a connection that could not be made. Its text is one line that
// says where to, why not and what to do, and holds no password.
type unreachable struct {
	text string
	err  error
}

func (u *unreachable) Error() string { return u.text }
func (u *unreachable) Unwrap() error { return u.err }

// trouble is why something does not work, and what to do; that may be empty.
type trouble struct{ what, do string }

func (t trouble) String() string {
	if t.do == "" {
		return t.what
	}
	return t.what + ": " + t.do
}

// explained returns an error of connecting as people should read it. Others are
// returned as they are.
func explained(cc *pgx.ConnConfig, err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok || errors.Is(err, context.Canceled) {
		return err
	}
	var ts []trouble
	tries := attempts(err)
	for _, e := range tries {
		t := troubleOf(e)
		switch {
		case t == noTLS && len(tries) > 1: // it was tried without, too
		case slices.ContainsFunc(ts, func(x trouble) bool { return x.what == t.what || x.do != "" && x.do == t.do }):
		default:
			ts = append(ts, t)
		}
	}
	if len(ts) == 0 {
		ts = append(ts, noTLS)
	}
	var text []string
	for _, t := range ts {
		text = append(text, oneLine(t.String()))
	}
	return &unreachable{fmt.Sprintf("cannot connect to %s: %s", place(cc), strings.Join(text, "; ")), err}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// attempts returns the errors of the attempts to connect that err is made of.
func attempts(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range all.Unwrap() {
			errs = append(errs, attempts(e)...)
		}
		return errs
	}
	if below := errors.Unwrap(err); below != nil {
		if errs := attempts(below); len(errs) > 1 {
			return errs
		}
	}
	return []error{err}
}

var noTLS = trouble{"the server does not do TLS", "turn it on there (ssl), or add sslmode=disable to the address if nobody can listen on the way"}

// troubleOf says why an attempt to connect has failed.
func troubleOf(err error) trouble {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return trouble{e.Message, remedy(e)}
	}
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return trouble{"the server takes no changes", "name the primary and not a standby, or all servers, separated by commas; " +
			"or default_transaction_read_only is on for the database or the role"}
	}
	if t, ok := troubleOfTLS(err); ok {
		return t
	}
	return troubleOfNetwork(err)
}

func troubleOfTLS(err error) (trouble, bool) {
	const authority = "give the file of the CA that has signed it: sslrootcert=FILE in the address"
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return trouble{e.Error(), "use a name that the certificate of the server has, or sslmode=verify-ca"}, true
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return trouble{e.Error(), authority}, true
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return trouble{e.Error(), "renew the certificate of the server, or set the clock"}, true
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return trouble{"the server has refused TLS (" + e.Error() + ")", "it may want a certificate: sslcert=FILE and sslkey=FILE in the address"}, true
	}
	if strings.Contains(err.Error(), "server refused TLS connection") {
		return noTLS, true
	}
	return trouble{}, false
}

func troubleOfNetwork(err error) trouble {
	const running = "is the server running, and does it listen there?"
	name, unknown := errors.AsType[*net.DNSError](err)
	network, late := errors.AsType[net.Error](err)
	switch {
	case unknown:
		return trouble{fmt.Sprintf("the name %s does not resolve (%s)", name.Name, name.Err), "is it spelled right, and does this machine know it?"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return trouble{"connection refused", running}
	case errors.Is(err, fs.ErrNotExist):
		return trouble{"there is no such socket", running}
	case errors.Is(err, fs.ErrPermission):
		return trouble{"permission denied", "may this user connect there?"}
	case errors.Is(err, context.DeadlineExceeded), late && network.Timeout():
		return trouble{"no answer in time", "is the address right, and does a firewall let it through?"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return trouble{"the connection was closed at once", "is it PostgreSQL that listens there?"}
	}
	for below := errors.Unwrap(err); below != nil; below = errors.Unwrap(err) {
		err = below
	}
	return trouble{err.Error(), ""}
}

// remedy says what to do about an error that the server has sent. It goes by the
// code: texts may be in any language.
func remedy(e *pgconn.PgError) string {
	switch e.Code {
	case "28P01":
		return "check user and password"
	case "28000":
		return "check the name of the user, and whether pg_hba.conf lets it in from this machine, with TLS or without (sslmode)"
	case "3D000":
		return "create it (createdb), or correct the address"
	case "53300":
		return "raise max_connections of the server, or lower --store-conns"
	case "57P03", "57P01", "57P02":
		return "wait until it is up"
	case "42501":
		return "GRANT the role what it lacks, or let it own the database"
	case "42704", "22023":
		if strings.Contains(e.Message, "plan_cache_mode") {
			return fmt.Sprintf("Muster needs PostgreSQL %d or newer", oldest)
		}
		return "correct the settings in the address"
	case "08P01":
		if strings.Contains(e.Message, "startup parameter") { // PgBouncer
			return "list the parameter in ignore_startup_parameters of PgBouncer and set it for the role instead, see docs/scaling.md"
		}
	}
	return ""
}
