package chaos

import (
	"encoding/binary"
	"os"
	"path/filepath"
)

var memoryRows = []row{
	{fault: "F5", name: "bits in the raw data", how: "the script attaches all segments for writing by their numbers, and flips bits of the raw data",
		accept: "no panic, the books balance, nothing but raw data and results is wrong; what is altered is found and marked",
		known:  asRoot("root may write to raw data whatever its mode says, and no checksum goes with it through memory"),
		run:    flipsRaw},
}

// asRoot is what only root can still do wrong.
func asRoot(known string) string {
	if os.Getuid() == 0 {
		return known
	}
	return ""
}

func leUint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// flipsRaw does what no honest script can: it goes round the read-only mapping.
func flipsRaw(c *trial) {
	s := newStream(c, times(2000, 10000))
	dir := filepath.Join(c.TempDir(), "out")
	declare := `libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype, libc.shmat.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
def attached():
    for line in open("/proc/sysvipc/shm").readlines()[1:]:
        f = line.split()
        if int(f[4]) == os.getppid():
            yield libc.shmat(int(f[1]), None, 0), int(f[3])
def flip():
    rng = np.random.default_rng(os.getpid())
    all = [(a, s) for a, s in attached() if s < 8 << 20]  # that of the transitions is larger
    while True:
        for a, size in all:
            at = a + int(rng.integers(0, size))
            ctypes.c_ubyte.from_address(at).value ^= 1 << int(rng.integers(0, 8))
        time.sleep(1e-4)
started = False`
	body := `if not started:
    started = True
    threading.Thread(target=flip, daemon=True).start()`
	p := c.pipeline(append(manyRestarts(), "-s", s.path, "-w", "2", "--slots", "8", "-o", dir, "-p", script(c, declare, body))...)
	o := p.start().ended(0)
	a := c.proves(s, o, dir, or(damaged|spoilt|altered|quarantined|absent))
	unmarked := 0
	for _, e := range a.seen {
		if e.fate == altered && e.damage == 0 {
			unmarked++
		}
	}
	unmarked += a.strangers
	c.measured("%d of %d events altered, %d of them unmarked; %d refused", a.count[altered]+a.strangers, o.books.Received, unmarked, a.count[damaged])
	if unmarked > 0 {
		c.Errorf("%d events with altered raw data are recorded without a mark", unmarked)
	}
}
