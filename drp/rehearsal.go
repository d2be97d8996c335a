package drp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"drp/fex"
	"drp/internal/world"
	"drp/pebble"
	"drp/shm"
	"drp/xtc"
)

// rehearsal is a script's process aside, with memory of its own, that is shown what holds and one event. It is a group of one
// worker, so that a script which raises, hangs or dies is told from one that works as in the run; but there is no second try.
type rehearsal struct {
	l     *reloads
	pool  *pebble.Pool
	group *fex.Group
	made  *preparation
	found *shm.Segment // nil without hits
	kept  *keptEvent   // that it is tried on; nil without one
	event xtc.Dgram    // that it has in hand

	news    world.Flag
	mu      sync.Mutex // protects what follows
	answers []fex.Answer
	died    error // the first
}

// stage tries a text up to an event, or as far as the run is, and then perhaps through the ends. It gives how far it went.
func (l *reloads) stage(which int, n *upcoming, present []fex.Shown, event *keptEvent) (tried string, err error) {
	s := &rehearsal{l: l, made: &preparation{r: l.r}, kept: event, news: l.r.world.NewFlag()}
	s.made.workers = []*preparer{{p: s.made}}
	defer s.close()
	if err := s.open(which, &n.texts[which], event); err != nil {
		return "", err
	}
	shown := withEvents(present, event)
	running := false
	for _, k := range shown {
		id, began := xtc.TransitionID(k.Service), l.r.world.Now()
		a, err := s.transition(&k)
		if err != nil {
			return "", fmt.Errorf("it fails at %v, tried aside: %w", id, err)
		}
		if id == xtc.Configure {
			if err := s.compare(&k, &a); err != nil {
				return "", err
			}
		} else {
			n.slowest[which] = max(n.slowest[which], l.r.world.Now()-began)
		}
		tried, running = id.String(), running || id == xtc.BeginRun
	}
	if event != nil && running {
		tried = eventName(event.number, event.time)
		if err := s.work(event); err != nil {
			return "", fmt.Errorf("it fails on %s, tried aside: %w", tried, err)
		}
	}
	if n.ends {
		err = s.ends(shown)
	}
	return tried, err
}

// ends shows the ends of all that was begun. What the script adds there is thrown away with all else.
func (s *rehearsal) ends(shown []fex.Shown) error {
	time := shown[len(shown)-1].Time
	if s.kept != nil {
		time = max(time, s.kept.time)
	}
	for _, k := range slices.Backward(shown) {
		end, opens := endOf[xtc.TransitionID(k.Service)]
		if !opens {
			continue
		}
		time++
		k = plain(end, time)
		if _, err := s.transition(&k); err != nil {
			return fmt.Errorf("it fails at %v, tried aside with the end of all that was begun: %w", end, err)
		}
	}
	return nil
}

// endOf gives what ends a transition that holds; that of a SlowUpdate is of the run.
var endOf = map[xtc.TransitionID]xtc.TransitionID{xtc.Configure: xtc.Unconfigure, xtc.BeginRun: xtc.EndRun, xtc.BeginStep: xtc.EndStep,
	xtc.Enable: xtc.Disable}

// plain is a transition with nothing in it.
func plain(id xtc.TransitionID, time uint64) fex.Shown {
	d := make([]byte, xtc.DgramHeaderBytes)
	xtc.PutDgramHeader(d, time, xtc.EnvOf(id, 0), 0, 0, 0)
	return fex.Shown{Service: uint8(id), Time: time, Dgram: d}
}

// withEvents adds what is missing for an event between steps, where a run goes on.
func withEvents(present []fex.Shown, event *keptEvent) []fex.Shown {
	at := map[xtc.TransitionID]bool{}
	for _, k := range present {
		at[xtc.TransitionID(k.Service)] = true
	}
	if event == nil || !at[xtc.BeginRun] {
		return present
	}
	all := present[:len(present):len(present)]
	for _, id := range []xtc.TransitionID{xtc.BeginStep, xtc.Enable} {
		if !at[id] {
			all = append(all, plain(id, event.time))
		}
	}
	return all
}

