package script

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"drp/teb"
)

// Text is one of a script that somebody wants to be taken while events come.
type Text struct {
	Script string // its path
	SHA256 string
	Tried  string // on what it was tried aside; empty where that is not needed, since it decides already

	bytes []byte
	of    *crew
}

// Loaded says which text decides.
type Loaded struct {
	SHA256     string
	Generation uint32 // of the texts, from 1 on
	Since      time.Time
	Next       string // SHA-256 of the one that is taken at the next step; empty if none is
	Refused    string // why the last one that was asked for is not taken, if so
}

func shaOf(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }

// Try reads the script, and tries its text aside if it is another one: in a process of its own, on events without values, and on
// an event of the latest ones that the present text has decided about. Nothing waits for that. The error says why it cannot be taken.
func (l *Logic) Try(ctx context.Context) (*Text, error) {
	k := l.crew
	k.trying.Lock()
	defer k.trying.Unlock()
	k.mu.Lock()
	before := k.text
	over := k.closed || k.ctx.Err() != nil || k.says == nil
	k.mu.Unlock()
	if over {
		return nil, fmt.Errorf("trigger script %s: it does not decide at present", k.c.Script)
	}
	info, text, err := k.read(before)
	t := &Text{Script: k.c.Script, SHA256: info.SHA256, bytes: text, of: k}
	if err == nil && !k.decides(text) {
		t.Tried, err = k.rehearse(ctx, text)
	}
	if err != nil {
		err = fmt.Errorf("trigger script %s: %w", k.c.Script, err)
	}
	return t, err
}

// Take lets a text that was tried decide: from the next BeginStep or BeginRun on, or at once, between two batches. What was to
// be taken before it is not any more.
func (t *Text) Take(now bool) (err error) {
	k := t.of
	k.next.Store(t)
	if k.decides(t.bytes) {
		k.next.Store(nil)
		return nil
	}
	if now {
		return k.step()
	}
	k.c.Log.Info(fmt.Sprintf("the trigger script %s: another text was tried on %s and is taken at the next step, SHA-256 %s", t.Script, t.Tried, t.SHA256))
	return nil
}

// Refuse notes why what was asked for is not taken, for Loaded.
func (l *Logic) Refuse(err error) {
	l.crew.said.Lock()
	defer l.crew.said.Unlock()
	l.crew.loaded.Refused = err.Error()
}

// Loaded says which text decides; its generation is 0 before there is one.
func (l *Logic) Loaded() Loaded {
	k := l.crew
	k.said.Lock()
	defer k.said.Unlock()
	now := k.loaded
	if t := k.next.Load(); t != nil {
		now.Next = t.SHA256
	}
	return now
}

// decides tells whether a text is the one that is used.
func (k *crew) decides(text []byte) bool {
	k.said.Lock()
	defer k.said.Unlock()
	return k.loaded.SHA256 == shaOf(text)
}

// uses notes the text that is used from here on.
func (k *crew) uses(text []byte) {
	k.said.Lock()
	defer k.said.Unlock()
	k.loaded = Loaded{SHA256: shaOf(text), Generation: k.loaded.Generation + 1, Since: time.Now().UTC()}
}

// step takes the text that was tried, if there is one. Nothing is under way, or in the hands of a process once it is waited for.
func (k *crew) step() error {
	if k.next.Load() == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.posts {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	t := k.next.Swap(nil)
	if t == nil || k.closed || k.group == nil || bytes.Equal(t.bytes, k.text) {
		return nil
	}
	err := k.take(t.bytes, t.SHA256)
	if err != nil {
		k.said.Lock()
		k.loaded.Refused = err.Error()
		k.said.Unlock()
	}
	return err
}

// take lets all processes run another text, or goes on with the present one. The mutexes are held.
func (k *crew) take(text []byte, sha string) error {
	err := k.change(text)
	if err != nil {
		if back := k.change(k.text); back != nil {
			err = errors.Join(err, fmt.Errorf("the one before cannot be taken either: %w", back))
		}
		k.trouble(fmt.Sprintf("the trigger script %s was changed and cannot be taken, the one before decides: %v", k.c.Script, err))
		return err
	}
	k.text = text
	k.uses(text)
	k.c.Trouble("")
	k.c.Log.Info(fmt.Sprintf("the trigger script %s was changed, SHA-256 %s: it is read anew", k.c.Script, sha))
	return nil
}

// keptOften is how often an event is kept for trials.
const keptOften = time.Second

// kept is an event that was decided, as it lies in a slot, with the values of parameters.
type kept struct {
	at     time.Time
	seed   uint64
	pulse  uint64
	event  []byte
	values []byte
}

// keep keeps the first event of a batch, now and then.
func (k *crew) keep(slot []byte, b *teb.Batch, first int) {
	now := time.Now()
	if was := k.kept.Load(); was != nil && now.Sub(was.at) < keptOften {
		return
	}
	at := k.layout.settingsAt()
	k.kept.Store(&kept{at: now, seed: le.Uint64(slot), pulse: b.Head(first).Pulse,
		event: bytes.Clone(slot[slotHeadBytes:][:k.layout.eventBytes]), values: bytes.Clone(slot[at : at+settingsBytes])})
}
