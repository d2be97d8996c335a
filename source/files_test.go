package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/source"
	"drp/xtc"
)

// TestOneStream replays what our own writer wrote, byte for byte.
func TestOneStream(t *testing.T) {
	testkit.NoLeaks(t)
	f := fakeStream{node: 3, segment: 1, run: 14}
	want := f.wholeRun(10, 20, 31, 49)
	w, err := xtc.Create(t.TempDir(), xtc.FileName{Expt: "xpptut15", Run: 14, Stream: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range want {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := openSource(t, source.Options{}, w.Files()[0])
	info := s.Info()
	if !equal(drain(t, s, 2), want) {
		t.Error("the datagrams differ")
	}
	if info.Expt != "xpptut15" || info.Run != 14 || info.Stream != 5 || info.Events != 4 || len(info.Warnings) > 0 ||
		info.MaxEventBytes != len(f.event(49)) || info.MaxTransitionBytes != len(want[0]) {
		t.Errorf("%+v", info)
	}
}

// TestNamesOfARun has names that file and runinfo do not agree upon, or only one of them says.
func TestNamesOfARun(t *testing.T) {
	tests := []struct {
		name, file string
		stream     fakeStream
		expt       string
		run        int
	}{
		{"runinfo goes first", "other-r0099-s000-c000.xtc2", fakeStream{node: 1, run: 14}, "xpptut15", 14},
		{"the name helps out", "other-r0099-s000-c000.xtc2", fakeStream{node: 1, noRunInfo: true}, "other", 99},
		{"neither knows", "run.xtc2", fakeStream{node: 1, noRunInfo: true}, "", -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeFile(t, filepath.Join(t.TempDir(), test.file), test.stream.wholeRun(10))
			info := openSource(t, source.Options{}, path).Info()
			if info.Expt != test.expt || info.Run != test.run {
				t.Errorf("%q run %d", info.Expt, info.Run)
			}
		})
	}
}

// TestSeveralStreams merges streams that all use the same NamesIds.
func TestSeveralStreams(t *testing.T) {
	tests := []struct {
		name  string
		times [][]uint64
		want  string
	}{
		{"equal rates", [][]uint64{{10, 20}, {10, 20}}, "0:10 1:10 | 0:20 1:20 | "},
		{"mixed rates", [][]uint64{{10, 20, 30}, {20}}, "0:10 | 0:20 1:20 | 0:30 | "},
		{"the first one slower", [][]uint64{{20}, {10, 20, 30}}, "1:10 | 0:20 1:20 | 1:30 | "},
		{"one event missing", [][]uint64{{10, 20, 30}, {10, 30}, {10, 20, 30}},
			"0:10 1:10 2:10 | 0:20 2:20 | 0:30 1:30 2:30 | "},
		{"a stream without events", [][]uint64{{10}, {}, {10, 20}}, "0:10 2:10 | 2:20 | "},
		{"nothing together", [][]uint64{{10, 30}, {20, 40}}, "0:10 | 1:20 | 0:30 | 1:40 | "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, groups := t.TempDir(), uint32(0)
			for i, times := range test.times {
				f := fakeStream{node: 1, segment: uint32(i), run: 14}
				writeFile(t, filepath.Join(dir, streamName(i, 0)), f.wholeRun(times...))
				groups |= 1 << i
			}
			s := openSource(t, source.Options{}, dir)
			info := s.Info()
			all := drain(t, s, 2)
			if got := eventsOf(t, all); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			checkRising(t, all)
			for _, d := range all {
				limit := info.MaxTransitionBytes
				if d.Service().IsEvent() {
					limit = info.MaxEventBytes
				} else if d.Env()&0xffff != groups {
					t.Errorf("%v has readout groups %b, want %b", d.Service(), d.Env()&0xffff, groups)
				}
				if len(d) > limit {
					t.Errorf("%v has %d bytes, announced were %d at most", d.Service(), len(d), limit)
				}
			}
			table := checkStructure(t, all)
			if got := len(table.Find("cam", "raw")); got != len(test.times) {
				t.Errorf("%d segments of the camera, want %d", got, len(test.times))
			}
		})
	}
}

// TestAnotherConfigure looks for NamesIds anew.
func TestAnotherConfigure(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		first := fakeStream{node: 1, segment: uint32(i), run: 14}
		second := fakeStream{node: 2 - uint32(i), segment: uint32(i), run: 15} // of its own from here on
		all := first.wholeRun(10)
		for _, d := range join(second.begin(), second.events(20), second.end(1000)) {
			d.SetTime(d.Time() + 2000)
			all = append(all, d)
		}
		writeFile(t, filepath.Join(dir, streamName(i, 0)), all)
	}
	all := replay(t, source.Options{}, dir)
	if got := services(all); got != "CRSE.esrCRSE.esr" {
		t.Fatal(got)
	}
	table := checkStructure(t, all)
	if got := whens(t, table, ofService(all, xtc.L1Accept)[1]); got != "0:20 1:20 " {
		t.Error(got)
	}
	for i, n := range table.Find("cam", "raw") {
		if n.ID != xtc.NewNamesID(2-uint32(i), 0) {
			t.Errorf("segment %d has NamesId %v although its own was free", i, n.ID)
		}
	}
}

