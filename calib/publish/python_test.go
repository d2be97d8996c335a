package publish

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// reader is the program of docs/calibration.md: it finds the socket by its name, gets what is kept, and views the arrays.
const reader = `
import ctypes, hashlib, sys
import msgpack, numpy, zmq

folder, partition, detector, serials = sys.argv[1:]
text = f"{partition}\0{detector}\0{serials}\0".encode()
name = f"calib-{partition[:16]}-{detector[:16]}-{hashlib.sha256(text).hexdigest()[:16]}"

sub = zmq.Context().socket(zmq.SUB)
sub.setsockopt(zmq.RCVTIMEO, 20000)
sub.connect(f"ipc://{folder}/{name}")
sub.subscribe(b"calib:")
topic, message = sub.recv_multipart()
said = msgpack.unpackb(message)

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_int
SHM_RDONLY = 0o10000
address = libc.shmat(said["segment"], None, SHM_RDONLY)
assert address != ctypes.c_void_p(-1).value, ctypes.get_errno()
arrays = {}
for a in said["layout"]:
    dtype = numpy.dtype(a["dtype"])
    count = int(numpy.prod(a["shape"]))
    memory = (ctypes.c_char * (count * dtype.itemsize)).from_address(address + a["offset"])
    arrays[a["name"]] = numpy.frombuffer(memory, dtype).reshape(a["shape"])
    arrays[a["name"]].flags.writeable = False

print(said["generation"], said["run"], arrays["pedestals"].shape, arrays["pedestals"].sum(dtype="f8"),
      arrays["mask"].sum(), arrays["geometry"].tobytes()[:10].decode() if "geometry" in arrays else "no geometry")
`

func TestTheDocumentsShowWhatIsTested(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "calibration.md"))
	must(t, err)
	if !strings.Contains(string(text), "```python"+reader+"```") {
		t.Error("docs/calibration.md shows another program")
	}
}

func TestPythonReadsTheSameMemory(t *testing.T) {
	testkit.NoLeaks(t)
	python := testkit.Python(t)
	if out, err := exec.Command(python, "-c", "import zmq, msgpack").CombinedOutput(); err != nil {
		t.Fatalf("%s has no pyzmq or no msgpack, which make test installs: %s", python, out)
	}
	c := Config{Partition: "hutch-3", Folder: folder(t)}
	set := constants(t, "camera", 0.5)
	want := publisher(t, c).must(t, set, 12)
	out, err := exec.Command(python, "-c", reader, c.Folder, "hutch-3", "camera", "a.b").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sum, good := 0.0, 0
	for i, v := range set.Pedestals {
		sum, good = sum+float64(v), good+int(set.Mask[i])
	}
	if want := fmt.Sprintf("%d 12 (1, 2, 24, 33) %.1f %d ; CrystFEL\n", want.Generation, sum, good); string(out) != want {
		t.Errorf("it says %q instead of %q", out, want)
	}
}
