package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// twoDetectors have distances of their own.
const twoDetectors = `
partition: detectors
folder: FOLDER/log
defaults: {script: FOLDER/run.py, workers: 1, spares: 0, rate: recorded, source: "sim:segments=1,rows=8,cols=8,hz=200"}
drp:
  near: {distance: 100mm, monitor: detectors/near}
  far: {distance: 2000mm, monitor: detectors/far}
`

// rings are energy and distance of a process, its number, and for whom they were set.
func (s *site) rings(of string) string {
	s.t.Helper()
	var l struct {
		Settings []struct {
			Name  string
			Value any
			Own   bool
		}
	}
	if err := json.Unmarshal([]byte(s.do(0, "set", "--json", "--pid", strconv.Itoa(s.pid(of))).stdout), &l); err != nil {
		s.t.Fatal(err)
	}
	text := ""
	for _, p := range l.Settings {
		if name, is := strings.CutPrefix(p.Name, "rings."); is {
			text += fmt.Sprintf(" %s %v", name, p.Value)
			if p.Own {
				text += " own"
			}
		}
	}
	return strings.TrimSpace(text)
}

// known waits until run control has been told so often of a text, by what it keeps of all processes.
func (s *site) known(text string, times int) {
	s.t.Helper()
	kept := ""
	if !testkit.Within(testkit.Patience, func() bool {
		files, _ := filepath.Glob(filepath.Join(s.folder, "log", "*.settings"))
		if len(files) != 1 {
			return false
		}
		is, _ := os.ReadFile(files[0])
		kept = string(is)
		return strings.Count(kept, text) == times
	}) {
		s.t.Fatalf("run control does not know %s %d times: %s", text, times, kept)
	}
}

// TestEachDetectorHasItsDistance while a run goes on: what is set for one process is its own when it comes back, and nobody else's, nor is
// anybody behind it; what is set for all is that of all.
func TestEachDetectorHasItsDistance(t *testing.T) {
	t.Parallel()
	s := newSite(t, twoDetectors)
	script := looping("", "pass")
	testkit.WriteFile(t, filepath.Join(s.folder, "run.py"), script)
	s.up()
	s.ctl("state", "enabled")
	s.more(20, "near", "far")
	s.do(0, "set", "--pid", strconv.Itoa(s.pid("near")), "rings.distance=0.15")
	s.do(0, "set", "--partition", "detectors", "rings.energy=9500")
	has := map[string]string{"near": "energy 9500 distance 0.15 own", "far": "energy 9500 distance 2"}
	all := func(after string) {
		t.Helper()
		for name, want := range has {
			s.until(name, "enabled", func(p processStatus) bool { return p.State == "enabled" && p.Behind == 0 })
			if got := s.rings(name); got != want {
				t.Errorf("after %s, %s has %s, and not %s", after, name, got, want)
			}
		}
		for name := range has {
			if p := s.process(name); p.Trouble != "" {
				t.Errorf("after %s, of %s it is said: %s", after, name, p.Trouble)
			}
		}
		if o := s.do(0, "status"); strings.Contains(o.stdout, "differs between") {
			t.Errorf("after %s it says\n%s", after, o.stdout)
		}
	}
	s.known(`"rings.energy":"9500"`, 2)
	s.known(`"rings.distance":"0.15"`, 1)
	all("it was set")
	s.kill("far") // which had nothing of its own
	s.up()
	all("the death of the other one")
	s.do(0, "set", "--pid", strconv.Itoa(s.pid("far")), "rings.distance=2.5")
	has["far"] = "energy 9500 distance 2.5 own"
	s.known(`"rings.distance":"2.5"`, 1)
	s.kill("near")
	s.up()
	all("its death")
	testkit.WriteFile(t, filepath.Join(s.folder, "run.py"), script+"# another\n")
	s.do(0, "reload", "--partition", "detectors", "--now", "--wait")
	s.kill("control")
	warned := func() bool {
		o := s.do(0, "set", "--pid", strconv.Itoa(s.pid("near")), "rings.distance=150mm") // which it is
		return strings.Contains(o.stderr, "does not answer: if this process ends before it is there again, what is set now is lost")
	}
	if !testkit.Within(testkit.Patience, warned) {
		t.Error("whoever sets something is not told that run control is dead")
	}
	s.kill("far")
	s.up()
	all("a reload, and the death of run control")
	if !testkit.Within(testkit.Patience, func() bool { return !warned() }) {
		t.Error("whoever sets something is told that run control is dead, which is there again")
	}
	s.do(0, "set", "--partition", "detectors", "rings.distance=3")
	has = map[string]string{"near": "energy 9500 distance 3", "far": "energy 9500 distance 3"}
	s.until("near", "told of", func(processStatus) bool { return s.rings("near") == has["near"] })
	s.kill("far")
	s.up()
	all("it was set for both")
	s.ctl("state", "unconfigured")
	s.down()
}