func (s *rehearsal) open(which int, t *text, event *keptEvent) (err error) {
	r, cfg := s.l.r, s.l.base[which]
	of, ring := r.pool.Results[0], r.pool.Events[0]
	if s.pool, err = pebble.Open(pebble.Sizes{Workers: 1, Slots: 1, EventBytes: ring.SlotBytes(), ResultBytes: of.SlotBytes(),
		TransitionBytes: of.TransitionBytes()}); err != nil {
		return err
	}
	if r.cfg.TrialMemory != nil {
		r.cfg.TrialMemory(s.pool)
	}
	if r.cfg.Hits != nil {
		if s.found, err = shm.Create(r.hits.searchers[0].stride); err == nil {
			err = s.found.ForReaders()
		}
		if err != nil {
			return fmt.Errorf("no memory for hits: %w", err)
		}
		if event != nil {
			copy(s.found.Bytes(), event.found)
		}
		cfg.Hits = []fex.Area{{Segment: s.found.ID(), Slots: 1, SlotBytes: r.hits.searchers[0].stride}}
	}
	cfg.Source, cfg.Among, cfg.Trial, cfg.Log = t.bytes, r.cfg.Workers, true, cfg.Log.With(slog.String("trial", t.sha256[:8]))
	cfg.Spares, cfg.Retries, cfg.MaxRestarts, cfg.Degrade, cfg.RecycleAfter = 0, 0, 1, false, 0
	cfg.Answered = func(_ int, answers []fex.Answer) {
		s.mu.Lock()
		s.answers = append(s.answers, answers...) // there is one request at a time
		s.mu.Unlock()
		s.news.Set()
	}
	cfg.Want, cfg.Late, cfg.Recycled, cfg.Retired = s.want, nil, nil, nil
	cfg.Restarted, cfg.GaveUp, cfg.FellBack = s.fails, s.fails, nil
	s.group, err = fex.Start(s.l.over, cfg, s.pool)
	if errors.Is(err, context.Canceled) {
		return errEnded
	}
	return err
}

// fails takes note of the first death.
func (s *rehearsal) fails(_ int, cause error) {
	s.mu.Lock()
	if s.died == nil {
		s.died = reasonOf(cause)
	}
	s.mu.Unlock()
	s.news.Set()
}

// reasonOf gives the reason of a death with what the process said last, and any other as it is.
func reasonOf(cause error) error {
	death := (*fex.DeathError)(nil)
	if !errors.As(cause, &death) {
		return cause
	}
	reason := death.Reason
	if death.Line > 0 {
		reason = fmt.Sprintf("%s, at line %d", reason, death.Line)
	}
	return errors.New(withLast(reason, lastCalls(death.Output)))
}

// saidLines is how much of a traceback, or of what a process said last, is in an error.
const saidLines = 8

// lastCalls gives the end of what a process said, in the order in which a traceback has it, in which its stack is not.
func lastCalls(said []string) []string {
	at := slices.IndexFunc(said, func(line string) bool { return strings.Contains(line, "most recent call first") })
	if at < 0 {
		return said
	}
	calls := slices.Clone(said[at+1:])
	slices.Reverse(calls)
	return calls
}

func withLast(what string, lines []string) string {
	return strings.Join(append([]string{what}, lines[max(0, len(lines)-saidLines):]...), "\n    ")
}

func (s *rehearsal) close() {
	if s.group != nil {
		s.group.Kill()
		s.group.Close()
	}
	s.made.workers[0].free()
	var errs []error
	if s.pool != nil {
		errs = append(errs, s.pool.Close())
	}
	if s.found != nil {
		errs = append(errs, s.found.Close())
	}
	if err := errors.Join(errs...); err != nil {
		s.l.r.cfg.Log.Warn(err.Error())
	}
}

// transition shows a transition, and gives the answer if it is good.
func (s *rehearsal) transition(k *fex.Shown) (fex.Answer, error) {
	loan, _ := s.pool.Transitions.TryLoan() // one at a time
	n := copy(loan.Bytes(), k.Dgram)
	ix := loan.Seal(n)
	work := fex.Work{Index: ix, Bytes: n, Time: k.Time}
	if s.kept != nil && k.Service != uint8(xtc.Configure) {
		work.Settings = s.kept.settings
	}
	s.group.Workers[0].Hand(&work, k.Service, false)
	a, err := s.answer()
	if err != nil {
		return a, err
	}
	ref, err := s.pool.Transitions.Ref(ix)
	if err == nil {
		ref.Release()
	}
	return a, err
}

// work shows an event, and checks what is made of it.
func (s *rehearsal) work(e *keptEvent) error {
	loan, _ := s.pool.Events[0].TryLoan()
	n := copy(loan.Bytes(), e.dgram)
	ix := loan.Seal(n)
	s.event = e.dgram
	s.group.Workers[0].Work(&fex.Work{Index: ix, Bytes: n, Time: e.time, Settings: e.settings})
	a, err := s.answer()
	if err != nil || a.Status != fex.OK {
		return err
	}
	area := s.pool.Results[0].Event(ix.Slot)
	if _, fits := fex.SideList(area, a.ResultBytes, a.SideWords, nil); !fits || a.ResultBytes > len(area) {
		return fmt.Errorf("a result of %d bytes and %d removals does not fit in %d bytes", a.ResultBytes, a.SideWords, len(area))
	}
	return nil
}

