package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/darks"
	"drp/calib/intake"
	"drp/calib/store"
	"drp/internal/npy"
)

const calibPedestalsLong = `pedestals makes pedestals, noise and a status from XTC2 files that were taken without light: several runs, streams and
gain ranges at once. The gain range of each value comes from the raw pixel and the configuration in the files.

Each file is read twice: first for the median and the width of each pixel, from 16 values of it; then for the mean and
the standard deviation of all values within 5 widths. A pixel gets a status when it is noisy, dead, far away from the
others of its segment, or had too few frames.

What darks do not tell, the gains before all, comes from --gains, or from the constants in the store that are valid for
the run, or from those of --from. The new set is put into the store, and a picture of it into the present folder; with -o
the arrays and the picture are written to a folder instead, which needs no gains.`

type calibDarksFlags struct {
	place       *storeFlag
	options     darks.Options
	serials     string
	gains       string
	unit        string
	from        string
	firstRun    int
	lastRun     int
	comment     string
	out         string
	picture     string
	fill        string
	maskUnknown bool
	asJSON      bool
}

func newCalibPedestalsCommand(place *storeFlag) *cobra.Command {
	f := &calibDarksFlags{place: place, firstRun: -1}
	cmd := &cobra.Command{
		Use:   "pedestals FILE…",
		Short: "Make pedestals, noise and status from dark runs",
		Long:  calibPedestalsLong,
		Example: `  drp calib pedestals dark-g0.xtc2 dark-g1.xtc2 dark-g2.xtc2 --gains gains.npy --unit photon
  drp calib pedestals dark.xtc2 -o darks`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return f.run(cmd.Context(), files) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.options.Detector, "detector", "", "detector by `name` (default: the only camera in the files)")
	fl.StringVar(&f.serials, "serials", "", "ids of the segments in place of those in the files: A.B")
	fl.StringVar(&f.gains, "gains", "", "gains in ADU per unit, as for drp calib put: `files`")
	fl.StringVar(&f.unit, "unit", "keV", "what --gains lead to: keV, photon, ADU")
	fl.StringVar(&f.from, "from", "", "`id` or export of the constants to take the rest from (default: those valid for the run)")
	fl.IntVar(&f.firstRun, "first-run", -1, "the first run that the constants are valid for (default: the first run in the files)")
	fl.IntVar(&f.lastRun, "last-run", 0, "the last one (0: until newer ones take over)")
	fl.StringVar(&f.fill, "fill-gains", "", "`median` replaces unknown gains by the median of their range")
	fl.BoolVar(&f.maskUnknown, "mask-unknown", false, "mark pixels as bad whose gain is not known")
	fl.Float64Var(&f.options.Limits.Noise, "noise-limit", 8, "a pixel is noisy so many robust standard deviations above the median noise")
	fl.Float64Var(&f.options.Limits.Pedestal, "pedestal-limit", 12, "and bad so many away from the median pedestal")
	fl.IntVar(&f.options.Limits.MinFrames, "min-frames", 10, "fewest frames of a pixel in a range")
	fl.StringVar(&f.comment, "comment", "", "what is to be known of them")
	fl.StringVarP(&f.out, "output", "o", "", "write the arrays to this `folder`, and put nothing into the store")
	fl.StringVar(&f.picture, "picture", "", "picture: a PNG `file` (default: DETECTOR-rRUN-pedestals.png)")
	fl.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *calibDarksFlags) run(ctx context.Context, files []string) error {
	l := f.options.Limits
	if l.Noise <= 0 || l.Pedestal <= 0 || l.MinFrames < 1 {
		return errors.New("--noise-limit, --pedestal-limit and --min-frames: give numbers above 0")
	}
	if f.fill != "" && f.fill != "median" {
		return fmt.Errorf("--fill-gains %q: give median", f.fill)
	}
	if err := refuseTwice(files); err != nil {
		return err
	}
	f.options.Serials = splitSerials(f.serials)
	if f.out != "" {
		if there, err := os.ReadDir(f.out); len(there) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return configuration(fmt.Errorf("-o %s: the folder is not empty", f.out))
		}
	}
	if err := f.look(ctx); err != nil {
		return configuration(err)
	}
	bar := newByteBar("reading darks")
	f.options.Progress = bar.show
	r, err := darks.Make(ctx, files, f.options)
	bar.end()
	if err != nil {
		return fileError(err)
	}
	for _, path := range r.Cut {
		fmt.Fprintf(os.Stderr, "drp: warning: %s ends inside a datagram; the events before it are used\n", path)
	}
	r.Set.Provenance = calib.Provenance{Who: whoami(), From: strings.Join(files, " "), Comment: f.comment}
	r.Set.FirstRun, r.Set.LastRun = max(0, f.firstRun), f.lastRun
	if f.firstRun < 0 && len(r.Runs) > 0 {
		r.Set.FirstRun = minimum(r.Runs)
	}
	if !f.asJSON {
		printDarks(r)
	}
	if f.out == "" {
		if few := r.TooFew(); len(few) > 0 {
			return configuration(fmt.Errorf("%s; take more darks, or lower --min-frames, or write them to a folder with -o",
				strings.Join(few, "; ")))
		}
		return f.put(ctx, r)
	}
	for _, few := range r.TooFew() {
		fmt.Fprintf(os.Stderr, "drp: warning: %s\n", few)
	}
	return configuration(f.write(r))
}

