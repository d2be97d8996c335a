package fex

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what a child's output may do to the log.
const (
	maxLineBytes    = 2048
	linesPerSecond  = 20
	burstLines      = 100
	keptLines       = 20 // for the message when the child dies
	outputDrainTime = time.Second
)

// output drains a child's stdout or stderr for ever, so that the child never blocks on it, and passes a bounded part
// on to the log.
type output struct {
	log  *slog.Logger
	done chan struct{}

	mu   sync.Mutex // protects last
	last []string
}

func newOutput(log *slog.Logger, r io.ReadCloser) *output {
	o := &output{log: log, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		defer func() { _ = r.Close() }()
		o.drain(r)
	}()
	return o
}

func (o *output) drain(r io.Reader) {
	in := bufio.NewReaderSize(r, maxLineBytes)
	line := make([]byte, 0, maxLineBytes)
	allowance, since, suppressed := burstLines, time.Now(), 0
	for {
		part, err := in.ReadSlice('\n')
		line = append(line[:0], part...)          // the next ReadSlice overwrites part
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of an overlong line is dropped
			_, err = in.ReadSlice('\n')
		}
		if gained := int(time.Since(since) * linesPerSecond / time.Second); gained > 0 {
			allowance, since = min(burstLines, allowance+gained), time.Now()
		}
		if text := printable(line); text != "" {
			o.keep(text)
			if allowance > 0 {
				if suppressed > 0 {
					o.log.Warn(fmt.Sprintf("%d lines of output were suppressed", suppressed))
					suppressed = 0
				}
				o.log.Info(text)
				allowance--
			} else {
				suppressed++
			}
		}
		if err != nil {
			if suppressed > 0 {
				o.log.Warn(fmt.Sprintf("%d lines of output were suppressed", suppressed))
			}
			return
		}
	}
}

func (o *output) keep(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.last) == keptLines {
		o.last = append(o.last[:0], o.last[1:]...)
	}
	o.last = append(o.last, text)
}

// lastLines is the end of what the child said. It waits a little for the pipe to run dry: the child is dead.
func (o *output) lastLines() []string {
	select {
	case <-o.done:
	case <-time.After(outputDrainTime): // a grandchild may hold the pipe open
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.last)
}

// printable makes one line of a script's output safe for terminals and logs.
func printable(line []byte) string {
	text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "\ufffd")
	clean := true
	for _, r := range text {
		clean = clean && (strconv.IsPrint(r) || r == '\t')
	}
	if clean {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) || r == '\t' {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
