package fex_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// The test binary plays the child when the environment says so: a program that knows the protocol of docs/formats.md
// by heart and breaks it on purpose.
const fakeVariable = "DRP_TEST_FAKE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeVariable); mode != "" {
		if os.Getenv("DRP_CHILD") != "" {
			fakeChild(mode)
		} else {
			fmt.Println("3 11") // it is asked for its version
		}
		os.Exit(0)
	}
	os.Exit(testkit.Main(m))
}

const recordBytes = 32

// faulty tells the events at which a fake child does wrong.
func faulty(time uint64) bool { return time%10 == 3 }

type fake struct {
	in   io.Reader
	out  *os.File
	mode string
	once bool // do wrong only when the event came with others, so that it goes well the second time
}

func fakeChild(mode string) {
	f := &fake{in: os.NewFile(3, "requests"), out: os.NewFile(4, "answers")}
	f.mode, f.once = strings.CutSuffix(mode, " once")
	f.greet()
	record := make([]byte, recordBytes)
	for {
		if _, err := io.ReadFull(f.in, record); err != nil {
			return
		}
		switch record[0] {
		case 2:
			_, _ = io.CopyN(io.Discard, f.in, int64(binary.LittleEndian.Uint32(record[12:])))
			f.replay(record)
		case 3:
			f.answer(record)
		case 4:
			solo := record[1]&1 != 0
			if faulty(binary.LittleEndian.Uint64(record[24:])) && (!f.once || !solo) {
				f.fault(record)
			} else {
				f.answer(record)
			}
		}
	}
}

func (f *fake) write(b []byte) {
	if _, err := f.out.Write(b); err != nil {
		os.Exit(0)
	}
}

// answer says OK, nothing added.
func (f *fake) answer(record []byte) {
	record[1], record[2], record[3] = 0, 0, 0
	binary.LittleEndian.PutUint32(record[12:], 0)
	f.write(record)
}

func (f *fake) replay(record []byte) {
	if f.mode == "replay failed" {
		record[1] = 2
		f.write(record)
		return
	}
	f.answer(record)
}

func (f *fake) greet() {
	record := make([]byte, recordBytes)
	_, _ = io.ReadFull(f.in, record)
	text := make([]byte, binary.LittleEndian.Uint32(record[12:]))
	_, _ = io.ReadFull(f.in, text)
	var hello struct{ Version int }
	if err := json.Unmarshal(text, &hello); err != nil || hello.Version != 2 {
		fmt.Fprintln(os.Stderr, "the hello is no hello:", string(text))
		os.Exit(9)
	}
	answer := []byte(`{"version":2,"pid":1,"python":"3.fake","numpy":"0.fake","drp":"0"}`)
	switch f.mode {
	case "hello: version":
		answer = []byte(`{"version":99}`)
	case "hello: no JSON":
		answer = []byte(`%%%`)
	case "hello: kind":
		record[0] = 7
	case "hello: endless":
		binary.LittleEndian.PutUint32(record[12:], 1<<30)
		f.write(record)
		_, _ = io.Copy(io.Discard, f.in)
	case "hello: half":
		f.write(record[:9])
		os.Exit(0)
	case "hello: silent":
		_, _ = io.Copy(io.Discard, f.in)
	case "hello: environment":
		fmt.Fprintln(os.Stderr, "numpy is missing in fake: pip install numpy")
		os.Exit(3)
	case "hello: exit":
		fmt.Fprintln(os.Stderr, "something else is wrong")
		os.Exit(1)
	case "hello: wordless":
		os.Exit(1)
	case "hello: noise":
		f.write(bytes.Repeat([]byte{0xee}, 100))
		_, _ = io.Copy(io.Discard, f.in)
	}
	binary.LittleEndian.PutUint32(record[12:], uint32(len(answer)))
	f.write(append(record, answer...))
}

// fault answers an event wrongly.
func (f *fake) fault(record []byte) {
	put := binary.LittleEndian.PutUint32
	switch f.mode {
	case "garbage":
		f.write(bytes.Repeat([]byte{0xee}, recordBytes))
	case "slot":
		put(record[4:], binary.LittleEndian.Uint32(record[4:])+1)
		f.answer(record)
	case "generation":
		put(record[8:], binary.LittleEndian.Uint32(record[8:])-1)
		f.answer(record)
	case "kind":
		record[0] = 3
		f.answer(record)
	case "status":
		record[1], record[2], record[3] = 200, 0, 0
		f.write(record)
	case "half record":
		f.write(record[:16])
		os.Exit(0)
	case "closed pipe":
		_ = f.out.Close()
		_, _ = io.Copy(io.Discard, f.in)
	case "deaf":
		_ = f.in.(*os.File).Close()
		f.answer(record)
		time.Sleep(time.Hour)
	case "silent":
		_, _ = io.Copy(io.Discard, f.in)
	case "exit":
		os.Exit(0)
	case "twice":
		f.answer(record)
		f.answer(record)
	case "flood":
		f.write(bytes.Repeat([]byte{0xee}, 1<<20))
	case "unreadable failure", "huge failure":
		record[1], record[2], record[3] = 2, 0, 0
		put(record[12:], 5)
		if f.mode == "huge failure" {
			put(record[12:], 0xffffffff)
		}
		f.write(record)
	default:
		f.answer(record)
	}
}
