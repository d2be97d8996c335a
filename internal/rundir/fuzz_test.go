package rundir

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// FuzzName reads names of folders; what is one of ours comes back the same.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"12-34-boot", "12-34-", "-1-2-3", "+1-2-x-y", "012-0-b", "partition-p.lock", "1-2-../x", "9e9-1-b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		owner, ok := parse(text)
		if !ok {
			return
		}
		if back, ok := parse(name(owner)); !ok || back != owner {
			t.Errorf("%q is %+v and then %+v", text, owner, back)
		}
		if name(owner) != text {
			t.Errorf("%q is taken for %q", text, name(owner))
		}
	})
}

// FuzzPartition locks partitions of any name: outside the folder nothing is made.
func FuzzPartition(f *testing.F) {
	for _, seed := range []string{"p", "", "..", "../x", "a/b", "a\x00b", strings.Repeat("x", 65), "-", "ä"} {
		f.Add(seed)
	}
	f.Setenv("XDG_RUNTIME_DIR", f.TempDir())
	f.Fuzz(func(t *testing.T, partition string) {
		release, err := Lock(partition)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "partition ") {
				t.Error(err)
			}
			return
		}
		entries, err := os.ReadDir(Base())
		if err != nil || len(entries) != 1 || entries[0].Name() != lockPrefix+partition+lockSuffix {
			t.Errorf("%q: %v, %v", partition, entries, err)
		}
		release()
	})
}

// FuzzHolder reads lock files of any bytes: what is said stays short and printable.
func FuzzHolder(f *testing.F) {
	f.Add("1-2-boot\n2026-01-02T03:04:05Z\n")
	f.Add(strconv.Itoa(os.Getpid()) + "-1-x\n")
	f.Add("\x1b[31m")
	path := filepath.Join(f.TempDir(), "lock")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Skip(err)
		}
		said, _ := holderOf(path)
		if len(said) > 400 || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", said)
		}
	})
}
