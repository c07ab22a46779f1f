package store

// AccessKey is what is stored of an access key. The secret is sealed: the store
// never sees it.
type AccessKey struct {
	// ID is the public part, such as AKIA….
	ID string
	// Sealed is the encrypted secret.
	Sealed []byte
	// Name is what the operator calls it; it may be empty.
	Name string
	// CreatedAt and DisabledAt are in milliseconds since the epoch; DisabledAt is 0 while it works.
	CreatedAt, DisabledAt int64
}

// KeyReader reads access keys.
type KeyReader interface {
	// Key returns the access key, or apierr.NotFound.
	Key(id string) (AccessKey, error)
	// Keys returns all access keys in order of creation; there are few.
	Keys() ([]AccessKey, error)
}

// KeyWriter writes access keys.
type KeyWriter interface {
	// InsertKey stores a new access key. It returns apierr.AlreadyExists if the id is taken.
	InsertKey(k AccessKey) error
	// UpdateKey stores name and DisabledAt. It returns apierr.NotFound if the id is gone.
	UpdateKey(k AccessKey) error
}
