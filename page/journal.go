package page

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"drp/monitor"
)

// Journal keeps the last lines of a log that tell of trouble. The zero value is empty.
type Journal struct {
	mu    sync.Mutex // protects all below
	lines []line     // oldest first
	count uint64     // of all that ever were
	turns uint64     // how often it was rewound
	also  func(line) // is told of each, unless nil
}

// line is one of them.
type line struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
	past  bool      // it is of a run that is replayed
}

// What a Journal keeps.
const (
	mostLines = 200
	mostText  = 2 << 10
)

func (j *Journal) add(l line) {
	if len(l.Text) > mostText {
		l.Text = strings.ToValidUTF8(l.Text[:mostText], "") + " …"
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) >= mostLines {
		j.lines = append(j.lines[:0], j.lines[1:]...)
	}
	j.lines = append(j.lines, l)
	j.count++
	if j.also != nil {
		j.also(l)
	}
}

func (j *Journal) note(level, text string) { j.add(line{time.Now(), level, text, false}) }

// tell lets somebody else have each line from here on; nil is nobody.
func (j *Journal) tell(to func(line)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.also = to
}

// toldLines is what somebody was told of a Journal.
type toldLines struct{ count, turns uint64 }

// since gives the lines after those that were given before, or all of them anew where some of those are of no use any more.
func (j *Journal) since(given *toldLines) (lines []line, anew bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if anew = given.turns != j.turns; anew {
		given.count = 0
	}
	n := min(j.count-min(given.count, j.count), uint64(len(j.lines)))
	*given = toldLines{j.count, j.turns}
	return append([]line(nil), j.lines[uint64(len(j.lines))-n:]...), anew
}

// rewind forgets what was logged in a run that is replayed.
func (j *Journal) rewind() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = slices.DeleteFunc(j.lines, func(l line) bool { return l.past })
	j.turns++
}

// Handler is a log whose warnings and errors the journal keeps, beside what another does with all lines.
func (j *Journal) Handler(next slog.Handler) slog.Handler { return &noting{Handler: next, journal: j} }

type noting struct {
	slog.Handler
	journal *Journal
	with    string
}

// Enabled implements slog.Handler.
func (n *noting) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || n.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (n *noting) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		text := r.Message + n.with
		r.Attrs(func(a slog.Attr) bool {
			text += " " + a.String()
			return true
		})
		level := "warn"
		if r.Level >= slog.LevelError {
			level = "error"
		}
		n.journal.add(line{r.Time, level, text, false})
	}
	if !n.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return n.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (n *noting) WithAttrs(all []slog.Attr) slog.Handler {
	with := n.with
	for _, a := range all {
		with += " " + a.String()
	}
	return &noting{n.Handler.WithAttrs(all), n.journal, with}
}

// WithGroup implements slog.Handler.
func (n *noting) WithGroup(name string) slog.Handler {
	return &noting{n.Handler.WithGroup(name), n.journal, n.with}
}

// damageLine tells of an event that is damaged.
func damageLine(e *event, it *monitor.Item) string {
	return fmt.Sprintf("event %d is damaged: %v", e.Number, it.Dgram.Damage())
}
