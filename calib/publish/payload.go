package publish

import (
	"fmt"

	"drp/calib"
	"drp/internal/wire"
	"drp/shm"
)

// chunkBytes is how much of the constants one message carries.
const chunkBytes = 1 << 20

// chunk is the head of such a message; the bytes follow as a frame of their own.
type chunk struct {
	Format     int    `json:"format"`
	Generation uint64 `json:"generation"`
	Offset     int    `json:"offset"` // from the first array
}

// payload is an announcement and then the constants themselves, for those who share no memory with us. The memory is held
// while somebody takes them.
func payload(s *Segment, announcement []byte) wire.Burst {
	return func(yield func([][]byte) bool) {
		if !s.hold() {
			return // there is a newer one by now, which is queued behind this
		}
		defer func() { _ = s.Release() }()
		if !yield([][]byte{announcement}) {
			return
		}
		all := s.memory.Bytes()[arraysAt-shm.HeaderBytes:][:s.Bytes]
		for at := 0; at < len(all); at += chunkBytes {
			head, err := wire.Marshal(&chunk{Format: FormatVersion, Generation: s.Generation, Offset: at})
			if err != nil || !yield([][]byte{head, all[at:min(at+chunkBytes, len(all))]}) {
				return
			}
		}
	}
}

// assembly is constants that arrive in chunks.
type assembly struct {
	announced *Announcement
	memory    []byte // has room for what was announced; touched only as far as it has arrived
	have      int
}

// begin makes room for the constants of an announcement.
func begin(a *Announcement, maxBytes int) (*assembly, error) {
	if a.Bytes < 1 || a.Bytes > maxBytes {
		return nil, fmt.Errorf("calib: %s announces constants of %d bytes: at most %d are taken", a.Detector, a.Bytes, maxBytes)
	}
	return &assembly{announced: a, memory: make([]byte, a.Bytes)}, nil
}

// add takes the next chunk. When it was the last, the constants are checked and given.
func (as *assembly) add(head, data []byte) (*calib.Set, error) {
	var c chunk
	if err := wire.Unmarshal(head, &c); err != nil {
		return nil, fmt.Errorf("calib: a chunk of constants that cannot be read: %w", err)
	}
	a := as.announced
	if c.Format != FormatVersion || c.Generation != a.Generation || c.Offset != as.have || len(data) == 0 ||
		len(data) > len(as.memory)-as.have {
		return nil, fmt.Errorf("calib: a chunk of %d bytes at %d of generation %d, after %d of %d bytes of generation %d of %s",
			len(data), c.Offset, c.Generation, as.have, len(as.memory), a.Generation, a.Detector)
	}
	as.have += copy(as.memory[as.have:], data)
	if as.have < len(as.memory) {
		return nil, nil
	}
	s, err := a.set(as.memory, arraysAt)
	if err == nil {
		err = verify(s)
	}
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}
