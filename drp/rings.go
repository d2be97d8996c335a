package drp

import (
	"fmt"
	"math"

	"drp/internal/settings"
	"drp/pebble"
	"drp/xtc"
)

// Rings are what a user says of photons and detector, for the rings of pictures: it goes before what events and the geometry say. Who
// watches a run is told with each event, so that rings are those that held then.
type Rings struct {
	Energy   float64 // of the photons, eV; 0 is as these say
	Distance float64 // from the sample to the detector, m; 0 is as these say
}

// ringsStage is who declares them, in a run that can be watched.
const ringsStage = "rings"

// The photon energies that somebody may mean, in electronvolts, and the distances, in metres.
const (
	leastEnergy, mostEnergy     = 100, 1e6
	leastDistance, mostDistance = 1e-3, 20
)

// What may stand behind them.
var (
	energyUnits   = settings.Units{"eV": 0, "keV": 3}
	distanceUnits = settings.Units{"m": 0, "mm": -3}
)

// ReadEnergy reads a photon energy as 9500, which is in eV, or 9.5keV, and refuses what cannot be meant.
func ReadEnergy(text string) (float64, error) {
	energy, ok := energyUnits.Read(text)
	if !ok {
		energy = math.NaN()
	}
	return energy, CheckEnergy(energy)
}

// CheckEnergy refuses a photon energy that cannot be meant, eV, as 9.5, which is in keV.
func CheckEnergy(energy float64) error {
	switch {
	case energy >= leastEnergy && energy <= mostEnergy:
		return nil
	case energy >= leastEnergy/1000. && energy < leastEnergy:
		return fmt.Errorf("give electronvolts, from %d to %.0f; %g keV are %g, or %gkeV", leastEnergy, mostEnergy, energy, energy*1000, energy)
	}
	return fmt.Errorf("give electronvolts, from %d to %.0f, as 9500 or 9.5keV", leastEnergy, mostEnergy)
}

// LikeMetres tells whether a distance without a unit, in metres, can be meant so, and is not in millimetres.
func LikeMetres(distance float64) bool { return distance >= leastDistance && distance <= mostDistance }

// rings are what can be set; none where nobody can watch.
func (c *Config) rings() []settings.Parameter {
	if c.Monitor == nil {
		return nil
	}
	energy := settings.Parameter{Name: ringsStage + ".energy", Type: settings.Float, Default: c.Rings.Energy, Min: 0., Unit: "eV", Units: energyUnits,
		Doc: "of the photons, for the rings of pictures; 0 is as the events say, or the geometry", Stage: ringsStage}
	distance := settings.Parameter{Name: ringsStage + ".distance", Type: settings.Float, Default: c.Rings.Distance, Min: 0., Unit: "m", Units: distanceUnits,
		Doc: "from the sample to the detector, for the same; 0 is as the geometry says", Stage: ringsStage}
	return []settings.Parameter{energy, distance}
}

// check refuses values that cannot be meant; what the user began with can.
func (r Rings) check(begin Rings) error {
	if r.Energy != 0 {
		if err := CheckEnergy(r.Energy); err != nil {
			return fmt.Errorf("%s.energy: %g: %w", ringsStage, r.Energy, err)
		}
	}
	if d := r.Distance; d != 0 && d != begin.Distance && !LikeMetres(d) {
		return fmt.Errorf("%s.distance: %g: that would be %g m: give metres, from %g to %d; %g mm are %g, or %gmm", ringsStage, d, d, leastDistance, mostDistance, d, d/1000, d)
	}
	return nil
}

// ringsOf reads them from values in the order of their declaration.
func ringsOf(values []any) (r Rings) {
	if len(values) == 2 {
		r.Energy, _ = values[0].(float64)
		r.Distance, _ = values[1].(float64)
	}
	return r
}

// tellRings appends the Names of what events say of them to a Configure. It gives the size of the datagram then.
func (s *steering) tellRings(loan *pebble.Loan, n int) (int, error) {
	s.rings = nil
	table := xtc.NewTable()
	if s.r.cfg.Monitor == nil || table.Configure(loan.Bytes()[:n]) != nil { // who comes after says so
		return n, nil
	}
	names := &xtc.Names{DetName: settingsDetector, DetType: settingsDetector, Alg: ringsStage, Version: xtc.Version{Major: 1}, Entries: []xtc.Name{
		{Name: "generation", Type: xtc.Int64}, {Name: "energy", Type: xtc.Double}, {Name: "distance", Type: xtc.Double}}}
	var added []byte
	if err := s.r.declare(table, names, xtc.Dgram(loan.Bytes()[:n]).Src()&0xfff, &added); err != nil {
		return n, err
	}
	s.rings = names
	return appendTo(loan, n, added)
}

// turnRings puts what is recorded of them into an entry: nothing where both are as events and the geometry say.
func (s *steering) turnRings(entry uint16) (found bool) {
	s.entries[entry].blocks[ofRings] = nil
	generation, values := s.book.Values(ringsStage)
	if s.rings == nil || ringsOf(values) == (Rings{}) {
		return false
	}
	s.entries[entry].blocks[ofRings] = (&offer{names: s.rings}).block(generation, values)
	return true
}

// ringsIn reads them from the block of an event.
func ringsIn(b *xtc.Block) (r Rings) {
	if v, there := b.FieldNamed("energy"); there && v.Type == xtc.Double && v.Rank == 0 {
		r.Energy = v.Float64()
	}
	if v, there := b.FieldNamed("distance"); there && v.Type == xtc.Double && v.Rank == 0 {
		r.Distance = v.Float64()
	}
	return r
}

// findRings finds their Names; those that a run has added stand behind those that its files had.
func findRings(t *xtc.Table) (found *xtc.Names) {
	for _, n := range t.Find(settingsDetector, ringsStage) {
		if found == nil || n.Segment > found.Segment {
			found = n
		}
	}
	return found
}
