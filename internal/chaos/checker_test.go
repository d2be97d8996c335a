package chaos

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/internal/testkit"
	"drp/xtc"
)

// fates are what may become of an event.
type fates int

const (
	good fates = 1 << iota
	damaged
	quarantined
	absent  // rejected, dropped or failed: it is in no file
	spoilt  // recorded as good, with a result that is not what the pixels give
	altered // recorded with raw data that is not what was sent
)

// natural is what becomes of an event when nothing goes wrong.
func natural(n int) fates {
	if rejects(n) {
		return absent
	}
	return good
}

// or allows more for every event.
func or(more fates) func(int) fates {
	return func(n int) fates { return natural(n) | more }
}

// A sighting is an event in a recorded file, with what its script noted.
type sighting struct {
	n      int
	fate   fates
	damage xtc.Damage
	when   int64 // Unix nanoseconds; 0 if damaged
	pid    int
}

// An audit is what the checker found.
type audit struct {
	problems []string
	seen     []sighting
	count    map[fates]int
	// strangers are events of a time that was never sent.
	strangers int
}

func (a *audit) fail(format string, args ...any) {
	if len(a.problems) < 20 {
		a.problems = append(a.problems, fmt.Sprintf(format, args...))
	}
}

// auditRun proves that each event that was received has exactly one outcome that is allowed, that recorded events are in
// order, that the raw data of each is what the source sent, and the results are what its pixels give. The files are those
// below dir; of a run that was killed there are no books.
func auditRun(s *stream, b *testkit.Books, dir string, allowed func(n int) fates) *audit {
	a := &audit{count: map[fates]int{}}
	outcome := make([]fates, len(s.events))
	table := xtc.NewTable() // a further chunk of a file has no Configure of its own
	for _, path := range dataFiles(dir) {
		table = a.file(s, path, table, func(n int, f fates) (twice, fine bool) {
			twice = outcome[n] != 0
			outcome[n] = f
			return twice, f&allowed(n) != 0
		})
	}
	a.quarantine(s, dir, outcome)
	received := 0
	if b != nil {
		received = b.Received
	} else if len(a.seen) > 0 { // the last event that is known to have come
		received = a.seen[len(a.seen)-1].n + 1
	}
	for n := range s.events {
		if n >= received {
			if outcome[n] != 0 {
				a.fail("event %d has an outcome, and %d were received", n, received)
			}
			continue
		}
		if outcome[n] == 0 {
			outcome[n] = absent
		}
		a.count[outcome[n]]++
		if outcome[n]&allowed(n) == 0 {
			a.fail("event %d is %s, which it may not be", n, outcome[n])
		}
	}
	if a.strangers > 0 && allowed(0)&altered == 0 {
		a.fail("%d events are of a time that was never sent", a.strangers)
	}
	if b != nil {
		a.balance(b)
	}
	return a
}

func (f fates) String() string {
	return map[fates]string{good: "recorded", damaged: "recorded as damaged", quarantined: "quarantined", absent: "missing",
		spoilt: "recorded with a wrong result", altered: "recorded with other raw data than was sent"}[f]
}

// balance compares what was found with the books.
func (a *audit) balance(b *testkit.Books) {
	missing := b.Rejected + b.Vetoed + b.Dropped + b.Failed
	if b.Received != b.Recorded+b.Quarantined+missing+b.InFlight {
		a.fail("the books do not balance: %+v", *b)
	}
	if b.InFlight != 0 {
		a.fail("%d events are in flight at the end", b.InFlight)
	}
	recorded, damages := len(a.seen)+a.strangers, 0
	for _, e := range a.seen {
		if e.damage != 0 {
			damages++
		}
	}
	for _, entry := range []struct {
		name         string
		books, found int
	}{
		{"recorded", b.Recorded, recorded},
		{"damaged", b.Damaged, damages},
		{"quarantined", b.Quarantined, a.count[quarantined]},
		{"rejected, dropped and failed", missing, a.count[absent] - a.strangers},
	} {
		if entry.books != entry.found {
			a.fail("%d events are %s by the books, %d by the files", entry.books, entry.name, entry.found)
		}
	}
	for _, path := range b.Files {
		if _, err := os.Stat(path); err != nil {
			a.fail("the books name a file that is not there: %v", err)
		}
	}
}

