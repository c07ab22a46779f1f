package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"muster/internal/auth/sigv4"
	"muster/internal/client"
)

// buildMuster compiles the server and returns the program's path.
func buildMuster(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "muster.exe") // the suffix only matters on Windows
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "muster/cmd/muster").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build muster: %w\n%s", err, out)
	}
	return program, nil
}

// process is a server in a process of its own.
type process struct {
	target
	cmd  *exec.Cmd
	mqtt string // host:port; empty if it is not spoken
	// end is how the process is asked to stop.
	end func() error
	// in and out are those of a child.
	in  io.Writer
	out *bufio.Reader
}

func (p *process) cpu() time.Duration { return processCPU(p.cmd.Process.Pid) }

// stop ends the server in order and waits for it.
func (p *process) stop() error {
	if err := p.end(); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// startMuster starts the real server on a data folder, with its defaults but for
// the ports, and its log in a file beside the folder. It returns when the server
// has answered a signed request, and how long that took from the start of the process.
func startMuster(ctx context.Context, program, dir string) (*process, time.Duration, error) {
	key, _, err := client.FindCredentials(client.Sources{Data: dir})
	if err != nil {
		return nil, 0, err
	}
	return startServer(ctx, program, dir, key)
}

// startServer is startMuster with a key that the server knows and more flags.
func startServer(ctx context.Context, program, dir string, key sigv4.Credentials, flags ...string) (_ *process, took time.Duration, err error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, 0, err
	}
	log, err := os.Create(dir + ".log")
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd := exec.CommandContext(ctx, program, append([]string{"serve", "--data", dir, "--listen", address, "--mqtt-listen", "127.0.0.1:0"}, flags...)...)
	cmd.Stderr = log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	p := &process{
		target: target{address: address, key: key, signer: new(sigv4.Signer)},
		cmd:    cmd, end: func() error { return cmd.Process.Signal(os.Interrupt) },
	}
	err = p.awaitAnswer(ctx)
	took = time.Since(begin)
	if err == nil {
		p.mqtt, err = deviceAddress(ctx, dir)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("start muster: %w; its log is %s", err, log.Name()), cmd.Process.Kill(), cmd.Wait())
	}
	return p, took, nil
}

// deviceAddress returns where the server on a data folder speaks MQTT. It waits
// until the server has written it down, which comes after its first answer.
func deviceAddress(ctx context.Context, dir string) (string, error) {
	urls, err := os.ReadFile(filepath.Join(dir, "device-endpoints"))
	for begin := time.Now(); err != nil; urls, err = os.ReadFile(filepath.Join(dir, "device-endpoints")) {
		if ctx.Err() != nil || time.Since(begin) > patience {
			return "", err
		}
		pause(ctx, 500*time.Microsecond)
	}
	u, err := url.Parse(strings.TrimSpace(string(urls)))
	if err != nil {
		return "", err
	}
	return u.Host, nil
}

// initFolder makes a data folder and its first access key.
func initFolder(ctx context.Context, program, dir string, flags ...string) error {
	out, err := exec.CommandContext(ctx, program, append([]string{"init", "--data", dir}, flags...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("muster init: %w\n%s", err, out)
	}
	return nil
}

// awaitAnswer returns when a signed request has been answered.
func (p *process) awaitAnswer(ctx context.Context) error {
	for begin := time.Now(); ; pause(ctx, 500*time.Microsecond) {
		c, err := dial(ctx, p.target)
		if err == nil {
			err = c.send(http.MethodGet, "/jobs", controlScope, nil)
			return errors.Join(err, c.Close())
		}
		if ctx.Err() != nil || time.Since(begin) > patience {
			return err
		}
	}
}

// freeAddress returns an address that nobody listens on just now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startChild starts this program as a server of its own; see child.go. It serves
// until its standard input is closed.
func startChild(ctx context.Context, o childOptions) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"="+o.String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	address, err := lines.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", o.Serve, err), in.Close(), cmd.Wait())
	}
	address = strings.TrimSpace(address)
	p := &process{
		target: target{address: address, key: sigv4.Credentials{KeyID: o.KeyID, Secret: o.Secret}, signer: new(sigv4.Signer)},
		cmd:    cmd, mqtt: address, end: in.Close, in: in, out: lines,
	}
	return p, nil
}

// copyFolder copies the files of a folder, which has no folders in it.
func copyFolder(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	// Written back now, or the disk would do it while something is measured.
	return errors.Join(err, w.Sync(), w.Close())
}
