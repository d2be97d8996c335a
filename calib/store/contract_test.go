package store_test

import (
	"context"
	"errors"
	"math"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"drp/calib"
	"drp/calib/store"
	"drp/internal/testkit"
)

// makeSet makes a set of a small detector whose values tell where they belong.
func makeSet(serials ...string) *calib.Set {
	s := &calib.Set{Detector: "cam", Model: "epix10ka_small", Serials: serials, FirstRun: 1, Unit: calib.KeV, Rows: 3, Cols: 4,
		CommonMode: &calib.CommonMode{Method: calib.Median, Rows: true, MaxADU: 100, MinPixels: 10}, Geometry: "p0/fs = x\n",
		Provenance: calib.Provenance{Who: "me", From: "dark.xtc2", Comment: "after the repair",
			When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	n := len(serials) * s.SegmentPixels()
	for i := range s.Ranges() * n {
		s.Pedestals = append(s.Pedestals, float32(i)+0.25)
		s.Gains = append(s.Gains, float32(i)+1)
		s.RMS = append(s.RMS, 1.5)
		s.Status = append(s.Status, uint16(i%2))
	}
	for range n {
		s.Mask = append(s.Mask, 1)
	}
	s.Status[1], s.Gains[1] = 1, float32(math.NaN())
	return s
}

func with(s *calib.Set, change func(*calib.Set)) *calib.Set {
	change(s)
	return s
}

// backends are the stores, empty, that the contract is for.
var backends = map[string]func(*testing.T) calib.Store{
	"embedded": func(t *testing.T) calib.Store { return create(t, t.TempDir()) },
	"http": func(t *testing.T) calib.Store {
		server := httptest.NewServer(store.Handler(create(t, t.TempDir()), "secret"))
		t.Cleanup(server.Close)
		return dial(t, server.URL, "secret")
	},
}

func create(t testing.TB, dir string) *store.Embedded {
	t.Helper()
	e, err := store.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func dial(t testing.TB, url, token string) *store.Remote {
	t.Helper()
	r, err := store.Dial(url, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func put(t testing.TB, st calib.Store, s *calib.Set) string {
	t.Helper()
	id, err := st.Put(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// same compares all but digest and id, which a set that was made by hand has not got, and values that are no numbers.
func same(t *testing.T, got, want *calib.Set) {
	t.Helper()
	a, b := *got, *want
	a.Digest, b.Digest, a.ID, b.ID = "", "", "", ""
	for _, values := range []*[]float32{&a.Gains, &b.Gains} {
		*values = append([]float32(nil), *values...)
		for i, v := range *values {
			if v != v {
				(*values)[i] = -99
			}
		}
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got\n%+v, want\n%+v", a, b)
	}
}

func TestContract(t *testing.T) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			contract(t, open)
		})
	}
}

func contract(t *testing.T, open func(*testing.T) calib.Store) {
	ctx := context.Background()
	get := func(t *testing.T, st calib.Store, run int, serials ...string) *calib.Set {
		t.Helper()
		s, err := st.Get(ctx, calib.Query{Detector: "cam", Run: run, Serials: serials})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("what is put comes back", func(t *testing.T) {
		st, want := open(t), makeSet("1", "3", "5", "7")
		id := put(t, st, want)
		same(t, get(t, st, 5), want)
		for _, asked := range []string{id, id[:6]} {
			s, err := st.Load(ctx, asked)
			if err != nil {
				t.Fatal(err)
			}
			if s.ID != id {
				t.Errorf("the set says that it is %q, and it is %s", s.ID, id)
			}
			same(t, s, want)
		}
		bare := makeSet("1")
		bare.RMS, bare.Status, bare.Mask, bare.CommonMode, bare.Geometry = nil, nil, nil, nil, ""
		bare.Gains[1] = 1
		put(t, st, bare)
		same(t, get(t, st, 5, "1"), bare)
	})
	t.Run("some of the segments", func(t *testing.T) {
		st, whole := open(t), makeSet("1", "3", "5", "7")
		id := put(t, st, whole)
		part := get(t, st, 5, "7", "5")
		same(t, part, whole.Subset([]string{"7", "5"}))
		n := part.SegmentPixels()
		if got, want := part.Pedestals[2*2*n], float32((2*4+3)*n)+0.25; got != want {
			t.Errorf("range 2 of segment 7 begins with %g, want %g", got, want)
		}
		if part.ID != id {
			t.Errorf("a part of %s says that it is of %q", id, part.ID)
		}
		if part.Check() != nil || part.Digest == whole.Digest {
			t.Error("the part has the digest of the whole")
		}
	})
	t.Run("which set", func(t *testing.T) { whichSet(t, open(t)) })
	t.Run("the list", func(t *testing.T) {
		st := open(t)
		first := put(t, st, makeSet("1"))
		second := put(t, st, with(makeSet("2"), func(s *calib.Set) { s.FirstRun, s.LastRun = 7, 9 }))
		put(t, st, with(makeSet("2"), func(s *calib.Set) { s.Detector = "other" }))
		entries, err := st.List(ctx, "cam")
		if err != nil || len(entries) != 2 || entries[0].ID != second || entries[1].ID != first {
			t.Fatalf("%+v, %v", entries, err)
		}
		e := entries[0]
		if e.Pedestals != nil || e.FirstRun != 7 || e.LastRun != 9 || e.Serials[0] != "2" || e.Provenance.Who != "me" ||
			e.CommonMode == nil {
			t.Errorf("%+v", e)
		}
		if all, err := st.List(ctx, ""); err != nil || len(all) != 3 {
			t.Errorf("%d sets in all, %v", len(all), err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		st := open(t)
		old := makeSet("1")
		put(t, st, old)
		for _, test := range []struct {
			change func(*calib.Set)
			want   string
		}{
			{func(s *calib.Set) { s.Pedestals = s.Pedestals[1:] }, "pedestals has"},
			{func(s *calib.Set) { s.Gains[2] = 0 }, "the gain of range FH segment 1 row 0 column 2 is zero"},
			{func(s *calib.Set) { s.Pedestals[2] = float32(math.Inf(1)) }, "+Inf"},
			{func(s *calib.Set) { s.Detector = "../cam" }, "name"},
			{func(s *calib.Set) { s.Serials = []string{"1.2"} }, "id"},
			{func(s *calib.Set) { s.Geometry = strings.Repeat("x", 5<<20) }, "geometry"},
		} {
			s := makeSet("1")
			test.change(s)
			var refused *calib.RefusedError
			if _, err := st.Put(ctx, s); !errors.As(err, &refused) || !strings.Contains(refused.Reason, test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		}
		same(t, get(t, st, 5), old)
	})
	t.Run("none", func(t *testing.T) { nothing(t, open(t)) })
	t.Run("given up", func(t *testing.T) {
		st := open(t)
		put(t, st, makeSet("1"))
		over, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := st.Get(over, calib.Query{Detector: "cam", Run: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func whichSet(t *testing.T, st calib.Store) {
	ctx := context.Background()
	one := func(comment string, first, last int, serials ...string) {
		put(t, st, with(makeSet(serials...), func(s *calib.Set) {
			s.FirstRun, s.LastRun, s.Provenance.Comment = first, last, comment
		}))
	}
	one("a", 1, 0, "1", "3")
	one("b", 10, 0, "1", "3")
	one("c", 10, 12, "1", "3")
	one("d", 5, 0, "1", "3") // is for runs from 5 on, but from 10 on there is b
	one("e", 20, 0, "3")
	for _, test := range []struct {
		run     int
		serials []string
		want    string
	}{
		{1, nil, "a"}, {4, nil, "a"}, {5, nil, "d"}, {9, nil, "d"}, {10, nil, "c"}, {12, nil, "c"}, {13, nil, "b"},
		{20, nil, "e"}, {20, []string{"3"}, "e"}, {20, []string{"1"}, "b"}, {99, []string{"3", "1"}, "b"},
	} {
		s, err := st.Get(ctx, calib.Query{Detector: "cam", Run: test.run, Serials: test.serials})
		if err != nil {
			t.Fatal(err)
		}
		if s.Provenance.Comment != test.want {
			t.Errorf("run %d %v: %s, want %s", test.run, test.serials, s.Provenance.Comment, test.want)
		}
	}
	one("b", 10, 0, "1", "3") // again: it is the newest now
	if s, err := st.Get(ctx, calib.Query{Detector: "cam", Run: 11}); err != nil || s.Provenance.Comment != "b" {
		t.Errorf("%v, %v", s, err)
	}
	if all, err := st.List(ctx, "cam"); err != nil || len(all) != 5 || all[0].Provenance.Comment != "b" {
		t.Errorf("%d sets, %v", len(all), err)
	}
}

func nothing(t *testing.T, st calib.Store) {
	ctx := context.Background()
	check := func(err error, want string) {
		t.Helper()
		if !errors.Is(err, calib.ErrNone) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err := st.Get(ctx, calib.Query{Detector: "cam", Run: 1})
	check(err, "no constants of cam: the store ")
	put(t, st, with(makeSet("1", "3"), func(s *calib.Set) { s.FirstRun, s.LastRun = 5, 9 }))
	_, err = st.Get(ctx, calib.Query{Detector: "can", Run: 6})
	check(err, "knows cam")
	_, err = st.Get(ctx, calib.Query{Detector: "cam", Run: 10})
	check(err, "runs 5 to 9")
	_, err = st.Get(ctx, calib.Query{Detector: "cam", Run: 6, Serials: []string{"1", "5"}})
	check(err, "hold the segments 1.5: the store ")
	_, err = st.Load(ctx, "ffff")
	check(err, `"ffff"`)
}
