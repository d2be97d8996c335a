package cxi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/hit/cxi"
	"drp/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

func config(t *testing.T) cxi.Config {
	t.Helper()
	c := settings(t)
	c.Python = testkit.PythonWith(t, "h5py")
	return c
}

// settings are those of a file that no Python writes yet.
func settings(t *testing.T) cxi.Config {
	t.Helper()
	return cxi.Config{Path: filepath.Join(t.TempDir(), "a.cxi"), PythonPath: testkit.PythonPath(),
		Rows: 6, Cols: 10, Type: "<i2", Slots: 4, MaxPeaks: 300, Energy: true, Run: 7, Attributes: map[string]string{"hits": "{}"}}
}

// peaksOf is how many an event of the tests has: none at first, and more than fit in a chunk of the file later.
func peaksOf(event int) int { return event * event % 211 }

// writeEvents writes so many.
func writeEvents(t *testing.T, w *cxi.Writer, events int) {
	t.Helper()
	ctx := context.Background()
	for n := range events {
		s, err := w.Slot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Pixels {
			s.Pixels[i] = byte(n + i)
		}
		e := cxi.Event{Number: int64(n), Time: uint64(n)<<32 | 5, Pulse: uint64(1000 + n), Energy: 9000 + float64(n)}
		for k := range peaksOf(n) {
			e.Peaks = append(e.Peaks, cxi.Peak{FS: float32(k), SS: float32(n), Total: 1, Max: 2, SNR: 3, NPix: 4})
		}
		if err := w.Write(ctx, s, &e); err != nil {
			t.Fatal(err)
		}
	}
}

const checkEvents = `import h5py, sys
import numpy as np
path, events = sys.argv[1], int(sys.argv[2])
with h5py.File(path) as f:
    data = f["/entry_1/data_1/data"]
    assert data.shape == (events, 6, 10) and data.maxshape[0] is None, data.shape
    n = np.arange(events)
    peaks = n * n % 211
    result = f["/entry_1/result_1"]
    assert (result["nPeaks"][:] == peaks).all()
    wide = max(1, int(peaks.max()) if events else 1)
    x = result["peakXPosRaw"][:]
    assert x.shape == (events, wide), x.shape
    for k in range(events):
        raw = ((k + np.arange(120)) % 256).astype(np.uint8).view("<i2").reshape(6, 10)
        assert (data[k] == raw).all(), k
        assert (x[k, :peaks[k]] == np.arange(peaks[k])).all() and not x[k, peaks[k]:].any()
        assert (result["peakYPosRaw"][k, :peaks[k]] == k).all() and (result["peakNPixels"][k, :peaks[k]] == 4).all()
    assert (f["/LCLS/photon_energy_eV"][:] == 9000 + n).all() and (f["/LCLS/machineTime"][:] == n).all()
    assert (f["/LCLS/machineTimeNanoSeconds"][:] == 5).all() and (f["/LCLS/pulse_id"][:] == 1000 + n).all()
    assert [v.decode() for v in f["/entry_1/experiment_identifier"]] == [f"r0007_{k}_5_e{k}" for k in range(events)]
`

