package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"drp/shm"
)

// Agent is a process's side of run control: it gives orders one by one, and tells run control what became of them. While run
// control does not answer, the process goes on as it is.
type Agent struct {
	c        *Client
	log      *slog.Logger
	orders   chan Order
	progress func() Report
	stop     context.CancelFunc
	ctx      context.Context
	running  sync.WaitGroup
	poke     chan struct{} // has a token when there is something to report

	joining sync.Mutex // is held while it registers again

	mu      sync.Mutex // protects all below
	who     Process    // Number is that of the last order that was followed
	place   Place
	warning string
	undone  uint64 // the order that warning says could not be done
	why     string // it is to end
	silent  bool   // run control does not answer
}

// Patience of an Agent.
const (
	heartbeat    = 500 * time.Millisecond
	requestTime  = 5 * time.Second
	farewellTime = 2 * time.Second
)

// Join registers with run control, for which it waits until ctx ends. progress tells how far the process is and how it fares,
// whenever it is asked; what it gives is told but for Session, Number, Warning, Undone, Left and Exit.
func Join(ctx context.Context, c *Client, who Process, log *slog.Logger, progress func() Report) (*Agent, error) {
	host, _ := os.Hostname() // a name for people, and only one of three by which it is known again
	self, err := shm.Self()
	if err != nil {
		return nil, err
	}
	who.Host, who.PID, who.Start = host, self.PID, self.StartTime
	a := &Agent{c: c, log: log, orders: make(chan Order), progress: progress, poke: make(chan struct{}, 1), who: who}
	for said := ""; ; {
		place, err := c.register(ctx, who)
		if err == nil {
			a.place = place
			break
		}
		if p := (*Problem)(nil); errors.As(err, &p) && p.Kind != Conflict {
			return nil, err
		}
		if ctx.Err() != nil {
			if said == "" {
				said = err.Error()
			}
			return nil, fmt.Errorf("%s has no place at run control: %s", who.Name, said)
		}
		if text := err.Error(); text != said {
			said = text
			log.Info("waiting for run control: " + text)
		}
		sleep(ctx, heartbeat/5)
	}
	log.Info(fmt.Sprintf("%s waits for the orders of run control at %v", who.Name, c))
	a.ctx, a.stop = context.WithCancel(context.Background())
	a.running.Go(a.listen)
	a.running.Go(a.tell)
	return a, nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Orders gives what to do next. It is closed when the process is to end; Why tells why.
func (a *Agent) Orders() <-chan Order { return a.orders }

// Why tells why run control wants the process to end.
func (a *Agent) Why() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}

// Unheard says what becomes of what is set now, where run control does not hear of it; empty where it does.
func (a *Agent) Unheard() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.silent {
		return ""
	}
	return fmt.Sprintf("run control at %v does not answer: if this process ends before it is there again, what is set now is lost, unless another "+
		"process was told the same for all", a.c)
}

// Done says that an order was followed, and what went wrong with it, if anything did. With an *UndoneError it fails.
func (a *Agent) Done(o uint64, trouble error) {
	a.mu.Lock()
	a.who.Number, a.warning, a.undone = max(a.who.Number, o), "", 0
	if trouble != nil {
		a.warning = cut(trouble.Error(), longestReason)
	}
	if isUndone(trouble) {
		a.undone = o
	}
	a.mu.Unlock()
	select {
	case a.poke <- struct{}{}:
	default:
	}
}

// Settings asks what the parameters of this process are to be at its beginning, where it is there again. Run control that is
// started again itself is waited for, but not for long.
func (a *Agent) Settings() (s Settings, err error) {
	ctx, cancel := context.WithTimeout(a.ctx, requestTime)
	defer cancel()
	for {
		a.mu.Lock()
		session := a.place.Session
		a.mu.Unlock()
		s, err = a.c.settings(ctx, a.who.Name, session)
		if p := (*Problem)(nil); err == nil || errors.As(err, &p) && p.Kind != Unknown || ctx.Err() != nil {
			return s, err
		}
		sleep(ctx, heartbeat/5)
		if ctx.Err() != nil {
			return s, err
		}
	}
}

