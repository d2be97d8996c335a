package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"drp/drp"
	"drp/fex"
	"drp/internal/doctor"
	"drp/internal/rundir"
	"drp/pebble"
	"drp/shm"
)

func newDoctorCommand() *cobra.Command {
	var python, output string
	var workers int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether a run will work on this machine, and what to do where not",
		Long: `doctor looks at what a run needs: memory, limits, Python, shared memory, the run-time folder, and with -o the disk
it records to. Each line says whether it is ok, a warning, or trouble that would stop a run, and what to do about it.
What cannot be seen from here is unknown, and is no trouble. The exit code is 1 when something is in trouble.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if workers < 1 || workers > 1024 {
				return fmt.Errorf("%d workers: give 1 to 1024", workers)
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			return examine(ctx, thisHost(workers, python, output), asJSON)
		},
	}
	cmd.Flags().IntVarP(&workers, "workers", "w", runtime.NumCPU(), "workers of the run that shall work")
	cmd.Flags().StringVarP(&output, "output", "o", "", "also try this `folder`: space, speed, links and locks")
	cmd.Flags().StringVar(&python, "python", "", "Python interpreter (default: as for a run)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func thisHost(workers int, python, output string) *doctor.Host {
	h := &doctor.Host{
		Root: os.DirFS("/"), UID: os.Geteuid(), Env: os.Getenv, Cores: runtime.NumCPU(), Need: defaultNeed(workers),
		Output: output, TrySegment: trySegment, TryRunDir: tryRunDir, Leftovers: leftoverNames,
		TryPython: func(ctx context.Context) (string, error) { return tryPython(ctx, python) },
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// defaultNeed is what a run on the simulated camera takes when no size is chosen; see Config.sizes in drp.
func defaultNeed(workers int) doctor.Need {
	const (
		event       = 16*352*384*2 + 4096 // a frame with its headers, in whole pages
		result      = 1 << 20
		transitions = 8 * 64 << 20
	)
	slots := int64(min(pebble.DefaultSlots(event), pebble.DefaultSlots(result)))
	return doctor.Need{Workers: workers, LargestBytes: max(transitions, slots*event) + shm.HeaderBytes,
		MemoryBytes: int64(workers) * slots * (event + result)}
}

// doctorReport is what --json prints.
type doctorReport struct {
	Version  string           `json:"version"`
	Worst    doctor.Status    `json:"worst"`
	Findings []doctor.Finding `json:"findings"`
}

func examine(ctx context.Context, h *doctor.Host, asJSON bool) error {
	all := doctor.Examine(ctx, h)
	if ctx.Err() != nil {
		return &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted")}
	}
	worst := doctor.Worst(all)
	if asJSON {
		if err := printJSON(doctorReport{version, worst, all}); err != nil {
			return err
		}
	} else {
		printFindings(&stdout, all)
	}
	if worst == doctor.Trouble {
		return errSilent
	}
	return nil
}

// printFindings prints a line for each finding, and one below it with what to do.
func printFindings(w io.Writer, all []doctor.Finding) {
	for _, f := range all {
		fmt.Fprintf(w, "%-8s %-16s %s\n", f.Status, f.Item, f.Says)
		if f.Fix != "" {
			fmt.Fprintf(w, "%-25s -> %s\n", "", f.Fix)
		}
	}
}

// trySegment makes a segment, which is removed at once, and attaches it by its id as a child does.
func trySegment() (err error) {
	seg, err := shm.Create(1 << 16)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, seg.Close()) }()
	again, err := unix.SysvShmAttach(seg.ID(), 0, unix.SHM_RDONLY)
	if err != nil {
		return fmt.Errorf("attach segment %d: %w", seg.ID(), err)
	}
	defer func() { err = cmp.Or(err, unix.SysvShmDetach(again)) }()
	copy(seg.Bytes(), "seen")
	if !bytes.HasPrefix(again[shm.HeaderBytes:], []byte("seen")) {
		return errors.New("what is stored in a segment is not seen by another attachment")
	}
	return nil
}

// tryRunDir makes the folder of all processes and measures the path that a socket of this process would have.
func tryRunDir() (string, int, error) {
	dir, err := rundir.Ready()
	if err != nil {
		return "", 0, err
	}
	self, err := shm.Self()
	if err != nil {
		return "", 0, err
	}
	return dir, len(rundir.SocketPath(self, "monitor.ipc")), nil
}

func leftoverNames() ([]string, error) {
	found, err := leftovers()
	names := make([]string, len(found))
	for i, l := range found {
		names[i] = l.name
	}
	return names, err
}

// tryPython starts one child as a run does, up to the greeting, which tells versions and that both sides speak the same
// protocol.
func tryPython(ctx context.Context, named string) (said string, err error) {
	const patience = 20 * time.Second
	python, err := drp.FindPython(named)
	if err != nil {
		return "", err
	}
	pool, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: 1, EventBytes: 4096, ResultBytes: 4096, TransitionBytes: 4096})
	if err != nil {
		return "", err
	}
	defer func() { err = cmp.Or(err, pool.Close()) }()
	spawner, err := fex.NewSpawner(slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer spawner.Close()
	group, err := fex.Start(ctx, fex.Config{
		Python: python, PythonPath: drp.PythonPath(), Script: os.DevNull, GreetDeadline: patience, EventDeadline: patience,
		TransitionDeadline: patience, Spawner: spawner, Log: slog.New(slog.DiscardHandler),
		Answered: func(int, []fex.Answer) {}, Restarted: func(int, error) {}, GaveUp: func(int, error) {},
	}, pool)
	if err != nil {
		return "", err
	}
	defer group.Close()
	return fmt.Sprintf("%s is Python %s with NumPy %s and the package drp", python, group.Python, group.NumPy), nil
}
