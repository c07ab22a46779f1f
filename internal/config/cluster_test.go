package config_test

import (
	"errors"
	"strings"
	"testing"

	"muster/internal/config"
)

func TestSettingsOfManyNodes(t *testing.T) {
	t.Parallel()
	const db = "postgres://muster:hush@db/muster"
	tests := []struct {
		name  string
		flags map[string]string
		fault string // setting and a part of the rule it breaks; empty if it is right
	}{
		{"a database alone", map[string]string{"store": db}, ""},
		{"nodes on one machine", map[string]string{"store": db, "cluster": "127.0.0.1:0"}, ""},
		{"NATS servers", map[string]string{"store": db, "cluster": "nats://u:hush@a:4222,nats://b:4222"}, ""},
		{"nodes on many machines, over TLS", map[string]string{"store": db, "cluster": "0.0.0.0:7422", "clusterCertFile": "c", "clusterKeyFile": "k", "clusterCAFile": "a"}, ""},
		{"nodes on many machines, in the open", map[string]string{"store": db, "cluster": "0.0.0.0:7422"}, "cluster must be a loopback address"},
		{"nodes without a database", map[string]string{"cluster": "127.0.0.1:0"}, "cluster needs store"},
		{"a certificate without its key", map[string]string{"store": db, "cluster": "127.0.0.1:0", "clusterCertFile": "c"}, "clusterKeyFile must be set together"},
		{"another database", map[string]string{"store": "mysql://u:hush@db"}, "store must be a URL such as postgres://"},
		{"an address that is none", map[string]string{"store": db, "cluster": "here:hush"}, "cluster must be host:port to listen on"},
		{"a NATS server without a host", map[string]string{"store": db, "cluster": "nats://a:4222,hush"}, "cluster must be URLs"},
		{"too few connections", map[string]string{"store": db, "storeConns": "1"}, "storeConns must be a whole number from 4 to 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loaded, err := config.Load(config.Input{Flags: tt.flags})
			if tt.fault == "" {
				if err != nil {
					t.Fatal(err)
				}
				var out strings.Builder
				if err := loaded.Print(&out); err != nil || strings.Contains(out.String(), "hush") {
					t.Errorf("printed %v\n%s\nwant no password", err, out.String())
				}
				return
			}
			f, ok := errors.AsType[*config.Fault](err)
			if !ok || !strings.HasPrefix(f.Key+" "+f.Limit, tt.fault) {
				t.Fatalf("got %v, want %q", err, tt.fault)
			}
			if strings.Contains(err.Error(), "hush@") {
				t.Errorf("the fault shows a password: %v", err)
			}
		})
	}
}

func TestNothingSecretOfAURLIsShown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, store, cluster string }{
		{"a comma in the password", "postgres://u:hu,hush@db/muster", ""},
		{"a slash in the password", "postgres://u:hu/hush@db/muster", ""},
		{"a question mark in the password", "postgres://u:hu?hush@db/muster", ""},
		{"an at sign in the password", "postgres://u:hu@hush@db/muster", ""},
		{"a broken escape in the password", "postgres://u:hu%hush@db/muster", ""},
		{"several hosts", "postgres://u:hush@a:5432,b:5432/muster", ""},
		{"the password as a parameter", "postgres://u@db/muster?sslmode=disable&password=hush", ""},
		{"the password of a key", "postgres://u@db/muster?sslpassword=hush", ""},
		{"words instead of a URL", "host=db password=hush", ""},
		{"a forgotten scheme", "u:hush@db/muster", ""},
		{"a slash too few", "postgres:/u:hush@db/muster", ""},
		{"a token of NATS", "postgres://db/muster", "nats://hush@bus:4222"},
		{"a comma in a password of NATS", "postgres://db/muster", "nats://u:hu,hush@a:4222,nats://u:hush@b:4222"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loaded, err := config.Load(config.Input{Flags: map[string]string{"store": tt.store, "cluster": tt.cluster}})
			var out strings.Builder
			if err == nil {
				err = loaded.Print(&out)
			}
			if err != nil {
				out.WriteString(err.Error())
			}
			if strings.Contains(out.String(), "hush") {
				t.Errorf("shown: %s", out.String())
			}
		})
	}
}
