package control

import (
	"fmt"
	"maps"
	"time"
)

// begin makes sure that only one thing is done at a time. The function it gives is the end of it.
func (p *Partition) begin(what string) (func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy != "" {
		return nil, refuse(Conflict, "%s is under way: wait for its end", p.busy)
	}
	p.busy = what
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.busy = ""
		p.change()
	}, nil
}

// Do makes a transition. Processes that did not follow within the deadline are named in the *Problem; the others have,
// and those follow when they can. A deadline of 0 is that of the transition.
func (p *Partition) Do(name string, deadline time.Duration) error {
	t, err := find(name)
	if err != nil {
		return err
	}
	done, err := p.begin(name)
	if err != nil {
		return err
	}
	defer done()
	return p.transition(t, deadline)
}

// Reach makes all transitions between here and a state. Where it goes up it ends at the first that fails.
func (p *Partition) Reach(to State, deadline time.Duration) error {
	done, err := p.begin("the way to " + to.String())
	if err != nil {
		return err
	}
	defer done()
	return p.reach(to, deadline)
}

func (p *Partition) reach(to State, deadline time.Duration) error {
	var left *Problem
	for {
		p.mu.Lock()
		at := stateOf(p.stack)
		p.mu.Unlock()
		if at == to {
			if left != nil {
				return left
			}
			return nil
		}
		err := p.transition(towards(at, to), deadline)
		problem, ok := err.(*Problem) //nolint:errorlint // it is what transition gives
		switch {
		case err == nil:
		case !ok || problem.Kind != Failed || to > at:
			return err
		case left == nil:
			left = problem
		default:
			maps.Copy(left.Failed, problem.Failed)
			left.Message += "; " + problem.Message
		}
	}
}

// transition makes one transition.
func (p *Partition) transition(t Transition, deadline time.Duration) error {
	if deadline <= 0 {
		deadline = t.Deadline
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := stateOf(p.stack); at != t.From {
		return refuse(Conflict, "%s is for when the partition is %v, and it is %v: %s comes next", t.Name, t.From, at, towards(at, t.From).Name)
	}
	began := p.now()
	until := began.Add(deadline)
	if t.To > t.From {
		if err := p.ready(t, until, deadline); err != nil {
			return err
		}
	}
	slow := map[string]string{}
	if t.Name == "disable" {
		held, err := p.order(Order{Name: hold})
		if err != nil {
			return err
		}
		slow = p.await(held, began, began.Add(deadline/2), false) // the rest is for those who wait for nobody
	}
	o := Order{Name: t.Name}
	switch t.Name {
	case "begin-run":
		if o.Run = p.run + 1; o.Run > maxRun {
			return refuse(Conflict, "numbers of runs end at %d: begin another journal, with other names for the files", maxRun)
		}
	case "begin-step":
		o.Step = p.step + 1
	case "configure":
		p.furthest = 0
	}
	asked, err := p.order(o)
	if err != nil {
		return err
	}
	maps.DeleteFunc(slow, func(name, _ string) bool { return asked[name] != nil }) // it may follow yet
	maps.Copy(slow, p.await(asked, began, until, t.To > t.From))
	if len(slow) > 0 {
		problem := failed(fmt.Sprintf("%s: the partition is %v, but for %d", t.Name, t.To, len(slow)), slow)
		p.cfg.Log.Error(problem.Message)
		return problem
	}
	p.cfg.Log.Info(fmt.Sprintf("the partition is %v", t.To))
	return nil
}

// order writes an order to the journal and gives it to all. It tells which of them are expected to follow. The mutex is
// held, as it is in all below.
func (p *Partition) order(o Order) (map[string]*member, error) {
	o.Number = uint64(len(p.journal.orders) + 1)
	switch {
	case o.Name == hold || o.Name == goOn: // which are no datagrams
	case o.Name == "disable" && p.furthest > 0:
		o.Time = next(p.furthest) // in the time of the data, which files have from elsewhere
	default:
		o.Time = max(timeOf(p.now()), next(p.latest), next(p.furthest))
	}
	if err := p.journal.write(o); err != nil {
		return nil, err
	}
	p.note(o)
	asked := map[string]*member{}
	for name, m := range p.members {
		if m.gone != "" {
			continue
		}
		m.queue = append(m.queue, o)
		if m.absent(p.now()) == "" {
			asked[name] = m
		}
	}
	p.change()
	return asked, nil
}

// wait waits until something changes. It is false when the time has come.
func (p *Partition) wait(until time.Time) bool {
	left := until.Sub(p.now())
	if left <= 0 {
		return false
	}
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	timer := time.NewTimer(min(left, grace/2)) // silence changes nothing, but is looked at
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
	return true
}

// await waits until processes have followed the last order, and gives those who have not, with the reason. On the way up
// one that is lost may be what the others wait for, so that these are not waited for much longer.
func (p *Partition) await(asked map[string]*member, began, until time.Time, up bool) map[string]string {
	number := uint64(len(p.journal.orders))
	slow := map[string]string{}
	for {
		waiting := []string{}
		for name, m := range asked {
			if p.members[name] != m || m.report.Number >= number { // dropped, replaced, or done
				delete(asked, name)
				if why := m.undone(number); why != "" && p.members[name] == m {
					slow[name] = why
				}
			} else if why := m.absent(p.now()); why != "" {
				slow[name] = why
				delete(asked, name)
				if rest := p.now().Add(2 * grace); up && rest.Before(until) {
					until = rest
				}
			} else {
				waiting = append(waiting, name)
			}
		}
		if len(waiting) == 0 {
			return slow
		}
		if !p.wait(until) {
			for _, name := range waiting {
				slow[name] = fmt.Sprintf("did not do it within %v", until.Sub(began).Round(100*time.Millisecond))
			}
			return slow
		}
	}
}

// ready waits until all who must be there are, and where they should be.
func (p *Partition) ready(t Transition, until time.Time, deadline time.Duration) error {
	for {
		missing, behind := map[string]string{}, map[string]string{}
		for _, name := range p.cfg.Processes {
			if p.members[name] == nil && !p.dropped[name] {
				missing[name] = "has not come yet"
			}
		}
		for name, m := range p.members {
			if why := m.absent(p.now()); why != "" {
				missing[name] = why
			} else if len(m.queue) > 0 {
				behind[name] = fmt.Sprintf("has not done %s within %v", m.queue[0].Name, deadline)
			}
		}
		switch {
		case len(missing) > 0:
			problem := failed(t.Name+" needs all processes", missing)
			problem.Message += ": start it again, or drop it"
			problem.Kind = Conflict
			return problem
		case len(p.members) == 0:
			return refuse(Conflict, "%s: no process is there: start some with --control", t.Name)
		case len(behind) == 0:
			return nil
		case !p.wait(until):
			return failed(t.Name+" needs all processes", behind)
		}
	}
}

// Shutdown ends all processes in order, and waits until they have.
func (p *Partition) Shutdown(deadline time.Duration) error {
	done, err := p.begin("the shutdown")
	if err != nil {
		return err
	}
	defer done()
	first := p.reach(Unconfigured, deadline)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = "the partition is being shut down"
	p.forget()
	p.change()
	if deadline <= 0 {
		deadline = time.Minute
	}
	for until := p.now().Add(deadline); ; {
		left := map[string]string{}
		for name, m := range p.members {
			if m.absent(p.now()) == "" {
				left[name] = fmt.Sprintf("has not ended within %v", deadline)
			}
		}
		if len(left) == 0 {
			return p.ended(first)
		}
		if !p.wait(until) {
			return failed("shutdown", left)
		}
	}
}
