package main

import (
	"muster/internal/apierr"
	"muster/internal/mqtt"
)

// turnAway returns what a client is told whose credentials were not accepted because
// of err: that they are bad, if they are. Anything else is a fault of the server,
// after which the client may well try again with the same ones.
func turnAway(err error) error {
	switch apierr.KindOf(err) {
	case apierr.MissingToken, apierr.IncompleteSignature, apierr.UnknownKey, apierr.ExpiredToken, apierr.InvalidSignature, apierr.Denied:
		return mqtt.BadCredentials
	}
	return err
}
