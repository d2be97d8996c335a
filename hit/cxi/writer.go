package cxi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"drp/shm"
	"drp/xtc"
)

// Config says what a file is like.
type Config struct {
	Path       string // of the file; until it is complete it has the name Path.part
	Force      bool   // replace a file of that name
	Python     string // the interpreter, by its absolute path
	PythonPath string // folder of the package drp, where it is not installed

	Rows, Cols int    // of a frame
	Type       string // of a pixel, as NumPy writes it: <f4, <i2 or <u2
	Slots      int
	MaxPeaks   int // of an event
	Mask       []uint8
	Energy     bool    // that of the photons is known
	Distance   float64 // from the sample, m; 0 is not known
	Run        int
	Attributes map[string]string
}

// Event is what is written beside a frame.
type Event struct {
	Number      int64
	Time, Pulse uint64
	Energy      float64 // eV
	Peaks       []Peak
}

// Peak is in the coordinates of the frame, where 0 is the middle of the first pixel.
type Peak struct{ FS, SS, Total, Max, SNR, NPix float32 }

const peakBytes = int(unsafe.Sizeof(Peak{}))

// Writer writes a file.
type Writer struct {
	c      Config
	lock   *os.File // the file under its name of now
	memory *shm.Segment
	stride int
	cmd    *exec.Cmd
	to     io.WriteCloser
	said   bytes.Buffer // on standard error
	free   chan *Slot
	dead   chan struct{} // closed when the process says nothing any more
	ended  bool          // it said that the file is complete; to be read when dead is closed
	gone   chan struct{} // closed when the process is no more
	exit   error         // of the process; to be read when gone is closed, as is what it said
	once   sync.Once
}

// Slot is room for a frame.
type Slot struct {
	Pixels []byte // of the frame; aligned to 8 bytes, and as an earlier frame has left them
	peaks  []byte
	number int32
}

// patience is what the process may take to begin, and to end.
const patience = 2 * time.Minute

// suffix is that of a file that is not complete.
const suffix = ".part"

func (w *Writer) frameBytes() int {
	return w.c.Rows * w.c.Cols * int(w.c.Type[len(w.c.Type)-1]-'0')
}

// Start begins a file.
func Start(ctx context.Context, c Config) (w *Writer, err error) {
	w = &Writer{c: c, dead: make(chan struct{}), gone: make(chan struct{}), free: make(chan *Slot, c.Slots)}
	frame := (w.frameBytes() + 7) / 8 * 8 // so that peaks lie well
	w.stride = (frame + c.MaxPeaks*peakBytes + 4095) / 4096 * 4096
	if n := (shm.MaxBytes - shm.HeaderBytes) / w.stride; n < 1 {
		return nil, fmt.Errorf("frames of %d x %d pixels are too large to be handed on", c.Rows, c.Cols)
	} else if n < c.Slots {
		return nil, fmt.Errorf("%d frames of %d x %d pixels at a time are more than one shared-memory segment holds: use at most %d",
			c.Slots, c.Rows, c.Cols, n)
	}
	if w.lock, err = reserve(c.Path, c.Force); err != nil {
		return nil, err
	}
	if w.memory, err = shm.Create(c.Slots * w.stride); err == nil {
		err = w.memory.ForReaders()
	}
	if err == nil {
		copy(w.memory.Bytes(), c.Mask) // Python takes it before any frame
		err = w.launch(ctx)
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	for k := range c.Slots {
		w.free <- w.slot(int32(k))
	}
	return w, nil
}

// reserve takes the name for a file that is not complete, so that no other drp writes it, and what an attempt that was killed
// has left is replaced.
func reserve(path string, force bool) (*os.File, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !force || !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is there already: %w", path, fs.ErrExist)
	}
	f, err := os.OpenFile(path+suffix, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no plain file: remove it, or take another name", path+suffix), err, f.Close())
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		_ = f.Close()
		return nil, fmt.Errorf("%s is being written by another drp", path+suffix)
	}
	return f, nil
}

