package page_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"drp/internal/pace"
	"drp/internal/testkit"
	"drp/monitor"
	"drp/page"
	"drp/watch"
	"drp/xtc"
)

// plainRig shows a small camera, of which every third event is a hit.
func plainRig(t testing.TB, o page.Options, c testkit.Camera) *rig {
	t.Helper()
	var events []xtc.Dgram
	for i := range 4 {
		events = append(events, c.Event(101, i))
	}
	return newRig(t, o, begin(c.Configure(1), c.BeginRun(2, 5)), func(n int64) (xtc.Dgram, uint32) {
		d := events[n%4]
		d.SetTime(uint64(101 + n))
		flags := uint32(0)
		if n%3 == 0 {
			flags = monitor.Hit
		}
		return d, flags
	})
}

// TestStreamTellsEverything: status, pictures, rows of the same events, and lines of the log.
func TestStreamTellsEverything(t *testing.T) {
	journal := &page.Journal{}
	log := slog.New(journal.Handler(slog.DiscardHandler)).With("worker", 3)
	o := page.Options{Journal: journal, Settings: func() uint64 { return 7 }, Status: func() watch.Status {
		s := nothing()
		s.Script = "test.py"
		return s
	}}
	r := plainRig(t, o, testkit.Camera{})
	stream := r.open("rate=30")
	log.Error("it broke", "why", "so")
	log.Info("of no interest")
	kinds, rows, shown := map[byte]int{}, map[int64]bool{}, []int64{}
	for kinds[1] == 0 || kinds[4] == 0 || kinds[3] < 3 || kinds[2] < 5 {
		f, err := readFrame(stream)
		if err != nil {
			t.Fatal(err)
		}
		kinds[f.kind]++
		switch f.kind {
		case 1:
			if text := string(f.body); !strings.Contains(text, `"script":"test.py"`) || !strings.Contains(text, `"settings_generation":7`) ||
				!strings.Contains(text, `"rights":{"control":false}`) || !strings.Contains(text, `"lag":{"dropped":`) {
				t.Errorf("%s", text)
			}
		case 2:
			p := parsePicture(t, f.body)
			shown = append(shown, p.Number)
			if hit := p.Number%3 == 0; hit != (len(p.Flags) == 1 && p.Flags[0] == "hit") {
				t.Errorf("event %d: %v", p.Number, p.Flags)
			}
		case 3:
			var said struct{ Events []struct{ Number int64 } }
			if err := json.Unmarshal(f.body, &said); err != nil {
				t.Fatal(err)
			}
			for _, e := range said.Events {
				if rows[e.Number] {
					t.Errorf("event %d is told of twice", e.Number)
				}
				rows[e.Number] = true
			}
		case 4:
			if text := string(f.body); !strings.Contains(text, "it broke worker=3 why=so") || strings.Contains(text, "no interest") {
				t.Errorf("%s", text)
			}
		}
	}
	for _, n := range shown[:3] {
		if !rows[n] {
			t.Errorf("event %d was shown, and is not in the list %v", n, rows)
		}
	}
	r.page.Close()
	for {
		f, err := readFrame(stream)
		if err != nil {
			t.Fatal(err)
		}
		if f.kind == 5 {
			if !strings.Contains(string(f.body), "ended") {
				t.Errorf("%s", f.body)
			}
			return
		}
	}
}

// TestHitsOnly: a browser that wants hits gets no others.
func TestHitsOnly(t *testing.T) {
	r := plainRig(t, page.Options{}, testkit.Camera{})
	for _, p := range pictures(t, r.open("hits=1&rate=30"), 6) {
		if p.Number%3 != 0 {
			t.Errorf("event %d is no hit", p.Number)
		}
	}
	if !r.page.Feeds() {
		t.Error("nobody looks for hits")
	}
}

// TestStopped: a browser that is stopped is dropped, while another one goes on, and nothing grows meanwhile.
func TestStopped(t *testing.T) {
	c := testkit.Camera{Segments: 1, Rows: 500, Cols: 800}
	r := plainRig(t, page.Options{Patience: 500 * time.Millisecond}, c)
	u, err := url.Parse(r.web.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "GET /v1/page/stream?rate=30 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReaderSize(conn, 64).ReadString('\n'); err != nil || !strings.Contains(line, "200 OK") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	healthy := r.open("rate=30&bin=8")
	for testkit.Within(0, func() bool { return r.page.Streams() > 1 }) {
		pictures(t, healthy, 1)
	}
	var before, after runtime.MemStats
	pictures(t, healthy, 70) // until all that is kept goes round
	runtime.GC()
	runtime.ReadMemStats(&before)
	pictures(t, healthy, 70)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the memory has grown by %d bytes", grown)
	}
	if events, bytes, spares := r.page.Memory(); events > 64 || bytes > 256<<20 || spares > 4 {
		t.Errorf("%d events of %d bytes are kept, and %d pictures", events, bytes, spares)
	}
}

