package calib

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Query asks for constants.
type Query struct {
	Detector string
	Serials  []string // of the segments wanted, in the order wanted; nil is all that the set has
	Run      int
}

// Store keeps sets. A set is never changed once it is in: a newer one takes over.
type Store interface {
	// Get gives the newest set that is valid for the run and holds all the segments, cut down to these: of those valid
	// that with the highest first run, as the field does, and of several of these the one put last. Nothing suitable is
	// ErrNone.
	Get(ctx context.Context, q Query) (*Set, error)
	// Put checks a set and adds it; the sets before it stay. It gives the id it can be asked for by.
	Put(ctx context.Context, s *Set) (id string, err error)
	// List gives what is there, newest first, without arrays.
	List(ctx context.Context, detector string) ([]Entry, error)
	// Load gives one set by its id, or the beginning of one that no other id has.
	Load(ctx context.Context, id string) (*Set, error)
}

// Entry is a line of a store's list.
type Entry struct {
	ID  string `json:"id"`
	Set        // without arrays
}

// ErrNone says that a store has no constants that would suit.
var ErrNone = errors.New("no constants")

// Serial is how the segments of a detector are named together: "1.3.5.7".
func Serial(ids []string) string { return strings.Join(ids, ".") }

// Subset gives the part of a set that belongs to some of its segments, in the order of ids. With all segments in their
// order it gives the set itself. A segment that the set does not have makes it nil. The part remembers the places of its
// segments in the whole, which the geometry goes by.
func (s *Set) Subset(ids []string) *Set {
	if ids == nil || slices.Equal(ids, s.Serials) {
		return s
	}
	at := make([]int, len(ids))
	for i, id := range ids {
		if at[i] = slices.Index(s.Serials, id); at[i] < 0 {
			return nil
		}
	}
	part := *s
	part.Serials, part.Places = slices.Clone(ids), make([]int, len(ids))
	for i, segment := range at {
		part.Places[i] = s.Place(segment)
	}
	ranges, n := s.Ranges(), s.SegmentPixels()
	part.Pedestals = cut(s.Pedestals, ranges, n, at)
	part.Gains = cut(s.Gains, ranges, n, at)
	part.RMS = cut(s.RMS, ranges, n, at)
	part.Status = cut(s.Status, ranges, n, at)
	part.Mask = cut(s.Mask, 1, n, at)
	part.Seal()
	return &part
}

// cut takes the segments wanted out of an array of ranges x segments x n pixels.
func cut[T any](all []T, ranges, n int, wanted []int) []T {
	if all == nil {
		return nil
	}
	segments := len(all) / (ranges * n)
	part := make([]T, 0, ranges*len(wanted)*n)
	for r := range ranges {
		for _, s := range wanted {
			start := (r*segments + s) * n
			part = append(part, all[start:start+n]...)
		}
	}
	return part
}
