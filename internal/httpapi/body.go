package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"os"

	"muster/internal/apierr"
)

// DefaultBodyLimit is the most bytes that a request body may have unless the
// server is told otherwise.
const DefaultBodyLimit = 1 << 20

// eagerBody bounds what is set aside for a body before any of it has come.
const eagerBody = 64 << 10

// readBody returns the whole body of a request. It fails with TooLarge if that
// has more than limit bytes, in which case the connection is closed after the
// answer, with Timeout if it does not come in time, and with Invalid if it ends
// early.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), eagerBody)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, apierr.New(apierr.TooLarge, "The request body has more than %d bytes.", tooLarge.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, apierr.Wrap(apierr.Timeout, err, "The request body did not arrive in time.")
	}
	if err != nil {
		return nil, apierr.Wrap(apierr.Invalid, err, "The request body could not be read.")
	}
	return buf.Bytes(), nil
}
