package bench

import (
	"bufio"
	"cmp"
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

	large  bool    // with large events, too, since it gets copies of them
	page   bool    // of the page: what that keeps of events has to be there before
	seldom bool    // it does something a few times a second only
	memory float64 // at most, of that without; 0 is 1.01, and a queue of a consumer has 36 KiB
}

// leastLeft is what is left of the throughput, whoever looks.
const leastLeft = 0.99

// mostMemory is what it may take, of that without.
func (l *onlooker) mostMemory() float64 { return cmp.Or(l.memory, 1.01) }

// stretch is how long it is looked at for a turn, of the length of a measurement. What others do to the machine changes from one moment to the
// next, so many short turns tell more than a few long ones; but who does something a few times a second is to do so in each.
func (l *onlooker) stretch() float64 {
	if l.seldom {
		return 1
	}
	return 0.2
}

var onlookers = append([]onlooker{
	{name: "stopped", what: "a consumer is stopped in the middle of an event", large: true, body: `
for evt in events():
    there()
    os.kill(os.getpid(), signal.SIGSTOP)`},
	{name: "slow", seldom: true, what: "a consumer takes 10 events a second", large: true, body: `
for evt in events():
    there()
    time.sleep(0.1)`},
	{name: "crashed", seldom: true, what: "four times a second a consumer dies with an event in its hands", large: true, body: `
while True:
    pid = os.fork()
    if pid == 0:
        for evt in events():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    there()
    time.sleep(0.25)`},
	{name: "stopped_100", what: "a hundred are", memory: 1.03, body: `
all = [events() for _ in range(100)]
for one in all:
    next(one)
there()
os.kill(os.getpid(), signal.SIGSTOP)`},
	{name: "hostile", what: "a consumer writes anything where it may, as fast as it can", body: `
mon = drp.monitor(name, wait=30)
next(iter(mon))
words = mon._feed.connection.queue
there()
while True:
    for at in range(8, 16):
        words[at] = random.getrandbits(64)`},
	{name: "nonsense", what: "somebody connects and says nonsense to the socket of monitors, as fast as it can", body: `
from drp import _watch
while True:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(_watch.place(name))
        peer.sendall(b"nonsense\n")
        peer.recv(100)
    there()`},
	{name: "metrics", seldom: true, what: "/metrics is asked for as often as it is answered", body: `
asked = http.client.HTTPConnection(address.hostname, address.port)
while True:
    asked.request("GET", "/metrics?" + address.query)
    asked.getresponse().read()
    there()`},
	{name: "status", seldom: true, what: "so is the status at the socket", body: `
asked = http.client.HTTPConnection("localhost")
asked.sock = socket.socket(socket.AF_UNIX)
asked.sock.connect(status)
while True:
    asked.request("GET", "/v1/status")
    asked.getresponse().read()
    there()`},
	{name: "connections", what: "the port is connected to and left, as fast as can be", body: `
while True:
    with socket.create_connection((address.hostname, address.port)):
        pass
    there()`},
	{name: "flood", what: "lines are sent to the port of --liveline as fast as can be", body: `
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
    flood.connect(liveline)
    while True:
        flood.send(b"--unknown 17 " * 78)
        there()`},
}, browsers...)

// onlookerScript looks while it is told to, each time in a process that is killed then.
const onlookerScript = `
import http.client, json, os, random, selectors, signal, socket, sys, threading, time, urllib.parse
import drp
name, status = sys.argv[1:3]
address = urllib.parse.urlsplit(sys.argv[3])
liveline = ("127.0.0.1", int(sys.argv[4].rpartition(":")[2]))
said = False
def there():
    global said
    if not said:
        said = True
        os.write(1, b"there\n")
def events():
    return iter(drp.monitor(name, wait=30))
def stream(query, room=0):
    page = socket.socket()
    if room:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    page.connect((address.hostname, address.port))
    page.sendall(f"GET /v1/page/stream?{query}&{address.query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return page
def stare():
    pages = selectors.DefaultSelector()
    for image in ("event", "sum", "max"):
        for bin in (1, 2, 4, 8):
            pages.register(stream(f"image={image}&bin={bin}&rate=30&hits={bin % 2}"), selectors.EVENT_READ)
    while True:
        for page, _ in pages.select():
            yield page.fileobj
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
	cmd := exec.Command(o.Python, "-c", strings.Replace(onlookerScript, "BODY", body, 1), r.name, r.socket, r.url,
		r.liveline)
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
