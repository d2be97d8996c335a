package simtest

import "strings"

// checkChunk looks at the size of a file. One that begins with Configure, or has a single event, may have any, and the
// transitions between two steps are with what went before, in a few hundred bytes. So is an event that came right behind
// something else, since there is no time between for the end of a chunk; it is left out of the size.
func (l *lab) checkChunk(path string, size, events int) {
	between := 400
	if l.plan.choices > 0 {
		between += 400 // a BeginStep tells of constants that were chosen
	}
	first := strings.Contains(path, "-c000")
	if limit := l.plan.chunkBytes; limit > 0 && !first && events > 1 && int64(size) > limit+int64(between) {
		l.problem("%s has %d bytes, and chunks of %d were asked for", path, size, limit)
	}
}
