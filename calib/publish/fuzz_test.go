package publish

import (
	"encoding/binary"
	"testing"

	"drp/internal/wire"
	"drp/shm"
)

// FuzzAttached reads shared memory of any contents: what is taken lies inside it.
func FuzzAttached(f *testing.F) {
	seg, err := newSegment(sized(f, "camera", 1, 2), func(a *Announcement) { a.Generation = 7 })
	if err != nil {
		f.Fatal(err)
	}
	memory := seg.memory.Bytes()
	length := binary.LittleEndian.Uint32(memory[12:])
	f.Add(memory[:descriptionAt+length], memory[arraysAt-shm.HeaderBytes:])
	f.Cleanup(func() { _ = seg.Release() })
	f.Fuzz(func(t *testing.T, head, arrays []byte) {
		if len(head) > descriptionRoom || len(arrays) > 1<<20 {
			return
		}
		memory := make([]byte, descriptionRoom+len(arrays))
		copy(memory, head)
		copy(memory[descriptionRoom:], arrays)
		a := &Attached{}
		if a.read(memory) != nil {
			return
		}
		_ = a.Verify() // touches all of it
	})
}

// FuzzAssembly takes an announcement and chunks from anybody: no more memory than allowed, and no values that were not
// checked.
func FuzzAssembly(f *testing.F) {
	seg, err := newSegment(sized(f, "camera", 1, 2), func(a *Announcement) { a.Generation = 7 })
	if err != nil {
		f.Fatal(err)
	}
	b, err := wire.Marshal(&seg.Announcement)
	if err != nil {
		f.Fatal(err)
	}
	payload(seg, b)(func(frames [][]byte) bool {
		if len(frames) == 2 {
			f.Add(b, frames[0], append([]byte(nil), frames[1]...))
		}
		return true
	})
	_ = seg.Release()
	f.Fuzz(func(t *testing.T, announcement, head, data []byte) {
		a, err := parse(announcement)
		if err != nil {
			return
		}
		as, err := begin(a, 1<<20)
		if err != nil {
			return
		}
		if len(as.memory) > 1<<20 {
			t.Fatalf("%d bytes", len(as.memory))
		}
		for range 3 {
			set, err := as.add(head, data)
			if err != nil {
				return
			}
			if set != nil {
				if err := set.Check(); err != nil {
					t.Error(err)
				}
				return
			}
		}
	})
}