// TestWriter writes no event, one, and more than are gathered before they are written, with lists that grow.
func TestWriter(t *testing.T) {
	for _, events := range []int{0, 1, 700} {
		t.Run(fmt.Sprint(events), func(t *testing.T) {
			c := config(t)
			w, err := cxi.Start(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			writeEvents(t, w, events)
			if _, err := os.Stat(c.Path); !errors.Is(err, os.ErrNotExist) {
				t.Error("it has its name before it is complete")
			}
			if err := w.Finish(context.Background()); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(c.Python, "-c", checkEvents, c.Path, fmt.Sprint(events)).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if left := testkit.FilesIn(filepath.Dir(c.Path)); len(left) != 1 {
				t.Errorf("%q", left)
			}
		})
	}
}

// TestWriterLeavesNothing aborts, is cancelled, and meets a name that is taken at the end.
func TestWriterLeavesNothing(t *testing.T) {
	c := config(t)
	start := func(ctx context.Context) *cxi.Writer {
		w, err := cxi.Start(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Abort)
		return w
	}
	none := func(what string, want int) {
		t.Helper()
		if left := testkit.FilesIn(filepath.Dir(c.Path)); len(left) != want {
			t.Errorf("%s: %q", what, left)
		}
	}
	w := start(context.Background())
	writeEvents(t, w, 10)
	if _, err := cxi.Start(context.Background(), c); err == nil || !strings.Contains(err.Error(), "is being written by another drp") {
		t.Errorf("two write one file: %v", err)
	}
	w.Abort()
	none("aborted", 0)
	ctx, cancel := context.WithCancel(context.Background())
	w = start(ctx)
	writeEvents(t, w, 10)
	cancel()
	if err := w.Finish(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	none("cancelled", 0)
	w = start(context.Background())
	testkit.WriteFile(t, c.Path, "somebody's")
	if err := w.Finish(context.Background()); !errors.Is(err, os.ErrExist) {
		t.Errorf("%v", err)
	}
	none("taken", 1)
	if text, err := os.ReadFile(c.Path); err != nil || string(text) != "somebody's" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestWriterReplacesPlainFilesOnly: no link and no pipe, under either name.
func TestWriterReplacesPlainFilesOnly(t *testing.T) {
	for suffix, want := range map[string]string{"": "is there already", ".part": "is no plain file"} {
		c := settings(t)
		c.Force = true
		if err := syscall.Mkfifo(c.Path+suffix, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := cxi.Start(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a pipe named %q: %v", suffix, err)
		}
		if info, err := os.Lstat(c.Path + suffix); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Errorf("it is %v, %v", info, err)
		}
	}
}

// TestWriterOnADiskThatFails writes more than files may have.
func TestWriterOnADiskThatFails(t *testing.T) {
	c := config(t)
	c.Rows, c.Cols = 500, 500
	limited := filepath.Join(t.TempDir(), "python")
	testkit.WriteFile(t, limited, fmt.Sprintf("#!/bin/sh\nulimit -f 4000\nexec %s \"$@\"\n", c.Python))
	if err := os.Chmod(limited, 0o700); err != nil {
		t.Fatal(err)
	}
	c.Python = limited
	w, err := cxi.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for range 100 {
		var s *cxi.Slot
		if s, err = w.Slot(context.Background()); err == nil {
			err = w.Write(context.Background(), s, &cxi.Event{})
		}
		if err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "a.cxi: File too large") {
		t.Errorf("%v", err)
	}
	w.Abort()
	if left := testkit.FilesIn(filepath.Dir(c.Path)); len(left) != 0 {
		t.Errorf("%q", left)
	}
}

// TestWriterOnAFullDisk has a Python that says so.
func TestWriterOnAFullDisk(t *testing.T) {
	c := settings(t)
	c.Python = pretender(t, "echo 'drp: No space left on device' >&2\necho and more >&2\nexit 3")
	w, err := cxi.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	full := (*cxi.FullError)(nil)
	if err := w.Finish(context.Background()); !errors.As(err, &full) || !strings.Contains(err.Error(), "the disk is full: nothing is left") {
		t.Errorf("%v", err)
	}
}

// pretender is a Python that is ready, and then does what a line of shell says.
func pretender(t *testing.T, does string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	testkit.WriteFile(t, path, "#!/bin/sh\necho ready\nread settings\n"+does+"\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWriterTellsAll has several goroutines wait for room when the process dies: each is told, and nothing stays.
func TestWriterTellsAll(t *testing.T) {
	for _, test := range []struct{ does, want string }{
		{"head -c 40 >/dev/null; echo 'drp: No space left on device' >&2; exit 3", "the disk is full: nothing is left"},
		{"head -c 40 >/dev/null; kill -9 $$", "was killed (killed): nothing is left of the file"},
	} {
		c := settings(t)
		c.Python = pretender(t, test.does)
		w, err := cxi.Start(t.Context(), c) // one that can be cancelled, as that of a conversion
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Abort)
		for range c.Slots {
			if _, err := w.Slot(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		const waiting = 16
		told := make(chan error, waiting)
		for range waiting {
			go func() {
				_, err := w.Slot(context.Background())
				told <- err
			}()
		}
		if err := w.Finish(context.Background()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
		for range waiting {
			if err := <-told; err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		}
		w.Abort()
		if left := testkit.FilesIn(filepath.Dir(c.Path)); len(left) != 0 {
			t.Errorf("%q", left)
		}
	}
}

func TestWriterMistakes(t *testing.T) {
	c := config(t)
	bare := t.TempDir()
	testkit.WriteFile(t, filepath.Join(bare, "h5py.py"), "raise ImportError\n")
	for _, test := range []struct {
		change func(*cxi.Config)
		is     error
		want   string
	}{
		{func(c *cxi.Config) { c.Rows, c.Cols = 30000, 60000 }, nil, "too large to be handed on"},
		{func(c *cxi.Config) { c.Rows, c.Cols = 10000, 10000; c.Slots = 99 }, nil, "use at most 10"},
		{func(c *cxi.Config) { c.Path = filepath.Join(c.Path, "no.cxi") }, syscall.ENOENT, ""},
		{func(c *cxi.Config) { c.Python = "/nowhere/python" }, os.ErrNotExist, ""},
		{func(c *cxi.Config) { c.Python = "/bin/true" }, nil, "Python ended without a word"},
		{func(c *cxi.Config) { c.PythonPath = bare + ":" + c.PythonPath }, cxi.ErrPython, "writing CXI needs h5py"},
	} {
		broken := c
		test.change(&broken)
		if _, err := cxi.Start(context.Background(), broken); err == nil || test.is != nil && !errors.Is(err, test.is) ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q %v", err, test.want, test.is)
		}
	}
	if left := testkit.FilesIn(filepath.Dir(c.Path)); len(left) != 0 {
		t.Errorf("%q", left)
	}
}
