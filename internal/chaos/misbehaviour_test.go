package chaos

import (
	"fmt"
	"path/filepath"
	"testing"
)

var misbehaviourRows = []row{
	{fault: "F3", name: "exits with 0", brief: true, how: "os._exit(0) once in a hundred events", accept: "processed again by another process",
		run: misbehaves(natural, `if n % 100 == 3 and once(f"exit{n}"): os._exit(0)`)},
	{fault: "F3", name: "exits with 0 every time", how: "os._exit(0) whenever event 50 comes", accept: "that event is given up, no other",
		run: misbehaves(only(50, quarantined), `if n == 50: os._exit(0)`)},
	{fault: "F3", name: "prints much", how: "1 GB (64 MB in the short set) to its output", accept: "no deadlock; the log stays below 1 MB",
		run: printsMuch},
	{fault: "F3", name: "closes all files", brief: true, how: "os.closerange(3, 1024)", accept: "processed again by another process",
		run: misbehaves(natural, `if n % 100 == 3 and once(f"close{n}"): os.closerange(3, 1024)`)},
	{fault: "F3", name: "puts other files in their place", how: "dup2 of /dev/null and of a socket over the pipes",
		accept: "killed at the deadline, processed again",
		run: misbehaves(natural, `if n == 50 and once("dup"):
    os.dup2(os.open("/dev/null", os.O_RDWR), 4)
if n == 150 and once("dup2"):
    import socket
    pair = socket.socketpair()
    os.dup2(pair[0].fileno(), 3)`, "--deadline", "1s")},
	{fault: "F3", name: "starts children", brief: true, how: "fork, subprocess, threads, in its process group", accept: "none is left after the run",
		run: misbehaves(natural, `if n % 100 == 3 and once(f"fork{n}"):
    subprocess.Popen(["sleep", "1000"])
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)
    threading.Thread(target=time.sleep, args=(0.2,)).start()`)},
	{fault: "F3", name: "starts a daemon", how: "a child in a session of its own", accept: "not left after the run",
		run: misbehaves(natural, `if n == 50 and once("daemon"): subprocess.Popen(["sleep", "1000"], start_new_session=True)`)},
}

// only allows something for one event.
func only(which int, more fates) func(int) fates {
	return func(n int) fates {
		if n == which {
			return more
		}
		return natural(n)
	}
}

// misbehaves runs a script that does body over a few hundred events, which must all come to their end.
func misbehaves(allowed func(int) fates, body string, args ...string) func(*trial) {
	return declares(allowed, "", body, args...)
}

// declares is misbehaves with something that is done at the start.
func declares(allowed func(int) fates, declare, body string, args ...string) func(*trial) {
	return func(c *trial) {
		s := newStream(c, times(250, 1000))
		dir := filepath.Join(c.TempDir(), "out")
		args := append(append(manyRestarts(), args...), "-s", s.path, "-w", "2", "--slots", "8", "-o", dir, "-p", script(c, declare, body))
		o := c.pipeline(args...).start().ended(0)
		a := c.proves(s, o, dir, allowed)
		if testing.Verbose() {
			c.Logf("%s", o.stderr)
		}
		c.measured("%d restarts, %d of %d events given up", o.books.Restarts, a.count[damaged]+a.count[quarantined], o.books.Received)
	}
}

func printsMuch(c *trial) {
	s := newStream(c, 200)
	dir := filepath.Join(c.TempDir(), "out")
	megabytes := times(64, 1000)
	body := fmt.Sprintf(`if n == 50:
    for i in range(%d):
        os.write(1 + i %% 2, (b"x" * (1 + i * 7919 %% 100000) + b"\n") * (1 + 1000000 // (2 + i * 7919 %% 100000)))`, megabytes)
	o := c.pipeline("-s", s.path, "-w", "2", "-o", dir, "-p", script(c, "", body)).start().ended(0)
	c.proves(s, o, dir, natural)
	if len(o.stderr) > 1<<20 {
		c.Errorf("the log has %d bytes", len(o.stderr))
	}
	c.measured("%d MB in %.1f s, the log has %.0f kB", megabytes, o.books.Seconds, float64(len(o.stderr))/1e3)
}
