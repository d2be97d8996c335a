package chaos

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// stream is a source whose every byte is known beforehand.
type stream struct {
	path   string
	events []xtc.Dgram
	byTime map[uint64]int
}

var camera = testkit.Camera{Segments: 1, Rows: 8, Cols: 16}

const (
	firstSecond = 1000
	eventGap    = 40 * time.Microsecond // 25 kHz, as of the simulator
	perSecond   = int(time.Second / eventGap)
)

// at is the time of an event.
func at(n int) uint64 {
	return uint64(firstSecond+n/perSecond)<<32 | uint64(n%perSecond)*uint64(eventGap)
}

// newStream writes a file of so many events.
func newStream(t testing.TB, events int) *stream { return timedStream(t, events, at) }

func timedStream(t testing.TB, events int, at func(n int) uint64) *stream {
	t.Helper()
	s := &stream{byTime: make(map[uint64]int, events), path: filepath.Join(t.TempDir(), "test-r0005-s000-c000.xtc2")}
	run := camera.Run(0)
	begin, end := run[:4], run[4:]
	var file []byte
	for _, d := range begin {
		file = append(file, d...)
	}
	for n := range events {
		d := camera.Event(at(n), n)
		s.byTime[at(n)] = n
		s.events = append(s.events, d)
		file = append(file, d...)
	}
	for i, d := range end {
		d.SetTime(at(events) + 1 + uint64(i))
		file = append(file, d...)
	}
	if err := os.WriteFile(s.path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// pixels are the pixels of an event, as they lie in it.
func pixels(n int) []byte {
	var all []byte
	for r := range camera.Rows {
		for c := range camera.Cols {
			all = binary.LittleEndian.AppendUint16(all, camera.Pixel(n, 0, r, c))
		}
	}
	return all
}

// result is what the script below adds to event n, but for the time and the process.
func result(n int) (crc uint32, pad []byte) {
	pad = make([]byte, n%50)
	for i := range pad {
		pad[i] = byte(n % 251)
	}
	return crc32.ChecksumIEEE(pixels(n)), pad
}

// rejects and removes are what the script does with event n.
func rejects(n int) bool { return n%10 == 7 }
func removes(n int) bool { return n%2 == 1 }

// script is one that adds to every event what only its pixels can tell, when it was at work, and in which process. body
// is done before, with n, raw and evt; once("name") is true in the first process that asks.
func script(t testing.TB, declare, body string) string {
	t.Helper()
	indent := func(text, by string) string {
		return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by) + "\n"
	}
	text := `import ctypes, os, re, signal, subprocess, sys, threading, time, zlib
import numpy as np
from drp import DataSource
def once(name):
    try:
        os.close(os.open(os.path.join(os.path.dirname(__file__), name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
ds = DataSource()
out = ds.add_detector(ds.camera, alg="seen", fields={"n": (np.uint32, 0), "crc": (np.uint32, 0), "when": (np.int64, 0),
    "pid": (np.uint32, 0), "pad": (np.uint8, 1)})
` + indent(declare, "") + `for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        n = evt.nanoseconds // 40000 + 25000 * (evt.seconds - 1000)
        raw = det.raw.raw(evt)
` + indent(body, "        ") + `        if n % 10 == 7:
            evt.reject()
            continue
        out.n, out.crc, out.when, out.pid = n, zlib.crc32(raw.tobytes()), time.time_ns(), os.getpid()
        out.pad = np.full(n % 50, n % 251, np.uint8)
        evt.add(out)
        if n % 2:
            evt.remove(ds.camera, "raw")
`
	dir := t.TempDir()
	path := filepath.Join(dir, "script.py")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// slowFrom is a line for a script, which is slow from an event on until the test lets it go: what the test does beside the run takes
// longer on a busy machine.
func slowFrom(c *trial, n int, sleep float64) (line string, letGo func()) {
	path := filepath.Join(c.TempDir(), "go")
	return fmt.Sprintf("if n > %d and not os.path.exists(%q): time.sleep(%g)\n", n, path, sleep), func() { _ = os.WriteFile(path, nil, 0o600) }
}
