package store_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drp/calib"
	"drp/calib/store"
)

// arrays are the payload files of a store.
func arrays(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "arrays", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDamagedPayload spoils each array in turn, in several ways.
func TestDamagedPayload(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"empty":     func(b []byte) []byte { return nil },
		"one bit":   func(b []byte) []byte { b[len(b)-3] ^= 4; return b },
		"header":    func(b []byte) []byte { b[9] ^= 0xff; return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			st := create(t, dir)
			set := makeSet("1")
			id := put(t, st, set)
			files := arrays(t, dir)
			if len(files) != 5 {
				t.Fatalf("%v", files)
			}
			for _, path := range files {
				good, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, spoil(append([]byte(nil), good...)), 0o640); err != nil {
					t.Fatal(err)
				}
				var refused *calib.RefusedError
				_, err = st.Get(context.Background(), calib.Query{Detector: "cam", Run: 1})
				if !errors.As(err, &refused) || !strings.Contains(refused.Reason, id) {
					t.Errorf("%s: %v", path, err)
				}
				put(t, st, set) // repairs it
				if now, err := os.ReadFile(path); err != nil || string(now) != string(good) {
					t.Errorf("%s was not repaired: %v", path, err)
				}
			}
			if _, err := st.Load(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	st := create(t, dir)
	put(t, st, makeSet("1"))
	good := arrays(t, dir)
	for _, path := range good {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	folder := filepath.Dir(good[0])
	orphan := filepath.Join(folder, strings.Repeat("ab", 32)+".npy")
	half := filepath.Join(folder, ".new-77-0")
	strange := filepath.Join(folder, "notes.txt")
	for _, path := range []string{orphan, half, strange} {
		if err := os.WriteFile(path, []byte("x"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	create(t, dir)
	left := arrays(t, dir)
	if len(left) != len(good)+1 {
		t.Errorf("%v are left", left)
	}
	if _, err := os.Stat(strange); err != nil {
		t.Error("a file that is not ours was removed")
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := store.Open(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "drp calib put") {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("looking made %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "calib.sqlite"), []byte("this is no database, it only has its name"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("%v", err)
	}
}

// TestStrangeDatabases: what others made, and what a later version will.
func TestStrangeDatabases(t *testing.T) {
	for name, test := range map[string]struct{ query, want string }{
		"of others":  {"CREATE TABLE sets (x)", "database of something else"},
		"of a later": {"PRAGMA user_version = 2", "use a newer drp"},
	} {
		dir := t.TempDir()
		if name == "of a later" {
			put(t, create(t, dir), makeSet("1"))
		}
		db, err := sql.Open("sqlite", filepath.Join(dir, "calib.sqlite"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(test.query); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Create(dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReadOnly uses a store without the permission to write. Root has every permission, so that a thread of it becomes
// somebody else, in the eyes of the file system, and ends with the test.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	put(t, create(t, dir), makeSet("1"))
	chmod := func(mode fs.FileMode) {
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error { return os.Chmod(path, mode) })
	}
	chmod(0o555)
	defer chmod(0o755)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		st, err := store.Open(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = st.Close() }()
		if _, err := st.Get(context.Background(), calib.Query{Detector: "cam", Run: 1}); err != nil {
			t.Error(err)
		}
		if _, err := st.Put(context.Background(), makeSet("1")); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v", err)
		}
	}()
	<-done
}

// TestManyAtOnce puts and gets from several processes, so to speak: each has its own Embedded, as a process would.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	put(t, create(t, dir), makeSet("1"))
	const users, sets = 4, 10
	var wait sync.WaitGroup
	for user := range users {
		wait.Go(func() {
			for i := range sets {
				st, err := store.Open(dir) // cleans up, while others put
				if err != nil {
					t.Error(err)
					return
				}
				s := with(makeSet("1"), func(s *calib.Set) { s.Pedestals[0] = float32(user*sets + i) })
				if _, err := st.Put(context.Background(), s); err != nil {
					t.Error(err)
				}
				if _, err := st.Get(context.Background(), calib.Query{Detector: "cam", Run: 1}); err != nil {
					t.Error(err)
				}
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := whole(t, dir); n != 1+users*sets {
		t.Errorf("%d sets, want %d", n, 1+users*sets)
	}
}

// whole counts the sets, each of which must be there with all that belongs to it.
func whole(t *testing.T, dir string) int {
	t.Helper()
	st := create(t, dir)
	entries, err := st.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := st.Load(context.Background(), e.ID); err != nil {
			t.Error(err)
		}
	}
	return len(entries)
}

// TestKilled kills processes that put sets at moments that chance chooses. What is in the store is whole each time, what a
// process was told is in it is, and at the end nothing is left over.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("DRP_TEST_STORE"); dir != "" {
		st := create(t, dir)
		for i := 0; ; i++ {
			s := with(makeSet("1"), func(s *calib.Set) {
				s.Rows, s.Cols = 64, 64 // large enough to be hit while it is written
				s.RMS, s.Status, s.Mask = nil, nil, nil
				s.Pedestals, s.Gains = make([]float32, 7*64*64), make([]float32, 7*64*64)
				for k := range s.Gains {
					s.Gains[k] = float32(os.Getpid()*1000 + i)
				}
			})
			fmt.Println("put " + put(t, st, s))
		}
	}
	dir := t.TempDir()
	promised := map[string]bool{}
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "DRP_TEST_STORE="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan() && strings.HasPrefix(lines.Text(), "put "); n++ {
			promised[lines.Text()[4:]] = true
			if n == round%3 {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // a moment, not a wait
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // killed
		if n := whole(t, dir); n < len(promised) {
			t.Fatalf("%d sets, and %d were promised", n, len(promised))
		}
	}
	st := create(t, dir)
	for id := range promised {
		if _, err := st.Load(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
	needed := map[string]bool{}
	entries, _ := st.List(context.Background(), "")
	for _, e := range entries {
		s, err := st.Load(context.Background(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"pedestals", "gains"} {
			h := sha256.New()
			if err := store.WriteArray(h, s, name); err != nil {
				t.Fatal(err)
			}
			needed[fmt.Sprintf("%x.npy", h.Sum(nil))] = true
		}
	}
	for _, path := range arrays(t, dir) {
		if !needed[filepath.Base(path)] {
			t.Errorf("%s is left over", path)
		}
	}
}
