package serve_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// isTaken wants a name to be somebody else's.
func isTaken(t *testing.T, c *serve.Client, err error) {
	t.Helper()
	if taken := (*serve.TakenError)(nil); !errors.As(err, &taken) || !strings.Contains(err.Error(), "another process contributes as c0") {
		t.Errorf("%v", err)
	}
	if c != nil {
		c.Close()
	}
}

// decides wants an event of a client to be decided.
func decides(t *testing.T, c *serve.Client, pulse uint64) {
	t.Helper()
	s := fieldOf(t, 0, "npeaks")
	row := make([]byte, s.RowBytes())
	teb.PutHead(row, teb.Head{Pulse: pulse, Time: pulse, Groups: 1, Service: xtc.L1Accept})
	if err := c.Contribute(row); err != nil {
		t.Fatal(err)
	}
	var d [1]teb.Decision
	if c.Next(d[:]) != 1 || d[0].Pulse != pulse || d[0].Default {
		t.Errorf("%+v", d[0])
	}
}

// TestSecondProcessOfAName is not let in while the first is there, which goes on, and is when that has left; whatever number
// the processes have.
func TestSecondProcessOfAName(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, b := startWith(t, e, members(t)[:1])
	defer s.Close()
	pulse := uint64(1)
	for _, process := range []uint64{5, math.MaxUint64, 1} {
		var first *serve.Client
		var err error
		if !testkit.Within(testkit.Patience, func() bool {
			first, err = serve.Dial(t.Context(), e, fieldOf(t, 0, "npeaks"), process, options())
			return err == nil
		}) {
			t.Fatal(err)
		}
		for range 3 {
			second, err := serve.Dial(t.Context(), e, fieldOf(t, 0, "npeaks"), 7, options())
			isTaken(t, second, err)
			decides(t, first, pulse)
			pulse++
		}
		if books := first.Books(); books.Connections != 1 {
			t.Errorf("process %d: %+v", process, books)
		}
		first.Close()
	}
	if counts, books := s.Counts(), b.Books(); counts.Refused < 9 || counts.Let != 3 || books.StaleBatches != 0 {
		t.Errorf("%+v, %+v", counts, books)
	}
}

// mute is a connection that says nothing any more, and does not end, as that of a host that is gone.
type mute struct {
	serve.Conn
	gone *atomic.Bool
}

func (c mute) Send(m []byte) error {
	if c.gone.Load() {
		return nil
	}
	return c.Conn.Send(m)
}

// TestNameOfAHostThatIsGone is free when it was not heard for a while. When it speaks again, the name is the other's.
func TestNameOfAHostThatIsGone(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, _ := startWith(t, e, members(t)[:1])
	defer s.Close()
	var gone, deaf atomic.Bool
	o := options()
	o.Heartbeat = time.Minute // it notices nothing
	first, err := serve.Connect(t.Context(), func(ctx context.Context) (serve.Conn, error) {
		p, err := wire.DialPair(ctx, e, wire.Options{MessageBytes: teb.MaxBatchBytes})
		return mute{pipe{p, &deaf}, &gone}, err
	}, fieldOf(t, 0, "npeaks"), 1, o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	gone.Store(true)
	var second *serve.Client
	if !testkit.Within(testkit.Patience, func() bool {
		second, err = serve.Dial(t.Context(), e, fieldOf(t, 0, "npeaks"), 2, options())
		return err == nil
	}) {
		t.Fatal(err)
	}
	defer second.Close()
	gone.Store(false)
	decides(t, second, 1)
	third, err := serve.Dial(t.Context(), e, fieldOf(t, 0, "npeaks"), 1, options())
	isTaken(t, third, err)
	decides(t, second, 2)
}

// TestSecondProcessWhoWaits for the others, as the first does, does not take its place, also while that asks again.
func TestSecondProcessWhoWaits(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s := gather(t, e, "sum(c.x) >= 30")
	defer s.Close()
	for range 3 {
		_, err := serve.Dial(t.Context(), e, fieldOf(t, 0, "x"), 1, options())
		if later := (*serve.LaterError)(nil); !errors.As(err, &later) {
			t.Fatal(err)
		}
		second, err := serve.Dial(t.Context(), e, fieldOf(t, 0, "x"), 2, options())
		isTaken(t, second, err)
	}
}