// launch starts Python and waits until it is ready.
func (w *Writer) launch(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, w.c.Python, "-m", "drp._cxi")
	cmd.Dir = "/" // Python looks for modules in its folder first, and in this one nobody else can put any
	// HDF5 would want the lock that we hold.
	cmd.Env = append(os.Environ(), "HDF5_USE_FILE_LOCKING=FALSE")
	if path := w.c.PythonPath; path != "" {
		if old := os.Getenv("PYTHONPATH"); old != "" {
			path += string(os.PathListSeparator) + old
		}
		cmd.Env = append(cmd.Env, "PYTHONPATH="+path)
	}
	cmd.Stderr, cmd.WaitDelay = &w.said, time.Second
	to, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	from, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_ = to.Close()
		return err
	}
	w.cmd, w.to = cmd, to
	ready := make(chan bool, 1)
	go func() { // the only one that waits for the process; all others wait for the channels
		w.listen(from, ready)
		w.exit = cmd.Wait()
		close(w.gone)
	}()
	settings, err := w.settings()
	if err != nil {
		return err
	}
	_, _ = w.to.Write(settings) // a process that is gone is found below
	select {
	case ok := <-ready:
		if ok {
			return nil
		}
		return w.failure(ctx)
	case <-time.After(patience):
		return fmt.Errorf("Python was not ready within %v", patience) //nolint:staticcheck // a name
	}
}

// settings are the line that Python reads first.
func (w *Writer) settings() ([]byte, error) {
	c := &w.c
	full, err := filepath.Abs(c.Path + suffix)
	if err != nil {
		return nil, err
	}
	var distance *float64
	if c.Distance > 0 {
		distance = &c.Distance
	}
	line, err := json.Marshal(map[string]any{"path": full, "rows": c.Rows, "cols": c.Cols, "dtype": c.Type, "segment": w.memory.ID(),
		"slots": c.Slots, "stride": w.stride, "max_peaks": c.MaxPeaks, "energy": c.Energy, "mask": c.Mask != nil, "distance": distance,
		"run": c.Run, "attributes": c.Attributes})
	return append(line, '\n'), err
}

// listen takes the answers.
func (w *Writer) listen(from io.Reader, ready chan<- bool) {
	defer close(w.dead)
	r := bufio.NewReader(from)
	line, _ := r.ReadString('\n')
	ready <- line == "ready\n"
	for {
		var number int32
		if binary.Read(r, binary.LittleEndian, &number) != nil {
			return
		}
		if number < 0 {
			w.ended = true
			return
		}
		if int(number) >= w.c.Slots {
			return
		}
		w.free <- w.slot(number)
	}
}

func (w *Writer) slot(k int32) *Slot {
	n := w.frameBytes()
	at := w.memory.Bytes()[int(k)*w.stride : (int(k)+1)*w.stride]
	return &Slot{Pixels: at[:n], peaks: at[(n+7)/8*8:], number: k}
}

