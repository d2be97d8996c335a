package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"drp/xtc"
)

// Quarantined is an event that ended two processes of the script, with all that is needed to see why.
type Quarantined struct {
	Expt         string
	Run, Stream  int
	State        []xtc.Dgram // Configure, BeginRun, BeginStep, Enable, SlowUpdate: what holds, in order, as the source sent it
	Event        xtc.Dgram
	Number       int64 // of the event, counted from 0
	Script       string
	Args         []string
	ScriptSHA256 string
	Detector     string
	Attempts     []Attempt
}

// An Attempt is one process that did not survive the event.
type Attempt struct {
	Worker    int       `json:"worker"`
	PID       int       `json:"pid"`
	When      time.Time `json:"when"`
	Reason    string    `json:"reason"`
	Line      int       `json:"line,omitempty"` // of the script, 0 if not known
	Traceback string    `json:"traceback,omitempty"`
	Output    []string  `json:"output,omitempty"` // the last lines it said
}

// A Report is what is kept of a Quarantined beside its datagrams.
type Report struct {
	Version      int       `json:"version"`
	Data         string    `json:"data"` // the file with the datagrams, in the same folder
	Expt         string    `json:"experiment"`
	Run          int       `json:"run"`
	Stream       int       `json:"stream"`
	Number       int64     `json:"event"`
	Time         string    `json:"time"` // hexadecimal: JSON readers that know only float64 would round it
	Seconds      uint32    `json:"seconds"`
	Nanoseconds  uint32    `json:"nanoseconds"`
	Bytes        int       `json:"event_bytes"`
	Damage       string    `json:"damage"` // of the event as it came
	Script       string    `json:"script"`
	Args         []string  `json:"args"`
	ScriptSHA256 string    `json:"script_sha256"`
	Detector     string    `json:"detector"`
	Attempts     []Attempt `json:"attempts"`
}

const (
	reportVersion     = 1
	maxReportBytes    = 16 << 20
	quarantineMode    = 0o640
	quarantineDirMode = 0o750
	dataSuffix        = ".xtc2"
	reportSuffix      = ".json"
	unfinished        = ".inprogress"
	maxSameName       = 10000
)

// Name is the name of the file, in which nothing but letters, digits and ._- stands.
func (q *Quarantined) Name() string { return q.stem() + dataSuffix }

func (q *Quarantined) stem() string {
	expt := strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' && r < 0x80 {
			return r
		}
		return '_'
	}, q.Expt)
	expt = strings.TrimLeft(expt[:min(len(expt), 64)], ".-")
	if expt == "" {
		expt = "unknown"
	}
	return fmt.Sprintf("%s-r%04d-s%03d-event-%016x", expt, max(q.Run, 0), max(q.Stream, 0), q.time())
}

func (q *Quarantined) time() uint64 {
	if len(q.Event) < xtc.DgramHeaderBytes {
		return 0
	}
	return q.Event.Time()
}

// closers are the transitions that may be open before an event, the outermost first, and what ends them.
var closers = [...][2]xtc.TransitionID{{xtc.BeginRun, xtc.EndRun}, {xtc.BeginStep, xtc.EndStep}, {xtc.Enable, xtc.Disable}}

// File is one legal XTC2 file: the state, the event, and made-up ends of what is open. The name of a next chunk is left
// out of an Enable, since readers would look for that file.
func (q *Quarantined) File() []byte {
	var file []byte
	table := xtc.NewTable()
	open := map[xtc.TransitionID]bool{}
	for _, d := range q.State {
		if d.Service() == xtc.Configure {
			_ = table.Configure(d) // a Configure that makes no sense names no chunks
		}
		if _, _, chunk := xtc.ChunkInfo(table, d); chunk {
			d = append(xtc.Dgram(nil), d[:xtc.DgramHeaderBytes]...)
			d.SetSize(len(d))
		}
		open[d.Service()] = true
		file = append(file, d...)
	}
	if len(q.Event) < xtc.DgramHeaderBytes {
		return file
	}
	file = append(file, q.Event...)
	time := q.Event.Time()
	for _, pair := range slices.Backward(closers[:]) {
		if !open[pair[0]] {
			continue
		}
		time++
		var d [xtc.DgramHeaderBytes]byte
		xtc.PutDgramHeader(d[:], time, xtc.EnvOf(pair[1], uint16(q.Event.Env())), q.Event.Src(), 0, 0)
		file = append(file, d[:]...)
	}
	return file
}