// TestManyCollisions has no free index in the other node's place: 12 streams with the same ids.
func TestManyCollisions(t *testing.T) {
	dir, want := t.TempDir(), ""
	for i := range 12 {
		f := fakeStream{node: 4090, segment: uint32(i), run: 14} // counting on runs over the last node
		writeFile(t, filepath.Join(dir, streamName(i, 0)), f.wholeRun(10))
		want += fmt.Sprintf("%d:10 ", i)
	}
	all := replay(t, source.Options{}, dir)
	if got := eventsOf(t, all); got != want+"| " {
		t.Error(got)
	}
}

// TestChainOfCollisions has a stream whose second camera uses the id that the first would move to.
func TestChainOfCollisions(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, streamName(0, 0)), fakeStream{node: 1, run: 14}.wholeRun(10))
	f, other := fakeStream{node: 1, segment: 1, run: 14}, fakeStream{node: 2, segment: 2}
	all := f.wholeRun(10)
	all[0] = must(other.camera().AppendTo(all[0]))
	all[4] = append(all[4], other.event(10).Payload()...)
	for _, d := range all {
		d.SetSize(len(d))
	}
	writeFile(t, filepath.Join(dir, streamName(1, 0)), all)
	if got := eventsOf(t, replay(t, source.Options{}, dir)); got != "0:10 1:10 2:10 | " {
		t.Error(got)
	}
}

// TestNestedNames has everything of the second stream inside Parents.
func TestNestedNames(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, streamName(0, 0)), fakeStream{node: 1, run: 14}.wholeRun(10))
	var nested []xtc.Dgram
	f := fakeStream{node: 1, segment: 1, run: 14}
	for _, d := range f.wholeRun(10) {
		outer := bytes.Clone(d[:xtc.DgramHeaderBytes])
		outer = append(outer, d[xtc.DgramHeaderBytes-xtc.XtcHeaderBytes:]...)
		xtc.Dgram(outer).SetSize(len(outer))
		nested = append(nested, outer)
	}
	writeFile(t, filepath.Join(dir, streamName(1, 0)), nested)
	if got := eventsOf(t, replay(t, source.Options{}, dir)); got != "0:10 1:10 | " {
		t.Error(got)
	}
}

// TestCorruptedStream has one stream that may not be looked into: the others stay readable.
func TestCorruptedStream(t *testing.T) {
	tests := []struct {
		name, want string
		corrupted  []int
		whole      xtc.Damage
	}{
		{"none", "0:10 1:10 2:10 ", nil, xtc.DamageTimedOut},
		{"the first", "1:10 2:10 ", []int{0}, xtc.DamageTimedOut},
		{"the second", "0:10 2:10 ", []int{1}, xtc.DamageTimedOut},
		{"two", "2:10 ", []int{0, 1}, xtc.DamageTimedOut},
		{"all", "", []int{0, 1, 2}, xtc.DamageTimedOut | xtc.DamageCorrupted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for i := range 3 {
				f := fakeStream{node: 1, segment: uint32(i), run: 14}
				all := f.wholeRun(10, 20)
				damage := xtc.DamageTimedOut
				if slices.Contains(test.corrupted, i) {
					damage |= xtc.DamageCorrupted
					for k := range all[4][xtc.DgramHeaderBytes:] {
						all[4][xtc.DgramHeaderBytes+k] = 0xff
					}
				}
				all[4].SetDamage(damage)
				writeFile(t, filepath.Join(dir, streamName(i, 0)), all)
			}
			all := replay(t, source.Options{}, dir)
			table := checkStructure(t, all)
			events := ofService(all, xtc.L1Accept)
			if got := whens(t, table, events[0]); !sameWords(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
			if got := whens(t, table, events[1]); got != "0:20 1:20 2:20 " {
				t.Errorf("the event behind it has %q", got)
			}
			if got := events[0].Damage(); got != test.whole {
				t.Errorf("damage %v, want %v", got, test.whole)
			}
		})
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// TestSkipFiles leaves out every other datagram.
func TestSkipFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		f := fakeStream{node: 1, segment: uint32(i), run: 14}
		writeFile(t, filepath.Join(dir, streamName(i, 0)), f.wholeRun(10, 20, 30, 40, 50))
	}
	want := replay(t, source.Options{}, dir)
	s := openSource(t, source.Options{}, dir)
	p := openPool(t, s, 2)
	for i, d := range want {
		h, err := s.Next(t.Context())
		if err != nil || h.Service != d.Service() || h.Time != d.Time() || h.Bytes != len(d) {
			t.Fatalf("datagram %d was announced as %+v: %v", i, h, err)
		}
		if i%2 == 1 {
			if err := s.Skip(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := take(p, s, h); err != nil || i > 0 && !bytes.Equal(got, d) {
			t.Fatalf("datagram %d: %v", i, err)
		}
	}
	if _, err := s.Next(t.Context()); err != io.EOF {
		t.Error(err)
	}
}

func TestFilesSlotTooSmall(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	s := openSource(t, source.Options{}, writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), f.wholeRun(10, 19)))
	all, err := read(openSlots(t, 1, len(f.event(10)), 8192), s, unlimited)
	want := fmt.Sprintf("source: the L1Accept of %d bytes does not fit in a slot of %d: give a larger --buf-bytes",
		len(f.event(19)), len(f.event(10)))
	if len(all) != 5 || err == nil || err.Error() != want {
		t.Errorf("%d datagrams, %v", len(all), err)
	}
}

