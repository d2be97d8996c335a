package publish

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"drp/calib"
	"drp/internal/testkit"
	"drp/internal/wire"
)

// TestMain doubles as a process that attaches what is announced.
func TestMain(m *testing.M) {
	if socket := os.Getenv("PUBLISH_TEST_SOCKET"); socket != "" {
		if err := holdAndReport(socket); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(testkit.Main(m))
}

// holdAndReport attaches, reads from every page, and tells how much memory that takes when it is asked.
func holdAndReport(socket string) error {
	s, err := Subscribe(wire.Endpoint{Path: socket}, SubscribeOptions{})
	if err != nil {
		return err
	}
	r, err := s.Next(context.Background())
	if err != nil {
		return err
	}
	a, err := r.Attach()
	if err != nil {
		return err
	}
	sum := float32(0)
	for _, values := range [][]float32{a.Set.Pedestals, a.Set.Gains, a.Set.RMS} {
		for i := 0; i < len(values); i += 512 { // every page
			sum += values[i]
		}
	}
	for i := 0; i < len(a.Set.Status); i += 1024 {
		sum += float32(a.Set.Status[i]) + float32(a.Set.Mask[i])
	}
	fmt.Println("held", a.Generation, sum > 0)
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	resident, proportional, err := shared()
	fmt.Println(resident, proportional, err)
	_, _ = in.ReadString('\n') // all look before one goes
	return nil
}

// shared reads the resident and the proportional set size of System V memory in this process, in KiB.
func shared() (resident, proportional int, err error) {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return 0, 0, err
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case !strings.HasSuffix(f[0], ":"):
			inside = strings.Contains(line, "/SYSV")
		case inside && f[0] == "Rss:":
			_, err = fmt.Sscan(f[1], &resident)
		case inside && f[0] == "Pss:":
			_, err = fmt.Sscan(f[1], &proportional)
		}
	}
	return resident, proportional, err
}

const patience = 60 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// constants are those of a small camera, told apart by a value.
func constants(t testing.TB, detector string, value float32) *calib.Set {
	t.Helper()
	return sized(t, detector, value, 24)
}

func sized(t testing.TB, detector string, value float32, rows int) *calib.Set {
	t.Helper()
	s := &calib.Set{Detector: detector, Model: "camera", Serials: []string{"a", "b"}, Places: []int{3, 1}, FirstRun: 3, LastRun: 9, Unit: calib.KeV,
		Rows: rows, Cols: 33, Geometry: "; CrystFEL\nclen = 0.1\n",
		CommonMode: &calib.CommonMode{Method: calib.Median, Rows: true, MaxADU: 25, MinPixels: 10},
		Provenance: calib.Provenance{Who: "somebody", When: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), From: "dark"}}
	n := 2 * s.SegmentPixels()
	s.Pedestals, s.Gains, s.RMS = make([]float32, n), make([]float32, n), make([]float32, n)
	s.Status, s.Mask = make([]uint16, n), make([]uint8, n)
	for i := range n {
		s.Pedestals[i], s.Gains[i], s.RMS[i], s.Mask[i] = value+float32(i), 40, 2.5, uint8(i%7&1)
		s.Status[i] = uint16(i % 2)
	}
	must(t, s.Check())
	return s
}

// folder is a place for sockets.
func folder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "s")
	must(t, os.Mkdir(dir, 0o700))
	return dir
}

func publisher(t testing.TB, c Config) *Publisher {
	t.Helper()
	if c.Folder == "" {
		c.Folder = folder(t)
	}
	p, err := NewPublisher(c)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

func (p *Publisher) must(t testing.TB, set *calib.Set, run int) *Announcement {
	t.Helper()
	s, err := p.Publish(set, run)
	must(t, err)
	must(t, s.Release())
	return &s.Announcement
}

func endpoint(c Config, s *calib.Set) wire.Endpoint {
	return wire.Endpoint{Path: filepath.Join(c.Folder, SocketName(c.Partition, s.Detector, s.Serials))}
}

func listen(t testing.TB, e wire.Endpoint, o SubscribeOptions) *Subscriber {
	t.Helper()
	s, err := Subscribe(e, o)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func next(t testing.TB, s *Subscriber) *Received {
	t.Helper()
	r, err := s.Next(within(t))
	must(t, err)
	return r
}

// refuses expects an error that says so, about one message.
func refuses(t *testing.T, s *Subscriber, want string) {
	t.Helper()
	r, err := s.Next(within(t))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("%q is not in %v (%+v)", want, err, r)
	}
}

func same(t *testing.T, got, want *calib.Set) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s became %s", want.Detector, got.Detector)
	}
}

