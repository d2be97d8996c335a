package drp_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/drp"
	"drp/watch"
)

// TestReloadTriesNoEnds: what a script writes at the end of a step or of a run is not written by a trial, which has seen one event.
func TestReloadTriesNoEnds(t *testing.T) {
	second := liveText(2, "pass") + "    open(sys.argv[1], 'w').close()\n"
	second = strings.Replace(second, "            evt.add(out)\n", "            evt.add(out)\n        open(sys.argv[1], 'w').close()\n", 1)
	file := filepath.Join(t.TempDir(), "sum")
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Sources, cfg.Args = []string{smallSim + ",events=100000"}, []string{file}
	})
	r.events(20)
	r.write(second)
	if got, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil || !strings.HasPrefix(got.Tried, "event ") {
		t.Fatalf("%+v, %v", got, err)
	}
	r.inUse(2)
	r.events(20)
	if _, err := os.Stat(file); err == nil {
		t.Error("the trial has written it")
	}
	r.end()
	if _, err := os.Stat(file); err != nil {
		t.Error("the run has not:", err)
	}
}

// withEnds is a text that does something at the end of each step, of each run, and of all.
func withEnds(text int, step, run, last string) string {
	return liveText(text, "pass") + "        " + step + "\n    " + run + "\n" + last + "\n"
}

// TestReloadTriesEnds: who asks for it has a text refused that fails where something ends; nobody else is told, and a script that
// asks whether it is tried writes nothing then.
func TestReloadTriesEnds(t *testing.T) {
	const late = "if drp_info.trial: 1/0"
	for _, tt := range []struct{ name, text, want string }{
		{"of a step", withEnds(2, late, "pass", "pass"), "it fails at EndStep, tried aside with the end of all that was begun: "},
		{"of a run", withEnds(2, "pass", late, "pass"), "it fails at EndRun"},
		{"of the script", withEnds(2, "pass", "pass", late), "it fails at Unconfigure"},
		{"of a run, with a death", withEnds(2, "pass", "if drp_info.trial: os._exit(3)", "pass"), "exit status 3"},
		{"of a run, with too much", withEnds(2, "pass", "if drp_info.trial: big.all = np.zeros(64 << 20, np.uint8); "+
			"run.add(big)", "pass"), "it fails at EndRun"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			with := func(text string) string {
				return strings.Replace(text, "\npass\n", "\nbig = ds.add_detector(ds.camera, alg='big', fields={'all': (np.uint8, 1)})\n", 1)
			}
			r := startLive(t, with(liveText(1, "pass")), func(cfg *drp.Config) { cfg.Sources = []string{smallSim + ",events=100000"} })
			r.events(20)
			r.write(with(tt.text))
			if _, err := r.run.Reload(context.Background(), watch.Reload{Ends: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not say %q", err, tt.want)
			}
			if got, err := r.run.Reload(context.Background(), watch.Reload{}); err != nil || got.Ends {
				t.Errorf("without the ends: %+v, %v", got, err)
			}
			if _, err := r.run.Reload(context.Background(), watch.Reload{Ends: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("asked for anew with the ends, %v does not say %q", err, tt.want)
			}
		})
	}
}

// TestEndsOfWhatIsUsed are tried, too, when somebody asks for them; nothing is refused by that, since the text is used.
func TestEndsOfWhatIsUsed(t *testing.T) {
	for _, tt := range []struct{ name, run, want string }{
		{"good", "pass", ""},
		{"bad", "if drp_info.trial: 1/0", "the text is in use already, and fails when it is tried with its ends: script "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startLive(t, withEnds(1, "pass", tt.run, "pass"), func(cfg *drp.Config) { cfg.Sources = []string{smallSim + ",events=100000"} })
			r.events(20)
			for _, ask := range []func(context.Context, watch.Reload) (watch.Reloaded, error){r.run.Reload, r.run.TryReload} {
				got, err := ask(context.Background(), watch.Reload{Ends: true})
				if tt.want == "" && (err != nil || got.State != "in use" || !got.Ends || !strings.HasPrefix(got.Tried, "event ")) {
					t.Errorf("%+v, %v", got, err)
				}
				if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "it fails at EndRun")) {
					t.Errorf("%v does not say %q", err, tt.want)
				}
				if got, err = ask(context.Background(), watch.Reload{}); err != nil || got.State != "in use" || got.Ends {
					t.Errorf("without the ends: %+v, %v", got, err)
				}
			}
			if l := r.run.Status().Loaded; l.Refused != "" || l.Reloads.Refused != 0 || l.Generation != 1 {
				t.Errorf("something has changed: %+v", l)
			}
		})
	}
}

// TestReloadWhoseEndsAreGood: a text that writes its sum where it is not tried is used, with its ends tried, and has written
// nothing until the run ends.
func TestReloadWhoseEndsAreGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sum")
	const note = "open(sys.argv[1] + ('.trial' if drp_info.trial else ''), 'a').write('STEP ')"
	second := withEnds(2, strings.Replace(note, "STEP", "step", 1), strings.Replace(note, "STEP", "run", 1), strings.Replace(note, "STEP", "end", 1))
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Sources, cfg.Args, cfg.Workers = []string{smallSim + ",events=100000"}, []string{file}, 1
	})
	r.events(20)
	r.write(second)
	got, err := r.run.Reload(context.Background(), watch.Reload{Now: true, Ends: true})
	if err != nil || !got.Ends || !strings.HasPrefix(got.Tried, "event ") {
		t.Fatalf("%+v, %v", got, err)
	}
	r.inUse(2)
	r.events(20)
	if _, err := os.Stat(file); err == nil {
		t.Error("the trial, or a process that waits for its turn, has written as the run does")
	}
	r.end()
	for path, want := range map[string]string{file: "step run end ", file + ".trial": "step run end "} {
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("%s has %q, %v", filepath.Base(path), text, err)
		}
	}
	if all := r.recorded(); !slices.Equal(all.texts, []uint64{1, 2}) || !strings.Contains(r.log.String(), "and through its ends") {
		t.Errorf("the events are of the texts %v; log:\n%s", all.texts, r.log)
	}
}
