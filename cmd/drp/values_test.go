package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestSizes(t *testing.T) {
	for _, test := range []struct {
		text string
		unit int64
		want int64 // -1: refused
	}{
		{"0", 1, 0}, {"1048576", 1, 1 << 20}, {"500MB", 1, 500e6}, {"1GB", 1, 1e9}, {"1GiB", 1, 1 << 30}, {"64 KiB", 1, 64 << 10},
		{"2kB", 1, 2000}, {"3tib", 1, 3 << 40}, {"1.5GB", 1, 15e8}, {"0.5KiB", 1, 512}, {"7B", 1, 7}, {"9007199254740993B", 1, 1<<53 + 1},
		{"300", 1 << 20, 300 << 20}, {"2GB", 1 << 20, 2e9},
		{"", 1, -1}, {"-1", 1, -1}, {"GB", 1, -1}, {"1K", 1, -1}, {"1.5", 1, -1}, {"1GBs", 1, -1}, {"1e6", 1, -1}, {"9999999TiB", 1, -1},
		{"99999999999999999999", 1, -1}, {"8796093022208", 1 << 20, -1}, {"1_000", 1, -1}, {"9999999.5TB", 1, -1},
	} {
		var got int64
		err := size[int64]{&got, test.unit}.Set(test.text)
		if test.want < 0 && (err == nil || !strings.Contains(err.Error(), "500MB or 1GiB")) || test.want >= 0 && (err != nil || got != test.want) {
			t.Errorf("%q of %d: %d, %v; want %d", test.text, test.unit, got, err, test.want)
		}
	}
}

// FuzzSize reads sizes; what is one can be written as a number of bytes.
func FuzzSize(f *testing.F) {
	for _, seed := range []string{"1", "500MB", "1.5 GiB", "-1", "9223372036854775807", "1e9", "٣MB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n, again int
		if (size[int]{&n, 1}).Set(text) != nil {
			return
		}
		if err := (size[int]{&again, 1}).Set(strconv.Itoa(n)); n < 0 || err != nil || again != n {
			t.Errorf("%q is %d, and that is %d, %v", text, n, again, err)
		}
	})
}

// TestEverySizeTakesUnits: no flag of bytes is forgotten.
func TestEverySizeTakesUnits(t *testing.T) {
	newRunCommand().Flags().VisitAll(func(flag *pflag.Flag) {
		if takes := flag.Value.Type() == "bytes"; takes != strings.HasSuffix(flag.Name, "-bytes") {
			t.Errorf("--%s has the type %s", flag.Name, flag.Value.Type())
		}
	})
}

// TestValuesRefused: each is one sentence without the words of a library, from a flag as from a file.
func TestValuesRefused(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "script.py"), "import drp\n")
	tests := []struct {
		flag, value string
		code        int
		want        string
	}{
		{"stream", "99999", 2, "stream 99999: give 0 to 999, or -1 for that of the source"},
		{"stream", "-2", 2, "stream -2: give 0 to 999"},
		{"stream", "1a", 2, `invalid argument "1a" for "--stream": give a whole number`},
		{"soft-deadline", "31s", 2, "--soft-deadline 31s is above --deadline 30s"},
		{"soft-deadline", "1ms", 2, "--soft-deadline 1ms: give 100ms or more, or 0 for none"},
		{"deadline", "1ns", 2, "--deadline 1ns: give 100ms or more"},
		{"deadline", "0", 2, "--deadline 0s: give 100ms or more"},
		{"deadline", "30", 2, `invalid argument "30" for "--deadline": give a time with its unit, such as 500ms`},
		{"slots", "0", 2, "--slots 0: give a number above 0, or leave the flag out"},
		{"buf-bytes", "0", 2, "--buf-bytes 0: give a number above 0"},
		{"partition", "", 2, "--partition: give a name, or leave the flag out"},
		{"chunk-time", "1ns", 2, "--chunk-time 1ns: give 1s or more, or 0 for one file"},
		{"chunk-bytes", "1GG", 2, `invalid argument "1GG" for "--chunk-bytes": give a number of bytes, such as 1048576, 500MB or 1GiB`},
		{"workers", "many", 2, `invalid argument "many" for "--workers": give a whole number`},
		{"max-loss", "few", 2, `invalid argument "few" for "--max-loss": give a number`},
		{"loop", "maybe", 2, `invalid argument "maybe" for "--loop": give true or false`},
		{"quarantine", "/proc/x", 3, "--quarantine: files cannot be written to /proc/x: "},
		{"quarantine", script, 3, "not a directory"},
	}
	for _, test := range tests {
		t.Run(test.flag+" "+test.value, func(t *testing.T) {
			code, _, said := command(t, "-p", script, "--"+test.flag+"="+test.value)
			if code != test.code || !strings.Contains(said, "drp: "+test.want) && test.value != script || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d: %s", code, said)
			}
			file := write(t, filepath.Join(t.TempDir(), "drp.yaml"), fmt.Sprintf("%s: %q\n", test.flag, test.value))
			code, _, said = command(t, "-p", script, "--config", file)
			if code != 2 && code != 3 || !strings.Contains(said, test.want) || strings.Contains(said, "strconv") {
				t.Errorf("from a file: exit code %d: %s", code, said)
			}
		})
	}
	if left, _ := os.ReadDir("/proc/x"); left != nil {
		t.Error(left)
	}
}

func TestASoftDeadlineThatWasNotGivenIsNoMistake(t *testing.T) {
	noEnvironment(t)
	if code, _, said := command(t, "--deadline", "5s"); code != 2 || !strings.Contains(said, "no script") {
		t.Errorf("%d %s", code, said)
	}
}

// TestFolders: what was made on the way is gone again, what was there or holds something stays.
func TestFolders(t *testing.T) {
	base := t.TempDir()
	deep := filepath.Join(base, "a", "b", "c")
	if err := tryFolder("--quarantine", deep); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(base); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	made := absent(deep)
	if len(made) != 3 || made[0] != filepath.Join(base, "a") {
		t.Fatal(made)
	}
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(base, "a", "b", "file"), "")
	made.removeEmpty()
	if _, err := os.Stat(deep); err == nil {
		t.Error("an empty folder stays")
	}
	if _, err := os.Stat(filepath.Join(base, "a", "b", "file")); err != nil {
		t.Error(err)
	}
	if found := absent(base); len(found) > 0 {
		t.Errorf("absent: %v", found)
	}
}
