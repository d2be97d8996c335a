package drp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/shm"
	"drp/source"
)

func TestConfigCheck(t *testing.T) {
	script := testkit.Script(t, "")
	unreadable := filepath.Join(t.TempDir(), "unreadable.py")
	testkit.WriteFile(t, unreadable, "")
	if err := os.Chmod(unreadable, 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(c *Config)
		kind   Kind // 0 is no error
		want   string
	}{
		{"good", func(*Config) {}, 0, ""},
		{"no script", func(c *Config) { c.Script = "" }, Usage, "no script"},
		{"no such script", func(c *Config) { c.Script = "nowhere.py" }, Script, "nowhere.py: there is no such file"},
		{"an example script elsewhere", func(c *Config) { c.Script = "nowhere/myroi.py" }, Script, "there is no such file"},
		{"script below a file", func(c *Config) { c.Script = script + "/x.py" }, Script, "not a directory"},
		{"script is a folder", func(c *Config) { c.Script = t.TempDir() }, Script, "not a regular file"},
		{"no workers", func(c *Config) { c.Workers = 0 }, Usage, "0 workers"},
		{"too many workers", func(c *Config) { c.Workers = 1025 }, Usage, "1025 workers"},
		{"negative events", func(c *Config) { c.Events = -1 }, Usage, "-1 events"},
		{"negative prescale", func(c *Config) { c.Prescale = -2 }, Usage, "prescale -2"},
		{"negative run", func(c *Config) { c.Run = -1 }, Usage, "run -1"},
		{"run of five digits", func(c *Config) { c.Run = 10000 }, Usage, "run 10000"},
		{"experiment with a slash", func(c *Config) { c.Expt = "../x" }, Usage, `experiment "../x"`},
		{"experiment too long", func(c *Config) { c.Expt = strings.Repeat("x", 65) }, Usage, "experiment"},
		{"negative slots", func(c *Config) { c.Slots = -1 }, Usage, "-1 slots"},
		{"more slots than a pipe takes", func(c *Config) { c.Slots = maxSlots + 1 }, Usage, "1025 slots"},
		{"negative event size", func(c *Config) { c.EventBytes = -1 }, Usage, "negative"},
		{"negative result size", func(c *Config) { c.ResultBytes = -1 }, Usage, "negative"},
		{"negative transition size", func(c *Config) { c.TransitionBytes = -1 }, Usage, "negative"},
		{"negative deadline", func(c *Config) { c.EventDeadline = -time.Second }, Usage, "negative"},
	}
	if os.Getuid() != 0 { // root reads everything
		tests = append(tests, struct {
			name   string
			change func(c *Config)
			kind   Kind
			want   string
		}{"unreadable script", func(c *Config) { c.Script = unreadable }, Script, "permission denied"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Script: script, Workers: 2, Stream: -1}
			tt.change(&c)
			err := c.check()
			if tt.kind == 0 {
				if err != nil || c.EventDeadline == 0 || c.TransitionDeadline == 0 || c.Log == nil || !filepath.IsAbs(c.Script) {
					t.Errorf("%v, %+v", err, c)
				}
				return
			}
			var f *Failure
			if !errors.As(err, &f) || f.Kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want kind %d: %s", err, tt.kind, tt.want)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	info := source.Info{Name: "test", MaxEventBytes: 5000, MaxTransitionBytes: 1000}
	tests := []struct {
		name   string
		config Config
		info   source.Info
		event  int
		result int
		err    string
	}{
		{"as the source says", Config{Workers: 1}, info, 8192, smallestResultBytes, ""},
		{"chosen", Config{Workers: 1, EventBytes: 6001, ResultBytes: 5003, Slots: 3}, info, 6001, 5003, ""},
		{"large events", Config{Workers: 1}, source.Info{MaxEventBytes: 4 << 20}, 4 << 20, largestResultBytes, ""},
		{"nothing known", Config{Workers: 1}, source.Info{}, pageBytes, smallestResultBytes, ""},
		{"event too small", Config{Workers: 1, EventBytes: 4999}, info, 0, 0, "--buf-bytes 4999 is too small: the largest event of test has 5000"},
		{"transition too small", Config{Workers: 1, TransitionBytes: 999}, info, 0, 0, "--transition-bytes 999 is too small"},
		{"more than the machine has", Config{Workers: 1024, Slots: 1024, EventBytes: 1 << 30}, info, 0, 0, "memory are free"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.config.sizes(tt.info)
			if tt.err != "" {
				var f *Failure
				if !errors.As(err, &f) || f.Kind != Configuration || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || s.EventBytes != tt.event || s.ResultBytes != tt.result || s.Slots < 1 || s.TransitionBytes < 1 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

// TestDefaultSizesFitInSegments: whatever one size is, the others are chosen so that a segment holds them.
func TestDefaultSizesFitInSegments(t *testing.T) {
	for _, bytes := range []int{1, 4096, 64 << 10, 1 << 20, 4 << 20, 64 << 20, 600 << 20, 1 << 30} {
		for _, c := range []Config{{Workers: 1, EventBytes: bytes}, {Workers: 1, ResultBytes: bytes}} {
			s, err := c.sizes(source.Info{})
			if err != nil {
				t.Logf("%d bytes: %v", bytes, err) // a small machine
				continue
			}
			if s.Slots < 1 || s.Slots*s.EventBytes+shm.HeaderBytes > shm.MaxBytes ||
				s.Slots*s.ResultBytes+s.TransitionBytes+shm.HeaderBytes > shm.MaxBytes {
				t.Errorf("%+v does not fit", s)
			}
		}
	}
}