func TestSegment(t *testing.T) {
	testkit.NoLeaks(t)
	want := constants(t, "camera", 7)
	p := publisher(t, Config{Partition: "p"})
	seg, err := p.Publish(want, 4)
	must(t, err)
	same(t, seg.Set(), want)
	if got := &seg.Set().Pedestals[0]; got == &want.Pedestals[0] {
		t.Error("the constants are where they were")
	}
	for _, a := range seg.Layout {
		if a.Offset%64 != 0 {
			t.Errorf("%s lies at %d", a.Name, a.Offset)
		}
	}
	a, err := Attach(seg.Segment)
	must(t, err)
	same(t, a.Set, want)
	must(t, a.Verify())
	if a.Generation != seg.Generation || a.Owner.PID != os.Getpid() {
		t.Errorf("%+v", a)
	}
	must(t, seg.Release())
	must(t, p.Close())
	same(t, a.Set, want) // who has attached keeps it
	must(t, a.Close())
	must(t, a.Close())
	if _, err := Attach(seg.Segment); err == nil {
		t.Error("the memory is still there")
	}
}

// TestTheSegmentHasItsSequel: a number that now belongs to other constants is noticed.
func TestTheSegmentHasItsSequel(t *testing.T) {
	testkit.NoLeaks(t)
	p := publisher(t, Config{Partition: "p"})
	seg, err := p.Publish(constants(t, "camera", 7), 4)
	must(t, err)
	wrong := seg.Announcement
	wrong.Generation++
	if _, err := wrong.Attach(); err == nil || !strings.Contains(err.Error(), "not generation") {
		t.Errorf("another generation: %v", err)
	}
	must(t, seg.Release())
	defer func() {
		if recover() == nil {
			t.Error("one release too many was taken")
		}
	}()
	must(t, p.Close())
	_ = seg.Release()
}

func TestWhatIsNotChecked(t *testing.T) {
	testkit.NoLeaks(t)
	c := Config{Partition: "p", Folder: folder(t)}
	p := publisher(t, c)
	old := p.must(t, constants(t, "camera", 5), 1)
	raw := *constants(t, "camera", 7)
	raw.Digest = ""
	if _, err := p.Publish(&raw, 1); err == nil || !strings.Contains(err.Error(), "not checked") {
		t.Errorf("a set that was not checked: %v", err)
	}
	short := *constants(t, "camera", 7)
	short.Gains = short.Gains[:5]
	if _, err := p.Publish(&short, 1); err == nil || !strings.Contains(err.Error(), "gains") {
		t.Errorf("a set that is cut off: %v", err)
	}
	s := listen(t, endpoint(c, &raw), SubscribeOptions{})
	if r := next(t, s); !reflect.DeepEqual(r.Announcement, old) {
		t.Errorf("after a refusal %+v is announced", r.Announcement)
	}
	if good := p.must(t, constants(t, "camera", 7), 1); good.Sequence != 4 || next(t, s).Digest != good.Digest {
		t.Errorf("sequence %d", good.Sequence)
	}
	must(t, p.Close())
	if _, err := p.Publish(constants(t, "camera", 7), 1); err == nil {
		t.Error("a closed publisher publishes")
	}
}

