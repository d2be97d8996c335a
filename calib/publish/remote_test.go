package publish

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"drp/calib"
	"drp/internal/testkit"
	"drp/internal/wire"
)

// nodes is a publisher that other machines can reach, and one of them.
func nodes(t *testing.T, o SubscribeOptions) (*Publisher, *Subscriber) {
	t.Helper()
	p := publisher(t, Config{Partition: "p", Listen: "127.0.0.1:0"})
	return p, listen(t, wire.Endpoint{Address: p.Addr().String()}, o)
}

func TestOtherNodesGetTheConstants(t *testing.T) {
	testkit.NoLeaks(t)
	p, s := nodes(t, SubscribeOptions{})
	big := sized(t, "big", 3, 5_000) // several chunks
	small := constants(t, "small", 1)
	want := p.must(t, big, 5)
	p.must(t, small, 5)
	seen := map[string]*calib.Set{}
	for range 2 {
		r := next(t, s)
		seen[r.Detector] = r.Set
		if r.Detector == "big" && r.Digest != want.Digest {
			t.Errorf("%+v", r)
		}
	}
	same(t, seen["big"], big)
	same(t, seen["small"], small)
	second := constants(t, "small", 2)
	p.must(t, second, 6)
	r := next(t, s)
	same(t, r.Set, second)
	if r.Run != 6 || r.Missed != 0 {
		t.Errorf("%+v", r.Announcement)
	}
	late := listen(t, wire.Endpoint{Address: p.Addr().String()}, SubscribeOptions{})
	for range 2 {
		seen[next(t, late).Detector] = nil
	}
	if seen["big"] != nil || seen["small"] != nil {
		t.Error("a late one does not get both")
	}
}

func TestNothingListensOnTCPUnlessAsked(t *testing.T) {
	p := publisher(t, Config{Partition: "p"})
	p.must(t, constants(t, "camera", 1), 1)
	if p.Addr() != nil {
		t.Errorf("it listens at %v", p.Addr())
	}
	closed := publisher(t, Config{Partition: "p", Listen: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	c, err := net.Dial("tcp", closed.Addr().String())
	must(t, err)
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes for somebody who is not on the list", n)
	}
	_ = c.Close()
}

// impostor speaks the protocol and sends what a publisher would not.
func impostor(t *testing.T, o SubscribeOptions) (*wire.Pub, *Subscriber) {
	t.Helper()
	p := wire.NewPub(wire.Options{})
	t.Cleanup(p.Close)
	addr, err := p.Listen(wire.Endpoint{Address: "127.0.0.1:0"})
	must(t, err)
	return p, listen(t, wire.Endpoint{Address: addr.String()}, o)
}

// frames are the messages of a good set, for a test to spoil.
func frames(t *testing.T, run int) (a *Announcement, all [][][]byte) {
	t.Helper()
	seg, err := newSegment(sized(t, "camera", float32(run), 5_000), func(a *Announcement) {
		a.Generation, a.Sequence, a.Publisher, a.Run = uint64(run), uint64(run), "somebody", run
	})
	must(t, err)
	defer func() { must(t, seg.Release()) }()
	b, err := wire.Marshal(&seg.Announcement)
	must(t, err)
	payload(seg, b)(func(f [][]byte) bool {
		clone := make([][]byte, len(f))
		for i := range f {
			clone[i] = append([]byte(nil), f[i]...)
		}
		all = append(all, clone)
		return true
	})
	return &seg.Announcement, all
}

func sendAll(t *testing.T, p *wire.Pub, all [][][]byte) {
	t.Helper()
	for _, f := range all {
		must(t, p.Send(topic+"x", f...))
	}
}

func remake(t *testing.T, f [][]byte, change func(*Announcement)) [][]byte {
	t.Helper()
	a, err := parse(f[0])
	must(t, err)
	change(a)
	b, err := wire.Marshal(a)
	must(t, err)
	return [][]byte{b}
}

func TestWhatCannotBeUsedIsRefused(t *testing.T) {
	testkit.NoLeaks(t)
	p, s := impostor(t, SubscribeOptions{MaxBytes: 100 << 20})
	must(t, p.Keep(topic+"x", []byte("no msgpack"))) // also makes sure that the subscriber is there
	refuses(t, s, "cannot be read")
	for i, test := range []struct {
		name, want string
		spoil      func(all [][][]byte) [][][]byte
	}{
		{"one bit", "digest", func(all [][][]byte) [][][]byte { all[3][1][77] ^= 1; return all }},
		{"a chunk is missing", "a chunk of", func(all [][][]byte) [][][]byte { return append(all[:2], all[3:]...) }},
		{"a chunk comes twice", "a chunk of", func(all [][][]byte) [][][]byte { return append(all[:2], all[1:]...) }},
		{"a chunk of nothing", "a chunk of 0", func(all [][][]byte) [][][]byte { all[1][1] = nil; return all }},
		{"a chunk that is too long", "a chunk of", func(all [][][]byte) [][][]byte {
			last := all[len(all)-1]
			last[1] = append(last[1], 0)
			return all
		}},
		{"a chunk of another generation", "a chunk of", func(all [][][]byte) [][][]byte {
			head, _ := wire.Marshal(&chunk{Format: 1, Generation: 1 << 40})
			all[1][0] = head
			return all
		}},
		{"a bomb", "cannot be read", func(all [][][]byte) [][][]byte {
			all[1][0] = []byte{0xdd, 0xff, 0xff, 0xff, 0xff}
			return all
		}},
		{"too large", "at most 104857600 are taken", func(all [][][]byte) [][][]byte {
			all[0] = remake(t, all[0], func(a *Announcement) { a.Bytes = 1 << 40 })
			return all
		}},
		{"an array outside", "there are only", func(all [][][]byte) [][][]byte {
			all[0] = remake(t, all[0], func(a *Announcement) { a.Layout[0].Offset += 1 << 30 })
			return all
		}},
		{"another format", "format 2", func(all [][][]byte) [][][]byte {
			all[0] = remake(t, all[0], func(a *Announcement) { a.Format = 2 })
			return all[:1]
		}},
		{"bad values", "refused", func(all [][][]byte) [][][]byte {
			// With a digest that fits, so that only the check of the values is left.
			set := sized(t, "camera", 1, 5_000)
			for i := range set.Gains {
				set.Gains[i] = 0
			}
			set.Seal()
			seg, err := newSegment(set, func(a *Announcement) { *a = *must1(parse(all[0][0])); *a = withDigest(*a, set.Digest) })
			must(t, err)
			defer func() { must(t, seg.Release()) }()
			b, err := wire.Marshal(&seg.Announcement)
			must(t, err)
			all = nil
			payload(seg, b)(func(f [][]byte) bool {
				all = append(all, append([][]byte(nil), f...))
				if len(f) > 1 {
					f := all[len(all)-1]
					f[1] = append([]byte(nil), f[1]...)
				}
				return true
			})
			return all
		}},
	} {
		_, all := frames(t, 2*i+1)
		sendAll(t, p, test.spoil(all))
		r, err := s.Next(within(t))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Fatalf("%s: %q is not in %v (%v)", test.name, test.want, err, r)
		}
		good, all := frames(t, 2*i+2)
		sendAll(t, p, all)
		if r := next(t, s); r.Digest != good.Digest || r.Set == nil || r.Generation != good.Generation {
			t.Fatalf("%s: %+v follows", test.name, r.Announcement)
		}
	}
}

