package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"drp/drp"
	"drp/pebble"
	"drp/shm"
	"drp/source"
)

// Options say how long to measure.
type Options struct {
	Python     string
	PythonPath string
	Script     string // scripts/passthrough.py
	Rounds     int
	Seconds    float64 // of each measurement
}

const fullRing = 64

// Handoff measures how fast datagrams go to a Python script and back.
func Handoff(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Machine: machine()}
	h := &handoff{o: o, report: r}
	defer h.close()
	if err := h.open(ctx); err != nil {
		return nil, err
	}
	for range o.Rounds {
		for _, measure := range []func(context.Context) error{h.memcpy, h.pingPong, h.exchanges, h.copying, h.pipeline} {
			if err := errors.Join(ctx.Err(), measure(ctx)); err != nil {
				return nil, err
			}
		}
	}
	for _, us := range r.find("ping_pong_one_core").Runs { // the faster of the two
		r.add("ping_pong_rate", "1/s", "the same as a rate", 1e6/us)
	}
	r.settle()
	r.bar("one at a time", "round_trip", "ping_pong", 2, true)
	r.bar("one at a time, on one core", "round_trip_one_core", "ping_pong_one_core", 2, true)
	r.bar("empty script, 4 KiB", "empty_4k", "ping_pong_rate", 2, false)
	r.bar("empty script, 4 MiB", "empty_4m", "ping_pong_rate", 2, false)
	r.bar("region of interest, event by event", "roi_4m", "copying_4m", 15, false)
	r.bar("region of interest, in batches", "roi_batch_4m", "copying_4m", 50, false)
	r.bar("drp around the hand-off", "pipeline_time", "passthrough_time", 1.1, true)
	return r, nil
}

// handoff holds the processes that are measured in turns.
type handoff struct {
	o      Options
	report *Report

	placement   *placement
	ping        *peer
	copier      *peer
	segment     *shm.Segment
	frame       []byte // the pebble's side of the copying way
	runs        []measured
	passthrough *exchange
}

type measured struct {
	name, what string
	x          *exchange
}

func (h *handoff) open(ctx context.Context) (err error) {
	large, small := largeCamera(), smallCamera()
	if h.placement, err = newPlacement(); err != nil {
		return err
	}
	if h.ping, err = startPeer(h.o.Python, pingScript); err != nil {
		return err
	}
	h.frame = make([]byte, large.rows*large.cols*2)
	if h.segment, err = shm.Create(len(h.frame)); err != nil {
		return err
	}
	h.copier, err = startPeer(h.o.Python, copyScript, strconv.Itoa(h.segment.ID()),
		strconv.Itoa(len(h.frame)+shm.HeaderBytes), fmt.Sprint(large.rows), fmt.Sprint(large.cols))
	if err != nil {
		return err
	}
	passthrough, err := os.ReadFile(h.o.Script)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for _, m := range []struct {
		name, what, script string
		camera             camera
	}{
		{"empty_4k", "empty script, 4 KiB frames", emptyScript, small},
		{"empty_4m", "empty script, 4 MiB frames", emptyScript, large},
		{"roi_4k", "64 x 64 of 4 KiB frames, event by event", roiScript, small},
		{"roi_4m", "64 x 64 of 4 MiB frames, event by event", roiScript, large},
		{"roi_batch_4k", "64 x 64 of 4 KiB frames, in batches", roiBatchScript, small},
		{"roi_batch_4m", "64 x 64 of 4 MiB frames, in batches", roiBatchScript, large},
		{"passthrough", "passthrough.py, 4 KiB frames, bare hand-off", string(passthrough), small},
	} {
		slots := fullRing
		if m.name == "passthrough" {
			slots = pebble.DefaultSlots(4 << 10) // as the run it is compared with
		}
		x, err := openExchange(ctx, h.o.Python, h.o.PythonPath, m.script, m.camera, slots)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		h.runs = append(h.runs, measured{m.name, m.what, x})
		h.report.Python = x.group.String()
	}
	h.passthrough = h.runs[len(h.runs)-1].x
	return h.warmUp()
}

