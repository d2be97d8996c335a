package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// What processes have told of their parameters is kept in a file beside the journal, since a process can die together with run
// control: nobody who is alive knows then what it had, nor which of two values was set later. The file is whole at any time, and is not
// synced: whom the power leaves tells of himself again.

// keptSuffix follows the name of the journal, whose processes they are.
const keptSuffix = ".settings"

// recallTime is how long those who were there before are waited for; they ask every heartbeat whether run control is there again.
const recallTime = 3 * time.Second

// kept is the file.
type kept struct {
	Journal   string       `json:"journal"` // that it belongs to
	Changes   uint64       `json:"changes"`
	Processes []keptMember `json:"processes"`
}

type keptMember struct {
	Process Process `json:"process"`
	Known   known   `json:"known"`
	Former  known   `json:"former"`
}

// recollection is what run control knew in its life before, until it is known anew. It holds only where a process of that life is
// still alive: others are a new beginning, to which nothing of an old day is handed on.
type recollection struct {
	members map[string]*member // who have not told of themselves since, or have not come
	until   time.Time          // they are waited for
	alive   bool               // one of them was there again
}

// recollect reads the file. Without it processes tell what they have, so that nothing fails here.
func (p *Partition) recollect() {
	var was kept
	text, err := os.ReadFile(p.cfg.Journal + keptSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(text, &was)
	}
	if err != nil {
		p.cfg.Log.Warn(fmt.Sprintf("what was set before is known from those alone who are alive: %s: %v", p.cfg.Journal+keptSuffix, err))
		return
	}
	if was.Journal != p.journal.head.ID {
		return
	}
	p.changes = was.Changes
	p.before = recollection{members: map[string]*member{}, until: p.now().Add(recallTime)}
	for _, m := range was.Processes {
		p.before.members[m.Process.Name] = &member{Process: m.Process, known: m.Known, former: m.Former}
	}
}

// recall gives what was known of a process in the life before, whether it is still the same or another one of its name.
func (p *Partition) recall(who *Process) *member {
	m := p.before.members[who.Name]
	if m == nil {
		return nil
	}
	if m.same(who) {
		p.before.alive = true
	} else {
		delete(p.before.members, who.Name)
	}
	return m
}

// settle waits for those who were there before, and forgets all where none has come. Nobody who is there has told of anything of his
// own then, since that comes after he has asked what to begin with.
func (p *Partition) settle() {
	expected := func(m *member) bool { return m.known.Told }
	for slices.ContainsFunc(slices.Collect(maps.Values(p.before.members)), expected) && p.wait(p.before.until) {
	}
	if p.before.alive {
		return
	}
	if len(p.before.members) > 0 {
		p.cfg.Log.Info("nobody is left who was there before: what was set then is forgotten")
	}
	if !p.before.until.IsZero() {
		for _, m := range p.members {
			m.former = known{}
		}
	}
	p.before = recollection{}
}

// keep writes the file, where it would say anything else than before. The mutex is held.
func (p *Partition) keep() {
	if p.end != "" {
		return // it was removed
	}
	now := kept{Journal: p.journal.head.ID, Changes: p.changes}
	all := maps.Clone(p.before.members)
	if all == nil {
		all = map[string]*member{}
	}
	maps.Copy(all, p.members)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		now.Processes = append(now.Processes, keptMember{all[name].Process, all[name].known, all[name].former})
	}
	path := p.cfg.Journal + keptSuffix
	text, err := json.Marshal(now)
	if err == nil {
		err = os.WriteFile(path+".new", text, 0o640)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil && !p.unkept {
		p.cfg.Log.Error(fmt.Sprintf("what is set is not kept for a run control that is started again: %v", err))
	}
	p.unkept = err != nil
}

// forget removes the file: a partition that was shut down hands nothing on.
func (p *Partition) forget() {
	if err := os.Remove(p.cfg.Journal + keptSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.cfg.Log.Warn(fmt.Sprintf("what was set is kept, though all has ended: %v", err))
	}
}
