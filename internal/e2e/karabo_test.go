package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// bridge is a drp karabo for a run that is there or not yet; where gives the address of each kind of socket.
type bridge struct {
	*invocation
}

func newBridge(t *testing.T, v *invocation, args ...string) *bridge {
	t.Helper()
	b := &bridge{prepare(t, nil, append([]string{"karabo", "tst/cam"}, args...)...)}
	b.Cmd.Env = append(b.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	b.start()
	return b
}

var bridgeAt = regexp.MustCompile(`karabo: ([A-Z]+) at (\S+)`)

// where waits until it listens.
func (b *bridge) where(sockets int) map[string]string {
	b.t.Helper()
	all := map[string]string{}
	if !testkit.Within(testkit.Patience, func() bool {
		for _, m := range bridgeAt.FindAllStringSubmatch(b.Stderr.String(), -1) {
			all[m[1]] = m[2]
		}
		return len(all) == sockets || b.Over()
	}) || len(all) != sockets {
		b.t.Fatalf("it does not listen:\n%s", b.LastWords())
	}
	return all
}

// end ends it as Ctrl-C does.
func (b *bridge) end(messages ...string) {
	b.t.Helper()
	b.Signal(syscall.SIGINT)
	b.finish().wants(b.t, 0, messages...)
}

// client is a Python program that has the package of the European XFEL.
func client(t *testing.T, body string, args ...string) *testkit.Program {
	t.Helper()
	p := testkit.Prepare(t, nil, testkit.PythonWith(t, "karabo_bridge"), append([]string{testkit.Script(t, `
import glob, os, sys, time
import numpy as np
import zmq
from karabo_bridge import Client, deserialize, serialize
`+body)}, args...)...)
	p.Start()
	return p
}

func says(t *testing.T, p *testkit.Program, what string) {
	t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(p.Stdout.String(), what) || p.Over() }) ||
		!strings.Contains(p.Stdout.String(), what) {
		t.Fatalf("%q is not said:\n%s\n%s", what, p.Stdout.String(), p.LastWords())
	}
}

// TestKarabo: clients of all three kinds have what was recorded, of every detector and field, and what the serializer of the
// European XFEL makes of it is what we sent, byte by byte.
func TestKarabo(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	v := pipeline(t, "-s", "sim:segments=1,hits=0.5,bank=4,events=0,slow=10", "-w", "2", "--rate", "100", "--hits", "peakfinder8", "--monitor", "tst/cam",
		"-o", out, "-p", testkit.Script(t, `
import numpy as np
from drp import DataSource
ds = DataSource()
fields = {"n": (np.uint32, 0), "f": (np.float32, 0), "text": (str, 1), "line": (np.int16, 1), "cube": (np.float64, 3)}
out = ds.add_detector(ds.camera, alg="mine", fields=fields)
for run in ds.runs():
    for evt in run.events():
        n = evt.nanoseconds // 40000
        out.n, out.f, out.text = n, n / 8, f"event {n}"
        out.line, out.cube = np.arange(n % 7, dtype=np.int16), np.full((2, 3, 1), n / 3)
        evt.add(out)
`)).start()
	b := newBridge(t, v, "--rep", "tcp://127.0.0.1:0", "--pub", "tcp://*:0", "--push", "tcp://127.0.0.1:0", "--status", "100ms")
	at, told := b.where(3), filepath.Join(t.TempDir(), "told")
	p := client(t, `
import drp
pub = sys.argv[2].replace("[::]", "127.0.0.1")
clients = [Client(sys.argv[1], timeout=90), Client(pub, "SUB", timeout=90), Client(sys.argv[3], "PULL", timeout=90)]
got = [[c.next() for _ in range(20)] for c in clients]
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.RCVTIMEO, 90000)
socket.subscribe(b"")
socket.connect(pub)
frames = socket.recv_multipart()
assert len(frames) % 2 == 0
again = [bytes(f) for f in serialize(*deserialize(frames))]
assert again == frames, (len(again), len(frames))
socket.close(0)
print("got", flush=True)
clients[0]._socket.send(b"next")  # so that all go on to take what comes until the run has ended
while not (files := glob.glob(sys.argv[4] + "/*.xtc2")) or not os.path.exists(sys.argv[5]):
    for c in clients:
        try:
            c._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            time.sleep(0.01)
        else:
            if c is clients[0]:
                c._socket.send(b"next")
sent = {}
for events in got:
    tids = [meta["tst/cam/EVENT"]["timestamp.tid"] for data, meta in events]
    assert tids == sorted(set(tids)), tids
    sent.update((tid, event) for tid, event in zip(tids, events))
seen = hits = values = slow = 0
for run in drp.DataSource(files=files).runs():
    fields = [(det, alg, name) for (det, alg), names in run.detinfo.items() for name in names if det not in ("epics", "scan", "step", "drp") and alg not in ("config", "hitsconfig")]
    for evt in run.events():
        if evt.timestamp not in sent:
            continue
        data, meta = sent[evt.timestamp]
        epics = run.Detector("SIM:CAMERA:TEMPERATURE")(evt)
        sources = ["tst/cam/DET/epixhr", "tst/cam/EPICS", "tst/cam/EVENT", "tst/cam/SCAN"]
        if epics is None:
            sources.remove("tst/cam/EPICS")
        assert sorted(data) == sources, sorted(data)
        facts, n = data["tst/cam/EVENT"], evt.nanoseconds // 40000
        assert facts["number"] == n and facts["hit"] == evt.is_hit and not facts["rejected"] and facts["damage"] == evt.damage, facts
        for name, m in meta.items():
            sec = evt.seconds + 631152000
            assert m == {"source": name, "timestamp": sec + evt.nanoseconds / 1e9, "timestamp.sec": str(sec), "timestamp.frac": f"{evt.nanoseconds:09d}" + "0" * 9, "timestamp.tid": evt.timestamp}, m
        for det, alg, name in fields:
            want = getattr(getattr(run.Detector(det), alg), name)(evt)
            have = data["tst/cam/DET/" + det].pop(alg + "." + name)
            if isinstance(want, np.ndarray):
                assert have.dtype == want.dtype and have.shape == want.shape and np.array_equal(have, want), (alg, name)
            else:
                assert have == want and type(have) is type(want), (alg, name, have, want)
            values += 1
        assert data["tst/cam/DET/epixhr"] == {}, data
        if epics is not None:
            assert data["tst/cam/EPICS"] == {"SIM:CAMERA:TEMPERATURE": epics}
            slow += 1
        seen += 1
        hits += evt.is_hit
assert seen == len(sent) and 0 < hits < seen and slow and values > 20 * seen, (seen, len(sent), hits, values)
print("the same")
`, at["REP"], at["PUB"], at["PUSH"], out, told)
	says(t, p, "got")
	v.Signal(syscall.SIGINT)
	v.finish().wants(t, 130)
	b.Says("the run of tst/cam has ended") // which it is told as long as somebody is there
	testkit.WriteFile(t, told, "")
	if ends(t, p) != "the same" {
		t.Error(p.Stdout.String())
	}
	b.end("only this machine can connect", "the run of tst/cam has ended", " has left after ")
	if said := b.Stdout.String(); !strings.Contains(said, "PUSH "+at["PUSH"]) || !strings.Contains(said, " 0 bad requests") {
		t.Errorf("of those who are connected it says:\n%s", said)
	}
}

