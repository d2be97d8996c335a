package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"drp/fex"
	"drp/internal/world"
	"drp/pebble"
	"drp/teb"
	"drp/xtc"
)

// rehearsal is a process of the script aside, with memory of its own, that is asked one thing after the other.
type rehearsal struct {
	pool  *pebble.Pool
	group *fex.Group
	news  world.Flag

	mu      sync.Mutex // protects what follows
	answers []fex.Answer
	died    error
}

// rehearse tries a text, and gives on what. It must declare what the present one does.
func (k *crew) rehearse(ctx context.Context, text []byte) (tried string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.ctx, cancel)()
	r := &rehearsal{news: world.Real().NewFlag()}
	if r.pool, err = pebble.Open(pebble.Sizes{Workers: 1, Slots: slots, EventBytes: whole(k.layout.slotBytes()),
		ResultBytes: whole(k.layout.most*verdictBytes + saidBytes), TransitionBytes: max(transitionBytes, whole(len(k.told)))}); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.pool.Close()) }()
	cfg := k.children(text)
	cfg.Trial, cfg.Log = true, cfg.Log.With(slog.String("trial", shaOf(text)[:8]))
	cfg.Spares, cfg.Retries, cfg.MaxRestarts, cfg.Degrade = 0, 0, 1, false
	cfg.Answered = r.answered
	cfg.Restarted, cfg.GaveUp = r.fails, r.fails
	if r.group, err = fex.Start(ctx, cfg, r.pool); err != nil {
		return "", err
	}
	defer func() { r.group.Kill(); r.group.Close() }()
	a, err := r.transition(ctx, k)
	if err != nil {
		return "", fmt.Errorf("it cannot begin, tried aside: %w", err)
	}
	says, err := declaredIn(a.Blocks())
	if err == nil {
		err = says.differs(k.says)
	}
	if err != nil {
		return "", err
	}
	e := k.kept.Load()
	if e == nil {
		return "events without values", nil
	}
	tried = fmt.Sprintf("the event of pulse %d", e.pulse)
	if err := r.event(ctx, k.layout, e, len(says.Reasons)); err != nil {
		return "", fmt.Errorf("it fails on %s, tried aside: %w", tried, err)
	}
	return tried, nil
}

func (r *rehearsal) answered(_ int, all []fex.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, all...) // there is one question at a time
	r.news.Set()
}

func (r *rehearsal) fails(_ int, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.died == nil {
		r.died = cause
	}
	r.news.Set()
}

// answer waits for an answer, or for the end.
func (r *rehearsal) answer(ctx context.Context) (a fex.Answer, err error) {
	defer context.AfterFunc(ctx, r.news.Set)()
	for {
		r.mu.Lock()
		died, all := r.died, r.answers
		r.answers = nil
		r.mu.Unlock()
		switch {
		case died != nil:
			return a, died
		case len(all) > 0 && all[0].Failure != nil:
			return a, fmt.Errorf("%v\n%s", all[0].Failure, all[0].Failure.Traceback)
		case len(all) > 0 && all[0].Status == fex.OK:
			return all[0], nil
		case ctx.Err() != nil:
			return a, ctx.Err()
		}
		r.news.Wait(world.ForEver)
	}
}

// transition shows the Configure.
func (r *rehearsal) transition(ctx context.Context, k *crew) (fex.Answer, error) {
	loan, _ := r.pool.Transitions.TryLoan() // it is the first
	n := copy(loan.Bytes(), k.told)
	r.group.Workers[0].Transition(loan.Seal(n), n, uint8(xtc.Configure), false, 1, transitionTag)
	return r.answer(ctx)
}

// event lets it decide about an event.
func (r *rehearsal) event(ctx context.Context, l *layout, e *kept, reasons int) error {
	loan, _ := r.pool.Events[0].TryLoan()
	slot := loan.Bytes()
	clear(slot[:slotHeadBytes])
	le.PutUint64(slot, e.seed)
	le.PutUint32(slot[8:], 1)
	copy(slot[slotHeadBytes:], e.event)
	copy(slot[l.settingsAt():], e.values)
	n := slotHeadBytes + l.eventBytes
	ix := loan.Seal(n)
	r.group.Workers[0].Event(ix, n, 1, e.pulse, batchTag)
	a, err := r.answer(ctx)
	if err != nil {
		return err
	}
	if a.ResultBytes < verdictBytes {
		return errors.New("the process does not answer about the event")
	}
	result := r.pool.Results[0].Event(ix.Slot)[:a.ResultBytes]
	if reason := le.Uint16(result[2:]); reason == teb.ReasonRejected || reason >= teb.ReasonLogic && int(reason) < int(teb.ReasonLogic)+reasons {
		return nil
	}
	f := &fex.Failure{}
	if json.Unmarshal(result[verdictBytes:], f) == nil && f.Type != "" {
		return fmt.Errorf("%v\n%s", f, f.Traceback)
	}
	return fmt.Errorf("it gives the reason %d, which was not declared: use the numbers that ts.reason gives", le.Uint16(result[2:]))
}
