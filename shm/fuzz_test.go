package shm

import "testing"

// FuzzHeader reads first pages of any bytes; an owner that was read is written and read the same.
func FuzzHeader(f *testing.F) {
	page := make([]byte, HeaderBytes)
	putHeader(page, Owner{PID: 77, StartTime: 1 << 40, BootID: "0f0e0d0c-0000-4000-8000-000000000000"})
	f.Add(page[:80])
	f.Add([]byte("drpshm1\x00"))
	f.Fuzz(func(t *testing.T, start []byte) {
		page, again := make([]byte, HeaderBytes), make([]byte, HeaderBytes)
		copy(page, start)
		if _, ours := parseHeader(start[:min(len(start), HeaderBytes-1)]); ours {
			t.Error("a page that is cut off is ours")
		}
		owner, ours := parseHeader(page)
		if !ours {
			return
		}
		_ = owner.Alive()
		putHeader(again, owner)
		if back, ours := parseHeader(again); !ours || back != owner {
			t.Errorf("%+v became %+v", owner, back)
		}
	})
}
