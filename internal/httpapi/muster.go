package httpapi

import (
	"muster/internal/registry"
	"muster/internal/wire"
)

// musterRoutes returns Muster's own operations, for its operators. They are
// signed like those of AWS, for either plane, and fail like the control plane's.
func (a *API) musterRoutes() []route {
	return []route{
		{"GET /muster/v1/keys", "ListKeys", control, "muster:ListKeys", handle(a.listKeys)},
		{"POST /muster/v1/keys", "CreateKey", control, "muster:CreateKey", handle(a.createKey)},
		{"POST /muster/v1/keys/{id}/disable", "DisableKey", control, "muster:DisableKey", handle(a.disableKey)},
		{"POST /muster/v1/keys/{id}/enable", "EnableKey", control, "muster:EnableKey", handle(a.enableKey)},
		{"GET /muster/v1/things/{thingName}/messages", "ListMessages", control, "muster:ListMessages", handle(a.listMessages)},
	}
}

// key is an access key in an answer. Secret is there once, when it is made.
type key struct {
	ID         string                 `json:"id"`
	Secret     string                 `json:"secret,omitempty"`
	Name       string                 `json:"name,omitempty"`
	CreatedAt  wire.FractionalSeconds `json:"createdAt"`
	DisabledAt wire.FractionalSeconds `json:"disabledAt,omitzero"`
}

func keyOf(k registry.Key) key {
	return key{
		ID: k.ID, Name: k.Name,
		CreatedAt: wire.FractionalSeconds(k.CreatedAt), DisabledAt: wire.FractionalSeconds(k.DisabledAt),
	}
}

type keyList struct {
	Keys wire.List[key] `json:"keys"`
}

func (a *API) listKeys(c *call, _ *struct{}) (keyList, error) {
	keys, err := a.registry.ListKeys(c.ctx, c.principal)
	var out keyList
	for _, k := range keys {
		out.Keys = append(out.Keys, keyOf(k))
	}
	return out, err
}

type createKeyRequest struct {
	Name string `json:"name"`
}

func (a *API) createKey(c *call, in *createKeyRequest) (key, error) {
	k, secret, err := a.registry.CreateKey(c.ctx, c.principal, in.Name)
	out := keyOf(k)
	out.Secret = secret
	return out, err
}

type disableKeyRequest struct {
	ID string `json:"-" uri:"id"`
	// Force disables the last key that works, too.
	Force bool `json:"-" query:"force"`
}

func (a *API) disableKey(c *call, in *disableKeyRequest) (key, error) {
	k, err := a.registry.DisableKey(c.ctx, c.principal, in.ID, in.Force)
	return keyOf(k), err
}

type enableKeyRequest struct {
	ID string `json:"-" uri:"id"`
}

func (a *API) enableKey(c *call, in *enableKeyRequest) (key, error) {
	k, err := a.registry.EnableKey(c.ctx, c.principal, in.ID)
	return keyOf(k), err
}
