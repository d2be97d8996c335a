package chaos

import (
	"math"
	"path/filepath"

	"drp/internal/testkit"
	"drp/xtc"
)

const refused = "the result is refused, the event kept with its raw data and damage; no other is touched"

// oncePer100 are the events with the number 3 of each hundred.
func oncePer100(more fates) func(int) fates {
	return func(n int) fates {
		if n%100 == 3 {
			return more
		}
		return natural(n)
	}
}

var resultRows = []row{
	{fault: "F4", name: "too large", how: "10 MB added", accept: refused,
		run: misbehaves(oncePer100(damaged), `if n % 100 == 3: out.pad = np.zeros(10_000_000, np.uint8); out.n = out.crc = out.when = out.pid = 1; evt.add(out)`)},
	{fault: "F4", name: "wrong type, rank, sign", how: "float for int, 2-D for 1-D, -1 for unsigned", accept: refused,
		run: misbehaves(oncePer100(damaged), `if n % 300 == 3: out.pad = np.zeros(4)
if n % 300 == 103: out.pad = np.zeros((2, 2), np.uint8)
if n % 300 == 203: out.n = -1`)},
	{fault: "F4", name: "NaN and infinity", how: "in a result and in a trigger value", accept: "recorded as they are: they are numbers of that type", run: notNumbers},
	{fault: "F4", name: "garbage in the answer pipe", brief: true, how: "random bytes written to it", accept: "the process is ended, its events processed again",
		run: misbehaves(natural, `if n % 100 == 3 and once(f"garbage{n}"): os.write(4, os.urandom(1 + n * 7919 % 5000))`)},
	{fault: "F4", name: "forged lengths", brief: true, how: "answers with lengths of -1, 2^31, one too many, and too many words",
		accept: refused + ", no read outside the slot", run: misbehaves(oncePer100(damaged|good), forged)},
	{fault: "F4", name: "garbage in the result", brief: true, how: "random bytes over it just before the answer", accept: refused,
		run: declares(oncePer100(damaged|spoilt), spoils, "pass")},
	{fault: "F4", name: "changed after the answer", how: "a thread writes all over the results all the time",
		accept: "results are refused or wrong; raw data and order are right", run: scribbles("rng.integers(0, 256)")},
	{fault: "F5", name: "bits in the results", brief: true, how: "a thread flips bits all over the result segment, headers too",
		accept: "results are refused or wrong; raw data and order are right; no panic", run: scribbles("memory[at] ^ (1 << rng.integers(0, 8))")},
}

// forged answers in the name of the package, which then answers once more.
const forged = `if n % 100 == 3 and once(f"forged{n}"):
    import struct
    feed = ds._feed
    feed.flush()
    length, count = [(2**32 - 1, 0), (2**31, 0), (feed.out_bytes + 1, 0), (0, 65535), (2**32 - 4, 65535)][n // 100 % 5]
    _, _, _, slot, generation, _, _, service, when = struct.unpack_from("<BBHIIIIIQ", feed._records, feed._i * 32)
    os.write(4, struct.pack("<BBHIIIIIQ", 4, 0, count, slot, generation, length, 0, service, when))`

// spoils changes a result when it is complete, before it is answered for.
const spoils = `feed, n = ds._feed, 0
patch = feed._patch
def spoil(count, status, length, words):
    if n % 100 == 3:
        area, at, room = feed.writable()
        area[at:at + length] = os.urandom(length)
    patch(count, status, length, words)
feed._patch = spoil`

// scribbles runs a script with a thread that spoils its whole result segment.
func scribbles(value string) func(*trial) {
	return func(c *trial) {
		s := newStream(c, times(2000, 20000))
		dir := filepath.Join(c.TempDir(), "out")
		declare := `area = ds._feed._out
def scribble():
    rng = np.random.default_rng(os.getpid())
    memory = np.frombuffer(area, np.uint8)
    while True:
        for at in rng.integers(0, ds._feed.transition_offset, 200):
            memory[at] = ` + value + `
        for slot in rng.integers(0, 8, 20):  # where the heads of results are
            at = min(ds._feed.out_offset + slot * ds._feed.out_step + rng.integers(0, 60), len(memory) - 1)
            memory[at] = ` + value + `
        time.sleep(0)
started = False`
		body := `if not started:
    started = True
    threading.Thread(target=scribble, daemon=True).start()`
		o := c.pipeline(append(manyRestarts(), "-s", s.path, "-w", "2", "--slots", "8", "-o", dir, "-p", script(c, declare, body))...).start().ended(0)
		a := c.proves(s, o, dir, or(damaged|spoilt|quarantined))
		c.measured("%d of %d results refused, %d wrong, %d restarts", a.count[damaged], o.books.Received, a.count[spoilt], o.books.Restarts)
	}
}

func notNumbers(c *trial) {
	s := newStream(c, 100)
	dir := filepath.Join(c.TempDir(), "out")
	declare := `odd = ds.add_detector("odd", alg="odd", fields={"x": (np.float64, 0), "y": (np.float32, 1)})`
	body := `odd.x, odd.y = (np.nan, np.inf, -np.inf)[n % 3], np.full(3, np.nan, np.float32)
evt.add(odd)
evt.trigger(sum=np.nan)`
	o := c.pipeline("-s", s.path, "-w", "2", "-o", dir, "-p", script(c, declare, body)).start().ended(0)
	c.proves(s, o, dir, natural)
	table, found := xtc.NewTable(), 0
	for _, d := range testkit.Dgrams(c, dataFiles(dir)[0]) {
		if d.Service() == xtc.Configure {
			_ = table.Configure(d)
		}
		if !d.Service().IsEvent() {
			continue
		}
		it := table.Blocks(d)
		for it.Next() {
			if b := it.Block(); b.Names.Alg == "odd" {
				if x := math.Float64frombits(leUint64(b.Field(0).Data)); math.IsNaN(x) || math.IsInf(x, 0) {
					found++
				}
			}
		}
	}
	if found != 90 {
		c.Errorf("%d of 90 values are as they were set", found)
	}
}
