package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestRingsInAllWays: energy and distance are settings as others are, of drp set, the file, UDP and the page; a run that nobody can watch has
// none.
func TestRingsInAllWays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "drp.yaml")
	testkit.WriteFile(t, file, "energy: 8keV\nsettings: {rings.distance: 300mm}\n")
	v := pipeline(t, "-s", smallSim+",events=0", "--rate", "1000", "--config", file, "--http", "127.0.0.1:0", "--liveline", "127.0.0.1:0", "-o", t.TempDir(),
		"-p", bundled("passthrough.py")).start()
	v.enabled()
	set := func(code int, words ...string) outcome {
		return v.beside(append([]string{"set", "--pid", strconv.Itoa(v.PID())}, words...)...).wants(t, code)
	}
	more := func() {
		before := v.enabled().Events.Recorded
		testkit.Within(testkit.Patience, func() bool { return v.enabled().Events.Recorded > before+200 })
	}
	more()
	set(3, "rings.energy=9.5").wants(t, 3, "rings.energy: 9.5: give electronvolts, from 100 to 1000000; 9.5 keV are 9500, or 9.5keV")
	set(0, "rings.energy=9.5keV")
	more()
	testkit.WriteFile(t, file, "energy: 8keV\nsettings: {rings.distance: 20e1 mm}\n")
	signal(t, v, syscall.SIGHUP)
	v.Says("rings.distance 0.3 -> 0.2 (SIGHUP)")
	more()
	at := regexp.MustCompile(`settings are taken by UDP at (127\.0\.0\.1:[0-9]+)`).FindStringSubmatch(v.Stderr.String())
	to, err := net.Dial("udp", at[1])
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.Write([]byte("--rings.energy 7keV"))
	if err = errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	v.Says("rings.energy 9500 -> 7000 (udp 127.0.0.1)")
	more()
	m := steeredAt.FindStringSubmatch(v.Stderr.String())
	if code, text := testkit.Ask(t, "POST", m[1]+"/v1/settings", m[2], `{"rings.energy": 0, "rings.distance": 0}`); code != 200 {
		t.Errorf("%d: %s", code, text)
	}
	more()
	signal(t, v, syscall.SIGINT)
	path := v.finish().wants(t, 130).dataFiles(t)[0]
	if seen, want := ringsOf(t, path), []string{"8000 0.3", "9500 0.3", "9500 0.2", "7000 0.2", ""}; !slices.Equal(seen, want) {
		t.Errorf("the events have %q, and not %q", seen, want)
	}
	says := pipeline(t, "-s", smallSim+",events=5", "--set", "rings.energy=9500", "-p", bundled("passthrough.py")).run().wants(t, 3).stderr
	if !strings.Contains(says, "nothing can be set in this process") {
		t.Error(says)
	}
	pipeline(t, "-s", smallSim+",events=5", "--http", "127.0.0.1:0", "--set", "rings.energy=9.5", "-p", bundled("passthrough.py")).run().wants(t, 3, "9.5 keV are 9500, or 9.5keV")
}

// ringsOf are those that the events of a file say, without repetitions.
func ringsOf(t *testing.T, path string) (all []string) {
	t.Helper()
	testkit.Events(t, path, func(table *xtc.Table, d xtc.Dgram) {
		said := ""
		for it := table.Blocks(d); it.Next(); {
			if b := it.Block(); b.Names.DetName == "settings" && b.Names.Alg == "rings" {
				energy, _ := b.FieldNamed("energy")
				distance, _ := b.FieldNamed("distance")
				said = fmt.Sprint(energy.Float64(), distance.Float64())
			}
		}
		if len(all) == 0 || all[len(all)-1] != said {
			all = append(all, said)
		}
	})
	return all
}