// refuseTwice refuses files that are named twice: each of their frames would count as two. What cannot be read is not its
// concern.
func refuseTwice(files []string) error {
	var seen []fs.FileInfo
	var names []string
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			continue
		}
		for i, other := range seen {
			if os.SameFile(info, other) {
				return fmt.Errorf("%s and %s are the same file: name it once", names[i], name)
			}
		}
		seen, names = append(seen, info), append(names, name)
	}
	return nil
}

// look finds before the files are read, which takes long, that there can be no gains.
func (f *calibDarksFlags) look(ctx context.Context) error {
	if f.out != "" {
		return nil
	}
	if f.gains != "" {
		if _, err := (&arrayReader{}).read(ctx, f.gains); err != nil {
			return fmt.Errorf("--gains: %w", err)
		}
	}
	switch {
	case f.from != "" && store.IsArchive(f.from):
		_, err := store.ReadArchive(f.from)
		return err
	case f.from == "" && f.gains != "":
		return nil
	}
	st, err := f.place.open(false)
	if err == nil {
		defer func() { _ = st.Close() }()
		if f.from != "" {
			_, err := st.Load(ctx, f.from)
			return err
		}
		var all []calib.Entry
		if all, err = st.List(ctx, f.options.Detector); err == nil && len(all) == 0 {
			err = fmt.Errorf("the store %s has no earlier constants", st)
		}
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, wantGains)
	}
	return nil
}

const wantGains = "the gains are needed, too: give --gains, or --from with earlier constants, or write the pedestals only with -o"

func minimum(runs []int) int {
	least := runs[0]
	for _, run := range runs {
		least = min(least, run)
	}
	return least
}

func printDarks(r *darks.Result) {
	printLine(r)
	if r.Left > 0 {
		printf("  %d events were left out: they are damaged or make no sense\n", r.Left)
	}
	printf("  %d values were left out as too far from the others", r.Clipped)
	if r.Special > 0 {
		printf(", and %d codes that are no values", r.Special)
	}
	printLine()
}

// put completes the set and puts it into the store.
func (f *calibDarksFlags) put(ctx context.Context, r *darks.Result) error {
	st, err := f.place.open(true)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	s, said, err := f.complete(ctx, st, r)
	if err != nil {
		return configuration(err)
	}
	id, err := st.Put(ctx, s)
	if err != nil {
		return configuration(whatToDo(err, "", f.maskUnknown))
	}
	picture := f.picture
	if picture == "" {
		picture = fmt.Sprintf("%s-r%04d-pedestals.png", s.Detector, s.FirstRun)
	}
	if err := writePicture(picture, s); err != nil {
		return general(err)
	}
	return (&putReport{ID: id, Notes: append(said, "picture: "+picture)}).print(ctx, st, s, f.asJSON)
}

