package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Status is the name of the socket at which a run tells how it is doing.
const Status = "status.sock"

// Living gives the paths of the sockets of one name in the folders of living processes.
func Living(socket string) ([]string, error) {
	entries, err := os.ReadDir(Base())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = Private(Base())
	}
	if err != nil {
		return nil, fmt.Errorf("rundir: %w", err)
	}
	var found []string
	for _, e := range entries {
		path := filepath.Join(Base(), e.Name(), socket)
		if owner, ours := parse(e.Name()); !ours || !owner.Alive() {
			continue
		}
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			found = append(found, path)
		}
	}
	return found, nil
}

// RemoveDead removes the folders whose owners are dead, as far as they can be: a process that was killed leaves its sockets.
func RemoveDead() {
	stale, err := Stale()
	if err != nil {
		return // who asks for a folder is told
	}
	for _, path := range stale {
		if !strings.HasSuffix(path, lockSuffix) {
			_ = Remove(path) // another may have done so just now, and drp clean says why it cannot
		}
	}
}
