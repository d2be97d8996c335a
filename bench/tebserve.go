package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"drp/internal/wire"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// What was promised over sockets of one machine, with three contributors.
const (
	served          = 3
	promisedServed  = 100e3 // events per second on two cores
	offeredServed   = 25e3  // at which
	promisedMedian  = 1.0   // ms are added, in the middle
	promisedSlowest = 5.0   // ms, for 99 in 100
)

// tebSockets measures a stand-alone trigger event builder, with its contributors in this process too.
func tebSockets(ctx context.Context, r *Report, o TEBOptions) error {
	for round := range o.Rounds + 1 {
		rate, _, err := serveTEB(ctx, o.Seconds, 0)
		if err != nil {
			return err
		}
		_, late, err := serveTEB(ctx, o.Seconds, offeredServed)
		if err != nil {
			return err
		}
		ping, err := pingTimes(ctx, o.Seconds)
		if err != nil {
			return err
		}
		if round == 0 {
			continue
		}
		slices.Sort(late)
		slices.Sort(ping)
		r.add("ping_p50", "ms", "one message there and back over such a socket, alone", ping[len(ping)/2])
		r.add("ping_p99", "ms", "the same, for 99 in 100", ping[len(ping)*99/100])
		r.add("served_3", "1/s", "events of three contributors over sockets, built and decided, all in this process", rate)
		r.add("promised_served", "1/s", "what is promised for that", promisedServed)
		r.add("latency_p50", "ms", "from the last row of an event to its decision at a client, at 25,000 events a second", late[len(late)/2])
		r.add("latency_p99", "ms", "the same, for 99 in 100", late[len(late)*99/100])
		r.add("promised_p50", "ms", "what is promised for that", promisedMedian)
		r.add("promised_p99", "ms", "what is promised for that", promisedSlowest)
	}
	return nil
}

// serveTEB lets three clients bring events, as fast as possible or at a rate, and gives what was decided in a second, and
// how long each decision took, from the last of the three rows until the first client had it, in ms.
func serveTEB(ctx context.Context, seconds, offered float64) (rate float64, late []float64, err error) {
	folder, err := os.MkdirTemp("", "drp-bench-")
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	o := serve.Options{Partition: "bench", Decide: time.Minute}
	c := teb.Config{Partition: o.Partition, Deadline: time.Minute, Decide: time.Minute,
		Logic: []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "hit", When: tebRule, Persist: true}})}}
	for k := range served {
		s, err := teb.NewSchema("segment_"+strconv.Itoa(k), teb.Field{Name: "npeaks", Type: teb.U16})
		if err != nil {
			return 0, nil, err
		}
		c.Contributors = append(c.Contributors, teb.Member{Schema: s})
	}
	t, err := teb.New(c)
	if err != nil {
		return 0, nil, err
	}
	server := serve.NewServer(t, o)
	defer server.Close()
	e := wire.Endpoint{Path: filepath.Join(folder, "teb")}
	if _, err := server.Listen(e); err != nil {
		return 0, nil, err
	}
	var clients []*serve.Client
	for _, m := range c.Contributors {
		c, err := serve.Dial(ctx, e, m.Schema, 1, o)
		if err != nil {
			return 0, nil, err
		}
		defer c.Close()
		clients = append(clients, c)
	}
	return exchangeRows(ctx, clients, seconds, offered)
}

// exchangeRows lets the clients bring the same events.
func exchangeRows(ctx context.Context, clients []*serve.Client, seconds, offered float64) (rate float64, late []float64, err error) {
	events := 50000
	if offered > 0 {
		events = int(offered * seconds)
	}
	begin := time.Now()
	came := make([]time.Duration, events)
	errs, gone := make([]error, len(clients)), make([][]time.Duration, len(clients))
	var all sync.WaitGroup
	for k, c := range clients {
		gone[k] = make([]time.Duration, events)
		all.Go(func() { errs[k] = bring(ctx, c, offered, begin, gone[k]) })
		all.Go(func() {
			some := make([]teb.Decision, tebRows)
			for n := 0; n < events; {
				got := c.Next(some)
				if got == 0 {
					return
				}
				if n += got; k == 0 {
					for _, d := range some[:got] {
						came[d.Pulse] = time.Since(begin)
					}
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin).Seconds()
	for _, c := range clients {
		if b := c.Books(); errors.Join(errs...) == nil && b.Decided != uint64(events) {
			return 0, nil, fmt.Errorf("bench: %d of %d events were decided", b.Decided, events)
		}
	}
	for pulse := range came {
		last := time.Duration(0)
		for k := range gone {
			last = max(last, gone[k][pulse])
		}
		late = append(late, (came[pulse]-last).Seconds()*1e3)
	}
	return float64(events) / took, late, errors.Join(errs...)
}

// bring contributes events when they are due, and notes when that was.
func bring(ctx context.Context, c *serve.Client, offered float64, begin time.Time, gone []time.Duration) error {
	row := make([]byte, 32)
	for pulse := range gone {
		if offered > 0 {
			due := time.Duration(float64(pulse) / offered * float64(time.Second))
			time.Sleep(due - time.Since(begin))
		}
		if err := ctx.Err(); err != nil {
			c.Close()
			return err
		}
		gone[pulse] = time.Since(begin)
		teb.PutHead(row, teb.Head{Pulse: uint64(pulse), Time: uint64(pulse), Groups: 1, Service: xtc.L1Accept})
		if err := c.Contribute(row); err != nil {
			return err
		}
	}
	return nil
}

// pingTimes measures messages of a row's size there and back, a thousand in a second: what the machine and the sockets take
// without any trigger.
func pingTimes(ctx context.Context, seconds float64) (took []float64, err error) {
	folder, err := os.MkdirTemp("", "drp-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	e := wire.Endpoint{Path: filepath.Join(folder, "ping")}
	pairs, _, err := wire.ListenPairs(e, wire.Options{}, func(p *wire.Pair) {
		for {
			m, err := p.Recv(time.Minute)
			if err != nil || p.Send(m...) != nil {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	defer pairs.Close()
	p, err := wire.DialPair(ctx, e, wire.Options{})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	message := make([]byte, 32)
	for begin := time.Now(); len(took) == 0 || time.Since(begin).Seconds() < seconds; {
		time.Sleep(time.Millisecond)
		sent := time.Now()
		if err := p.Send(message); err != nil {
			return nil, err
		}
		if _, err := p.Recv(time.Minute); err != nil {
			return nil, err
		}
		if took = append(took, time.Since(sent).Seconds()*1e3); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return took, nil
}
