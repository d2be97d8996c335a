package drp

import (
	"context"
	"errors"
	"fmt"

	"drp/watch"
)

// The states of a text that was asked for.
const (
	stateInUse     = "in use"
	stateStep      = "taken at the next step"
	stateNow       = "taken before the next event"
	stateConfigure = "taken at the Configure that comes"
	stateTaking    = "being taken by the workers"
	stateTried     = "only tried"
)

// state is that of what is next, or taking.
func (l *reloads) state(n *upcoming) string {
	switch {
	case n == l.taking:
		return stateTaking
	case n.now:
		return stateNow
	}
	return stateStep
}

// rehearsals is how often a text is tried when the run moves on meanwhile.
const rehearsals = 3

// Reload takes the scripts as their files are now: compiled, and tried aside with what holds and with the last good event. Who
// asks waits for that; the run does not. It is used from the next BeginStep or BeginRun on, or with Now from the next event on.
// What a script does at the end of a step or of the run is tried with Ends only, since it may write files. The error says why it
// is not taken; then the run goes on with the text it has.
func (r *Run) Reload(ctx context.Context, asked watch.Reload) (watch.Reloaded, error) {
	l := &r.reloads
	if err := l.enter(ctx); err != nil {
		return watch.Reloaded{}, err
	}
	defer l.turn.leave()
	var got watch.Reloaded
	decides, err := r.tryTrigger(ctx)
	if err == nil {
		got, err = l.prepare(asked)
	}
	if err == nil {
		got.Trigger, err = r.takeTrigger(decides, asked.Now)
	}
	if err != nil {
		l.mu.Lock()
		l.refuse(err)
		l.mu.Unlock()
		return got, err
	}
	return l.endsInUse(got, asked)
}

// texts are those that the files have now.
func (l *reloads) texts(asked watch.Reload) (*upcoming, error) {
	l.mu.Lock()
	used := l.used
	l.mu.Unlock()
	if used[0].bytes == nil {
		return nil, errors.New("there is no file that a script could be read from")
	}
	n := &upcoming{now: asked.Now, ends: asked.Ends}
	for i := range used {
		var err error
		if n.texts[i], err = l.read(&used[i]); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// differs notes which texts are others than those that are used; l.mu is held.
func (l *reloads) differs(n *upcoming) {
	for i := range n.texts {
		n.changed[i] = n.texts[i].sha256 != l.used[i].sha256
	}
}

// prepare tries the texts that the files have now, and leaves them for the dispatcher.
func (l *reloads) prepare(asked watch.Reload) (watch.Reloaded, error) {
	n, err := l.texts(asked)
	if err != nil {
		return watch.Reloaded{}, err
	}
	for attempt := 1; ; attempt++ {
		if got, left, settled := l.settle(n); settled {
			left.discard()
			return got, nil
		}
		configures, begun := l.moved()
		tried, err := l.rehearse(n)
		if err == nil {
			err = l.warm(n)
		}
		if l.over.Err() != nil {
			n.discard()
			return watch.Reloaded{}, errEnded
		}
		laterConfigures, laterBegun := l.moved()
		if (configures != laterConfigures || err != nil && begun != laterBegun) && attempt < rehearsals {
			n.discard()
			continue // what it was tried with does not hold any more
		}
		if err == nil && configures != laterConfigures {
			err = errors.New("the run is configured again and again, and the text cannot be tried: each Configure reads the file")
		}
		if err != nil {
			n.discard()
			return watch.Reloaded{}, err
		}
		return l.leave(n, tried, configures)
	}
}

func (l *reloads) moved() (configures, begun int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.configures, l.begun
}

// settle tells whether there is nothing to try: the texts are used already, or wait to be, or there was no Configure yet.
// What is not wanted any more is left to be discarded.
func (l *reloads) settle(n *upcoming) (got watch.Reloaded, left *upcoming, settled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	got = watch.Reloaded{SHA256: n.texts[0].sha256, PostSHA256: n.texts[1].sha256}
	same := func(with *[2]text) bool {
		return n.texts[0].sha256 == with[0].sha256 && n.texts[1].sha256 == with[1].sha256
	}
	l.differs(n)
	switch {
	case l.takes() && same(&l.taking.texts):
		got.State = stateTaking
	case same(&l.used):
		left = l.drop()
		l.refused = ""
		got.State = stateInUse
	case l.next != nil && same(&l.next.texts) && (l.next.ends || !n.ends):
		got.Ends = l.next.ends
		l.next.now = l.next.now || n.now
		l.now.Store(l.next.now)
		got.State = l.state(l.next)
	case len(l.r.group.Present()) == 0:
		l.refused = ""
		got.State = stateConfigure
	default:
		return got, nil, false
	}
	return got, left, true
}

// leave lets the dispatcher take texts that were tried, with the children that run them.
func (l *reloads) leave(n *upcoming, tried string, configures int) (watch.Reloaded, error) {
	var left *upcoming
	defer func() { left.discard() }()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.configures != configures {
		left = n
		return watch.Reloaded{}, errors.New("the run was configured anew at this moment, which has read the file: ask once more if it was saved since")
	}
	left = l.drop()
	l.next, l.refused = n, ""
	how := "tried up to " + tried
	if n.ends {
		how += " and through its ends"
	}
	for i := range n.texts {
		if n.changed[i] {
			l.r.cfg.Log.Info(fmt.Sprintf("script %s: another text was %s and is %s, SHA-256 %s", n.texts[i].path, how, l.state(n), n.texts[i].sha256))
		}
	}
	l.now.Store(n.now)
	return watch.Reloaded{SHA256: n.texts[0].sha256, PostSHA256: n.texts[1].sha256, State: l.state(n), Tried: tried,
		Ends: n.ends}, nil
}

// rehearse tries the texts that are others than those in use.
func (l *reloads) rehearse(n *upcoming) (tried string, err error) {
	for i, g := range l.r.groups() {
		if !n.changed[i] {
			continue
		}
		present := g.Present()
		if len(present) == 0 {
			return "", fmt.Errorf("script %s: the run is being configured: ask once more", n.texts[i].path)
		}
		event := l.samples[i].fresh(l, present)
		if tried, err = l.stage(i, n, present, event); err != nil {
			return "", fmt.Errorf("script %s: %w", n.texts[i].path, err)
		}
	}
	return tried, nil
}
