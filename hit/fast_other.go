//go:build !amd64

package hit

func machine() vectors { return noVectors }

func (v *view) passVectors(vectors, []span, []int16, []survivor) (done, found int) { return 0, 0 }
func (s *sample) addVectors([]uint16) bool                                         { return false }
