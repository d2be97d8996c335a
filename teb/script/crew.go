package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"drp/fex"
	userscript "drp/internal/script"
	"drp/internal/settings"
	"drp/internal/world"
	"drp/pebble"
	"drp/teb"
	"drp/xtc"
)

// Sizes of what the processes share.
const (
	slots           = 2 // of a process, which has one batch in hand
	page            = 4096
	transitionBytes = 256 << 10 // for the reasons of a script, and what it says when it fails
	greetTime       = 30 * time.Second
	farewellTime    = 2 * time.Second // for scripts to say what they gathered
)

// crew is the processes of a script.
type crew struct {
	c      Config
	ctx    context.Context // cancelled by close
	cancel context.CancelFunc
	once   sync.Once // of configure

	mu      sync.Mutex // protects what follows, but what a process has in hand; a post's may be taken while it is held
	err     error      // of configure
	layout  *layout
	text    []byte // of the script that decides
	says    *declared
	told    []byte // at Configure
	count   uint64 // transitions
	spawner *fex.Spawner
	pool    *pebble.Pool
	group   *fex.Group
	posts   []*post
	closed  bool

	trying sync.Mutex           // held by who tries a text
	next   atomic.Pointer[Text] // that is taken at the next step; nil is none
	kept   atomic.Pointer[kept] // for trials
	said   sync.Mutex           // protects loaded
	loaded Loaded

	answers answers
	failed  atomic.Uint64 // batches with events that have no decision
}

// complain says that events have no decision: of the 1st, 2nd, 4th, … batch.
func (k *crew) complain(b *teb.Batch, events []int, f *fex.Failure) {
	if n := k.failed.Add(1); n&(n-1) != 0 {
		return
	}
	text := fmt.Sprintf("%d events from pulse %d on have no decision of the trigger script and get the default, reason failed: %v",
		len(events), b.Head(events[0]).Pulse, f)
	if f.Traceback != "" {
		text += "\n" + f.Traceback
	}
	k.c.Log.Error(text)
}

// answers are those to a transition.
type answers struct {
	mu   sync.Mutex // protects all
	all  []fex.Answer
	came world.Flag
}

func (a *answers) add(one fex.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, one)
	a.came.Set()
}

func (a *answers) take(n int) []fex.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) < n {
		return nil
	}
	all := a.all
	a.all = nil
	return all
}

func newCrew(c Config) *crew {
	k := &crew{c: c, answers: answers{came: world.Real().NewFlag()}}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// configure starts the processes when it is called first, and gives what the script declares.
func (k *crew) configure(schemas []*teb.Schema) ([]teb.Reason, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.once.Do(func() { k.err = k.start(schemas) })
	if k.says == nil {
		return nil, k.err
	}
	return k.says.Reasons, k.err
}

// parameters are those that the script has declared.
func (k *crew) parameters() []settings.Parameter {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.says == nil {
		return nil
	}
	return k.says.parameters
}

func (k *crew) start(schemas []*teb.Schema) (err error) {
	if err := k.c.Check(); err != nil {
		return err
	}
	if k.layout, err = newLayout(schemas, k.c.BatchEvents); err != nil {
		return err
	}
	if k.told, err = k.layout.tell(); err != nil {
		return err
	}
	info, text, err := k.read(nil)
	if err != nil {
		return err
	}
	if k.pool, err = pebble.Open(pebble.Sizes{Workers: k.c.Workers, Slots: slots, EventBytes: whole(k.layout.slotBytes()),
		ResultBytes: whole(k.layout.most*verdictBytes + saidBytes), TransitionBytes: max(transitionBytes, whole(len(k.told)))}); err != nil {
		return err
	}
	if k.spawner, err = fex.NewSpawner(k.c.Log); err != nil {
		return err
	}
	for i := range k.c.Workers {
		k.posts = append(k.posts, newPost(k, i))
	}
	k.text = text
	if k.group, err = fex.Start(k.ctx, k.children(text), k.pool); err != nil {
		return err
	}
	for i, p := range k.posts {
		p.worker = k.group.Workers[i]
	}
	if k.says, err = k.begin(); err == nil {
		k.c.Trouble("")
		k.uses(text)
		k.c.Log.Info(fmt.Sprintf("the trigger script %s decides, %d bytes, SHA-256 %s: %v", k.c.Script, info.Bytes, info.SHA256, k.group))
	}
	return err
}

func whole(bytes int) int { return (bytes + page - 1) / page * page }

// children is what the processes are.
func (k *crew) children(text []byte) fex.Config {
	log := k.c.Log.With(slog.String("script", filepath.Base(k.c.Script)))
	return fex.Config{Python: k.c.Python, PythonPath: k.c.PythonPath, Module: "drp._trigger_child", Script: k.c.Script,
		Source: text, Args: k.c.Args, GreetDeadline: greetTime, TransitionDeadline: k.c.Configure, EventDeadline: k.c.Deadline,
		Spares: k.c.Spares, Retries: 1, HangOnce: true, MaxRestarts: k.c.MaxRestarts, Degrade: true, Spawner: k.spawner, Log: log,
		Answered: k.answered,
		Restarted: func(_ int, cause error) {
			log.Warn(fmt.Sprintf("a process of the trigger script is replaced: %v", cause))
		},
		GaveUp: func(int, error) { k.trouble("no process of the trigger script is left: all events get the default") }}
}

// trouble says what is wrong, though the trigger goes on.
func (k *crew) trouble(text string) {
	k.c.Log.Error(text)
	k.c.Trouble(text)
}

// answered takes what processes answer, on their workers' goroutines.
func (k *crew) answered(worker int, all []fex.Answer) {
	for _, a := range all {
		if a.Tag == transitionTag {
			k.answers.add(a)
		} else {
			k.posts[worker].answered(a)
		}
	}
}

// Tags of requests.
const (
	transitionTag = iota
	batchTag
)

// hand gives all processes a transition, and waits for their answers.
func (k *crew) hand(service xtc.TransitionID, text []byte, limit time.Duration) ([]fex.Answer, error) {
	loan, ok := k.pool.Transitions.TryLoan()
	if !ok {
		return nil, errors.New("script: a transition was not answered: no other can be handed on")
	}
	n := copy(loan.Bytes(), text)
	ix := loan.Seal(n)
	k.count++
	for _, w := range k.group.Workers {
		w.Transition(ix, n, uint8(service), false, k.count, transitionTag)
	}
	w := world.Real()
	for end := w.Now() + limit; ; {
		if all := k.answers.take(len(k.group.Workers)); all != nil {
			ref, err := k.pool.Transitions.Ref(ix)
			if err == nil {
				ref.Release()
			}
			return all, err
		}
		left := end - w.Now()
		if left <= 0 || service == xtc.Configure && k.ctx.Err() != nil {
			return nil, errors.New("script: the trigger is closed")
		}
		k.answers.came.Wait(left)
	}
}

// begin configures all processes, and gives what they declare, which must be the same.
func (k *crew) begin() (says *declared, err error) {
	all, err := k.hand(xtc.Configure, k.told, time.Hour) // those who hang are ended long before
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		switch own, err := declaredIn(a.Blocks()); {
		case a.Status == fex.Unserved && says == nil && len(all) > 1:
		case a.Status != fex.OK:
			if a.Failure.Traceback != "" {
				k.c.Log.Error(a.Failure.Traceback)
			}
			return nil, fmt.Errorf("script: %v", a.Failure)
		case err != nil:
			return nil, err
		case says == nil:
			says = own
		case !own.same(says):
			return nil, fmt.Errorf("script %s: its processes declare different reasons or parameters: %v and %v", k.c.Script, says, own)
		}
	}
	if says == nil {
		return nil, errors.New("script: no process of the trigger script is left")
	}
	return says, nil
}

