package chaos

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

var tebRows = []row{
	{fault: "F11", name: "the event builder is killed", brief: true, how: "kill -9 of drp teb at random moments, started again, under two contributors",
		accept: "each event has one decision or the default, the same in both; the books balance", run: partitionTrouble{builder: true}.run},
	{fault: "F11", name: "a contributor is killed", how: "kill -9 of a contributor at random moments, started again",
		accept: "the other goes on, with damage", run: partitionTrouble{contributor: true}.run},
	{fault: "F11", name: "a trigger worker is killed", how: "kill -9 of processes of the trigger script at random moments",
		accept: "no event gets the default for it; the same decisions in both", run: partitionTrouble{worker: true}.run},
	{fault: "F11", name: "everybody is killed", how: "both", accept: "as both", run: partitionTrouble{builder: true, contributor: true}.run},
	{fault: "F15", name: "connections break and fall silent", how: "a relay that cuts connections, or passes nothing on, at random moments",
		accept: "as when the builder is killed", run: partitionTrouble{relay: true}.run},
	{fault: "F15", name: "giant frames and garbage", brief: true, how: "strangers at the port of drp teb", accept: "no effect on others", run: partitionTrouble{strangers: true}.run},
}

// partitionTrouble is what happens to two contributors and a trigger event builder.
type partitionTrouble struct{ builder, contributor, worker, relay, strangers bool }

// keepsAll is a trigger script, of so many processes with the one that stands by.
const (
	keepsAll = `import drp
ts = drp.TriggerSource()
kept = ts.reason("all")
for batch in ts.batches():
    batch.accept[:], batch.reason[:] = True, kept
`
	triggerProcesses = 3
)

// partition is these three.
type partition struct {
	c       *trial
	s       *stream
	script  string
	rules   string
	builder *process
	at      string // where the builder listens
	via     string // where the contributors connect

	deadline string // of decisions
}

var listensAt = regexp.MustCompile(`listens at (\S+),`)

func (t partitionTrouble) run(c *trial) {
	const rate = 500
	seconds := times(10, 30)
	p := &partition{c: c, s: newStream(c, rate*seconds), script: script(c, "", "pass"), rules: filepath.Join(c.TempDir(), "rules.yaml"),
		deadline: "3s"}
	if t.strangers || t.worker { // nobody is gone, so that nothing shall be decided by default
		p.deadline = "90s"
	}
	testkit.WriteFile(c, p.rules, "rules:\n  - {name: all, when: \"true\", persist: true}\n")
	if t.worker {
		p.rules = script(c, "", "")
		testkit.WriteFile(c, p.rules, keepsAll)
	}
	p.begin("tcp://127.0.0.1:0")
	p.via = p.at
	if t.relay {
		p.via = p.relay()
	}
	dirs := []string{filepath.Join(c.TempDir(), "c0"), filepath.Join(c.TempDir(), "c1")}
	first, second := p.contributor(0, rate, dirs[0]), p.contributor(1, rate, dirs[1])
	first.recording(dirs[0])
	builders, contributors, workers := 0, 0, 0
	// It ends early enough for one that begins again to be let in while the other is there.
	for began := time.Now(); time.Since(began) < time.Duration(seconds)*time.Second*6/10; {
		<-time.After(time.Duration(100+c.rng.IntN(1500)) * time.Millisecond) // the moment is what is tested
		switch {
		case t.strangers:
			p.strange()
		case t.worker:
			children := slices.DeleteFunc(testkit.Children(p.builder.PID()), func(pid int) bool { return !testkit.RunsScript(pid) })
			if len(children) == triggerProcesses && syscall.Kill(children[c.rng.IntN(len(children))], syscall.SIGKILL) == nil {
				workers++
			}
		case t.builder && (!t.contributor || c.rng.IntN(2) == 0):
			p.builder.Signal(syscall.SIGKILL)
			<-p.builder.Done
			<-time.After(time.Duration(c.rng.IntN(400)) * time.Millisecond)
			p.begin(p.at)
			builders++
		case t.contributor && contributors < 5: // it begins at the beginning each time
			second.Signal(syscall.SIGKILL)
			<-second.Done
			auditKilled(c, p.s, dirs[1])
			contributors++
			dirs[1] = filepath.Join(c.TempDir(), fmt.Sprint("c1-", contributors))
			second = p.contributor(1, 2*rate, dirs[1])
		}
	}
	defaults, again := 0, false
	for i, v := range []*process{first, second} {
		o := v.ended(0)
		c.proves(p.s, o, dirs[i], natural)
		defaults += o.books.Defaulted
		again = again || strings.Contains(o.stderr, "is there again")
	}
	if (t.builder || t.relay) && !again {
		c.Errorf("no connection was made again")
	}
	p.builder.Signal(syscall.SIGTERM)
	o := p.builder.finish()
	if o.code != 0 {
		c.Errorf("drp teb: exit code %d:\n%s", o.code, tail(o.stderr))
	}
	if t.strangers && strings.Contains(p.builder.Stdout.String(), " 0 refused") {
		c.Errorf("no stranger was refused")
	}
	same, different := p.compare(dirs)
	if different > 0 || same == 0 {
		c.Errorf("%d events have the same decision in both, %d another one", same, different)
	}
	if t.worker && workers == 0 {
		c.Errorf("no process of the trigger script was killed")
	}
	if !t.builder && !t.contributor && !t.relay && defaults > 0 {
		c.Errorf("%d events got the default, and nobody was gone", defaults)
	}
	c.measured("%d, %d and %d killed; %d events with one decision in both, %d defaults, 0 lost", builders, contributors, workers, same, defaults)
}

