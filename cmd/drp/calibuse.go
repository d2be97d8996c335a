package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"drp/calib/publish"
)

func newCalibUseCommand(place *storeFlag) *cobra.Command {
	var partition, detector string
	cmd := &cobra.Command{
		Use:   "use SET|GENERATION",
		Short: "Let a run that goes on use other constants from its next step on",
		Long: `use lets the runs of this user on this machine use other constants from their next BeginStep on: a set of their store,
by the beginning of its id, or a generation that they have published before (drp calib watch shows them). A run that
cannot use them keeps those that it has, and says so in its log. Name the store of the runs with --store.`,
		Example: "  drp calib use 3f2a77 --detector jungfrau\n  drp calib use 1795252212 --partition mfx",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := knownSet(place, args[0]); err != nil {
				return err
			}
			folder, err := publish.Folder()
			if err != nil {
				return configuration(err)
			}
			found, err := publish.Announced(folder)
			if err != nil {
				return general(err)
			}
			told := 0
			for _, a := range found {
				if partition != "" && a.Partition != partition || detector != "" && a.Detector != detector {
					continue
				}
				name := publish.SocketName(a.Partition, a.Detector, a.Serials)
				if err := publish.Choose(filepath.Join(folder, name), args[0]); err != nil {
					return general(err)
				}
				fmt.Printf("partition %s, %s: %s from the next step on, instead of generation %d\n", a.Partition, a.Detector,
					args[0], a.Generation)
				told++
			}
			if told == 0 {
				return general(fmt.Errorf("no run of this user has constants%s: drp calib watch shows those that have",
					ofWhich(partition, detector)))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&partition, "partition", "", "only runs of this partition")
	cmd.Flags().StringVar(&detector, "detector", "", "only constants of this detector")
	return cmd
}

// knownSet refuses the id of a set that the store does not have, before it takes the place of what was chosen before.
// Generations are seconds since 1970, and known to the runs alone.
func knownSet(place *storeFlag, id string) error {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 1e9 && n <= time.Now().Unix()+1e6 {
		return nil
	}
	s, err := place.open(false)
	if err != nil {
		return err
	}
	_, err = s.Load(context.Background(), id)
	if closed := s.Close(); err == nil {
		return configuration(closed)
	}
	return calibError(err)
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
