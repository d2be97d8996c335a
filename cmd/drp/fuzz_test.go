package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

// FuzzTime reads timestamps; what is one is read the same from both ways it can be written.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{"1.000000004", "0x100000004", "4294967296.000000000", "1.5", "1.4294967295", "-1", "", ".", "1_0", "0b1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseTime(text)
		if err != nil {
			return
		}
		if again, err := parseTime(fmt.Sprint(v)); err != nil || again != v {
			t.Errorf("%q is %d, and that is %d, %v", text, v, again, err)
		}
		if uint32(v) > 999999999 {
			return
		}
		if again, err := parseTime(fmt.Sprintf("%d.%09d", v>>32, uint32(v))); err != nil || again != v {
			t.Errorf("%q is %d, and that is %d, %v", text, v, again, err)
		}
	})
}

// FuzzPick looks for an event in a file of any bytes.
func FuzzPick(f *testing.F) {
	var run []byte
	for _, d := range (testkit.Camera{Segments: 1, Rows: 2, Cols: 2}).Run(3) {
		run = append(run, d...)
	}
	f.Add(run, int64(1), uint64(0), false)
	f.Add(run, int64(-1), uint64(102), true)
	f.Add(run[:len(run)/2], int64(-1), uint64(0), false)
	path := filepath.Join(f.TempDir(), "fuzz.xtc2")
	f.Fuzz(func(t *testing.T, b []byte, number int64, time uint64, byTime bool) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Skip(err)
		}
		q, err := pickEvent(path, eventChoice{number: number, time: time, byTime: byTime})
		if err != nil {
			return
		}
		if !q.Event.Service().IsEvent() || byTime && q.Event.Time() != time || q.State[0].Service() != xtc.Configure {
			t.Errorf("%v at %d behind %v", q.Event.Service(), q.Event.Time(), q.State[0].Service())
		}
		if all := len(q.File()); all > len(b)+1<<10 {
			t.Errorf("a file of %d bytes gives one of %d", len(b), all)
		}
	})
}

// FuzzFlags gives any words as a command line, and the last also by the environment.
func FuzzFlags(f *testing.F) {
	f.Add("-p\nroi.py 100", "7")
	f.Add("--rate\n-5\n--policy=drop\n-s\nsim:\n-p\nx", "true")
	f.Add("-w\n0x10\n--run=0014\n--max-loss\nNaN\n-p\n''", "")
	f.Add("--events=1e3", "99999999999999999999")
	f.Add("--deadline=1h\n--buf-bytes\n-1", "\x7f")
	var names []string
	newRunCommand().Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	f.Fuzz(func(t *testing.T, line, value string) {
		words := strings.Split(line, "\n")
		cmd := newRunCommand()
		if cmd.ParseFlags(words) != nil {
			return
		}
		if name := names[len(line)%len(names)]; name != "config" && !strings.Contains(value, "\x00") {
			t.Setenv(envName(name), value)
		}
		if err := applySettings(cmd.Flags(), ""); err != nil && !strings.Contains(err.Error(), "DRP_") {
			t.Error(err)
		}
		var cfg drp.Config
		script, _ := cmd.Flags().GetString("script")
		sources, _ := cmd.Flags().GetStringArray("source")
		rate, _ := cmd.Flags().GetString("rate")
		policy, _ := cmd.Flags().GetString("policy")
		loss, _ := cmd.Flags().GetFloat64("max-loss")
		flags := runFlags{script: script, sources: sources, rate: rate, policy: policy, maxLoss: loss}
		if flags.complete(&cfg) == nil && (cfg.Script == "" && !strings.ContainsAny(script, `'"`) || len(cfg.Sources) == 0 ||
			!(flags.maxLoss >= 0 && flags.maxLoss <= 100)) {
			t.Errorf("%+v, %+v", flags, cfg)
		}
	})
}
