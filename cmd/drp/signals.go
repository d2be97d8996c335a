package main

import (
	"errors"
	"log/slog"
	"os"
	"syscall"
	"time"

	"drp/drp"
)

// oneInterrupt is how long signals after the first are the same interrupt: timeout(1) and some shells send it to the process and to
// its group at once, and nobody presses Ctrl-C twice as fast.
const oneInterrupt = 200 * time.Millisecond

// watchSignals ends the run in order at the first signal and at once at the second. Of a terminal that is lost two may come,
// that of the shell and that of the system, so that SIGHUP is no second one.
func watchSignals(signals <-chan os.Signal, cancel func(), started <-chan *drp.Run, screen *screen, log *slog.Logger) {
	first := <-signals
	at := time.Now()
	if first == syscall.SIGHUP {
		log.Warn("SIGHUP: the terminal is lost, or somebody has sent it: the run ends in order; under nohup it goes on, and with --config it reads the file anew")
	}
	screen.say("interrupted: finishing what is under way (a script that hangs is ended: on an event after --deadline, " +
		"as a run begins after 10 s, as it ends after 60 s); interrupt again to stop at once")
	cancel()
	awaitSecond(signals, at)
	select {
	case r := <-started:
		r.Abandon(&drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted twice: stopped at once")})
	default:
		os.Exit(int(drp.Interrupted))
	}
}

// awaitSecond waits for an interrupt that is another than the one before.
func awaitSecond(signals <-chan os.Signal, first time.Time) {
	for s := range signals {
		if s != syscall.SIGHUP && time.Since(first) >= oneInterrupt {
			return
		}
	}
}
