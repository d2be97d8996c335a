package e2e

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// addresses are those that the program prints: for watching and for steering.
func (v *invocation) addresses() (watch, steer string) {
	v.t.Helper()
	found := func(what string) string {
		m := regexp.MustCompile(what + ` at (http://\S+)`).FindStringSubmatch(v.Stderr.String())
		if m == nil {
			return ""
		}
		return m[1]
	}
	if !testkit.Within(testkit.Patience, func() bool { return found("steered") != "" || v.Over() }) || found("watched") == "" {
		v.t.Fatalf("no address is printed:\n%s", v.Stderr.String())
	}
	return found("watched"), found("steered")
}

// below is an address of the same server, with the same token.
func below(address, path string) string {
	base, token, _ := strings.Cut(address, "/?")
	if strings.Contains(path, "?") {
		return base + path + "&" + token
	}
	return base + path + "?" + token
}

// shownPicture is what the tests look at in a picture.
type shownPicture struct {
	Number        int64
	Rows, Cols    int
	Offset, Scale float64
	Corrected     bool
	pixels        []byte
}

func (p *shownPicture) at(row, col int) (float64, bool) {
	u := binary.LittleEndian.Uint16(p.pixels[2*(row*p.Cols+col):])
	return p.Offset + p.Scale*float64(u), u != math.MaxUint16
}

// watchPage reads pictures of a stream until enough says so, and gives the kinds of frames that came.
func watchPage(t *testing.T, address string, enough func(*shownPicture) bool) (kinds map[byte]int) {
	t.Helper()
	got, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	kinds = map[byte]int{}
	for {
		var head [5]byte
		if _, err := io.ReadFull(got.Body, head[:]); err != nil {
			t.Fatalf("%d %v: %v", got.StatusCode, kinds, err)
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-1)
		if _, err := io.ReadFull(got.Body, body); err != nil {
			t.Fatal(err)
		}
		kinds[head[4]]++
		if head[4] != 2 {
			continue
		}
		n := binary.LittleEndian.Uint32(body)
		p := &shownPicture{pixels: body[4+n:]}
		if err := json.Unmarshal(body[4:4+n], p); err != nil {
			t.Fatal(err)
		}
		if enough(p) {
			return kinds
		}
	}
}

// TestPage: pictures of a run have the pixels that are recorded of the event; browsers that are stopped, ask for nonsense or have no right change nothing in the books. The replay of the file
// shows the same.
func TestPage(t *testing.T) {
	t.Parallel()
	const camera = "sim:segments=2,rows=60,cols=64,bank=8,hits=0.5,slow=0,events=0"
	dir := t.TempDir()
	v := pipeline(t, "-s", camera, "--rate", "60", "-w", "1", "-p", testkit.Script(t, looping("pass", "pass")), "--calib", "none", "-o", dir,
		"--http", "127.0.0.1:0").start()
	watch, steer := v.addresses()
	stopped, err := net.Dial("tcp", strings.TrimPrefix(strings.Split(watch, "/?")[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stopped.Close() }()
	if _, err := fmt.Fprintf(stopped, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", below(watch, "/v1/page/stream?rate=30")[len("http://"+stopped.RemoteAddr().String()):]); err != nil {
		t.Fatal(err)
	}
	shown := map[int64]*shownPicture{}
	kinds := watchPage(t, below(watch, "/v1/page/stream?rate=20"), func(p *shownPicture) bool {
		shown[p.Number] = p
		return len(shown) == 8
	})
	if kinds[1] == 0 || kinds[3] == 0 {
		t.Errorf("frames: %v", kinds)
	}
	for path, want := range map[string]int{below(watch, "/v1/page/stream?bin=7"): 400, strings.Split(watch, "/?")[0] + "/v1/page/events": 401,
		below(watch, "/v1/page/event?number=-1"): 400, below(watch, "/"): 200, below(watch, "/v1/replay"): 404} {
		if code, text := testkit.Ask(t, http.MethodGet, path, "", ""); code != want {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if code, said := testkit.Ask(t, http.MethodPost, below(steer, "/v1/replay"), "", `{"paused":true}`); code != http.StatusNotFound {
		t.Errorf("an order to a run: %d %s", code, said)
	}
	v.enabled()
	v.Signal(syscall.SIGINT)
	o := v.finish().wants(t, 130)
	b := o.balanced(t)
	if b.Received != b.Recorded {
		t.Errorf("%+v", b)
	}
	file := o.dataFiles(t)[0]
	compareShown(t, file, shown)
	if text, err := os.ReadFile(filepath.Join(dir, strings.Replace(filepath.Base(file), "-c000.xtc2", "-status.jsonl", 1))); err != nil ||
		!strings.Contains(string(text), fmt.Sprintf(`"recorded":%d,`, b.Recorded)) || !strings.Contains(string(text), `"base":0`) {
		t.Errorf("the status record: %v: %s", err, text)
	}
	replayPage(t, file)
}

// compareShown compares pictures with the pixels that the file has of their events: those of the last segment, which is at the
// bottom.
func compareShown(t *testing.T, file string, shown map[int64]*shownPicture) {
	t.Helper()
	compared := 0
	for _, e := range events(t, file) {
		p := shown[int64(e.n)]
		if p == nil {
			continue
		}
		compared++
		raw := e.blocks["raw.raw"]
		rows, cols := int(raw.Shape[0]), int(raw.Shape[1])
		if p.Corrected || p.Cols != cols || p.Rows <= 2*rows {
			t.Fatalf("event %d: %d x %d", e.n, p.Rows, p.Cols)
		}
		for i := range raw.Len() {
			if got, there := p.at(p.Rows-rows+i/cols, i%cols); !there || math.Abs(got-float64(raw.UintAt(i))) > p.Scale/2+1e-3 {
				t.Fatalf("event %d, pixel %d: %g, want %d", e.n, i, got, raw.UintAt(i))
			}
		}
	}
	if compared != len(shown) {
		t.Errorf("%d of %d pictures were compared", compared, len(shown))
	}
}

// replayPage replays a file with the program, and steers it by the page.
func replayPage(t *testing.T, file string) {
	t.Helper()
	v := prepare(t, nil, "replay", file, "--calib", "none", "--paused", "--http", "127.0.0.1:0").start()
	watch, steer := v.addresses()
	shown := map[int64]*shownPicture{}
	post := func(address, text string, want int) {
		t.Helper()
		if code, said := testkit.Ask(t, http.MethodPost, address, "", text); code != want {
			t.Errorf("%s: %d %s", text, code, said)
		}
	}
	post(below(watch, "/v1/replay"), `{"step":1}`, 403)
	for _, number := range []int64{0, 37, 12} {
		post(below(steer, "/v1/replay"), fmt.Sprintf(`{"position":%d}`, number), 200)
		watchPage(t, below(watch, "/v1/page/stream?rate=20"), func(p *shownPicture) bool {
			if p.Number == number {
				shown[number] = p
			}
			return p.Number == number
		})
	}
	if _, text := testkit.Ask(t, http.MethodGet, below(watch, "/v1/status"), "", ""); !strings.Contains(text, `"recorded":`) || !strings.Contains(text, `"script": "script.py"`) {
		t.Errorf("the status of then: %s", text)
	}
	v.Signal(syscall.SIGINT)
	v.finish().wants(t, 0)
	compareShown(t, file, shown)
}
