package xtc

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	dataSuffix       = ".xtc2"
	smallSuffix      = ".smd.xtc2"
	inProgressSuffix = ".inprogress"
	smallDataDir     = "smalldata"
)

// A FileName is what the name of a file says: <expt>-r<run>-s<stream>-c<chunk>.
type FileName struct {
	Expt               string
	Run, Stream, Chunk int
}

func (n FileName) stem() string {
	return fmt.Sprintf("%s-r%04d-s%03d-c%03d", n.Expt, n.Run, n.Stream, n.Chunk)
}

// Data is the name of the big file.
func (n FileName) Data() string { return n.stem() + dataSuffix }

// SmallData is the name of the small data file, in its folder beside the big file.
func (n FileName) SmallData() string { return filepath.Join(smallDataDir, n.stem()+smallSuffix) }

func (n FileName) check() error {
	switch {
	case n.Expt == "" || n.Expt != filepath.Base(n.Expt) || strings.HasPrefix(n.Expt, "."):
		return fmt.Errorf("experiment %q cannot begin a file name", n.Expt)
	case n.Run < 0 || n.Stream < 0 || n.Chunk < 0:
		return errors.New("run, stream and chunk cannot be negative")
	}
	return nil
}

// ParseFileName reads the name of a big or a small data file, also of one in progress; folders before it are ignored.
func ParseFileName(path string) (FileName, bool) {
	stem := strings.TrimSuffix(filepath.Base(path), inProgressSuffix)
	stem, small := strings.CutSuffix(stem, smallSuffix)
	if !small {
		var ok bool
		if stem, ok = strings.CutSuffix(stem, dataSuffix); !ok {
			return FileName{}, false
		}
	}
	var n FileName
	var okRun, okStream, okChunk bool
	stem, n.Chunk, okChunk = cutNumber(stem, "-c", 3)
	stem, n.Stream, okStream = cutNumber(stem, "-s", 3)
	n.Expt, n.Run, okRun = cutNumber(stem, "-r", 4)
	return n, okRun && okStream && okChunk && n.check() == nil
}

// cutNumber cuts the last mark and the digits after it.
func cutNumber(s, mark string, minDigits int) (before string, number int, ok bool) {
	at := strings.LastIndex(s, mark)
	if at < 0 {
		return s, 0, false
	}
	digits := s[at+len(mark):]
	v, err := strconv.ParseUint(digits, 10, 31)
	return s[:at], int(v), err == nil && len(digits) >= minDigits
}
