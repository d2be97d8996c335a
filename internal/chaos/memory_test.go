package chaos

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"drp/xtc"
)

var memoryRows = []row{
	{fault: "F5", name: "bits in the raw data", how: "the script attaches all segments for writing by their numbers, and flips bits of the raw data all the time; --verify",
		accept: "no panic, the books balance, nothing but raw data and results is wrong; what is altered is marked, but for a few hits (5 %) between the read and the checksum",
		run:    flipsRaw},
	{fault: "F5", name: "a bit of the raw data in hand", brief: true, how: "as root the script flips a bit of one event in a hundred, in its header or its pixels; --verify",
		accept: "each of these events is recorded as it is, marked Corrupted, and no other; the books count them", run: flipsInHand},
}

// attaches has a script attach all segments of drp for writing, which the system allows to root alone.
const attaches = `libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype, libc.shmat.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
def attached():
    for line in open("/proc/sysvipc/shm").readlines()[1:]:
        f = line.split()
        if int(f[4]) == os.getppid():
            yield libc.shmat(int(f[1]), None, 0), int(f[3])
`

// flipsInHand flips a bit of events that the script has in hand: whose place is known, and whose checksum was made.
func flipsInHand(c *trial) {
	if os.Getuid() != 0 {
		c.skip("only root may write to raw data")
	}
	const often = 100
	hit := func(n int) bool { return n%often == 3 }
	s := newStream(c, times(1000, 20000))
	dir := filepath.Join(c.TempDir(), "out")
	declare := attaches + `def flip(n):
    feed = ds._feed
    record = feed._records[feed._i * 32:]
    at = feed.raw_offset + int.from_bytes(record[4:8], "little") * feed.raw_step
    size = int.from_bytes(record[12:16], "little")
    where = (0, 8, 11, 12, 16, 18, 20, size - 1 - n % 200)[n // 100 % 8]
    for a, s in attached():
        memory = (ctypes.c_ubyte * s).from_address(a)
        if s >= at + size and bytes(memory[at:at + 24]) == bytes(feed._raw[at:at + 24]):
            memory[at + where] ^= 1 << n // 800 % 8
            return
    raise RuntimeError("the event is in no segment")
`
	p := c.pipeline("--verify", "-s", s.path, "-w", "2", "-o", dir, "-p", script(c, declare, "if n % 100 == 3: flip(n)"))
	o := p.start().ended(0)
	a := c.proves(s, o, dir, func(n int) fates {
		if hit(n) {
			return damaged | altered
		}
		return natural(n)
	})
	marked := 0
	for _, e := range a.seen {
		if corrupted := e.damage.Has(xtc.DamageCorrupted); corrupted != hit(e.n) {
			c.Errorf("event %d, altered %v, is recorded with damage %v", e.n, hit(e.n), e.damage)
		} else if corrupted {
			marked++
		}
	}
	if want := len(s.events) / often; marked != want || o.books.Altered != want {
		c.Errorf("%d events were altered, %d are marked, the books say %d", want, marked, o.books.Altered)
	}
	c.measured("%d of %d events altered, all marked", marked, o.books.Received)
}

func leUint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// flipsRaw does what no honest script can: it goes round the read-only mapping.
func flipsRaw(c *trial) {
	s := newStream(c, times(2000, 10000))
	dir := filepath.Join(c.TempDir(), "out")
	declare := attaches + `def flip():
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
	p := c.pipeline(append(manyRestarts(), "--verify", "--max-loss", "1", "-s", s.path, "-w", "2", "--slots", "8", "-o", dir, "-p", script(c, declare, body))...)
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
	if missed := max(5, (a.count[altered]+a.strangers)/20); unmarked > missed {
		c.Errorf("%d events with altered raw data are recorded without a mark, more than %d", unmarked, missed)
	}
	if o.books.Altered == 0 && os.Getuid() == 0 {
		c.Errorf("nothing was found to be altered")
	}
}
