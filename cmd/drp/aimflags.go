package main

import (
	"errors"

	"github.com/spf13/pflag"

	"drp/drp"
)

// aimFlags say at which resolution the rings of pictures lie, where neither events nor the geometry do.
type aimFlags struct {
	energy   float64
	distance string
}

func (f *aimFlags) add(fl *pflag.FlagSet) {
	fl.Var((*energyFlag)(&f.energy), "energy", "of the photons: 9500 (`eV`) or 9.5keV, for the rings of pictures (default: what the events say, or the geometry)")
	fl.StringVar(&f.distance, "distance", "", "from the sample to the detector, for the same: 0.095 (`m`) or 95mm (default: what the geometry says)")
}

// complete reads them; shown tells whether anybody can see pictures.
func (f *aimFlags) complete(shown bool) (a drp.Rings, err error) {
	if !shown && (f.energy != 0 || f.distance != "") {
		return a, errors.New("--energy and --distance are for the rings of pictures: give --http HOST:PORT, too, or, with a run, --monitor NAME")
	}
	a.Energy = f.energy
	if f.distance != "" {
		a.Distance, err = givenDistance(f.distance)
	}
	return a, err
}
