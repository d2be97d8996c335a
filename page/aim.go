package page

import "drp/drp"

// Aim is what a user says of the photons and of the detector. It goes before what events and the geometry say.
type Aim struct {
	Energy   float64 // of the photons, eV; 0 is as these say
	Distance float64 // from the sample to the detector, m; 0 is as these say
}

// aim takes what a user says. Without a geometry nobody knows how large a pixel is, and there are no rings.
func (s *scene) aim(a Aim) {
	s.given = a.Energy
	if a.Distance > 0 && s.layout != nil {
		s.distance = a.Distance * s.constants.Camera.Geometry.Panels[0].Resolution
	}
}

// photons is their energy in an event, eV; not above 0 where it is not known.
func (s *scene) photons(f *drp.Frame) float64 {
	switch {
	case s.given > 0:
		return s.given
	case f.Energy > 0:
		return f.Energy
	}
	return s.energy
}
