//go:build !amd64

package correct

import "drp/calib"

func inVectors() bool { return false }

func (s *segment) subtractVectors([]int16, []uint16, []int16) int                  { return 0 }
func (s *segment) convertVectors([]float32, []uint16) int                          { return 0 }
func (s *segment) offsetVectors([]float32, []uint16, int) int                      { return 0 }
func (s *segment) scaleVectors([]float32, []float32, []uint16, int, []float32) int { return 0 }
func (t *Tables) rowsInVectors(*segment) bool                                      { return false }

// banks has nothing to do.
type banks struct{}

func (t *Tables) newBanks() (b banks)                          { return b }
func (b *banks) next(*segment, []uint16, int)                  {}
func (b *banks) ofRow([]float32, []float32, *calib.CommonMode) {}
func fence()                                                   {}
