//go:build !amd64

package hit

func machine() vectors { return noVectors }

func (v *view) passVectors(vectors, []span, []int16, []survivor) (done, found int) { return 0, 0 }
func (s *sample) addVectors([]uint16) bool                                         { return false }
func aligned(n int) []byte                                                         { return make([]byte, n) }

func (v *view) sweepVectors(*all, []span, int, int, []survivor) []survivor { return nil }
func (s *sample) gatherVectors(*view, *orderly, []survivor) int            { return 0 }
func (f *fast) discVectors(*view, *Thresholds, *Disc) bool                 { return false }