// answer waits for the answer to what was asked, or for the end.
func (s *rehearsal) answer() (a fex.Answer, err error) {
	for {
		answered, died := false, error(nil)
		s.mu.Lock()
		if died = s.died; died == nil && len(s.answers) > 0 && s.answers[0].Status != fex.Crashed { // whose death says more
			a, answered = s.answers[0], true
			s.answers = s.answers[1:]
		}
		s.mu.Unlock()
		switch {
		case died != nil:
			return a, died
		case answered:
			return a, failureOf(&a)
		case s.l.over.Err() != nil:
			return a, errEnded
		}
		s.news.Wait(waitTick)
	}
}

// failureOf is why an answer is none to go on with.
func failureOf(a *fex.Answer) error {
	switch {
	case a.Failure != nil:
		return errors.New(withLast(a.Failure.String(), strings.Split(strings.TrimSpace(a.Failure.Traceback), "\n")))
	case a.Status > fex.Rejected:
		return errors.New("it fails without a word")
	}
	return nil
}

// want makes what the script asks for of the event, while no transition changes the constants.
func (s *rehearsal) want(_ int, want fex.Want) fex.Wanted {
	s.l.constants.RLock()
	defer s.l.constants.RUnlock()
	var generation uint32
	return s.made.of(0, want, s.event, &generation)
}

// compare refuses a text that declares other things than the Configure has. k is what was shown, a the answer to it.
func (s *rehearsal) compare(k *fex.Shown, a *fex.Answer) error {
	table := xtc.NewTable()
	if err := table.Configure(k.Dgram); err != nil {
		return err
	}
	own := xtc.NewTable()
	if _, err := declarations(table, own, []fex.Answer{*a}); err != nil {
		return err
	}
	before, after := declares(k.Made), declares(a.Blocks())
	for _, name := range slices.Sorted(maps.Keys(before)) {
		was := before[name]
		switch is, there := after[name]; {
		case !there:
			return fmt.Errorf("it does not declare %s any more, %w", name, errDeclares)
		case is.fields != was.fields:
			return fmt.Errorf("it declares %s with the fields %s, which were %s, %w", name, is.fields, was.fields, errDeclares)
		case is != was:
			return fmt.Errorf("it declares %s in another order or with another version, %w", name, errDeclares)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[name]; !there {
			return fmt.Errorf("it declares %s, which is new, %w", name, errDeclares)
		}
	}
	if !bytes.Equal(parametersIn(own, k.Made), parametersIn(own, a.Blocks())) {
		return fmt.Errorf("it declares parameters with other defaults, bounds or words, %w", errDeclares)
	}
	return nil
}

// parametersIn gives what a script's answer to a Configure says of its parameters beside their names and types.
func parametersIn(own *xtc.Table, blocks []byte) (all []byte) {
	for it := xtc.NewIter(blocks); it.Next(); {
		if h := it.Header(); h.Type == xtc.TypeShapesData {
			if n := own.Lookup(h.NamesID()); n != nil && n.DetName == settingsDetector {
				all = append(all, it.Bytes()...)
			}
		}
	}
	return all
}

// declaration is what a script says at a Configure of a detector and an algorithm.
type declaration struct {
	fields  string
	version xtc.Version
	id      xtc.NamesID
}

// errDeclares says what can be done about a text that declares other things.
var errDeclares = errors.New("and what is declared is in the Configure of the recorded file: a new Configure takes it")

// declares gives what a script's answer to a Configure declares, by detector, algorithm and segment.
func declares(blocks []byte) map[string]declaration {
	all := map[string]declaration{}
	for it := xtc.NewIter(blocks); it.Next() && it.Header().Type == xtc.TypeNames; {
		n, err := xtc.ParseNames(it.Bytes())
		if err != nil {
			break // it was looked at before
		}
		var fields []string
		for _, e := range n.Entries {
			field := fmt.Sprintf("%s %v", e.Name, e.Type)
			if e.Rank > 0 {
				field += fmt.Sprintf(" of rank %d", e.Rank)
			}
			fields = append(fields, field)
		}
		name := n.DetName + " " + n.Alg
		if n.Segment != 0 {
			name += fmt.Sprintf(" of segment %d", n.Segment)
		}
		all[name] = declaration{fields: strings.Join(fields, ", "), version: n.Version, id: n.ID}
	}
	return all
}