// read reads the script, and refuses what cannot be run. What is questionable about the file is said when it is new.
func (k *crew) read(before []byte) (info userscript.Info, text []byte, err error) {
	if info, err = userscript.Examine(k.c.Script); err != nil {
		return info, nil, err
	}
	text, err = os.ReadFile(k.c.Script)
	if err != nil || bytes.Equal(text, before) {
		return info, text, err
	}
	for _, w := range info.Warnings {
		k.c.Log.Warn(w)
	}
	return info, text, userscript.Compiles(k.c.Python, k.c.Script, text)
}

// reload takes another text of the script, if there is one that can be run and declares what the one before did, since the
// record speaks of reasons by number. Nothing is under way, or waited for any longer.
func (k *crew) reload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.group == nil {
		return
	}
	for _, p := range k.posts {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	k.next.Store(nil) // the file counts
	info, text, err := k.read(k.text)
	if !k.retired() || k.renew() {
		k.c.Trouble("")
	}
	switch {
	case err != nil:
		k.trouble(fmt.Sprintf("the trigger script %s was changed and cannot be taken, the one before decides: %v", k.c.Script, err))
	case !bytes.Equal(text, k.text):
		_ = k.take(text, info.SHA256) // it says what is wrong
	}
}

// retired tells whether a process is out of service.
func (k *crew) retired() bool { return slices.ContainsFunc(k.group.Workers, (*fex.Worker).Retired) }

// renew starts all processes anew: what kept one from starting may be over with the run it was in.
func (k *crew) renew() (renewed bool) {
	group, err := fex.Start(k.ctx, k.children(k.text), k.pool)
	if err == nil {
		k.group.Close()
		k.group = group
		for i, p := range k.posts {
			p.worker = group.Workers[i]
		}
		_, err = k.begin()
	}
	if err != nil {
		k.trouble(fmt.Sprintf("the processes of the trigger script cannot be started anew: %v", err))
	}
	return err == nil
}

// change lets all processes run another text.
func (k *crew) change(text []byte) error {
	k.group.SetScript(text)
	says, err := k.begin()
	if err == nil {
		err = says.differs(k.says)
	}
	return err
}

// differs refuses what takes a Configure.
func (d *declared) differs(o *declared) error {
	switch {
	case !slices.Equal(d.Reasons, o.Reasons):
		return fmt.Errorf("script: it declares the reasons %v, and %v are recorded until the next Configure", d.Reasons, o.Reasons)
	case !d.same(o):
		return errors.New("script: it declares other parameters, or other limits of them, which takes the next Configure")
	}
	return nil
}

// close ends the processes; scripts whose processes are idle come to the end of their loops first.
func (k *crew) close() error {
	k.cancel()
	k.answers.came.Set()
	k.trying.Lock()   // until nothing is left of a trial
	k.trying.Unlock() //nolint:staticcheck // there is no other
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	for _, p := range k.posts {
		p.leave()
	}
	if k.group != nil {
		if !slices.ContainsFunc(k.group.Workers, func(w *fex.Worker) bool { return w.Load() > 0 }) {
			_, _ = k.hand(xtc.Unconfigure, nil, farewellTime)
		}
		k.group.Close()
	}
	if k.spawner != nil {
		k.spawner.Close()
	}
	if k.pool != nil {
		return k.pool.Close()
	}
	return nil
}
