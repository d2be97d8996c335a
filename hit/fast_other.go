//go:build !amd64

package hit

func machine() vectors { return noVectors }

func (f *fast) passVectors(_ *view, from, _ int) (done, found int) { return from, 0 }

func (s *sample) addVectors([]uint16) bool { return false }
func aligned(n int) []byte                 { return make([]byte, n) }

func (v *view) sweepVectors(*all, []span, int, int, []survivor) []survivor { return nil }
func (s *sample) gatherVectors(*view, *orderly, []survivor) int            { return 0 }
func (f *fast) discVectors(*view, *Thresholds, *Disc) bool                 { return false }
func (f *fast) ask(*view)                                                  {}

func (w *ring) addVectors(*view, []uint32, uint32) int { return 0 }
func (w *ring) sumVectors(Bounds) (Sums, int)          { return Sums{}, 0 }
