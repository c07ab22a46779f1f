package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"muster/internal/client"
	"muster/internal/config"
)

// connectFlags say which server a command talks to.
type connectFlags struct {
	Endpoint string `help:"URL of the server ($$MUSTER_ENDPOINT_URL). Default: of the one that runs on the data folder." placeholder:"URL"`
	Region   string `help:"Region that requests are signed for ($$MUSTER_REGION)." placeholder:"us-east-1"`
}

// url returns the server that was named, or "" if it is to be found by the data folder.
func (f connectFlags) url(sys system) string {
	return cmp.Or(f.Endpoint, sys.getenv("MUSTER_ENDPOINT_URL"))
}

// connect returns a client of the server that was named or else runs on the data
// folder. In the latter case the access key is the one in the folder, because
// AWS_ACCESS_KEY_ID and ~/.aws/credentials are likely meant for AWS; in the
// former, those are asked first.
func (f connectFlags) connect(sys system, data, profile string) (*client.Client, error) {
	where := client.Sources{Data: data, Profile: profile}
	url := f.url(sys)
	if url == "" {
		var err error
		if url, err = readEndpoint(data); err != nil {
			return nil, err
		}
		if url == "" {
			return nil, fmt.Errorf("no server runs on the data folder %s: start one with muster serve, "+
				"or say where it is with --data FOLDER or --endpoint URL", data)
		}
	} else {
		where.Getenv, where.Home = sys.getenv, cmp.Or(sys.getenv("HOME"), sys.getenv("USERPROFILE"))
	}
	credentials, _, err := client.FindCredentials(where)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Endpoint: url, Credentials: credentials,
		Region: cmp.Or(f.Region, sys.getenv("MUSTER_REGION"), config.Default().Region),
	})
}

// readEndpoint returns the URL of the server that runs on a data folder, or ""
// if there is none.
func readEndpoint(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, endpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// remote is what every command has that talks to a server.
type remote struct {
	Data    string `help:"Data folder of a server on this machine ($$MUSTER_DATA)." placeholder:"./muster-data"`
	Profile string `help:"Profile of the credentials file ($$AWS_PROFILE)." placeholder:"default"`
	connectFlags
	outputFlags
}

// connect returns a client as the flags say.
func (r remote) connect(sys system) (*client.Client, error) {
	data := cmp.Or(r.Data, sys.getenv("MUSTER_DATA"), config.Default().Data)
	return r.connectFlags.connect(sys, data, r.Profile)
}
