package main

import (
	"strconv"

	"drp/drp"
)

// energyFlag is --energy: that of the photons, in electronvolts, or as 9.5keV; 0 where it is not given.
type energyFlag float64

// Set implements pflag.Value. It refuses what cannot be meant, as 9.5, which is in keV, and does not say so.
func (f *energyFlag) Set(text string) error {
	energy, err := drp.ReadEnergy(text)
	if err != nil {
		return err
	}
	*f = energyFlag(energy)
	return nil
}

// String implements pflag.Value.
func (f *energyFlag) String() string { return strconv.FormatFloat(float64(*f), 'g', -1, 64) }

// Type implements pflag.Value.
func (*energyFlag) Type() string { return "eV" }
