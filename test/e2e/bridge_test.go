package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/test/internal/harness"
)

// broker is Mosquitto, with a listener for devices on this machine and one for
// servers elsewhere.
type broker struct {
	data           string // folder of its sessions
	config         string // file
	plain, secure  string // host:port
	ca             *authority
	caFile         string // PEM
	cert, key      string // PEM files of the server under test
	password       string // file
	kill           func()
	passwordOfUser string
}

// mosquittoBinary returns the broker, which Debian keeps out of the way of users.
func mosquittoBinary(t *testing.T) string {
	t.Helper()
	needMosquitto(t)
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no Mosquitto")
	}
	t.Skip("no Mosquitto; make test installs it")
	return ""
}

// newBroker starts a broker that lets in devices of this machine, and over TLS
// whoever has a certificate and the password.
func newBroker(t *testing.T) *broker {
	t.Helper()
	mosquittoBinary(t)
	dir := t.TempDir()
	b := &broker{data: t.TempDir(), config: filepath.Join(dir, "mosquitto.conf"), ca: newAuthority(t), passwordOfUser: "correct horse"}
	b.plain, b.secure = freeAddress(t), freeAddress(t)
	b.caFile, _ = files(t, tls.Certificate{Certificate: [][]byte{b.ca.cert.Raw}, PrivateKey: b.ca.key})
	cert, key := files(t, b.ca.issue(t, "broker"))
	b.cert, b.key = files(t, b.ca.issue(t, "muster"))
	b.password = filepath.Join(dir, "password")
	check(t, "password", os.WriteFile(b.password, []byte(b.passwordOfUser+"\n"), 0o600))
	users := filepath.Join(dir, "users")
	out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-b", "-c", users, "muster", b.passwordOfUser).CombinedOutput()
	check(t, "mosquitto_passwd: "+string(out), err)
	rights := filepath.Join(dir, "acl")
	check(t, "acl", os.WriteFile(rights, []byte("user muster\ntopic readwrite $aws/things/+/jobs/#\n"), 0o600))
	at := func(address string) string { // listener wants the port first
		host, port, err := net.SplitHostPort(address)
		check(t, "address", err)
		return port + " " + host
	}
	lines := []string{
		"per_listener_settings true", "set_tcp_nodelay true", "user root", // who is root else becomes somebody who cannot read these files
		"persistence true", "persistence_location " + b.data + "/", "autosave_on_changes true", "autosave_interval 1",
		"listener " + at(b.plain), "allow_anonymous true",
		"listener " + at(b.secure), "cafile " + b.caFile, "certfile " + cert, "keyfile " + key, "require_certificate true",
		"allow_anonymous false", "password_file " + users, "acl_file " + rights,
	}
	check(t, "configuration", os.WriteFile(b.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	b.start(t)
	return b
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, "listen", err)
	check(t, "close", l.Close())
	return l.Addr().String()
}

// start starts the broker, again if it was killed, and waits until it listens.
func (b *broker) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(mosquittoBinary(t), "-c", b.config)
	var log bytes.Buffer
	cmd.Stderr = &log
	check(t, "start mosquitto", cmd.Start())
	b.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of mosquitto:\n%s", log.String())
		}
	})
	t.Cleanup(b.kill)
	harness.Wait(t, soon, "mosquitto", func(ctx context.Context) error {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", b.secure)
		if err == nil {
			_ = nc.Close()
		}
		return err
	})
}

// args are what a server needs to serve by the broker.
func (b *broker) args() []string {
	return []string{
		"--mqtt-broker", "mqtts://" + b.secure, "--mqtt-broker-ca-file", b.caFile, "--mqtt-broker-cert-file", b.cert,
		"--mqtt-broker-key-file", b.key, "--mqtt-broker-username", "muster", "--mqtt-broker-password-file", b.password,
		"--mqtt-listen", "off",
	}
}

