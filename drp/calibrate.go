package drp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"drp/calib"
	"drp/calib/publish"
	"drp/fex"
	"drp/internal/rundir"
	"drp/pebble"
	"drp/xtc"
)

// Constants is where a run takes constants from, and how all its processes and others come to know them. The real one is
// in constants.go.
type Constants interface {
	// Fetch gives the constants that hold for a run.
	Fetch(ctx context.Context, q calib.Query) (*calib.Set, error)
	// Publish puts a set where all processes can read it and tells of it, at the BeginRun or at a step of a run. What is
	// held for the BeginRun stays until the next one, since children that come later are told of it; what is held for a
	// step, until the next Publish for the same detector. Close ends all.
	Publish(run int, step bool, set *calib.Set) (Held, error)
	// Chosen gives the id of the set that somebody has chosen for a detector since the last call, "" if nobody has.
	Chosen(detector string) (id string)
	// Load gives a set by its id.
	Load(ctx context.Context, id string, q calib.Query) (*calib.Set, error)
	Close() error
}

// Held is a set in shared memory.
type Held struct {
	Set        *calib.Set // its arrays are the memory
	ID         string     // of the set of the store that it is, or is a part of
	Generation uint64     // goes up with every Publish
	Segment    int
	Layout     []publish.Array
}

// calibration is the constants of the run that goes on. The dispatcher fetches them at BeginRun, tells of them in that
// datagram, from where all children know them, and changes them only while all workers are idle: so no event mixes two
// generations. Without a source of constants it does nothing.
type calibration struct {
	r         *Run
	from      Constants // nil without a store
	publisher string    // this run of this process, so that children tell what it says from what a recorded file says
	table     *xtc.Table
	cameras   []*camera
	told      []*xtc.Names // of the constants of each camera, in the Configure that holds
	stamp     *xtc.Names   // of the block that says which generation corrected an event

	run int // that goes on
	// generation counts the changes from 1 on, as they are noted at events; 0 is none.
	generation uint32
	expected   uint32    // what a child says that holds the constants told of
	published  string    // these, by detector and generation
	fetched    *prefetch // for the run that is expected next
	// chosen is what was told of constants that were chosen since the BeginRun. It is told again at every step, since a
	// child that comes later sees the BeginRun and the latest BeginStep.
	chosen []byte

	mu     sync.Mutex // protects stamps
	stamps [][]byte   // the block for the events of each generation
}

// defaultCalibTime is what fetching constants may take.
const defaultCalibTime = 20 * time.Second

// configure finds the cameras of a Configure and appends the Names of what will be told of constants. It gives the size
// of the datagram then.
func (k *calibration) configure(loan *pebble.Loan, n int) (int, error) {
	if k.from == nil {
		return n, nil
	}
	k.table, k.cameras = xtc.NewTable(), nil
	if err := k.table.Configure(loan.Bytes()[:n]); err != nil {
		return n, nil // who comes after says so
	}
	k.cameras, k.told, k.stamp = camerasOf(k.table, loan.Bytes()[:n]), nil, nil
	if len(k.cameras) == 0 {
		return n, nil
	}
	node := xtc.Dgram(loan.Bytes()[:n]).Src() & 0xfff
	added := []byte(nil)
	for _, c := range k.cameras {
		told := &xtc.Names{DetName: "calibration", DetType: "calibration", DetID: c.name, Alg: "constants",
			Version: xtc.Version{Major: 1}, Entries: constantsEntries()}
		if err := k.declare(told, node, &added); err != nil {
			return n, err
		}
		k.told = append(k.told, told)
	}
	stamp := &xtc.Names{DetName: "calibration", DetType: "calibration", Alg: "used", Version: xtc.Version{Major: 1},
		Entries: []xtc.Name{{Name: "generation", Type: xtc.UInt64}}}
	if err := k.declare(stamp, node, &added); err != nil {
		return n, err
	}
	k.stamp = stamp
	n, err := appendTo(loan, n, added)
	if err == nil {
		k.prefetch()
	}
	return n, err
}

func constantsEntries() []xtc.Name {
	text := func(name string) xtc.Name { return xtc.Name{Name: name, Type: xtc.CharStr, Rank: 1} }
	return []xtc.Name{text("publisher"), text("detector"), text("serial"), text("unit"), text("set"),
		text("digest"), {Name: "generation", Type: xtc.UInt64},
		{Name: "segment", Type: xtc.Int32}, text("layout"), text("common_mode")}
}

func (k *calibration) declare(n *xtc.Names, node uint32, added *[]byte) error {
	return k.r.declare(k.table, n, node, added)
}

