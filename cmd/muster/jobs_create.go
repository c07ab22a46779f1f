package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"muster/internal/wire"
)

type jobsCreateCmd struct {
	remote
	ID             string  `arg:"" optional:"" help:"The job's id; made up if it is not given."`
	Targets        targets `required:"" help:"What the job is for, several separated by spaces: group/NAME, thing/NAME or ARNs." placeholder:"TARGET"`
	Document       string  `required:"" help:"The job's document: JSON, @FILE, or @- for standard input." placeholder:"JSON"`
	Continuous     bool    `help:"Also for things that join a targeted group later."`
	TimeoutMinutes int64   `help:"How long a device may be at it, 1 to 10080 minutes; else no limit." placeholder:"N"`
	Description    string  `help:"Words to keep with the job." placeholder:"TEXT"`
	Wait           bool    `help:"Follow the job as muster jobs watch does, with its exit codes."`
	watchFlags
}

// Run creates a job, and follows it if asked to.
func (c jobsCreateCmd) Run(ctx context.Context, sys system) error {
	document, err := readDocument(sys, c.Document)
	if err != nil {
		return err
	}
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	in := &wire.CreateJobRequest{
		JobID: cmp.Or(c.ID, uuid.NewString()), Document: document, Description: c.Description,
		TimeoutConfig: wire.TimeoutConfig{InProgressTimeoutInMinutes: c.TimeoutMinutes},
	}
	if c.Continuous {
		in.TargetSelection = "CONTINUOUS"
	}
	if in.Targets, err = c.Targets.arns(ctx, api); err != nil {
		return err
	}
	out, err := api.CreateJob(ctx, in)
	if err != nil {
		return err
	}
	if c.Wait && c.json() { // the answer is the job when it is over
		return c.watch(ctx, sys, api, out.JobID, c.outputFlags)
	}
	if err := c.done(sys, out, "job %s is created", out.JobID); err != nil || !c.Wait {
		return err
	}
	return c.watch(ctx, sys, api, out.JobID, c.outputFlags)
}

// maxDocument is the most that is read of a document: far more than a server takes.
const maxDocument = 1 << 20

// readDocument returns the text that --document means.
func readDocument(sys system, s string) (string, error) {
	path, file := strings.CutPrefix(s, "@")
	if !file {
		return s, nil
	}
	in := sys.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("document: %w", err)
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxDocument))
	if err != nil {
		return "", fmt.Errorf("document: %w", err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
