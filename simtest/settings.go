package simtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"drp/xtc"
)

// settingsPlan is a parameter of the script, which several change at once, a thousand times a second for a while.
type settingsPlan struct {
	there bool
	from  time.Duration
	times int
}

// drawSettings has chances of its own, so that all else of a seed stays as it was.
func drawSettings(seed uint64) (p settingsPlan) {
	rng := rand.New(rand.NewPCG(seed, 0x5e77))
	if rng.IntN(3) > 0 {
		return p
	}
	return settingsPlan{there: true, from: time.Duration(rng.IntN(100)) * time.Millisecond, times: 50 + rng.IntN(400)}
}

// steering is what the lab knows of the parameter.
type steering struct {
	levels   map[int64]int64 // the value that was accepted last for each generation
	latest   int64           // of these
	attempts int
}

// The parameter, and the value that is refused.
const (
	levelAtFirst = 5
	levelRefused = -1
)

// steer begins to change the parameter.
func (l *lab) steer() {
	if !l.plan.settings.there {
		return
	}
	l.steering = steering{levels: map[int64]int64{1: levelAtFirst}, latest: levelAtFirst}
	l.world.After(l.plan.settings.from, l.changeLevel)
}

func (l *lab) changeLevel() {
	s := &l.steering
	if s.attempts++; s.attempts > l.plan.settings.times || l.ended {
		return
	}
	level := l.world.Chance(1000)
	if s.attempts%7 == 0 {
		level = levelRefused
	}
	generation, err := l.run.Set(map[string]any{"level": level}, fmt.Sprint("way ", s.attempts%3))
	declared := l.run.Settings().Generation > 0
	if (err == nil) != (declared && level != levelRefused) {
		l.problem("level %d: %v", level, err)
	}
	if err == nil {
		s.levels[generation], s.latest = level, level
	}
	l.world.After(time.Millisecond, l.changeLevel)
}

// board is where a child sees the values.
type board struct {
	mem          []byte
	offset, step int
}

// findBoard takes note of where the values of parameters are.
func (c *child) findBoard(text []byte) {
	var h struct {
		Settings struct {
			ID        int `json:"id"`
			Offset    int `json:"offset"`
			SlotBytes int `json:"slot_bytes"`
		} `json:"settings"`
	}
	if err := json.Unmarshal(text, &h); err != nil || h.Settings.ID == 0 {
		c.lab.problem("child %d is told nothing of settings: %s", c.pid, text)
		return
	}
	if c.lab.plan.settings.there && !c.second {
		c.board = board{c.lab.attach(h.Settings.ID), h.Settings.Offset, h.Settings.SlotBytes}
	}
}

// declareLevel gives the Names of the parameter, and the block that says all of it.
func (c *child) declareLevel(id xtc.NamesID) (names, blocks []byte) {
	if c.board.mem == nil {
		return nil, nil
	}
	of := func(id xtc.NamesID, alg string, entries ...xtc.Name) *xtc.Names {
		n := &xtc.Names{ID: id, DetName: "settings", DetType: "settings", Alg: alg, Version: xtc.Version{Major: 1}, Entries: entries}
		var err error
		if names, err = n.AppendTo(names); err != nil {
			c.lab.problem("%v", err)
		}
		return n
	}
	of(id, "script", xtc.Name{Name: "generation", Type: xtc.Int64}, xtc.Name{Name: "level", Type: xtc.Int64})
	info := of(id+1, "scriptinfo", xtc.Name{Name: "parameters", Type: xtc.CharStr, Rank: 1})
	var b xtc.Builder
	b.Begin(nil, info)
	b.Text(fmt.Sprintf(`[{"name":"level","type":"int","default":%d,"min":0}]`, levelAtFirst))
	blocks, err := b.End()
	if err != nil {
		c.lab.problem("%v", err)
	}
	return names, blocks
}

// seeLevel takes the value for an event: all who ever see the event must see the same.
func (c *child) seeLevel(e *event, n int64, r []byte) {
	if c.board.mem == nil {
		return
	}
	entry := int(binary.LittleEndian.Uint32(r[16:]) >> 16)
	if entry == 0 {
		c.lab.problem("event %d has no values of parameters", n)
		return
	}
	const head = 16
	part := c.board.mem[c.board.offset+entry*c.board.step:]
	seen := level{int64(binary.LittleEndian.Uint64(part)), int64(binary.LittleEndian.Uint64(part[head:]))}
	if e.level != (level{}) && e.level != seen {
		c.lab.problem("event %d had level %+v, and has %+v for child %d", n, e.level, seen, c.pid)
	}
	e.level = seen
	if want, known := c.lab.steering.levels[seen.generation]; !known || want != seen.value {
		c.lab.problem("event %d has level %+v, which was %d", n, seen, want)
	}
}

// level is a value of the parameter, and its generation.
type level struct{ generation, value int64 }

// levelIn reads what is recorded.
func levelIn(b *xtc.Block) level {
	return level{b.Field(0).Int64(), b.Field(1).Int64()}
}

// checkLevels compares what is recorded with what was accepted and seen: the last one wins, and generations only go up.
func (l *lab) checkLevels(found []recorded) {
	if !l.plan.settings.there {
		return
	}
	last := int64(0)
	for i := range found {
		e := &found[i]
		if e.damage&xtc.DamageCorrupted != 0 {
			continue
		}
		if want, known := l.steering.levels[e.level.generation]; !known || want != e.level.value || e.level.generation < last {
			l.problem("event %d is recorded with level %+v after generation %d; it was %d", e.number, e.level, last, want)
		}
		last = e.level.generation
		if seen := l.events[e.number]; seen != nil && seen.level != (level{}) && seen.level != e.level {
			l.problem("event %d is recorded with level %+v, and the script saw %+v", e.number, e.level, seen.level)
		}
	}
	if l.run == nil {
		return // it could not begin
	}
	if s := l.run.Settings(); len(s.Settings) > 0 && s.Settings[0].Value != l.steering.latest {
		l.problem("the level is %v at the end, and was set to %d", s.Settings[0].Value, l.steering.latest)
	}
}
