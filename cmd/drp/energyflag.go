package main

import (
	"fmt"
	"strconv"
)

// energyFlag is --energy: that of the photons, in electronvolts; 0 where it is not given.
type energyFlag float64

// The photon energies that somebody may mean, in electronvolts.
const (
	leastEnergy = 100
	mostEnergy  = 1e6
)

// Set implements pflag.Value. It refuses what cannot be meant, as 9.5, which is in keV.
func (f *energyFlag) Set(text string) error {
	energy, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && energy >= leastEnergy && energy <= mostEnergy:
		*f = energyFlag(energy)
		return nil
	case err == nil && energy >= leastEnergy/1000. && energy < leastEnergy:
		return fmt.Errorf("give electronvolts, from %d to %.0f; %s keV are %g", leastEnergy, mostEnergy, text, energy*1000)
	}
	return fmt.Errorf("give electronvolts, from %d to %.0f", leastEnergy, mostEnergy)
}

// String implements pflag.Value.
func (f *energyFlag) String() string { return strconv.FormatFloat(float64(*f), 'g', -1, 64) }

// Type implements pflag.Value.
func (*energyFlag) Type() string { return "eV" }
