package wire

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// python runs a program that needs pyzmq and msgpack.
func python(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	path := testkit.Python(t)
	if out, err := exec.Command(path, "-c", "import zmq, msgpack").CombinedOutput(); err != nil {
		t.Fatalf("%s has no pyzmq or no msgpack, which make test installs: %s", path, out)
	}
	cmd := exec.Command(path, append([]string{"-c", program}, args...)...)
	t.Cleanup(func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

// TestPythonSubscribes: pyzmq connects late, gets what is kept and what comes, and reads our msgpack; heartbeats on.
func TestPythonSubscribes(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{}, e)
	b, err := Marshal(full())
	must(t, err)
	must(t, p.Keep("calib", b))
	cmd := python(t, `
import sys, zmq, msgpack
s = zmq.Context().socket(zmq.SUB)
s.setsockopt(zmq.HEARTBEAT_IVL, 20)
s.setsockopt(zmq.RCVTIMEO, 80000)
s.connect(sys.argv[1])
s.subscribe(b"cal")
topic, body = s.recv_multipart()
r = msgpack.unpackb(body)
print(topic.decode(), r["version"], r["big"], r["small"], r["ratio"], r["layout"][0]["shape"], len(r["data"]), flush=True)
topic, big = s.recv_multipart()
print(len(big), big.count(b"z"))
s.close(0)
`, e.String())
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	if got, _ := lines.ReadString('\n'); got != "calib 1 9223372036854775808 -5 1.5 [1, 2, 70000] 70\n" {
		t.Fatalf("it says %q", got)
	}
	must(t, p.Send("calib", []byte(strings.Repeat("z", 3<<20))))
	if got, _ := lines.ReadString('\n'); got != "3145728 3145728\n" {
		t.Errorf("it says %q", got)
	}
}

// TestPythonPublishes: a Sub understands a PUB of libzmq.
func TestPythonPublishes(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	cmd := python(t, `
import sys, zmq, msgpack
s = zmq.Context().socket(zmq.XPUB)
s.setsockopt(zmq.RCVTIMEO, 80000)
s.bind(sys.argv[1])
assert s.recv() == b"\x01n"
s.send_multipart([b"n", msgpack.packb({"version": 2, "name": "from Python"}), b"z" * 1000000])
s.close(80000)
`, e.String())
	must(t, cmd.Start())
	m := receive(t, subscribe(t, e, "n"))
	var r record
	must(t, Unmarshal(m.Frames[0], &r))
	if r.Version != 2 || r.Name != "from Python" || len(m.Frames[1]) != 1_000_000 {
		t.Errorf("%+v and %d bytes", r, len(m.Frames[1]))
	}
	_ = cmd.Wait()
}