// auditKilled looks at what a killed contributor has left.
func auditKilled(c *trial, s *stream, dir string) {
	if written(dir) == 0 {
		return // that was before its Configure
	}
	if a := auditRun(s, nil, dir, natural); len(a.problems) > 0 {
		c.Errorf("of the killed one: %v", a.problems)
	}
}

// begin starts the builder.
func (p *partition) begin(at string) {
	args := []string{"teb", "-t", p.rules, "--partition", "chaos", "--contributors", "c0,c1", "--wait", "200ms", "--listen", at}
	if filepath.Ext(p.rules) == ".py" {
		args = append(args, "--python", testkit.Python(p.c), "--trigger-workers", fmt.Sprint(triggerProcesses-1), "--trigger-deadline", "2s")
	}
	p.builder = p.c.prepare(nil, args...)
	p.builder.start().Says("listens at")
	p.at = listensAt.FindStringSubmatch(p.builder.Stderr.String())[1]
}

func (p *partition) contributor(k, rate int, dir string) *process {
	return p.c.pipeline("-s", p.s.path, "-w", "1", "--rate", fmt.Sprint(rate), "-o", dir, "-p", p.script, "--partition", "chaos", "--teb", p.via,
		"--contributor", fmt.Sprint("c", k), "--trigger-deadline", p.deadline).start()
}

// compare counts the events of which two folders have the same decision, or not. One by default is the word of a process that
// gave up waiting.
func (p *partition) compare(dirs []string) (same, different int) {
	known := map[uint64]string{}
	for i, dir := range dirs {
		table := xtc.NewTable()
		for _, path := range dataFiles(dir) {
			for _, d := range testkit.Dgrams(p.c, path) {
				if d.Service() == xtc.Configure {
					if err := table.Configure(d); err != nil {
						p.c.Errorf("%v", err)
					}
				}
				if !d.Service().IsEvent() {
					continue
				}
				found := 0
				for it := table.Blocks(d); it.Next(); {
					b := it.Block()
					if b.Names.Alg != "decision" {
						continue
					}
					found++
					number := func(name string) uint64 { v, _ := b.FieldNamed(name); return v.Uint64() }
					decision := fmt.Sprint(number("reason"), number("contributions"), number("damage"), number("persist"))
					switch other, there := known[d.Time()]; {
					case number("reason") == 2: // default
					case i == 0:
						known[d.Time()] = decision
					case there && other == decision:
						same++
					case there:
						different++
					}
				}
				if found != 1 {
					p.c.Errorf("the event of %d has %d decisions", d.Time(), found)
				}
			}
		}
	}
	return same, different
}

// strange sends what is no contribution.
func (p *partition) strange() {
	greeting := append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'N', 'U', 'L', 'L'}, make([]byte, 48)...)
	ready := "\x04\x20\x05READY\x0bSocket-Type\x00\x00\x00\x04PAIR\x08Identity\x00\x00\x00\x00"
	ready = "\x04" + string(rune(len(ready)-2)) + ready[2:]
	for _, message := range []string{"", "garbage", "\x02\xff\xff\xff\xff\xff\xff\xff\xff", "\x02\x00\x00\x00\x00\x00\x80\x00\x01" + string(make([]byte, 9<<20)),
		"\x00\x04DRPH"} {
		conn, err := net.Dial("tcp", p.at[len("tcp://"):])
		if err != nil {
			p.c.Errorf("%v", err)
			return
		}
		_, _ = conn.Write(append(bytes.Clone(greeting), ready+message...))
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}

// relay passes bytes between contributors and builder. Now and then it cuts a connection, or passes nothing on any more.
func (p *partition) relay() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.c.Fatalf("%v", err)
	}
	p.c.Cleanup(func() { _ = l.Close() })
	rng := rand.New(rand.NewPCG(p.c.rng.Uint64(), 0))
	soon := func(most int) time.Duration { return time.Duration(500+rng.IntN(most)) * time.Millisecond }
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", p.at[len("tcp://"):])
			if err != nil {
				_ = in.Close()
				continue
			}
			until := time.Now().Add(soon(4000))
			silent := soon(1000) < time.Second
			pass := func(to, from net.Conn) {
				buffer := make([]byte, 32<<10)
				for {
					n, err := from.Read(buffer)
					if time.Now().After(until) && silent {
						<-time.After(5 * time.Second) // longer than anybody waits for a sign of life
						err = io.EOF
					}
					if err != nil || time.Now().After(until) {
						break
					}
					if _, err := to.Write(buffer[:n]); err != nil {
						break
					}
				}
				_, _ = in.Close(), out.Close()
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return "tcp://" + l.Addr().String()
}