func must1(a *Announcement, _ error) *Announcement { return a }

func withDigest(a Announcement, digest string) Announcement {
	a.Digest = digest
	return a
}

func TestGapsAreReported(t *testing.T) {
	testkit.NoLeaks(t)
	p := wire.NewPub(wire.Options{})
	t.Cleanup(p.Close)
	e := wire.Endpoint{Path: folder(t) + "/x"}
	_, err := p.Listen(e)
	must(t, err)
	s := listen(t, e, SubscribeOptions{})
	say := func(publisher string, sequence uint64) {
		_, all := frames(t, 1)
		f := remake(t, all[0], func(a *Announcement) { a.Publisher, a.Sequence = publisher, sequence })
		must(t, p.Keep(topic+"x", f...))
	}
	say("A", 5)
	if r := next(t, s); r.Missed != 0 || r.Anew { // whoever comes late has missed nothing
		t.Errorf("%+v", r)
	}
	say("A", 6)
	say("A", 6)
	say("A", 9)
	if r := next(t, s); r.Sequence != 6 || r.Missed != 0 {
		t.Errorf("%+v", r)
	}
	if r := next(t, s); r.Sequence != 9 || r.Missed != 2 {
		t.Errorf("%+v", r)
	}
	say("A", 7)
	refuses(t, s, "comes after 9")
	say("B", 1)
	if r := next(t, s); r.Sequence != 1 || r.Missed != 0 || !r.Anew {
		t.Errorf("%+v", r)
	}
	must(t, p.Send(topic+"x", []byte("a"), []byte("b")))
	refuses(t, s, "2 parts") // there are no chunks on this machine
	must(t, p.Send(topic+"x", []byte{0xdd, 0xff, 0xff, 0xff, 0xff}))
	refuses(t, s, "ends before")
}
