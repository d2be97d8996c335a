package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"drp/drp"
)

func TestProgressLine(t *testing.T) {
	tests := []struct {
		name        string
		before, now drp.Summary
		total       int
		want        string
	}{
		{"of a known length", drp.Summary{Received: 100, Seconds: 1, BytesReceived: 1e6},
			drp.Summary{Received: 300, Seconds: 3, BytesReceived: 5e6, BytesRecorded: 1e6, Damaged: 2, Dropped: 1, Failed: 3}, 1000,
			"300 events  100/s  2.0 MB/s in  0.5 MB/s out  damaged 2  lost 4  30%  ETA 7s"},
		{"of a length not known", drp.Summary{}, drp.Summary{Received: 10, Seconds: 1}, -1,
			"10 events  10/s  0.0 MB/s in  0.0 MB/s out  damaged 0  lost 0"},
		{"more than were announced", drp.Summary{}, drp.Summary{Received: 10, Seconds: 1}, 9,
			"10 events  10/s  0.0 MB/s in  0.0 MB/s out  damaged 0  lost 0"},
		{"nothing came", drp.Summary{Received: 5, Seconds: 1}, drp.Summary{Received: 5, Seconds: 2}, 10,
			"5 events  0/s  0.0 MB/s in  0.0 MB/s out  damaged 0  lost 0"},
		{"no time went by", drp.Summary{Received: 5, Seconds: 1}, drp.Summary{Received: 6, Seconds: 1}, -1,
			"6 events  1/s  0.0 MB/s in  0.0 MB/s out  damaged 0  lost 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := progressLine(&test.before, &test.now, test.total); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestScreen keeps the progress line below what is logged, on a terminal; elsewhere each is a line.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, terminal: true}
	s.show("10 events")
	s.say("a warning")
	s.show("20 events")
	s.clear()
	s.clear()
	if want := "\r\x1b[K10 events\r\x1b[Ka warning\n10 events\r\x1b[K20 events\r\x1b[K"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	s = &screen{out: &out}
	s.show("10 events")
	s.say("a warning")
	s.clear()
	if want := "10 events\na warning\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestScreenOfAFile has neither colour nor a progress line that is overwritten.
func TestScreenOfAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	s := newScreen(f, true)
	if s.terminal || s.colour {
		t.Errorf("%+v", s)
	}
	s.logger().Warn("a warning")
	if text := readBack(t, f); !bytes.Contains([]byte(text), []byte("WRN a warning\n")) || bytes.ContainsRune([]byte(text), '\x1b') {
		t.Errorf("%q", text)
	}
}
