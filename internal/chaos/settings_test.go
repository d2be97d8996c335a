package chaos

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

var settingsRows = []row{
	{fault: "F21", name: "a thousand changes of a parameter a second", brief: true, run: manyChanges,
		how:    "by UDP and by HTTP at the same time, some of them not allowed, while a worker is killed",
		accept: "at most ten generations a second, which only go up; the last value wins; results as without"},
}

var (
	steeredAt = regexp.MustCompile(`steered at (http://127\.0\.0\.1:[0-9]+)/\?token=([A-Za-z0-9_-]+)`)
	livelyAt  = regexp.MustCompile(`taken by UDP at (127\.0\.0\.1:[0-9]+)`)
)

func manyChanges(c *trial) {
	const rate, seconds, last = 400, 6, 424242
	s := newStream(c, rate*seconds)
	dir := filepath.Join(c.TempDir(), "out")
	slow, letGo := slowFrom(c, rate*4, 0.05)
	p := c.pipeline(append(manyRestarts(), "-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "--http", "127.0.0.1:0", "--liveline", "127.0.0.1:0",
		"-p", script(c, `level = ds.param("level", 5, min=0)`, slow+"assert level.value >= 0"))...).start()
	p.recording(dir)
	at, live := steeredAt.FindStringSubmatch(p.Stderr.String()), livelyAt.FindStringSubmatch(p.Stderr.String())
	if at == nil || live == nil {
		c.Fatalf("no address is printed:\n%s", tail(p.Stderr.String()))
	}
	post := func(level int) int {
		code, _ := testkit.Ask(c, http.MethodPost, at[1]+"/v1/settings", at[2], fmt.Sprintf(`{"level": %d}`, level))
		return code
	}
	for !testkit.Within(time.Millisecond, func() bool { return post(1) == http.StatusOK }) && !p.Over() {
	}
	sent := flood(c, live[1], 3*time.Second, func(i int) {
		if code := post(i - 1); code != http.StatusOK && (i > 0 || code != http.StatusUnprocessableEntity) {
			c.Errorf("a change by HTTP is answered with %d", code)
		}
	}, func() {
		if pids := p.workers(); len(pids) > 0 {
			_ = syscall.Kill(pids[0], syscall.SIGKILL)
		}
	})
	for range 10 { // what was sent before by UDP may still wait to be read
		if code := post(last); code != http.StatusOK {
			c.Errorf("the last change is answered with %d", code)
		}
		<-time.After(100 * time.Millisecond)
	}
	letGo()
	o := p.ended(0)
	c.proves(s, o, dir, or(quarantined))
	generations, level := levelsIn(c, dir)
	if generations < 10 || generations > 11*int(o.books.Seconds+1) || level != fmt.Sprint(last) {
		c.Errorf("%d generations, level %s at the end", generations, level)
	}
	c.measured("%d changes sent by UDP in 3 s, %d generations in the data, the last one with the last value", sent, generations)
}

// flood sends a thousand lines a second, and every tenth of a second does something else, too.
func flood(c *trial, address string, d time.Duration, also func(i int), once func()) (sent int) {
	to, err := net.Dial("udp", address)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); sent++ {
		<-tick.C
		_, _ = fmt.Fprintf(to, "--level %d --other 3", sent-sent%7*2)
		if sent%100 == 0 {
			also(sent / 100)
		}
		if sent == 500 {
			once()
		}
	}
	return sent
}

// levelsIn reads what is recorded of the parameter, for each event.
func levelsIn(c *trial, dir string) (generations int, level string) {
	table, last := xtc.NewTable(), int64(0)
	for _, path := range dataFiles(dir) {
		all, err := readAll(path)
		if err != nil {
			c.Fatal(err)
		}
		for _, d := range all {
			if d.Service() == xtc.Configure {
				if err := table.Configure(d); err != nil {
					c.Fatal(err)
				}
			}
			if d.Service() != xtc.L1Accept {
				continue
			}
			found := false
			for it := table.Blocks(d); it.Next(); {
				b := it.Block()
				if b.Names.DetName != "settings" {
					continue
				}
				generation := b.Field(0).Int64()
				if found = true; generation < last {
					c.Errorf("generation %d comes after %d", generation, last)
				}
				if generation != last {
					generations++
				}
				last, level = generation, b.Field(1).String()
			}
			if !found {
				c.Errorf("an event is without its settings")
			}
		}
	}
	return generations, level
}
