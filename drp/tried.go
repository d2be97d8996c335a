package drp

import (
	"context"
	"fmt"

	tebscript "drp/teb/script"
	"drp/watch"
)

// enter waits for the turn to try a text; who has it leaves it.
func (l *reloads) enter(ctx context.Context) error {
	return l.turn.take(l.r.world, func() error {
		if l.over.Err() != nil || l.r.finished.Load() != 0 {
			return errEnded
		}
		return ctx.Err()
	})
}

// TryReload tries the scripts as their files are now, as Reload does, and leaves all as it is: not even a refusal is noted.
func (r *Run) TryReload(ctx context.Context, asked watch.Reload) (watch.Reloaded, error) {
	l := &r.reloads
	if err := l.enter(ctx); err != nil {
		return watch.Reloaded{}, err
	}
	defer l.turn.leave()
	n, err := l.texts(asked)
	if err != nil {
		return watch.Reloaded{}, err
	}
	decides, err := r.tryTrigger(ctx)
	if err != nil {
		return watch.Reloaded{}, err
	}
	got := watch.Reloaded{SHA256: n.texts[0].sha256, PostSHA256: n.texts[1].sha256, Trigger: r.says(decides, stateTried)}
	for attempt := 1; ; attempt++ {
		if got.State = l.standsAs(n); got.State != stateTried {
			return l.endsInUse(got, asked)
		}
		_, begun := l.moved()
		got.Tried, err = l.rehearse(n)
		got.Ends = n.ends && got.Tried != ""
		if l.over.Err() != nil {
			return watch.Reloaded{}, errEnded
		}
		if _, later := l.moved(); err != nil && begun != later && attempt < rehearsals {
			continue // what it was tried with does not hold any more
		}
		return got, err
	}
}

// tryTrigger tries the trigger script that decides here, as its file is now; nil is that none does yet, or at all.
func (r *Run) tryTrigger(ctx context.Context) (*tebscript.Text, error) {
	logic := r.triggerLogic.Load()
	if logic == nil {
		return nil, nil
	}
	return logic.Try(ctx)
}

// takeTrigger lets a text of it that was tried decide.
func (r *Run) takeTrigger(t *tebscript.Text, now bool) (says string, err error) {
	if t == nil {
		return r.says(t, ""), nil
	}
	state := stateStep
	if now {
		state = stateInUse
	}
	if err := t.Take(now); err != nil {
		return "", fmt.Errorf("trigger script %s: %w; what is said of the other scripts is so", t.Script, err)
	}
	return r.says(t, state), nil
}

// says tells what becomes of the trigger script; empty where none decides here.
func (r *Run) says(t *tebscript.Text, state string) string {
	switch {
	case r.cfg.Trigger == nil || r.cfg.Trigger.Script == nil:
		return ""
	case t == nil:
		return fmt.Sprintf("trigger script %s: %s", r.cfg.Trigger.Script.Script, stateConfigure)
	case t.Tried == "":
		return fmt.Sprintf("trigger script %s: SHA-256 %s: %s", t.Script, t.SHA256, stateInUse)
	}
	return fmt.Sprintf("trigger script %s: SHA-256 %s: %s, tried on %s", t.Script, t.SHA256, state, t.Tried)
}

// endsInUse tries the ends of texts that are used already, where somebody asks for these. That they fail is no refusal: the texts
// stay as they are.
func (l *reloads) endsInUse(got watch.Reloaded, asked watch.Reload) (watch.Reloaded, error) {
	if got.State != stateInUse || !asked.Ends || len(l.r.group.Present()) == 0 {
		return got, nil
	}
	n := &upcoming{ends: true}
	l.mu.Lock()
	n.texts = l.used
	l.mu.Unlock()
	for i := range n.texts {
		n.changed[i] = n.texts[i].bytes != nil // as far as a trial goes
	}
	for attempt := 1; ; attempt++ {
		_, begun := l.moved()
		tried, err := l.rehearse(n)
		_, later := l.moved()
		switch {
		case l.over.Err() != nil:
			return watch.Reloaded{}, errEnded
		case err == nil:
			got.Tried, got.Ends = tried, true
			return got, nil
		case begun == later || attempt == rehearsals:
			return watch.Reloaded{}, fmt.Errorf("the text is in use already, and fails when it is tried with its ends: %w", err)
		}
	}
}

// standsAs tells whether texts are used already, or would be without a trial; else they are to be tried.
func (l *reloads) standsAs(n *upcoming) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.differs(n)
	switch {
	case n.changed == [2]bool{}:
		return stateInUse
	case len(l.r.group.Present()) == 0:
		return stateConfigure
	}
	return stateTried
}
