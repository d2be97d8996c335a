package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"drp/calib"
	"drp/calib/publish"
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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out bytes.Buffer
	if err := watch(ctx, o, &out); err != nil {
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
	if err := watch(ended, watchOptions{}, &bytes.Buffer{}); err != nil {
		t.Errorf("interrupted: %v", err)
	}
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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	go func() {
		ended <- errors.Join(watch(ctx, watchOptions{connect: address, count: 1}, &out), write.Close())
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
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = watch(ctx, watchOptions{count: 2}, &out)
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
