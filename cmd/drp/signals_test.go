package main

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestTwoSignalsAtOnce: signals that come with the first are no second interrupt, and one that comes later is.
func TestTwoSignalsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, second := make(chan os.Signal), false
		go func() { awaitSecond(signals, time.Now()); second = true }()
		for _, c := range []struct {
			after  time.Duration
			signal os.Signal
			second bool
		}{
			{0, os.Interrupt, false},
			{oneInterrupt / 2, syscall.SIGTERM, false},
			{oneInterrupt, syscall.SIGHUP, false},
			{0, os.Interrupt, true},
		} {
			time.Sleep(c.after)
			signals <- c.signal
			if synctest.Wait(); second != c.second {
				t.Errorf("after %v, %v: %v", c.after, c.signal, second)
			}
		}
	})
}
