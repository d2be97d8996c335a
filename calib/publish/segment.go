package publish

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"drp/calib"
	"drp/internal/wire"
	"drp/shm"
)

// Constants in a shm segment, after its header page:
//
//	0          8     12       16           24        32       64               64 KiB
//	+----------+-----+--------+------------+---------+--------+-------------+--+-----------+-- … --+
//	| drpcal1\0| ver | length | generation | end     | digest | description |0 | pedestals | gains | …
//	+----------+-----+--------+------------+---------+--------+-------------+--+-----------+-- … --+
//
// The description is the announcement, so that the id alone is enough to use the constants.
const (
	descriptionAt   = 64
	descriptionRoom = 64 << 10
	digestBytes     = 32
)

var magic = [8]byte{'d', 'r', 'p', 'c', 'a', 'l', '1', 0}

// Segment is one generation of constants in the shared memory of this process.
type Segment struct {
	Announcement
	memory *shm.Segment
	set    *calib.Set

	mu      sync.Mutex
	holders int // the memory is given back with the last one
}

// newSegment writes a set into new shared memory, and nothing ever changes it afterwards.
func newSegment(set *calib.Set, fill func(*Announcement)) (*Segment, error) {
	if set.Digest == "" {
		return nil, fmt.Errorf("calib: publish the constants of %s: they were not checked", set.Detector)
	}
	layout, end, err := plan(set)
	if err != nil {
		return nil, err
	}
	s := &Segment{Announcement: announce(set, layout, end), holders: 1}
	fill(&s.Announcement)
	if s.memory, err = shm.Create(end - shm.HeaderBytes); err != nil {
		return nil, fmt.Errorf("calib: publish the constants of %s: %w", set.Detector, err)
	}
	s.Segment = s.memory.ID()
	if err := s.write(set, end); err != nil {
		_ = s.memory.Close()
		return nil, err
	}
	return s, nil
}

func (s *Segment) write(set *calib.Set, end int) error {
	memory := s.memory.Bytes()
	byName := map[string][]byte{}
	for _, f := range fields(set) {
		byName[f.name] = f.from
	}
	for _, a := range s.Layout {
		copy(memory[a.Offset-shm.HeaderBytes:], byName[a.Name])
	}
	description, err := wire.Marshal(&s.Announcement)
	if err != nil {
		return err
	}
	if len(description) > descriptionRoom-descriptionAt {
		return fmt.Errorf("calib: what is to be said of %s takes %d bytes, and there is room for %d: use fewer segments",
			s.Detector, len(description), descriptionRoom-descriptionAt)
	}
	digest, err := hex.DecodeString(s.Digest)
	if err != nil || len(digest) != digestBytes {
		return fmt.Errorf("calib: the digest of %s is %q", s.Detector, s.Digest)
	}
	copy(memory[descriptionAt:], description)
	copy(memory[32:], digest)
	binary.LittleEndian.PutUint64(memory[24:], uint64(end))
	binary.LittleEndian.PutUint64(memory[16:], s.Generation)
	binary.LittleEndian.PutUint32(memory[12:], uint32(len(description)))
	binary.LittleEndian.PutUint32(memory[8:], FormatVersion)
	copy(memory, magic[:])
	if err := s.memory.ForReaders(); err != nil {
		return err
	}
	s.set, err = s.Announcement.set(memory, shm.HeaderBytes)
	return err
}

// Set is the constants, in the shared memory. Nobody may write to them.
func (s *Segment) Set() *calib.Set { return s.set }

// hold keeps the memory for one more; it tells whether it is still there.
func (s *Segment) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders == 0 {
		return false
	}
	s.holders++
	return true
}

// Release gives the memory back, once for each holder. Who has attached it keeps it.
func (s *Segment) Release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders--; s.holders > 0 {
		return nil
	}
	if s.holders < 0 {
		panic("calib: a segment was released more often than it was held")
	}
	return s.memory.Close()
}

// Attached is the constants of another process, or of this one, attached by their id.
type Attached struct {
	Set        *calib.Set // whose arrays lie in the shared memory, and are valid until Close
	Owner      shm.Owner
	Generation uint64
	view       *shm.View
}

// Attach attaches constants by the id of their segment. What lies there is checked before it is believed, but for the
// values: those were checked by the publisher, who is the same user, and Verify does it again.
func Attach(id int) (*Attached, error) {
	v, err := shm.Attach(id)
	if err != nil {
		return nil, fmt.Errorf("calib: attach constants: %w", err)
	}
	a := &Attached{Owner: v.Owner, view: v}
	if err := a.read(v.Bytes()); err != nil {
		return nil, errors.Join(fmt.Errorf("calib: attach constants of shm segment %d: %w", id, err), v.Close())
	}
	return a, nil
}

func (a *Attached) read(memory []byte) error {
	if len(memory) < descriptionRoom || !bytes.Equal(memory[:len(magic)], magic[:]) {
		return errors.New("there are none")
	}
	version, length := binary.LittleEndian.Uint32(memory[8:]), binary.LittleEndian.Uint32(memory[12:])
	if version != FormatVersion {
		return fmt.Errorf("they have format %d, and this program reads %d", version, FormatVersion)
	}
	if length > descriptionRoom-descriptionAt {
		return fmt.Errorf("a description of %d bytes", length)
	}
	said, err := parse(bytes.Clone(memory[descriptionAt : descriptionAt+length]))
	if err != nil {
		return err
	}
	a.Generation = binary.LittleEndian.Uint64(memory[16:])
	if a.Generation != said.Generation || hex.EncodeToString(memory[32:32+digestBytes]) != said.Digest {
		return errors.New("its head and its description are of different constants")
	}
	a.Set, err = said.set(memory, shm.HeaderBytes)
	return err
}

// Verify reads all values, and tells whether they are what the digest says.
func (a *Attached) Verify() error { return verify(a.Set) }

// verify computes the digest of a set anew.
func verify(s *calib.Set) error {
	again := *s
	again.Seal()
	if again.Digest != s.Digest {
		return fmt.Errorf("calib: the constants of %s have the digest %.16s… and not %.16s…, as announced: they are not used",
			s.Detector, again.Digest, s.Digest)
	}
	return nil
}

// Close detaches. A second Close does nothing.
func (a *Attached) Close() error { return a.view.Close() }
