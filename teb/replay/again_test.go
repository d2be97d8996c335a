package replay_test

import (
	"slices"
	"testing"

	"drp/teb"
	"drp/teb/replay"
	"drp/xtc"
)

// TestAContributorThatCameBack is joined from all its files, in any order: the later one has the transitions of the run again, with
// their times, and later events. The run begins once.
func TestAContributorThatCameBack(t *testing.T) {
	const all, gone, back = 3000, 1000, 1400
	a := record(t, 1, "a,b", "a", "n")
	a.run(10, 5)
	for n := range uint64(all) {
		a.event(100+n, then{}, 1)
	}
	dir := t.TempDir()
	b := func(name string, from, to uint64) string {
		f := record(t, 1, "a,b", "b", "n")
		f.run(10, 5)
		f.put(xtc.BeginStep, 11, nil, nil)
		f.put(xtc.Enable, 12, nil, nil)
		for n := from; n < to; n++ {
			f.event(100+n, then{}, 1)
		}
		return f.file(dir, name)
	}
	paths := []string{a.file(dir, "a.xtc2"), b("b.xtc2", 0, gone), b("part2.xtc2", back, all)}
	for range paths {
		paths = append(paths[1:], paths[0])
		for _, order := range [][]string{paths, {paths[1], paths[0], paths[2]}} {
			begun := 0
			count := &teb.Func{Do: func(b *teb.Batch) {
				for i := range b.Len() {
					if b.Head(i).Service == xtc.BeginRun {
						begun++
					}
				}
			}}
			r, err := replay.Run(t.Context(), slices.Clone(order), replay.Options{Logic: func() ([]teb.Logic, error) { return []teb.Logic{count}, nil }})
			if err != nil || r.Events != all || r.Incomplete != back-gone || r.Again != 0 || begun != 1 {
				t.Errorf("%q: %v, %d runs, %+v", order, err, begun, r)
			}
		}
	}
}
