// Package tune searches the same frames with several parameters, and says what each choice leads to: how many frames are
// hits, how many peaks a hit has, and what a frame costs. The searches of a point run on all cores; what a frame costs is
// measured afterwards on one, with nothing else to do.
//
// The caller owns the frames, which are only read. Everything else belongs to Run until it returns.
package tune
