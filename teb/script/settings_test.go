package script_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// steered says with each verdict what its parameters were. Its process dies at each pulse ID that ends in 777, once for each.
const steered = `import os, drp
ts = drp.TriggerSource()
n = ts.param("n", 3, min=0, max=1000)
x = ts.param("x", 0.5)
name = ts.param("name", "a")
on = ts.param("on", False)
ts.reason("any")
for evt in ts.events():
    if evt.pulse % 1000 == 777:
        try:
            os.mkdir(os.environ["TEB_STEERED"] + "/" + str(evt.pulse))
        except FileExistsError:
            pass
        else:
            os._exit(1)
    ts.result(True, monitor=n.value << 16 | int(x.value * 4) << 8 | len(name.value) << 1 | on.value)
`

// TestSettings come with a batch to all processes, also to those that take the place of others.
func TestSettings(t *testing.T) {
	t.Setenv("TEB_STEERED", t.TempDir())
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			t.Setenv("TEB_STEERED", t.TempDir())
			var now atomic.Pointer[teb.Settings]
			r := startRig(t, rigOptions{text: steered, workers: workers, settings: now.Load})
			if all := r.teb.Parameters(); len(all) != 4 || all[0].Name != "n" || all[0].Max != int64(1000) || !r.teb.Table().Settings {
				t.Fatalf("the parameters are %+v", all)
			}
			check := func(generation, monitor uint32) {
				t.Helper()
				for _, d := range r.exchange(1000) {
					if d.Generation != generation || d.Monitor != monitor || !d.Persist {
						t.Fatalf("want generation %d, %#x: %+v; log:\n%s", generation, monitor, d, r.log)
					}
				}
			}
			check(0, 3<<16|2<<8|1<<1)
			now.Store(&teb.Settings{Generation: 1, Values: []any{int64(7), 1.25, "four", true}})
			check(1, 7<<16|5<<8|4<<1|1)
			now.Store(&teb.Settings{Generation: 2, Values: []any{int64(8), 0.0, "", false}})
			check(2, 8<<16)
			r.check()
		})
	}
}

// TestOtherParameters are refused as other reasons are: a text that declares them is not taken when a run begins.
func TestOtherParameters(t *testing.T) {
	t.Setenv("TEB_STEERED", t.TempDir())
	var now atomic.Pointer[teb.Settings]
	now.Store(&teb.Settings{Generation: 1, Values: []any{int64(7), 1.25, "four", true}})
	r := startRig(t, rigOptions{text: steered, settings: now.Load})
	testkit.WriteFile(t, r.path, strings.Replace(steered, "max=1000", "max=5", 1))
	r.transition(xtc.BeginRun)
	r.decisions(1)
	if text := r.log.String(); !strings.Contains(text, "it declares other parameters, or other limits of them") {
		t.Errorf("the log:\n%s", text)
	}
	if d := r.exchange(10)[9]; d.Monitor != 7<<16|5<<8|4<<1|1 {
		t.Errorf("%+v", d)
	}
	testkit.WriteFile(t, r.path, steered+"# the same\n")
	r.transition(xtc.BeginRun)
	r.decisions(1)
	if d := r.exchange(10)[9]; d.Monitor != 7<<16|5<<8|4<<1|1 || strings.Count(r.log.String(), "cannot be taken") != 1 {
		t.Errorf("%+v\n%s", d, r.log)
	}
}

func TestAParameterThatIsThereTwice(t *testing.T) {
	if _, err := newRig(t, rigOptions{text: strings.Replace(steered, `"x", 0.5`, `"n", 0.5`, 1)}); err == nil || !strings.Contains(err.Error(), "param('n') is declared twice") {
		t.Errorf("a name that is there twice: %v", err)
	}
}