// TestFlood: so many browsers and no more, until one has gone.
func TestFlood(t *testing.T) {
	r := plainRig(t, page.Options{}, testkit.Camera{})
	for range 16 {
		pictures(t, r.open("image=event"), 1)
	}
	code, text := r.get("/v1/page/stream")
	if code != http.StatusServiceUnavailable || !strings.Contains(string(text), "16 browsers watch already") {
		t.Errorf("%d %s", code, text)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestLeaving: who leaves makes room.
func TestLeaving(t *testing.T) {
	r := plainRig(t, page.Options{}, testkit.Camera{})
	for range 40 {
		s := r.open("rate=30")
		pictures(t, s, 1)
		_ = s.Close()
		if !testkit.Within(testkit.Patience, func() bool { return r.page.Streams() == 0 }) {
			t.Fatalf("%d streams are left", r.page.Streams())
		}
	}
}

// TestRefused: what makes no sense is answered with a sentence.
func TestRefused(t *testing.T) {
	r := plainRig(t, page.Options{}, testkit.Camera{})
	pictures(t, r.open("rate=30"), 2)
	for _, c := range []struct {
		path, says string
		code       int
	}{
		{"stream?bin=3", `bin is "3": give 1, 2, 4, 8`, 400},
		{"stream?image=cat", `image is "cat": give event, sum, max, none`, 400},
		{"stream?rate=0", "give a number from 0.1 to 30", 400},
		{"stream?rate=NaN", "give a number from 0.1 to 30", 400},
		{"stream?hits=2", "give 0, 1", 400},
		{"stream?bin=1&bin=2", "bin is given 2 times", 400},
		{"stream?file=x", `"file" is nothing that can be asked for here: there are image`, 400},
		{"event", "give a whole number", 400},
		{"event?number=-1", "give a whole number from 0", 400},
		{"event?number=99999999", "event 99999999 is not kept", 404},
		{"events?x=1", "nothing that can be asked for here", 400},
		{"history?seconds=1e9", "give a number from 1 to 3600", 400},
		{"pixel?number=1", "row is \"\"", 400},
		{"pixel?number=99999999&row=0&col=0", "is not kept", 404},
		{"mask?bin=x", "bin is", 400},
	} {
		code, text := r.get("/v1/page/" + c.path)
		if code != c.code || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %d %s", c.path, code, text)
		}
	}
	if code, text := r.get("/v1/replay"); code != 404 || !strings.Contains(string(text), "no replay") {
		t.Errorf("%d %s", code, text)
	}
	var rows struct{ Events []struct{ Number int64 } }
	_, text := r.get("/v1/page/events")
	if err := json.Unmarshal(text, &rows); err != nil || len(rows.Events) == 0 {
		t.Fatalf("%s", text)
	}
	last := rows.Events[len(rows.Events)-1].Number
	if code, body := r.get(fmt.Sprintf("/v1/page/event?number=%d&bin=2", last)); code != 200 || parsePicture(t, body).Number != last {
		t.Errorf("event %d: %d", last, code)
	}
	if code, _ := r.get(fmt.Sprintf("/v1/page/pixel?number=%d&row=400&col=0", last)); code != 400 {
		t.Errorf("a row outside: %d", code)
	}
}

// TestHistory: rates are those between two moments, and each worker has a row.
func TestHistory(t *testing.T) {
	at := 0.
	r := plainRig(t, page.Options{Status: func() watch.Status {
		at += 2
		s := nothing()
		s.Seconds, s.Events.Received, s.Events.Recorded, s.Hits.Searched, s.Hits.Hits = at, int64(at*100), int64(at*50), int64(at*100), int64(at*25)
		s.Workers = []watch.Worker{{Busy: at / 2}, {Busy: at / 4}}
		return s
	}}, testkit.Camera{})
	var h struct {
		T, Rate, Recorded []float64
		HitRate           []float64 `json:"hit_rate"`
		Busy              [][]float64
	}
	if !testkit.Within(testkit.Patience, func() bool {
		_, text := r.get("/v1/page/history")
		return json.Unmarshal(text, &h) == nil && len(h.T) >= 2
	}) {
		t.Fatalf("%+v", h)
	}
	if h.Rate[1] != 100 || h.Recorded[1] != 50 || h.HitRate[1] != 0.25 || len(h.Busy) != 2 || h.Busy[0][1] != 0.5 || h.Busy[1][1] != 0.25 {
		t.Errorf("%+v", h)
	}
}

// FuzzQuery asks for anything: it is answered, or refused with a sentence.
func FuzzQuery(f *testing.F) {
	c := testkit.Camera{}
	r := plainRig(f, page.Options{}, c)
	pictures(f, r.open("rate=30"), 3)
	for _, q := range []string{"event?number=1&bin=2", "events", "history?seconds=3", "pixel?number=2&row=1&col=1", "mask?bin=8", "event?number=1&number=2",
		"pixel?number=9223372036854775807&row=2147483647&col=2147483647", "mask?bin=%00", "event?number=+1&;", "history?seconds=-Inf"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		path, query, _ := strings.Cut(q, "?")
		if strings.HasPrefix(path, "stream") {
			return // which has no end
		}
		request := httptest.NewRequest(http.MethodGet, "/v1/page/"+url.PathEscape(path), http.NoBody)
		request.URL.RawQuery = query
		w := httptest.NewRecorder()
		r.page.ServeHTTP(w, request)
		if w.Code != 200 && w.Code != 400 && w.Code != 404 || w.Code == 400 && len(strings.TrimSpace(w.Body.String())) < 10 {
			t.Errorf("%q: %d %q", q, w.Code, w.Body)
		}
		if w.Code == 200 && w.Body.Len() > 1<<20 {
			t.Errorf("%q: %d bytes", q, w.Body.Len())
		}
	})
}

