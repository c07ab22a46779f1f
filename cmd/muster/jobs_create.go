package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"muster/internal/wire"
)

type jobsCreateCmd struct {
	remote
	Args           []string `arg:"" optional:"" name:"id-and-targets" help:"The job's id, made up if it is not given, and targets: group/NAME, thing/NAME or ARNs."`
	Document       string   `required:"" help:"The job's document: JSON, @FILE, or @- for standard input." placeholder:"JSON"`
	Targets        []string `help:"More targets, separated by commas." placeholder:"group/NAME,thing/NAME"`
	Continuous     bool     `help:"Also for things that join a targeted group later."`
	TimeoutMinutes int64    `help:"How long a device may be at it, 1 to 10080 minutes; else no limit." placeholder:"N"`
	Description    string   `help:"Words to keep with the job." placeholder:"TEXT"`
	Wait           bool     `help:"Follow the job as muster jobs watch does, with its exit codes."`
	watchFlags
}

// Run creates a job, and follows it if asked to.
func (c jobsCreateCmd) Run(ctx context.Context, sys system) error {
	in, err := c.request(sys)
	if err != nil {
		return err
	}
	api, err := c.connect(sys)
	if err != nil {
		return err
	}
	for i, t := range in.Targets {
		if in.Targets[i], err = targetARN(ctx, api, t); err != nil {
			return err
		}
	}
	out, err := api.CreateJob(ctx, in)
	if err != nil {
		return err
	}
	if !c.Wait {
		return c.done(sys, out, "job %s is created", out.JobID)
	}
	if !c.json() {
		fmt.Fprintf(sys.stdout, "job %s is created\n", out.JobID)
	}
	return c.watch(ctx, sys, api, out.JobID, c.outputFlags)
}

// request returns the request, with targets as they were given.
func (c jobsCreateCmd) request(sys system) (*wire.CreateJobRequest, error) {
	in := &wire.CreateJobRequest{
		Targets: c.Targets, Description: c.Description,
		TimeoutConfig: wire.TimeoutConfig{InProgressTimeoutInMinutes: c.TimeoutMinutes},
	}
	if c.Continuous {
		in.TargetSelection = "CONTINUOUS"
	}
	for _, arg := range c.Args {
		switch {
		case isTarget(arg):
			in.Targets = append(in.Targets, arg)
		case in.JobID != "":
			return nil, fmt.Errorf("%q and %q: a job has one id; targets are group/NAME or thing/NAME", in.JobID, arg)
		default:
			in.JobID = arg
		}
	}
	if in.JobID == "" {
		in.JobID = uuid.NewString()
	}
	if len(in.Targets) == 0 {
		return nil, errors.New("a job needs targets: group/NAME or thing/NAME")
	}
	var err error
	in.Document, err = readDocument(sys, c.Document)
	return in, err
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