// warmUp runs everything once unmeasured.
func (h *handoff) warmUp() error {
	for _, m := range h.runs {
		if _, err := m.x.round(2000, fullRing); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	for range 1000 {
		if err := h.ping.roundTrip(); err != nil {
			return err
		}
	}
	return nil
}

func (h *handoff) memcpy(context.Context) error {
	const size = 64 << 20
	src, dst := make([]byte, size), make([]byte, size)
	for i := range src {
		src[i] = byte(i) // untouched memory would all be one page of zeros
	}
	copy(dst, src)
	n := 0
	start := time.Now()
	for time.Since(start).Seconds() < h.o.Seconds/2 {
		copy(dst, src)
		n++
	}
	h.report.add("memcpy", "GB/s", "copy of 64 MiB", float64(n)*size/time.Since(start).Seconds()/1e9)
	return nil
}

// pingPong measures the bare pipes and our round trip in short turns, with both ends on two processors and on one.
func (h *handoff) pingPong(context.Context) error {
	const turns = 5
	x := h.runs[1].x // 4 MiB, empty script
	child := x.group.PID(0)
	for _, where := range []struct {
		suffix, what string
		put          func(pid int) error
	}{
		{"", "on two cores", h.placement.apart},
		{"_one_core", "on one core", h.placement.together},
	} {
		for range turns {
			if err := errors.Join(where.put(h.ping.cmd.Process.Pid), where.put(child)); err != nil {
				return err
			}
			bare, n, err := h.bareTurn(h.o.Seconds / turns)
			if err != nil {
				return err
			}
			ours, err := x.round(n, 1)
			if err != nil {
				return err
			}
			h.report.add("ping_pong"+where.suffix, "us", "8 bytes from Go to Python and back, bare pipes, "+where.what, bare*1e6)
			h.report.add("round_trip"+where.suffix, "us", "an event of 4 MiB to an empty script and back, one at a time, "+
				where.what, ours.Seconds()*1e6)
		}
	}
	return errors.Join(h.placement.free(h.ping.cmd.Process.Pid), h.placement.free(child))
}

// bareTurn gives the seconds per round trip over bare pipes, and how many there were.
func (h *handoff) bareTurn(seconds float64) (float64, int64, error) {
	n, start := int64(0), time.Now()
	for time.Since(start).Seconds() < seconds {
		for range 50 {
			if err := h.ping.roundTrip(); err != nil {
				return 0, 0, err
			}
		}
		n += 50
	}
	return time.Since(start).Seconds() / float64(n), n, nil
}

// sized measures an exchange for about the time chosen.
func (h *handoff) sized(x *exchange, limit int) (time.Duration, error) {
	took, err := x.round(500, limit)
	if err != nil {
		return 0, err
	}
	return x.round(max(500, int64(h.o.Seconds/took.Seconds())), limit)
}

func (h *handoff) exchanges(context.Context) error {
	for _, m := range h.runs {
		if m.x == h.passthrough {
			continue // measured with the pipeline
		}
		took, err := h.sized(m.x, fullRing)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		h.report.add(m.name, "events/s", m.what, 1/took.Seconds())
	}
	return nil
}

func (h *handoff) copying(context.Context) error {
	shared := h.segment.Bytes()
	n, start := 0, time.Now()
	for time.Since(start).Seconds() < h.o.Seconds {
		copy(shared, h.frame)
		if err := h.copier.roundTrip(); err != nil {
			return err
		}
		copy(h.frame, shared)
		n++
	}
	h.report.add("copying_4m", "events/s", "64 x 64 of 4 MiB frames, a message per event, frame copied in and out",
		float64(n)/time.Since(start).Seconds())
	return nil
}

// pipeline compares the whole of drp with the bare hand-off: the same script, the same size of event, one worker. The
// simulator's frames stay in their slots, and nothing is recorded, so that no other stage costs anything.
func (h *handoff) pipeline(ctx context.Context) error {
	const turns = 7 // short ones: what disturbs one side of a pair then mostly disturbs the other too
	for range turns {
		if err := h.pipelineTurn(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (h *handoff) pipelineTurn(ctx context.Context) error {
	bare, err := h.sized(h.passthrough, pebble.DefaultSlots(4<<10))
	if err != nil {
		return err
	}
	p := source.DefaultSim()
	events := max(20000, int64(1.5*h.o.Seconds/bare.Seconds()))
	run, err := drp.New(ctx, drp.Config{Script: h.o.Script, Workers: 1, Python: h.o.Python, PythonPath: h.o.PythonPath,
		Sources: []string{fmt.Sprintf("sim:segments=1,rows=32,cols=64,bank=1,hits=0,slow=0,seed=%d", p.Seed)},
		Events:  events, TransitionBytes: 1 << 20})
	if err != nil {
		return err
	}
	s, err := run.Run(ctx)
	if err != nil {
		return err
	}
	after, err := h.sized(h.passthrough, pebble.DefaultSlots(4<<10)) // on both sides, since the machine drifts
	if err != nil {
		return err
	}
	h.report.add("passthrough_time", "us", "an event through passthrough.py, bare hand-off", (bare+after).Seconds()/2*1e6)
	h.report.add("pipeline_time", "us", "an event through passthrough.py and all of drp", 1e6/s.EventsPerSecond)
	return nil
}

func (h *handoff) close() {
	for _, p := range []*peer{h.ping, h.copier} {
		if p != nil {
			_ = p.close()
		}
	}
	for _, m := range h.runs {
		_ = m.x.close()
	}
	if h.segment != nil {
		_ = h.segment.Close()
	}
}

// machine names the processor and what of it may be used.
func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return fmt.Sprintf("%s, %d cores", strings.TrimSpace(value), runtime.NumCPU())
			}
		}
	}
	return fmt.Sprintf("%d cores", runtime.NumCPU())
}