// serve starts a server at the broker, on a new data folder or that of another,
// and waits until it is connected.
func (b *broker) serve(t *testing.T, data string) *gateway {
	t.Helper()
	g := &gateway{Server: harness.Serve(t, program, harness.Config{Data: data, Args: b.args()}), plain: b.plain}
	g.own = own(t, g.Server)
	g.connected(t)
	return g
}

// connected waits until the server takes requests from the broker.
func (g *gateway) connected(t *testing.T) {
	t.Helper()
	harness.Wait(t, soon, "the connection to the broker", func(ctx context.Context) error {
		_, text, err := g.Get(ctx, "/metrics")
		for _, link := range []string{"publish", "requests"} {
			if err == nil && !strings.Contains(text, `muster_bridge_connected{link="`+link+`"} 1`) {
				err = fmt.Errorf("link %s is not connected", link)
			}
		}
		return err
	})
}

// TestBridge is the life of a device that is a shell script, at a broker of
// somebody else's: what it sees is what our own endpoint shows it.
func TestBridge(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	g := b.serve(t, "")
	for _, version := range []string{"311", "5"} {
		t.Run("MQTT "+version, func(t *testing.T) {
			t.Parallel()
			host, port, err := net.SplitHostPort(b.plain)
			check(t, "address", err)
			thing := "shell" + version
			g.thing(t, thing)
			mosquitto{g, version, []string{"-h", host, "-p", port}}.life(t, thing)
		})
	}
	endpoints, err := os.ReadFile(filepath.Join(g.Data(), "device-endpoints"))
	if err != nil || string(endpoints) != "mqtts://"+b.secure+"\n" {
		t.Errorf("devices are sent to %q, %v", endpoints, err)
	}
}

// TestBridgeOutlivesTheBroker kills the broker while a device is owed something,
// and then the server while a device asks something.
func TestBridgeOutlivesTheBroker(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	g := b.serve(t, "")
	g.thing(t, "pump")
	const prefix = "$aws/things/pump/jobs/"
	at := dialing{version: 5, id: "pump", keep: true, plain: b.plain}
	l := connect(t, at)
	check(t, "subscribe", l.subscribe(t.Context(), prefix+"notify", prefix+"get/accepted"))
	harness.Wait(t, soon, "Mosquitto to save the session", func(context.Context) error {
		db, err := os.ReadFile(filepath.Join(b.data, "mosquitto.db"))
		if err == nil && !bytes.Contains(db, []byte(prefix+"get/accepted")) {
			err = fmt.Errorf("the subscription is not in it")
		}
		return err
	})
	b.kill()
	g.job(t, "owed", "pump")
	b.start(t)
	l = connect(t, at)
	if m := l.receive(t); m.topic != prefix+"notify" || !strings.Contains(m.payload, `"jobId":"owed"`) {
		t.Errorf("after a restart of the broker: got %v", m)
	}
	g.connected(t)
	check(t, "kill", g.Kill())
	check(t, "ask while there is no server", l.publish(t.Context(), prefix+"get", `{"clientToken":"patient"}`))
	b.serve(t, g.Data())
	if m := l.receive(t); m.topic != prefix+"get/accepted" || !strings.Contains(m.payload, `"clientToken":"patient"`) {
		t.Errorf("after a restart of the server: got %v", m)
	}
}

// TestBridgeWaitsForTheBroker at its start, and says no to what cannot work.
func TestBridgeWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.kill()
	s := harness.Serve(t, program, harness.Config{Args: b.args()})
	g := &gateway{Server: s, own: own(t, s), plain: b.plain}
	g.thing(t, "pump") // there are operators as well
	b.start(t)
	g.connected(t)

	args := b.args()
	for i, a := range args {
		if a == b.password {
			args[i] = filepath.Join(t.TempDir(), "none")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := program.Run(ctx, harness.Config{}, append([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, args...)...)
	check(t, "run", err)
	if r.Code == 0 || !strings.Contains(r.Stderr, "mqtt broker: open") {
		t.Errorf("a password that is not there: got %+v", r)
	}
}
