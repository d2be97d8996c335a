package monitor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// seen is what a process that watches says at the end.
type seen struct {
	Got, Missed, Offered uint64
	Last                 int64
	Torn                 int
	End                  string
}

// consume is a process that watches. It says "there" when it has the first event; with "hold" it keeps that until its
// standard input has a line or ends, and says whether it is still whole.
func consume() error {
	c, err := Dial(context.Background(), os.Getenv("MONITOR_TEST_NAME"), Choice{}, "test")
	if err != nil {
		return err
	}
	var all seen
	for {
		it, err := c.Next(context.Background())
		if err != nil {
			all.End = err.Error()
			all.Offered = c.Offered()
			all.Missed = c.Missed()
			break
		}
		if !it.Dgram.Service().IsEvent() {
			continue
		}
		if all.Got++; all.Got == 1 {
			fmt.Println("there")
			if os.Getenv("MONITOR_TEST_MODE") == "hold" {
				_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
				fmt.Println("whole:", whole(it), c.Intact())
			}
		}
		if whole(it) != nil {
			all.Torn++
		}
		all.Last = it.Number
		if os.Getenv("MONITOR_TEST_MODE") == "slow" {
			time.Sleep(5 * time.Millisecond)
		}
	}
	text, err := json.Marshal(&all)
	fmt.Println(string(text))
	return err
}

// watcher is such a process.
type watcher struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func watch(t *testing.T, mode string) *watcher {
	t.Helper()
	w := &watcher{cmd: exec.Command("/proc/self/exe")}
	w.cmd.Env = append(os.Environ(), "MONITOR_TEST_NAME="+testName, "MONITOR_TEST_MODE="+mode)
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		w.in, err = w.cmd.StdinPipe()
	}
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.out = bufio.NewReader(out)
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			_ = w.cmd.Process.Kill()
			_ = w.cmd.Wait()
		}
	})
	return w
}

func (w *watcher) says(t *testing.T, what string) {
	t.Helper()
	line, err := w.out.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, what) {
		t.Fatalf("%q is not said, but %q: %v", what, line, err)
	}
}

// ends gives what it has seen.
func (w *watcher) ends(t *testing.T) (all seen) {
	t.Helper()
	line, err := w.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Error(err)
	}
	return all
}

// TestProcesses: one that is stopped, one that is slow, one that holds an event and one that is killed while it does, beside
// a healthy one. Nobody sees a torn event, and each knows what he has missed.
func TestProcesses(t *testing.T) {
	s := newServer(t, Config{EventBytes: 64 << 10, Slots: 12})
	p := newPublisher(s, 60_000)
	announce(s, xtc.Configure, 1)
	healthy, slow, stopped, holding, dying := watch(t, ""), watch(t, "slow"), watch(t, ""), watch(t, "hold"), watch(t, "hold")
	all := []*watcher{healthy, slow, stopped, holding, dying}
	settled(t, s, len(all))
	publish := func(events int) {
		for range events {
			p.publish(0, 0)
			<-time.After(50 * time.Microsecond)
		}
	}
	publish(1)
	for _, w := range all {
		w.says(t, "there")
	}
	publish(100)
	for _, send := range []struct {
		to     *watcher
		signal syscall.Signal
	}{{stopped, syscall.SIGSTOP}, {dying, syscall.SIGKILL}} {
		if err := send.to.cmd.Process.Signal(send.signal); err != nil {
			t.Fatal(err)
		}
	}
	_ = dying.cmd.Wait()
	settled(t, s, len(all)-1)
	publish(1000)
	isFull := func(c Consumer) bool { return c.PID == stopped.cmd.Process.Pid && c.Waiting == 6 }
	if !testkit.Within(testkit.Patience, func() bool { publish(100); return slices.ContainsFunc(s.Consumers(), isFull) }) {
		t.Fatalf("the one that is stopped has room: %+v", s.Consumers())
	}
	_, _ = fmt.Fprintln(holding.in)
	holding.says(t, "whole: <nil> true")
	publish(200)
	if err := stopped.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what comes when nothing waits is missed by nobody
		if !testkit.Within(testkit.Patience, func() bool {
			return !slices.ContainsFunc(s.Consumers(), func(c Consumer) bool { return c.Waiting > 0 })
		}) {
			t.Fatalf("they do not come to the end: %+v", s.Consumers())
		}
		publish(1)
	}
	events := uint64(p.n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i, w := range all[:4] {
		w := w.ends(t)
		if w.Torn != 0 || w.End != io.EOF.Error() || w.Offered != events || w.Got+w.Missed != uint64(w.Last)+1 || w.Last < int64(events)-1 {
			t.Errorf("process %d of %d events: %+v", i, events, w)
		}
		if i != 0 && w.Missed == 0 {
			t.Errorf("process %d has missed nothing: %+v", i, w)
		}
	}
}

// TestStoppedCostNothing: a hundred consumers that are stopped have their slots copied once, and then no event is.
func TestStoppedCostNothing(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 16})
	p := newPublisher(s, 800)
	for range 100 {
		dial(t, Choice{}) // and never looks
	}
	settled(t, s, 100)
	for range 5000 {
		p.publish(0, 0)
	}
	b := s.Books()
	if b.Published != 8 || b.Entries != 800 || b.Missed != 100*(5000-8) {
		t.Errorf("%+v", b)
	}
	for _, c := range s.Consumers() {
		if c.Offered != 5000 || c.Entries != 8 || c.Missed != 4992 || c.Waiting != 8 {
			t.Fatalf("%+v", c)
		}
	}
}

// TestForked: what a consumer holds is freed when it dies, though its child holds the socket open.
func TestForked(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 4})
	path, err := Path(testName)
	if err != nil {
		t.Fatal(err)
	}
	const script = `
import os, signal, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"version":1}\n')
s.recv(24)
child = os.fork()
if child == 0:
    time.sleep(60)
print(child, flush=True)
time.sleep(60)
`
	cmd := exec.Command(testkit.Python(t), "-c", script, path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
	settled(t, s, 1)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	settled(t, s, 0)
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("its child is gone, too: %v", err)
	}
}

// TestServerDies: who watches gets what was published, and then an error that says so.
func TestServerDies(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 8})
	p := newPublisher(s, 800)
	c := dial(t, Choice{})
	settled(t, s, 1)
	p.publish(0, 0)
	s.mu.Lock()
	_ = s.audience.all[0].conn.Close() // as the kernel does
	s.mu.Unlock()
	if it := next(t, c); it.Number != 0 {
		t.Errorf("%+v", it.Facts)
	}
	if _, err := c.Next(t.Context()); err == nil || errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "lost") {
		t.Errorf("%v", err)
	}
}
