package fex

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestRecordRoundTrip(t *testing.T) {
	want := record{kind: 4, status: 3, count: 0x1234, slot: 1 << 31, generation: 0xfffffffe, bytes: 77, layout: 5,
		transition: 12, time: 1<<63 | 9}
	b := want.append([]byte{0xaa})
	if len(b) != 1+recordBytes {
		t.Fatalf("a record has %d bytes, want %d", len(b)-1, recordBytes)
	}
	var got record
	if got.parse(b[1:]); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// The layout is that of docs/formats.md.
	for _, field := range []struct {
		name  string
		at    int
		value uint64
		size  int
	}{
		{"kind", 0, 4, 1}, {"status", 1, 3, 1}, {"count", 2, 0x1234, 2}, {"slot", 4, 1 << 31, 4},
		{"generation", 8, 0xfffffffe, 4}, {"bytes", 12, 77, 4}, {"layout", 16, 5, 4}, {"transition", 20, 12, 4},
		{"time", 24, 1<<63 | 9, 8},
	} {
		var raw [8]byte
		copy(raw[:field.size], b[1+field.at:])
		if v := binary.LittleEndian.Uint64(raw[:]); v != field.value {
			t.Errorf("%s at byte %d is %d, want %d", field.name, field.at, v, field.value)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(make([]byte, recordBytes))
	f.Add(bytes.Repeat([]byte{0xff}, recordBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < recordBytes {
			return
		}
		var r, again record
		r.parse(b)
		back := r.append(nil)
		if !bytes.Equal(back, b[:recordBytes]) {
			t.Fatalf("%x became %x", b[:recordBytes], back)
		}
		if again.parse(back); again != r {
			t.Fatalf("%+v became %+v", r, again)
		}
	})
}

func TestParseFailure(t *testing.T) {
	good := `{"type":"ValueError","message":"too bright","file":"/a/roi.py","line":7,"traceback":"…"}`
	tests := []struct {
		name string
		area string
		n    uint32
		want string
	}{
		{"good", good + "rest of the area", uint32(len(good)), "/a/roi.py:7: ValueError: too bright"},
		{"without a file", `{"type":"E","message":"m"}`, 26, "E: m"},
		{"not JSON", "nonsense", 8, "ProtocolError: the child's message is unreadable"},
		{"empty", "", 0, "ProtocolError: the child's message is unreadable"},
		{"longer than the area", good, 1 << 31, "ProtocolError: the child's message does not fit in its area"},
		{"of the wrong types", `{"type":1,"line":"x"}`, 21, "ProtocolError: the child's message is unreadable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseFailure([]byte(tt.area), tt.n).String(); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzFailure(f *testing.F) {
	f.Add([]byte(`{"type":"T","message":"m","file":"f","line":3,"traceback":"t"}`), uint32(62))
	f.Add([]byte(`{`), uint32(9))
	f.Fuzz(func(t *testing.T, area []byte, n uint32) {
		got := parseFailure(area, n)
		_ = got.String()
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if back := parseFailure(again, uint32(len(again))); !reflect.DeepEqual(back, got) {
			t.Fatalf("%+v became %+v", got, back)
		}
	})
}

func TestSideList(t *testing.T) {
	area := []byte{9, 9, 9, 0, 1, 0, 0, 0, 2, 0, 0, 0}
	tests := []struct {
		name           string
		resultBytes, n int
		want           []uint32
		fits           bool
	}{
		{"behind a result of odd length", 3, 2, []uint32{1, 2}, true},
		{"behind a result of even length", 4, 1, []uint32{1}, true},
		{"behind no result", 0, 3, []uint32{0x00090909, 1, 2}, true},
		{"none", 12, 0, nil, true},
		{"one too many", 4, 3, nil, false},
		{"result as long as the area", 12, 1, nil, false},
		{"result longer than the area", 13, 0, nil, false},
		{"negative count", 0, -1, nil, false},
		{"negative length", -4, 1, nil, false},
		{"length beyond 32 bits", 1 << 40, 1, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, fits := SideList(area, tt.resultBytes, tt.n, nil)
			if fits != tt.fits || len(got) != len(tt.want) {
				t.Fatalf("got %v, %v, want %v, %v", got, fits, tt.want, tt.fits)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("word %d is %#x, want %#x", i, got[i], tt.want[i])
				}
			}
		})
	}
}

func FuzzSideList(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), uint32(3), uint16(2))
	f.Add([]byte{}, uint32(0xffffffff), uint16(0xffff))
	f.Fuzz(func(t *testing.T, area []byte, resultBytes uint32, n uint16) {
		words, fits := SideList(area, int(resultBytes), int(n), nil)
		if !fits {
			if len(words) != 0 {
				t.Fatal("words of a list that does not fit")
			}
			return
		}
		at := (int(resultBytes) + 3) &^ 3
		for i, w := range words {
			if w != binary.LittleEndian.Uint32(area[at+4*i:]) {
				t.Fatalf("word %d is %#x", i, w)
			}
		}
		if len(words) != int(n) {
			t.Fatalf("%d words of %d", len(words), n)
		}
	})
}
