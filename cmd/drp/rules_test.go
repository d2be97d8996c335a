package main

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestBadRulesAreShownSafely: what a file of rules has that a terminal would obey is told by its number.
func TestBadRulesAreShownSafely(t *testing.T) {
	for name, text := range map[string]string{"escape": "rules: \x1b[31m[\n", "zero": "rules:\n  - name: \x00\n   when: }\n",
		"no UTF-8": "rules: {\xff\xfe\n", "bell": "rules: [\"\x07\n"} {
		path := write(t, filepath.Join(t.TempDir(), "r.yaml"), text)
		code, out, errs := command(t, "-p", "x.py", "--trigger", path)
		if code != 3 || strings.ContainsAny(out+errs, "\x1b\x00\x07") || !utf8.ValidString(out+errs) || !strings.Contains(errs, "r.yaml") {
			t.Errorf("%s: exit code %d: %q", name, code, out+errs)
		}
	}
}