// TestTruncatedFile cuts a file at every byte: what is whole is delivered, and then what happened is said.
func TestTruncatedFile(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	all := f.wholeRun(10, 25)
	whole := must(os.ReadFile(writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), all)))
	p := openSlots(t, 2, 4096, 8192)
	path := filepath.Join(t.TempDir(), "cut.xtc2")
	ends := []int{0}
	for _, d := range all {
		ends = append(ends, ends[len(ends)-1]+len(d))
	}
	for cut := len(all[0]); cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := source.OpenFiles([]string{path}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(p, s, unlimited)
		_ = s.Close()
		n, atEnd := slices.BinarySearch(ends, cut)
		if !atEnd {
			n--
		}
		if !equal(got, all[:n]) {
			t.Fatalf("cut at %d: %d datagrams, want %d", cut, len(got), n)
		}
		var truncated *xtc.TruncatedError
		if atEnd && err != io.EOF || !atEnd && (!errors.As(err, &truncated) || truncated.Path != path) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

// TestTruncatedStream has one of two streams end in the middle: what was before it is delivered, merged.
func TestTruncatedStream(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		f := fakeStream{node: 1, segment: uint32(i), run: 14}
		all := f.wholeRun(10, 20, 30)
		if i == 1 {
			all = append(all[:6], all[6][:len(all[6])-1]) // the event at 30
		}
		writeFile(t, filepath.Join(dir, streamName(i, 0)), all)
	}
	s := openSource(t, source.Options{}, dir)
	all, err := read(openPool(t, s, 1), s, unlimited)
	if got := eventsOf(t, all); got != "0:10 1:10 | 0:20 1:20 | " {
		t.Error(got)
	}
	var truncated *xtc.TruncatedError
	if !errors.As(err, &truncated) || truncated.Path != filepath.Join(dir, streamName(1, 0)) {
		t.Error(err)
	}
}

// TestGarbageInTheMiddle is what a bad disk gives.
func TestGarbageInTheMiddle(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	all := f.wholeRun(10, 20)
	garbage := xtc.Dgram(bytes.Repeat([]byte{0xee}, 1000))
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), join(all[:5], []xtc.Dgram{garbage}, all[5:]))
	s := openSource(t, source.Options{}, path)
	got, err := read(openPool(t, s, 1), s, unlimited)
	var format *xtc.FormatError
	if !equal(got, all[:5]) || !errors.As(err, &format) || format.Path != path || format.Datagram != 6 {
		t.Errorf("%d datagrams, %v", len(got), err)
	}
	if _, again := s.Next(t.Context()); !errors.As(again, &format) {
		t.Errorf("afterwards: %v", again)
	}
}

// TestDamagedInside is a datagram that makes no sense but in its header: it is delivered as it is.
func TestDamagedInside(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	all := f.wholeRun(10, 20)
	for i := xtc.DgramHeaderBytes; i < len(all[4]); i++ {
		all[4][i] = 0xee
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), all)
	if !equal(replay(t, source.Options{}, path), all) {
		t.Error("the datagrams differ")
	}
}
