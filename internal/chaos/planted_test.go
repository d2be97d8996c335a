package chaos

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestChecker plants in a good record what the checker must find.
func TestChecker(t *testing.T) {
	t.Parallel()
	c := &trial{T: t, row: &row{fault: "F0", name: "checker"}}
	s := newStream(t, 200)
	dir := filepath.Join(t.TempDir(), "out")
	o := c.pipeline("-s", s.path, "-w", "2", "-p", script(t, "pass", `if n == 22: raise ValueError("one")`), "-o", dir).start().ended(0)
	allowed := func(n int) fates {
		if n == 22 {
			return damaged
		}
		return natural(n)
	}
	if a := auditRun(s, o.books, dir, allowed); len(a.problems) > 0 || a.count[good] != 179 || a.count[damaged] != 1 || a.count[absent] != 20 {
		t.Fatalf("in the good one: %v, %v", a.problems, a.count)
	}
	path := dataFiles(dir)[0]
	clean := testkit.Dgrams(t, path)
	const first = 4 // datagrams before the events
	for _, plant := range []struct {
		name  string
		alter func(all []xtc.Dgram, b *testkit.Books) []xtc.Dgram
		want  string
	}{
		{"a loss", func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram { return append(all[:first+5], all[first+6:]...) }, "event 5 is missing"},
		{"a loss that the books hide", func(all []xtc.Dgram, b *testkit.Books) []xtc.Dgram {
			b.Recorded--
			b.Rejected++
			return append(all[:first+5], all[first+6:]...)
		}, "event 5 is missing"},
		{"a duplicate", func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram {
			return append(all[:first+6:first+6], all[first+5:]...)
		}, "event 5 is there twice"},
		{"a swap", func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram {
			all[first+5], all[first+6] = all[first+6], all[first+5]
			return all
		}, "event 5 comes after event 6"},
		{"a byte of raw data", flip(first+4, 100), "event 4: "},
		{"a byte of the raw data of the damaged", flip(first+20, 100), "event 22: it is damaged, and its raw data"},
		{"a byte of a result", func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram {
			d := all[first+5]
			d[len(d)-1] ^= 1
			return all
		}, "event 5: its result is wrong"},
		{"a damage bit", func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram {
			all[first+4].SetDamage(xtc.DamageUserDefined)
			return all
		}, "event 4: it is damaged"},
		{"a wrong number in the books", func(all []xtc.Dgram, b *testkit.Books) []xtc.Dgram {
			b.Recorded++
			b.Rejected--
			return all
		}, "events are recorded by the books"},
		{"a stranger", func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram {
			binary.LittleEndian.PutUint64(all[first+5], at(5)+7)
			return all
		}, "of a time that was never sent"},
		{"an event too many", func(all []xtc.Dgram, b *testkit.Books) []xtc.Dgram {
			b.Received--
			return all
		}, "has an outcome"},
	} {
		t.Run(plant.name, func(t *testing.T) {
			b := *o.books
			var file []byte
			for _, d := range plant.alter(cloned(clean), &b) {
				file = append(file, d...)
			}
			copied := t.TempDir()
			testkit.WriteFile(t, filepath.Join(copied, filepath.Base(path)), string(file))
			a := auditRun(s, &b, copied, allowed)
			if !strings.Contains(strings.Join(a.problems, "\n"), plant.want) {
				t.Errorf("%q is not found, only %q", plant.want, a.problems)
			}
		})
	}
	plantQuarantine(t, s, *o.books, dir, allowed)
}

// plantQuarantine puts an event aside that is recorded, too, and one that was altered.
func plantQuarantine(t *testing.T, s *stream, b testkit.Books, dir string, allowed func(int) fates) {
	t.Helper()
	folder := filepath.Join(dir, "quarantine")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	altered := append(xtc.Dgram{}, s.events[17]...)
	altered[60] ^= 4
	for _, plant := range []struct {
		event xtc.Dgram
		want  string
	}{{s.events[16], "event 16 is quarantined and has another outcome"}, {altered, "the event is not what was sent"}} {
		testkit.WriteFile(t, filepath.Join(folder, "x.xtc2"), string(camera.Configure(1))+string(plant.event))
		testkit.WriteFile(t, filepath.Join(folder, "x.json"), `{"event": 3}`)
		a := auditRun(s, &b, dir, allowed)
		all := strings.Join(a.problems, "\n")
		if !strings.Contains(all, plant.want) || !strings.Contains(all, "says event 3") {
			t.Errorf("%q is not found, only %q", plant.want, a.problems)
		}
	}
}

func flip(datagram, offset int) func([]xtc.Dgram, *testkit.Books) []xtc.Dgram {
	return func(all []xtc.Dgram, _ *testkit.Books) []xtc.Dgram {
		all[datagram][offset] ^= 1
		return all
	}
}

func cloned(all []xtc.Dgram) (copies []xtc.Dgram) {
	for _, d := range all {
		copies = append(copies, append(xtc.Dgram{}, d...))
	}
	return copies
}
