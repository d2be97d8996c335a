package drp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestSnapshotBalances(t *testing.T) {
	var b Books
	b.received.Store(100)
	b.recorded.Store(50)
	b.rejected.Store(20)
	b.vetoed.Store(5)
	b.quarantined.Store(4)
	b.dropped.Store(3)
	b.failed.Store(2)
	b.damaged.Store(7)
	s := b.Snapshot()
	if s.InFlight != 16 {
		t.Errorf("in flight %d, want 16", s.InFlight)
	}
	if s.Lost() != 9 {
		t.Errorf("lost %d, want dropped + failed + quarantined = 9", s.Lost())
	}
	if s.Damaged != 7 {
		t.Errorf("damaged %d", s.Damaged)
	}
}

// TestSummaryFields: the names in the file are a promise.
func TestSummaryFields(t *testing.T) {
	s := (&Books{}).Snapshot()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"received", "recorded", "rejected", "vetoed", "quarantined", "dropped", "failed",
		"in_flight", "damaged", "altered", "late", "restarts", "seconds", "events_per_second", "bytes_recorded", "files"} {
		if v, ok := fields[name]; !ok || v == nil {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestBooksAsText(t *testing.T) {
	tests := []struct {
		name    string
		summary Summary
		want    []string
		never   []string
	}{
		{"balanced", Summary{Received: 10, Recorded: 10, BytesRecorded: 2_500_000, Files: []string{"a.xtc2"}},
			[]string{"recorded            10  2.5 MB\n", "the books balance;", "file: a.xtc2"}, []string{"damaged", "-o DIR"}},
		{"damaged", Summary{Received: 10, Recorded: 10, Damaged: 3}, []string{"3 of them damaged"}, []string{"altered"}},
		{"altered", Summary{Received: 10, Recorded: 10, Damaged: 3, Altered: 2}, []string{"3 of them damaged (2 altered in memory)"}, nil},
		{"not balanced", Summary{Received: 10, Recorded: 9, InFlight: 1}, []string{"the books do not balance", "in flight            1"}, nil},
		{"no output", Summary{Received: 1, Rejected: 1}, []string{"nothing was written; -o DIR records", "rejected             1  by the script"}, nil},
		{"script", Summary{Failures: []string{"roi.py, event 3"}}, []string{"script: roi.py, event 3\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.summary.Text()
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			for _, never := range tt.never {
				if strings.Contains(got, never) {
					t.Errorf("%q is in\n%s", never, got)
				}
			}
			if lines := strings.Split(got, "\n"); !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "received") }) {
				t.Errorf("no line says what was received:\n%s", got)
			}
		})
	}
}
