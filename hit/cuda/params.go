package cuda

import "unsafe"

// What the host and the kernels share, as kernels/params.h has it.

// Params are the constants of a plan and the buffers of a lane.
type Params struct {
	Raw, Pedestal, Codes, Pedestals, Factors, Bin, PanelOf, Panels, Sample, SampleAt, Ring, RingAt Memory
	Limit, Below, Least, Most, Open, Mean, Offset, Lo, Hi, Sums, Parent, Candidates, Groups, Out   Memory
	ADCThreshold, MinSNR, Doubt, Step, NoSigma                                                     float64
	Total, Stride, Pixels, Cols, Bins                                                              int32
	Code, Bias, DataMask, Special                                                                  int32
	Pick                                                                                           [4]int32
	MinPix, MaxPix, Radius                                                                         int32
	MaxCandidates, MaxGroups, MaxPeaks, OutBytes                                                   int32
	Pool                                                                                           int32
}

// Panel is a rectangle of a segment.
type Panel struct{ Segment, Row, Col, Rows, Cols int32 }

// Head is what comes back of a frame beside its peaks.
type Head struct {
	Offsets                                 int64
	Pixels, Groups, Peaks, Switched, Listed uint32
	_                                       uint32
}

// Record is a peak, and where it belongs in the list.
type Record struct {
	First                                        uint64
	Segment, NPix                                uint16
	Row, Col, Total, Max, Background, Sigma, SNR float32
}

// Sizes of what the kernels keep, which only they look into.
const (
	SumsBytes  = 32
	GroupBytes = 72
)

// Sizes of launches, as kernels.cu has them.
const (
	block       = 256
	eight       = 8
	sampleBlock = 128
	chunk       = 32768
	peakBlock   = 64
	strides     = 64 // blocks that go through a list whose length the host does not know
)

// bytesOf gives the memory of a slice.
func bytesOf[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