// declare gives Names a free id and segment number and appends them. What drp told of an earlier run stays.
func (r *Run) declare(t *xtc.Table, n *xtc.Names, node uint32, added *[]byte) (err error) {
	n.Segment = r.freeSegment(t, n.DetName, n.Alg)
	if n.ID, err = t.FreeID(node); err == nil {
		if err = t.Add(n); err == nil {
			*added, err = n.AppendTo(*added)
		}
	}
	if err != nil {
		return fmt.Errorf("no room in the Configure to tell of %s: %w", n.DetName, err)
	}
	return nil
}

// appendTo adds to the payload of a datagram that is being made.
func appendTo(loan *pebble.Loan, n int, added []byte) (int, error) {
	if n+len(added) > len(loan.Bytes()) {
		return n, failf(Configuration, "a transition of %d bytes has no room for %d more: raise --transition-bytes", n, len(added))
	}
	copy(loan.Bytes()[n:], added)
	xtc.Dgram(loan.Bytes()).SetSize(n + len(added))
	return n + len(added), nil
}

// transition looks after the constants at one of those that they can change at.
func (k *calibration) transition(loan *pebble.Loan, n int, id xtc.TransitionID) (int, error) {
	if k.from == nil || len(k.cameras) == 0 {
		return n, nil
	}
	if id == xtc.BeginRun || id == xtc.BeginStep {
		k.reconfigure(loan.Bytes()[:n])
	}
	switch {
	case id == xtc.BeginRun:
		return k.begin(loan, n)
	case id == xtc.BeginStep:
		return k.step(loan, n)
	}
	return n, nil
}

// reconfigure takes the configuration of pixels that a transition brings: a scan may go through gain ranges.
func (k *calibration) reconfigure(d xtc.Dgram) {
	for _, c := range k.cameras {
		if !c.configure(k.table, d) || c.set == nil {
			continue
		}
		again, err := c.suits(c.set)
		if err != nil {
			k.r.cfg.Log.Error(fmt.Sprintf("with their new configuration pixels cannot be corrected any more: %v", err))
			c.drop(err.Error())
			k.r.forget()
			continue
		}
		c.tables = again.tables
	}
}

// begin fetches and publishes the constants of a run, and appends what is told of them to its BeginRun.
func (k *calibration) begin(loan *pebble.Loan, n int) (int, error) {
	k.run = k.r.runNumber()
	if _, number, ok := xtc.RunInfo(k.table, loan.Bytes()[:n]); ok {
		k.run = number
	}
	sets, errs := k.fetch(k.run)
	next, err := k.choose(k.run, sets, errs)
	if err != nil {
		return n, err
	}
	k.r.forget()
	k.chosen = nil
	return k.publish(loan, n, false, next)
}

// step takes what somebody has chosen since the last step, and appends what is told of it to a BeginStep.
func (k *calibration) step(loan *pebble.Loan, n int) (int, error) {
	next := make([]ready, len(k.cameras))
	chosen := false
	for i, c := range k.cameras {
		next[i] = c.ready // one generation is that of all
		if id := k.from.Chosen(c.name); id != "" {
			got, err := k.load(c, id)
			if err != nil {
				k.r.cfg.Log.Error(fmt.Sprintf("the constants %s are not used, those before stay: %v", id, err))
				continue
			}
			next[i], chosen = got, true
		}
	}
	if !chosen {
		return appendTo(loan, n, k.chosen)
	}
	k.r.forget()
	whole, err := k.publish(loan, n, true, next)
	k.chosen = append([]byte(nil), loan.Bytes()[n:whole]...)
	return whole, err
}

func (k *calibration) load(c *camera, id string) (ready, error) {
	ctx, cancel := k.deadline()
	defer cancel()
	set, err := k.from.Load(ctx, id, calib.Query{Detector: c.name, Serials: c.serials})
	if err != nil {
		return ready{}, err
	}
	return c.suits(set)
}

// choose decides what each camera uses in a run. What cannot be used leaves the constants before in use, unless the store
// says that there are none for the run.
func (k *calibration) choose(run int, sets []*calib.Set, errs []error) ([]ready, error) {
	next := make([]ready, len(k.cameras))
	for i, c := range k.cameras {
		err := errs[i]
		if err == nil {
			next[i], err = c.suits(sets[i])
		}
		switch {
		case err == nil:
		case errors.Is(err, calib.ErrNone) && !k.r.cfg.Calibration.Strict:
			c.drop(err.Error())
			k.r.cfg.Log.Warn(fmt.Sprintf("run %d: %v", run, err))
		default:
			if failure := k.refuse(c, run, err); failure != nil {
				return nil, failure
			}
			next[i] = c.ready
		}
	}
	return next, nil
}