// TestKaraboClientsHarmNobody: beside one that stops, one that is killed, one that asks and does not read, one that asks for
// nonsense and a flood, a healthy client gets its events; and the run goes on as if nobody was there.
func TestKaraboClientsHarmNobody(t *testing.T) {
	t.Parallel()
	v := pipeline(t, "-s", "sim:segments=4,bank=2,events=0", "-w", "2", "--rate", "100", "--monitor", "tst/cam", "-p", testkit.Script(t, looping("pass", "pass"))).start()
	b := newBridge(t, v, "--rep", "tcp://127.0.0.1:0", "--pub", "tcp://127.0.0.1:0", "--newest", "--status", "100ms")
	at := b.where(2)
	stopped := client(t, `
c = Client(sys.argv[1], "SUB", timeout=90)
c.next()
print("there", flush=True)
while True:
    c.next()
`, at["PUB"])
	killed := client(t, `
c = Client(sys.argv[1], timeout=90)
while True:
    c.next()
    print("there", flush=True)
`, at["REP"])
	says(t, stopped, "there")
	says(t, killed, "there")
	stopped.Signal(syscall.SIGSTOP)
	killed.Signal(syscall.SIGKILL)
	p := client(t, `
context = zmq.Context()
def socket(kind):
    s = context.socket(kind)
    s.setsockopt(zmq.LINGER, 0)
    s.setsockopt(zmq.RCVTIMEO, 90000)
    s.connect(sys.argv[1])
    return s
garbage = socket(zmq.REQ)
for wrong in (b"", b"NEXT", b"next\0", os.urandom(50), b"x" * 4000):
    garbage.send(wrong)
    parts = garbage.recv_multipart()
    assert len(parts) == 1 and parts[0] == b"Error: bad request " + wrong[:100], parts
silent = socket(zmq.REQ)
silent.setsockopt(zmq.RCVBUF, 4096)
silent.send(b"next")
giant = socket(zmq.REQ)
giant.send(b"next" * 1_000_000)
flood = socket(zmq.DEALER)
flood.set_hwm(0)
for _ in range(100_000):
    flood.send_multipart([b"", b"next"])
client = Client(sys.argv[1], timeout=90)
last = -1
for _ in range(100):
    data, meta = client.next()
    number = data["tst/cam/EVENT"]["number"]
    assert number > last and data["tst/cam/DET/epixhr"]["raw.raw"].shape == (4, 352, 384)
    last = number
print("well", flush=True)
`, at["REP"])
	if got := ends(t, p); got != "well" {
		t.Error(got)
	}
	stopped.Signal(syscall.SIGCONT)
	b.end("has connected", "more than 64 requests before it has an answer", "a frame of 4000000 bytes")
	if !regexp.MustCompile(` [1-9]\d* bad requests`).MatchString(b.Stdout.String()) {
		t.Errorf("it does not count requests that are none:\n%s", b.Stdout.String())
	}
	v.Signal(syscall.SIGINT)
	v.finish().wants(t, 130)
	for _, c := range []*testkit.Program{stopped, killed} {
		c.Signal(syscall.SIGKILL)
		c.WaitFor(testkit.Patience)
	}
}

