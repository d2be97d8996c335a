package script_test

import (
	"strings"
	"testing"

	"drp/internal/script"
	"drp/internal/testkit"
)

// TestCompiles names the line, and runs nothing.
func TestCompiles(t *testing.T) {
	python := testkit.Python(t)
	if err := script.Compiles(python, "a.py", []byte("raise SystemExit(3)\n")); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{"x = 1\nfor": `File "a.py", line 2: SyntaxError: invalid syntax`, "x = '\xff'": "SyntaxError",
		"x = 1\x00": "a.py"} {
		if err := script.Compiles(python, "a.py", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
