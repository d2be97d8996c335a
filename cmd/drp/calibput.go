package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drp/calib"
	"drp/calib/intake"
	"drp/calib/report"
	"drp/calib/store"
	"drp/drp"
)

const calibPutLong = `put checks constants and adds them to the store. The sets that are there stay; the new one takes over for its runs.

Arrays come as NPY, as text of numbers, or out of HDF5 (FILE.h5:/path/of/the/array; needs h5py in Python). Their axes are
gain range, segment, row and column. One file for each gain range may be given instead, with commas between; the axis of
segments may be missing where there is one. Gains are ADU per unit, so that a pixel becomes (raw - pedestal) / gain; they
are negative in ranges that count downwards.

Given the folder or file of drp calib export, put adds that; given a simulated camera, its constants.`

type calibPutFlags struct {
	place      *storeFlag
	request    intake.Request
	serials    string
	unit       string
	commonMode string
	fill       string
	comment    string
	python     string
	asJSON     bool
	untyped    bool // the type is the name
	files      map[string]*string
}

// arrayFlags are the arrays that put takes.
var arrayFlags = []struct{ name, usage string }{
	{"pedestals", "pedestals in ADU: `files`"},
	{"gains", "gains in ADU per unit: `files`"},
	{"rms", "noise of the pedestals in ADU: `files`"},
	{"status", "status, 0 is good: `files`"},
	{"mask", "mask of all ranges, 1 is good and 0 is bad: `file`"},
}

func newCalibPutCommand(place *storeFlag) *cobra.Command {
	f := &calibPutFlags{place: place, files: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "put DETECTOR|EXPORT|SIMULATED",
		Short: "Add constants from NPY, text or HDF5 files, or from an export",
		Long:  calibPutLong,
		Example: `  drp calib put jungfrau --serials M049 --unit photon --pedestals g0.npy,g1.npy,g2.npy --gains gains.npy --mask mask.npy
  drp calib put out/jungfrau.npz --store http://daq:8765
  drp calib put sim:seed=2 --store out/constants`,
		Args: needs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.request.Type, "type", "", "detector type: jungfrau, epix10ka, epixhr, ... (default: the name)")
	fl.StringVar(&f.serials, "serials", "", "ids of the segments in the order of the arrays: A.B")
	for _, a := range arrayFlags {
		f.files[a.name] = fl.String(a.name, "", a.usage)
	}
	fl.StringVar(&f.unit, "unit", "keV", "what gains lead to: keV, photon, ADU")
	fl.StringVar(&f.request.Geometry, "geometry", "", "CrystFEL geometry: `file`")
	fl.StringVar(&f.commonMode, "common-mode", "", "`METHOD:WHAT:MAX:MIN`, as in median:rows+cols:100:10")
	fl.IntVar(&f.request.FirstRun, "first-run", 0, "the first run that the constants are valid for")
	fl.IntVar(&f.request.LastRun, "last-run", 0, "the last one (0: until newer ones take over)")
	fl.StringVar(&f.fill, "fill-gains", "", "`median` replaces gains that are 0 or no number by the median of their range")
	fl.BoolVar(&f.request.MaskUnknown, "mask-unknown", false, "mark pixels as bad whose pedestal or gain is no number, or whose gain is 0")
	fl.StringVar(&f.comment, "comment", "", "what is to be known of them")
	fl.StringVar(&f.python, "python", "", "Python interpreter that reads HDF5 (default: as for drp)")
	fl.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *calibPutFlags) run(cmd *cobra.Command, word string) error {
	ctx := cmd.Context()
	var s *calib.Set
	var said []string
	if whole := isSimulated(word) || store.IsArchive(word) || strings.ContainsAny(word, "./"); whole &&
		*f.files["pedestals"] == "" && *f.files["gains"] == "" {
		if err := onlyAsItIs(cmd); err != nil {
			return err
		}
		var err error
		if s, err = readWhole(ctx, word); err != nil {
			return configuration(err)
		}
	} else {
		if err := f.parse(word); err != nil {
			return err
		}
		var err error
		if s, said, err = f.build(ctx); err != nil {
			return configuration(err)
		}
	}
	st, err := f.place.open(true)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	id, err := st.Put(ctx, s)
	if err != nil {
		return configuration(err)
	}
	return (&putReport{ID: id, Notes: said}).print(ctx, st, s, f.asJSON)
}

// readWhole gives constants that are complete: an export, or those of a simulated camera.
func readWhole(ctx context.Context, word string) (*calib.Set, error) {
	if isSimulated(word) {
		own, err := drp.NewSimulated(word)
		if err != nil {
			return nil, err
		}
		s, err := own.Load(ctx, drp.SimulatedID)
		if err == nil {
			s.Provenance.Who = whoami()
		}
		return s, err
	}
	s, err := store.ReadArchive(word)
	if err != nil {
		return nil, err
	}
	if err := intake.CheckGeometry(s); err != nil {
		return nil, fmt.Errorf("%s: %w", word, err)
	}
	return s, nil
}

// onlyAsItIs refuses flags that say something of constants which an export says already.
func onlyAsItIs(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name != "store" && flag.Name != "json" {
			err = fmt.Errorf("an export, or a simulated camera, is put as it is: leave --%s out, or name its files with --pedestals and --gains", flag.Name)
		}
	})
	return err
}

