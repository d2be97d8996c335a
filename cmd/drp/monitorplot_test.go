package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"drp/internal/draw"
	"drp/internal/testkit"
	"drp/monitor"
	"drp/page"
	"drp/xtc"
)

// terminalOf is a terminal as somebody sees it who is not there.
type terminalOf struct {
	t      *testing.T
	master *os.File
	tty    *os.File

	mu   sync.Mutex // protects seen
	seen bytes.Buffer
}

// openTerminal makes a terminal, and standard input and output of it until the test ends.
func openTerminal(t *testing.T, width, height int) *terminalOf {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err) // a Linux that has none cannot run what is tested
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &terminalOf{t: t, master: master, tty: tty}
	w.resize(width, height)
	var reading sync.WaitGroup
	reading.Go(w.read)
	in, out := os.Stdin, os.Stdout
	os.Stdin, os.Stdout = tty, tty
	t.Cleanup(func() {
		os.Stdin, os.Stdout = in, out
		_, _ = master.WriteString("q\n") // for who waits for a key still
		_ = tty.Close()
		reading.Wait()
		_ = master.Close()
	})
	return w
}

func (w *terminalOf) read() {
	part := make([]byte, 1<<16)
	for {
		n, err := w.master.Read(part)
		w.mu.Lock()
		w.seen.Write(part[:n])
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (w *terminalOf) resize(width, height int) {
	w.t.Helper()
	err := unix.IoctlSetWinsize(int(w.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)})
	if err == nil && w.text() != "" {
		err = syscall.Kill(os.Getpid(), syscall.SIGWINCH) // as it comes to the processes of a terminal
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// text is what was shown up to now.
func (w *terminalOf) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

// pages are what was shown, whole pictures only.
func (w *terminalOf) pages() []string {
	all := strings.Split(w.text(), "\x1b[H")
	return all[1 : len(all)-1]
}

// await gives the first picture that is as it should be.
func (w *terminalOf) await(what string, is func(page string) bool) {
	w.t.Helper()
	for deadline := time.Now().Add(testkit.Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if len(w.text()) == 0 || strings.Count(w.text(), "\x1b[H") < 2 {
			continue
		}
		if all := w.pages(); is(all[len(all)-1]) {
			return
		}
	}
	w.t.Fatalf("%s was not shown:\n%s", what, escapes.ReplaceAllString(w.text()[max(0, len(w.text())-9000):], ""))
}

// published is a run that can be watched, of events that come one after the other until it is ended, or the test is.
func published(t *testing.T, name string) (end func() error) {
	t.Helper()
	testkit.RuntimeFolder(t)
	c := testkit.Camera{Segments: 2, Rows: 20, Cols: 60}
	server, err := monitor.New(monitor.Config{Name: name, EventBytes: 1 << 20, Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []xtc.Dgram{c.Configure(1), c.BeginRun(2, 5), testkit.Plain(xtc.BeginStep, 3), testkit.Plain(xtc.Enable, 4)} {
		server.Transition(&monitor.Event{Dgram: d})
	}
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for n := int64(0); ; n++ {
			e := monitor.Event{Facts: monitor.Facts{Number: n}, Dgram: c.Event(uint64(101+n), int(n))}
			if server.Offer(&e.Facts) {
				server.Publish(&e)
			}
			select {
			case <-time.After(2 * time.Millisecond):
			case <-stop:
				return
			}
		}
	})
	end = sync.OnceValue(func() error {
		close(stop)
		publishing.Wait()
		return server.Close()
	})
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return end
}

// escapes are what a terminal obeys and does not show.
var escapes = regexp.MustCompile(`\x1b\[[?0-9;]*[a-zA-Z]`)

// blocksOf counts the lines with blocks in a picture, and the letters of the longest.
func blocksOf(page string) (lines, longest int) {
	for line := range strings.SplitSeq(page, "\r\n") {
		line = escapes.ReplaceAllString(line, "")
		if strings.ContainsAny(line, "▀▄") && !strings.HasPrefix(line, "rate") {
			lines++
			longest = max(longest, len([]rune(line)))
		}
	}
	return lines, longest
}

// TestPlotInATerminal shows pictures that fit the window, follows its size, and leaves the terminal as it was, however it ends.
func TestPlotInATerminal(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(w *terminalOf, run func() error) error
		says string
	}{
		{"q", func(w *terminalOf, _ func() error) error { _, err := w.master.WriteString("q"); return err }, ""},
		{"Ctrl-C", func(w *terminalOf, _ func() error) error { _, err := w.master.WriteString("\x03"); return err }, ""},
		{"kill", func(*terminalOf, func() error) error { return syscall.Kill(os.Getpid(), syscall.SIGTERM) }, ""},
		{"hang-up", func(*terminalOf, func() error) error { return syscall.Kill(os.Getpid(), syscall.SIGHUP) }, ""},
		{"the end of the run", func(_ *terminalOf, run func() error) error { return run() }, "test/cam has ended after event "},
	} {
		t.Run(test.name, func(t *testing.T) {
			noEnvironment(t)
			run := published(t, "test/cam")
			t.Setenv("TERM", "xterm-256color")
			t.Setenv("COLORTERM", "truecolor")
			t.Setenv("NO_COLOR", "")
			w := openTerminal(t, 81, 30)
			before, err := term.GetState(int(w.tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "newest.png")
			done := make(chan int, 1)
			go func() { done <- execute([]string{"monitor", "test/cam", "--plot", "--png", file}) }()
			w.await("a picture of 60 x 48 points", func(page string) bool {
				lines, longest := blocksOf(page)
				return lines == 20 && longest == 60 && // and 4 between the segments
					strings.Contains(page, "\x1b[38;2;") && strings.Contains(page, "cam.raw 48 x 60: ") &&
					strings.Contains(page, "test/cam event ")
			})
			w.await("the rate", func(page string) bool { return strings.Contains(page, "\nrate ") && strings.Contains(page, "/s ") })
			w.resize(33, 20)
			w.await("a smaller picture", func(page string) bool {
				lines, longest := blocksOf(page)
				return lines == 10 && longest == 30
			})
			if err := test.end(w, run); err != nil {
				t.Fatal(err)
			}
			if code := <-done; code != 0 {
				t.Errorf("exit code %d", code)
			}
			w.check(before, test.says)
			checkPicture(t, file)
		})
	}
}

// check has the terminal as it was.
func (w *terminalOf) check(before *term.State, says string) {
	w.t.Helper()
	after, err := term.GetState(int(w.tty.Fd()))
	if err != nil {
		w.t.Fatal(err)
	}
	if fmt.Sprint(*after) != fmt.Sprint(*before) {
		w.t.Errorf("the terminal is %+v, and was %+v", *after, *before)
	}
	for deadline := time.Now().Add(testkit.Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, rest, left := strings.Cut(w.text(), "\x1b[?25h\x1b[?1049l"); left && strings.Contains(rest, says) {
			return
		}
	}
	w.t.Errorf("the page before is not back, or %q is not said: %q", says, w.text()[max(0, len(w.text())-300):])
}

// checkPicture has a whole PNG, and nothing beside it.
func checkPicture(t *testing.T, path string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	img, err := png.Decode(file)
	if err != nil || img.Bounds().Dx() < 480 || img.Bounds().Dy() < 48*8 {
		t.Errorf("%v, %v", img, err)
	}
}

// TestPlotElsewhere refuses what is no terminal, and writes a file without one.
func TestPlotElsewhere(t *testing.T) {
	noEnvironment(t)
	published(t, "test/cam")
	for _, test := range []struct {
		args string
		want string
	}{
		{"--plot", "--plot needs a terminal, and this is none: --png FILE writes pictures without one"},
		{"--png x.png --json", "leave --json and --http out"},
		{"--png x.png test/other", "show one run"},
		{"--png x.png --contrast 9:1", "--contrast 9:1: give two percentiles"},
		{"--http 127.0.0.1:0 --http-control-file x", "unknown flag: --http-control-file"}, // there is nothing to steer
	} {
		if code, _, said := command(t, append([]string{"monitor", "test/cam"}, strings.Fields(test.args)...)...); code != 2 || !strings.Contains(said, test.want) {
			t.Errorf("%s: %d %s", test.args, code, said)
		}
	}
	file := filepath.Join(t.TempDir(), "newest.png")
	if code, out, said := command(t, "monitor", "test/cam", "--png", file, "--events", "6"); code != 0 || out+said != "" {
		t.Errorf("%d %s %s", code, out, said)
	}
	checkPicture(t, file)
	if code, _, said := command(t, "monitor", "test/cam", "--png", "/nowhere/x.png", "--events", "9"); code != 1 || !strings.Contains(said, "--png: open /nowhere/x.png") {
		t.Errorf("%d %s", code, said)
	}
	t.Setenv("TERM", "dumb")
	openTerminal(t, 80, 24)
	if code := execute([]string{"monitor", "test/cam", "--plot"}); code != 2 {
		t.Errorf("%d on a terminal that can do nothing", code)
	}
}

func TestColoursOf(t *testing.T) {
	for _, test := range []struct {
		term, colours, none string
		want                draw.Depth
	}{
		{"xterm-256color", "truecolor", "", draw.Full}, {"screen", "24bit", "", draw.Full}, {"xterm-direct", "", "", draw.Full},
		{"xterm-256color", "", "", draw.Palette}, {"tmux-256color", "yes", "", draw.Palette}, {"xterm-256color", "truecolor", "1", draw.Colourless},
		{"vt100", "", "", draw.Colourless}, {"", "truecolor", "", draw.Colourless}, {"dumb", "truecolor", "", draw.Colourless},
	} {
		environment := map[string]string{"TERM": test.term, "COLORTERM": test.colours, "NO_COLOR": test.none}
		if got := coloursOf(func(name string) string { return environment[name] }); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

// TestShaded marks peaks where they are: as a point of a reduced picture, and around the pixel of one that is enlarged.
func TestShaded(t *testing.T) {
	nan := float32(math.NaN())
	p := &page.Picture{High: 4, Wide: 6, Bin: 2, Rows: 2, Cols: 3, Values: []float32{0, 1, 2, nan, 4, 5}, Peaks: []page.Point{{X: 2.6, Y: 3.4}, {X: 99, Y: 0}, {X: -3, Y: 0}}}
	img := shaded(p, image.Pt(40, 40), 0, 5)
	if img.Bounds().Size() != image.Pt(3, 2) || img.RGBAAt(1, 1) != markColour || img.RGBAAt(0, 1) != (color.RGBA{}) ||
		img.RGBAAt(0, 0) != draw.Shade(0) || img.RGBAAt(2, 1) != draw.Shade(1) {
		t.Errorf("%v", img.Pix)
	}
	p.Bin, p.High, p.Wide, p.Peaks = 1, 2, 3, []page.Point{{X: 1.2, Y: 0.4}}
	img = shaded(p, image.Pt(14, 11), 0, 5) // four times as large
	for y := range 8 {
		for x := range 12 {
			marked := x >= 4 && x < 8 && y < 4 && (x == 4 || x == 7 || y == 0 || y == 3)
			want := color.RGBA{}
			if v := p.Values[y/4*3+x/4]; v == v {
				want = draw.Shade(float64(v) / 5)
			}
			if got := img.RGBAAt(x, y); marked != (got == markColour) || !marked && got != want {
				t.Errorf("(%d, %d) is %v", x, y, got)
			}
		}
	}
}

func TestStrips(t *testing.T) {
	if got := spark([]float64{9, 0, 1, 2, 4}, 4); got != "▁▃▅█" {
		t.Error(got)
	}
	if spark([]float64{1}, -3) != "" || spark([]float64{0, 0}, 5) != "▁▁" {
		t.Error("nothing is something")
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir()) // where there is no run
	yes, no, start := true, false, time.Now()
	var s strips
	s.second()
	for i, hit := range []*bool{&yes, &no, &no, &no} {
		s.event(page.Seen{Number: int64(100 + 200*i), Hit: hit}, start.Add(time.Duration(i)*100*time.Millisecond))
	}
	s.second()
	s.second() // in which nothing came
	if fmt.Sprint(s.rate, s.hits) != "[2000 0] [25 0]" {
		t.Error(s.rate, s.hits)
	}
	if lines := s.lines(40); len(lines) != 2 || lines[0] != "rate        0/s █▁" || lines[1] != "hits        0 % █▁" {
		t.Errorf("%q", lines)
	}
}
