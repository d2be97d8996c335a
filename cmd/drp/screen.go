package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"drp/drp"
)

// screen is where people look: log lines, and on a terminal one progress line below them.
type screen struct {
	out      io.Writer
	terminal bool
	colour   bool

	mu   sync.Mutex // protects the terminal
	line string     // the progress line as it stands
}

func newScreen(out *os.File, progress bool) *screen {
	terminal := term.IsTerminal(int(out.Fd()))
	return &screen{out: out, terminal: terminal && progress, colour: terminal && os.Getenv("NO_COLOR") == ""}
}

// Write prints log lines above the progress line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	n, err := s.out.Write(p)
	if s.line != "" {
		fmt.Fprint(s.out, s.line)
	}
	return n, err
}

func (s *screen) say(text string) { fmt.Fprintln(s, text) }

func (s *screen) logger() *slog.Logger {
	return slog.New(tint.NewTextHandler(s, &tint.Options{TimeFormat: time.TimeOnly, NoColor: !s.colour}))
}

// How often progress is shown on a terminal and in a log.
const (
	terminalTick = 250 * time.Millisecond
	logTick      = 10 * time.Second
)

// follow shows the progress of a run until the function it returns is called.
func (s *screen) follow(r *drp.Run) (stop func()) {
	tick := logTick
	if s.terminal {
		tick = terminalTick
	}
	done := make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		before := r.Snapshot()
		for {
			select {
			case <-ticker.C:
				now := r.Snapshot()
				s.show(progressLine(&before, &now, r.Info().Events))
				before = now
			case <-done:
				s.clear()
				return
			}
		}
	})
	return func() { close(done); following.Wait() }
}

func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		s.line = line
		fmt.Fprint(s.out, "\r\x1b[K"+line)
		return
	}
	fmt.Fprintln(s.out, line)
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.line = ""
	}
}

// progressLine tells events, rate, data rate, damage, and the time that is left when the length is known.
func progressLine(before, now *drp.Summary, total int) string {
	dt := now.Seconds - before.Seconds
	if dt <= 0 {
		dt = 1
	}
	rate := float64(now.Received-before.Received) / dt
	line := fmt.Sprintf("%d events  %.0f/s  %.1f MB/s in  %.1f MB/s out  damaged %d  lost %d", now.Received, rate,
		float64(now.BytesReceived-before.BytesReceived)/dt/1e6, float64(now.BytesRecorded-before.BytesRecorded)/dt/1e6,
		now.Damaged, now.Lost())
	if now.Searched > 0 {
		line += fmt.Sprintf("  hits %.2f%%", now.HitRate())
	}
	if left := int64(total) - now.Received; total > 0 && left >= 0 && rate > 0 {
		eta := time.Duration(float64(left) / rate * float64(time.Second)).Round(time.Second)
		line += fmt.Sprintf("  %d%%  ETA %v", 100*now.Received/int64(total), eta)
	}
	return line
}
