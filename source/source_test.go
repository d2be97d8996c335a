package source_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"drp/pebble"
	"drp/source"
	"drp/xtc"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// openPool makes room for what a source announces of itself.
func openPool(t testing.TB, s source.Source, slots int) *pebble.Pool {
	t.Helper()
	return openSlots(t, slots, s.Info().MaxEventBytes, s.Info().MaxTransitionBytes)
}

func openSlots(t testing.TB, slots, eventBytes, transitionBytes int) *pebble.Pool {
	t.Helper()
	p, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: slots, EventBytes: max(1, eventBytes), ResultBytes: 4096,
		TransitionBytes: max(4096, transitionBytes)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// openSource opens what the names stand for.
func openSource(t testing.TB, o source.Options, names ...string) source.Source {
	t.Helper()
	s, err := source.Open(names, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fill reads the announced datagram into a slot.
func fill(loan *pebble.Loan, p *pebble.Pool, s source.Source, h source.Header) (pebble.Ref, error) {
	ring := p.Transitions
	if h.Service.IsEvent() {
		ring = p.Events[0]
	}
	*loan, _ = ring.TryLoan()
	n, err := s.Fill(loan)
	if err != nil {
		loan.Abort()
		return pebble.Ref{}, err
	}
	return ring.Ref(loan.Seal(n))
}

// take reads the announced datagram into a slot, gives the slot back, and returns a copy.
func take(p *pebble.Pool, s source.Source, h source.Header) (xtc.Dgram, error) {
	ref, err := fill(new(pebble.Loan), p, s, h)
	if err != nil {
		return nil, err
	}
	defer ref.Release()
	return bytes.Clone(ref.Bytes()), nil
}

// read takes at most limit datagrams, and gives the error that came instead of the next one.
func read(p *pebble.Pool, s source.Source, limit int) (all []xtc.Dgram, err error) {
	for len(all) < limit {
		h, err := s.Next(context.Background())
		if err != nil {
			return all, err
		}
		d, err := take(p, s, h)
		if err != nil {
			return all, err
		}
		all = append(all, d)
	}
	return all, nil
}

const unlimited = 1 << 30

// drain reads a source to its end.
func drain(t testing.TB, s source.Source, slots int) []xtc.Dgram {
	t.Helper()
	all, err := read(openPool(t, s, slots), s, unlimited)
	if err != io.EOF {
		t.Fatal(err)
	}
	return all
}

// services gives a letter for each datagram: those of people who watch runs.
func services(all []xtc.Dgram) string {
	letters := map[xtc.TransitionID]byte{xtc.Configure: 'C', xtc.Unconfigure: 'c', xtc.BeginRun: 'R', xtc.EndRun: 'r',
		xtc.BeginStep: 'S', xtc.EndStep: 's', xtc.Enable: 'E', xtc.Disable: 'e', xtc.SlowUpdate: '~', xtc.L1Accept: '.'}
	var s strings.Builder
	for _, d := range all {
		s.WriteByte(letters[d.Service()])
	}
	return s.String()
}

func checkRising(t *testing.T, all []xtc.Dgram) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		if all[i].Time() <= all[i-1].Time() {
			t.Fatalf("datagram %d (%v) has time %d, that before it %d", i, all[i].Service(), all[i].Time(), all[i-1].Time())
		}
	}
}

// checkStructure reads every datagram by the names of the Configure before it, and gives the last of these.
func checkStructure(t *testing.T, all []xtc.Dgram) *xtc.Table {
	t.Helper()
	table := xtc.NewTable()
	for i, d := range all {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatalf("datagram %d: %v", i, err)
			}
		}
		if _, err := table.Structure(d, nil); err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
	}
	return table
}

func ofService(all []xtc.Dgram, service xtc.TransitionID) (some []xtc.Dgram) {
	for _, d := range all {
		if d.Service() == service {
			some = append(some, d)
		}
	}
	return some
}

// blocks collects what a datagram holds.
func blocks(t testing.TB, table *xtc.Table, d xtc.Dgram) (all []xtc.Block) {
	t.Helper()
	it := table.Blocks(d)
	for it.Next() {
		all = append(all, *it.Block())
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return all
}

func equal(a, b []xtc.Dgram) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		names []string
		want  string
	}{
		"no name":              {nil, "no file is named"},
		"a scheme not known":   {[]string{"tcp:host:5000"}, "is no source: give sim: or XTC2 files"},
		"sim beside another":   {[]string{"sim:", "run.xtc2"}, "cannot be joined with other sources"},
		"sim that is nonsense": {[]string{"sim:pixels=3"}, `no parameter "pixels"`},
		"no such file":         {[]string{"file:missing.xtc2"}, "missing.xtc2: no such file"},
		"a path with a colon":  {[]string{"./a:b.xtc2"}, "a:b.xtc2: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := source.Open(test.names, source.Options{})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "source: ") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
