package chaos

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"drp/internal/testkit"
	"drp/xtc"
)

var inputRows = []row{
	{fault: "F14", name: "altered files as the source", brief: true, how: "bits, numbers, cuts, repeated and missing pieces, at random, in a file of ours and in files of LCLS-II",
		accept: "no panic, no hang; exit code 0, 4 or 5; the books balance", run: alteredSources},
	{fault: "F14", name: "altered files, looked at", brief: true, how: "the same, given to drp xtc check, ls, dump and repair", accept: "no panic, no hang; exit code 0, 1 or 4",
		run: alteredFiles},
	{fault: "F14", name: "time goes backwards, and twice the same", how: "two events swapped, one repeated, in the source", accept: "all are recorded as they come, and it is said",
		run: oddTimes},
}

// samples are files to alter: ours, and the small ones of the sample data, if they are there.
func samples(c *trial) (all [][]byte) {
	text, err := os.ReadFile(newStream(c, 60).path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	all = append(all, text)
	root := os.Getenv("DRP_TESTDATA")
	if root == "" {
		root = filepath.Join(filepath.Dir(testkit.Root()), "shared", "data")
	}
	_ = filepath.WalkDir(filepath.Join(root, "xtc2"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xtc2") || strings.Contains(path, ".smd.") {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Size() < 4<<20 {
			if text, err := os.ReadFile(path); err == nil {
				all = append(all, text)
			}
		}
		return nil
	})
	return all
}

// mutated is a file with something wrong in it.
func mutated(rng *rand.Rand, file []byte) []byte {
	b := append([]byte{}, file...)
	odd := []uint64{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, math.MaxInt64, math.MaxUint64}
	for range 1 + rng.IntN(4) {
		if len(b) < 64 {
			return b
		}
		at := rng.IntN(len(b) - 16)
		if rng.IntN(2) == 0 { // where the Configure is, most things are decided
			at = rng.IntN(min(len(b)-16, 2000))
		}
		switch rng.IntN(7) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			binary.LittleEndian.PutUint32(b[at:], uint32(odd[rng.IntN(len(odd))]))
		case 2:
			binary.LittleEndian.PutUint64(b[at:], odd[rng.IntN(len(odd))])
		case 3:
			b = b[:at]
		case 4: // a piece is missing
			b = append(b[:at:at], b[min(len(b), at+rng.IntN(300)):]...)
		case 5: // a piece is there twice
			to := min(len(b), at+rng.IntN(300))
			b = append(append(append([]byte{}, b[:to]...), b[at:to]...), b[to:]...)
		case 6:
			for i := range b[at:min(len(b), at+16)] {
				b[at+i] = byte(rng.Uint32())
			}
		}
	}
	return b
}

func alteredSources(c *trial) {
	all, codes := samples(c), map[int]int{}
	text := script(c, "", "pass")
	for range times(6, 150) {
		path := filepath.Join(c.TempDir(), "test-r0005-s000-c000.xtc2")
		testkit.WriteFile(c, path, string(mutated(c.rng, all[c.rng.IntN(len(all))])))
		dir := filepath.Join(c.TempDir(), "out")
		o := c.pipeline("-s", path, "-w", "1", "--slots", "16", "--deadline", "5s", "-o", dir, "-p", text).run()
		codes[o.code]++
		if o.code != 0 && o.code != 4 && o.code != 5 {
			c.Errorf("exit code %d:\n%s", o.code, tail(o.stderr))
		}
		if b := o.books; b != nil && (b.InFlight != 0 || b.Received != b.Recorded+b.Rejected+b.Vetoed+b.Quarantined+b.Dropped+b.Failed) {
			c.Errorf("the books do not balance: %+v", *b)
		}
		if c.failed() {
			_ = os.MkdirAll(filepath.Join(testkit.Root(), "out"), 0o755)
			keep := filepath.Join(testkit.Root(), "out", fmt.Sprintf("altered-%d.xtc2", seed))
			_ = exec.Command("cp", path, keep).Run()
			c.Logf("the file is kept as %s", keep)
			return
		}
	}
	c.measured("exit codes and how often: %v", codes)
}

func alteredFiles(c *trial) {
	all, codes := samples(c), map[int]int{}
	dir := c.TempDir()
	count := times(60, 2000)
	var paths []string
	for i := range count {
		path := filepath.Join(dir, fmt.Sprintf("test-r%04d-s000-c000.xtc2", i))
		testkit.WriteFile(c, path, string(mutated(c.rng, all[c.rng.IntN(len(all))])))
		paths = append(paths, path)
	}
	try := func(words ...string) {
		p := c.prepare(nil, words...)
		p.Cmd.Stdout = nil
		o := p.run()
		if codes[o.code]++; o.code != 0 && o.code != 1 && o.code != 4 {
			c.Errorf("drp %v: exit code %d:\n%s", words[:2], o.code, tail(o.stderr))
		}
	}
	try(append([]string{"xtc", "check"}, paths...)...)
	try(append([]string{"xtc", "ls"}, paths...)...)
	for _, path := range paths[:times(3, 40)] {
		try("xtc", "dump", "--elements", "3", path)
	}
	for _, path := range paths {
		if err := os.Rename(path, path+".inprogress"); err != nil {
			c.Fatalf("%v", err)
		}
	}
	try("xtc", "repair", dir)
	bad := 0
	for _, path := range dataFiles(dir) {
		if strings.HasSuffix(path, ".inprogress") {
			continue
		}
		if report, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || report.Truncated != nil {
			bad++
			c.Logf("%s: %v, %v", path, err, report.Truncated)
		}
	}
	if bad > 0 {
		c.Errorf("%d repaired files are cut off", bad)
	}
	c.measured("%d files; exit codes and how often: %v", count, codes)
}

func oddTimes(c *trial) {
	s := newStream(c, 50)
	text, err := os.ReadFile(s.path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	size, first := len(s.events[0]), strings.Index(string(text), string(s.events[0]))
	piece := func(n int) string { return string(text[first+n*size : first+(n+1)*size]) }
	file := string(text[:first])
	order := []int{}
	for n := range 50 {
		switch n {
		case 20:
			order = append(order, 21, 20)
		case 21:
		case 30:
			order = append(order, 30, 30)
		default:
			order = append(order, n)
		}
	}
	for _, n := range order {
		file += piece(n)
	}
	file += string(text[first+50*size:])
	path := filepath.Join(c.TempDir(), "test-r0005-s000-c000.xtc2")
	testkit.WriteFile(c, path, file)
	dir := filepath.Join(c.TempDir(), "out")
	o := c.pipeline("-s", path, "-w", "2", "-o", dir, "-p", script(c, "", "pass")).start().ended(0)
	var got, want []int
	for _, d := range testkit.Dgrams(c, dataFiles(dir)[0]) {
		if d.Service().IsEvent() {
			got = append(got, s.byTime[d.Time()])
		}
	}
	for _, n := range order {
		if !rejects(n) {
			want = append(want, n)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || o.books.Received != 51 {
		c.Errorf("recorded are %v, want %v", got, want)
	}
	c.measured("51 events in, %d recorded in the order of the source", len(got))
}
