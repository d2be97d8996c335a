package fex

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func drained(t *testing.T, text string) (o *output, log string) {
	t.Helper()
	var b bytes.Buffer
	o = newOutput(slog.New(slog.NewTextHandler(&b, nil)), io.NopCloser(strings.NewReader(text)))
	<-o.done
	return o, b.String()
}

func TestOutputKeepsTheBeginningOfALongLine(t *testing.T) {
	line := "begin" + strings.Repeat("x", 3*maxLineBytes) + "end"
	o, _ := drained(t, line+"\nnext\n")
	lines := o.lastLines()
	if len(lines) != 2 || lines[0] != line[:maxLineBytes] || lines[1] != "next" {
		t.Errorf("got %d lines, the first %.20q… of %d bytes", len(lines), lines[0], len(lines[0]))
	}
}

func TestOutputBoundsTheLog(t *testing.T) {
	const lines = 100000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	o, log := drained(t, text.String())
	if n := strings.Count(log, "\n"); n > burstLines+100 {
		t.Errorf("%d of %d lines came through to the log", n, lines)
	}
	if !strings.Contains(log, "lines of output were suppressed") {
		t.Error("the log does not say that lines were suppressed")
	}
	kept := o.lastLines()
	if len(kept) != keptLines || kept[keptLines-1] != fmt.Sprintf("line %d", lines-1) {
		t.Errorf("%d lines are kept, the last is %q", len(kept), kept[len(kept)-1])
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"plain", "a line\r\n", "a line"},
		{"tab and umlaut", "é\tü\n", "é\tü"},
		{"escape sequence", "\x1b[2J\x07red", `\x1b[2J\ared`},
		{"not UTF-8", "a\x9bb\xff", "a\ufffdb\ufffd"},
		{"overwriting itself", "100 %\r  0 %", `100 %\r  0 %`},
		{"empty", "\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := printable([]byte(tt.line)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLastWords(t *testing.T) {
	tests := []struct{ name, said, want string }{
		{"one line", "out of memory", "out of memory"},
		{"the last", "first\n  last \n", "last"},
		{"a fatal error", "hello\nFatal Python error: Segmentation fault\n\nCurrent thread\n  File \"x\", line 3 in f",
			"Fatal Python error: Segmentation fault"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := lastWords(tt.said); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
