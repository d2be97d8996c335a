package page_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/monitor"
	"drp/page"
	"drp/xtc"
)

// replay is files that are replayed, with a page.
type replay struct {
	*page.Player
	t    *testing.T
	web  string
	over chan error
	page *page.Page
}

func play(t *testing.T, o page.PlayerOptions) *replay { return playAfter(t, o, func(*page.Player) {}) }

// playAfter does something before the replay begins.
func playAfter(t *testing.T, o page.PlayerOptions, before func(*page.Player)) *replay {
	t.Helper()
	testkit.RuntimeFolder(t)
	o.Monitor = "test/again"
	o.Journal = &page.Journal{}
	p, err := page.Play(o)
	if err != nil {
		t.Fatal(err)
	}
	before(p)
	shown := page.New(page.Options{Monitor: o.Monitor, Player: p, Status: p.Status, Journal: o.Journal})
	mux := http.NewServeMux()
	mux.Handle("POST /v1/replay", shown.Orders())
	mux.Handle("GET /", shown)
	web := httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	r := &replay{Player: p, t: t, web: web.URL, over: make(chan error, 1), page: shown}
	go func() { r.over <- p.Run(ctx, true) }()
	t.Cleanup(func() {
		cancel()
		if err := <-r.over; err != nil {
			t.Error(err)
		}
		shown.Close()
		web.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// order posts an order, and gives the code and the answer.
func (r *replay) order(text string) (int, string) {
	r.t.Helper()
	got, err := http.Post(r.web+"/v1/replay", "application/json", strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	body := make([]byte, 4096)
	n, _ := got.Body.Read(body)
	return got.StatusCode, string(body[:n])
}

// shows waits until a stream has the picture of an event.
func (r *replay) shows(stream interface{ Read([]byte) (int, error) }, number int64) *picture {
	r.t.Helper()
	for {
		if p := pictures(r.t, stream, 1)[0]; p.Number == number {
			return p
		}
	}
}

// TestReplay pauses, steps to and fro, seeks, and goes on to the end, and once more: what is shown are the pixels of the event.
func TestReplay(t *testing.T) {
	c := testkit.Spots{Segments: 2, Rows: 40, Cols: 50, Apart: 1e6}
	path := testkit.File(t, c.Run(200)...)
	r := play(t, page.PlayerOptions{Files: []string{path}, Speed: 1, Paused: true})
	stream := openStream(t, r.web, "rate=30")
	check := func(p *picture) {
		t.Helper()
		pixels := c.Pixels(int(p.Number), 1)
		if v, _ := p.at(40+gapRows+5, 7); v-float64(pixels[5*50+7]) > p.Scale || float64(pixels[5*50+7])-v > p.Scale {
			t.Errorf("event %d: %g, want %d", p.Number, v, pixels[5*50+7])
		}
	}
	check(r.shows(stream, 0))
	for _, step := range []struct {
		order string
		event int64
	}{{`{"step":1}`, 1}, {`{"step":1}`, 2}, {`{"step":-1}`, 1}, {`{"position":150}`, 150}, {`{"position":20}`, 20}, {`{"step":-1}`, 19}} {
		if code, said := r.order(step.order); code != 200 || r.State().Position != step.event || !r.State().Paused {
			t.Fatalf("%s: %d %s", step.order, code, said)
		}
		check(r.shows(stream, step.event))
	}
	if code, said := r.order(`{"paused":false,"speed":10}`); code != 200 || !strings.Contains(said, `"speed":10`) {
		t.Errorf("%d %s", code, said)
	}
	check(r.shows(stream, 199))
	if !testkit.Within(testkit.Patience, func() bool { return r.State().Ended }) {
		t.Errorf("%+v", r.State())
	}
	r.order(`{"paused":false,"speed":0.01}`) // once more
	check(r.shows(stream, 0))
	if s := r.Status(); s.State != "enabled" || s.Run != 5 || s.Experiment != "test" {
		t.Errorf("%+v", s)
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	path := testkit.File(t, testkit.Camera{}.Run(10)...)
	r := play(t, page.PlayerOptions{Files: []string{path}, Paused: true, Speed: 1})
	for order, says := range map[string]string{
		`{"position":10}`: "the files have 10 events", `{"position":-1}`: "the files have 10", `{"step":2}`: "give 1 or -1",
		`{"speed":-1}`: "speed -1", `{"speed":1e9}`: "give 0.01 to 1000", `{"file":"/etc/passwd"}`: "unknown field", `nonsense`: "no order for a replay: it is no JSON from byte 2 on; send",
		`{"speed":"fast"}`:        `is a text, and is to be a number`,
		`{"step":1,"position":2}`: "not both", ``: "no order"} {
		if code, said := r.order(order); code < 400 || code >= 500 || !strings.Contains(said, says) {
			t.Errorf("%q: %d %s", order, code, said)
		}
	}
	if code, said := ask(t, r.web+"/v1/replay"); code != 200 || !strings.Contains(string(said), `"events":10`) || strings.Contains(string(said), "/") {
		t.Errorf("%d %s", code, said)
	}
}

// TestReplayLoops: with loop the first event comes after the last.
func TestReplayLoops(t *testing.T) {
	path := testkit.File(t, testkit.Spots{Segments: 1, Rows: 20, Cols: 20, Apart: 1e7}.Run(5)...)
	r := play(t, page.PlayerOptions{Files: []string{path}, Loop: true, Speed: 1})
	stream := openStream(t, r.web, "rate=30")
	for range 3 {
		r.shows(stream, 4)
		r.shows(stream, 0)
	}
}

// TestReplayOfSeveralFiles: streams of one run come together, with the pixels of both.
func TestReplayOfSeveralFiles(t *testing.T) {
	c := testkit.Camera{Segments: 1, Rows: 4, Cols: 6}
	first, second := testkit.File(t, c.Run(20)...), testkit.File(t, c.Run(20)...)
	r := play(t, page.PlayerOptions{Files: []string{first, second}, Paused: true})
	p := r.shows(openStream(t, r.web, ""), 0)
	if s := r.State(); s.Events != 20 || p.Rows != 2*4+gapRows && p.Rows != 4 {
		t.Errorf("%+v, %d rows", s, p.Rows)
	}
	if code, _ := r.order(`{"position":19}`); code != 200 {
		t.Error(code)
	}
}

// TestReplayOfADamagedFile shows what there is, says why there is no more, and goes back when it is told to.
func TestReplayOfADamagedFile(t *testing.T) {
	whole := testkit.Camera{}.Run(30)
	path := testkit.File(t, whole...)
	if err := os.Truncate(path, int64(len(whole[0])+len(whole[1])+2*len(whole[2])+10*len(whole[4])+50)); err != nil {
		t.Fatal(err)
	}
	r := play(t, page.PlayerOptions{Files: []string{path}})
	if !testkit.Within(testkit.Patience, func() bool { return r.State().Ended }) {
		t.Fatalf("%+v", r.State())
	}
	if s := r.State(); s.Position != 9 || s.Why == "" || strings.Contains(s.Why, "/") {
		t.Errorf("%+v", s)
	}
	if code, said := r.order(`{"position":3}`); code != 200 {
		t.Errorf("%d %s", code, said)
	}
	if !testkit.Within(testkit.Patience, func() bool { return r.State().Ended && r.State().Position == 9 }) {
		t.Errorf("%+v", r.State())
	}
}

// TestReplayOfSamples shows files of the experiment.
func TestReplayOfSamples(t *testing.T) {
	for _, name := range []string{"xtc2/test_timetool.xtc2", "xtc2/test_ts.xtc2"} {
		t.Run(name, func(t *testing.T) {
			r := play(t, page.PlayerOptions{Files: []string{testkit.Data(t, name)}})
			if !testkit.Within(testkit.Patience, func() bool { return r.State().Ended }) {
				t.Fatalf("%+v", r.State())
			}
			if s := r.State(); s.Why != "" || s.Position != int64(s.Events)-1 || s.Events == 0 {
				t.Errorf("%+v", s)
			}
			rows := ""
			if !testkit.Within(testkit.Patience, func() bool {
				_, text := ask(t, r.web+"/v1/page/events")
				rows = string(text)
				return strings.Contains(rows, `"number"`)
			}) {
				t.Errorf("no event is seen: %s", rows)
			}
		})
	}
}

func TestNothingToReplay(t *testing.T) {
	testkit.RuntimeFolder(t)
	for _, o := range []page.PlayerOptions{{Files: []string{"/nowhere/at-r0001-s000-c000.xtc2"}}, {Files: []string{testkit.File(t, testkit.Plain(xtc.Configure, 1))}, Speed: -3}} {
		o.Monitor = "test/again"
		if _, err := page.Play(o); err == nil {
			t.Errorf("%+v is replayed", o)
		}
	}
}

// TestSeekBeforeTheFirst: an order that is there before the first event was shown is obeyed, and what it asks for stays.
func TestSeekBeforeTheFirst(t *testing.T) {
	path := testkit.File(t, testkit.Camera{}.Run(30)...)
	asked := make(chan error, 1)
	r := playAfter(t, page.PlayerOptions{Files: []string{path}, Paused: true}, func(p *page.Player) {
		to := int64(12)
		go func() { asked <- p.Order(t.Context(), page.Command{Position: &to}) }()
		time.Sleep(50 * time.Millisecond) // until it waits; later it is obeyed all the same
	})
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	r.shows(openStream(t, r.web, ""), 12)
	if s := r.State(); s.Position != 12 {
		t.Errorf("%+v", s)
	}
}

// TestShortLoop: events that lie nanoseconds apart are not shown without end: a loop takes a second, however slow the machine.
func TestShortLoop(t *testing.T) {
	path := testkit.File(t, testkit.Spots{Segments: 1, Rows: 20, Cols: 20, Apart: 1}.Run(5)...)
	began := time.Now()
	r := play(t, page.PlayerOptions{Files: []string{path}, Loop: true, Speed: 1})
	if !testkit.Within(testkit.Patience, func() bool { return r.Offered() >= 10 }) {
		t.Error("it does not begin again")
	}
	if n, most := r.Offered(), 5*(2+int64(time.Since(began)/time.Second)); n > most {
		t.Errorf("%d events in %v", n, time.Since(began))
	}
}

// TestWhoComesBetweenTwoPasses is shown nothing until the next one begins, with its Configure; who comes while an event stands still is
// shown that.
func TestWhoComesBetweenTwoPasses(t *testing.T) {
	c := testkit.Spots{Segments: 1, Rows: 20, Cols: 20, Apart: 1e6}
	whole := append(c.Run(5), testkit.Plain(xtc.Unconfigure, 1<<40))
	r := play(t, page.PlayerOptions{Files: []string{testkit.File(t, whole...)}})
	if !testkit.Within(testkit.Patience, func() bool { return r.State().Ended }) {
		t.Fatalf("%+v", r.State())
	}
	come := func() *monitor.Client {
		client, err := monitor.Dial(t.Context(), "test/again", monitor.Choice{}, "test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	sees := func(client *monitor.Client, want ...any) {
		t.Helper()
		for _, w := range want {
			it, err := client.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if id := it.Dgram.Service(); id != w && (!id.IsEvent() || it.Number != w) {
				t.Fatalf("%v %d, and not %v", id, it.Number, w)
			}
		}
	}
	early, shown := come(), r.Offered()
	if testkit.Within(500*time.Millisecond, func() bool { return r.Offered() > shown }) {
		t.Error("an event is shown without its Configure")
	}
	r.order(`{"position":3}`)
	sees(early, xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable, int64(3))
	r.order(`{"position":2,"paused":true}`)
	sees(come(), xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable, int64(2))
}
