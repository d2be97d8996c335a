package shm

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	shmtool "github.com/ghetzel/shmtool/shm"
)

// Leftover is a segment of ours whose owner is dead.
type Leftover struct {
	ID    int
	Bytes int64
	Owner Owner
}

// Stale lists the segments that carry our magic, belong to this user, and whose owner is dead. Segments of other
// programs, other users and living owners are never touched, whatever their size or name.
func Stale() ([]Leftover, error) {
	ids, err := candidates()
	if err != nil {
		return nil, err
	}
	var found []Leftover
	for _, c := range ids {
		owner, ours := readOwner(c.ID)
		if ours && !owner.Alive() {
			found = append(found, Leftover{ID: c.ID, Bytes: c.Bytes, Owner: owner})
		}
	}
	return found, nil
}

// Remove removes a leftover from the system's table. That it is still the same segment is checked again.
func (l Leftover) Remove() error {
	owner, ours := readOwner(l.ID)
	if !ours || owner != l.Owner || owner.Alive() {
		return fmt.Errorf("shm: segment %d is no longer the leftover of process %d: not removed", l.ID, l.Owner.PID)
	}
	if err := shmtool.DestroySegment(l.ID); err != nil {
		return fmt.Errorf("shm: remove segment %d: %w", l.ID, err)
	}
	return nil
}

func readOwner(id int) (Owner, bool) {
	seg := &shmtool.Segment{Id: id}
	addr, err := seg.Attach()
	if err != nil {
		return Owner{}, false // gone meanwhile, or not ours to attach
	}
	defer func() { _ = seg.Detach(addr) }()
	page := make([]byte, HeaderBytes)
	copy(page, unsafe.Slice((*byte)(addr), HeaderBytes))
	return parseHeader(page)
}

// candidates reads the kernel's table: private segments of this user that are big enough for our header and are not
// on their way out already (a removed segment shows as destroyed and needs no help).
func candidates() ([]Leftover, error) {
	table, err := os.Open("/proc/sysvipc/shm")
	if err != nil {
		return nil, fmt.Errorf("shm: list segments: %w", err)
	}
	defer func() { _ = table.Close() }()
	const destroyed = 0o1000 // SHM_DEST in the permission word
	var list []Leftover
	lines := bufio.NewScanner(table)
	lines.Scan() // headings: key shmid perms size cpid lpid nattch uid …
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			continue
		}
		id, errID := strconv.Atoi(f[1])
		perms, errPerms := strconv.ParseUint(f[2], 8, 32)
		size, errSize := strconv.ParseInt(f[3], 10, 64)
		uid, errUID := strconv.Atoi(f[7])
		if errID != nil || errPerms != nil || errSize != nil || errUID != nil {
			continue
		}
		if f[0] == "0" && perms&destroyed == 0 && size > HeaderBytes && uid == os.Getuid() {
			list = append(list, Leftover{ID: id, Bytes: size})
		}
	}
	return list, lines.Err()
}
