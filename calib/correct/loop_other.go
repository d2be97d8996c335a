//go:build !amd64

package correct

func inVectors() bool { return false }
func inWide() bool    { return false }

func (s *segment) subtractVectors([]int16, []uint16, []int16) int                  { return 0 }
func (s *segment) convertVectors([]float32, []uint16) int                          { return 0 }
func (s *segment) fewVectors([]float32, []uint16, int) int                         { return 0 }
func (s *segment) offsetVectors([]float32, []uint16, int) int                      { return 0 }
func (s *segment) scaleVectors([]float32, []float32, []uint16, int, []float32) int { return 0 }
func (t *Tables) rowsInVectors(*segment) bool                                      { return false }

func (t *Tables) rowsFloat32(*segment, []float32, []uint16) {}
func (t *Tables) rowsADU16(*segment, []int16, []uint16)     {}
func fence()                                                {}
