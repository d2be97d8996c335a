package drp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	tebscript "drp/teb/script"
	"drp/watch"
)

// TestReloadLeavesATriggerThatIsInUse: who asks for a reload is told that the text of the trigger script is the same.
func TestReloadLeavesATriggerThatIsInUse(t *testing.T) {
	text := "import drp\nts = drp.TriggerSource()\nfor batch in ts.batches():\n    batch.accept = True\n"
	decides := testkit.Script(t, text)
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Sources = []string{smallSim + ",events=100000"}
		cfg.Trigger = &drp.Trigger{Deadline: time.Minute, Script: &tebscript.Config{Script: decides}}
	})
	r.events(20)
	want := "trigger script " + decides + ": SHA-256 " + sha(text) + ": in use"
	for _, ask := range []func(context.Context, watch.Reload) (watch.Reloaded, error){r.run.TryReload, r.run.Reload} {
		for _, text := range []int{1, 2} {
			r.write(liveText(text, "pass"))
			if got, err := ask(context.Background(), watch.Reload{}); err != nil || got.Trigger != want {
				t.Errorf("%+v, %v", got, err)
			}
		}
	}
}

// TestTryReload says what a reload would, of a good text as of a bad one, and leaves all as it is.
func TestTryReload(t *testing.T) {
	first, second := liveText(1, "pass"), liveText(2, "pass")
	r := startLive(t, first, func(*drp.Config) {})
	r.events(50)
	if got, err := r.run.TryReload(context.Background(), watch.Reload{}); err != nil || got.State != "in use" {
		t.Errorf("%+v, %v", got, err)
	}
	r.write(liveText(2, "raise KeyError('roi')"))
	if _, err := r.run.TryReload(context.Background(), watch.Reload{}); err == nil || !strings.Contains(err.Error(), "KeyError") {
		t.Errorf("a text that fails: %v", err)
	}
	r.write("for:\n")
	if _, err := r.run.TryReload(context.Background(), watch.Reload{}); err == nil || !strings.Contains(err.Error(), "SyntaxError") {
		t.Errorf("a text that is no Python: %v", err)
	}
	r.write(second)
	got, err := r.run.TryReload(context.Background(), watch.Reload{})
	if err != nil || got.State != "only tried" || got.SHA256 != sha(second) || !strings.HasPrefix(got.Tried, "event ") {
		t.Errorf("%+v, %v", got, err)
	}
	if l := r.run.Status().Loaded; l.SHA256 != sha(first) || l.Next != nil || l.Refused != "" || l.Reloads.Refused != 0 || l.Generation != 1 {
		t.Errorf("something has changed: %+v", l)
	}
	if got, err = r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil || got.State != "taken before the next event" {
		t.Errorf("%+v, %v", got, err)
	}
	r.inUse(2)
	if _, err := r.run.TryReload(context.Background(), watch.Reload{}); err != nil {
		t.Error(err)
	}
	r.end()
	if _, err := r.run.TryReload(context.Background(), watch.Reload{}); err == nil || !strings.Contains(err.Error(), "the run has ended") {
		t.Errorf("after the end: %v", err)
	}
}
