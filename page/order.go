package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"drp/internal/wire"
)

// Command is what a replay is told to do. What is nil stays as it is.
type Command struct {
	Paused   *bool    `json:"paused"`
	Speed    *float64 `json:"speed"`
	Loop     *bool    `json:"loop"`
	Position *int64   `json:"position"` // show this event
	Step     *int     `json:"step"`     // show the next one, or the one before, and pause: 1 or -1
}

// order is a command that somebody waits for.
type order struct {
	Command
	done chan error
}

// Order gives a command, and waits until it was carried out.
func (p *Player) Order(ctx context.Context, c Command) error {
	if err := c.check(p); err != nil {
		return err
	}
	o := order{c, make(chan error, 1)}
	select {
	case p.orders <- o:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Command) check(p *Player) error {
	s := p.State()
	switch {
	case c.Speed != nil && CheckSpeed(*c.Speed) != nil:
		return CheckSpeed(*c.Speed)
	case c.Step != nil && *c.Step != 1 && *c.Step != -1:
		return fmt.Errorf("step %d: give 1 or -1", *c.Step)
	case c.Step != nil && c.Position != nil:
		return errors.New("give a step or a position, not both")
	case c.Position != nil && (*c.Position < 0 || s.Events >= 0 && *c.Position >= int64(s.Events)):
		return fmt.Errorf("position %d: the files have %d events, and the first is 0", *c.Position, s.Events)
	}
	return nil
}

// obey carries out a command, in the goroutine of Run.
func (p *Player) obey(ctx context.Context, c *Command) error {
	before := p.State()
	p.change(func(s *ReplayState) {
		if c.Paused != nil {
			s.Paused = *c.Paused
		}
		if c.Speed != nil {
			s.Speed = *c.Speed
		}
		if c.Loop != nil {
			s.Loop = *c.Loop
		}
		if c.Step != nil {
			s.Paused = true
		}
	})
	p.due, p.before = time.Now(), 0
	switch {
	case c.Position != nil:
		return p.seek(ctx, *c.Position)
	case c.Step != nil:
		to := before.Position + int64(*c.Step)
		if to < 0 || before.Events >= 0 && to >= int64(before.Events) {
			return fmt.Errorf("there is no event %d: the files have %d, and the first is 0", to, before.Events)
		}
		return p.seek(ctx, to)
	case c.Paused != nil && !*c.Paused && before.Ended && before.Why == "": // once more
		p.turn()
	}
	return nil
}

// seek shows an event. Transitions before it are published where they differ from what holds.
func (p *Player) seek(ctx context.Context, to int64) error {
	err := error(nil)
	if to < p.next {
		err = p.reopen()
	}
	for err == nil {
		if err = p.announce(ctx); err != nil {
			break
		}
		if p.header.Service.IsEvent() && p.next == to {
			p.change(func(s *ReplayState) { s.Ended, s.Why = false, "" })
			p.agree()
			err = p.take(true)
			break
		}
		err = p.take(false)
	}
	if err == nil {
		return nil
	}
	p.stop(err)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("there is no event %d", to)
	}
	return err
}

// agree publishes the transitions that hold now, and that those who watch were not told of last.
func (p *Player) agree() {
	for _, d := range p.holds.news() {
		p.publish(d)
	}
}

// Orders is the handler that changes a replay; who may do so has been found out before.
func (p *Page) Orders() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.o.Player == nil {
			p.serveReplay(w, r)
			return
		}
		const most = 64 << 10
		text, err := io.ReadAll(io.LimitReader(r.Body, most))
		var c Command
		if err == nil {
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			err = d.Decode(&c)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("this is no order for a replay: %w; send one as {\"paused\": true}, or with speed, loop, "+
				"position or step", wire.JSONTrouble(err)))
			return
		}
		if err := p.o.Player.Order(r.Context(), c); err != nil {
			refuse(w, http.StatusUnprocessableEntity, err)
			return
		}
		reply(w, p.o.Player.State())
	})
}

func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// serveReplay says how far a replay is.
func (p *Page) serveReplay(w http.ResponseWriter, _ *http.Request) {
	if p.o.Player == nil {
		http.Error(w, "this is a run that goes on, and no replay", http.StatusNotFound)
		return
	}
	reply(w, p.o.Player.State())
}
