package drp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/monitor"
)

// TestWatchedConfigureThatFails: who watches is shown nothing of what follows a Configure that its script could not take, be it the
// first or not, since nobody could read that.
func TestWatchedConfigureThatFails(t *testing.T) {
	for fails, want := range []string{"", "Configure BeginRun BeginStep Enable Disable EndStep EndRun Unconfigure"} {
		t.Run(fmt.Sprintf("the %d", fails), func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := settings(t, testkit.Script(t, fmt.Sprintf(`import os, sys
from drp import DataSource
seen = len(os.listdir(sys.argv[1]))
open(f"{sys.argv[1]}/{seen}", "w").close()
assert seen < %d
for run in DataSource().runs():
    for evt in run.events():
        pass
`, fails)))
			name := fmt.Sprintf("test/configure%d-%d", fails, os.Getpid())
			cfg.Sources, cfg.Workers, cfg.Args, cfg.Monitor = []string{smallSim + ",configs=2,events=5"}, 1, []string{t.TempDir()}, &drp.Monitor{Name: name}
			r, err := drp.New(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			c, err := monitor.Dial(context.Background(), name, monitor.Choice{}, "test")
			if err != nil {
				t.Fatal(err)
			}
			seen := make(chan string)
			go func() { seen <- transitionsOf(c) }()
			if s, err := r.Run(context.Background()); err == nil || s.Recorded != int64(5*fails) {
				t.Errorf("%v, %+v", err, s)
			}
			if got := <-seen; got != want {
				t.Errorf("seen: %s; want %s", got, want)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// transitionsOf are those of a run to its end.
func transitionsOf(c *monitor.Client) string {
	var all []string
	for {
		it, err := c.Next(context.Background())
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(all, " ")
		case err != nil:
			return err.Error()
		case !it.Dgram.Service().IsEvent():
			all = append(all, it.Dgram.Service().String())
		}
		c.Release()
	}
}
