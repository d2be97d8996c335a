package script_test

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/teb"
	"drp/teb/script"
	"drp/xtc"
)

// rig is a TEB that a script decides for, with two contributors: both bring photons, and the first one more.
type rig struct {
	t     testing.TB
	teb   *teb.TEB
	path  string // of the script
	log   *testkit.Buffer
	feeds []*teb.Encoder
	pulse uint64
}

type rigOptions struct {
	text     string
	args     []string
	workers  int
	spares   int
	restarts int
	deadline time.Duration // of a batch; events get the default after half of it
	keep     bool          // is the default
	batch    int
	settings func() *teb.Settings
}

var fields = [][]teb.Field{
	{{Name: "photons", Type: teb.U32}, {Name: "energy", Type: teb.F64}, {Name: "rings", Type: teb.I16, Len: 3}, {Name: "hit", Type: teb.Bool}},
	{{Name: "photons", Type: teb.U16}, {Name: "energy", Type: teb.F32}},
}

func schemas(t testing.TB) (all []*teb.Schema) {
	t.Helper()
	for k, name := range []string{"epix_0", "epix_1"} {
		s, err := teb.NewSchema(name, fields[k]...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func startRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r, err := newRig(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const partition = "test"

func newRig(t testing.TB, o rigOptions) (*rig, error) {
	t.Helper()
	testkit.NoLeaks(t)
	if o.deadline == 0 {
		o.deadline = time.Minute
	}
	r := &rig{t: t, path: testkit.Script(t, o.text), log: &testkit.Buffer{}}
	return r, r.start(o, script.New(script.Config{Python: testkit.Python(t), PythonPath: testkit.PythonPath(), Script: r.path, Args: o.args,
		Workers: o.workers, Spares: o.spares, MaxRestarts: o.restarts, Deadline: o.deadline, BatchEvents: 64,
		Log: slog.New(slog.NewTextHandler(r.log, nil))}))
}

// start starts a TEB for which a Logic decides.
func (r *rig) start(o rigOptions, logic []teb.Logic) (err error) {
	t := r.t
	t.Helper()
	c := teb.Config{Partition: partition, Deadline: time.Minute, Decide: o.deadline / 2, PrescaleSeed: 5, Prescale: [16]uint32{3: 50},
		BatchEvents: o.batch, Default: teb.Verdict{Persist: o.keep}, Logic: logic, Settings: o.settings}
	all := schemas(t)
	for _, s := range all {
		c.Contributors = append(c.Contributors, teb.Member{Schema: s})
	}
	if r.teb, err = teb.New(c); err != nil {
		return err
	}
	t.Cleanup(r.teb.Close)
	for k, s := range all {
		if _, err := r.teb.Join(s, 1); err != nil {
			t.Fatal(err)
		}
		e, err := teb.NewEncoder(s, teb.BatchHead{Partition: teb.PartitionID(partition), Contributor: uint32(k), Generation: 1}, 1024)
		if err != nil {
			t.Fatal(err)
		}
		r.feeds = append(r.feeds, e)
	}
	return nil
}

// photonsOf is what contributors bring for an event; the second one brings nothing for one in ten. Tests do not end with
// such an event, since it is waited for.
func photonsOf(pulse uint64) (a, b int64, both bool) {
	return int64(pulse % 13), int64(pulse % 5), pulse%10 != 3
}

// groupsOf is the readout groups of an event.
func groupsOf(pulse uint64) uint16 { return []uint16{1, 8, 9, 4, 0, 0x8000}[pulse%6] }

// events brings so many events, the next ones.
func (r *rig) events(n int) {
	r.t.Helper()
	for range n {
		r.pulse++
		h := teb.Head{Pulse: r.pulse, Time: r.pulse + 1000, Groups: groupsOf(r.pulse), Service: xtc.L1Accept}
		a, b, both := photonsOf(r.pulse)
		for k, photons := range []int64{a, b} {
			if k == 1 && !both {
				continue
			}
			h.Damage = xtc.Damage(k << 3)
			row := r.feeds[k].Add(h)
			f := schemas(r.t)[k].Fields()
			f[0].PutInt(row, 0, photons)
			f[1].PutFloat(row, 0, float64(photons)/2)
			if k == 0 {
				f[2].PutInt(row, 2, -photons)
				f[3].PutInt(row, 0, photons&1)
			}
		}
		if r.feeds[0].Len() == 100 {
			r.send()
		}
	}
	r.send()
}

// transition brings one, by all contributors.
func (r *rig) transition(service xtc.TransitionID) {
	r.t.Helper()
	r.pulse++
	for _, f := range r.feeds {
		f.Add(teb.Head{Pulse: r.pulse, Time: r.pulse, Service: service})
	}
	r.send()
}

func (r *rig) send() {
	r.t.Helper()
	for _, f := range r.feeds {
		if f.Len() > 0 {
			if err := r.teb.Contribute(f.Batch()); err != nil {
				r.t.Error(err)
			}
		}
	}
}

// decisions waits for so many.
func (r *rig) decisions(n int) (all []teb.Decision) {
	r.t.Helper()
	late := time.AfterFunc(testkit.Patience, r.teb.Close)
	defer late.Stop()
	for len(all) < n {
		some := make([]teb.Decision, min(100, n-len(all)))
		got := r.teb.Next(some)
		if got == 0 {
			r.t.Fatalf("%d decisions, want %d; log:\n%s", len(all), n, r.log)
		}
		all = append(all, some[:got]...)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Pulse <= all[i-1].Pulse {
			r.t.Errorf("%d after %d", all[i].Pulse, all[i-1].Pulse)
		}
	}
	return all
}

// exchange brings events while it takes the decisions.
func (r *rig) exchange(n int) []teb.Decision {
	r.t.Helper()
	var bringing sync.WaitGroup
	bringing.Go(func() { r.events(n) })
	all := r.decisions(n)
	bringing.Wait()
	return all
}

// begin begins a run with events, n datagrams in all, and gives the decisions about the events.
func (r *rig) begin(n int) []teb.Decision {
	r.t.Helper()
	var bringing sync.WaitGroup
	bringing.Go(func() {
		r.transition(xtc.BeginRun)
		r.events(n - 1)
	})
	all := r.decisions(n)
	bringing.Wait()
	if all[0].Service != xtc.BeginRun {
		r.t.Errorf("%+v", all[0])
	}
	return all[1:]
}

// reasons counts the decisions by reason.
func (r *rig) reasons(all []teb.Decision) map[string]int {
	count := map[string]int{}
	for _, d := range all {
		count[r.teb.Reasons()[d.Reason].Name]++
	}
	return count
}

// check is the end of a test: the books balance, and nothing is left.
func (r *rig) check() {
	r.t.Helper()
	books := r.teb.Books()
	if err := books.Check(); err != nil || books.InDecision+books.InWindow != 0 {
		r.t.Errorf("%v: %+v", err, books)
	}
}

// children are the Python processes that run a script, in the order of their ids.
func (r *rig) children() (pids []int) {
	for _, pid := range testkit.Children(os.Getpid()) {
		if testkit.RunsScript(pid) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// says waits for words in the log.
func (r *rig) says(what string) {
	r.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(r.log.String(), what) }) {
		r.t.Fatalf("the log does not say %q:\n%s", what, r.log)
	}
}
