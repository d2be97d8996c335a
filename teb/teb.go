package teb

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"drp/internal/settings"
	"drp/internal/world"
)

// ErrClosed says that the TEB takes nothing more.
var ErrClosed = errors.New("teb: it is closed")

// StaleError says that a contributor speaks that was replaced, or was never let in.
type StaleError struct {
	Contributor string
	Got, Have   uint64
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("teb: contributor %s: generation %d speaks, and %d is the one that joined: join again", e.Contributor,
		e.Got, e.Have)
}

// TEB joins and decides: see the package.
type TEB struct {
	c          Config
	partition  uint64
	reasons    []Reason
	parameters []settings.Parameter
	join       *world.Join

	mu      sync.Mutex // protects all below but what a batch says of itself
	b       *builder
	books   Books
	idle    uint64 // Logics without a batch
	waiting uint64 // contributors that wait for a place
	hung    int    // Logics with an abandoned batch
	under   []*Batch
	spare   []*Batch
	out     []Decision // a ring
	outAt   int
	outLen  int
	seen    []uint64   // by reason, what the logic wanted
	groups  [16]uint64 // by readout group, what was decided
	closing bool       // nothing more comes
	closed  bool       // nothing more is wanted
	work    []world.Flag
	space   []world.Flag
	ready   world.Flag
	clock   world.Flag
}

// New makes a TEB and starts it.
func New(c Config) (*TEB, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	reasons, err := c.configureLogic()
	if err != nil {
		CloseLogic(c.Logic)
		return nil, err
	}
	t := &TEB{c: c, partition: PartitionID(c.Partition), reasons: reasons, join: world.NewJoin(c.World),
		out: make([]Decision, c.Window), seen: make([]uint64, len(reasons)), ready: c.World.NewFlag(), clock: c.World.NewFlag()}
	if s, ok := c.Logic[0].(Steered); ok {
		t.parameters = s.Parameters()
	}
	t.books.Reasons = make([]uint64, len(reasons))
	t.b = newBuilder(&c, &t.books)
	for range c.Contributors {
		t.space = append(t.space, c.World.NewFlag())
	}
	for range len(c.Logic) + 1 { // one for what gets the default
		t.spare = append(t.spare, &Batch{builder: t.b, seed: c.PrescaleSeed, places: make([]int32, 0, c.BatchEvents),
			Verdicts: make([]Verdict, 0, c.BatchEvents)})
	}
	for range c.Logic {
		t.work = append(t.work, c.World.NewFlag())
	}
	for d := range c.Logic {
		t.join.Go(func() { t.serve(d) })
	}
	t.join.Go(t.watch)
	return t, nil
}

// Reasons is the table that decisions refer to.
func (t *TEB) Reasons() []Reason { return t.reasons }

// Parameters are those of whoever decides.
func (t *TEB) Parameters() []settings.Parameter { return t.parameters }

// Table is what decisions refer to.
func (t *TEB) Table() Table {
	table := Table{Reasons: t.reasons, Settings: len(t.parameters) > 0}
	for _, m := range t.c.Contributors {
		table.Contributors = append(table.Contributors, m.Schema.name)
	}
	for i := range t.parameters {
		table.Parameters = append(table.Parameters, Parameter{t.parameters[i].Name, t.parameters[i].Type})
	}
	return table
}

// Join begins a life of a contributor, and gives its place in the configuration. The generation must be larger than that
// of its life before.
func (t *TEB) Join(s *Schema, generation uint64) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.b.contributors {
		c := &t.b.contributors[k]
		if c.schema.name != s.name {
			continue
		}
		if c.schema.hash != s.hash || c.schema.text != s.text {
			return 0, &MismatchError{Want: c.schema, Got: s.text}
		}
		if c.joined && generation <= c.generation {
			return 0, &StaleError{s.name, generation, c.generation}
		}
		t.b.join(k, generation)
		t.books.Joined++
		t.space[k].Set() // whoever waits there is stale now
		t.space[k] = t.c.World.NewFlag()
		t.wake()
		return k, nil
	}
	return 0, fmt.Errorf("teb: there is no contributor %s in partition %s", s.name, t.c.Partition)
}

// Begin says that all up to a key was decided before: what comes for that is late. It is called before the first Join.
func (t *TEB) Begin(after Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.floor = after.Next()
}

// Gone says that a life of a contributor has ended: it is not waited for any more.
func (t *TEB) Gone(k int, generation uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := &t.b.contributors[k]; c.joined && c.generation == generation && t.b.waited>>k&1 != 0 {
		t.b.gone(k)
		t.books.Gone++
		t.wake()
	}
}

// Passed says that a contributor will bring no event up to a pulse ID any more: it is not waited for there.
func (t *TEB) Passed(k int, generation, pulse uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := &t.b.contributors[k]; c.joined && c.generation == generation && !(Key{Pulse: pulse}).Less(c.from) {
		c.from = Key{Pulse: pulse}.Next()
		t.wake()
	}
}

// rowsAtOnce is how many rows are taken before others get their turn.
const rowsAtOnce = 512

// ContributeAs is Contribute for one who speaks for contributor k only.
func (t *TEB) ContributeAs(k int, generation uint64, batch []byte) error {
	h, _, err := batchOf(batch, contributions)
	if err == nil && (int64(h.Contributor) != int64(k) || h.Generation != generation) {
		err = formatErrorf("it is of contributor %d, generation %d, and its sender is %d, generation %d", h.Contributor,
			h.Generation, k, generation)
	}
	if err != nil {
		return t.refused(err)
	}
	return t.Contribute(batch)
}

