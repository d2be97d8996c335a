package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/publish"
)

// shop is a store with constants of two detectors, and a folder for sockets.
type shop struct {
	t   *testing.T
	ids map[string]string // by comment
	st  closingStore
}

func newShop(t *testing.T) *shop {
	t.Helper()
	noEnvironment(t)
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("DRP_CALIB", dir+"/store")
	array := numbers(t, dir+"/a.npy", 1, 2, 2, 3)
	for _, words := range []string{"cam A.B old", "cam A.B new", "cam C.D others", "epix A.B epix"} {
		w := strings.Fields(words)
		ok(t, "calib", "put", w[0], "--type", "epix100_small", "--serials", w[1], "--pedestals", array, "--gains", array, "--comment", w[2])
	}
	var list []struct {
		ID         string
		Provenance calib.Provenance
	}
	if err := json.Unmarshal([]byte(ok(t, "calib", "ls", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, ids: map[string]string{}}
	for _, set := range list {
		s.ids[set.Provenance.Comment] = set.ID
	}
	var err error
	if s.st, err = (&storeFlag{}).open(false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.st.Close() })
	return s
}

// publish publishes a set, or some segments of it, and gives what is announced, and where.
func (s *shop) publish(p *publish.Publisher, comment string, serials ...string) (*publish.Announcement, string) {
	s.t.Helper()
	set, err := s.st.Load(s.t.Context(), s.ids[comment])
	if err != nil {
		s.t.Fatal(err)
	}
	seg, err := p.Publish(set.Subset(serials), 3)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = seg.Release() })
	folder, err := publish.Folder()
	if err != nil {
		s.t.Fatal(err)
	}
	return &seg.Announcement, filepath.Join(folder, publish.SocketName(seg.Partition, seg.Detector, seg.Serials))
}

// taken checks what was chosen at sockets: the comment of a set, or nothing.
func (s *shop) taken(sockets map[string]string) {
	s.t.Helper()
	for socket, comment := range sockets {
		if id, err := publish.TakeChoice(socket); err != nil || id != s.ids[comment] {
			s.t.Errorf("%q was chosen at %s and not %q, %v", id, filepath.Base(socket), comment, err)
		}
	}
}

// TestCalibUse: a set is for those who have its detector and its segments, a generation for those who published it.
func TestCalibUse(t *testing.T) {
	s := newShop(t)
	one := publisherOf(t, publish.Config{Partition: "one"})
	first, cam := s.publish(one, "old")
	second, _ := s.publish(one, "new")
	_, epix := s.publish(one, "epix")
	_, part := s.publish(publisherOf(t, publish.Config{Partition: "two"}), "old", "B")

	says(t, ok(t, "calib", "use", s.ids["old"][:10]), fmt.Sprintf("partition one, cam: the set %s from the next step on, instead of "+
		"%s, generation %d\n", s.ids["old"][:12], s.ids["new"][:12], second.Generation), "partition two, cam: ")
	s.taken(map[string]string{cam: "old", part: "old", epix: ""})
	ok(t, "calib", "use", s.ids["old"], "--partition", "two")
	s.taken(map[string]string{cam: "", part: "old", epix: ""})
	ok(t, "calib", "use", fmt.Sprint(first.Generation), "--store", t.TempDir()+"/none", "--partition", "one", "--detector", "cam")
	s.taken(map[string]string{cam: "old", part: "", epix: ""})

	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"the segments of others", []string{s.ids["others"]}, 3, "is of cam, segments C.D, and no run has them"},
		{"the set of another detector", []string{s.ids["epix"], "--detector", "cam"}, 3, "is of epix, segments A.B, and no run has them"},
		{"no such set", []string{"ffff"}, 1, `no constants with the id "ffff" in the store`},
		{"a generation of nobody", []string{"1700000000"}, 1, "and no run has published it as a generation"},
		{"nobody", []string{s.ids["old"], "--partition", "three"}, 1, "no run of this user has constants in partition three"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errs := command(t, append([]string{"calib", "use"}, test.args...)...)
			if code != test.code || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit code %d: %s", code, errs)
			}
		})
	}
	s.taken(map[string]string{cam: "", part: "", epix: ""})
}

// TestCalibUseOverRestarts: what was chosen for a process dies with it, and what it published can be chosen after it.
func TestCalibUseOverRestarts(t *testing.T) {
	s := newShop(t)
	one := publisherOf(t, publish.Config{Partition: "one"})
	first, cam := s.publish(one, "old")
	s.publish(one, "new")
	ok(t, "calib", "use", s.ids["old"])
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	s.publish(publisherOf(t, publish.Config{Partition: "one"}), "new")
	s.taken(map[string]string{cam: ""})
	ok(t, "calib", "use", fmt.Sprint(first.Generation))
	s.taken(map[string]string{cam: "old"})
}

// TestCalibUseWarns: a set of other runs is used, and a run without steps is told of; both are said.
func TestCalibUseWarns(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	array := numbers(t, dir+"/a.npy", 1, 2, 2, 3)
	said := ok(t, "calib", "put", "cam", "--type", "epix100_small", "--serials", "A.B", "--pedestals", array, "--gains", array, "--first-run", "9")
	late, _, _ := strings.Cut(strings.TrimPrefix(said, "put "), ":")
	_, cam := s.publish(publisherOf(t, publish.Config{Partition: "one"}), "old")
	code, out, errs := command(t, "calib", "use", late)
	if code != 0 || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	says(t, out, late+" from the next step on")
	says(t, errs, "warning: partition one, cam: the set is for runs from 9 on, and this is run 3")
	if id, err := publish.TakeChoice(cam); err != nil || !strings.HasPrefix(id, late) {
		t.Errorf("%q was chosen, %v", id, err)
	}
	s.publish(publisherOf(t, publish.Config{Partition: "two", Loops: true}), "old")
	_, out, errs = command(t, "calib", "use", s.ids["new"], "--partition", "two")
	says(t, out, "once a step comes, instead of")
	says(t, errs, "partition two, cam: the run repeats its files (--loop), and no step comes once they are through")
}
