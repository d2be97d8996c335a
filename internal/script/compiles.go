package script

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const syntaxTime = 10 * time.Second

// Compiles asks an interpreter whether a text is Python, without running it. The name is that of its file, for the error.
func Compiles(python, name string, text []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), syntaxTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-I", "-S", "-c",
		"import sys; compile(sys.stdin.buffer.read(), sys.argv[1], 'exec')", name)
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if where := strings.TrimSpace(line); strings.HasPrefix(where, "File \""+name) {
			return fmt.Errorf("%s: %s", where, lines[len(lines)-1])
		}
	}
	return fmt.Errorf("%s: %s (%w)", name, lines[len(lines)-1], err)
}
