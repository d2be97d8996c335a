package page_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/monitor"
	"drp/page"
	"drp/watch"
	"drp/xtc"
)

// nothing is the status of a run that does nothing.
func nothing() watch.Status {
	return watch.Status{PID: 1, Time: time.Now(), Workers: []watch.Worker{}, Stages: []watch.Stage{}}
}

// rig is a run that is published, and a page that shows it.
type rig struct {
	t      testing.TB
	server *monitor.Server
	page   *page.Page
	web    *httptest.Server
	events atomic.Int64
	stop   func() // publishing; what is kept stays then
	done   sync.WaitGroup
}

// newRig publishes transitions, and then events again and again until the test ends.
func newRig(t testing.TB, o page.Options, transitions []xtc.Dgram, event func(n int64) (xtc.Dgram, uint32)) *rig {
	t.Helper()
	testkit.RuntimeFolder(t)
	stop := make(chan struct{})
	r := &rig{t: t}
	r.stop = sync.OnceFunc(func() {
		close(stop)
		r.done.Wait()
	})
	o.Monitor = "test/cam"
	if o.Status == nil {
		o.Status = nothing
	}
	var err error
	if r.server, err = monitor.New(monitor.Config{Name: o.Monitor, EventBytes: 4 << 20, Slots: 8}); err != nil {
		t.Fatal(err)
	}
	for _, d := range transitions {
		r.server.Transition(&monitor.Event{Dgram: d})
	}
	r.page = page.New(o)
	r.web = httptest.NewServer(r.page)
	r.done.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := int64(0); ; n++ {
			d, flags := event(n)
			e := monitor.Event{Facts: monitor.Facts{Number: n, Flags: flags}, Dgram: d}
			if r.server.Offer(&e.Facts) {
				r.server.Publish(&e)
			}
			r.events.Store(n + 1)
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		r.stop()
		r.page.Close()
		r.web.Close()
		if err := r.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// get asks for something, and gives the answer with its code.
func (r *rig) get(path string) (int, []byte) {
	r.t.Helper()
	return ask(r.t, r.web.URL+path)
}

func ask(t testing.TB, address string) (int, []byte) {
	t.Helper()
	code, text := testkit.Ask(t, http.MethodGet, address, "", "")
	return code, []byte(text)
}

// frame is what a stream says.
type frame struct {
	kind byte
	body []byte
}

func readFrame(r io.Reader) (f frame, err error) {
	var head [5]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < 1 || n > 64<<20 {
		return f, fmt.Errorf("a frame of %d bytes", n)
	}
	f.kind, f.body = head[4], make([]byte, n-1)
	_, err = io.ReadFull(r, f.body)
	return f, err
}

// picture is one as a browser reads it.
type picture struct {
	Number            int64
	Kind, Unit        string
	Source            string
	Rows, Cols, Bin   int
	Events            int
	Offset, Scale     float64
	Min, Max, P1, P50 float64
	P99, P999         float64
	Corrected         bool
	Hit               *bool
	NPeaks            int
	Peaks             [][4]float64
	Full              [2]int
	Flags             []string
	Reason            string
	Centre            []float64
	Rings             []struct {
		D, R float64
		Unit string
	}
	Radial *struct {
		Step   float64
		Values []*float64
	}
	pixels []uint16
}

// at is a value, and whether there is one.
func (p *picture) at(row, col int) (float64, bool) {
	u := p.pixels[row*p.Cols+col]
	return p.Offset + p.Scale*float64(u), u != 65535
}

func parsePicture(t testing.TB, body []byte) *picture {
	t.Helper()
	n := binary.LittleEndian.Uint32(body)
	p := &picture{}
	if err := json.Unmarshal(body[4:4+n], p); err != nil {
		t.Fatalf("%v: %s", err, body[4:4+n])
	}
	for rest := body[4+n:]; len(rest) > 0; rest = rest[2:] {
		p.pixels = append(p.pixels, binary.LittleEndian.Uint16(rest))
	}
	if len(p.pixels) != p.Rows*p.Cols {
		t.Fatalf("%d pixels of %d x %d", len(p.pixels), p.Rows, p.Cols)
	}
	return p
}

// open begins to read a stream.
func (r *rig) open(query string) io.ReadCloser { return openStream(r.t, r.web.URL, query) }

func openStream(t testing.TB, base, query string) io.ReadCloser {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/page/stream?"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Body.Close() })
	if got.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(got.Body)
		t.Fatalf("%s: %s", got.Status, text)
	}
	return got.Body
}

// pictures reads so many of a stream.
func pictures(t testing.TB, from io.Reader, n int) (all []*picture) {
	t.Helper()
	for len(all) < n {
		f, err := readFrame(from)
		if err != nil {
			t.Fatal(err)
		}
		if f.kind == 2 {
			all = append(all, parsePicture(t, f.body))
		}
	}
	return all
}

// begin are the transitions before events.
func begin(configure, beginRun xtc.Dgram) []xtc.Dgram {
	return []xtc.Dgram{configure, beginRun, testkit.Plain(xtc.BeginStep, 3), testkit.Plain(xtc.Enable, 4)}
}
