package drp

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"

	"drp/internal/script"
)

// reload looks for another text of the script, at each Configure. From the start on only the dispatcher knows it. One that is no Python is not taken: the run goes on
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
		_, err = script.Examine(r.cfg.Script) // what is refused at the start is refused here
	}
	if err == nil {
		err = script.Compiles(r.python, r.cfg.Script, text)
	}
	if err != nil {
		r.cfg.Log.Error(fmt.Sprintf("script %s was changed and cannot be taken, the run goes on with the one before: %v",
			r.cfg.Script, err))
		return
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	r.cfg.Log.Info(fmt.Sprintf("script %s was changed, SHA-256 %s: it is read anew", r.cfg.Script, sum))
	r.cfg.ScriptText, r.cfg.ScriptSHA256 = text, sum
	r.group.SetScript(text)
}
