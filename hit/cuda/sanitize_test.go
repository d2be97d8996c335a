package cuda_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"drp/hit"
	"drp/hit/cuda"
	"drp/hit/cuda/stub"
)

// The kernels touch no memory that is not theirs, and do nothing that C does not define: what a device is asked for is done
// again by a program with the sanitizers of the C compiler, and comes to the same.
func TestKernelsUnderSanitizers(t *testing.T) {
	program := filepath.Join(t.TempDir(), "replay")
	build := exec.Command("gcc", "-std=c11", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
		"-o", program, "kernels/testdata/replay.c", "kernels/cpu.c", "-lm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc with sanitizers: %v\n%s", err, out)
	}
	searched := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			c := newScene(t, r, []string{hit.Full, hit.Sampled, hit.Carried}[seed%3])
			limits := []cuda.Limits{{}, {Candidates: 50, Groups: 10, Peaks: 2}}[seed/3%2]
			input, want := record(t, c, r, limits)
			cmd := exec.Command(program)
			cmd.Stdin = bytes.NewReader(input)
			var says bytes.Buffer
			cmd.Stderr = &says
			got, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, says.String())
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes come back that differ", len(got))
			}
			searched++
		})
	}
	if searched < 20 {
		t.Errorf("%d frames only", searched)
	}
}

// record searches a frame, and gives what the device was asked for and what came back.
func record(t *testing.T, c *scene, r *rand.Rand, limits cuda.Limits) (input, back []byte) {
	t.Helper()
	d := &stub.Driver{Faults: stub.Faults{ScatterBy: r.Uint64()}}
	var memory, launches bytes.Buffer
	n := 0
	put := func(to *bytes.Buffer, numbers ...uint64) {
		for _, x := range numbers {
			to.Write(binary.LittleEndian.AppendUint64(nil, x))
		}
	}
	var params cuda.Memory
	d.Trace = func(l stub.Launch) {
		if n == 0 {
			all := d.Allocations()
			put(&memory, uint64(len(all)))
			for _, m := range slices.Sorted(maps.Keys(all)) {
				put(&memory, uint64(m), uint64(len(all[m])))
				memory.Write(all[m])
			}
		}
		n++
		put(&launches, uint64(l.Kernel), uint64(l.Grid.Blocks), uint64(l.Grid.Frames), uint64(l.Grid.Threads), l.Seed, uint64(l.Params))
		params = l.Params
	}
	g := open(t, cuda.Options{Driver: d, Lanes: 1, Batch: 1, Limits: limits})
	f := c.frame(r)
	if c.plan.Config.Peakfinder8.Statistics == hit.Carried {
		f.Carried = c.plan.NewCarry(f)
	}
	var got hit.Result
	g.Finder(c.plan).Find(f, &got)
	put(&memory, uint64(n))
	memory.Write(launches.Bytes())
	var p cuda.Params
	if _, err := binary.Decode(d.Allocations()[params], binary.LittleEndian, &p); err != nil {
		t.Fatal(err)
	}
	return memory.Bytes(), slices.Clone(d.Allocations()[p.Out])
}