// publish takes constants into use, those of each camera, and appends what is told of them.
func (k *calibration) publish(loan *pebble.Loan, n int, step bool, next []ready) (int, error) {
	var added []byte
	var newest uint64
	var published []string
	for i, c := range k.cameras {
		if next[i].set == nil {
			continue
		}
		held, err := k.from.Publish(k.run, step, next[i].set)
		if err != nil {
			kind := General
			if errors.As(err, new(*rundir.HeldError)) { // another process of the partition has these segments
				kind = Configuration
			}
			return n, fail(kind, fmt.Errorf("the constants of %s cannot be published: %w", c.name, err))
		}
		next[i].set = held.Set
		c.ready, newest = next[i], max(newest, held.Generation)
		published = append(published, fmt.Sprintf("%s, generation %d", c.name, held.Generation))
		if added, err = k.tell(added, k.told[i], c, &held); err != nil {
			return n, fail(General, err)
		}
	}
	k.generation++
	k.expected, k.published = uint32(newest), strings.Join(published, "; ")
	k.remember(newest)
	return appendTo(loan, n, added)
}

// refuse says that constants cannot be used; those before stay, unless the user wants the run to end.
func (k *calibration) refuse(c *camera, run int, err error) error {
	if k.r.cfg.Calibration.Strict {
		return fail(Configuration, fmt.Errorf("run %d cannot be corrected: %w", run, err))
	}
	stays := "there are none before them that could stay in use"
	if c.set != nil {
		stays = "those before stay in use, digest " + c.set.Digest[:12]
	} else {
		c.reason = err.Error()
	}
	k.r.cfg.Log.Error(fmt.Sprintf("run %d: %v; %s", run, err, stays))
	return nil
}

// tell appends the block that children and readers know constants from.
func (k *calibration) tell(to []byte, names *xtc.Names, c *camera, h *Held) ([]byte, error) {
	layout, err := json.Marshal(h.Layout)
	if err != nil {
		return to, err
	}
	common := []byte(nil)
	if mode := h.Set.CommonMode; mode != nil {
		if common, err = json.Marshal(mode); err != nil {
			return to, err
		}
	}
	var b xtc.Builder
	b.Begin(to, names)
	b.Text(k.publisher)
	b.Text(c.name)
	b.Text(calib.Serial(h.Set.Serials))
	b.Text(string(h.Set.Unit))
	b.Text(h.ID)
	b.Text(h.Set.Digest)
	b.Uint(h.Generation)
	b.Int(int64(h.Segment))
	b.Text(string(layout))
	b.Text(string(common)) // for those who correct pixels themselves
	return b.End()
}

// remember keeps the block for the events of a generation.
func (k *calibration) remember(generation uint64) {
	var b xtc.Builder
	b.Begin(nil, k.stamp)
	b.Uint(generation)
	block, err := b.End()
	if err != nil {
		panic(err) // the names are our own
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stamps = append(k.stamps, block)
}

// stampOf is the block for an event that was corrected, nil for others.
func (k *calibration) stampOf(generation uint32) []byte {
	if generation == 0 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stamps[generation-1]
}

// withoutConstants names the workers that do not hold the constants they were told of by a transition.
func (d *detail) withoutConstants(id xtc.TransitionID) error {
	if !d.tellsOfConstants(id) {
		return nil
	}
	var without []int
	for worker := range d.answers {
		if a := &d.answers[worker]; a.Status == fex.OK && a.Constants != d.constants {
			without = append(without, worker)
		}
	}
	if without == nil {
		return nil
	}
	return failf(General, "the workers %v do not hold the constants they were told of at %v: %s", without, id, d.published)
}

func (d *detail) tellsOfConstants(id xtc.TransitionID) bool {
	return d.constants != 0 && (id == xtc.BeginRun || id == xtc.BeginStep)
}

// unheld says which constants a worker does not hold that gave no good answer to the transition that told of them.
func (d *detail) unheld(id xtc.TransitionID, a *fex.Answer) string {
	if !d.tellsOfConstants(id) || a.Constants == d.constants {
		return ""
	}
	return "; it does not hold the constants of " + d.published
}

// maker gives what makes a kind of corrected data of the detector that has this Names.
func (k *calibration) maker(kind uint32, id xtc.NamesID) (maker, error) {
	if k.from == nil {
		return nil, errors.New("drp was given no store of constants: --calib STORE")
	}
	for _, c := range k.cameras {
		for _, n := range c.names {
			if n.ID == id {
				return c.maker(kind, k.table)
			}
		}
	}
	return nil, fmt.Errorf("no detector with raw pixels has the NamesID %v", id)
}
