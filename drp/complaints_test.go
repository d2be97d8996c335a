package drp

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"drp/fex"
)

func TestComplaintsAreToldOnceEach(t *testing.T) {
	var log bytes.Buffer
	c := complaints{log: slog.New(slog.NewTextHandler(&log, nil))}
	if c.first() != "" || len(c.lines()) != 0 {
		t.Error("complaints before any")
	}
	for i := range 3 {
		c.note(fmt.Sprintf("roi.py, event %d", i), &fex.Failure{Type: "ValueError", Message: fmt.Sprint("number ", i),
			File: "roi.py", Line: 7, Traceback: "Traceback: here"})
	}
	c.note("roi.py, event 9", &fex.Failure{Type: "KeyError", Message: "x", File: "roi.py", Line: 7})
	c.note("roi.py, event 11", nil)
	want := []string{"roi.py, event 0: roi.py:7: ValueError: number 0 (first of 3 like it)", "roi.py, event 9: roi.py:7: KeyError: x",
		"roi.py, event 11: Error: the script failed without a word"}
	if got := strings.Join(c.lines(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s", got)
	}
	if c.first() != want[0] {
		t.Errorf("the first is %q", c.first())
	}
	if n := strings.Count(log.String(), "Traceback: here"); n != 1 {
		t.Errorf("the traceback is logged %d times:\n%s", n, log.String())
	}
}

func TestComplaintsAreBounded(t *testing.T) {
	c := complaints{log: slog.New(slog.DiscardHandler)}
	for i := range 10 * maxComplaints {
		c.note("here", &fex.Failure{Type: "E", File: "a.py", Line: i})
	}
	if n := len(c.lines()); n != maxComplaints {
		t.Errorf("%d kinds are kept, want %d", n, maxComplaints)
	}
}