// Slot waits for room.
func (w *Writer) Slot(ctx context.Context) (*Slot, error) {
	select {
	case s := <-w.free:
		return s, nil
	case <-w.dead:
		return nil, w.failure(ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Write hands a frame on; its slot is gone. Events are in the file in the order of the calls.
func (w *Writer) Write(ctx context.Context, s *Slot, e *Event) error {
	kept := min(len(e.Peaks), w.c.MaxPeaks)
	if kept > 0 {
		copy(s.peaks, unsafe.Slice((*byte)(unsafe.Pointer(&e.Peaks[0])), kept*peakBytes))
	}
	var head [40]byte
	binary.LittleEndian.PutUint32(head[0:], uint32(s.number))
	binary.LittleEndian.PutUint32(head[4:], uint32(kept))
	binary.LittleEndian.PutUint64(head[8:], uint64(e.Number))
	binary.LittleEndian.PutUint64(head[16:], e.Time)
	binary.LittleEndian.PutUint64(head[24:], e.Pulse)
	binary.LittleEndian.PutUint64(head[32:], math.Float64bits(e.Energy))
	if _, err := w.to.Write(head[:]); err != nil {
		<-w.dead // it says why
		return w.failure(ctx)
	}
	return nil
}

// Finish ends the file, and gives it its final name.
func (w *Writer) Finish(ctx context.Context) error {
	var head [40]byte
	binary.LittleEndian.PutUint32(head[:], math.MaxUint32)
	_, _ = w.to.Write(head[:]) // a process that is gone is found below
	select {
	case <-w.dead:
	case <-ctx.Done():
	}
	if ctx.Err() != nil || !w.ended {
		err := w.failure(ctx)
		w.Abort()
		return err
	}
	defer w.once.Do(func() { w.release(false) })
	part := w.c.Path + suffix
	publish := xtc.SystemDisk().Publish
	if w.c.Force {
		publish = os.Rename
	}
	if err := publish(part, w.c.Path); err != nil {
		_ = os.Remove(part)
		return err
	}
	return nil
}

// Abort ends the process and removes what there is of the file. After Finish it does nothing.
func (w *Writer) Abort() {
	w.once.Do(func() {
		if w.cmd != nil {
			_ = w.cmd.Process.Kill()
		}
		w.release(true)
	})
}

// release gives everything back, when the process is gone.
func (w *Writer) release(remove bool) {
	if w.cmd != nil {
		w.over()
	}
	if w.memory != nil {
		_ = w.memory.Close()
	}
	if w.lock != nil {
		if remove {
			_ = os.Remove(w.c.Path + suffix)
		}
		_ = w.lock.Close()
	}
}

// over ends the process, by force where it does not end by itself, and tells whether it is gone.
func (w *Writer) over() bool {
	_ = w.to.Close()
	for range 2 {
		select {
		case <-w.gone:
			return true
		case <-time.After(patience):
			_ = w.cmd.Process.Kill()
		}
	}
	return false
}

// failure says why the process has ended; any number of goroutines may ask.
func (w *Writer) failure(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !w.over() {
		return fmt.Errorf("%s: the Python that writes it does not end, although it was killed: look after its disk", w.c.Path)
	}
	if signal, killed := killedBy(w.exit); killed {
		return fmt.Errorf("%s: the Python that writes it was killed (%v): nothing is left of the file; where nobody did so on purpose, "+
			"see whether memory was short (dmesg), and begin again", w.c.Path, signal)
	}
	why := lastWords(w.said.String())
	switch {
	case why == "" && w.exit != nil:
		why = w.exit.Error()
	case why == "":
		why = "Python ended without a word"
	}
	if why == "No space left on device" {
		return &FullError{Path: w.c.Path}
	}
	if strings.Contains(why, "pip install") || strings.Contains(why, "No module named") {
		return fmt.Errorf("%w: %s", ErrPython, why)
	}
	return fmt.Errorf("%s: %s", w.c.Path, why)
}

// killedBy tells which signal has ended a process.
func killedBy(exit error) (syscall.Signal, bool) {
	e := (*exec.ExitError)(nil)
	if !errors.As(exit, &e) {
		return 0, false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return status.Signal(), ok && status.Signaled()
}

// lastWords are those of our own module, or else the last of all.
func lastWords(said string) (words string) {
	for line := range strings.Lines(said) {
		own, ours := strings.CutPrefix(strings.TrimSpace(line), "drp: ")
		if ours {
			return own
		}
		words = strings.TrimSpace(line)
	}
	return words
}

// ErrPython is that the interpreter lacks something.
var ErrPython = errors.New("Python cannot write the file") //nolint:staticcheck // a name

// FullError says that a disk has no room for the file.
type FullError struct{ Path string }

func (e *FullError) Error() string {
	return fmt.Sprintf("%s: the disk is full: nothing is left of the file; make room, or name a file on another disk", e.Path)
}
