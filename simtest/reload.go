package simtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"drp/pebble"
	"drp/watch"
	"drp/xtc"
)

// reloadPlan is another text of the script, again and again, from some time on. It is drawn with chances of its own, so that all
// else of a seed stays as it was.
type reloadPlan struct {
	there bool
	from  time.Duration
	pause time.Duration
	times int
	seed  uint64
}

func drawReload(seed uint64) (p reloadPlan) {
	rng := rand.New(rand.NewPCG(seed, 0x7e10ad))
	if rng.IntN(4) > 0 {
		return p
	}
	return reloadPlan{there: true, from: time.Duration(rng.IntN(300)) * time.Millisecond, times: 1 + rng.IntN(6), seed: rng.Uint64(),
		pause: time.Duration(1+rng.IntN(200)) * time.Millisecond}
}

// texts is what the lab knows of them.
type texts struct {
	number int64 // of the one that the file has, from 1 on
	trial  *pebble.Pool
	asked  int
	late   bool // those that hang later do so from here on
}

// The manners of texts.
const (
	goodText = iota
	raisingText
	dyingText
	hangingText // later, where a run or step begins
	textManners
)

// textManner is what a text does; the first is good.
func (p *reloadPlan) manner(number int64) int {
	if number == 1 {
		return goodText
	}
	return rand.New(rand.NewPCG(p.seed, uint64(number))).IntN(textManners)
}

func textOf(number int64) []byte { return fmt.Appendf(nil, "text %d", number) }

func textSHA(number int64) string { return fmt.Sprintf("%x", sha256.Sum256(textOf(number))) }

// readText is a read of a file with a script.
func (l *lab) readText(path string) ([]byte, error) {
	if path != "script.py" {
		return []byte(path), nil
	}
	return textOf(l.texts.number), nil
}

// edit begins to change the text.
func (l *lab) edit() {
	if l.plan.reload.there {
		l.world.After(l.plan.reload.from, l.editOnce)
	}
}

// editOnce asks for another text, or for the same once more, and looks at the answer.
func (l *lab) editOnce() {
	x := &l.texts
	for ; x.asked < l.plan.reload.times && !l.ended; x.asked++ {
		before := x.number
		if x.asked%4 != 3 {
			x.number = int64(x.asked) + 2
		}
		number, manner := x.number, l.plan.reload.manner(x.number)
		asked := watch.Reload{Now: l.world.Chance(2) == 0, Ends: l.world.Chance(2) == 0}
		got, err := l.run.Reload(context.Background(), asked)
		l.trace("text %d, of manner %d, is asked for with %+v: %+v, %v", number, manner, asked, got, err)
		tried := err == nil && got.Tried != "" && strings.HasPrefix(got.Tried, "event ")
		switch {
		case err == nil && got.SHA256 != textSHA(number):
			l.problem("text %d was asked for, and the answer is of another: %+v", number, got)
		case tried && (manner == raisingText || manner == dyingText):
			l.problem("text %d cannot work, and was tried and taken: %+v", number, got)
		case err != nil && manner == goodText && !l.mayRefuse(err):
			l.problem("text %d is good, and is refused: %v", number, err)
		}
		if err != nil || !tried { // what could not be tried on an event is not left there
			x.number = before
			if err == nil {
				_, _ = l.run.Reload(context.Background(), watch.Reload{})
			}
		}
		l.world.Sleep(l.soon(l.plan.reload.pause))
		x.late = x.late || l.world.Chance(3) == 0
	}
}

// mayRefuse tells whether trouble of the plan, or the end of the run, refuses a good text.
func (l *lab) mayRefuse(err error) bool {
	p := &l.plan
	if strings.Contains(err.Error(), "there is no Configure") {
		return true // it ends at this moment
	}
	return p.deadly+p.hangs+p.nonsense+p.badStarts+p.suspendAt.Nanoseconds() > 0 || strings.Contains(err.Error(), "has ended") ||
		strings.Contains(err.Error(), "being configured") || p.poison+p.sticky+p.failures+p.noConstants+p.badStore+p.forgets+p.flips > 0
}

// trialEvent is the event that a text is tried on.
func (c *child) trialEvent(r []byte) error {
	ref, err := c.memory().Events[0].Ref(c.slot(r))
	if err != nil || c.lab.events[c.lab.number(xtc.Dgram(ref.Bytes()).Time())] == nil {
		if c.lab.plan.flips > 0 && err == nil { // in its time
			return errGone
		}
		c.lab.problem("child %d is tried with something that never came: %v", c.pid, err)
		return errGone
	}
	if err := c.mishap(c.lab.plan.service); err != nil {
		return err
	}
	switch c.lab.plan.reload.manner(c.text) {
	case dyingText:
		return errors.New("the text is bad")
	case raisingText:
		text := `{"type":"ValueError","message":"no","file":"script.py","line":3}`
		c.say(c.record(kindEvent, 2, 0, copy(c.memory().Results[0].Event(c.slot(r).Slot), text), r))
	default:
		c.say(c.record(kindEvent, 0, 0, 0, r))
	}
	return nil
}

// stalls tells whether the text hangs at a transition.
func (c *child) stalls(d xtc.Dgram) bool {
	begins := d.Service() == xtc.BeginRun || d.Service() == xtc.BeginStep
	return begins && c.lab.texts.late && !c.trial && !c.second && c.lab.plan.reload.manner(c.text) == hangingText
}

// readSource takes over the text that a child was told.
func (c *child) readSource(text []byte) {
	if c.second || !c.lab.plan.reload.there {
		return
	}
	if _, err := fmt.Sscanf(string(text), "text %d", &c.text); err != nil {
		c.lab.problem("child %d has the text %q: %v", c.pid, text, err)
	}
}

// toldText is what a transition tells of the text that is used.
type toldText struct {
	time   uint64
	sha256 string
}

// textTold takes it out of a transition.
func textTold(t *xtc.Table, d xtc.Dgram) (told toldText, some bool) {
	for it := t.Blocks(d); it.Next(); {
		if b := it.Block(); b.Names.DetName == "drp" && b.Names.Alg == "script" {
			v, _ := b.FieldNamed("sha256")
			told, some = toldText{d.Time(), string(v.Text())}, true
		}
	}
	return told, some
}

// checkTexts: each event is of the text that the data tells, and no text is used that cannot work.
func (l *lab) checkTexts(found []recorded, unfinished bool) {
	if !l.plan.reload.there || unfinished {
		return
	}
	at := -1
	for i := range found {
		e := &found[i]
		for at+1 < len(l.told) && l.told[at+1].time <= e.time {
			at++
		}
		if e.value < 0 {
			continue
		}
		if m := l.plan.reload.manner(e.text); m == raisingText || m == dyingText {
			l.problem("event %d is of text %d, which cannot work", e.number, e.text)
		}
		if at < 0 || l.told[at].sha256 != textSHA(e.text) {
			l.problem("event %d is of text %d, and the data tells of another", e.number, e.text)
		}
	}
	if l.run == nil {
		return
	}
	s := l.run.Status().Loaded
	if s.Reloads.FellBack > 0 && s.Refused == "" && s.Reloads.Used <= s.Reloads.FellBack && s.Reloads.Refused == 0 {
		l.problem("a worker fell back, and nobody is told: %+v", s)
	}
}

// textIn reads which text an event is of.
func textIn(b *xtc.Block) int64 { return int64(binary.LittleEndian.Uint64(b.Field(1).Data)) }
