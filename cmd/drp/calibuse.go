package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/publish"
	"drp/calib/store"
)

func newCalibUseCommand(place *storeFlag) *cobra.Command {
	var partition, detector string
	cmd := &cobra.Command{
		Use:   "use SET|GENERATION",
		Short: "Let a run that goes on use other constants from its next step on",
		Long: `use lets the runs of this user on this machine use other constants from their next BeginStep on: a set of their store,
by the beginning of its id, or a generation that was published before in their partition (drp calib watch shows them).
They stay until the end of the run, or until others are chosen; a run that cannot use them keeps those that it has, and
says so in its log. Name the store of the runs with --store.`,
		Example: "  drp calib use 3f2a77 --detector jungfrau\n  drp calib use 1795252212 --partition mfx",
		Args:    needs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			meant, err := runningNow(partition, detector)
			if err != nil {
				return general(err)
			}
			choices, err := choose(cmd.Context(), place, args[0], meant)
			if err == nil && len(choices) == 0 {
				err = general(fmt.Errorf("no run of this user has constants%s: drp calib watch shows those that have",
					ofWhich(partition, detector)))
			}
			for _, c := range choices {
				if err := publish.Choose(c.socket, c.set); err != nil {
					return general(err)
				}
				when := "from the next step on"
				if c.Loops {
					when = "once a step comes"
				}
				printf("partition %s, %s: the set %s %s, instead of %s, generation %d\n",
					plain(c.Partition), plain(c.Detector), short(c.set), when, plain(short(c.SetID)), c.Generation)
				c.warn()
			}
			return err
		},
	}
	cmd.Flags().StringVar(&partition, "partition", "", "only runs of this partition")
	cmd.Flags().StringVar(&detector, "detector", "", "only constants of this detector")
	return cmd
}

// running is constants that a run of this user on this machine has.
type running struct {
	*publish.Announcement
	socket string
}

// runningNow asks the runs what they have; an empty partition or detector is any.
func runningNow(partition, detector string) (all []running, err error) {
	folder, err := publish.Folder()
	if err != nil {
		return nil, err
	}
	found, err := publish.Announced(folder)
	for _, a := range found {
		if (partition == "" || a.Partition == partition) && (detector == "" || a.Detector == detector) {
			all = append(all, running{a, filepath.Join(folder, publish.SocketName(a.Partition, a.Detector, a.Serials))})
		}
	}
	return all, err
}

// choice is what they are to become.
type choice struct {
	running
	set    string
	stored *calib.Set // nil where only its id is known
}

// warn tells what may not be meant.
func (c *choice) warn() {
	where := fmt.Sprintf("partition %s, %s", plain(c.Partition), plain(c.Detector))
	if s := c.stored; s != nil && (c.Run < s.FirstRun || s.LastRun != 0 && c.Run > s.LastRun) {
		fmt.Fprintf(os.Stderr, "drp: warning: %s: the set is for %s, and this is run %d: it is used all the same\n", where, store.Runs(s), c.Run)
	}
	if c.Loops {
		fmt.Fprintf(os.Stderr, "drp: warning: %s: the run repeats its files (--loop), and no step comes once they are through: a set that "+
			"is put is taken when a run begins\n", where)
	}
}

// choose finds out which set a word means, for whom: a generation for those who published it, a set of the store for those
// who have its detector and only segments of it. What nobody could use is refused here, where somebody sees it.
func choose(ctx context.Context, place *storeFlag, word string, meant []running) (choices []choice, err error) {
	generation, noNumber := strconv.ParseUint(word, 10, 63)
	if noNumber == nil {
		for _, r := range meant {
			if id := publish.SetOf(r.socket, generation); id != "" {
				choices = append(choices, choice{r, id, nil})
			}
		}
		if choices != nil {
			return choices, nil
		}
	}
	set, err := stored(ctx, place, word)
	if err != nil {
		if noNumber == nil && errors.Is(err, calib.ErrNone) {
			err = general(fmt.Errorf("%w, and no run has published it as a generation", err))
		}
		return nil, err
	}
	for _, r := range meant {
		if r.Detector == set.Detector && set.Subset(r.Serials) != nil {
			choices = append(choices, choice{r, set.ID, set})
		}
	}
	if choices == nil && len(meant) > 0 {
		return nil, configuration(fmt.Errorf("the set %s is of %s, segments %s, and no run has them: drp calib watch shows what "+
			"they have", short(set.ID), set.Detector, abbreviated(set.Serials)))
	}
	return choices, nil
}

// stored gives the set of an id.
func stored(ctx context.Context, place *storeFlag, id string) (*calib.Set, error) {
	s, err := place.open(false)
	if err != nil {
		return nil, err
	}
	set, err := s.Load(ctx, id)
	if closed := s.Close(); err == nil {
		err = configuration(closed)
	} else {
		err = calibError(err)
	}
	return set, err
}

// ofWhich says what was looked for.
func ofWhich(partition, detector string) (text string) {
	if detector != "" {
		text += " of " + detector
	}
	if partition != "" {
		text += " in partition " + partition
	}
	return text
}
