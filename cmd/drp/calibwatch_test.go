package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"drp/calib"
	"drp/calib/publish"
	"drp/internal/testkit"
)

// broadcast publishes constants of a small camera.
func broadcast(t *testing.T, p *publish.Publisher, detector, from string, run int) *publish.Announcement {
	t.Helper()
	set := &calib.Set{Detector: detector, Model: "camera", Serials: []string{"7"}, Unit: calib.ADU, Rows: 2, Cols: 3,
		Pedestals: make([]float32, 6), Gains: []float32{1, 1, 1, 1, 1, float32(run)}, Provenance: calib.Provenance{From: from}}
	if err := set.Check(); err != nil {
		t.Fatal(err)
	}
	seg, err := p.Publish(set, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = seg.Release() })
	return &seg.Announcement
}

func publisherOf(t *testing.T, c publish.Config) *publish.Publisher {
	t.Helper()
	p, err := publish.NewPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func watched(t *testing.T, o watchOptions) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	var out bytes.Buffer
	if err := watchConstants(ctx, o, &out); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("only this was seen:\n%s", &out)
	}
	return out.String()
}

func TestCalibWatch(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	one := publisherOf(t, publish.Config{Partition: "one", Listen: "127.0.0.1:0"})
	two := publisherOf(t, publish.Config{Partition: "two"})
	broadcast(t, one, "camera", "\x1b[31mred", 3)
	want := broadcast(t, one, "epix", "dark run", 3)
	broadcast(t, two, "camera", "dark run", 4)

	all := watched(t, watchOptions{count: 3})
	if strings.Count(all, "\n") != 4 || strings.Contains(all, "\x1b") || !strings.Contains(all, `"\x1b[31mred"`) {
		t.Errorf("%s", all)
	}
	var got publish.Announcement
	text := watched(t, watchOptions{partition: "one", detector: "epix", asJSON: true, count: 1})
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Digest != want.Digest || got.Generation != want.Generation {
		t.Errorf("%v, %s", err, text)
	}
	if text := watched(t, watchOptions{connect: one.Addr().String(), count: 2}); strings.Count(text, " checked ") != 2 {
		t.Errorf("%s", text)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := watchConstants(ended, watchOptions{}, &bytes.Buffer{}); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

// TestCalibShowAndWatchNameTheSame: the set by its id, and what is broadcast of it by generation and digest.
func TestCalibShowAndWatchNameTheSame(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("DRP_CALIB", dir+"/store")
	ped, gains := numbers(t, dir+"/ped.npy", 1, 2, 2, 3), numbers(t, dir+"/gains.npy", 1, 2, 2, 3)
	put := []string{"calib", "put", "cam", "--type", "epix100_small", "--serials", "A.B", "--pedestals", ped, "--gains", gains}
	ok(t, put...)
	ok(t, append(put, "--comment", "the newer one")...)
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(ok(t, "calib", "ls", "--json")), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", err, list)
	}
	st, err := (&storeFlag{name: dir + "/store"}).open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	set, err := st.Get(t.Context(), calib.Query{Detector: "cam", Serials: []string{"B"}, Run: 3})
	if err != nil {
		t.Fatal(err)
	}
	seg, err := publisherOf(t, publish.Config{Partition: "one"}).Publish(set, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = seg.Release() }()
	newer, older := list[0].ID, list[1].ID
	says(t, ok(t, "calib", "show", "cam", "--run", "3"), "  set      "+newer+"\n", fmt.Sprintf(
		"  in use   partition one, run 3, segments B: generation %d, digest there %s\n", seg.Generation, seg.Digest[:12]))
	if text := ok(t, "calib", "show", older); !strings.Contains(text, "  set      "+older) || strings.Contains(text, "in use") {
		t.Errorf("of a set that nobody uses: %s", text)
	}
	var shown struct {
		ID    string
		InUse []use `json:"in_use"`
	}
	if err := json.Unmarshal([]byte(ok(t, "calib", "show", newer, "--json")), &shown); err != nil || shown.ID != newer ||
		len(shown.InUse) != 1 || shown.InUse[0].Digest != seg.Digest || shown.InUse[0].Generation != seg.Generation {
		t.Errorf("%v, %+v", err, shown)
	}
	says(t, watched(t, watchOptions{count: 1}), newer[:12], seg.Digest[:12], fmt.Sprint(seg.Generation))
}

// TestCalibWatchSaysThatNobodyAnswers, once, and goes on trying until somebody does.
func TestCalibWatchSaysThatNobodyAnswers(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	old := os.Stderr
	os.Stderr = write
	ended := make(chan error, 1)
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	go func() {
		ended <- errors.Join(watchConstants(ctx, watchOptions{connect: address, count: 1}, &out), write.Close())
	}()
	said := bufio.NewReader(read)
	line, err := said.ReadString('\n')
	if err != nil || !strings.Contains(line, "nobody answers at "+address+" (connection refused); this tries again") {
		t.Errorf("%q, %v", line, err)
	}
	broadcast(t, publisherOf(t, publish.Config{Partition: "late", Listen: address}), "camera", "", 1)
	err = <-ended
	os.Stderr = old
	if more, _ := io.ReadAll(said); err != nil || len(more) > 0 || !strings.Contains(out.String(), "late") {
		t.Errorf("%v, %s, then %q", err, &out, more)
	}
}

// TestCalibWatchFindsRunsThatBeginLater, and does not stop at those that were killed.
func TestCalibWatchFindsRunsThatBeginLater(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	p := publisherOf(t, publish.Config{Partition: "later"})
	seen := make(chan string, 1)
	go func() {
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		_ = watchConstants(ctx, watchOptions{count: 2}, &out)
		seen <- out.String()
	}()
	broadcast(t, p, "camera", "", 1)
	for run := 2; ; run++ {
		select {
		case text := <-seen:
			if !strings.Contains(text, "later") {
				t.Errorf("%s", text)
			}
			return
		case <-time.After(100 * time.Millisecond):
			broadcast(t, p, "camera", "", run)
		}
	}
}