// parse reads the words of the flags.
func (f *calibPutFlags) parse(detector string) error {
	r := &f.request
	r.Detector, r.Serials, r.Unit = detector, splitSerials(f.serials), calib.Unit(f.unit)
	if f.untyped = r.Type == ""; f.untyped {
		r.Type = detector
	}
	switch {
	case *f.files["pedestals"] == "" || *f.files["gains"] == "":
		return fmt.Errorf("--pedestals and --gains are needed, or the folder or file of drp calib export in place of %q", detector)
	case r.Serials == nil:
		return fmt.Errorf("--serials is needed: the ids of the segments, as drp xtc ls --json shows them")
	case f.fill != "" && f.fill != "median":
		return fmt.Errorf("--fill-gains %q: give median", f.fill)
	}
	r.FillGains = f.fill != ""
	if f.commonMode != "" {
		c, err := intake.ParseCommonMode(f.commonMode)
		if err != nil {
			return fmt.Errorf("--common-mode %w", err)
		}
		r.CommonMode = c
	}
	return nil
}

func (f *calibPutFlags) build(ctx context.Context) (*calib.Set, []string, error) {
	var from []string
	reader := arrayReader{python: f.python}
	for _, a := range arrayFlags {
		names := *f.files[a.name]
		if names == "" {
			continue
		}
		parts, err := reader.read(ctx, names)
		if err != nil {
			return nil, nil, fmt.Errorf("--%s: %w", a.name, err)
		}
		from = append(from, names)
		switch a.name {
		case "pedestals":
			f.request.Pedestals = parts
		case "gains":
			f.request.Gains = parts
		case "rms":
			f.request.RMS = parts
		case "status":
			f.request.Status = parts
		case "mask":
			f.request.Mask = parts
		}
	}
	s, said, err := intake.Build(&f.request)
	if model := calib.ModelOf(f.request.Type); err != nil && f.untyped && !model.Known() {
		if refused := (*calib.RefusedError)(nil); !errors.As(err, &refused) { // a shape
			err = fmt.Errorf("%w. The type is taken from the name, %s, which is none of %s and so has one gain range: --type says it",
				err, f.request.Detector, strings.Join(calib.Families(), ", "))
		}
	}
	if err != nil {
		return nil, nil, whatToDo(err, "--mask leaves pixels out, ", f.request.MaskUnknown)
	}
	s.Provenance = calib.Provenance{Who: whoami(), From: strings.Join(from, " "), Comment: f.comment}
	return s, said, nil
}

// whatToDo says behind a refusal of a pixel which flags help.
func whatToDo(err error, more string, maskUnknown bool) error {
	if refused := (*calib.RefusedError)(nil); !errors.As(err, &refused) || !refused.Pixel || maskUnknown {
		return err
	}
	return fmt.Errorf("%w (%s--mask-unknown leaves out those whose constants are not known, and --fill-gains median replaces "+
		"unknown gains)", err, more)
}

// whoami is user and machine.
func whoami() string {
	user := os.Getenv("USER")
	if user == "" {
		user = fmt.Sprintf("uid %d", os.Getuid())
	}
	if host, err := os.Hostname(); err == nil {
		user += "@" + host
	}
	return user
}

// putReport is what put says.
type putReport struct {
	ID     string   `json:"id"`
	Store  string   `json:"store"`
	Notes  []string `json:"notes,omitempty"`
	Status []string `json:"status,omitempty"`      // how many pixels have which, range by range
	Shadow []string `json:"goes_before,omitempty"` // sets that go before the new one in some of its runs
}

func (r *putReport) print(ctx context.Context, st closingStore, s *calib.Set, asJSON bool) error {
	for _, doubt := range intake.Doubts(s) {
		fmt.Fprintf(os.Stderr, "drp: warning: %s\n", doubt)
	}
	r.Store, r.Status = st.String(), statusLines(s)
	if entries, err := st.List(ctx, s.Detector); err == nil {
		r.Shadow = goBefore(entries, r.ID, s)
	}
	if asJSON {
		return printJSON(r)
	}
	printf("put %s: %s (%s) %s, %s, %s\n", short(r.ID), s.Detector, s.Model, calib.Serial(s.Serials), store.Runs(s), s.Unit)
	for _, line := range slices.Concat(r.Status, r.Notes) {
		printf("  %s\n", line)
	}
	for _, other := range r.Shadow {
		printf("  %s\n", other)
	}
	return nil
}

// statusLines count the pixels of each range by status.
func statusLines(s *calib.Set) (lines []string) {
	for r, counts := range report.Statuses(s) {
		good := len(s.Status) / s.Ranges()
		var bad []string
		for _, name := range sortedKeys(counts) {
			good -= counts[name]
			bad = append(bad, fmt.Sprintf("%d %s", counts[name], name))
		}
		lines = append(lines, strings.Join(append([]string{fmt.Sprintf("range %s: %d pixels good",
			calib.ModelOf(s.Model).Ranges[r], good)}, bad...), ", "))
	}
	return lines
}

// goBefore finds sets that begin in the middle of the runs of a new one, and so go before it there.
func goBefore(entries []calib.Entry, id string, s *calib.Set) (said []string) {
	for _, e := range entries {
		within := e.FirstRun > s.FirstRun && (s.LastRun == 0 || e.FirstRun <= s.LastRun)
		if e.ID == id || !within {
			continue
		}
		for _, serial := range s.Serials {
			if strings.Contains("."+calib.Serial(e.Serials)+".", "."+serial+".") {
				said = append(said, fmt.Sprintf("for %s the set %s goes before it", store.Runs(&e.Set), short(e.ID)))
				break
			}
		}
	}
	return said
}

// arrayReader reads the files of a flag.
type arrayReader struct{ python string }

func (r *arrayReader) read(ctx context.Context, names string) (parts []intake.Part, err error) {
	for name := range strings.SplitSeq(names, ",") {
		part := intake.Part{From: name}
		if file, dataset, ok := splitHDF5(name); ok {
			part.Array, err = readHDF5(ctx, r.python, file, dataset)
		} else {
			part.Array, err = intake.ReadFile(filepath.Clean(name))
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}
