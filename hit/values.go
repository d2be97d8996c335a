package hit

import (
	"math"

	"drp/calib/correct"
)

// Bad is the value of a pixel that is no measurement in this frame. Pixels that are never used may have any value.
const Bad = math.MinInt32

// maxValue keeps sums of values and of their squares in their words.
const maxValue = 1<<31 - 1

// Values turns a segment of a frame into values, as the package says. It is the definition; finders that are in a hurry
// come to the same in other ways. room has the pixels of a segment.
func (p *Plan) Values(dst []int32, f *Frame, segment int, room *Room) {
	raw, t := f.Raw[segment], p.Camera.Tables
	t.ADU16(room.adu, raw, segment)
	if p.Config.Pixels == Calibrated {
		t.Float32(room.calibrated, raw, segment)
	}
	for i, v := range room.adu {
		switch {
		case v == correct.Bad16:
			dst[i] = Bad
		case p.Config.Pixels == Calibrated:
			dst[i] = whole(float64(room.calibrated[i]) / p.step)
		case v == correct.Switched16:
			dst[i] = whole(t.FirstRangeADU(segment, i, raw[i]))
		default:
			dst[i] = int32(v)
		}
	}
}

func whole(x float64) int32 { return int32(math.RoundToEven(max(-maxValue, min(x, maxValue)))) }

// Room is what Values needs beside its result.
type Room struct {
	adu        []int16
	calibrated []float32
}

// NewRoom makes room for one goroutine.
func (p *Plan) NewRoom() *Room {
	r := &Room{adu: make([]int16, p.Pixels())}
	if p.Config.Pixels == Calibrated {
		r.calibrated = make([]float32, p.Pixels())
	}
	return r
}
