package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows on a terminal how far something is.
type bar struct{ bar *progressbar.ProgressBar }

// newByteBar counts bytes.
func newByteBar(what string) *bar { return newBar(what, progressbar.OptionShowBytes(true)) }

// newCountBar counts something.
func newCountBar(what string) *bar { return newBar(what, progressbar.OptionShowCount()) }

func newBar(what string, more progressbar.Option) *bar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return &bar{}
	}
	return &bar{progressbar.NewOptions64(1, progressbar.OptionSetWriter(os.Stderr), more, progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))}
}

func (b *bar) show(done, total int64) {
	if b.bar != nil {
		b.bar.ChangeMax64(max(total, 1))
		_ = b.bar.Set64(min(done, total-1)) // the end is for end
	}
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
