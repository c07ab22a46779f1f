package postgres

import "errors"

// MoveMark is a key of the table meta. It is there while an installation is being
// moved into the database, and after that was broken off: nobody opens it then.
const MoveMark = "moving"

var errMoving = errors.New("an installation is being moved into the database, or that was broken off: " +
	"wait for muster migrate, or run it again as it was; to give it up, make the database anew")
