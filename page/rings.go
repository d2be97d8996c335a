package page

import "drp/drp"

// photons is their energy in an event, eV; not above 0 where it is not known.
func (s *scene) photons(f *drp.Frame) float64 {
	for _, energy := range []float64{s.given.Energy, f.Rings.Energy, f.Energy} {
		if energy > 0 {
			return energy
		}
	}
	return s.energy
}

// far is the distance of the detector in an event, in pixels; 0 where it is not known. Without a geometry nobody knows how large a
// pixel is.
func (s *scene) far(f *drp.Frame) float64 {
	for _, metres := range []float64{s.given.Distance, f.Rings.Distance} {
		if metres > 0 && s.layout != nil {
			return metres * s.constants.Camera.Geometry.Panels[0].Resolution
		}
	}
	return s.distance
}
