package script_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestExamples runs those of the documents: they decide about events that bring photons and energy.
func TestExamples(t *testing.T) {
	var text []byte
	for _, name := range []string{"teb.md", "settings.md"} {
		more, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	seen := 0
	for _, block := range regexp.MustCompile("(?s)```python\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(block[1], "TriggerSource()") {
			continue
		}
		seen++
		t.Run("", func(t *testing.T) {
			r := startRig(t, rigOptions{text: block[1], args: []string{"12"}, workers: 2})
			count := r.reasons(r.exchange(2000))
			if count["hit"] == 0 || count["rejected"] == 0 || count["failed"] > 0 {
				t.Errorf("%v; log:\n%s", count, r.log)
			}
			r.check()
		})
	}
	if seen != 3 {
		t.Errorf("%d examples", seen)
	}
}

// TestForeignScript: what everybody may write to is warned of, or refused when it belongs to somebody else.
func TestForeignScript(t *testing.T) {
	r := startRig(t, rigOptions{text: batched})
	if text := r.log.String(); strings.Contains(text, "can be written by everybody") || !strings.Contains(text, "SHA-256 ") {
		t.Error(text)
	}
	r.exchange(10)
	if err := os.Chmod(r.path, 0o606); err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, r.path, batched+"# edited\n")
	if err := os.Chown(r.path, 65534, -1); err != nil {
		t.Skip("only root can give a file to another user: ", err)
	}
	r.begin(10)
	r.says("cannot be taken, the one before decides: script " + r.path + ": it belongs to another user (65534)")
	r.check()
}
