package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"drp/drp"
	"drp/internal/doctor"
)

// fewestFiles are what the Go runtime and a verb that reads one file take. Below, it may abort without a word that helps.
const fewestFiles = 16

// refuseFewFiles says so where there are fewer; it opens none to find out.
func refuseFewFiles() error {
	limit := syscall.Rlimit{}
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= fewestFiles {
		return nil
	}
	return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("no more than %d files may be open: raise the limit (ulimit -n) to "+
		"%d at least; drp doctor says then how many a run needs", limit.Cur, fewestFiles)}
}

// refuseFewThreads says so where a run with so many workers could not get the threads it needs.
func refuseFewThreads(workers int) error {
	h := &doctor.Host{Root: os.DirFS("/"), UID: os.Geteuid(), Env: os.Getenv, Need: doctor.Need{Workers: workers}}
	if f, none := doctor.NoThreads(h); none {
		return &drp.Failure{Kind: drp.Configuration, Err: errors.New(f.Says + ": " + f.Fix)}
	}
	return nil
}

// warnOfLimits says which limits of the system may end a run with so many workers. They are only warned of, since they are
// reckoned with some to spare.
func warnOfLimits(workers int, log *slog.Logger) {
	h := &doctor.Host{Root: os.DirFS("/"), UID: os.Geteuid(), Env: os.Getenv, Need: doctor.Need{Workers: workers}}
	for _, f := range doctor.TooFew(h) {
		log.Warn(f.Says + ": " + f.Fix)
	}
}

// advice says what to do about errors whose own words only say what the system ran out of; empty where there is nothing
// to add.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		limit := syscall.Rlimit{}
		if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
			return "raise the limit of open files (ulimit -n)"
		}
		return fmt.Sprintf("no more than %d files may be open: raise the limit (ulimit -n), or lower --workers; "+
			"drp doctor says how many a run needs", limit.Max)
	case errors.Is(err, syscall.ENFILE):
		return "all programs together have too many files open: sysctl fs.file-max"
	case errors.Is(err, syscall.EAGAIN):
		return "no more processes may be started: raise the limit (ulimit -u, or that of the container), or lower --workers; " +
			"drp doctor says how many a run needs"
	case errors.Is(err, syscall.ENOMEM):
		return "there is not enough memory, or no more than a limit allows (ulimit -v): drp doctor looks at the limits"
	}
	return ""
}
