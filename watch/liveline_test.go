package watch_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/settings"
	"drp/internal/testkit"
	"drp/watch"
)

var types = map[string]string{"threshold": "float", "rows": "int", "dark": "bool", "mode": "str", "hits.min_snr": "float"}

func TestLiveOptions(t *testing.T) {
	for line, want := range map[string]struct {
		values  map[string]any
		unknown int
	}{
		"--threshold 60":                          {map[string]any{"threshold": "60"}, 0},
		"--threshold=60 --rows 3":                 {map[string]any{"threshold": "60", "rows": "3"}, 0},
		"  --threshold\t-5\n\x00":                 {map[string]any{"threshold": "-5"}, 0},
		"--threshold 60 --threshold 70":           {map[string]any{"threshold": "70"}, 0},
		"--dark --rows 4":                         {map[string]any{"dark": true, "rows": "4"}, 0},
		"--rows 4 --dark":                         {map[string]any{"dark": true, "rows": "4"}, 0},
		"--dark=off":                              {map[string]any{"dark": "off"}, 0},
		"--mode=a=b":                              {map[string]any{"mode": "a=b"}, 0},
		"--mode= --rows":                          {map[string]any{"mode": "", "rows": ""}, 0},
		"--hits.min_snr 5":                        {map[string]any{"hits.min_snr": "5"}, 0},
		"--size 10,20 --eye=1,2,3 --rows 3 -x --": {map[string]any{"rows": "3"}, 3},
		"threshold 60 stray":                      {map[string]any{}, 0},
		"":                                        {map[string]any{}, 0},
	} {
		if values, unknown := watch.LiveOptions(line, types); !maps.Equal(values, want.values) || unknown != want.unknown {
			t.Errorf("%q: %v and %d others, not %v and %d", line, values, unknown, want.values, want.unknown)
		}
	}
}

// FuzzLiveOptions: of any line, what is not known is left alone, and what is comes out as it stands there.
func FuzzLiveOptions(f *testing.F) {
	for _, line := range []string{"--threshold 60", "--a=b --rows", "-- --dark -5", "\xff\x00--mode=\xff", "--threshold=--rows"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		values, unknown := watch.LiveOptions(line, types)
		if unknown > strings.Count(line, "--") || len(values) > len(types) {
			t.Errorf("%d values, %d unknown options", len(values), unknown)
		}
		for name, v := range values {
			text, isText := v.(string)
			if types[name] == "" || isText && !strings.Contains(line, text) || !strings.Contains(line, "--"+name) {
				t.Errorf("%s is %v", name, v)
			}
		}
	})
}

// board is settings without a run: they turn whenever it is looked at.
type board struct {
	mu   sync.Mutex
	book settings.Book
	sets int
}

func newBoard(t *testing.T) *board {
	t.Helper()
	all, err := settings.Declared([]byte(`[{"name":"threshold","type":"float","default":50,"min":0},{"name":"dark","type":"bool","default":false}]`), "script")
	if err != nil {
		t.Fatal(err)
	}
	b := &board{}
	if _, err := b.book.Declare(all, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *board) Settings() settings.Listing { return b.book.List() }

func (b *board) Set(values map[string]any, who string) (int64, error) {
	b.mu.Lock()
	b.sets++
	b.mu.Unlock()
	return b.book.Set(values, who)
}

func (b *board) SetForAll(values map[string]any, who string) (int64, error) {
	return b.book.SetForAll(values, who)
}

func (b *board) Try(values map[string]any) (map[string]string, error) { return b.book.Try(values) }

func (b *board) value() any { return b.book.List().Settings[0].Value }

func TestLive(t *testing.T) {
	b := newBoard(t)
	var log bytes.Buffer
	there := make(chan watch.Steered, 1)
	there <- nil
	l, err := watch.ListenLive(":0", func() watch.Steered {
		select {
		case s := <-there:
			return s
		default:
			return b
		}
	}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.Address(), "127.0.0.1:") {
		t.Errorf("it listens at %s", l.Address())
	}
	to, err := net.Dial("udp", l.Address())
	if err != nil {
		t.Fatal(err)
	}
	send := func(line string) {
		if _, err := to.Write([]byte(line)); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	}
	wants := func(value any, line string) {
		t.Helper()
		if !testkit.Within(testkit.Patience, func() bool { send(line); return b.value() == value }) {
			t.Errorf("%v, not %v, after %q", b.value(), value, line)
		}
	}
	send("--threshold 1") // there is no run yet
	wants(60.0, "--threshold 60")
	send("--threshold -60 --dark")
	send("--threshold 70 --dark maybe")
	send("--threshold " + strings.Repeat(" ", 1024) + "80")
	wants(61.0, "--verbose 3 --threshold=61 --size 4")
	if b.book.List().Settings[1].Value != false {
		t.Error("a part of a line was taken")
	}
	for i := range 20000 {
		send(fmt.Sprintf("--threshold %d", i+100))
	}
	wants(62.0, "--threshold 62")
	_ = to.Close()
	l.Close()
	if said := log.String(); !strings.Contains(said, "4 of them refused") || strings.Count(said, "liveline: refused") < 1 || strings.Count(said, "\n") > 5 {
		t.Errorf("the log has %s", said)
	}
	if c := b.book.Turn(time.Now()); c == nil || c.Who != "udp 127.0.0.1" {
		t.Errorf("%v", c)
	}
}

func TestWhereLiveCannotListen(t *testing.T) {
	for _, address := range []string{"", "x", "127.0.0.1", "127.0.0.1:x", "256.0.0.1:1"} {
		if _, err := watch.ListenLive(address, nil, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("it listens at %q", address)
		}
	}
}