// Report is the JSON beside the file.
func (q *Quarantined) Report() []byte { return q.report(q.Name()) }

func (q *Quarantined) report(data string) []byte {
	r := Report{Version: reportVersion, Data: data, Expt: q.Expt, Run: q.Run, Stream: q.Stream, Number: q.Number,
		Time: fmt.Sprintf("0x%016x", q.time()), Seconds: uint32(q.time() >> 32), Nanoseconds: uint32(q.time()),
		Bytes: len(q.Event), Script: q.Script, Args: q.Args, ScriptSHA256: q.ScriptSHA256, Detector: q.Detector,
		Attempts: q.Attempts}
	if len(q.Event) >= xtc.DgramHeaderBytes {
		r.Damage = q.Event.Damage().String()
	}
	if r.Args == nil {
		r.Args = []string{}
	}
	if r.Attempts == nil {
		r.Attempts = []Attempt{}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // tracebacks are full of < and >
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil { // no field can fail but a time after the year 9999
		return fmt.Appendf(nil, "{\"version\": %d, \"error\": %q}\n", reportVersion, err)
	}
	return text.Bytes()
}

// Store writes both files into dir, which it makes, and gives the path of the data. When it returns both are on the disk;
// the data has its final name only when the report has. A name that is taken gets a number.
func (q *Quarantined) Store(dir string) (path string, err error) {
	if err := os.MkdirAll(dir, quarantineDirMode); err != nil {
		return "", fmt.Errorf("record: quarantine: %w", err)
	}
	stem := filepath.Join(dir, q.stem())
	for n := 1; n <= maxSameName; n++ {
		name := stem
		if n > 1 {
			name = fmt.Sprintf("%s-%d", stem, n)
		}
		err = q.store(name)
		if err == nil {
			return name + dataSuffix, syncFolder(dir)
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return "", fmt.Errorf("record: quarantine: %w", err)
}

// store writes both files under one name, or none.
func (q *Quarantined) store(name string) (err error) {
	for _, suffix := range []string{dataSuffix, reportSuffix} {
		if _, err := os.Lstat(name + suffix); err == nil {
			return &fs.PathError{Op: "create", Path: name + suffix, Err: fs.ErrExist}
		}
	}
	data, report := name+dataSuffix, name+reportSuffix
	if err := writeNew(data+unfinished, q.File()); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(data+unfinished))
		}
	}()
	if err := writeNew(report+unfinished, q.report(filepath.Base(data))); err != nil {
		return err
	}
	if err := publish(report); err != nil {
		return errors.Join(err, os.Remove(report+unfinished))
	}
	if err := publish(data); err != nil {
		return errors.Join(err, os.Remove(report))
	}
	return nil
}

// writeNew writes a file that must not exist, and leaves none on an error.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, quarantineMode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// publish gives a file its final name unless that is taken: a link fails where a rename would overwrite. Where a file
// system has no links the name was looked at before.
func publish(path string) error {
	err := os.Link(path+unfinished, path)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return os.Rename(path+unfinished, path)
	}
	if err != nil {
		return err
	}
	return os.Remove(path + unfinished)
}

// syncFolder makes names durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("record: quarantine: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return fmt.Errorf("record: quarantine: %w", err)
	}
	return nil
}

// ReadReport reads the report of a quarantined event; path names it, or the data beside it. Without a report the error is
// fs.ErrNotExist.
func ReadReport(path string) (*Report, error) {
	if stem, ok := strings.CutSuffix(path, dataSuffix); ok {
		path = stem + reportSuffix
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("record: report: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxReportBytes {
		return nil, fmt.Errorf("record: report: %s is no file of %d bytes at most", path, maxReportBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("record: report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("record: report: %s: %w", path, err)
	}
	if r.Version != reportVersion {
		return nil, fmt.Errorf("record: report: %s has version %d, this program reads %d", path, r.Version, reportVersion)
	}
	return &r, nil
}
