package drp_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/teb"
)

// TestTriggerFails: events on which the trigger fails get the default, and the log and the books say so; the run ends where
// the user is strict.
func TestTriggerFails(t *testing.T) {
	script := testkit.Script(t, counting)
	batches := func(body string) string {
		return "import os, drp\nts = drp.TriggerSource()\nfor b in ts.batches():\n    b.accept = True\n    " + body + "\n"
	}
	for _, tt := range []struct {
		name, rule, decides, says string
		failed                    int64
	}{
		{"rule", "pulse % 0 == 1", "", "rule broken fails on the event of pulse 1", 60},
		{"raises", "", batches("if 2 in b.values('n'): raise ValueError('two')"), ":5: ValueError: two", 60},
		{"raises one by one", "", "import drp\nts = drp.TriggerSource()\nfor e in ts.events():\n    if e.pulse and e.sum('n') == 21: raise ValueError('this one')\n" +
			"    ts.result(True)\n", ":4: ValueError: this one", 1},
		{"another reason", "", batches("b.reason = 99 * (b['pulse'] > 0)"), "reason 99 was not declared", 60},
		{"dies", "", batches("if b['pulse'].any(): os._exit(3)"), "have no decision of the trigger script", 60},
	} {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " ", strict), func(t *testing.T) {
				testkit.NoLeaks(t)
				cfg := triggered(t, script, teb.Rule{Name: "broken", When: tt.rule, Persist: true})
				if tt.decides != "" {
					cfg = scripted(t, script, testkit.Script(t, tt.decides), 1)
				}
				var log bytes.Buffer
				cfg.Log, cfg.Strict = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})), strict
				cfg.Workers, cfg.Trigger.Veto, cfg.Trigger.Deadline = 1, true, time.Minute
				s, err := run(t, cfg)
				if f := (*drp.Failure)(nil); strict != (errors.As(err, &f) && f.Kind == drp.Script && strings.Contains(err.Error(), "the trigger failed on event ")) {
					t.Errorf("strict %v: %v", strict, err)
				}
				if !strict && (err != nil || s.Undecided < 1 || s.Undecided > tt.failed || s.Vetoed != s.Undecided || s.Received != 60) {
					t.Errorf("%v, %+v", err, s)
				}
				if !strings.Contains(log.String(), tt.says) || !strings.Contains(log.String(), "the trigger failed on event ") {
					t.Errorf("no %q in:\n%s", tt.says, &log)
				}
				if said := s.Text(); !strings.Contains(said, "events it failed on, and they got the default") {
					t.Error(said)
				}
			})
		}
	}
}