// Contribute takes a batch of rows. It waits while the window is full. Of an error, the caller may try again after a Join.
func (t *TEB) Contribute(batch []byte) error {
	h, rows, err := batchOf(batch, contributions)
	if err != nil {
		return t.refused(err)
	}
	rows, err = t.receive(&h, rows)
	for len(rows) > 0 && err == nil {
		var space world.Flag
		if rows, space, err = t.give(&h, rows); space != nil {
			space.Wait(world.ForEver)
		}
	}
	return err
}

// receive gives the rows of a batch that may contribute, and was not received before.
func (t *TEB) receive(h *BatchHead, rows []byte) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.admit(h); err != nil {
		t.refuse(err)
		return nil, err
	}
	c := &t.b.contributors[h.Contributor]
	if h.Sequence < c.sequence {
		t.books.RepeatedBatches++
		return nil, nil
	}
	t.books.LostBatches += h.Sequence - c.sequence
	c.sequence = h.Sequence + 1
	return rows, nil
}

// give takes some rows; it gives those that are left, and what to wait for where there is no place.
func (t *TEB) give(h *BatchHead, rows []byte) ([]byte, world.Flag, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, size := int(h.Contributor), int(h.rowBytes)
	if err := t.still(k, h.Generation); err != nil {
		return nil, nil, err
	}
	n := t.add(k, rows[:min(len(rows), rowsAtOnce*size)], size)
	t.wake()
	if n > 0 {
		return rows[n*size:], nil, nil
	}
	t.waiting |= 1 << k
	return rows, t.space[k], nil
}

// still tells whether this life of a contributor goes on.
func (t *TEB) still(k int, generation uint64) error {
	if t.closing {
		return ErrClosed
	}
	if c := &t.b.contributors[k]; c.generation != generation {
		err := &StaleError{c.schema.name, generation, c.generation}
		t.refuse(err)
		return err
	}
	return nil
}

func (t *TEB) refused(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refuse(err)
	return err
}

func (t *TEB) refuse(err error) {
	if stale := (*StaleError)(nil); errors.As(err, &stale) {
		t.books.StaleBatches++
	} else {
		t.books.RefusedBatches++
	}
}

// admit judges who sends a batch.
func (t *TEB) admit(h *BatchHead) error {
	if h.Partition != t.partition {
		return formatErrorf("it is of another partition than %s", t.c.Partition)
	}
	if int64(h.Contributor) >= int64(len(t.b.contributors)) {
		return formatErrorf("it is of contributor %d, and there are %d", h.Contributor, len(t.b.contributors))
	}
	c := &t.b.contributors[h.Contributor]
	if !c.joined || c.generation != h.Generation {
		return &StaleError{c.schema.name, h.Generation, c.generation}
	}
	if h.Schema != c.schema.hash || int(h.rowBytes) != c.schema.rowBytes {
		return &MismatchError{Want: c.schema, Got: fmt.Sprintf("a schema with hash %016x and rows of %d bytes", h.Schema, h.rowBytes)}
	}
	return nil
}

// add gives rows to the builder, until it is full; it says how many it took.
func (t *TEB) add(k int, rows []byte, size int) (n int) {
	now := t.c.World.Now()
	var fates [numFates]uint64
	for ; len(rows) > 0; n++ {
		f := t.b.add(k, rows[:size], now)
		if f == full {
			break
		}
		fates[f]++
		rows = rows[size:]
	}
	c := &t.b.contributors[k]
	c.came += uint64(n)
	c.late += fates[late]
	b := &t.books
	b.Received += uint64(n)
	b.Accepted += fates[accepted]
	b.Late += fates[late]
	b.Duplicate += fates[duplicate]
	b.Unordered += fates[unordered]
	b.Conflict += fates[conflict]
	b.Malformed += fates[malformed]
	return n
}

// Books gives what came so far, and what became of it.
func (t *TEB) Books() Books {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.books
	b.Reasons = append([]uint64(nil), b.Reasons...)
	return b
}

// Shutdown takes nothing more, and builds and decides what is there. Next must be called until it says that there is no
// more; then Close.
func (t *TEB) Shutdown() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closing = true
	t.wakeAll()
}

// Close ends at once, and waits for the goroutines; what was not taken with Next is lost.
func (t *TEB) Close() {
	t.mu.Lock()
	t.closing, t.closed = true, true
	t.wakeAll()
	t.mu.Unlock()
	CloseLogic(t.c.Logic)
	t.join.Wait()
}

// CloseLogic closes those that can be closed. It may be called while New makes a TEB of them, which then fails soon.
func CloseLogic(all []Logic) {
	for _, l := range all {
		if c, ok := l.(io.Closer); ok {
			_ = c.Close() // it has nothing to lose
		}
	}
}

func (t *TEB) wakeAll() {
	for _, f := range t.work {
		f.Set()
	}
	for _, f := range t.space {
		f.Set()
	}
	t.ready.Set()
	t.clock.Set()
}

// Next gives decisions, in order of pulse IDs. It waits until there is one; it gives none when no more will come.
func (t *TEB) Next(dst []Decision) int {
	for {
		t.mu.Lock()
		n := copy(dst, t.out[t.outAt:min(t.outAt+t.outLen, len(t.out))])
		n += copy(dst[n:], t.out[:t.outLen-n])
		t.outLen -= n
		t.outAt = (t.outAt + n) % len(t.out)
		if n > 0 {
			t.wake()
		}
		ended := t.ended()
		t.mu.Unlock()
		if n > 0 || ended || len(dst) == 0 {
			return n
		}
		t.ready.Wait(world.ForEver)
	}
}