// nobody has anything to spare.
func nobody() (cores float64, known bool) { return 0, true }

// TestScarce: where the processors are full a browser is told so, has a picture soon, and then some, and the status all the time.
func TestScarce(t *testing.T) {
	r := plainRig(t, page.Options{Thrift: pace.NewThrift(&pace.Supply{Least: 1. / 128, Most: 1. / 16, Spare: nobody})}, testkit.Camera{})
	stream := r.open("rate=30")
	kinds := map[byte]int{}
	for kinds[1] < 3 || kinds[2] < 3 || kinds[3] < 2 {
		f, err := readFrame(stream)
		if err != nil {
			t.Fatal(err)
		}
		kinds[f.kind]++
		if f.kind == 1 && !strings.Contains(string(f.body), `"scarce":true`) {
			t.Errorf("%s", f.body)
		}
	}
	if code, _ := r.get("/v1/page/events"); code != http.StatusOK {
		t.Errorf("the list is answered with %d", code)
	}
}

// TestThriftOfAll: when browsers have had their share, nothing more is made for anybody, neither pictures nor answers, and the run
// goes on.
func TestThriftOfAll(t *testing.T) {
	r := plainRig(t, page.Options{Thrift: pace.NewThrift(&pace.Supply{Least: 1, Most: 1, Spare: nobody})}, testkit.Camera{})
	stream := r.open("rate=30")
	for range 3 {
		if _, err := readFrame(stream); err != nil {
			t.Fatal(err)
		}
	}
	r.page.Exhaust()
	before, _, _ := r.page.Memory()
	for _, path := range []string{"page/events", "page/event?number=1", "page/history", "page/mask", "page/pixel?number=1&row=1&col=1", "page/stream"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.web.URL+"/v1/"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := http.DefaultClient.Do(request); err == nil {
			_ = got.Body.Close()
			t.Errorf("%s is answered: %s", path, got.Status)
		}
		cancel()
	}
	if now, _, _ := r.page.Memory(); now > before+1 { // the one that was under way
		t.Errorf("%d events were looked at", now-before)
	}
}

// TestMemoryIsGivenBack: once nobody looks, nothing is kept for the pictures of those who did.
func TestMemoryIsGivenBack(t *testing.T) {
	c := testkit.Camera{Segments: 1, Rows: 4, Cols: 6}
	r := newRig(t, page.Options{Patience: 500 * time.Millisecond}, begin(c.Configure(1), c.BeginRun(2, 5)),
		func(n int64) (xtc.Dgram, uint32) { return c.Event(uint64(101+n), 3), 0 })
	body := r.open("rate=30")
	pictures(t, body, 2)
	_ = body.Close()
	if !testkit.Within(testkit.Patience, func() bool { _, _, spares := r.page.Memory(); return spares > 0 && r.page.Streams() == 0 }) {
		t.Error("the picture is not there to be used again")
	}
	if !testkit.Within(testkit.Patience, func() bool { _, _, spares := r.page.Memory(); return spares == 0 }) {
		t.Error("the memory of pictures is kept for nobody")
	}
	pictures(t, r.open("rate=30"), 2)
}
