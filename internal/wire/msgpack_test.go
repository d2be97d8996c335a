package wire

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// record is as rich as what we send.
type record struct {
	Version int               `json:"version"`
	Name    string            `json:"name"`
	Serials []string          `json:"serials"`
	Big     uint64            `json:"big"`
	Small   int64             `json:"small"`
	Ratio   float32           `json:"ratio"`
	Yes     bool              `json:"yes"`
	Data    []byte            `json:"data"`
	Numbers []int64           `json:"numbers"`
	Layout  []entry           `json:"layout"`
	Words   map[string]string `json:"words"`
	More    *entry            `json:"more"`
}

type entry struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

func full() record {
	return record{Version: 1, Name: strings.Repeat("n", 300), Serials: []string{"a", "b"}, Big: 1 << 63, Small: -5, Ratio: 1.5,
		Yes: true, Data: bytes.Repeat([]byte{7}, 70), Numbers: []int64{1, -1 << 40}, Layout: []entry{{"x", []int{1, 2, 70000}}},
		Words: map[string]string{"k": "v"}, More: &entry{Name: "m"}}
}

func TestRoundTrip(t *testing.T) {
	b, err := Marshal(full())
	must(t, err)
	var back record
	must(t, Unmarshal(b, &back))
	if !reflect.DeepEqual(back, full()) {
		t.Errorf("%+v", back)
	}
	for i := range b {
		if err := Scan(b[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for a message", i, len(b))
		}
	}
	if _, err := Marshal(record{Data: make([]byte, maxMessageBytes)}); err == nil {
		t.Error("a message that nobody takes was made")
	}
}

func long32(code byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{code}, n) }

// bombs make msgpack ask for gigabytes, or nest without end.
var bombs = map[string][]byte{
	"a list of 4 G":               long32(0xdd, 1<<32-1),
	"a map of 4 G":                long32(0xdf, 1<<32-1),
	"data of 4 GiB":               long32(0xc6, 1<<32-1),
	"text of 4 GiB":               long32(0xdb, 1<<32-1),
	"an extension of 4 GiB":       long32(0xc9, 1<<32-1),
	"a map of half as many":       append([]byte{0xde, 0, 3}, 1, 1, 1, 1, 1),
	"deep":                        bytes.Repeat([]byte{0x91}, 60000),
	"deep maps":                   bytes.Repeat([]byte{0x81, 0xc0}, 30000),
	"many values":                 append([]byte{0xdc, 0xff, 0xff}, make([]byte, 65535)...),
	"too much":                    append([]byte{0xc6, 0, 1, 0, 0}, make([]byte, 1<<16)...),
	"two":                         {0xc0, 0xc0},
	"nothing":                     {},
	"what is no value":            {0xc1},
	"a length that is cut off":    {0xdd, 0},
	"an extension without a type": {0xc7, 0},
	"a number that is cut off":    {0xcf, 0, 0, 0},
}

func TestBombs(t *testing.T) {
	for name, b := range bombs {
		t.Run(name, func(t *testing.T) {
			if got := taken(func() {
				if err := Unmarshal(b, &record{}); err == nil {
					t.Error("it was taken")
				}
			}); got > 1<<20 {
				t.Errorf("it took %d bytes", got)
			}
		})
	}
	whole := bytes.Repeat([]byte{0x91}, scanDepth-1)
	must(t, Scan(append(whole, 0x90)))
}

func TestScanAllocatesNothing(t *testing.T) {
	b, err := Marshal(full())
	must(t, err)
	if n := testing.AllocsPerRun(100, func() { _ = Scan(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func taken(f func()) uint64 {
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&now)
	return now.TotalAlloc - before.TotalAlloc
}