// dataFiles are the recorded files below a folder, in the order in which they were written; those in progress, too.
func dataFiles(dir string) (paths []string) {
	for _, path := range testkit.FilesIn(dir) {
		name := strings.TrimSuffix(path, ".inprogress")
		if strings.HasSuffix(name, ".xtc2") && !strings.HasSuffix(name, ".smd.xtc2") && !strings.Contains(path, "/quarantine/") {
			paths = append(paths, path)
		}
	}
	// A further part follows the one it goes on from.
	slices.SortFunc(paths, func(x, y string) int {
		if d := strings.Count(x, "/") - strings.Count(y, "/"); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	return paths
}

// file looks at each event of a recorded file, with the Names of the file before if it has none itself. note takes down
// what became of an event.
func (a *audit) file(s *stream, path string, table *xtc.Table, note func(int, fates) (twice, fine bool)) *xtc.Table {
	if !strings.HasSuffix(path, ".inprogress") {
		if report, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !report.OK() {
			a.fail("%s: %v, %v, %v", filepath.Base(path), err, report.Errors, report.Truncated)
		}
	}
	dgrams, err := readAll(path)
	if err != nil {
		a.fail("%s: %v", filepath.Base(path), err)
	}
	for _, d := range dgrams {
		if d.Service() == xtc.Configure {
			table = xtc.NewTable()
			if err := table.Configure(d); err != nil {
				a.fail("Configure: %v", err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		n, known := s.byTime[d.Time()]
		if !known {
			a.strangers++
			continue
		}
		if len(a.seen) > 0 && n < a.seen[len(a.seen)-1].n {
			a.fail("event %d comes after event %d", n, a.seen[len(a.seen)-1].n)
		}
		seen, trouble := inspect(table, d, s.events[n], n)
		twice, fine := note(n, seen.fate)
		if twice {
			a.fail("event %d is there twice", n)
		}
		if trouble != "" && !fine {
			a.fail("event %d: %s", n, trouble)
		}
		a.seen = append(a.seen, seen)
	}
	return table
}

// inspect compares a recorded event with what was sent. The trouble it returns says why its fate is bad.
func inspect(table *xtc.Table, d, sent xtc.Dgram, n int) (sighting, string) {
	seen := sighting{n: n, fate: good, damage: d.Damage()}
	if d.Env() != sent.Env() || d.Src() != sent.Src() {
		seen.fate = altered
		return seen, "its header changed"
	}
	if d.Damage() != sent.Damage() {
		seen.fate = damaged
		if !bytes.Equal(d.Payload(), sent.Payload()) {
			seen.fate = altered
			return seen, "it is damaged, and its raw data is not what was sent"
		}
		return seen, ""
	}
	var n32, crc uint32
	var pad []byte
	raws, results := 0, 0
	it := table.Blocks(d)
	for it.Next() {
		b := it.Block()
		switch b.Names.Alg {
		case "raw":
			raws++
		case "seen":
			results++
			n32, crc = binary.LittleEndian.Uint32(b.Field(0).Data), binary.LittleEndian.Uint32(b.Field(1).Data)
			seen.when = int64(binary.LittleEndian.Uint64(b.Field(2).Data))
			seen.pid, pad = int(binary.LittleEndian.Uint32(b.Field(3).Data)), b.Field(4).Data
		}
	}
	wantCRC, wantPad := result(n)
	switch {
	case it.Err() != nil:
		seen.fate = altered
		return seen, it.Err().Error()
	case raws > 0 && !bytes.HasPrefix(d.Payload(), sent.Payload()):
		seen.fate = altered
		return seen, "its raw data is not what was sent"
	case results != 1, int(n32) != n, crc != wantCRC, !bytes.Equal(pad, wantPad):
		seen.fate = spoilt
		return seen, fmt.Sprintf("its result is wrong: %d results, number %d, checksum %#x for %#x, %d bytes for %d", results,
			n32, crc, wantCRC, len(pad), len(wantPad))
	case removes(n) != (raws == 0):
		seen.fate = spoilt
		return seen, fmt.Sprintf("%d blocks of raw data are not what is wanted", raws)
	}
	return seen, ""
}

// quarantine looks at the events that were put aside.
func (a *audit) quarantine(s *stream, dir string, outcome []fates) {
	for _, path := range testkit.FilesIn(filepath.Join(dir, "quarantine")) {
		if strings.HasSuffix(path, ".json") {
			continue
		}
		dgrams, err := readAll(path)
		if err != nil || !strings.HasSuffix(path, ".xtc2") {
			a.fail("quarantine: %s: %v", filepath.Base(path), err)
		}
		found := -1
		for _, d := range dgrams {
			if !d.Service().IsEvent() {
				continue
			}
			n, known := s.byTime[d.Time()]
			if !known || found >= 0 || !bytes.Equal(d, s.events[n]) {
				a.fail("quarantine: %s: the event is not what was sent", filepath.Base(path))
				continue
			}
			if found = n; outcome[n] != 0 {
				a.fail("event %d is quarantined and has another outcome", n)
			}
			outcome[n] = quarantined
		}
		var report struct{ Event int }
		text, err := os.ReadFile(strings.TrimSuffix(path, ".xtc2") + ".json")
		if err == nil {
			err = json.Unmarshal(text, &report)
		}
		if err != nil || report.Event != found {
			a.fail("quarantine: the report of event %d says event %d, %v", found, report.Event, err)
		}
	}
}

// readAll reads the datagrams of a file, up to where it makes no more sense.
func readAll(path string) (all []xtc.Dgram, err error) {
	r, err := xtc.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	for {
		if _, err := r.Next(); err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		d, err := r.ReadDgram(nil)
		if err != nil {
			return all, err
		}
		all = append(all, d)
	}
}

// proves runs the checker on a run that came to its end, and notes what it found.
func (c *trial) proves(s *stream, o outcome, dir string, allowed func(n int) fates) *audit {
	c.Helper()
	a := auditRun(s, o.books, dir, allowed)
	for _, p := range a.problems {
		c.Errorf("%s", p)
	}
	if len(a.problems) > 0 {
		c.Logf("%s", tail(o.stderr))
	}
	return a
}