// Close says goodbye, with the reason where something went wrong, and the exit code that the process will have.
func (a *Agent) Close(cause error, exit int) {
	a.stop()
	a.running.Wait()
	r := a.reported()
	r.Left, r.Exit = "in order", exit
	if cause != nil {
		r.Left = cause.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	_ = a.c.report(ctx, a.who.Name, r) // run control may have gone before
	a.c.Close()
}

// reported says first what was done and then how far that has led, which is never less than it was then.
func (a *Agent) reported() Report {
	a.mu.Lock()
	session, number, warning, undone := a.place.Session, a.who.Number, a.warning, a.undone
	a.mu.Unlock()
	r := a.progress()
	r.Session, r.Number, r.Warning, r.Undone = session, number, warning, undone
	return r
}

// listen hands on orders until the process is to end.
func (a *Agent) listen() {
	defer close(a.orders)
	for handed := uint64(0); a.ctx.Err() == nil; {
		a.mu.Lock()
		session := a.place.Session
		a.mu.Unlock()
		ctx, cancel := context.WithTimeout(a.ctx, longPoll+requestTime)
		next, err := a.c.order(ctx, a.who.Name, session, handed)
		cancel()
		switch {
		case !a.understand(err, session):
			return
		case err != nil:
			sleep(a.ctx, heartbeat)
		case next.End != "":
			a.end(next.End)
			return
		case next.Order != nil && next.Order.Number > handed:
			select {
			case a.orders <- *next.Order:
				handed = next.Order.Number
			case <-a.ctx.Done():
			}
		}
	}
}

func (a *Agent) end(why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.why == "" {
		a.why = why
		a.log.Info("run control ends this process: " + why)
	}
}

// tell reports when something was done, and otherwise now and then.
func (a *Agent) tell() {
	for a.ctx.Err() == nil {
		r := a.reported()
		ctx, cancel := context.WithTimeout(a.ctx, requestTime)
		err := a.c.report(ctx, a.who.Name, r)
		cancel()
		if !a.understand(err, r.Session) {
			return
		}
		timer := time.NewTimer(heartbeat)
		select {
		case <-a.poke:
		case <-timer.C:
		case <-a.ctx.Done():
		}
		timer.Stop()
	}
}

// understand makes the best of an answer, or of none. It is false when there is no place for the process any more. What may
// pass, as that another one has its name, does not end a run.
func (a *Agent) understand(err error, session string) bool {
	p := (*Problem)(nil)
	if errors.As(err, &p) && p.Kind == Unknown {
		if err = a.rejoin(session); err == nil {
			return true
		}
	}
	if !errors.As(err, &p) || p.Kind == Conflict || p.Kind == Denied || p.Kind == Failed {
		a.hear(err)
		return true
	}
	if a.ctx.Err() == nil {
		a.end(p.Message)
	}
	return false
}

// hear notes whether run control answers.
func (a *Agent) hear(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil && a.silent:
		a.silent = false
		a.log.Info("run control is there again")
	case err != nil && !a.silent && a.ctx.Err() == nil:
		a.silent = true
		a.log.Warn("no orders of run control; this process goes on as it is, and what is set meanwhile is lost if it ends before run control is there again: " + err.Error())
	}
}

// rejoin registers with run control that was started again, unless the other goroutine has done so.
func (a *Agent) rejoin(session string) error {
	a.joining.Lock()
	defer a.joining.Unlock()
	a.mu.Lock()
	who, known := a.who, a.place
	a.mu.Unlock()
	if known.Session != session {
		return nil
	}
	if who.Number > 0 {
		who.Journal = known.Journal
	}
	ctx, cancel := context.WithTimeout(a.ctx, requestTime)
	defer cancel()
	place, err := a.c.register(ctx, who)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.place = place
	}
	return err
}
