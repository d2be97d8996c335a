package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// steady are samples of a run of so many hours in which nothing grows, but for noise.
func steady(hours float64) *report {
	r := &report{length: time.Duration(hours * float64(time.Hour)), end: ending{code: 130, books: &books{Received: 10, Recorded: 10, Restarts: 1}}}
	for i := range 200 {
		at := time.Duration(float64(r.length) * float64(i) / 200)
		r.samples = append(r.samples, sample{at: at, rss: 30 + float64(i%7)/5, descriptors: 40 + i%3, threads: 20, children: 3, segments: 7,
			rate: 1000 + float64(i%11)})
	}
	return r
}

// TestPlanted plants each growth and looks for the verdict.
func TestPlanted(t *testing.T) {
	tests := []struct {
		name  string
		hours float64
		plant func(r *report)
		says  string
	}{
		{"nothing", 24, func(*report) {}, ""},
		{"nothing in a short run", 0.02, func(*report) {}, ""},
		{"a warm-up", 1, func(r *report) {
			for i := range 30 {
				r.samples[i].rss -= 20
			}
		}, ""},
		{"2 MB/h", 24, func(r *report) {
			for i := range r.samples {
				r.samples[i].rss += 2 * r.samples[i].at.Hours()
			}
		}, "memory of drp"},
		{"2 MB/h in a short run", 0.1, func(r *report) {
			for i := range r.samples {
				r.samples[i].rss += 2 * r.samples[i].at.Hours()
			}
		}, ""},
		{"200 MB/h in a short run", 0.1, func(r *report) {
			for i := range r.samples {
				r.samples[i].rss += 200 * r.samples[i].at.Hours()
			}
		}, "memory of drp"},
		{"descriptors", 1, func(r *report) {
			for i := range r.samples {
				r.samples[i].descriptors += i / 10
			}
		}, "descriptors of drp"},
		{"threads", 1, func(r *report) {
			for i := range r.samples {
				r.samples[i].threads += i / 10
			}
		}, "threads of drp"},
		{"a segment", 1, func(r *report) {
			for i := range r.samples[100:] {
				r.samples[100+i].segments++
			}
		}, "segments"},
		{"slower", 2, func(r *report) {
			for i := range r.samples {
				r.samples[i].rate *= 1 - float64(i)/1000
			}
		}, "events/s"},
		{"books", 1, func(r *report) { r.end.books.Recorded-- }, "books"},
		{"no books", 1, func(r *report) { r.end.books = nil }, "books"},
		{"an early end", 1, func(r *report) { r.end.early = true }, "end"},
		{"another exit code", 1, func(r *report) { r.end.code = 1 }, "end"},
		{"a child", 1, func(r *report) { r.end.children = []int{7} }, "left behind"},
		{"no samples", 1, func(r *report) { r.samples = nil }, "samples"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := steady(tt.hours)
			tt.plant(r)
			r.judge()
			var bad []string
			for _, v := range r.failed() {
				bad = append(bad, v.what)
			}
			if got := strings.Join(bad, ", "); got != tt.says {
				t.Errorf("%q is wrong, want %q:\n%s", got, tt.says, r.text())
			}
			if strings.Contains(r.text(), "FAILED") != (tt.says != "") {
				t.Error(r.text())
			}
		})
	}
}

// TestHarness runs the real thing for HOURS=0.012, at a low rate so that other tests are not held up.
func TestHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	dir := t.TempDir()
	o := options{hours: 0.012, program: filepath.Join(dir, "drp"), python: testkit.Python(t), report: filepath.Join(dir, "out", "soak.md"),
		workers: 2, seed: 1, rate: 200, load: 0.8}
	if path, err := exec.LookPath(o.python); err == nil {
		o.python = path
	}
	build := exec.Command("go", "build", "-o", o.program, "./cmd/drp")
	build.Dir = testkit.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PYTHONPATH", testkit.PythonPath())
	r, err := soak(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(o.report)
	if err != nil || string(written) != r.text() {
		t.Errorf("%v: %s", err, written)
	}
	if bad := r.failed(); len(bad) > 0 || len(r.faults) == 0 || r.end.pruned == 0 {
		t.Errorf("%+v\n%s", bad, r.text())
	}
}

func TestRefuses(t *testing.T) {
	for _, o := range []options{{hours: 0, workers: 1, load: 1}, {hours: 1, load: 1}, {hours: 1, workers: 1, load: 2},
		{hours: 1, workers: 1, load: 1, rate: -1}} {
		if _, err := soak(context.Background(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
