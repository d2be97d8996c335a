package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/store"
	"drp/drp"
)

const calibLong = `calib keeps constants of detectors: pedestals, gains, noise, status, mask, common mode and geometry, for segments and
ranges of runs.

They are in a store: a folder of this machine, or one that another drp serves (drp calib serve), named by --store or
$DRP_CALIB. A simulated camera (sim:seed=2) is a store, too, of its own constants. Exit codes: 0 ok, 1 there are no such constants, 2 usage, 3 constants that are refused or a store that cannot
be used, 4 a data file.`

func newCalibCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "calib", Short: "Keep, make and look at the constants of detectors", Long: calibLong}
	var place storeFlag
	cmd.PersistentFlags().StringVar(&place.name, "store", "", "`folder or address` of the store (default: $DRP_CALIB, or "+
		"drp/calib in the folder for your data)")
	return withVerbs(cmd, newCalibPutCommand(&place), newCalibGetCommand(&place), newCalibLsCommand(&place),
		newCalibShowCommand(&place), newCalibDiffCommand(&place), newCalibExportCommand(&place), newCalibServeCommand(&place),
		newCalibUseCommand(&place), newCalibPedestalsCommand(&place), newCalibWatchCommand())
}

// storeFlag says which store is meant.
type storeFlag struct {
	name string
	said bool // which it is, where nobody named one
}

type closingStore interface {
	calib.Store
	io.Closer
	fmt.Stringer
}

// place is the folder or address, and whether somebody named it.
func (f *storeFlag) place() (place string, named bool, err error) {
	if f.name != "" {
		return f.name, true, nil
	}
	if name := os.Getenv("DRP_CALIB"); name != "" {
		return name, true, nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", false, configuration(fmt.Errorf("no store of constants is named and there is no home folder: give --store"))
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "drp", "calib"), false, nil
}

func isAddress(place string) bool {
	return strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://")
}

// isSimulated tells whether a place is a simulated camera, which is the store of its own constants.
func isSimulated(place string) bool { return strings.HasPrefix(place, "sim:") }

// open opens the store, and says which it is where nobody named one.
func (f *storeFlag) open(create bool) (closingStore, error) {
	place, named, err := f.place()
	if err != nil {
		return nil, err
	}
	if !named && !f.said {
		f.said = true
		fmt.Fprintf(os.Stderr, "drp: store %s\n", place)
	}
	if isSimulated(place) {
		s, err := drp.NewSimulated(place)
		if err != nil {
			return nil, configuration(err)
		}
		return s, nil
	}
	if isAddress(place) {
		s, err := store.Dial(place, os.Getenv("DRP_CALIB_TOKEN"))
		if err != nil {
			return nil, configuration(err)
		}
		return s, nil
	}
	if scheme, _, found := strings.Cut(place, "://"); found {
		return nil, fmt.Errorf("the store %s: %s:// is no way to one: give a folder, or the http:// or https:// address of drp calib "+
			"serve", place, scheme)
	}
	opening := store.Open
	if create {
		opening = store.Create
	}
	s, err := opening(place)
	if err != nil {
		return nil, configuration(err)
	}
	return s, nil
}

func configuration(err error) error {
	if err == nil {
		return nil
	}
	return &drp.Failure{Kind: drp.Configuration, Err: err}
}

// calibError gives the exit code of what a store says.
func calibError(err error) error {
	if errors.Is(err, calib.ErrNone) {
		return general(err)
	}
	return configuration(err)
}

// short is as much of an id as people read.
func short(id string) string { return id[:min(12, len(id))] }

// query is what the flags of a query say.
type queryFlags struct {
	run     int
	serials string
}

func (q *queryFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&q.run, "run", 0, "the constants that are valid for this run")
	cmd.Flags().StringVar(&q.serials, "serials", "", "only these segments, by their ids: A.B (default: all that the set has)")
}

func (q *queryFlags) query(detector string) calib.Query {
	return calib.Query{Detector: detector, Run: q.run, Serials: splitSerials(q.serials)}
}

// splitSerials takes 1.3.5 and 1,3,5.
func splitSerials(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(text, ",", "."), ".")
}

// chosen asks for one set: by the detector where a run is given, otherwise by id, or an archive of one.
func (q *queryFlags) chosen(cmd *cobra.Command, place *storeFlag, word string) (*calib.Set, error) {
	byRun := cmd.Flags().Lookup("run") != nil && cmd.Flags().Changed("run")
	if !byRun && store.IsArchive(word) {
		s, err := store.ReadArchive(word)
		return s, configuration(err)
	}
	st, err := place.open(false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = st.Close() }()
	if byRun {
		s, err := st.Get(cmd.Context(), q.query(word))
		return s, calibError(err)
	}
	s, err := st.Load(cmd.Context(), word)
	if err != nil {
		return nil, calibError(fmt.Errorf("%w; a detector's constants are asked for with --run", err))
	}
	if part := s.Subset(splitSerials(q.serials)); part != nil {
		return part, nil
	}
	return nil, configuration(fmt.Errorf("the set %s has the segments %s", word, calib.Serial(s.Serials)))
}
