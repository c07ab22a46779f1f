package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"muster/internal/client"
)

type thingsMessagesCmd struct {
	remote
	Name     string        `arg:"" help:"The thing's name."`
	Follow   bool          `short:"f" help:"Go on with what comes, until interrupted. As JSON, one message a line."`
	Interval time.Duration `default:"500ms" help:"How often to look with --follow."`
}

// Help describes the command beyond its flags.
func (thingsMessagesCmd) Help() string {
	return "The server keeps the last messages of the jobs topics of each thing in memory: in is what a device has sent, " +
		"out what it was sent. Long payloads are cut."
}

// Run shows what a device and the server have said to each other.
func (c thingsMessagesCmd) Run(ctx context.Context, sys system) error {
	if c.Interval <= 0 {
		return errors.New("--interval must be more than 0")
	}
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	messages, _, err := api.Messages(ctx, c.Name, 0)
	if err != nil {
		return err
	}
	f := messageFollower{api: api, sys: sys, out: c.outputFlags, thing: c.Name}
	if c.Follow {
		return f.follow(ctx, messages, c.Interval)
	}
	if len(messages) == 0 && !c.json() {
		fmt.Fprintln(sys.stderr, "no messages")
		return nil
	}
	return list(sys, c.outputFlags, "messages", all(messages), messageHeader, messageRow)
}

var messageHeader = []string{"TIME", "WAY", "CLIENT", "TOPIC", "MESSAGE"}

// messageRow shows why a request was rejected instead of the payload that says so.
func messageRow(m client.Message) []string {
	text := m.Payload
	switch {
	case m.Code != "":
		text = m.Code + ": " + m.Reason
	case m.Size > len(m.Payload):
		text = fmt.Sprintf("%s… (%d bytes)", m.Payload, m.Size)
	}
	at := time.UnixMilli(int64(m.At)).UTC().Format("2006-01-02T15:04:05.000Z")
	return []string{at, m.Direction, m.ClientID, m.Topic, text}
}

// messageFollower prints the messages of a thing as they come.
type messageFollower struct {
	api    *client.Client
	sys    system
	out    outputFlags
	thing  string
	last   int64 // number of the last one printed; 0: none
	headed bool
}

// follow prints messages and then, until ctx ends, those that come after them.
// A server that is away for a while is waited for: the numbers go on where they were.
func (f *messageFollower) follow(ctx context.Context, messages []client.Message, every time.Duration) error {
	answered, missing := time.Now(), false
	for {
		if missing {
			fmt.Fprintln(f.sys.stderr, "some messages are missing here: the server keeps only the last ones of each thing")
		}
		if err := f.print(messages); err != nil {
			return err
		}
		if err := wait(ctx, every); err != nil {
			return err
		}
		var err error
		messages, missing, err = f.api.Messages(ctx, f.thing, f.last)
		switch {
		case err == nil:
			answered = time.Now()
		case ctx.Err() != nil || !passing(err) || time.Since(answered) > watchPatience:
			return err
		}
	}
}

func (f *messageFollower) print(messages []client.Message) error {
	t := newTable(f.sys.stdout)
	for _, m := range messages {
		f.last = m.Seq
		if f.out.json() {
			e := json.NewEncoder(f.sys.stdout)
			e.SetEscapeHTML(false)
			if err := e.Encode(m); err != nil {
				return err
			}
			continue
		}
		if !f.headed {
			t.row(messageHeader...)
			f.headed = true
		}
		t.row(messageRow(m)...)
	}
	return t.flush()
}
