package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// stdout is where verbs print, all of them: whoever writes to os.Stdout past it may end with 0 although nobody can read what it said.
var stdout output

// output is standard output, and remembers that something could not be written. A pipe that its reader has closed, as head does, is not
// its business: that ends the process without a word, as the system's own programs end.
type output struct {
	mu   sync.Mutex
	lost error // what the first write that failed met
}

// begin forgets what an earlier command line has met.
func (o *output) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = nil
}

func (o *output) Write(b []byte) (int, error) {
	n, err := os.Stdout.Write(b)
	if err == nil {
		return n, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		o.lost = err
	}
	return n, &lostWords{err}
}

// lostWords tells trouble with standard output from other trouble.
type lostWords struct{ error }

func (l *lostWords) Unwrap() error { return l.error }

// verdict is what a verb ends with: trouble of its own, unless that is only that it could not print.
func (o *output) verdict(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	printed := err == nil || errors.Is(err, errSilent) || errors.Is(err, errDiffer) // and all else was said there
	if words := (*lostWords)(nil); o.lost == nil || !printed && !errors.As(err, &words) {
		return err
	}
	return general(fmt.Errorf("what was to be printed is not all there: %w; make room, or send it elsewhere", o.lost))
}

func printf(format string, args ...any) { fmt.Fprintf(&stdout, format, args...) }

func printLine(args ...any) { fmt.Fprintln(&stdout, args...) }

func printText(text string) { fmt.Fprint(&stdout, text) }
