package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/xtc"
)

const hitsLong = `hits looks at hits: those that a run with --hits recorded, or, with --find, those that a search finds now.

Exit codes: 0 ok, 1 a file cannot be written, 2 usage, 3 constants that are missing or cannot be used, 4 a data file,
130 interrupt.`

func newHitsCommand() *cobra.Command {
	return withVerbs(&cobra.Command{Use: "hits", Short: "Look at hits, and choose how to find them", Long: hitsLong},
		newHitsLsCommand(), newHitsPlotCommand(), newHitsTuneCommand())
}

// hitSource says which frames of which file are meant, and where their hits come from.
type hitSource struct {
	calib    calibFlags
	detector string
	find     hitsFlag
	follow   bool
	skip     func(number int64) bool // events that are not wanted; nil is none

	store closingStore
	total int64 // bytes of the file and the chunks after it
}

func (s *hitSource) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&s.calib.store, "calib", "", "`folder or address` of the store of constants (default: $DRP_CALIB, or drp/calib in "+
		"the folder for your data; none: do without)")
	fl.StringVar(&s.detector, "detector", "", "camera by `name` (default: the only one in the file)")
}

func (s *hitSource) addFind(cmd *cobra.Command) {
	s.add(cmd)
	s.find.name = "--find"
	cmd.Flags().Var(&s.find, "find", "search now, in place of what was recorded: `FINDER:name=value,…`, as --hits of a run takes it")
}

// search is that of --find; nil without.
func (s *hitSource) search() (*drp.FrameSearch, *hit.Config, error) {
	c, err := s.find.config()
	if c == nil || err != nil {
		return nil, nil, err
	}
	if s.detector == "" {
		s.detector = c.Detector
	}
	return drp.NewFrameSearch(*c), c, nil
}

// open opens a file, which close closes. What is told to the user begins with the name of the program, as errors do.
func (s *hitSource) open(ctx context.Context, path string) (*drp.Frames, error) {
	var c drp.Calibration
	if s.calib.store == "" {
		s.calib.store = os.Getenv("DRP_CALIB")
	}
	var st calib.Store
	if opened, err := s.calib.open(&c); err != nil {
		return nil, err
	} else if opened != nil {
		s.store, st = opened, opened
	}
	o := drp.FramesOptions{Detector: s.detector, Store: st, Follow: s.follow, Skip: s.skip, Warn: warn}
	f, err := drp.OpenFrames(ctx, path, o)
	if only := s.onlySearched(path); err != nil && only != "" {
		o.Detector = only
		if again, wrong := drp.OpenFrames(ctx, path, o); wrong == nil {
			f, err = again, nil
		}
	}
	if err != nil {
		s.close(nil)
		return nil, frameError(err)
	}
	s.total = drp.FrameBytes(path)
	return f, nil
}

// onlySearched is the camera that hits were recorded of, where nobody names one; empty where there are none, or several.
func (s *hitSource) onlySearched(path string) (only string) {
	if s.detector != "" || len(s.find.flag) > 0 {
		return ""
	}
	r, err := xtc.Open(path)
	if errors.Is(err, fs.ErrNotExist) && s.follow {
		r, err = xtc.Open(path + ".inprogress")
	}
	if err != nil {
		return ""
	}
	defer r.Close()
	t := xtc.NewTable()
	d, err := r.Next()
	if err == nil {
		d, err = r.ReadDgram(nil)
	}
	if err != nil || t.Configure(d) != nil {
		return ""
	}
	for _, n := range t.All() {
		switch {
		case n.Alg != hit.Alg || n.DetName == only:
		case only != "":
			return ""
		default:
			only = n.DetName
		}
	}
	return only
}

// givenDistance reads a distance from the sample; a number alone is in metres, and is to look like such.
func givenDistance(text string) (float64, error) {
	d, err := correct.Metres(text)
	switch {
	case err != nil || d <= 0:
		return 0, fmt.Errorf("--distance %s: give a length, as 0.095 in metres, or 95mm", text)
	case !strings.HasSuffix(strings.TrimSpace(text), "m") && !drp.LikeMetres(d):
		return 0, fmt.Errorf("--distance %s: that would be %g m: give the unit, too, as %smm or %sm", text, d, text, text)
	}
	return d, nil
}

// warnOfCenter tells that a center says nothing where there is a geometry.
func warnOfCenter(c *hit.Config, k *drp.FrameConstants) {
	if c != nil && c.Center.Given && k != nil && k.Camera.Geometry != nil {
		warn("center is ignored: the geometry of the constants says where the beam is")
	}
}

func warn(text string) { fmt.Fprintf(os.Stderr, "drp: warning: %s\n", text) }

func (s *hitSource) close(f *drp.Frames) {
	if f != nil {
		_ = f.Close() // it was only read
	}
	if s.store != nil {
		_ = s.store.Close()
		s.store = nil
	}
}

// frameError gives the exit code of what reading frames may meet.
func frameError(err error) error {
	f := (*drp.Failure)(nil)
	switch {
	case err == nil || errors.As(err, &f) || errors.Is(err, errSilent):
		return err
	case errors.Is(err, context.Canceled):
		return &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted")}
	}
	return fileError(err)
}

// interruptible ends with the first signal.
func interruptible(ctx context.Context) (context.Context, func()) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// mustHaveHits says what to do where there is nothing to look at.
func mustHaveHits(f *drp.Frames, searched bool) error {
	if there, _ := f.Recorded(); there || searched {
		return nil
	}
	return fmt.Errorf("%s: no hits of %s are recorded in it: record a run with --hits, or search now: --find %s --calib STORE",
		f.Path(), f.Name(), hit.Finders[0])
}

// mustHaveConstants says why there are none for a search.
func mustHaveConstants(f *drp.Frames, e *drp.Frame) error {
	if e.Constants != nil {
		return nil
	}
	return configuration(fmt.Errorf("%s: the constants of %s are needed to search for hits: %s; name a store with --calib", f.Path(),
		f.Name(), f.NoConstants()))
}

// aloneFile takes one file.
func aloneFile(example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s: name one file, and not %d, as in: %s", cmd.CommandPath(), len(args), example)
		}
		return nil
	}
}

// fromZero refuses a number below 0.
func fromZero(flag string, n int64) error {
	if n < 0 {
		return fmt.Errorf("%s %d: give a whole number from 0 on", flag, n)
	}
	return nil
}