func TestLateSubscribersAndRestarts(t *testing.T) {
	testkit.NoLeaks(t)
	c := Config{Partition: "p", Folder: folder(t)}
	set := constants(t, "camera", 1)
	early := listen(t, endpoint(c, set), SubscribeOptions{})
	p := publisher(t, c)
	first := p.must(t, set, 1)
	if r := next(t, early); r.Generation != first.Generation || r.Run != 1 || r.Missed != 0 || r.Anew {
		t.Errorf("%+v", r)
	}
	second := p.must(t, constants(t, "camera", 2), 2)
	late := listen(t, endpoint(c, set), SubscribeOptions{})
	for _, s := range []*Subscriber{early, late} {
		r := next(t, s)
		if !reflect.DeepEqual(r.Announcement, second) || r.Generation <= first.Generation {
			t.Errorf("%+v instead of %+v", r.Announcement, second)
		}
		a, err := r.Attach()
		must(t, err)
		same(t, a.Set, constants(t, "camera", 2))
		must(t, a.Close())
	}
	must(t, p.Close())
	// A clock that was set back makes no generation smaller than the one before.
	future := uint64(time.Now().Unix()) + 1_000_000
	must(t, keepGeneration(endpoint(c, set).Path, future, ""))
	p = publisher(t, c)
	p.self += "-another" // as if by another process
	third := p.must(t, set, 3)
	for _, s := range []*Subscriber{early, late} {
		if r := next(t, s); r.Generation != third.Generation || r.Generation != future+1 || !r.Anew || r.Missed != 0 {
			t.Errorf("%+v", r)
		}
	}
	must(t, os.WriteFile(endpoint(c, set).Path+".generation", []byte("nonsense"), 0o600))
	if n := lastGeneration(endpoint(c, set).Path); n != 0 {
		t.Errorf("nonsense is generation %d", n)
	}
}

func TestTwoPartitionsDoNotMeet(t *testing.T) {
	testkit.NoLeaks(t)
	c := Config{Folder: folder(t)}
	names := map[string]bool{}
	for i, c := range []Config{{Partition: "p", Folder: c.Folder}, {Partition: "p-camera", Folder: c.Folder}} {
		set := constants(t, "camera", float32(i))
		p := publisher(t, c)
		want := p.must(t, set, i)
		if r := next(t, listen(t, endpoint(c, set), SubscribeOptions{})); r.Digest != want.Digest || r.Partition != c.Partition {
			t.Errorf("%+v", r)
		}
	}
	if _, err := publisher(t, Config{Partition: "p", Folder: c.Folder}).Publish(constants(t, "camera", 5), 1); err == nil ||
		!strings.Contains(err.Error(), "is running on it") {
		t.Errorf("two publishers of one detector in one partition: %v", err)
	}
	long := strings.Repeat("x", 64)
	for _, n := range []string{SocketName("p", "a-b", nil), SocketName("p-a", "b", nil), SocketName("p", "a", []string{"b"}),
		SocketName("p", "a", []string{"b", "c"}), SocketName(long, long, []string{"1"}), SocketName(long+"x", long, []string{"1"}),
		SocketName("../..", "/etc/passwd", []string{"1"})} {
		if names[n] || len(n) > 64 || strings.ContainsAny(n, "/\x00") {
			t.Errorf("%q", n)
		}
		names[n] = true
	}
	sockets, err := Sockets(c.Folder)
	if err != nil || len(sockets) != 2 {
		t.Errorf("%v, %v", sockets, err)
	}
}

// TestAStalledSubscriberHarmsNobody: it never reads, and 400 generations reach the other one.
func TestAStalledSubscriberHarmsNobody(t *testing.T) {
	testkit.NoLeaks(t)
	c := Config{Partition: "p", Folder: folder(t)}
	set := constants(t, "camera", 1)
	set.Provenance.Comment = strings.Repeat("long ", 4000) // so that the socket of the stalled one is soon full
	p := publisher(t, c)
	p.must(t, set, 0)
	stalled, healthy := listen(t, endpoint(c, set), SubscribeOptions{}), listen(t, endpoint(c, set), SubscribeOptions{})
	next(t, stalled)
	next(t, healthy)
	for i := 1; i <= 400; i++ {
		p.must(t, set, i)
		if r := next(t, healthy); r.Run != i || r.Missed != 0 {
			t.Fatalf("run %d, missed %d, instead of run %d", r.Run, r.Missed, i)
		}
	}
	if n := p.Counts().Dropped; n == 0 {
		t.Error("the stalled one was not stalled")
	}
	for missed := uint64(0); ; { // what it finds when it reads again: no gap goes by silently
		r := next(t, stalled)
		missed += r.Missed
		if r.Run == 400 {
			if missed == 0 {
				t.Error("it does not know that it missed something")
			}
			break
		}
	}
}

func TestTheDescriptionFitsOrIsRefused(t *testing.T) {
	set := constants(t, "camera", 1)
	set.Provenance.Comment = strings.Repeat("x", descriptionRoom)
	if _, err := publisher(t, Config{}).Publish(set, 1); err == nil {
		t.Error("a description without room was written")
	}
}
