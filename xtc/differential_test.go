package xtc_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestPythonReadsTheSame writes files, good and broken, and has the Python package say what is in them: the same datagrams,
// names and values, the same datagrams that make no sense, and the same place where reading ends. DRP_TEST_CASES=100000
// tries more of them, DRP_TEST_SEED=n those of a failure.
func TestPythonReadsTheSame(t *testing.T) {
	python := testkit.Python(t)
	cases, seed := number("DRP_TEST_CASES", 1500), number("DRP_TEST_SEED", uint64(time.Now().UnixNano()))
	rng := rand.New(rand.NewPCG(seed, 1))
	const atOnce = 3000 // files in one folder
	good := 0
	for first := uint64(0); first < cases; first += atOnce {
		dir := t.TempDir()
		for i := range min(atOnce, cases-first) {
			f := newRandomFile(rng)
			b, want := f.b, said(f.b)
			if nothingWrong := !strings.Contains(want, "\nbad\n") && strings.HasSuffix(want, "\nleft 0\n"); i%4 != 0 {
				b = f.broken()
				want = said(b)
			} else if !nothingWrong {
				t.Fatalf("seed %d: a good file is said to be\n%s", seed, want)
			} else {
				good++
			}
			name := filepath.Join(dir, fmt.Sprintf("case%05d", i))
			testkit.WriteFile(t, name+".xtc2", string(b))
			testkit.WriteFile(t, name+".txt", want)
		}
		cmd := exec.Command(python, filepath.Join(testkit.Root(), "python", "tests", "differential.py"), dir)
		cmd.Env = append(cmd.Environ(), "PYTHONPATH="+testkit.PythonPath())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("DRP_TEST_SEED=%d DRP_TEST_CASES=%d: %v\n%s", seed, cases, err, out[:min(len(out), 4000)])
		}
	}
	if good == 0 {
		t.Error("no good file was among them")
	}
}

// said is what differential.py says of a file, as far as we see it.
func said(file []byte) string {
	var s strings.Builder
	r, table := xtc.NewReader(bytes.NewReader(file), ""), xtc.NewTable()
	for {
		_, err := r.Next()
		at := r.Offset()
		var d xtc.Dgram
		if err == nil {
			d, err = r.ReadDgram(nil)
		}
		if err == nil && d.Service() == xtc.Configure {
			err = table.Configure(d)
		}
		var cut *xtc.TruncatedError
		switch {
		case err == io.EOF:
			s.WriteString("left 0\n")
		case errors.As(err, &cut):
			fmt.Fprintf(&s, "left %d\n", cut.Leftover)
		case err != nil:
			fmt.Fprintf(&s, "nonsense at %d\n", at)
		}
		if err != nil {
			return s.String()
		}
		fmt.Fprintf(&s, "datagram %d %d %d %d %d %d %d\n", at, d.Service(), d.Time(), d.Env(), d.Src(), uint16(d.Damage()),
			d.Size())
		if d.Service() == xtc.Configure {
			sayNames(&s, table)
		}
		s.WriteString(valuesOf(table, d))
	}
}

func sayNames(w io.Writer, table *xtc.Table) {
	for _, n := range table.All() {
		fmt.Fprintf(w, "names %x %s %s %s %s %v %d\n", uint32(n.ID), hexed(n.DetType), hexed(n.DetName), hexed(n.DetID),
			hexed(n.Alg), n.Version, n.Segment)
		for _, e := range n.Entries {
			fmt.Fprintf(w, "entry %s %d %d\n", hexed(e.Name), e.Type, e.Rank)
		}
	}
}

// valuesOf has of each NamesID the last block, where the first one is.
func valuesOf(table *xtc.Table, d xtc.Dgram) string {
	if _, err := table.Structure(d, nil); err != nil {
		return "bad\n"
	}
	text := map[xtc.NamesID]string{}
	var order []xtc.NamesID
	for it := table.Blocks(d); it.Next(); {
		b := it.Block()
		if _, seen := text[b.ID]; !seen {
			order = append(order, b.ID)
		}
		text[b.ID] = fmt.Sprintf("block %x\n", uint32(b.ID))
		for i := range b.Names.Entries {
			if tooWide(b.Field(i)) {
				text[b.ID] = "bad"
				break
			}
			text[b.ID] += described(b, i) + "\n"
		}
	}
	all := ""
	for _, id := range order {
		if text[id] == "bad" {
			return "bad\n"
		}
		all += text[id]
	}
	return all
}

// tooWide tells whether NumPy cannot hold an array, as is so even of an empty one when its other lengths multiply to more
// than 63 bits. Only broken files have such.
func tooWide(v xtc.Value) bool {
	n := uint64(v.Type.Bytes())
	for _, dim := range v.Shape[:v.Rank] {
		hi, lo := bits.Mul64(n, max(1, uint64(dim)))
		if n = lo; hi != 0 || lo > math.MaxInt64 {
			return true
		}
	}
	return false
}

func described(b *xtc.Block, i int) string {
	e, v := b.Names.Entries[i], b.Field(i)
	switch {
	case e.Type == xtc.CharStr:
		return "text " + hexed(v.String())
	case e.Rank > 0:
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(v.Shape[:v.Rank]), " ", "x"), "[]")
		return fmt.Sprintf("array %s %08x", shape, crc32.ChecksumIEEE(v.Data))
	case e.Type == xtc.EnumVal:
		return fmt.Sprintf("enum %d %s", v.Int64(), symbolsOf(b, e.Name))
	case e.Type == xtc.Float || e.Type == xtc.Double:
		if math.IsNaN(v.Float64()) {
			return "float nan"
		}
		return fmt.Sprintf("float %016x", math.Float64bits(v.Float64()))
	case e.Type == xtc.UInt64:
		return fmt.Sprintf("int %d", v.Uint64())
	}
	return fmt.Sprintf("int %d", v.Int64())
}

// symbolsOf gives the dictionary of the enum type that an entry names.
func symbolsOf(b *xtc.Block, entry string) string {
	_, kind, _ := strings.Cut(entry, ":")
	symbols := map[int64]string{}
	for i, e := range b.Names.Entries {
		if symbol, of, _ := strings.Cut(e.Name, ":"); e.Type == xtc.EnumDict && e.Rank == 0 && of == kind {
			symbols[b.Field(i).Int64()] = symbol
		}
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(symbols)) {
		all = append(all, strconv.FormatInt(k, 10)+"="+hexed(symbols[k]))
	}
	return strings.Join(all, ",")
}

// hexed makes text comparable: how many marks stand for how many bad bytes is a matter of taste.
func hexed(s string) string {
	const mark = "\uFFFD"
	s = strings.ToValidUTF8(s, mark)
	for strings.Contains(s, mark+mark) {
		s = strings.ReplaceAll(s, mark+mark, mark)
	}
	if s == "" {
		return "-"
	}
	return fmt.Sprintf("%x", s)
}

// number is a setting from the environment.
func number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}
