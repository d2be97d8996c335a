package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"drp/control"
	"drp/drp"
)

// controlFlags are those of a process that run control brings through a run.
type controlFlags struct {
	at        string
	process   string
	partition string
	agent     *control.Agent
	joined    chan struct{} // closed when agent is there, for who cannot know
}

func (f *controlFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.at, "control", "", "follow the orders of run control, at `http://HOST:PORT` or ipc:///PATH (docs/control.md)")
	fl.StringVar(&f.process, "process", "", "name of this process at run control (default: that of --contributor)")
}

// complete checks the flags; name is what the process is called unless it is said.
func (f *controlFlags) complete(name, partition string) error {
	f.partition = partition
	if f.at == "" {
		if f.process != "" {
			return errors.New("--process is the name at run control: give --control, too")
		}
		return nil
	}
	if f.process == "" {
		f.process = name
	}
	if f.process == "" {
		return errors.New("--control: this process needs a name there: give --process NAME")
	}
	_, err := control.NewClient(f.at, "")
	if err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	return nil
}

// controlPatience is how long run control is waited for.
const controlPatience = 30 * time.Second

// join registers with run control.
func (f *controlFlags) join(ctx context.Context, role string, log *slog.Logger, progress drp.Progress) (*control.Agent, error) {
	c, err := control.NewClient(f.at, os.Getenv(controlToken))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, controlPatience)
	defer cancel()
	f.agent, err = control.Join(ctx, c, control.Process{Name: f.process, Role: role, Partition: f.partition}, log, progress)
	if err != nil {
		c.Close()
	}
	return f.agent, err
}

// attach makes a run wait for run control, if it is to. Whether files can be written is found out now, since the first one
// comes with the first run.
func (f *controlFlags) attach(ctx context.Context, cfg *drp.Config) error {
	if f.at == "" {
		return nil
	}
	cfg.Control = func(progress drp.Progress) (drp.Orders, error) { return f.join(ctx, "drp", cfg.Log, progress) }
	return tryFolder("--output", cfg.OutputDir)
}

// leave says goodbye.
func (f *controlFlags) leave(cause error) {
	if f.agent != nil {
		f.agent.Close(cause, exitCode(cause))
	}
}

// recall gives what asks run control what was set before this process was there; nil without run control. It waits for obeyAll.
func (f *controlFlags) recall(ctx context.Context) func() (control.Settings, error) {
	if f.at == "" {
		return nil
	}
	f.joined = make(chan struct{})
	return func() (control.Settings, error) {
		select {
		case <-f.joined:
			return f.agent.Settings()
		case <-ctx.Done():
			return control.Settings{}, ctx.Err()
		}
	}
}

// unheard says what becomes of what is set now, where run control does not hear of it. It is for who has called recall.
func (f *controlFlags) unheard() string {
	if f.at == "" {
		return ""
	}
	select {
	case <-f.joined:
		return f.agent.Unheard()
	default:
		return ""
	}
}

// controlToken is the variable of the environment with the token of run control.
const controlToken = "DRP_CONTROL_TOKEN"

// obeyAll follows orders by which nothing is to be done but to be there, and to say what is wrong. It calls end when the process
// is to end.
func (f *controlFlags) obeyAll(ctx context.Context, log *slog.Logger, wrong *tebTroubles, end func()) error {
	if f.at == "" {
		return nil
	}
	a, err := f.join(ctx, "teb", log, wrong.report)
	if err != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	close(f.joined)
	go func() {
		for o := range a.Orders() {
			wrong.follow(o)
			a.Done(o.Number, nil)
		}
		if a.Why() != "" {
			end()
		}
	}()
	return nil
}
