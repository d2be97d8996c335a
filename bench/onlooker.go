package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// onlooker is somebody who looks at a run and shall not be felt by it. A further kind is a further row.
type onlooker struct {
	name string
	what string
	body string // in Python, what look() does; it says there() when it has begun
}

// copied is how many of them, the first, get events that have to be copied, and are looked at with large events, too.
const copied = 3

// mostMemory is what drp may hold with them, of what it holds without; each of a hundred consumers has a queue of 36 KiB.
func mostMemory(name string) float64 {
	if name == "stopped_100" {
		return 1.03
	}
	return 1.01
}

var onlookers = []onlooker{
	{"stopped", "a consumer is stopped in the middle of an event", `
for evt in events():
    there()
    os.kill(os.getpid(), signal.SIGSTOP)`},
	{"slow", "a consumer takes 10 events a second", `
for evt in events():
    there()
    time.sleep(0.1)`},
	{"crashed", "four times a second a consumer dies with an event in its hands", `
while True:
    pid = os.fork()
    if pid == 0:
        for evt in events():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    there()
    time.sleep(0.25)`},
	{"stopped_100", "a hundred are", `
all = [events() for _ in range(100)]
for one in all:
    next(one)
there()
os.kill(os.getpid(), signal.SIGSTOP)`},
	{"hostile", "a consumer writes anything where it may, as fast as it can", `
mon = drp.monitor(name, wait=30)
next(iter(mon))
words = mon._feed.connection.queue
there()
while True:
    for at in range(8, 16):
        words[at] = random.getrandbits(64)`},
	{"nonsense", "somebody connects and says nonsense to the socket of monitors, as fast as it can", `
from drp import _watch
while True:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(_watch.place(name))
        peer.sendall(b"nonsense\n")
        peer.recv(100)
    there()`},
	{"metrics", "/metrics is asked for as often as it is answered", `
asked = http.client.HTTPConnection(address.hostname, address.port)
while True:
    asked.request("GET", "/metrics?" + address.query)
    asked.getresponse().read()
    there()`},
	{"status", "so is the status at the socket", `
asked = http.client.HTTPConnection("localhost")
asked.sock = socket.socket(socket.AF_UNIX)
asked.sock.connect(status)
while True:
    asked.request("GET", "/v1/status")
    asked.getresponse().read()
    there()`},
	{"connections", "the port is connected to and left, as fast as can be", `
while True:
    with socket.create_connection((address.hostname, address.port)):
        pass
    there()`},
}

// onlookerScript looks while it is told to, each time in a process that is killed then.
const onlookerScript = `
import http.client, os, random, signal, socket, sys, time, urllib.parse
import drp
name, status = sys.argv[1:3]
address = urllib.parse.urlsplit(sys.argv[3])
said = False
def there():
    global said
    if not said:
        said = True
        os.write(1, b"there\n")
def events():
    return iter(drp.monitor(name, wait=30))
def look():
BODY
while sys.stdin.readline():
    pid = os.fork()
    if pid == 0:
        try:
            look()
        finally:
            os._exit(1)
    sys.stdin.readline()
    os.kill(pid, signal.SIGKILL)
    _, how = os.waitpid(pid, 0)
    os.write(1, b"gone\n" if os.WIFSIGNALED(how) else b"failed\n")
`

// looking is the process of an onlooker.
type looking struct {
	cmd  *exec.Cmd
	to   io.WriteCloser
	from *bufio.Reader
}

// look starts an onlooker of a run, who does nothing yet.
func (r *watchedRun) look(l *onlooker, o *MonitorOptions) (*looking, error) {
	body := "    " + strings.ReplaceAll(strings.TrimSpace(l.body), "\n", "\n    ")
	cmd := exec.Command(o.Python, "-c", strings.Replace(onlookerScript, "BODY", body, 1), r.name, r.socket, r.url)
	cmd.Env = append(o.environment(), "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	to, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(cmd, last); err != nil {
		return nil, err
	}
	return &looking{cmd, to, bufio.NewReader(from)}, nil
}

// turn tells him to begin or to end, and waits until he has.
func (l *looking) turn(word string) error {
	if _, err := io.WriteString(l.to, "\n"); err != nil {
		return fmt.Errorf("bench: the onlooker: %w", err)
	}
	if said, err := l.from.ReadString('\n'); err != nil || strings.TrimSpace(said) != word {
		return fmt.Errorf("bench: the onlooker says %q and should say %q: %w", said, word, err)
	}
	return nil
}

func (l *looking) close() error {
	_ = l.to.Close()
	if err := l.cmd.Wait(); err != nil {
		return fmt.Errorf("bench: the onlooker: %w", err)
	}
	return nil
}

// Which of the cores that this process may use.
type core bool

const (
	first core = false // for the run, whose throughput is that of one core
	last  core = true  // for all others, so that what they use is not taken from it
)

// startOn starts a process on one core.
func startOn(cmd *exec.Cmd, which core) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for i := range len(all) * 64 {
		if all.IsSet(i) {
			if which == last {
				one.Zero()
			}
			one.Set(i)
			if which == first {
				break
			}
		}
	}
	began := make(chan error)
	go func() { // the thread is not given back, since it stays on that core
		lockThread()
		err := unix.SchedSetaffinity(0, &one)
		began <- errors.Join(err, cmd.Start())
	}()
	if err := <-began; err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}
