package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/drp"
	"drp/monitor"
	"drp/page"
)

// playFlags are those of drp replay.
type playFlags struct {
	play  page.PlayerOptions
	watch watchFlags
	store string
}

const playLong = `replay shows recorded files again as a run: on the page in a browser, to drp monitor, and to programs in Python. With --http it stays
until it is interrupted, and can be paused, stepped, sought and looped from the page; without, it ends with the files.

  drp replay out/exp-r0005-s000-c000.xtc2 --http 127.0.0.1:8080
  drp replay out/exp-r0005-s00*.xtc2 --speed 0.1 --loop --monitor tmo/again
  drp replay run.xtc2 --calib constants --http 127.0.0.1:8080 --paused

Where drp has recorded the status of the run beside the files, that of the same moment is shown with each event.`

func newPlayCommand() *cobra.Command {
	var f playFlags
	cmd := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Show recorded files again as a run",
		Long:  playLong,
		Args:  needs(1, 1024),
		RunE: func(cmd *cobra.Command, files []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			f.play.Files = files
			return f.run(ctx)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.Float64Var(&f.play.Speed, "speed", 1, "how many times as fast as it was recorded, 0.01 to 1000; 0: as fast as can be")
	fl.BoolVar(&f.play.Loop, "loop", false, "begin again at the end")
	fl.BoolVar(&f.play.Paused, "paused", false, "wait after the first event")
	fl.StringVar(&f.play.Monitor, "monitor", "", "let others of this machine watch it as `PARTITION/DETECTOR` (default: replay/PID)")
	fl.IntVar(&f.play.Slots, "monitor-slots", 0, "events that are kept for those who watch (default: as many as 128 MiB hold, 8 to 4096)")
	fl.StringVar(&f.store, "calib", "", "`folder or address` of the store of constants (default: $DRP_CALIB, a simulated "+
		"camera's own, or drp/calib in the folder for your data; none: do without)")
	f.watch.add(fl)
	f.watch.aim.add(fl)
	return cmd
}

// check refuses what cannot be meant, before the files are looked at.
func (f *playFlags) check() error {
	if f.play.Monitor == "" {
		f.play.Monitor = fmt.Sprintf("replay/%d", os.Getpid())
	}
	return errors.Join(page.CheckSpeed(f.play.Speed), fromZero("--monitor-slots", int64(f.play.Slots)), monitor.CheckName(f.play.Monitor))
}

// run replays until the end of the files, or until it is interrupted.
func (f *playFlags) run(ctx context.Context) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	screen := newScreen(os.Stderr, false)
	log := f.watch.journal(screen.logger())
	f.play.Journal, f.play.Log = f.watch.shown.Journal, log
	player, err := page.Play(f.play)
	if err != nil {
		return fileError(err)
	}
	defer func() { _ = player.Close() }()
	store, err := f.open(player.Source())
	if err != nil {
		return err
	}
	if store != nil {
		defer func() { _ = store.Close() }()
		f.watch.shown.Store = calib.Store(store)
	}
	f.watch.shown.Player, f.watch.shown.Monitor, f.watch.shown.Status = player, f.play.Monitor, player.Status
	looking, err := f.watch.open("", log)
	if err != nil {
		return err
	}
	defer looking.Close()
	log.Info("the replay can be watched as " + f.play.Monitor)
	if err := player.Run(ctx, f.watch.http != ""); err != nil {
		return fileError(err)
	}
	return nil
}

// open opens the store of constants, nil where there is none. A recording of a simulated camera has that camera's, where no
// other is named, as the run had them.
func (f *playFlags) open(recorded string) (closingStore, error) {
	c := calibFlags{store: f.store}
	if c.store == "" {
		c.store = os.Getenv("DRP_CALIB")
	}
	if c.store == "" && isSimulated(recorded) {
		if own, err := drp.NewSimulated(recorded); err == nil && own.Known() {
			c.store = recorded
		}
	}
	store, err := c.open(&drp.Calibration{})
	if own, simulated := store.(*drp.Simulated); simulated && err == nil {
		return wholeCamera{own}, nil
	}
	return store, err
}

// wholeCamera is the store of a simulated camera, which has constants of all of its segments only: one with other segments
// has them in other places.
type wholeCamera struct{ *drp.Simulated }

// Get implements calib.Store.
func (s wholeCamera) Get(ctx context.Context, q calib.Query) (*calib.Set, error) {
	set, err := s.Simulated.Get(ctx, q)
	if err != nil {
		return nil, err
	}
	if whole, err := s.Simulated.Load(ctx, drp.SimulatedID); err != nil || len(whole.Serials) != len(q.Serials) {
		return nil, fmt.Errorf("%w of %s with %d segments: %s has %d segments, and lays them out otherwise: give --calib sim:segments=%d",
			calib.ErrNone, q.Detector, len(q.Serials), s, len(whole.Serials), len(q.Serials))
	}
	return set, nil
}

// Load implements calib.Store. All simulated cameras have the same id, so that it does not tell whether this one is meant.
func (s wholeCamera) Load(_ context.Context, id string) (*calib.Set, error) {
	return nil, fmt.Errorf("%w of the id %s: %s is asked for its detector", calib.ErrNone, id, s)
}
