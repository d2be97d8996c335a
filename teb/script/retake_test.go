package script_test

import (
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
	"drp/teb/script"
	"drp/xtc"
)

// retaken decides with a mask of monitors that tells its text.
func retaken(monitor, more string) string {
	return "from drp import TriggerSource\nts = TriggerSource()\nts.reason('hit')\n" + more + "\nfor batch in ts.batches():\n    batch.accept = True\n    batch.monitor[:] = " + monitor + "\n"
}

// TestAnotherTextIsTaken at the next step, once it was tried aside on an event; and at once where that is asked for. One that
// fails there, hangs or declares something else is refused, and changes nothing.
func TestAnotherTextIsTaken(t *testing.T) {
	for _, workers := range []int{1, 3} {
		r := &rig{t: t, path: testkit.Script(t, retaken("1", "")), log: &testkit.Buffer{}}
		testkit.NoLeaks(t)
		all := script.New(script.Config{Python: testkit.Python(t), PythonPath: testkit.PythonPath(), Script: r.path, Workers: workers, Deadline: testkit.Patience,
			BatchEvents: 64})
		if err := r.start(rigOptions{deadline: testkit.Patience}, all); err != nil {
			t.Fatal(err)
		}
		logic := all[0].(*script.Logic)
		monitor := func(want uint32, decisions []teb.Decision) {
			t.Helper()
			for _, d := range decisions {
				if d.Service.IsEvent() && d.Monitor != want {
					t.Fatalf("pulse %d has monitor %d, want %d", d.Pulse, d.Monitor, want)
				}
			}
		}
		step := func() []teb.Decision { r.transition(xtc.BeginStep); r.events(49); return r.decisions(50) }
		try := func() (*script.Text, error) { return logic.Try(t.Context()) }
		monitor(1, r.exchange(99))
		testkit.WriteFile(t, r.path, retaken("2", ""))
		text, err := try()
		if err != nil || !strings.HasPrefix(text.Tried, "the event of pulse ") {
			t.Fatal(text, err)
		}
		monitor(1, step()) // it was only tried
		if err := text.Take(false); err != nil || logic.Loaded().Next != text.SHA256 {
			t.Error(err, logic.Loaded())
		}
		monitor(1, r.exchange(50))
		monitor(2, step())
		if l := logic.Loaded(); l.Generation != 2 || l.SHA256 != text.SHA256 || l.Next != "" {
			t.Errorf("%+v", l)
		}
		for what, says := range map[string]string{
			"for":                 "SyntaxError",
			retaken("1 // 0", ""): "ZeroDivisionError",
			retaken("int(batch.events['pulse'][0]) // 0 if batch.events['pulse'][0] else 1", ""): "it fails on the event of pulse ",
			retaken("1", "ts.reason('other')"):                                                   "it declares the reasons ",
			retaken("1", "ts.param('level', 3)"):                                                 "it declares other parameters",
			retaken("1", "import os\nos.abort()"):                                                "it cannot begin, tried aside: ",
			strings.Replace(retaken("1", ""), "ts.batches()", "ts.batch()", 1):                   "AttributeError",
		} {
			testkit.WriteFile(t, r.path, what)
			if _, err := try(); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q does not say %q: %v", what, says, err)
			}
			monitor(2, step())
		}
		testkit.WriteFile(t, r.path, retaken("4", ""))
		if text, err = try(); err == nil {
			err = text.Take(true)
		}
		if err != nil || logic.Loaded().Generation != 3 {
			t.Error(err, logic.Loaded())
		}
		monitor(4, r.exchange(50))
		if text, err = try(); err != nil || text.Tried != "" {
			t.Error("what decides already is tried", err)
		}
		r.check()
		r.teb.Close()
		if _, err := try(); err == nil {
			t.Error("what is closed is tried")
		}
	}
}
