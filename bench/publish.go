package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"drp/calib"
	"drp/calib/publish"
	"drp/internal/wire"
	"drp/internal/world"
)

// publishDeadline is how long workers may take before it counts as a failure.
const publishDeadline = 10 * time.Second

// publishing measures how long it takes from constants that were fetched and checked until all workers hold them: writing
// them into shared memory, announcing them, and every worker, each with a socket and an attachment of its own in this
// process, attaching them and saying so. What a worker reads of them afterwards is not in it.
func publishing(ctx context.Context, r *Report, o CalibOptions) error {
	folder, err := os.MkdirTemp("", "drp-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	set, err := benchConstants(o.Bytes)
	if err != nil {
		return err
	}
	many := fmt.Sprintf("publish_%d", o.Workers)
	var crowds []*crowd
	defer func() {
		for _, c := range crowds {
			c.close()
		}
	}()
	for _, n := range []int{1, o.Workers} {
		c, err := gather(ctx, folder, n, set)
		if err != nil {
			return err
		}
		crowds = append(crowds, c)
	}
	from, target := make([]byte, o.Bytes), make([]byte, o.Bytes)
	for i := range from {
		from[i], target[i] = 1, 1 // so that both have memory of their own
	}
	for round := range o.Rounds + o.Rounds%2 { // an even number: who goes first takes turns
		began := time.Now()
		copy(target, from)
		r.add("copy", "s", "one copy of as many bytes into memory that is in use", time.Since(began).Seconds())
		for turn := range crowds {
			i := (turn + round) % len(crowds) // whoever is first finds the memory as the copy left it
			c := crowds[i]
			took, err := c.publish(ctx, set, round)
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%.0f MB until %d workers hold them, in a socket and an attachment each", float64(o.Bytes)/1e6, c.n)
			r.add([]string{"publish_1", many}[i], "s", what, took.Seconds())
		}
		r.add("second", "s", "what it may take", 1)
	}
	r.settle()
	r.bar("constants to all workers", many, "second", 1, true)
	r.bar("constants whatever the number of workers", many, "publish_1", 1.2, true)
	return nil
}

// benchConstants makes constants of about so many bytes: 15 for each pixel of a detector without gain ranges.
func benchConstants(bytes int) (*calib.Set, error) {
	const cols = 1000
	s := &calib.Set{Detector: "bench", Model: "bench", Serials: []string{"1"}, Unit: calib.ADU, Rows: max(bytes/15/cols, 1),
		Cols: cols}
	n := s.SegmentPixels()
	s.Pedestals, s.Gains, s.RMS = make([]float32, n), make([]float32, n), make([]float32, n)
	s.Status, s.Mask = make([]uint16, n), make([]uint8, n)
	for i := range n {
		s.Pedestals[i], s.Gains[i], s.Mask[i] = float32(i), 1, 1
	}
	return s, s.Check()
}

// crowd is a publisher and its workers.
type crowd struct {
	n         int
	publisher *publish.Publisher
	held      chan uint64 // what workers say that they hold from now on
	end       context.CancelFunc
	workers   *world.Join
}

// gather starts workers, and waits until all of them hold a first generation.
func gather(ctx context.Context, folder string, n int, set *calib.Set) (*crowd, error) {
	cfg := publish.Config{Partition: fmt.Sprint(n), Folder: folder}
	p, err := publish.NewPublisher(cfg)
	if err != nil {
		return nil, err
	}
	w := world.Real()
	ctx, end := context.WithCancel(ctx)
	c := &crowd{n: n, publisher: p, held: make(chan uint64, n), end: end, workers: world.NewJoin(w)}
	socket := filepath.Join(folder, publish.SocketName(cfg.Partition, set.Detector, set.Serials))
	for range n {
		s, err := publish.Subscribe(wire.Endpoint{Path: socket}, publish.SubscribeOptions{})
		if err != nil {
			c.close()
			return nil, err
		}
		c.workers.Go(func() { c.work(ctx, s) })
	}
	if _, err := c.publish(ctx, set, 0); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// work attaches each generation, and gives up the one before.
func (c *crowd) work(ctx context.Context, s *publish.Subscriber) {
	defer s.Close()
	var held *publish.Attached
	for {
		r, err := s.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			continue
		}
		next, err := r.Attach()
		if err != nil {
			continue // it is missing then
		}
		c.held <- next.Generation
		if held != nil {
			_ = held.Close()
		}
		held = next
	}
	if held != nil {
		_ = held.Close()
	}
}

// publish measures one generation.
func (c *crowd) publish(ctx context.Context, set *calib.Set, run int) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	began := time.Now()
	seg, err := c.publisher.Publish(set, run)
	if err == nil {
		err = c.wait(seg.Generation)
	}
	took := time.Since(began)
	if seg != nil {
		err = errors.Join(err, seg.Release())
	}
	return took, err
}

// wait returns when all workers hold a generation.
func (c *crowd) wait(generation uint64) error {
	late := time.NewTimer(publishDeadline)
	defer late.Stop()
	for missing := c.n; missing > 0; {
		select {
		case g := <-c.held:
			if g == generation {
				missing--
			}
		case <-late.C:
			return fmt.Errorf("bench: after %v generation %d of the constants is missing in %d of %d workers", publishDeadline,
				generation, missing, c.n)
		}
	}
	return nil
}

func (c *crowd) close() {
	c.end()
	c.workers.Wait()
	_ = c.publisher.Close()
}
