package publish

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"drp/calib"
	"drp/internal/rundir"
)

// Folder is where the sockets of this user's publishers lie. They have names that last, unlike their processes.
func Folder() (string, error) { return rundir.Shared(rundir.Calib) }

const (
	socketPrefix = "calib-"
	hintBytes    = 16
	hashDigits   = 16
)

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// SocketName is the name of the socket for some segments of a detector in a partition. Partition and detector are in it
// for people; what tells all apart is the beginning of the SHA-256 of the three texts, each ended by a zero byte, the
// serials joined by dots. So the name has a bounded length, which the path of a socket needs.
func SocketName(partition, detector string, serials []string) string {
	whole := sha256.Sum256([]byte(partition + "\x00" + detector + "\x00" + calib.Serial(serials) + "\x00"))
	hint := func(text string) string { return notInNames.ReplaceAllString(text[:min(len(text), hintBytes)], "_") }
	return fmt.Sprintf("%s%s-%s-%x", socketPrefix, hint(partition), hint(detector), whole[:hashDigits/2])
}

// Sockets lists the sockets of publishers in a folder, also those that a killed one left.
func Sockets(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("calib: list publishers: %w", err)
	}
	var found []string
	for _, e := range entries {
		if e.Type() == fs.ModeSocket && strings.HasPrefix(e.Name(), socketPrefix) {
			found = append(found, filepath.Join(folder, e.Name()))
		}
	}
	return found, nil
}

// Beside a socket is a file with the generations that were published there, each on a line with the id of its set, the
// latest last. It outlasts publishers, so that generations grow over restarts and can be chosen after them.
const (
	historySuffix = ".generation"
	historyLines  = 256
)

func history(socket string) []string {
	text, err := os.ReadFile(socket + historySuffix)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// generationOf reads a line of the history; 0 is none that makes sense.
func generationOf(line string) (generation uint64, set string) {
	word, set, _ := strings.Cut(line, " ")
	generation, err := strconv.ParseUint(word, 10, 63)
	if err != nil || set != "" && !choicePattern.MatchString(set) {
		return 0, ""
	}
	return generation, set
}

// lastGeneration reads what a publisher at this socket has used before; 0 when there was none, or nothing that makes
// sense, since the clock is the other half of what makes generations grow.
func lastGeneration(socket string) uint64 {
	lines := history(socket)
	if len(lines) == 0 {
		return 0
	}
	n, _ := generationOf(lines[len(lines)-1])
	return n
}

// SetOf gives the id of the set that was published at a socket as a generation, by whatever process; "" if none was.
func SetOf(socket string, generation uint64) string {
	for _, line := range history(socket) {
		if n, set := generationOf(line); n == generation {
			return set
		}
	}
	return ""
}

// keepGeneration writes it down before it is used, while the lock of the socket is held.
func keepGeneration(socket string, generation uint64, set string) error {
	if !choicePattern.MatchString(set) {
		set = "" // of no store
	}
	lines := append(history(socket), strings.TrimSpace(fmt.Sprintf("%d %s", generation, set)))
	lines = lines[max(0, len(lines)-historyLines):]
	path := socket + historySuffix
	err := os.WriteFile(path+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return fmt.Errorf("calib: write down the generation: %w", err)
	}
	return nil
}