// complete gives the set its gains and the rest.
func (f *calibDarksFlags) complete(ctx context.Context, st calib.Store, r *darks.Result) (s *calib.Set, said []string, err error) {
	s = r.Set
	var old *calib.Set
	switch {
	case f.from != "":
		if old, err = loadSet(ctx, st, f.from); err != nil {
			return nil, nil, err
		}
	default:
		old, err = st.Get(ctx, calib.Query{Detector: s.Detector, Serials: s.Serials, Run: s.FirstRun})
		if err != nil && (!errors.Is(err, calib.ErrNone) || f.gains == "") {
			if errors.Is(err, calib.ErrNone) {
				err = fmt.Errorf("%w; %s", err, wantGains)
			}
			return nil, nil, err
		}
	}
	if old != nil {
		if s, said, err = r.Complete(old, f.gains != ""); err != nil {
			return nil, nil, err
		}
	} else {
		said = missingRanges(r)
	}
	if f.gains != "" {
		parts, err := (&arrayReader{}).read(ctx, f.gains)
		if err != nil {
			return nil, nil, fmt.Errorf("--gains: %w", err)
		}
		shape := intake.Shape{Ranges: s.Ranges(), Segments: len(s.Serials), Rows: s.Rows, Cols: s.Cols}
		if s.Gains, err = intake.Join[float32](parts, shape); err != nil {
			return nil, nil, fmt.Errorf("--gains: %w", err)
		}
		s.Unit = calib.Unit(f.unit)
		s.Provenance.From += " " + f.gains
	}
	if f.maskUnknown {
		said = append(said, intake.MaskUnknown(s)...)
	}
	if f.fill != "" {
		filled, err := intake.FillGains(s)
		if err != nil {
			return nil, nil, err
		}
		said = append(said, filled...)
	}
	return s, said, nil
}

// missingRanges says what is not known where there are no earlier constants.
func missingRanges(r *darks.Result) (said []string) {
	for g, name := range calib.ModelOf(r.Set.Model).Ranges {
		if r.Frames[g] == 0 {
			said = append(said, fmt.Sprintf("range %s did not occur, and there are no earlier constants: its pixels are marked "+
				"as bad", name))
		}
	}
	return said
}

// write writes what darks tell to a folder.
func (f *calibDarksFlags) write(r *darks.Result) error {
	s := r.Set
	if err := os.MkdirAll(f.out, 0o750); err != nil {
		return err
	}
	shape := []int{s.Ranges(), len(s.Serials), s.Rows, s.Cols}
	in := func(name string) string { return filepath.Join(f.out, name) }
	picture := f.picture
	if picture == "" {
		picture = in("pedestals.png")
	}
	if err := errors.Join(writeNPY(in("pedestals.npy"), shape, s.Pedestals), writeNPY(in("rms.npy"), shape, s.RMS),
		writeNPY(in("status.npy"), shape, s.Status), writePicture(picture, s)); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(map[string]any{"detector": s.Detector, "type": s.Model, "serials": s.Serials, "shape": shape,
			"runs": r.Runs, "events": r.Events, "left_out": r.Left, "frames": r.Frames, "folder": f.out, "picture": picture})
	}
	printf("wrote pedestals.npy, rms.npy and status.npy to %s; segments %s; picture: %s\n", f.out, calib.Serial(s.Serials),
		picture)
	return nil
}

func writeNPY[T npy.Number](path string, shape []int, values []T) error {
	return writeNew(path, func(w *bufio.Writer) error { return npy.Write(w, shape, values) })
}

// writePicture replaces the picture of an earlier attempt.
func writePicture(path string, s *calib.Set) error {
	return writeOver(path, true, func(w *bufio.Writer) error { return darks.WritePicture(w, s) })
}

// loadSet loads a set by its id, or an export.
func loadSet(ctx context.Context, st calib.Store, word string) (*calib.Set, error) {
	if store.IsArchive(word) {
		return store.ReadArchive(word)
	}
	return st.Load(ctx, word)
}