// TestKaraboRestarts: clients outlive the bridge, and the bridge outlives runs.
func TestKaraboRestarts(t *testing.T) {
	t.Parallel()
	first := watchable(t, looping("pass", "pass"))
	b := newBridge(t, first, "--pub", "tcp://127.0.0.1:0", "--push", "tcp://127.0.0.1:0")
	at := b.where(2)
	p := client(t, `
sub, pull = Client(sys.argv[1], "SUB", timeout=90), Client(sys.argv[2], "PULL", timeout=90)
for word in ("one", "two", "three"):
    for c in (sub, pull):
        for _ in range(20):
            data, meta = c.next()
            assert data["tst/cam/DET/epixhr"]["raw.raw"].shape == (1, 8, 8)
    print(word, flush=True)
    while not os.path.exists(sys.argv[3] + word):
        c.next()
    while True:
        try:
            c._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            break
`, at["PUB"], at["PUSH"], first.RunDir+"/go-on-")
	goOn := func(word string) {
		if err := os.WriteFile(first.RunDir+"/go-on-"+word, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	first.start()
	says(t, p, "one")
	first.Signal(syscall.SIGKILL)
	<-first.Done
	second := watchable(t, looping("pass", "pass"))
	second.Cmd.Env = append(second.Cmd.Env, "XDG_RUNTIME_DIR="+first.RunDir)
	second.start()
	goOn("one")
	says(t, p, "two")
	b.end("the run of tst/cam is lost")
	b = newBridge(t, first, "--pub", at["PUB"], "--push", at["PUSH"])
	goOn("two")
	says(t, p, "three")
	goOn("three")
	ends(t, p)
	b.end()
	second.Signal(syscall.SIGINT)
	second.finish().wants(t, 130)
	testkit.Within(testkit.Patience, func() bool { return len(testkit.Marked(first.Mark)) == 0 })
}

// TestKaraboInARun needs no other process, and ends with the run.
func TestKaraboInARun(t *testing.T) {
	t.Parallel()
	v := watchable(t, looping("pass", "pass"), "--karabo", "tcp://127.0.0.1:0", "--karabo", "tcp://127.0.0.1:0").start()
	b := &bridge{v}
	p := client(t, `
c = Client(sys.argv[1], timeout=90)
for _ in range(50):
    data, meta = c.next()
print(data["tst/cam/DET/epixhr"]["raw.raw"].shape)
`, b.where(1)["REP"])
	if got := ends(t, p); got != "(1, 8, 8)" {
		t.Error(got)
	}
	v.Signal(syscall.SIGINT)
	v.finish().wants(t, 130, "has given 50 events", "has given 0 events")
	watchable(t, looping("pass", "pass"), "--karabo", "4545").run().wants(t, 2, "--karabo: \"4545\" is no endpoint")
	prepare(t, nil, "-p", "x.py", "--karabo", "tcp://127.0.0.1:0").run().wants(t, 2, "--karabo gives away what --monitor shows")
}

// TestKaraboMistakes are told apart from a run that is not there yet.
func TestKaraboMistakes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"a/b/c"}, 2, "give PARTITION/DETECTOR"},
		{[]string{"tst/cam", "--rep", "127.0.0.1:4545"}, 2, "--rep: \"127.0.0.1:4545\" is no endpoint: give tcp://HOST:PORT"},
		{[]string{"tst/cam", "--allow", "all"}, 2, "--allow \"all\": give networks as 10.0.3.0/24"},
		{[]string{"tst/cam", "--pub", fmt.Sprintf("tcp://%s", taken.Addr())}, 3, "address already in use"},
	} {
		prepare(t, nil, append([]string{"karabo"}, test.args...)...).run().wants(t, test.code, test.want)
	}
}
