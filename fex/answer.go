package fex

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
)

// Status is how a request ended.
type Status uint8

// The ends of a request. The first four are the child's own words.
const (
	OK       Status = iota
	Rejected        // the script does not want the event
	Failed          // the script raised; Failure says where
	Oversize        // as Failed, since a result did not fit
	Crashed         // children died of it, hung, or answered nonsense
	Unserved        // the worker has no child any more
)

// Answer is what became of one request.
type Answer struct {
	Tag         uint64 // the caller's, from the request
	Status      Status
	ResultBytes int // valid bytes at the start of the result area, when OK
	SideWords   int // u32 words that follow them, at the next multiple of 4
	Failure     *Failure
	Copied      *Result // of a transition; nil is none
	Constants   uint32  // to a transition: which constants the script's process holds, as it was told; 0 is none
}

// Result is a copy of what the script made of a transition: the child writes the next one in the same place.
type Result struct {
	Blocks []byte
	Side   []uint32
}

// Blocks are the blocks that the script added to a transition.
func (a *Answer) Blocks() []byte {
	if a.Copied == nil {
		return nil
	}
	return a.Copied.Blocks
}

// Side is the side list of a transition.
func (a *Answer) Side() []uint32 {
	if a.Copied == nil {
		return nil
	}
	return a.Copied.Side
}

// Failure is what a script says when it fails.
type Failure struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	Traceback string `json:"traceback"`
	Exhausted bool   `json:"exhausted"` // the process lacks memory or descriptors, and may go on lacking them

	Deaths []Death `json:"-"` // of the children that an event killed
}

// String names script and line in one line.
func (f *Failure) String() string {
	switch {
	case f.File == "":
		return fmt.Sprintf("%s: %s", f.Type, f.Message)
	case f.Line == 0:
		return fmt.Sprintf("%s: %s: %s", f.File, f.Type, f.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Type, f.Message)
}

// parseFailure reads the message a child left in a result area. The area is the child's: any bytes may be there.
func parseFailure(area []byte, n uint32) *Failure {
	f := &Failure{}
	if int64(n) > int64(len(area)) {
		return &Failure{Type: "ProtocolError", Message: "the child's message does not fit in its area"}
	}
	if err := json.Unmarshal(area[:n], f); err != nil {
		return &Failure{Type: "ProtocolError", Message: "the child's message is unreadable: " + err.Error()}
	}
	f.Type, f.Message, f.File = oneLine(f.Type), oneLine(f.Message), oneLine(f.File)
	lines := strings.Split(strings.TrimRight(f.Traceback, "\n"), "\n")
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	f.Traceback = strings.Join(lines[max(0, len(lines)-maxTracebackLines):], "\n")
	return f
}

// Bounds of what a failure may put into the log. The end of a traceback says most.
const (
	maxMessageBytes   = 500
	maxTracebackLines = 60
)

// oneLine makes a text of the script's safe for terminals and logs, and short.
func oneLine(text string) string {
	if len(text) > maxMessageBytes {
		text = strings.ToValidUTF8(text[:maxMessageBytes], "") + "…"
	}
	return printable([]byte(strings.ReplaceAll(text, "\n", " ")))
}

// SideList reads n u32 words after resultBytes in a result area; it reports whether they fit.
func SideList(area []byte, resultBytes, n int, dst []uint32) ([]uint32, bool) {
	at := (resultBytes + 3) &^ 3
	if resultBytes < 0 || n < 0 || at+4*n > len(area) {
		return dst, false
	}
	for range n {
		dst = append(dst, binary.LittleEndian.Uint32(area[at:]))
		at += 4
	}
	return dst, true
}
