package drp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// reload looks for another text of the script, at each Configure. One that is no Python is not taken: the run goes on
// with the one before. All children run the same text until the next Configure, however often the file is saved.
func (r *Run) reload() {
	if r.cfg.ScriptText == nil {
		return
	}
	text, err := os.ReadFile(r.cfg.Script)
	if err == nil && bytes.Equal(text, r.cfg.ScriptText) {
		return
	}
	if err == nil {
		err = checkSyntax(r.python, r.cfg.Script, text)
	}
	if err != nil {
		r.cfg.Log.Error(fmt.Sprintf("script %s was changed and cannot be taken, the run goes on with the one before: %v",
			r.cfg.Script, err))
		return
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	r.cfg.Log.Info(fmt.Sprintf("script %s was changed, SHA-256 %s: it is read anew", r.cfg.Script, sum))
	r.scriptMu.Lock()
	r.cfg.ScriptText, r.cfg.ScriptSHA256 = text, sum
	r.scriptMu.Unlock()
	r.group.SetScript(text)
}

const syntaxTime = 10 * time.Second

// checkSyntax compiles a script without running it.
func checkSyntax(python, name string, text []byte) error {
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
	return errors.Join(err, errors.New(lines[len(lines)-1]))
}
